//! What stands between semicolons, which is how both kinds of cookie header are cut.

use std::mem;
use std::num::NonZero;

use wide::u8x16;

/// Walks the segments of a field value; there is always one, which may be empty.
///
/// The bytes are looked at in vector instructions, windows of them at a time: segments are so short that
/// searching for each end costs more.
#[derive(Clone, Debug)]
pub(super) struct Segments<'a> {
    line: &'a [u8],
    /// Where the next segment begins.
    start: usize,
    /// The first equals sign of the segment, if it has been seen in an earlier window.
    equals: Option<usize>,
    /// Where the last window begins, and the one after it.
    window: usize,
    beyond: usize,
    /// What is still ahead in the last window; the line's end counts as a semicolon.
    ahead: Marks,
    is_plain: bool,
}

/// What stands between two semicolons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where it begins in the line.
    pub(super) start: usize,
    /// Where its first equals sign stands; at its end, if it has none.
    pub(super) equals: usize,
    /// Where it ends.
    pub(super) end: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self {
            line,
            start: 0,
            equals: None,
            window: 0,
            beyond: 0,
            ahead: Marks::default(),
            is_plain: true,
        }
    }

    /// Whether nothing but printable US-ASCII without quotes has been seen, in what has been walked and
    /// perhaps a little beyond.
    pub(super) fn are_plain(&self) -> bool {
        self.is_plain
    }

    /// Looks at the next window; `None` behind the line's end.
    #[inline(always)]
    fn look(&mut self) -> Option<()> {
        let rest = self.line.get(self.beyond..)?;
        if self.equals.is_none() {
            self.equals = NonZero::new(self.ahead.equals).map(|ahead| self.place(ahead));
        }
        let seen = match (rest.first_chunk::<SIZE>(), self.line.last_chunk::<SIZE>()) {
            (Some(window), _) => Scan::of(window),
            // Moved back over what has been seen, rather than copied.
            (None, Some(last)) => Scan::of(last).behind(SIZE - rest.len()),
            (None, None) => Scan::of_short(rest),
        };
        (self.ahead, self.window) = (seen.marks, self.beyond);
        self.is_plain &= seen.is_plain;
        self.beyond += SIZE;
        Some(())
    }

    /// Where the first of these marks stands.
    #[inline]
    fn place(&self, marks: NonZero<u64>) -> usize {
        self.window + marks.trailing_zeros() as usize
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    /// In line, for what it remembers to stay in registers.
    #[inline(always)]
    fn next(&mut self) -> Option<Segment> {
        let semicolons = loop {
            match NonZero::new(self.ahead.semicolons) {
                Some(semicolons) => break semicolons,
                None => self.look()?,
            }
        };
        let end = self.place(semicolons);
        // All bits below the first semicolon's.
        let before = (semicolons.get() - 1) & !semicolons.get();
        let equals = self.equals.take().unwrap_or_else(|| {
            NonZero::new(self.ahead.equals & before).map_or(end, |equals| self.place(equals))
        });
        self.ahead.semicolons &= semicolons.get() - 1;
        self.ahead.equals &= !before;
        let start = mem::replace(&mut self.start, end + 1);
        Some(Segment { start, equals, end })
    }
}

/// Bytes of a window, one for each bit of the marks.
const SIZE: usize = 64;

/// Bytes of a vector.
const BLOCK: usize = 16;

/// A bit for each semicolon and for each equals sign of a window.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    semicolons: u64,
    equals: u64,
}

/// What is found in a window.
struct Scan {
    marks: Marks,
    /// Whether there is nothing but printable US-ASCII without quotes.
    is_plain: bool,
}

impl Scan {
    /// Of a window, or of a line that fills none and at least one block. Blocks may overlap at its end:
    /// what is found twice is found at one place.
    #[inline(always)]
    fn of(text: &[u8]) -> Self {
        let last = text.len().saturating_sub(BLOCK);
        let mut marks = Marks::default();
        let (mut least, mut greatest) = (u8x16::splat(0xff), u8x16::default());
        let mut quotes = u8x16::default();
        for at in [0, 16, 32, 48].map(|at: usize| at.min(last)) {
            let Some(block) = text[at..].first_chunk() else { break };
            let block = u8x16::new(*block);
            let those = |byte| block.simd_eq(u8x16::splat(byte));
            let place = |those: u8x16| u64::from(those.to_bitmask()) << at;
            marks.semicolons |= place(those(b';'));
            marks.equals |= place(those(b'='));
            quotes |= those(b'"');
            (least, greatest) = (least.min(block), greatest.max(block));
        }
        let printable = least.max(u8x16::splat(b' ')).simd_eq(least)
            & greatest.min(u8x16::splat(b'~')).simd_eq(greatest);
        Self { marks, is_plain: (printable & !quotes).to_bitmask() == 0xffff }
    }

    /// Of a line that fills no window. Its end counts as a semicolon.
    #[inline(never)]
    fn of_short(line: &[u8]) -> Self {
        let mut padded = [b'a'; BLOCK];
        let mut seen = match padded.get_mut(..line.len()) {
            Some(start) => {
                start.copy_from_slice(line);
                Self::of(&padded)
            }
            None => Self::of(line),
        };
        seen.marks.semicolons |= 1 << line.len();
        seen
    }

    /// Of the last window of a line without the `seen` bytes that it shares with the one before it.
    #[inline]
    fn behind(self, seen: usize) -> Self {
        let Marks { semicolons, equals } = self.marks;
        // All of them, where the line ended with the window before.
        let shifted = |marks: u64| marks.checked_shr(seen as u32).unwrap_or(0);
        let end = 1 << (SIZE - seen);
        let marks = Marks { semicolons: shifted(semicolons) | end, equals: shifted(equals) };
        Self { marks, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Semicolons often, and what differs from them, and from control characters, by a bit or by one.
    fn byte() -> impl Strategy<Value = u8> {
        let odd = [0, b'\t', 0x1f, b' ', b'!', b'"', 0x7e, 0x7f, 0x80, 0xff].as_slice();
        prop_oneof![
            any::<u8>(),
            any::<u8>(),
            Just(b';'),
            b':'..=b'>',
            Just(b';' | 0x80),
            select(odd)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn cuts_as_splitting_does(line in prop::collection::vec(byte(), 0..260)) {
            let mut segments = Segments::of(&line);
            let cut: Vec<_> = segments.by_ref().collect();
            let mut start = 0;
            let split: Vec<_> = line.split(|&b| b == b';').map(|segment| {
                let equals = segment.iter().position(|&b| b == b'=').unwrap_or(segment.len());
                let found = Segment { start, equals: start + equals, end: start + segment.len() };
                start += segment.len() + 1;
                found
            }).collect();
            prop_assert_eq!(cut, split);
            let is_plain = |b: &u8| (b' '..=b'~').contains(b) && *b != b'"';
            prop_assert_eq!(segments.are_plain(), line.iter().all(is_plain));
        }
    }
}
