//! The page itself.

use std::fmt::Write as _;

use super::choice;
use super::texts::{self, Texts};
use crate::charter::render::{self, escaped};
use crate::charter::{CharterView, Language};
use crate::consent::{Answer, Consent, Ids, Rules, State};

/// What is the same for every visitor of a site, in one language.
#[derive(Debug)]
pub struct Published {
    /// The language.
    pub language: Language,
    /// That of the site's own words.
    own: Language,
    title: String,
    introduction: &'static str,
    table: String,
}

impl Published {
    /// The charter in `view`, whose own words are in the language `own`; `title` in place of the usual
    /// one, where it is the page's.
    #[must_use]
    pub fn new(view: &CharterView, language: Language, own: Language, title: Option<&str>) -> Self {
        let title = title.filter(|_| language == own);
        let usual = || language.texts().title.replace("{}", &view.domain);
        let title = escaped(&title.map_or_else(usual, ToOwned::to_owned));
        let is_empty = view.entries.is_empty();
        let introduction =
            if is_empty { language.texts().nothing } else { language.texts().introduction };
        let table = if is_empty { String::new() } else { render::table_html(view, language, own) };
        Self { language, own, title, introduction, table }
    }
}

/// What a form has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The choice was stored.
    Saved,
    /// It was not, for a fault of the firewall's.
    NotStored,
    /// A refusal that was stored, and could not be recorded.
    NotRecorded,
    /// It was not, since the charter has changed since the form was shown.
    CharterChanged,
}

/// What one visitor sees.
#[derive(Debug)]
pub struct View<'v> {
    /// What everybody sees.
    pub published: &'v Published,
    /// What there is to choose.
    pub rules: &'v Rules,
    /// What was chosen.
    pub consent: Consent,
    /// The ids that the visitor's `Sec-GPC` denies.
    pub gpc: Ids,
    /// What the form that was sent has come to.
    pub outcome: Option<Outcome>,
    /// The hash of the charter that is shown.
    pub charter: &'v str,
    /// Where the page itself is.
    pub address: &'v str,
    /// Where forms go.
    pub action: &'v str,
    /// Where the logo is, if there is one.
    pub logo: Option<&'v str>,
    /// The style sheet.
    pub style: &'v str,
}

/// The whole page.
#[must_use]
pub fn render(view: &View<'_>) -> String {
    let Published { language, title, introduction, table, .. } = view.published;
    let texts = texts::texts(*language);
    let has_choice = choice::offers(view.rules).next().is_some();
    let (prefix, note) = note(view, texts, has_choice);
    let mut html = String::with_capacity(8 * 1024 + view.style.len() + table.len());
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{prefix}{title}</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">{skip}</a>\n<header>\n<a href=\"/\">{back}</a>\n",
        lang = language.tag(),
        style = view.style,
        skip = texts.skip,
        back = back(view, texts),
    );
    push_languages(&mut html, view, texts);
    let _ = write!(
        html,
        "</header>\n<main id=\"main\" tabindex=\"-1\">\n<h1>{title}</h1>\n{note}\
         <h2 id=\"choose\">{}</h2>\n",
        texts.choose
    );
    if has_choice {
        push_choice(&mut html, view, texts);
    } else {
        let _ = writeln!(html, "<p>{}</p>", texts.no_choice);
    }
    let _ = writeln!(html, "<h2 id=\"cookies\">{}</h2>", texts.cookies);
    push_table(&mut html, introduction, table);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The link back to the site: its logo, which the text names, or the text.
fn back(view: &View<'_>, texts: &Texts) -> String {
    match view.logo {
        Some(logo) => {
            format!("<img class=\"logo\" src=\"{}\" alt=\"{}\">", escaped(logo), texts.back)
        }
        None => texts.back.to_owned(),
    }
}

/// The page may be the answer to a form, whose address has none to show.
fn push_languages(html: &mut String, view: &View<'_>, texts: &Texts) {
    let address = escaped(view.address);
    let _ = write!(html, "<nav aria-label=\"{}\">\n<ul class=\"languages\">\n", texts.languages);
    for language in Language::ALL {
        let (tag, name) = match language {
            Language::French => ("fr", "Français"),
            Language::English => ("en", "English"),
        };
        let here = if language == view.published.language { " aria-current=\"true\"" } else { "" };
        let _ = writeln!(
            html,
            "<li><a href=\"{address}?lang={tag}\" lang=\"{tag}\" hreflang=\"{tag}\"{here}>{name}</a></li>"
        );
    }
    html.push_str("</ul>\n</nav>\n");
}

