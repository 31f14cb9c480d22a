//! The laws of `cookie_firewall::fuzzing`, tried on generated inputs: arbitrary bytes, and pieces of
//! real cookie headers put together at random, which get much further.

use cookie_firewall::fuzzing;
use proptest::prelude::*;

/// Words that cookie headers are made of.
const PIECES: &[&str] = &[
    ";",
    "; ",
    "=",
    ",",
    " ",
    "\t",
    "\"",
    "\n",
    "\n\n",
    "$Version",
    "sessionid",
    "plain",
    "brief",
    "__Host-id",
    "__host-id",
    "__Secure-x",
    "_pk_id.1.1fff",
    "_ga",
    "x_ads",
    "tracker",
    "session.id",
    "cookies_preferences",
    "value",
    "Max-Age=0",
    "Max-Age=99999999",
    "max-age=-1",
    "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "Expires=Wed, 09 Jun 2027 10:18:14 GMT",
    "Expires=x",
    "Domain=example.fr",
    "Domain=.portal.internal",
    "domain=other.internal",
    "Domain=fr",
    "Domain=",
    "Path=/",
    "Path=/portal/x",
    "Path=x",
    "Secure",
    "HttpOnly",
    "SameSite=None",
    "samesite=lax",
    "Partitioned",
    "Priority=High",
    "\u{2000}",
    "\u{e9}",
    "\u{1}",
    "\u{7f}",
    "%7B",
    "{\"matomo\":true,\"ga\":false,\"timestamp\":1790000000}",
    "%7B%22matomo%22%3Atrue%2C%22ga%22%3Atrue%2C%22timestamp%22%3A1789999999000%7D",
    "{\"matomo\":false,\"timestamp\":1}",
    "true",
    "false",
    "timestamp",
    "10:18:14",
    "jun",
    "21",
    "9",
];

/// Values of consent cookies, whole and in pieces, that a line of `consent_cookies` is made of.
const CONSENT: &[&str] = &[
    "\n",
    "%",
    "{",
    "}",
    "true",
    "false",
    "!gtag=true!hotjar=false",
    "!gtag=wait",
    "{\"a\":true,\"cookies\":false}",
    "{%22a%22:true}",
    "{\"categories\":[\"analytics\"],\"services\":{\"analytics\":[],\"marketing\":[]},\"consentId\":\"0\",\
     \"consentTimestamp\":\"2026-09-01T00:00:00Z\",\"lastConsentTimestamp\":\"2026-09-01T00:00:00Z\"}",
    "{\"level\":[\"marketing\"]}",
    "{stamp:%27x%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:false%2Cmarketing:true%2C\
     method:%27explicit%27%2Cver:1%2Cutc:1789999999000}",
    "interactionCount=1&groups=C0002%3A1%2CC0004%3A0",
    "2026-09-01T00:00:00Z",
    "eyJ1cGRhdGVkIjoiMjAyNi0wOS0wMVQwMDowMDowMFoiLCJwdXJwb3NlcyI6eyJlbmFibGVkIjpbImEiXX19",
    "CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA",
    "COwxsONOwxsONKpAAAENAdCAAMAAAAAAAAAAAAAAAAAA",
    "DBABM~",
    "{\"matomo\":true,\"$$completed\":true}",
    "lzc1.",
    "N4IgJGAuD2DWCmA7EAuEkQBpxgCYENJ5UQAmABlIDYBac2gRioBVyBWFBgThVNIDoGAdi4A",
    ",matomo,a,",
    "action:yes,analytics:yes,other:no",
    "dismissed",
    "allow",
    "deny",
    "\"a=2026-01-01T00:00:00|cookies=-1\"",
    "1789999999000",
    "c0=true&c1=false&date=2026-09-01T00:00:00Z",
];

/// A tool, and the values of its cookies.
fn consent_input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(CONSENT).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    (any::<u8>(), prop::collection::vec(piece, 0..12))
        .prop_map(|(tool, pieces)| [&[tool][..], &pieces.concat()].concat())
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..40);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        pieces.prop_map(|pieces| pieces.concat().into_bytes()),
        (any::<u8>(), prop::collection::vec(prop::sample::select(PIECES), 0..20))
            .prop_map(|(first, pieces)| [&[first], pieces.concat().as_bytes()].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn set_cookie_strings(data in input()) {
        fuzzing::set_cookie_string(&data);
    }

    #[test]
    fn cookie_strings(data in input()) {
        fuzzing::cookie_string(&data);
    }

    #[test]
    fn dates(data in input()) {
        fuzzing::cookie_date(&data);
    }

    #[test]
    fn consent_values(data in input()) {
        fuzzing::consent_value(&data);
    }

    #[test]
    fn consent_cookies(data in consent_input()) {
        fuzzing::consent_cookies(&data);
    }

    #[test]
    fn exchanges(data in input()) {
        fuzzing::exchange(&data);
    }
}
