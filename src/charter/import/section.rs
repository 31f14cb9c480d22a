//! The category that a heading, an introduction or a cell speaks of.

use super::words::fold;
use super::{doubt, subject};
use crate::charter::Category;

/// What a text says of the category of cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// One category.
    Is(Category),
    /// More than one, or what is not one.
    Unclear,
    /// Nothing.
    Silent,
}

/// Beginnings of words, and the category that each speaks of.
const STEMS: &[(&str, Category)] = &[
    ("necessaire", Category::Necessary),
    ("necessary", Category::Necessary),
    ("essentiel", Category::Necessary),
    ("essential", Category::Necessary),
    ("indispensable", Category::Necessary),
    ("fonctionnel", Category::Preferences),
    ("fonctionnalite", Category::Preferences),
    ("functional", Category::Preferences),
    ("preference", Category::Preferences),
    ("personnalisation", Category::Preferences),
    ("personalisation", Category::Preferences),
    ("personalization", Category::Preferences),
    ("statisti", Category::Statistics),
    ("audience", Category::Statistics),
    ("analyti", Category::Statistics),
    ("analyse", Category::Statistics),
    ("analysis", Category::Statistics),
    ("performance", Category::Statistics),
    ("marketing", Category::Marketing),
    ("publicit", Category::Marketing),
    ("advertis", Category::Marketing),
    ("targeting", Category::Marketing),
    ("ciblage", Category::Marketing),
    ("tiers", Category::ThirdParty),
    ("tierce", Category::ThirdParty),
    ("third part", Category::ThirdParty),
    ("reseaux sociaux", Category::ThirdParty),
    ("social media", Category::ThirdParty),
    ("social network", Category::ThirdParty),
];

/// Words that turn the next one into its opposite, or into a condition: `autres que nécessaires`,
/// `if necessary`. What keeps `necessary` from being believed besides is [`doubt`]'s.
const NEGATIONS: &[&str] = &[
    "non", "not", "pas", "sans", "without", "no", "aucun", "aucune", "peu", "que", "than", "si",
    "if", "when", "where", "un",
];

/// Words that may stand between a negation and what it is about.
pub(super) const INTENSIFIERS: &[&str] = &["strictement", "strictly", "absolument", "absolutely"];

/// Words with which a sentence speaks of the table that follows it.
pub(super) const POINTERS: &[&str] =
    &["suivant", "suivants", "suivante", "suivantes", "following", "below", "dessous"];

/// The longest text that can be a heading without being marked as one.
const MAX_HEADING_CHARS: usize = 120;

/// The category that `text` speaks of.
///
/// `necessary` is believed only where nothing in the text takes it back, and it stands alone, or before
/// a mention of functional cookies, which the published charters use as another word for it; next to
/// any other category nothing is chosen. Third-party cookies that are for marketing or statistics are that.
pub(super) fn class(text: &str) -> Class {
    let folded = fold(text);
    let mut found: Vec<&Category> = Vec::new();
    // Preferences by any other word than functional.
    let mut has_comfort = false;
    for (at, _) in folded.match_indices(|c: char| c != ' ') {
        if at > 0 && folded.as_bytes()[at - 1] != b' ' {
            continue;
        }
        let Some((stem, category)) = STEMS.iter().find(|(stem, _)| folded[at..].starts_with(stem))
        else {
            continue;
        };
        has_comfort |= *category == Category::Preferences && !is_functional(stem);
        let is_negated = before(&folded[..at]).is_some_and(|word| NEGATIONS.contains(&word));
        if is_negated || *category == Category::Necessary && is_to_be_done(&folded[..at]) {
            return Class::Unclear;
        }
        if !found.contains(&category) {
            found.push(category);
        }
    }
    if found.contains(&&Category::Necessary) && doubt::is_doubtful(text) {
        return Class::Unclear;
    }
    let third = found.iter().position(|category| **category == Category::ThirdParty);
    match (&*found, third) {
        ([], _) => Class::Silent,
        ([Category::Necessary, Category::Preferences], _) if !has_comfort => {
            Class::Is(Category::Necessary)
        }
        ([one], _) => Class::Is((*one).clone()),
        ([Category::Necessary, _] | [_, Category::Necessary], _) => Class::Unclear,
        ([_, other], Some(0)) | ([other, _], Some(1)) => Class::Is((*other).clone()),
        _ => Class::Unclear,
    }
}

/// The category that a text speaks of where it stands above a table, and need not speak of its cookies.
pub(super) fn class_above(text: &str) -> Class {
    match class(text) {
        Class::Is(Category::Necessary) if !subject::is_of_cookies(text) => Class::Unclear,
        class => class,
    }
}

fn is_functional(stem: &str) -> bool {
    stem.starts_with("fonction") || stem.starts_with("functional")
}

/// The word that a text ends with, intensifiers left aside.
fn before(text: &str) -> Option<&str> {
    text.split_whitespace().rev().find(|word| !INTENSIFIERS.contains(word))
}

/// Whether what is called necessary after this text is something to be done, and no cookie.
fn is_to_be_done(before: &str) -> bool {
    ["il est ", "it is "].iter().any(|words| before.ends_with(words))
}