/// What the form has come to: what the title begins with, and a message. Whether a user agent keeps
/// the choice is known only once it has brought it back.
fn note(view: &View<'_>, texts: &Texts, has_choice: bool) -> (String, String) {
    let answered = matches!(view.consent.state(), State::Granted | State::Partial | State::Denied);
    let (title, role, text) = match view.outcome {
        None => return Default::default(),
        Some(Outcome::Saved) if answered => (texts.saved_title, "status", texts.saved),
        Some(Outcome::Saved) if has_choice => (texts.error_title, "alert", texts.not_kept),
        Some(Outcome::Saved) => return Default::default(),
        Some(Outcome::NotStored) => (texts.error_title, "alert", texts.not_stored),
        Some(Outcome::NotRecorded) => (texts.not_recorded_title, "alert", texts.not_recorded),
        Some(Outcome::CharterChanged) => (texts.error_title, "alert", texts.charter_changed),
    };
    (format!("{title} - "), format!("<p class=\"note\" role=\"{role}\">{text}</p>\n"))
}

/// Two forms: a key pressed in the second must never press a button of the first.
fn push_choice(html: &mut String, view: &View<'_>, texts: &Texts) {
    let state = texts.states.get(view.consent.state() as usize).copied().unwrap_or_default();
    let action = escaped(view.action);
    let open = format!(
        "<form method=\"post\" action=\"{action}\" accept-charset=\"utf-8\">\n\
         <input type=\"hidden\" name=\"lang\" value=\"{}\">\n\
         <input type=\"hidden\" name=\"charter\" value=\"{}\">\n",
        view.published.language.tag(),
        escaped(view.charter),
    );
    let _ = write!(
        html,
        "<p>{state}</p>\n<p>{}</p>\n{open}<div class=\"both\">\n\
         <button name=\"choice\" value=\"accept\">{}</button>\n\
         <button name=\"choice\" value=\"refuse\">{}</button>\n</div>\n</form>\n\
         {open}<fieldset>\n<legend>{}</legend>\n",
        texts.explanation, texts.accept, texts.refuse, texts.each
    );
    let (necessary, _) = texts::category("necessary", view.published.language);
    let _ = writeln!(
        html,
        "<div class=\"always\"><strong>{necessary} ({})</strong><p>{}</p></div>",
        texts.always, texts.exempt
    );
    for (number, offer) in choice::offers(view.rules).enumerate() {
        push_option(html, view, texts, number, &offer);
    }
    let _ = write!(
        html,
        "</fieldset>\n<button name=\"choice\" value=\"save\">{}</button>\n</form>\n",
        texts.save
    );
}

fn push_option(
    html: &mut String,
    view: &View<'_>,
    texts: &Texts,
    number: usize,
    offer: &choice::Offer<'_>,
) {
    let Published { language, own, .. } = view.published;
    let (name, purpose) = texts::category(offer.category, *language);
    // What the page has no word for is called as the site calls it.
    let lang = if purpose.is_empty() { render::lang(*own, *language) } else { "" };
    let is_denied = offer.ids.intersects(view.gpc);
    let is_granted = view.consent.answer(offer.ids) == Answer::Granted;
    let mark = match (is_denied, is_granted) {
        (true, _) => " disabled",
        (false, true) => " checked",
        (false, false) => "",
    };
    let gpc = if is_denied { texts.gpc } else { "" };
    let about = [purpose, gpc].into_iter().filter(|text| !text.is_empty());
    let about = about.collect::<Vec<_>>().join(" ");
    let (described, about) = if about.is_empty() {
        (String::new(), about)
    } else {
        let id = format!("about-{number}");
        (format!(" aria-describedby=\"{id}\""), format!("<p id=\"{id}\">{about}</p>"))
    };
    let _ = writeln!(
        html,
        "<div class=\"option\"><input type=\"checkbox\" id=\"option-{number}\" name=\"category\" \
         value=\"{}\"{described}{mark}><label for=\"option-{number}\"{lang}>{}</label>{about}</div>",
        escaped(offer.category),
        escaped(name),
    );
}

/// The table scrolls on its own where it does not fit, by keyboard too.
fn push_table(html: &mut String, introduction: &str, table: &str) {
    let Some(rows) = table.strip_prefix("<table>") else {
        let _ = writeln!(html, "<p>{introduction}</p>");
        return;
    };
    let _ = writeln!(
        html,
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"cookies\" tabindex=\"0\">\n\
         <table>\n<caption>{introduction}</caption>{rows}</div>"
    );
}
