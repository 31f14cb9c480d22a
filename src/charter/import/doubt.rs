//! What keeps `necessary` from being believed: a text that calls cookies necessary, and takes it back
//! or ties it to something else, wherever in the text it does so.
//!
//! A cookie that is wrongly necessary passes without consent, one that is wrongly in doubt waits for
//! somebody to write its category; so every word that could turn the meaning is taken as if it did. What
//! is known to turn nothing are waivers: `exemptés de consentement`, `cannot be disabled`.

use std::ops::Range;

use super::section::{self, Class};
use super::subject;
use super::words::fold;

/// Words that deny, weaken, make a condition, or set one thing against another.
const DOUBTS: &str = "|non|no|not|pas|ne|n|t|plus|sans|without|aucun|aucune|aucuns|aucunes|none|nul|nulle|null|\
    nil|neant|zero|0|false|faux|off|never|jamais|rien|nullement|ni|nor|neither|cannot|guere|peu|moins|less|\
    presque|quasi|quasiment|almost|nearly|hardly|rarely|barely|scarcely|seldom|rarement|pseudo|disant|called|\
    si|if|when|lorsque|lorsqu|quand|unless|sauf|seulement|parfois|sometimes|only|seul|seuls|seule|seules|part|dehors|moyennement|plutot|relativement|partiellement|eventuellement|possibly|may|\
    might|could|would|serait|seraient|peut|peuvent|hors|outre|hormis|beyond|besides|unlike|\
    contrairement|apart|aside|rather|instead|lieu|dela|difference|addition|complement|above|dessus|\
    precedents|previous|versus|vs|ad|ads|meta|track|tracks|tracked|tracking|some|certains|certaines|\
    dont|including|notamment|plupart|most|many|partie|partly|quelques|few|";

/// Beginnings of words that do the same, or name what no cookie is necessary for.
const DOUBT_STEMS: &[&str] = &[
    // Others are meant.
    "except",
    "exclu",
    "option",
    "facultati",
    "pretend",
    "suppos",
    // Advertising, and those who follow visitors.
    "annonc",
    "cible",
    "target",
    "suivre",
    "suivi",
    "tracer",
    "tracage",
    "pistage",
    "profil",
    "partenaire",
    "partner",
    "interet",
    "interest",
    "retarget",
    "recibl",
    "remarket",
    "monetis",
    "monetiz",
    "sponsor",
    "promotion",
    "google",
    "facebook",
    "instagram",
    "youtube",
    "linkedin",
    "twitter",
    "tiktok",
    "pinterest",
    "doubleclick",
    "hotjar",
    "criteo",
    // Measuring, comfort, and content from elsewhere.
    "mesur",
    "measur",
    "confort",
    "comfort",
    "convenien",
    "personnalis",
    "personalis",
    "personaliz",
    "recommand",
    "recommend",
    "partag",
    "relevant",
    "pertinen",
    "reseau",
    "social",
    "business",
    "economi",
    "financ",
    "revenu",
    "shar",
    "video",
];

/// Beginnings of words for what a visitor gives or is asked for.
const CONSENT: &[&str] =
    &["consent", "accord", "autoris", "authori", "accept", "agree", "permission", "optin"];

/// Beginnings of words for what a visitor may do against a cookie; `off` is one by itself.
const SWITCHED: &[&str] =
    &["desactiv", "disabl", "deactiv", "refus", "reject", "declin", "deny", "denied"];

/// What waives consent, before it.
const WAIVERS: &str = "|exempt|exempte|exemptes|exemptee|exemptees|exempted|dispense|dispenses|dispensee|\
    dispensees|sans|without|pas|not|t|no|aucun|aucune|";

/// What denies that a cookie can be switched off, before that.
const FIRMNESS: &str = "|pas|not|t|cannot|ne|never|jamais|";

/// Words that may stand between such a one and what it is about.
const BETWEEN: &str = "|de|d|du|des|le|la|l|les|a|au|aux|un|une|votre|vos|son|leur|your|the|an|any|of|from|to|user|\
    users|s|prealable|prealables|prior|explicit|explicite|utilisateur|utilisateurs|visiteur|visiteurs|\
    internaute|recueil|recueillir|collecte|soumis|soumise|soumises|subject|require|requires|requiring|\
    need|needs|needing|necessiter|requerir|besoin|demander|obtenir|be|etre|easily|switched|turned|\
    peut|peuvent|formalite|";

/// Words that may stand between consent and its denial: `votre consentement n'est pas requis`.
const COPULAS: &str = "|n|est|is|isn|de|l|utilisateur|du|visiteur|prealable|";

/// The denial, and what consent is denied to be.
const DENIALS: &str = "|non|pas|not|t|";
const REQUIRED: &[&str] =
    &["requi", "need", "demand", "obligatoire", "mandatory", "sollicit", "exig"];

/// Words for cookies that are not yet spoken of.
const OTHERS: &str = "|autre|autres|other|others|etc|divers|";

