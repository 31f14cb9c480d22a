//! What it is that a heading or an introduction calls necessary: cookies, or what is to be done about
//! them.

use super::doubt::{NECESSARY, is_among, starts};
use super::section::{INTENSIFIERS, POINTERS};
use super::words::fold;

/// Words that may stand beside `necessary` where nothing says that it is cookies that are: what they are
/// necessary for.
const NEUTRAL: &str = "|strictement|strictly|absolument|absolutely|techniquement|technically|technique|\
    techniques|technical|toujours|always|actif|actifs|active|actives|enabled|fonctionnel|fonctionnels|\
    fonctionnelles|functional|fonctionnement|fonctionnalites|function|functioning|functionality|operation|\
    working|bon|proper|site|sites|web|website|internet|page|pages|service|services|plateforme|platform|\
    portail|portal|application|navigation|session|sessions|securite|security|authentification|\
    authentication|connexion|login|base|basic|operation|exempt|exempte|exemptes|exempted|dispenses|cookie|\
    cookies|traceur|traceurs|tracker|trackers|first|party|internes|internal|fourniture|provision|\
    categorie|category|type|";

/// Words that join others, and say nothing.
const JOINTS: &str = "|et|and|ou|or|a|au|aux|la|le|les|de|des|du|d|the|its|this|ce|cette|ces|these|ses|sa|son|of|\
    to|for|pour|leur|nos|notre|our|sont|are|is|est|which|qui|suivants|suivant|following|below|";

/// Whether a heading or an introduction that calls something necessary calls cookies that, and not what
/// is to be done or known about them: `un choix est nécessaire pour les cookies suivants`.
pub(super) fn is_of_cookies(text: &str) -> bool {
    let text = text.replace(['!', ';'], ". ");
    let mut sentences = text.split(". ").map(fold).skip_while(|folded| !speaks(folded));
    let Some(folded) = sentences.next() else { return false };
    // A sentence of its own may be about others: `The following:`.
    let points = |folded: &str| folded.split(' ').any(|word| POINTERS.contains(&word));
    if sentences.any(|later| !is_neutral(&later) || points(&later)) {
        return false;
    }
    let words: Vec<&str> = folded.split(' ').collect();
    let is_cookie =
        |word: &&str| ["cookie", "traceur", "tracker"].iter().any(|stem| word.starts_with(stem));
    if !words.iter().any(is_cookie) {
        return is_neutral(&folded);
    }
    let Some(stake) = words.iter().position(|word| starts(NECESSARY, word)) else { return false };
    let (before, after) = (&words[..stake], &words[stake + 1..]);
    let verb = before.iter().rev().find(|word| !INTENSIFIERS.contains(word));
    if verb.is_some_and(|verb| ["est", "is"].contains(verb)) {
        return before.iter().any(|word| is_cookie(word) && !word.ends_with('s'));
    }
    before.iter().any(is_cookie)
        || after.iter().take_while(|word| !is_among(JOINTS, word)).take(2).any(is_cookie)
}

fn speaks(folded: &str) -> bool {
    folded.split(' ').any(|word| starts(NECESSARY, word))
}

/// Whether a text says nothing but what necessary cookies are necessary for.
pub(super) fn is_neutral(folded: &str) -> bool {
    folded.split(' ').all(|word| {
        let is_number = word.chars().all(|c| c.is_ascii_digit());
        is_number || is_among(NEUTRAL, word) || is_among(JOINTS, word) || starts(NECESSARY, word)
    })
}

/// The first of `words` that says something.
pub(super) fn first_word<'w>(words: &[&'w str]) -> Option<&'w str> {
    words.iter().find(|word| !is_among(JOINTS, word)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_of_necessary_cookies() {
        for text in [
            "Nécessaires",
            "1. Strictement nécessaires (3)",
            "Nécessaires au bon fonctionnement du site",
            "Strictly necessary cookies. Always active",
            "Cookies nécessaires à la gestion des comptes de data.example.fr",
            "Ce cookie est nécessaire à la session",
            "The following cookies are strictly necessary:",
        ] {
            assert!(is_of_cookies(text), "{text:?}");
        }
        for text in [
            "L’essentiel",
            "Informations essentielles",
            "Votre choix est nécessaire :",
            "Un opt-in est nécessaire pour les cookies suivants :",
            "Pour les cookies suivants, JavaScript est nécessaire :",
            "Les informations nécessaires sur les cookies suivants :",
            "Necessary cookies are listed on another page. The following:",
            "Necessary for our investors:",
        ] {
            assert!(!is_of_cookies(text), "{text:?}");
        }
    }
}
