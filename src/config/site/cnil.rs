//! What the CNIL asks of cookies, as far as a site file can tell: warnings that name their source.
//!
//! The texts of 17 September 2020: deliberation 2020-091 (guidelines, which say what the law
//! demands) and deliberation 2020-092 (recommendation, which says how to meet it). A warning is no
//! verdict: who answers for a site may have good reasons.

use super::consent::Consent;
use crate::charter::{Category, Declaration, LifetimeCap, Need};
use crate::config::reader::{Document, Table};

const DAY: i64 = 86_400;

/// The longest six months of a calendar: from 1 March, or any that hold July and August.
const SIX_MONTHS: i64 = 184 * DAY;

/// The longest thirteen months of a calendar: a leap year and a long month.
const THIRTEEN_MONTHS: i64 = 397 * DAY;

/// Companies that follow visitors from one site to the next, by a word of their name. What they set
/// serves them, whatever else it is for, so that it is not strictly necessary to this site.
const KNOWN_THIRD_PARTIES: &[&str] = &[
    "google",
    "doubleclick",
    "youtube",
    "facebook",
    "meta",
    "instagram",
    "twitter",
    "linkedin",
    "tiktok",
    "pinterest",
    "snapchat",
    "criteo",
    "taboola",
    "outbrain",
    "hotjar",
    "hubspot",
    "addthis",
    "sharethis",
    "adobe",
    "bing",
    "vimeo",
    "dailymotion",
    "xandr",
    "quantcast",
];

/// Words with which a charter itself calls a cookie another party's.
const THIRD_PARTY_WORDS: &[&str] = &["tiers", "tierce", "tierces", "third-party"];

/// Two words in a row that do so.
const THIRD_PARTY_PAIRS: &[(&str, &str)] = &[("third", "party"), ("third", "parties")];

/// What is said of a choice that is kept for longer.
const KEPT_TOO_LONG: &str = "the choice is kept for more than 6 months, which the CNIL holds to be good practice for consent and refusal alike (deliberation 2020-092, recommendation, article 2)";

/// How long an answer is believed.
pub(super) fn consent(document: &Document<'_>, table: Option<&Table<'_, '_>>, consent: &Consent) {
    let place = table.and_then(|table| table.place_of("max_age"));
    if let Some(at) = place
        && consent.rules.max_age.is_some_and(|seconds| seconds > SIX_MONTHS)
    {
        let remedy = "write max_age = \"6 months\", or leave the key out";
        document.warning(&at, KEPT_TOO_LONG, remedy);
    }
}

/// How long the cookie lives in which an answer is kept.
pub(super) fn consent_cookie(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    declaration: &Declaration,
    consent: &Consent,
) {
    let is_consent = || {
        let name = declaration.name.exact().unwrap_or_default();
        consent.rules.cookies.iter().any(|cookie| cookie.as_bytes() == name)
    };
    if let Some(LifetimeCap::Seconds(seconds)) = declaration.max_age
        && i64::from(seconds) > SIX_MONTHS
        && is_consent()
    {
        let at = table.place_of("max_age").unwrap_or_else(|| table.at());
        document.warning(&at, KEPT_TOO_LONG, "write max_age = \"6 months\"");
    }
}

/// One declaration of a site whose domain and aliases are `hosts`.
pub(super) fn declaration(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    declaration: &Declaration,
    hosts: &[&str],
) {
    told(document, table, declaration);
    if declaration.category == Category::Statistics && declaration.need == Need::Exempt {
        exempt_statistics(document, table, declaration.max_age);
    }
    if declaration.category == Category::Necessary
        && let Some(why) = third_party(declaration, hosts)
    {
        document.warning(
            &table.place_of("category").unwrap_or_else(|| table.at()),
            format!(
                "{:?} is called necessary, and {why}: exempt is only what the service that the visitor asked for strictly needs (CNIL deliberation 2020-091, guidelines, article 5)"
                , declaration.name.as_str()
            ),
            "write category = \"third-party\", \"statistics\" or \"marketing\"; or name as provider the one on whose behalf it is set for this site alone",
        );
    }
}

/// Visitors are told who sets a cookie and what for, exempt or not.
fn told(document: &Document<'_>, table: &Table<'_, '_>, declaration: &Declaration) {
    let missing: Vec<&str> =
        [("provider", &declaration.provider), ("purpose", &declaration.purpose)]
            .into_iter()
            .filter(|(_, text)| text.trim().is_empty())
            .map(|(key, _)| key)
            .collect();
    if missing.is_empty() {
        return;
    }
    document.warning(
        &table.at(),
        format!(
            "{:?} has no {}: visitors are to be told who sets a cookie, and what for (CNIL deliberation 2020-091, guidelines, article 2)",
            declaration.name.as_str(),
            missing.join(" and no ")
        ),
        "add provider = \"...\" and purpose = \"...\" in the words that visitors read",
    );
}

