//! Decompression of `lz-string`, the library with which Axeptio shortens its cookie.
//!
//! A code of growing width stands for a new character or for a piece of the text before it. The
//! format has no bound of its own, and a few KiB can stand for megabytes; so the text is bounded here,
//! which is why no crate does this.

use std::ops::Range;

/// The characters that a value may stand for: several times what a cookie could hold.
const MAX_CHARACTERS: usize = 32 * 1024;

/// The text that `value` stands for, compressed into the alphabet for addresses or into base64.
pub(super) fn decompress(value: &[u8]) -> Option<String> {
    let mut text = Text::default();
    let mut input = Input { value, at: 0 };
    let mut last = match input.number(2)? {
        NARROW => text.push(input.number(8)?),
        WIDE => text.push(input.number(16)?),
        END => return Some(String::new()),
        _ => return None,
    };
    text.entries.push(last.clone());
    // The table of the reference implementation: three instructions and the first character.
    let mut widths = Widths { width: 3, left: 4 };
    loop {
        let entry = match input.number(widths.width)? {
            code @ (NARROW | WIDE) => {
                let entry = text.push(input.number(if code == NARROW { 8 } else { 16 })?);
                text.entries.push(entry.clone());
                widths.count();
                entry
            }
            END => return String::from_utf16(&text.characters).ok(),
            code => text.repeat(usize::from(code - FIRST_ENTRY), &last)?,
        };
        // What comes next to `last` in the text follows it in the table as well.
        text.entries.push(last.start..last.end + 1);
        widths.count();
        last = entry;
    }
}

/// Instructions, and the code of the first entry behind them.
const NARROW: u16 = 0;
const WIDE: u16 = 1;
const END: u16 = 2;
const FIRST_ENTRY: u16 = 3;

/// What has been read, and the pieces of it that codes stand for.
#[derive(Default)]
struct Text {
    characters: Vec<u16>,
    entries: Vec<Range<usize>>,
}

impl Text {
    fn push(&mut self, character: u16) -> Range<usize> {
        self.characters.push(character);
        self.characters.len() - 1..self.characters.len()
    }

    /// Appends entry `index`; the one that is about to be made is `last` and its own first character.
    fn repeat(&mut self, index: usize, last: &Range<usize>) -> Option<Range<usize>> {
        let start = self.characters.len();
        let piece = match self.entries.get(index) {
            Some(entry) => entry.clone(),
            None if index == self.entries.len() => last.clone(),
            None => return None,
        };
        let is_new = index == self.entries.len();
        if start + piece.len() >= MAX_CHARACTERS {
            return None;
        }
        self.characters.extend_from_within(piece.clone());
        if is_new {
            self.characters.push(self.characters[piece.start]);
        }
        Some(start..self.characters.len())
    }
}

/// How wide the next code is: a bit more each time the table has doubled.
struct Widths {
    width: u32,
    left: u32,
}

impl Widths {
    fn count(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.left = 1 << self.width;
            self.width += 1;
        }
    }
}

/// Reads numbers, least significant bit first, out of six bits in each symbol.
struct Input<'v> {
    value: &'v [u8],
    at: usize,
}

impl Input<'_> {
    /// `None` past the end, and for a code too wide for any cookie to need it.
    fn number(&mut self, width: u32) -> Option<u16> {
        let mut number = 0;
        for place in 0..width {
            let symbol = sextet(*self.value.get(self.at / 6)?)?;
            let bit = u16::from(symbol >> (5 - self.at % 6) & 1);
            number |= bit.checked_shl(place)?;
            self.at += 1;
        }
        Some(number)
    }
}

fn sextet(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'+' => Some(62),
        b'-' | b'/' => Some(63),
        b'$' | b'=' => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compressed by other implementations of the format.
    #[test]
    fn what_others_have_compressed() {
        let vendors: String = (0..40).map(|i| format!("\"vendor_{i}\":{},", i % 3 != 0)).collect();
        let long = format!("{{{}}}", vendors.trim_end_matches(','));
        for (value, text) in [
            ("Q", ""),
            ("IZA", "a"),
            ("IY1-kA", "aaaaaaaaaaaaaaaaaaaa"),
            ("JeGoJsEMSA", "é€ééa€"),
            (
                "N4IgtghgLg9mMgFxQE4FcCmAaEASXAxnAA4A2GUGAJkqpgL5A",
                r#"{"matomo":true,"$$completed":true}"#,
            ),
            (
                "N4IgbgpgdgJg9gJwPoAYQC4BmBDANgZwgBpxp5kBGDAFwQFdjTZEkAmG+xyZ5AZgxwEuZFgBYODEt3JIArBOE8kANgF5CUkcgDsCzUoAcepjICcaofpkU06WpJMsKVO5ytP2WdYuv9XD6Sdxfx8neS9LR0pVEPdKXViopAojCI0kinNEwORWW3tQ3JdBdJy2TwK4tj9KpNZgksK2cNqy1hjWrTYExqrWVM6lVizBmV5bXqTeF1GWXgq3Kb9Jst5g2b4WxdWYla7eBI2kXgHt-azGgF8gA",
                &long,
            ),
            (
                "N4IgtghgLg9mMgFxQE4FcCmAaEASXAxnAA4A2GUGAJkqpgL5A===",
                r#"{"matomo":true,"$$completed":true}"#,
            ),
        ] {
            assert_eq!(decompress(value.as_bytes()).as_deref(), Some(text), "{value}");
        }
    }

    #[test]
    fn what_is_cut_or_no_code_is_nothing() {
        for broken in ["", "N", "N4IgJGAuD2DWCmA7EAuEkQBpxgCYENJ5UQAmABlID", "//////", "%", "é"] {
            assert_eq!(decompress(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn the_text_is_bounded() {
        // Forty thousand times the same letter.
        let value = "IY18ZXTt-DFOS1b0c17Pd-wYUcSaWeRZVdTbXfQ408y62+x519z73-wMFDhI0WPETJU6TNlz5CxUuUrVa9Rs1btO3Xv0HDR4ydNnzFy1es3bd+w8dPnL12-cfPX7z99--AYFBwSGhYeERkVHRMbFx8QmJSckpqWnpGZlZ2Tm5efkFhUXFJaVl5RWVVdU1tXX1DY1NzS2tbe0dnV3dPb19-QODQ8Mjo2PjE5NT0zOzc-MLi0vLK6tr6xubW9s7u3v7B4dHxyenZ+cXl1fXN7d39w+PT88vr2-vH59f3z+-f-8AwFA4Eg0Fg8EQyFQ6Ew2Fw+EIxFI5Eo1Fo9EYzFY7E44xAA";
        assert_eq!(decompress(value.as_bytes()), None);
    }
}
