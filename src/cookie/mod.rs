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

/// The first eight bytes of `text`, the first one lowest; zero where it has fewer.
#[inline]
const fn word(text: &[u8]) -> u64 {
    match (text.first_chunk(), text.first_chunk(), text.last_chunk()) {
        (Some(word), ..) => u64::from_le_bytes(*word),
        // Some bytes twice, rather than one by one.
        (None, Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            first as u64 | (last as u64) << (8 * (text.len() - 4))
        }
        _ => match *text {
            [a, b, c] => u32::from_le_bytes([a, b, c, 0]) as u64,
            [a, b] => u16::from_le_bytes([a, b]) as u64,
            [a] => a as u64,
            _ => 0,
        },
    }
}

/// [`word`] with letters in lower case. Of two texts of the same length, one of which has no other
/// bytes than letters and hyphens and neither control characters, words are equal if the bytes
/// differ in case alone.
#[inline]
const fn folded(text: &[u8]) -> u64 {
    // Setting bit 5 folds the case of letters; only control characters become hyphens by it.
    word(text) | 0x2020_2020_2020_2020
}

/// Whether one of the bytes of `word` is `byte`.
#[inline]
fn word_holds(word: u64, byte: u8) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    let differing = word ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing & (ONES << 7) != 0
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

    #[test]
    fn words() {
        for text in ["", "a", "ab", "abc", "abcd", "abcde", "abcdefg", "abcdefgh", "abcdefghi"] {
            let mut bytes = [0; 8];
            let len = text.len().min(8);
            bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
            assert_eq!(word(text.as_bytes()), u64::from_le_bytes(bytes), "{text}");
            assert_eq!(folded(text.to_uppercase().as_bytes()), folded(text.as_bytes()), "{text}");
            for byte in 1..=255 {
                let expected = bytes.contains(&byte);
                assert_eq!(word_holds(word(text.as_bytes()), byte), expected, "{text} {byte}");
            }
        }
        assert_ne!(folded(b"max_age"), folded(b"max-age"));
    }
}
