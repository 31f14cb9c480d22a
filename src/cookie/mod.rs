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

pub use edit::{Edits, JoinedPath, LifetimeEdit, Presence, ValueEdit};
pub use pairs::{Pair, Pairs};
pub use set_cookie::{Attribute, Attributes, Lifetime, Malformed, SameSite, SetCookie};

/// Bytes of name plus value beyond which a user agent ignores a cookie (RFC 6265bis 5.6, step 5).
pub const MAX_PAIR_BYTES: usize = 4096;

/// Bytes of an attribute value beyond which a user agent ignores the attribute (RFC 6265bis 5.6).
pub const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Removes leading and trailing space and tab, and nothing else.
///
/// `str::trim` would also take Unicode white space, behind which a `__Host-` prefix can hide from
/// the user agent and reappear at an origin that trims it.
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let rest = trim_start(bytes);
    match rest {
        [.., last] if *last > b' ' => rest,
        _ => rest.iter().rposition(|&b| !is_blank(b)).map_or(b"", |last| &rest[..=last]),
    }
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    // What is read most is what needs no trimming, and what stands behind a semicolon and a space.
    match bytes {
        [first, ..] if *first > b' ' => bytes,
        [b' ', second, ..] if *second > b' ' => &bytes[1..],
        _ => bytes.iter().position(|&b| !is_blank(b)).map_or(b"", |first| &bytes[first..]),
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether `bytes` hold a control character other than tab, for which a user agent ignores the
/// whole set-cookie-string (RFC 6265bis 5.6, step 1).
#[must_use]
pub fn has_control(bytes: &[u8]) -> bool {
    let is_control = |b: u8| (b < 0x20 && b != b'\t') || b == 0x7f;
    holds(bytes, control_or_tab) && bytes.iter().any(|&b| is_control(b))
}

/// Not zero for a control character, tab among them.
fn control_or_tab(byte: u8) -> u8 {
    0x20u8.saturating_sub(byte) | if byte == 0x7f { 0xff } else { 0 }
}

/// Whether `mark` is not zero for one of `bytes`.
fn holds(bytes: &[u8], mark: impl Fn(u8) -> u8) -> bool {
    let Some(last) = bytes.last_chunk::<16>() else { return bytes.iter().any(|&b| mark(b) != 0) };
    // Blocks without an early exit become vector instructions; the last may overlap the one before.
    let mut found = [0; 16];
    for block in bytes.as_chunks::<16>().0.iter().chain([last]) {
        for (found, &byte) in found.iter_mut().zip(block) {
            *found |= mark(byte);
        }
    }
    u128::from_le_bytes(found) != 0
}

/// Splits at the first `=`; the second half is `None` where there is none. Names are so short that
/// a plain loop beats a vector search.
fn split_at_equals(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|&b| b == b'=') {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
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