/// Audience measurement is exempt within bounds. The file tells how long one cookie may live; not
/// whether the portal sets it again at each visit, which the cap bounds only from then on.
fn exempt_statistics(document: &Document<'_>, table: &Table<'_, '_>, cap: Option<LifetimeCap>) {
    const RULE: &str = "exempt statistics live 13 months at most, and are not renewed at each visit (CNIL deliberation 2020-091, guidelines, article 5)";
    match cap {
        None => document.warning(
            &table.place_of("anonymous").unwrap_or_else(|| table.at()),
            format!("nothing limits the lifetime of this cookie: {RULE}"),
            "add max_age = \"13 months\", and see that the tool does not set the cookie again at each visit",
        ),
        Some(LifetimeCap::Seconds(seconds)) if i64::from(seconds) > THIRTEEN_MONTHS => {
            document.warning(
                &table.place_of("max_age").unwrap_or_else(|| table.at()),
                format!("this is more than 13 months: {RULE}"),
                "write max_age = \"13 months\"",
            );
        }
        Some(_) => {}
    }
}

/// Why a cookie is another party's, as far as the charter itself tells: it says so, its provider is
/// a host of another registrable domain, or provider or service is one of those known for it. A
/// company that only runs the portal, as a host or a publisher of software does, is not told from the
/// site's own.
fn third_party(declaration: &Declaration, hosts: &[&str]) -> Option<String> {
    // Not its purpose, which may say that nothing is given to third parties.
    let texts = [("provider", &declaration.provider), ("service", &declaration.service)];
    let texts = texts.map(|(what, text)| (what, text, text.to_lowercase()));
    if texts.iter().any(|(.., lower)| calls_itself_third_party(lower)) {
        return Some("a third party's by its provider or service".to_owned());
    }
    for (what, text, lower) in &texts {
        if let Some(known) = known_third_party(lower) {
            return Some(format!("its {what} {text:?} follows visitors across sites ({known})"));
        }
    }
    let provider = &declaration.provider;
    let host = provider.trim().trim_start_matches('.').to_ascii_lowercase();
    let foreign = |domain: &str| hosts.iter().all(|host| registrable(host) != Some(domain));
    match registrable(&host) {
        Some(domain) if super::is_host_name(&host) && host.contains('.') && foreign(domain) => {
            Some(format!("its provider {provider:?} is another domain than the site's"))
        }
        _ => None,
    }
}

fn calls_itself_third_party(text: &str) -> bool {
    let mut pairs = words(text).zip(words(text).skip(1));
    words(text).any(|word| THIRD_PARTY_WORDS.contains(&word))
        || pairs.any(|pair| THIRD_PARTY_PAIRS.contains(&pair))
}

/// The first of the known third parties that a text in lower case names.
fn known_third_party(text: &str) -> Option<&'static str> {
    let place = |word: &str| KNOWN_THIRD_PARTIES.iter().position(|known| *known == word);
    words(text).filter_map(place).min().map(|place| KNOWN_THIRD_PARTIES[place])
}

/// What stands between spaces and some punctuation; nothing stands between two of them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '(', ')', ',', '.'])
}

/// The registrable domain of a host, by the public suffix list; of one that no such suffix ends,
/// none, so that `Example S.A.` is no host.
fn registrable(host: &str) -> Option<&str> {
    let suffix = psl::suffix_str(host)?;
    let is_known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
    if suffix.len() == host.len() || !is_known {
        return None;
    }
    psl::domain_str(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn third_parties_by_their_words() {
        let cases = [
            ("an (adobe.com) service, vimeo, bing", Some("adobe")),
            ("google", Some("google")),
            ("googleplex metadata", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(known_third_party(text), expected, "{text}");
        }
        for text in ["tiers", "un (tiers)", "a third party", "third.parties", "by a third-party"] {
            assert!(calls_itself_third_party(text), "{text}");
        }
        for text in ["", "third", "a party", "third, party", "thirds party", "party third"] {
            assert!(!calls_itself_third_party(text), "{text}");
        }
    }

    #[test]
    fn registrable_domains() {
        let cases = [
            ("data.example.fr", Some("example.fr")),
            ("example.fr", Some("example.fr")),
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("fr", None),
            ("localhost", None),
            ("127.0.0.1", None),
            ("opendatasoft", None),
        ];
        for (host, expected) in cases {
            assert_eq!(registrable(host), expected, "{host}");
        }
    }
}