/// Whether a text names what it tells of, after a colon that is not an address's.
pub(super) fn is_told_of_itself(text: &str) -> bool {
    let mut after = text.match_indices(':').map(|(at, _)| &text[at + 1..]);
    let told = after.find(|told| !told.starts_with("//"));
    told.is_some_and(|told| told.chars().any(char::is_alphanumeric))
}

/// Whether a text says that there are no cookies of the kind it stands below.
pub(super) fn says_none(text: &str) -> bool {
    const NONE: &[&str] = &["aucun", "aucune", "aucuns", "no", "none", "pas", "neant"];
    const NEAR: usize = 3;
    let folded = fold(text);
    let words: Vec<&str> = folded.split(' ').collect();
    let is_cookie =
        |word: &&str| ["cookie", "traceur", "tracker"].iter().any(|stem| word.starts_with(stem));
    let names_cookie = |after: &[&str]| after.is_empty() || after.iter().take(NEAR).any(is_cookie);
    let mut all = words.iter().enumerate();
    all.any(|(at, word)| NONE.contains(word) && names_cookie(&words[at + 1..]))
}

/// Whether a paragraph stands as a heading does: short, and no sentence.
pub(super) fn is_heading(text: &str) -> bool {
    text.chars().count() <= MAX_HEADING_CHARS && !text.trim_end().ends_with(['.', '!', '?', ','])
}

/// Whether a paragraph introduces the table after it: `The following cookies are strictly
/// necessary.`
pub(super) fn is_introduction(text: &str) -> bool {
    let folded = fold(text);
    text.trim_end().ends_with(':') || folded.split(' ').any(|word| POINTERS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_after_a_colon() {
        for text in ["Catégorie : Nécessaire", "Cookies nécessaires de https://x.fr : sid"] {
            assert!(is_told_of_itself(text), "{text:?}");
        }
        for text in ["Cookies nécessaires de https://x.fr", "Cookies nécessaires :"] {
            assert!(!is_told_of_itself(text), "{text:?}");
        }
    }

    #[test]
    fn there_are_none() {
        for text in
            ["Aucun cookie de ce type.", "Néant", "None.", "No such cookies", "Il n'y en a aucun"]
        {
            assert!(says_none(text), "{text:?}");
        }
        for text in ["Ils ne peuvent pas être désactivés.", "No consent is needed for these.", ""]
        {
            assert!(!says_none(text), "{text:?}");
        }
    }

    #[test]
    fn classes() {
        use Category::{Marketing, Necessary, Preferences, Statistics, ThirdParty};
        let cases = [
            (
                "Cookies nécessaires au bon fonctionnement de la plateforme / cookies fonctionnels",
                Class::Is(Necessary),
            ),
            ("Strictly necessary cookies", Class::Is(Necessary)),
            ("ESSENTIELS", Class::Is(Necessary)),
            ("Cookies fonctionnels", Class::Is(Preferences)),
            ("Functional cookies", Class::Is(Preferences)),
            ("Préférences", Class::Is(Preferences)),
            ("Mesure d’audience", Class::Is(Statistics)),
            ("Analytics / performance", Class::Is(Statistics)),
            ("Cookies publicitaires", Class::Is(Marketing)),
            ("Advertising and targeting", Class::Is(Marketing)),
            ("Third-party cookies", Class::Is(ThirdParty)),
            ("Cookies tiers (réseaux sociaux)", Class::Is(ThirdParty)),
            ("Cookies tiers publicitaires", Class::Is(Marketing)),
            ("Cookies non nécessaires", Class::Unclear),
            ("Not strictly necessary", Class::Unclear),
            ("Cookies pour lesquels votre consentement est nécessaire", Class::Unclear),
            ("Cookies for which consent is strictly necessary", Class::Unclear),
            ("Necessary consent", Class::Unclear),
            ("Cookies nécessaires et de personnalisation", Class::Unclear),
            ("Necessary, functional and preference cookies", Class::Unclear),
            ("Votre accord préalable est nécessaire pour les cookies suivants :", Class::Unclear),
            ("Il est nécessaire d’accepter les cookies suivants :", Class::Unclear),
            ("Autres cookies (si nécessaire)", Class::Unclear),
            ("Cookies autres que strictement nécessaires", Class::Unclear),
            ("All cookies except the necessary ones", Class::Unclear),
            ("Cookies strictement nécessaires, exemptés de consentement", Class::Is(Necessary)),
            ("Cookies tiers nécessaires", Class::Unclear),
            ("Cookies fonctionnels et nécessaires", Class::Unclear),
            ("Nécessaires et statistiques", Class::Unclear),
            ("Fonctionnels et statistiques", Class::Unclear),
            ("Nécessaires, fonctionnels et statistiques", Class::Unclear),
            ("Nécessaire : non", Class::Unclear),
            ("Outre les cookies nécessaires", Class::Unclear),
            ("Certains cookies sont nécessaires", Class::Unclear),
            ("Some of the cookies below are strictly necessary:", Class::Unclear),
            ("Liste des cookies", Class::Silent),
            ("Unnecessary cookies", Class::Silent),
            ("", Class::Silent),
        ];
        for (text, expected) in cases {
            assert_eq!(class(text), expected, "{text:?}");
        }
    }
}
