//! A charter as it is published: what visitors read of each declaration, and nothing of how it is
//! enforced.

use super::{Category, Charter, Declaration, LifetimeCap, Need, Pattern, words};

/// The category of a cookie that a published page puts in none. It is the site's own one to
/// everybody else: no consent tool asks for it, so that nobody has granted it.
const UNCLASSIFIED: &str = "unclassified";

/// One row of a published charter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name or pattern.
    pub name: Pattern,
    /// Who sets it; empty where that is not said.
    pub provider: String,
    /// The service it belongs to.
    pub service: String,
    /// What it is for.
    pub purpose: String,
    /// Its category.
    pub category: Category,
    /// Statistics that are exempt from consent for being anonymous.
    pub anonymous: bool,
    /// How long it lives at most.
    pub lifetime: Option<LifetimeCap>,
}

/// A charter to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharterView {
    /// The site's domain.
    pub domain: String,
    /// The rows, in the order of the file.
    pub entries: Vec<Entry>,
}

impl Entry {
    /// What is published of `declaration`. Its texts stand on one line each.
    #[must_use]
    pub fn of(declaration: &Declaration) -> Self {
        let category = declaration.category.clone();
        Self {
            name: declaration.name.clone(),
            provider: words::clean(&declaration.provider),
            service: words::clean(&declaration.service),
            purpose: words::clean(&declaration.purpose),
            anonymous: category == Category::Statistics && declaration.need == Need::Exempt,
            category,
            lifetime: declaration.max_age,
        }
    }

    /// The category of a cookie that a page puts in none.
    #[must_use]
    pub fn unclassified() -> Category {
        Category::Own(UNCLASSIFIED.into())
    }

    /// Whether it still has to be put in a category.
    #[must_use]
    pub fn is_unclassified(&self) -> bool {
        self.category.as_str() == UNCLASSIFIED
    }
}

impl CharterView {
    /// What the site `domain` publishes of `charter`.
    #[must_use]
    pub fn of(domain: &str, charter: &Charter) -> Self {
        let entries = charter.declarations().iter().map(Entry::of).collect();
        Self { domain: domain.to_owned(), entries }
    }
}
