//! The languages of the pages that visitors read, and every text of a rendered charter in them.

use super::{Category, Entry};

/// A language that charters are published in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// French.
    #[default]
    French,
    /// English.
    English,
}

/// The texts of a rendered charter.
#[derive(Debug)]
pub struct Texts {
    /// What the page is called; `{}` stands for the domain.
    pub title: &'static str,
    /// What the table shows.
    pub introduction: &'static str,
    /// What stands in place of a table without rows.
    pub nothing: &'static str,
    /// The headings of the columns, in their order.
    pub columns: [&'static str; 6],
    /// The names of [`Category::BUILT_IN`], in that order.
    pub categories: [&'static str; 5],
    /// Statistics that are exempt from consent.
    pub anonymous: &'static str,
    /// A cookie that no category has been found for.
    pub unclassified: &'static str,
    /// A lifetime that ends with the user agent's session.
    pub session: &'static str,
    /// A lifetime that the charter does not give.
    pub unstated: &'static str,
}

const FRENCH: Texts = Texts {
    title: "Charte cookies de {}",
    introduction: "Les cookies que ce site déclare, qui les dépose, et à quoi ils servent.",
    nothing: "Ce site ne déclare aucun cookie.",
    columns: [
        "Nom du prestataire",
        "Service et emplacement",
        "Nom du cookie",
        "Finalités",
        "Catégorie",
        "Durée de vie",
    ],
    categories: ["Strictement nécessaire", "Statistiques", "Préférences", "Marketing", "Tiers"],
    anonymous: "Statistiques anonymes, exemptées de consentement",
    unclassified: "Non classé",
    session: "Session",
    unstated: "Non précisée",
};

const ENGLISH: Texts = Texts {
    title: "Cookie charter of {}",
    introduction: "The cookies that this site declares, who sets them, and what they are for.",
    nothing: "This site declares no cookies.",
    columns: ["Provider", "Service and location", "Cookie name", "Purpose", "Category", "Lifetime"],
    categories: ["Strictly necessary", "Statistics", "Preferences", "Marketing", "Third-party"],
    anonymous: "Anonymous statistics, exempt from consent",
    unclassified: "Unclassified",
    session: "Session",
    unstated: "Not stated",
};

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::French, Self::English];

    /// The language with this tag, or whose tag begins so: `fr`, `fr-FR`, `en_GB`.
    #[must_use]
    pub fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// Its tag (BCP 47), as in configuration and in the `lang` attribute.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// Its texts.
    #[must_use]
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::French => &FRENCH,
            Self::English => &ENGLISH,
        }
    }

    /// What visitors read of the category of `entry`; the site's own ones are called as they are.
    #[must_use]
    pub fn category(self, entry: &Entry) -> &str {
        let texts = self.texts();
        if entry.anonymous {
            return texts.anonymous;
        }
        if entry.is_unclassified() {
            return texts.unclassified;
        }
        let place = Category::BUILT_IN.iter().position(|known| *known == entry.category);
        place.map_or(entry.category.as_str(), |place| texts.categories[place])
    }
}
