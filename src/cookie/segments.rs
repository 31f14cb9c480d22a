//! What stands between semicolons, which is how both kinds of cookie header are cut.

use super::control_or_tab;

/// Walks the segments of a field value; there is always one, which may be empty.
///
/// Every byte is looked at once, 64 together and in vector instructions: segments are so short that
/// searching for each end costs more.
#[derive(Clone, Debug)]
pub(super) struct Segments<'a> {
    line: &'a [u8],
    /// Where the next segment begins.
    start: usize,
    /// Where the last window begins, and the one after it.
    window: usize,
    beyond: usize,
    /// A bit for each semicolon of the last window that is still ahead, and for the line's end.
    ahead: u64,
    is_plain: bool,
}

impl<'a> Segments<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { line, start: 0, window: 0, beyond: 0, ahead: 0, is_plain: true }
    }

    /// Whether neither a control character nor a tab has been seen; all of the line has been when
    /// the last segment has.
    pub(super) fn are_plain(&self) -> bool {
        self.is_plain
    }

    /// Looks at the next window, where `rest` begins.
    #[inline(never)]
    fn look(&mut self, rest: &'a [u8]) {
        let seen = match (rest.first_chunk::<SIZE>(), self.line.last_chunk::<SIZE>()) {
            (Some(window), _) => Seen::of(window.as_chunks().0),
            // Moved back over what has been seen, rather than copied.
            (None, Some(last)) => Seen::of(last.as_chunks().0).behind(SIZE - rest.len()),
            (None, None) => {
                let mut window = [b'a'; SIZE];
                window[..rest.len()].copy_from_slice(rest);
                Seen::of(&window.as_chunks().0[..rest.len().div_ceil(16)])
            }
        };
        let end = if rest.len() < SIZE { 1 << rest.len() } else { 0 };
        (self.ahead, self.window) = (seen.semicolons | end, self.beyond);
        self.is_plain &= seen.is_plain;
        self.beyond += SIZE;
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        while self.ahead == 0 {
            self.look(self.line.get(self.beyond..)?);
        }
        let end = self.window + self.ahead.trailing_zeros() as usize;
        self.ahead &= self.ahead - 1;
        let segment = self.line.get(self.start..end)?;
        self.start = end + 1;
        Some(segment)
    }
}

const SIZE: usize = 64;

/// What is found in a window of at most 64 bytes.
struct Seen {
    /// A bit for each semicolon.
    semicolons: u64,
    /// Whether there is neither a control character nor a tab.
    is_plain: bool,
}

impl Seen {
    /// Not in line, where the number of blocks would be known and each byte handled by itself.
    #[inline(never)]
    fn of(blocks: &[[u8; 16]]) -> Self {
        let (mut found, mut odd) = ([0u8; 16], [0; 16]);
        // Two bits to a block, the first block's last, so that the halves fit between each other.
        for block in blocks.iter().rev() {
            for ((found, odd), &byte) in found.iter_mut().zip(&mut odd).zip(block) {
                *found = *found << 2 | u8::from(byte == b';');
                *odd |= control_or_tab(byte);
            }
        }
        let [even, uneven] = halves(u128::from_le_bytes(found));
        Self { semicolons: transposed(even | uneven << 1), is_plain: u128::from_le_bytes(odd) == 0 }
    }

    /// Without the first bytes, fewer than 64 or all.
    fn behind(self, bytes: usize) -> Self {
        let semicolons =
            u32::try_from(bytes).ok().and_then(|bits| self.semicolons.checked_shr(bits));
        Self { semicolons: semicolons.unwrap_or_default(), ..self }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn halves(word: u128) -> [u64; 2] {
    [word as u64, (word >> 64) as u64]
}

/// Eight rows of eight bits, turned into columns.
fn transposed(mut bits: u64) -> u64 {
    // Squares of one bit change places across the diagonal, then of two and of four.
    for (distance, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0xf0f0_f0f0)]
    {
        let differing = (bits ^ bits >> distance) & mask;
        bits ^= differing ^ differing << distance;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Semicolons often, and what differs from them, and from control characters, by a bit or by one.
    fn byte() -> impl Strategy<Value = u8> {
        let control = [0, b'\t', 0x1f, b' ', 0x7e, 0x7f, 0x80, 0xff].as_slice();
        prop_oneof![
            any::<u8>(),
            any::<u8>(),
            Just(b';'),
            b':'..=b'<',
            Just(b';' | 0x80),
            select(control)
        ]
    }

    proptest! {
        #[test]
        fn cuts_as_splitting_does(line in prop::collection::vec(byte(), 0..200)) {
            let mut segments = Segments::of(&line);
            let cut: Vec<_> = segments.by_ref().collect();
            let split: Vec<_> = line.split(|&b| b == b';').collect();
            prop_assert_eq!(cut, split);
            let is_plain = |b: &u8| *b >= 0x20 && *b != 0x7f;
            prop_assert_eq!(segments.are_plain(), line.iter().all(is_plain));
        }
    }
}
