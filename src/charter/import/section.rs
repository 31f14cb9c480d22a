//! The category that a heading, an introduction or a cell speaks of.

use super::words::fold;
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

/// Words that turn the next one into its opposite.
const NEGATIONS: &[&str] = &["non", "not", "pas", "sans", "without", "no", "aucun", "aucune"];

/// Words with which a text speaks of a part of the cookies only.
const PARTIAL: &[&str] =
    &["some", "certains", "certaines", "dont", "including", "notamment", "plupart", "most", "many"];

/// Words with which a sentence speaks of the table that follows it.
const POINTERS: &[&str] =
    &["suivant", "suivants", "suivante", "suivantes", "following", "below", "dessous"];

/// The longest text that can be a heading without being marked as one.
const MAX_HEADING_CHARS: usize = 120;

/// The category that `text` speaks of.
///
/// `necessary` is believed only where it stands alone, or before a mention of functional cookies,
/// which the published charters use as another word for it; next to any other category nothing is
/// chosen. Third-party cookies that are for marketing or statistics are that.
pub(super) fn class(text: &str) -> Class {
    let folded = fold(text);
    let mut found: Vec<&Category> = Vec::new();
    for (at, _) in folded.match_indices(|c: char| c != ' ') {
        if at > 0 && folded.as_bytes()[at - 1] != b' ' {
            continue;
        }
        let Some((_, category)) = STEMS.iter().find(|(stem, _)| folded[at..].starts_with(stem))
        else {
            continue;
        };
        let before = folded[..at].split_whitespace().next_back().unwrap_or_default();
        let earlier = folded[..at].split_whitespace().rev().nth(1).unwrap_or_default();
        let intensified = ["strictement", "strictly", "absolument", "absolutely"].contains(&before);
        if NEGATIONS.contains(&before) || intensified && NEGATIONS.contains(&earlier) {
            return Class::Unclear;
        }
        if !found.contains(&category) {
            found.push(category);
        }
    }
    let is_partial = folded.split(' ').any(|word| PARTIAL.contains(&word));
    if is_partial && found.contains(&&Category::Necessary) {
        return Class::Unclear;
    }
    let third = found.iter().position(|category| **category == Category::ThirdParty);
    match (&*found, third) {
        ([], _) => Class::Silent,
        ([Category::Necessary, Category::Preferences], _) => Class::Is(Category::Necessary),
        ([one], _) => Class::Is((*one).clone()),
        ([Category::Necessary, _] | [_, Category::Necessary], _) => Class::Unclear,
        ([_, other], Some(0)) | ([other, _], Some(1)) => Class::Is((*other).clone()),
        _ => Class::Unclear,
    }
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
            ("Cookies tiers nécessaires", Class::Unclear),
            ("Cookies fonctionnels et nécessaires", Class::Unclear),
            ("Nécessaires et statistiques", Class::Unclear),
            ("Fonctionnels et statistiques", Class::Unclear),
            ("Nécessaires, fonctionnels et statistiques", Class::Unclear),
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
