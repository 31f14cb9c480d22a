//! The wire syntax of cookies, read as user agents read it (RFC 6265bis).
//!
//! What counts is what the browser will store and send back, so every rule here follows the user
//! agent's algorithm and not the server's grammar. Bytes in, borrowed views out; any input has an
//! answer. What a cookie is *for*, and whether it may pass, is decided elsewhere.

pub mod date;
pub mod domain;
mod edit;
pub mod name;
mod pairs;
mod segments;
mod set_cookie;
mod words;

pub use edit::{Edits, JoinedPath, LifetimeEdit, Presence, ValueEdit};
pub use pairs::{Pair, Pairs};
pub use set_cookie::{Attribute, Attributes, Lifetime, Malformed, SameSite, SetCookie};
pub(crate) use words::word;

/// Bytes of name plus value beyond which a user agent ignores a cookie (RFC 6265bis 5.6, step 5).
pub const MAX_PAIR_BYTES: usize = 4096;

/// Bytes of an attribute value beyond which a user agent ignores the attribute (RFC 6265bis 5.6).
pub const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Removes leading and trailing space and tab, and nothing else.
///
/// `str::trim` would also take Unicode white space, behind which a `__Host-` prefix can hide from
/// the user agent and reappear at an origin that trims it.
#[must_use]
#[inline]
pub fn trim(bytes: &[u8]) -> &[u8] {
    // What is read most is what needs no trimming.
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) if *first > b' ' && *last > b' ' => bytes,
        _ => trim_blanks(bytes),
    }
}

/// `bytes` without the one space behind which nearly everything stands that follows a semicolon, for
/// [`trim`] to have nothing to do.
#[inline]
fn unspaced(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b" ").unwrap_or(bytes)
}

#[inline(never)]
fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let is_solid = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let Some(first) = bytes.iter().position(is_solid) else { return &[] };
    let last = bytes.iter().rposition(is_solid).unwrap_or(first);
    &bytes[first..=last]
}

/// Whether `bytes` hold a control character other than tab, for which a user agent ignores the
/// whole set-cookie-string (RFC 6265bis 5.6, step 1).
#[must_use]
pub fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|&b| (b < 0x20 && b != b'\t') || b == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_space_and_tab_alone() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b"   "), b"");
        assert_eq!(trim(b""), b"");
        let unicode = "\u{2000}__Host-x".as_bytes();
        assert_eq!(trim(unicode), unicode);
        assert_eq!(trim(b"\xa0x\x0b"), b"\xa0x\x0b");
    }

    #[test]
    fn control_characters_are_all_but_tab() {
        for byte in 0..=255u8 {
            let expected = (byte < 0x20 && byte != b'\t') || byte == 0x7f;
            for len in [1, 2, 15, 16, 17, 31, 32, 33, 100] {
                for at in [0, len / 2, len - 1] {
                    let mut bytes = vec![b'a'; len];
                    bytes[at] = byte;
                    assert_eq!(has_control(&bytes), expected, "byte {byte:#04x} at {at} of {len}");
                }
            }
        }
    }
}
