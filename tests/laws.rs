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
    fn exchanges(data in input()) {
        fuzzing::exchange(&data);
    }
}
