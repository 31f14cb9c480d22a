//! The `cookie` crate as a second opinion: where it accepts a set-cookie-string, it and the firewall
//! read the same, but for the differences that are named here.

use cookie::Cookie;
use cookie_firewall::cookie::{SameSite, SetCookie};
use proptest::prelude::*;

/// Lines that both sides are likely to accept.
fn line() -> impl Strategy<Value = String> {
    let pair = ("[A-Za-z0-9_.-]{1,12}", "[ -:<-~é]{0,20}");
    let attribute = prop_oneof![
        "(Path|path|PATH)=/[a-z/]{0,8}",
        "(Domain|domain)=\\.?[a-z]{1,5}\\.(fr|example)",
        "(Max-Age|max-age)=-?[0-9]{1,9}",
        Just("Secure".to_owned()),
        Just("HTTPONLY".to_owned()),
        "SameSite=(Strict|lax|NONE)",
        Just("Partitioned".to_owned()),
        "[A-Z][a-z]{1,8}(=[a-z0-9]{0,5})?",
    ];
    let space = "[ ]{0,2}";
    (pair, prop::collection::vec((space, attribute), 0..6)).prop_map(
        |((name, value), attributes)| {
            let attributes = attributes.iter().map(|(space, text)| format!(";{space}{text}"));
            format!("{name}={value}{}", attributes.collect::<String>())
        },
    )
}

/// An attribute that stands more than once: the crate keeps one occurrence, and of a negative
/// `Max-Age` it keeps zero.
fn has_duplicates(cookie: &SetCookie<'_>) -> bool {
    let mut names: Vec<_> = cookie.attributes().map(|a| a.name.to_ascii_lowercase()).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    names.len() != all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_read_the_same(line in line()) {
        let Ok(theirs) = Cookie::parse(line.as_str()) else { return Ok(()) };
        let ours = SetCookie::parse(line.as_bytes()).expect("no control character, and short");
        prop_assert_eq!(ours.name, theirs.name().as_bytes());
        prop_assert_eq!(ours.value, theirs.value().as_bytes());
        if has_duplicates(&ours) {
            return Ok(());
        }
        prop_assert_eq!(ours.secure, theirs.secure().unwrap_or(false));
        prop_assert_eq!(ours.http_only, theirs.http_only().unwrap_or(false));
        prop_assert_eq!(ours.partitioned, theirs.partitioned().unwrap_or(false));
        prop_assert_eq!(ours.path, theirs.path().map(str::as_bytes));
        prop_assert_eq!(ours.domain, theirs.domain().map(str::as_bytes));
        prop_assert_eq!(ours.max_age.map(|s| s.max(0)), theirs.max_age().map(|age| age.whole_seconds()));
        let same_site = theirs.same_site().map(|same_site| match same_site {
            cookie::SameSite::Strict => SameSite::Strict,
            cookie::SameSite::Lax => SameSite::Lax,
            cookie::SameSite::None => SameSite::None,
        });
        prop_assert_eq!(ours.same_site, same_site.unwrap_or_default());
    }
}

#[test]
fn where_the_crate_is_not_a_user_agent() {
    // Nameless cookies, which user agents store.
    assert!(Cookie::parse("token").is_err() && SetCookie::parse(b"token").is_ok());
    assert!(Cookie::parse("=a=b").is_err() && SetCookie::parse(b"=a=b").is_ok());
    // Unicode space, behind which a prefix hides.
    let hidden = "\u{2000}__Host-x=1";
    assert_eq!(
        Cookie::parse(hidden).map(|c| c.name().to_owned()).ok().as_deref(),
        Some("__Host-x")
    );
    let ours = SetCookie::parse(hidden.as_bytes()).expect("readable");
    assert_eq!(ours.name, "\u{2000}__Host-x".as_bytes());
    // Dates beyond four forms, which user agents accept.
    let date = "a=1; Expires=Jan-1-2099 00:00:00";
    assert!(Cookie::parse(date).expect("readable").expires().is_none());
    assert!(
        SetCookie::parse(date.as_bytes()).expect("readable").lifetime(0)
            != cookie_firewall::cookie::Lifetime::Session
    );
}
