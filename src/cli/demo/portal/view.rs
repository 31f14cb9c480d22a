//! The page of the demo's portal.

use std::collections::BTreeSet;

use http::header::HeaderValue;

use super::register::{Known, Language, REGISTER, Words};
use super::{Moment, PAGE, Preferences, Visit};

/// The page as HTML: `[[français|English]]` of the template first, then its `{{slots}}` in one
/// pass, so that nothing a visitor sent is ever read as template.
pub(super) fn document(
    visit: &Visit<'_>,
    moment: Moment,
    cookies: &[(&Known, HeaderValue)],
    notice: Option<Words>,
) -> String {
    let language = visit.language();
    let preferences = visit.preferences();
    let granted = |of: fn(&Preferences) -> bool| preferences.as_ref().is_some_and(of);
    let checked = |granted: bool| if granted { "checked" } else { "" }.to_owned();
    let secret = visit.secret().unwrap_or(moment.secret);
    let mut html = String::with_capacity(2 * PAGE.len());
    fill(&mut html, &translated(PAGE, language), |slot| match slot {
        "lang" => language.tag().to_owned(),
        "french" => (language == Language::French).to_string(),
        "english" => (language == Language::English).to_string(),
        // Masked as Django masks it: the page never holds the cookie's value itself.
        "token" => format!("{:032x}{:032x}", moment.mask, moment.mask ^ secret),
        "notice" => notice.map_or_else(String::new, |words| {
            format!("<p class=\"notice\" role=\"alert\">{}</p>", escaped(words.to(language)))
        }),
        "answer" => answer_in_words(preferences.as_ref(), language),
        "matomo" => checked(granted(|p| p.matomo)),
        "ga" => checked(granted(|p| p.ga)),
        "rows" => rows(&visit.received(), cookies, language),
        _ => String::new(),
    });
    html
}

pub(super) fn answer_in_words(preferences: Option<&Preferences>, language: Language) -> String {
    let Some(preferences) = preferences else {
        let none = Words(
            "Vous n’avez pas encore répondu : rien n’est accepté.",
            "You have not answered yet: nothing is accepted.",
        );
        return none.to(language).to_owned();
    };
    let word = |granted| match granted {
        true => Words("accepté", "accepted").to(language),
        false => Words("refusé", "refused").to(language),
    };
    let (matomo, ga) = (word(preferences.matomo), word(preferences.ga));
    let lead = Words("Votre réponse\u{a0}:", "Your answer:").to(language);
    format!("{lead} Matomo {matomo}, Google Analytics {ga}.")
}

/// One row per cookie that this response tries to set or that this request brought.
pub(super) fn rows(
    received: &BTreeSet<String>,
    cookies: &[(&Known, HeaderValue)],
    language: Language,
) -> String {
    let tried = |known: &Known| cookies.iter().any(|(cookie, _)| cookie.name == known.name);
    let known = REGISTER.iter().map(|known| Row {
        name: known.name,
        known: Some(known),
        tried: tried(known),
        came_back: received.contains(known.name),
    });
    let strange = received.iter().filter(|name| REGISTER.iter().all(|known| known.name != **name));
    let strange = strange.map(|name| Row { name, known: None, tried: false, came_back: true });
    let shown = known.filter(|row| row.tried || row.came_back).chain(strange);
    shown.map(|row| row.html(language)).collect()
}

/// What the portal can say of one cookie: columns 1 and 3, and for the script what column 2 needs.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) known: Option<&'a Known>,
    pub(super) tried: bool,
    pub(super) came_back: bool,
}

impl Row<'_> {
    pub(super) fn html(&self, language: Language) -> String {
        let say = |french, english| Words(french, english).to(language);
        let sent = match self.known.filter(|_| self.tried) {
            Some(known) => {
                let lifetime = format!("{} {}", say("pour", "for"), known.lifetime.to(language));
                cell(
                    say("1 Voulu déposer", "1 Tried to set"),
                    "sent",
                    say("envoyé", "sent"),
                    &lifetime,
                )
            }
            None => cell(
                say("1 Voulu déposer", "1 Tried to set"),
                "absent",
                say("pas cette fois", "not this time"),
                "",
            ),
        };
        let arrived = cell(say("2 Arrivé", "2 Arrived"), "unknown", "?", "");
        let received = match self.came_back {
            true => cell(say("3 Reçu", "3 Received"), "arrived", say("reçu", "received"), ""),
            false => cell(say("3 Reçu", "3 Received"), "absent", say("non", "no"), ""),
        };
        let (data, head) = (self.data(), self.head(language));
        format!("<tr role=\"row\"{data}>{head}{sent}{arrived}{received}</tr>\n")
    }

    /// What the script judges by.
    pub(super) fn data(&self) -> String {
        let mut data = format!(" data-name=\"{}\"", escaped(self.name));
        if let Some(known) = self.known {
            let declared = if known.declared { "yes" } else { "no" };
            let consent = known.consent.unwrap_or_default();
            data += &format!(" data-declared=\"{declared}\" data-consent=\"{consent}\"");
        }
        if self.tried {
            data += " data-set";
        }
        data
    }

    pub(super) fn head(&self, language: Language) -> String {
        let say = |french, english| Words(french, english).to(language);
        let tag = match self.known.map(|known| known.declared) {
            Some(true) => format!(" <span class=\"tag yes\">{}</span>", say("déclaré", "declared")),
            Some(false) => {
                format!(" <span class=\"tag no\">{}</span>", say("non déclaré", "not declared"))
            }
            None => String::new(),
        };
        let purpose = match self.known {
            Some(known) => known.purpose.to(language),
            None => say("Pas un cookie de ce portail.", "Not one of this portal’s cookies."),
        };
        let name = if self.name.is_empty() { say("(sans nom)", "(nameless)") } else { self.name };
        let name = escaped(name);
        format!(
            "<th scope=\"row\" role=\"rowheader\"><code>{name}</code>{tag}\
             <small>{purpose}</small></th>"
        )
    }
}

/// One column of a row; `lane` heads it where the table's own head has no room.
pub(super) fn cell(lane: &str, state: &str, word: &str, detail: &str) -> String {
    let small = if detail.is_empty() { "" } else { &format!("<small>{detail}</small>") };
    format!(
        "<td role=\"cell\" data-lane=\"{lane}\"><span class=\"state {state}\">{word}</span>\
         {small}</td>"
    )
}

/// The template with one side of every `[[français|English]]`.
pub(super) fn translated(template: &str, language: Language) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("[[") {
        text.push_str(before);
        let (both, tail) = after.split_once("]]").unwrap_or((after, ""));
        let (french, english) = both.split_once('|').unwrap_or((both, both));
        text.push_str(match language {
            Language::French => french,
            Language::English => english,
        });
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// Writes `template` with every `{{slot}}` replaced by what `value_of` says.
pub(super) fn fill(html: &mut String, template: &str, value_of: impl Fn(&str) -> String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (slot, tail) = after.split_once("}}").unwrap_or((after, ""));
        html.push_str(before);
        html.push_str(&value_of(slot));
        rest = tail;
    }
    html.push_str(rest);
}

pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(char),
        }
    }
    html
}
