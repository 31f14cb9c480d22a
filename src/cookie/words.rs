//! Eight bytes at a time in a general register: for what is too short for vector instructions.

/// The lowest bit of each byte of a word.
const ONES: u64 = u64::MAX / 0xff;

/// The highest bit of each byte of a word.
pub(super) const HIGH: u64 = ONES << 7;

/// The first eight bytes of `text`, the first one lowest; zero where it has fewer.
#[inline]
pub(crate) const fn word(text: &[u8]) -> u64 {
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
pub(super) const fn folded(text: &[u8]) -> u64 {
    // Setting bit 5 folds the case of letters; only control characters become hyphens by it.
    word(text) | 0x2020_2020_2020_2020
}

/// Whether one of the bytes of `word` is `byte`.
#[inline]
pub(super) fn word_holds(word: u64, byte: u8) -> bool {
    let differing = word ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing & HIGH != 0
}

#[cfg(test)]
mod tests {
    use super::*;

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
