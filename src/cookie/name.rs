//! Cookie names that carry a promise, and names that pretend to be another.

use smallvec::SmallVec;

use super::SetCookie;
use super::words::{HIGH, word, word_holds};

/// A name prefix and what the user agent demands of a cookie that bears it.
struct Prefix {
    text: &'static [u8],
    secure: bool,
    http_only: bool,
    host: bool,
}

/// `__Secure-` and `__Host-` are RFC 6265bis 5.4; the two `Http` prefixes come from the layered
/// cookies draft and are enforced by current browsers. The longest prefix stands first.
const PREFIXES: &[Prefix] = &[
    Prefix { text: b"__host-http-", secure: true, http_only: true, host: true },
    Prefix { text: b"__secure-", secure: true, http_only: false, host: false },
    Prefix { text: b"__host-", secure: true, http_only: false, host: true },
    Prefix { text: b"__http-", secure: true, http_only: true, host: false },
];

/// What a name's prefix demands of the attributes; all false where there is no prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The `Secure` attribute.
    pub secure: bool,
    /// The `HttpOnly` attribute.
    pub http_only: bool,
    /// No `Domain`, and a `Path` that is exactly `/`.
    pub host: bool,
}

/// The demands of `name`'s prefix. Prefixes are matched without regard to case, as user agents do.
#[must_use]
pub fn demands(name: &[u8]) -> Demands {
    prefix_of(name).map_or_else(Demands::default, |prefix| Demands {
        secure: prefix.secure,
        http_only: prefix.http_only,
        host: prefix.host,
    })
}

fn prefix_of(name: &[u8]) -> Option<&'static Prefix> {
    // Every prefix begins so; nearly every name is done here.
    if !name.starts_with(b"__") {
        return None;
    }
    PREFIXES.iter().find(|prefix| {
        name.get(..prefix.text.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.text))
    })
}

/// Whether a user agent refuses this cookie for its prefix (RFC 6265bis 5.7, steps 20 to 22).
///
/// A nameless cookie whose value begins like a prefix is refused as well, since it would come back
/// looking like one. An unusable `Path` falls back to a default that depends on the request, so it
/// counts as not `/`.
#[must_use]
pub fn breaks_prefix(cookie: &SetCookie<'_>) -> bool {
    if cookie.name.is_empty() {
        return prefix_of(cookie.value).is_some();
    }
    let demands = demands(cookie.name);
    (demands.secure && !cookie.secure)
        || (demands.http_only && !cookie.http_only)
        || (demands.host
            && (cookie.domain.is_some_and(|d| !d.is_empty()) || cookie.path != Some(b"/")))
}

/// The name an origin might read where the user agent sees `name`, when the two differ.
///
/// PHP turns `.`, `[` and space into `_`; Django and ASP.NET trim Unicode white space, in UTF-8 or
/// in Latin-1. `None` says that every origin known reads the name as it stands.
#[must_use]
pub fn origin_reading(name: &[u8]) -> Option<SmallVec<[u8; 64]>> {
    if !is_odd(name) {
        return None;
    }
    let mut mangled = SmallVec::from_slice(trim_unicode(name));
    for byte in &mut mangled {
        // Written back whatever it is: a store for some bytes only is one branch for each.
        *byte = if matches!(byte, b'.' | b'[' | b' ') { b'_' } else { *byte };
    }
    (mangled[..] != *name).then_some(mangled)
}

/// Whether a byte stands there that some origin does not take as it is.
fn is_odd(name: &[u8]) -> bool {
    let odd = |word: u64| {
        word & HIGH != 0
            || word_holds(word, b'.')
            || word_holds(word, b'[')
            || word_holds(word, b' ')
    };
    let (words, rest) = name.as_chunks();
    words.iter().any(|bytes| odd(u64::from_le_bytes(*bytes))) || odd(word(rest))
}

/// Whether an origin may take `name` for one that bears a protected prefix, although user agents
/// grant it none.
#[must_use]
pub fn forges_prefix(name: &[u8], reading: &[u8]) -> bool {
    prefix_of(name).is_none() && prefix_of(reading).is_some()
}

