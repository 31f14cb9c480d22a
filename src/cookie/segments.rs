//! What stands between semicolons, which is how both kinds of cookie header are cut.

/// Walks the segments of a field value; there is always one, which may be empty.
#[derive(Clone, Debug)]
pub(super) struct Segments<'a> {
    /// What has not been walked; `None` once the last segment has been seen.
    rest: Option<&'a [u8]>,
}

impl<'a> Segments<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = semicolon(rest);
        self.rest = rest.get(end + 1..);
        Some(&rest[..end])
    }
}

/// Where the first `;` stands, or the end. Eight bytes are looked at together: segments are so short
/// that a call of the vector search costs more than it saves.
fn semicolon(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let zero_where_equal = u64::from_le_bytes(*word) ^ (ONES * b';' as u64);
        // The high bit of each zero byte; a borrow can set more, but only above the first.
        let found = zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & (ONES << 7);
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().position(|&b| b == b';').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Semicolons often, and often the bytes beside them, which a borrow could reach.
    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![any::<u8>(), Just(b';'), b':'..=b'<', Just(b';' | 0x80)]
    }

    proptest! {
        #[test]
        fn cuts_as_splitting_does(line in prop::collection::vec(byte(), 0..40)) {
            let segments: Vec<_> = Segments::of(&line).collect();
            let split: Vec<_> = line.split(|&b| b == b';').collect();
            prop_assert_eq!(segments, split);
        }
    }
}
