//! Markdown: a heading and a table, as GitHub's dialect has them.

use std::fmt::Write as _;

use super::lifetime;
use crate::charter::import::MARKER;
use crate::charter::{Category, CharterView, Entry, Language};

/// A whole page. The comment it begins with tells the importer that names are patterns as they
/// stand.
#[must_use]
pub fn page(view: &CharterView, language: Language) -> String {
    let texts = language.texts();
    let title = texts.title.replace("{}", &escaped(&view.domain));
    let introduction = if view.entries.is_empty() { texts.nothing } else { texts.introduction };
    let mut markdown = format!("{MARKER}{} -->\n# {title}\n\n{introduction}\n", view.domain);
    if view.entries.is_empty() {
        return markdown;
    }
    let columns = texts.columns;
    // Writing to a string cannot fail.
    let _ = writeln!(markdown, "\n| {} |", columns.join(" | "));
    let _ = writeln!(markdown, "|{}", "---|".repeat(columns.len()));
    for entry in &view.entries {
        let cells = [
            escaped(&entry.provider),
            escaped(&entry.service),
            code(entry.name.as_str()),
            escaped(&entry.purpose),
            category(entry, language),
            lifetime(entry, language),
        ];
        let _ = writeln!(markdown, "| {} |", cells.join(" | "));
    }
    markdown
}

/// A category of the site's own stands as code, so that none is taken for one that is not.
fn category(entry: &Entry, language: Language) -> String {
    match &entry.category {
        Category::Own(name) if !entry.is_unclassified() => code(name),
        _ => language.category(entry).to_owned(),
    }
}

/// A code span; as HTML where Markdown's own cannot hold the text in a table.
fn code(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.*?#~!$%^+:\\@".contains(c);
    if text.chars().all(plain) {
        return format!("`{text}`");
    }
    let mut html = String::from("<code>");
    for c in text.chars() {
        // References to C1 controls would stand for other characters (HTML 13.2.5.80).
        if c.is_alphanumeric() || c > '\u{7f}' {
            html.push(c);
        } else {
            let _ = write!(html, "&#{};", u32::from(c));
        }
    }
    html.push_str("</code>");
    html
}

/// `text` without a sign that Markdown would act upon.
fn escaped(text: &str) -> String {
    let mut markdown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => markdown.push_str("&amp;"),
            '<' => markdown.push_str("&lt;"),
            '>' => markdown.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => {
                markdown.push('\\');
                markdown.push(c);
            }
            c => markdown.push(c),
        }
    }
    markdown
}