/// Beginnings of the words whose meaning is at stake.
pub(super) const NECESSARY: &[&str] =
    &["necessaire", "necessary", "essentiel", "essential", "indispensable"];

/// Whether `text`, which calls cookies necessary, leaves a doubt that it means just that.
pub(super) fn is_doubtful(text: &str) -> bool {
    // Questions, and boxes that are not ticked.
    const MARKS: &str = "?✗✘✕✖❌☐□×⨯🚫";
    // What is longer is neither a heading nor an introduction.
    const MAX_BYTES: usize = 2_000;
    text.len() > MAX_BYTES
        || text.contains(|c: char| MARKS.contains(c))
        || clauses(text).any(is_clause_doubtful)
}

/// Whether `text`, below a heading of necessary cookies, tells of others.
pub(super) fn sets_apart(text: &str) -> bool {
    const FURTHER: &str =
        "|egalement|aussi|also|ailleurs|additionally|additional|furthermore|supplementaires|";
    let folded = fold(text);
    is_doubtful(text)
        || section::class(text) == Class::Unclear
        || folded.split(' ').any(|word| is_among(OTHERS, word) || is_among(FURTHER, word))
}

/// Whether a cell below such a heading says that a cookie is not necessary, or needs consent.
pub(super) fn contradicts(heading: &str, cell: &str) -> bool {
    const YES: &str = "|oui|yes|true|vrai|x|1|";
    const NO: &str = "|non|no|false|faux|0|aucun|none|";
    let (heading, answer) = (fold(heading), fold(cell));
    let speaks_of = |stems: &[&str]| heading.split(' ').any(|word| starts(stems, word));
    if speaks_of(CONSENT) {
        return !is_among(NO, &answer)
            && !answer.starts_with("exempt")
            && !answer.starts_with("non ");
    }
    let is_ticked = cell.trim().chars().all(|c| "✓✔✅☑●•".contains(c));
    speaks_of(NECESSARY) && !is_ticked && !is_among(YES, &answer)
}

/// The parts of a text between punctuation: in `no, consent required` nothing is waived.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| ",;:.!()[]{}/|–—…\n=".contains(c);
    text.split(is_end).flat_map(|part| part.split(" - "))
}

fn is_clause_doubtful(clause: &str) -> bool {
    let folded = fold(clause);
    let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    let mut is_waived = vec![false; words.len()];
    for at in 0..words.len() {
        if let Some(span) = waived(&words, at) {
            is_waived[span].fill(true);
        }
    }
    let at_stake = words.iter().position(|word| starts(NECESSARY, word));
    words.iter().enumerate().any(|(at, word)| {
        // Others that come after the necessary ones are further ones.
        let is_further = is_among(OTHERS, word) && at_stake.is_some_and(|stake| stake < at);
        // `Essentiellement` is of anything.
        let is_adverb = starts(NECESSARY, word) && (word.ends_with("ment") || word.ends_with("ly"));
        // `Nécessaires et sociaux` are two kinds, `nécessaires et techniques` one.
        let is_second = ["et", "and", "ou", "or"].contains(word)
            && at_stake.is_some_and(|stake| stake < at)
            && subject::first_word(&words[at..]).is_some_and(|next| !subject::is_neutral(next));
        // `En savoir plus` is a link.
        let is_link = *word == "plus" && at > 0 && words[at - 1] == "savoir";
        let is_doubt = is_among(DOUBTS, word) && !is_link
            || [DOUBT_STEMS, CONSENT, SWITCHED].iter().any(|stems| starts(stems, word));
        is_adverb || !is_waived[at] && (is_further || is_second || is_doubt)
    })
}

/// The words by which the consent or the switch at `at` is waived, with it.
fn waived(words: &[&str], at: usize) -> Option<Range<usize>> {
    let is_consent = starts(CONSENT, words[at]);
    if !is_consent && words[at] != "off" && !starts(SWITCHED, words[at]) {
        return None;
    }
    if is_consent && let Some(end) = end_of_denial(words, at) {
        return Some(at..end);
    }
    let waivers = if is_consent { WAIVERS } else { FIRMNESS };
    let stops =
        |before: &usize| is_among(waivers, words[*before]) || !is_among(BETWEEN, words[*before]);
    let start = (0..at).rev().find(stops)?;
    // `non` by itself may answer what stands before it.
    let is_bound = words[start] == "non"
        && if is_consent { words[start + 1].starts_with("soumis") } else { start + 1 == at };
    if !is_bound && !is_among(waivers, words[start]) {
        return None;
    }
    Some(start_of_denial(words, start)..at + 1)
}

/// Where `ne ... pas` begins, whose second part is at `at`.
fn start_of_denial(words: &[&str], at: usize) -> usize {
    const NEAR: usize = 3;
    let first =
        (at.saturating_sub(NEAR)..at).rev().find(|before| ["ne", "n"].contains(&words[*before]));
    first
        .filter(|first| !words[*first..at].iter().any(|word| starts(NECESSARY, word)))
        .unwrap_or(at)
}

