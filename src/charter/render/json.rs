//! JSON, for machines.

use serde::Serialize;

use crate::charter::{CharterView, Entry, Language, LifetimeCap, duration};

#[derive(Serialize)]
struct Page<'c> {
    rendered_by: &'static str,
    domain: &'c str,
    language: &'static str,
    cookies: Vec<Cookie<'c>>,
}

#[derive(Serialize)]
struct Cookie<'c> {
    provider: &'c str,
    service: &'c str,
    name: &'c str,
    purpose: &'c str,
    category: &'c str,
    anonymous: bool,
    /// As in a site file.
    max_age: Option<String>,
}

/// An object with the domain and its cookies; the keys are those of a site file.
#[must_use]
pub fn page(view: &CharterView, language: Language) -> String {
    let page = Page {
        rendered_by: "cookie-firewall",
        domain: &view.domain,
        language: language.tag(),
        cookies: view.entries.iter().map(cookie).collect(),
    };
    let mut json = serde_json::to_string_pretty(&page).expect("strings and booleans become JSON");
    json.push('\n');
    json
}

fn cookie(entry: &Entry) -> Cookie<'_> {
    Cookie {
        provider: &entry.provider,
        service: &entry.service,
        name: entry.name.as_str(),
        purpose: &entry.purpose,
        category: entry.category.as_str(),
        anonymous: entry.anonymous,
        max_age: entry.lifetime.map(|lifetime| match lifetime {
            LifetimeCap::Session => "session".to_owned(),
            LifetimeCap::Seconds(seconds) => duration::spelt(seconds, Language::English),
        }),
    }
}