fn trim_unicode(mut name: &[u8]) -> &[u8] {
    let may_be_space =
        |byte: Option<&u8>| byte.is_some_and(|&b| b == b' ' || b == b'\t' || b >= 0x80);
    if !may_be_space(name.first()) && !may_be_space(name.last()) {
        return name;
    }
    while let Some(rest) = SPACES.iter().find_map(|space| name.strip_prefix(*space)) {
        name = rest;
    }
    while let Some(rest) = SPACES.iter().find_map(|space| name.strip_suffix(*space)) {
        name = rest;
    }
    name
}

/// White space beyond space and tab that origins trim: as UTF-8, and the two Latin-1 bytes.
const SPACES: &[&[u8]] = &[
    b" ",
    b"\t",
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xe1\x9a\x80",
    b"\xe2\x80\x80",
    b"\xe2\x80\x81",
    b"\xe2\x80\x82",
    b"\xe2\x80\x83",
    b"\xe2\x80\x84",
    b"\xe2\x80\x85",
    b"\xe2\x80\x86",
    b"\xe2\x80\x87",
    b"\xe2\x80\x88",
    b"\xe2\x80\x89",
    b"\xe2\x80\x8a",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xe2\x80\xaf",
    b"\xe2\x81\x9f",
    b"\xe3\x80\x80",
    b"\xef\xbb\xbf",
    b"\x85",
    b"\xa0",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn breaks(line: &str, expected: bool) {
        let cookie = SetCookie::parse(line.as_bytes()).expect("a readable line");
        assert_eq!(breaks_prefix(&cookie), expected, "{line:?}");
    }

    #[test]
    fn the_examples_of_rfc6265bis_5_4() {
        for line in [
            "__Secure-SID=12345; Domain=site.example",
            "__secure-SID=12345; Domain=site.example",
            "__SECURE-SID=12345; Domain=site.example",
            "__Host-SID=12345",
            "__host-SID=12345; Secure",
            "__host-SID=12345; Domain=site.example",
            "__HOST-SID=12345; Domain=site.example; Path=/",
            "__Host-SID=12345; Secure; Domain=site.example; Path=/",
            "__host-SID=12345; Secure; Domain=site.example; Path=/",
            "__HOST-SID=12345; Secure; Domain=site.example; Path=/",
        ] {
            breaks(line, true);
        }
        for line in [
            "__Secure-SID=12345; Domain=site.example; Secure",
            "__secure-SID=12345; Domain=site.example; Secure",
            "__SECURE-SID=12345; Domain=site.example; Secure",
            "__Host-SID=12345; Secure; Path=/",
            "__host-SID=12345; Secure; Path=/",
            "__HOST-SID=12345; Secure; Path=/",
        ] {
            breaks(line, false);
        }
    }

    #[test]
    fn prefixes_of_the_layered_draft_and_of_nameless_values() {
        breaks("__Http-a=1; Secure", true);
        breaks("__Http-a=1; Secure; HttpOnly", false);
        breaks("__Host-Http-a=1; Secure; Path=/", true);
        breaks("__Host-Http-a=1; Secure; Path=/; HttpOnly", false);
        breaks("=__Host-a=1; Secure; Path=/", true);
        breaks("__hOsT-a; Secure; Path=/", true);
        breaks("=plain", false);
        breaks("__Host-a=1; Secure; Path", true);
        breaks("__Hos-a=1", false);
    }

    #[test]
    fn names_that_an_origin_reads_as_another() {
        let cases: &[(&[u8], Option<&[u8]>)] = &[
            (b"sessionid", None),
            (b"session.id", Some(b"session_id")),
            (b"session[id", Some(b"session_id")),
            (b"session id", Some(b"session_id")),
            (b"__Host.x", Some(b"__Host_x")),
            ("\u{2000}__Host-x".as_bytes(), Some(b"__Host-x")),
            (b"\xa0sessionid\x85", Some(b"sessionid")),
            ("é".as_bytes(), None),
        ];
        for (name, reading) in cases {
            assert_eq!(origin_reading(name).as_deref(), *reading, "{name:?}");
        }
        assert!(forges_prefix("\u{2000}__host-x".as_bytes(), b"__host-x"));
        assert!(!forges_prefix(b"__Host-a.b", b"__Host-a_b"));
    }
}
