//! The cookie-string of a request, pair by pair.

use super::segments::{Segment, Segments};
use super::{has_control, trim, unspaced};

/// One cookie-pair of a cookie-string.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Pair<'a> {
    /// The cookie-name; empty for a nameless cookie (`=value` or a bare `value`).
    pub name: &'a [u8],
    /// The cookie-value, which may itself hold `=`.
    pub value: &'a [u8],
    /// The pair as it stands, without the white space around it.
    pub raw: &'a [u8],
    /// Whether it certainly holds neither control character, tab nor quote.
    is_plain: bool,
}

/// Walks a cookie-string without allocating: `;` first, the first `=` second, no quoting.
///
/// User agents write `a=1; b=2` (RFC 6265bis 5.8.1); origins that honour quotes or commas disagree
/// with them and with each other, so neither is honoured here. Segments of white space alone are
/// passed over, except by the caps, which count separators.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    line: &'a [u8],
    segments: Segments<'a>,
    seen: usize,
}

impl<'a> Pairs<'a> {
    /// The pairs of `cookie_string`, the value of one `Cookie` field.
    #[must_use]
    pub fn of(cookie_string: &'a [u8]) -> Self {
        Self { line: cookie_string, segments: Segments::of(cookie_string), seen: 0 }
    }

    /// How many segments have been walked, those of white space too.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        while let Some(Segment { start, equals, end }) = self.segments.next() {
            self.seen += 1;
            let raw = trim(unspaced(&self.line[start..end]));
            if raw.is_empty() {
                continue;
            }
            let (name, value) = match self.line.get(equals + 1..end) {
                Some(value) => (trim(unspaced(&self.line[start..equals])), trim(value)),
                None => (&[][..], raw),
            };
            return Some(Pair { name, value, raw, is_plain: self.segments.are_plain() });
        }
        None
    }
}

impl PartialEq for Pair<'_> {
    /// What is known of a pair beforehand, by where it stood, makes it no other.
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.value, self.raw) == (other.name, other.value, other.raw)
    }
}

impl<'a> Pair<'a> {
    /// A pair that has been cut already, and by itself.
    #[must_use]
    pub fn new(name: &'a [u8], value: &'a [u8], raw: &'a [u8]) -> Self {
        Self { name, value, raw, is_plain: false }
    }

    /// Whether it holds a control character other than tab.
    #[must_use]
    pub fn has_control(&self) -> bool {
        !self.is_plain && has_control(self.raw)
    }

    /// Whether an origin that honours quotes may read past this pair's end, or stop before it.
    ///
    /// A quote opened here and closed in a later pair swallows what stands between them (the
    /// "cookie sandwich"). Quotes in pairs, as in a raw JSON value, harm nobody.
    #[must_use]
    pub fn has_open_quote(&self) -> bool {
        if self.is_plain {
            return false;
        }
        let quotes = memchr::memchr_iter(b'"', self.value).count();
        quotes % 2 == 1 || (self.value.starts_with(b"\"") && !self.value.ends_with(b"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, &str)> {
        let text_of = |bytes| std::str::from_utf8(bytes).expect("UTF-8 in tests");
        Pairs::of(text.as_bytes()).map(|p| (text_of(p.name), text_of(p.value))).collect()
    }

    #[test]
    fn splits_on_semicolon_and_the_first_equals_sign() {
        assert_eq!(read("a=1; b=2"), [("a", "1"), ("b", "2")]);
        assert_eq!(read("x; tracker=1"), [("", "x"), ("tracker", "1")]);
        assert_eq!(read("=a=b"), [("", "a=b")]);
        assert_eq!(read("t=!a=true!b=false"), [("t", "!a=true!b=false")]);
        assert_eq!(read(" ; ;a=1;;"), [("a", "1")]);
        assert_eq!(read("a = 1\t;b="), [("a", "1"), ("b", "")]);
        assert_eq!(read("a=1,b=2"), [("a", "1,b=2")]);
        assert_eq!(read("a=\"x; b=y\""), [("a", "\"x"), ("b", "y\"")]);
        assert_eq!(read(""), []);
        assert_eq!(read("="), [("", "")]);
    }

    #[test]
    fn open_quotes() {
        let open = |value: &'static str| Pair::new(b"a", value.as_bytes(), b"").has_open_quote();
        assert!(open("\""));
        assert!(open("\"x"));
        assert!(open("x\""));
        assert!(open("\"x\"y"));
        assert!(!open("\"x\""));
        assert!(!open("{\"a\":true,\"b\":[\"c\"]}"));
        assert!(!open("plain"));
        assert!(!open(""));
    }
}
