//! Rendering a charter for visitors and for machines, from the very one that is enforced.
//!
//! The columns are those of published charters, with category and lifetime. Law: what is rendered,
//! [`import`](super::import) reads back as the same charter.

mod html;
mod json;
mod markdown;

pub use html::{escaped, lang, page as page_html, table as table_html};
pub use json::page as page_json;
pub use markdown::page as page_markdown;

use super::{Entry, Language, LifetimeCap, duration};

/// What visitors read of a lifetime.
fn lifetime(entry: &Entry, language: Language) -> String {
    match entry.lifetime {
        Some(LifetimeCap::Session) => language.texts().session.to_owned(),
        Some(LifetimeCap::Seconds(seconds)) => duration::spelt(seconds, language),
        None => language.texts().unstated.to_owned(),
    }
}

/// The category for machines.
fn category(entry: &Entry) -> &str {
    if entry.anonymous { super::import::ANONYMOUS } else { entry.category.as_str() }
}