/// Where the denial ends that comes after the consent at `at`, if one does.
fn end_of_denial(words: &[&str], at: usize) -> Option<usize> {
    let after = (at + 1..words.len()).find(|after| !is_among(COPULAS, words[*after]))?;
    let is_denied = is_among(DENIALS, words[after])
        && words.get(after + 1).is_some_and(|word| starts(REQUIRED, word));
    is_denied.then_some(after + 2)
}

pub(super) fn starts(stems: &[&str], word: &str) -> bool {
    stems.iter().any(|stem| word.starts_with(stem))
}

/// Whether `words`, divided by bars, has this one.
pub(super) fn is_among(words: &str, word: &str) -> bool {
    !word.is_empty() && words.split('|').any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_contradict() {
        for (heading, cell) in [
            ("Strictement nécessaire", "Non"),
            ("Nécessaire ?", "✗"),
            ("Essential", "no"),
            ("Consentement requis", "Oui"),
            ("Consent", "opt-in"),
        ] {
            assert!(contradicts(heading, cell), "{heading}: {cell}");
        }
        for (heading, cell) in [
            ("Strictement nécessaire", "Oui"),
            ("Essential", "✓"),
            ("Consentement requis", "Non"),
            ("Consentement", "exempté"),
            ("Type", "HTTP"),
        ] {
            assert!(!contradicts(heading, cell), "{heading}: {cell}");
        }
    }

    #[test]
    fn what_takes_nothing_back() {
        for text in [
            "Nécessaire",
            "Nécessaires (12)",
            "Cookies strictement nécessaires au fonctionnement du portail data.example.fr",
            "Strictly necessary cookies – always active",
            "Les cookies suivants sont strictement nécessaires à la fourniture du service :",
            "Autres cookies nécessaires",
            "Cookies nécessaires et techniques",
            "Cookies nécessaires au site et à ses services, et à la sécurité",
            "Traceurs nécessaires, exemptés de consentement",
            "Nécessaires, dispensés du recueil du consentement",
            "Cookies strictement nécessaires (sans consentement préalable)",
            "Cookies nécessaires : ils ne nécessitent pas de consentement",
            "Cookies nécessaires qui ne requièrent pas votre consentement",
            "Cookies nécessaires, votre consentement n'est pas requis",
            "Cookies nécessaires non soumis à consentement",
            "Necessary cookies (no consent required)",
            "Necessary: they don't require your consent",
            "Necessary cookies, for which consent is not needed",
            "Strictly necessary (cannot be switched off)",
            "Nécessaires, ils ne peuvent pas être désactivés",
            "Nécessaires (non désactivables)",
        ] {
            assert!(!is_doubtful(text), "{text:?}");
        }
    }

    #[test]
    fn necessary_is_not_taken_from_what_says_that_it_is_not() {
        for text in [
            "Nécessaire : non",
            "Nécessaire (non)",
            "Nécessaire ?",
            "Necessary: no",
            "Necessary: false",
            "Strictly necessary: no",
            "Strictement nécessaire ☐",
            "Essentiel : non",
            "Nécessaire : non, consentement requis",
            "Necessary: no, consent required",
            "Nécessaire (soumis à consentement)",
            "Nécessaires (avec consentement)",
            "Nécessaire après consentement",
            "Nécessaires, non déposés sans consentement",
            "Nécessaires, pas déposés avant votre consentement",
            "Nécessaire : non (désactivable)",
            "Guère nécessaire",
            "Presque nécessaire",
            "Rarely necessary",
            "Nécessaires et autres cookies",
            "Nécessaires et réseaux",
            "Necessary and playful cookies",
            "Essentiellement les cookies suivants :",
            "En dehors des cookies nécessaires :",
            "À part les cookies nécessaires, nous utilisons les cookies suivants :",
            "Seuls les cookies nécessaires sont déposés. Les suivants :",
            "Cookies necessary to show you relevant content:",
            "En plus des cookies nécessaires",
            "Outre les cookies nécessaires",
            "Au-delà des cookies nécessaires",
            "Contrairement aux cookies nécessaires",
            "À la différence des cookies nécessaires",
            "Beyond necessary cookies",
            "Besides strictly necessary cookies",
            "Unlike necessary cookies",
            "Refuser les cookies nécessaires",
            "Cookies strictement nécessaires : aucun",
            "Aucun de ces cookies n’est nécessaire",
            "Les cookies suivants ne sont plus nécessaires :",
            "The cookies below are no longer necessary.",
            "These cookies are necessary only if you consent:",
            "Les cookies suivants sont nécessaires si vous acceptez la publicité :",
            "Les cookies suivants sont nécessaires à la diffusion d’annonces ciblées :",
            "Les cookies suivants sont nécessaires pour suivre votre navigation :",
            "Les cookies suivants sont nécessaires à la lecture des vidéos YouTube :",
            "The following cookies are necessary for our partners:",
            "Nécessaire pour Google Ads",
        ] {
            assert!(is_doubtful(text), "{text:?}");
        }
    }
}
