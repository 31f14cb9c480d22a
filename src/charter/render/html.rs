//! HTML: a table that a page can hold, and a page of its own.

use std::fmt::Write as _;

use super::{category, lifetime};
use crate::charter::{Category, CharterView, Entry, Language};

/// How the page looks; a table in another page follows that page.
const STYLE: &str = "\
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; \
color: #1a1a1a; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #767676; padding: .5rem .75rem; text-align: left; vertical-align: top }
th { background: #f0f0f0 }
code { overflow-wrap: anywhere }
";

/// A whole page, without scripts and without anything from elsewhere. The site's own words are in the
/// language `own`.
#[must_use]
pub fn page(view: &CharterView, language: Language, own: Language) -> String {
    let texts = language.texts();
    let domain = escaped(&view.domain);
    let title = texts.title.replace("{}", &domain);
    let introduction = if view.entries.is_empty() { texts.nothing } else { texts.introduction };
    let table = if view.entries.is_empty() { String::new() } else { table(view, language, own) };
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"canonical\" href=\"https://{domain}/\">\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p>{introduction}</p>\n{table}</main>\n</body>\n</html>\n",
        language.tag()
    )
}

/// The table alone. `<data>` carries what machines read: names, categories and lifetimes.
#[must_use]
pub fn table(view: &CharterView, language: Language, own: Language) -> String {
    let mut html = String::from("<table>\n<thead>\n<tr>");
    for heading in language.texts().columns {
        html.push_str("<th scope=\"col\">");
        html.push_str(&escaped(heading));
        html.push_str("</th>");
    }
    html.push_str("</tr>\n</thead>\n<tbody>\n");
    for entry in &view.entries {
        push_row(&mut html, entry, language, own);
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn push_row(html: &mut String, entry: &Entry, language: Language, own: Language) {
    let name = escaped(entry.name.as_str());
    let lifetime_value = lifetime(entry, Language::English);
    let is_named_by_site = matches!(entry.category, Category::Own(_)) && !entry.is_unclassified();
    let category_lang = if is_named_by_site { lang(own, language) } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(
        html,
        "<tr><td>{}</td>{}<td><data value=\"{name}\"><code>{name}</code></data></td>\
         {}<td{category_lang}><data value=\"{}\">{}</data></td>\
         <td><data value=\"{lifetime_value}\">{}</data></td></tr>",
        escaped(&entry.provider),
        own_cell(&entry.service, language, own),
        own_cell(&entry.purpose, language, own),
        escaped(category(entry)),
        escaped(language.category(entry)),
        lifetime(entry, language),
    );
}

/// A cell in the site's own words.
fn own_cell(text: &str, language: Language, own: Language) -> String {
    let lang = if text.is_empty() { "" } else { lang(own, language) };
    format!("<td{lang}>{}</td>", escaped(text))
}

/// The attribute of words in the language `own` on a page in `page`, where that is another one (WCAG
/// 2.2, 3.1.2).
#[must_use]
pub fn lang(own: Language, page: Language) -> &'static str {
    match own {
        _ if own == page => "",
        Language::French => " lang=\"fr\"",
        Language::English => " lang=\"en\"",
    }
}

/// `text` where text stands, and in quoted attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
