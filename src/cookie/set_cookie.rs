//! One set-cookie-string as a borrowed view (RFC 6265bis 5.6).

use std::mem;
use std::ops::Range;

use super::segments::{Segment, Segments};
use super::words::folded;
use super::{MAX_ATTRIBUTE_BYTES, MAX_PAIR_BYTES, date, has_control, trim, unspaced};

/// How long past an `Expires` must be to count as a deletion on any clock: 30 days.
const LONG_PAST_SECONDS: i64 = 30 * 86_400;

/// Why a user agent ignores a whole set-cookie-string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It holds a control character other than tab (5.6, step 1).
    Control,
    /// Name plus value exceed [`MAX_PAIR_BYTES`] (5.6, step 5).
    Oversized,
}

/// The `SameSite` attribute's enforcement (RFC 6265bis 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Absent, or a value that user agents do not know.
    #[default]
    Default,
    /// Only same-site requests.
    Strict,
    /// Same-site requests and top-level navigations.
    Lax,
    /// Every request; user agents then demand `Secure`.
    None,
}

impl SameSite {
    /// The enforcement that `value` names, whatever its case.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        const STRICT: u64 = folded(b"strict");
        const LAX: u64 = folded(b"lax");
        const NONE: u64 = folded(b"none");
        match (value.len(), folded(value)) {
            (6, STRICT) => Self::Strict,
            (3, LAX) => Self::Lax,
            (4, NONE) => Self::None,
            _ => Self::Default,
        }
    }

    /// The attribute value as it is usually written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// How long a user agent keeps a cookie, counted from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the user agent's session ends.
    Session,
    /// This many seconds; zero or less deletes the cookie.
    Seconds(i64),
}

impl Lifetime {
    /// Whether the user agent removes the cookie at once.
    #[must_use]
    pub fn is_deletion(self) -> bool {
        matches!(self, Self::Seconds(..=0))
    }
}

/// A set-cookie-string with the attributes that take effect: of each name, the last that the user
/// agent does not ignore.
#[derive(Clone, Debug)]
pub struct SetCookie<'a> {
    /// The cookie-name; empty for a nameless cookie.
    pub name: &'a [u8],
    /// The cookie-value.
    pub value: &'a [u8],
    /// `Domain`, without its leading dot.
    pub domain: Option<&'a [u8]>,
    /// `Path` as written; one that does not begin with `/` means the default path.
    pub path: Option<&'a [u8]>,
    /// `Max-Age` in seconds, saturated.
    pub max_age: Option<i64>,
    /// The last `Expires` as written; its date is read only when it is needed.
    pub expires: Option<&'a [u8]>,
    /// How many `Max-Age` stand there, readable or not, as far as a byte counts.
    pub(super) max_ages: u8,
    /// How many `Expires` stand there, readable or not, likewise.
    pub(super) all_expires: u8,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Partitioned`.
    pub partitioned: bool,
    /// `SameSite`.
    pub same_site: SameSite,
    pub(super) line: &'a [u8],
}

impl<'a> SetCookie<'a> {
    /// Reads `line`, the value of one `Set-Cookie` field.
    ///
    /// # Errors
    ///
    /// [`Malformed`], where a user agent ignores the line whatever its attributes say.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut segments = Segments::of(line);
        let mut cookie = Self {
            name: b"",
            value: b"",
            domain: None,
            path: None,
            max_age: None,
            expires: None,
            max_ages: 0,
            all_expires: 0,
            secure: false,
            http_only: false,
            partitioned: false,
            same_site: SameSite::Default,
            line,
        };
        let mut is_pair = true;
        // Not a loop of two halves: the cut is taken in line here, once.
        for segment in segments.by_ref() {
            if mem::take(&mut is_pair) {
                (cookie.name, cookie.value) = name_and_value(line, segment);
            } else {
                cookie.receive(segment);
            }
        }
        if !segments.are_plain() && has_control(line) {
            return Err(Malformed::Control);
        }
        if cookie.name.len() + cookie.value.len() > MAX_PAIR_BYTES {
            return Err(Malformed::Oversized);
        }
        Ok(cookie)
    }

    /// The cookie-name of `line` even where the line as a whole is malformed, for the record.
    #[must_use]
    pub fn name_of(line: &'a [u8]) -> &'a [u8] {
        name_and_value(line, pair(line)).0
    }

    /// The line as it came.
    #[must_use]
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// Every cookie-av in order, the ignored and unknown ones too.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        let mut segments = Segments::of(self.line);
        segments.next();
        Attributes { line: self.line, segments }
    }

    /// How long the cookie asks to be kept: `Max-Age` wins over `Expires` (RFC 6265bis 5.7, step
    /// 6). `now` is in Unix seconds. User agents grant at most 400 days of it.
    #[must_use]
    pub fn lifetime(&self, now: i64) -> Lifetime {
        let seconds = match self.max_age {
            Some(max_age) => Some(max_age),
            None => self.expiry().map(|date| date.saturating_sub(now)),
        };
        seconds.map_or(Lifetime::Session, Lifetime::Seconds)
    }

    /// Whether a `Max-Age` or an `Expires` stands there, readable or not.
    #[must_use]
    pub fn names_lifetime(&self) -> bool {
        self.max_ages > 0 || self.all_expires > 0
    }

    /// Whether user agents in the field may keep the cookie for longer than [`Self::lifetime`] says.
    ///
    /// Of several `Max-Age`, or several `Expires`, some take the last even where it cannot be read,
    /// and then fall back to the other attribute or to the session. A date on which the lifetime
    /// hangs must be one that they read alike.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        let unreadable_age = self.max_ages > 0 && self.max_age.is_none();
        let date = self.expires.filter(|_| self.max_ages == 0);
        let odd_date = date.is_some_and(|date| !date::is_plain(date));
        self.max_ages > 1 || self.all_expires > 1 || unreadable_age || odd_date
    }

    /// Whether every user agent removes the cookie at once: by a `Max-Age` that is the only one, or
    /// by a date so long past that neither a slow clock nor a `Date` field brings it back.
    #[must_use]
    pub fn is_plain_deletion(&self, now: i64) -> bool {
        let latest = match self.max_age {
            Some(_) => 0,
            None => -LONG_PAST_SECONDS,
        };
        !self.is_ambiguous()
            && matches!(self.lifetime(now), Lifetime::Seconds(seconds) if seconds <= latest)
    }

    /// Where the value stands in the line.
    pub(super) fn value_span(&self) -> Range<usize> {
        let Segment { start, equals, end } = pair(self.line);
        let start = if equals < end { equals + 1 } else { start };
        let raw = &self.line[start..end];
        let blank = raw.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let start = start + if self.value.is_empty() { 0 } else { blank };
        start..start + self.value.len()
    }

    /// The date of the last `Expires` that a user agent can read, in Unix seconds.
    fn expiry(&self) -> Option<i64> {
        date::parse(self.expires?).or_else(|| {
            self.attributes()
                .filter(|attribute| attribute.is(b"Expires") && !attribute.is_ignored())
                .filter_map(|attribute| date::parse(attribute.value))
                .last()
        })
    }

    /// Takes note of what stands between two semicolons. The length of the name leaves at most two to
    /// compare, in one word, and nothing is searched: every line of every response comes through here.
    #[inline]
    fn receive(&mut self, segment: Segment) {
        const PATH: u64 = folded(b"path");
        const SECURE: u64 = folded(b"secure");
        const DOMAIN: u64 = folded(b"domain");
        const MAX_AGE: u64 = folded(b"max-age");
        const EXPIRES: u64 = folded(b"expires");
        const HTTP_ONLY: u64 = folded(b"httponly");
        const SAME_SITE: u64 = folded(b"samesite");
        const PARTITIONED: u64 = folded(b"partitioned");
        let (name, value) = name_and_attribute_value(self.line, segment);
        if value.len() > MAX_ATTRIBUTE_BYTES {
            return;
        }
        match (name.len(), folded(name)) {
            (4, PATH) => self.path = Some(value),
            (6, SECURE) => self.secure = true,
            (6, DOMAIN) => self.domain = Some(value.strip_prefix(b".").unwrap_or(value)),
            (7, MAX_AGE) => {
                self.max_ages = self.max_ages.saturating_add(1);
                self.max_age = max_age(value).or(self.max_age);
            }
            (7, EXPIRES) => {
                self.all_expires = self.all_expires.saturating_add(1);
                self.expires = Some(value);
            }
            (8, HTTP_ONLY) => self.http_only = true,
            (8, SAME_SITE) => self.same_site = SameSite::of(value),
            (11, PARTITIONED) => self.partitioned |= name.eq_ignore_ascii_case(b"partitioned"),
            _ => {}
        }
    }
}

/// One cookie-av.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The attribute-name, in the case it came.
    pub name: &'a [u8],
    /// The attribute-value; empty where there is none.
    pub value: &'a [u8],
    /// From its semicolon up to the next one, or the end of the line.
    pub(super) span: Range<usize>,
}

impl Attribute<'_> {
    /// Whether this is the attribute `name`, whatever the case.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether a user agent passes over it for its length.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.value.len() > MAX_ATTRIBUTE_BYTES
    }
}

/// The attributes of a set-cookie-string, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    line: &'a [u8],
    segments: Segments<'a>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let segment = self.segments.next()?;
        let (name, value) = name_and_attribute_value(self.line, segment);
        Some(Attribute { name, value, span: segment.start - 1..segment.end })
    }
}

/// The name-value-pair: what stands before the first semicolon.
fn pair(line: &[u8]) -> Segment {
    Segments::of(line).next().unwrap_or_default()
}

/// The cookie-name and cookie-value; without an equals sign, all is value (RFC 6265bis 5.6, step 3).
#[inline]
fn name_and_value(line: &[u8], Segment { start, equals, end }: Segment) -> (&[u8], &[u8]) {
    match line.get(equals + 1..end) {
        Some(value) => (trim(&line[start..equals]), trim(value)),
        None => (b"", trim(&line[start..end])),
    }
}

/// The attribute-name and attribute-value; without an equals sign, all is name (5.6, step 6).
#[inline]
fn name_and_attribute_value(
    line: &[u8],
    Segment { start, equals, end }: Segment,
) -> (&[u8], &[u8]) {
    let value = line.get(equals + 1..end).unwrap_or_default();
    (trim(unspaced(&line[start..equals])), trim(value))
}

/// The Max-Age attribute's value (RFC 6265bis 5.6.2); `None` where a user agent ignores it.
fn max_age(value: &[u8]) -> Option<i64> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = match digits.len() {
        ..=18 => digits.iter().fold(0, |seconds, digit| seconds * 10 + i64::from(digit - b'0')),
        _ => digits.iter().fold(0i64, |seconds, digit| {
            seconds.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        }),
    };
    Some(if negative { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> SetCookie<'_> {
        SetCookie::parse(line.as_bytes()).expect("a readable line")
    }

    #[test]
    fn names_and_values() {
        let cases: &[(&str, &str, &str)] = &[
            ("a=1", "a", "1"),
            ("a=1=2; Path=/", "a", "1=2"),
            (" \ta\t = 1 \t; Path=/", "a", "1"),
            ("token", "", "token"),
            ("=token", "", "token"),
            ("=a=b", "", "a=b"),
            ("a=", "a", ""),
            ("; Path=/", "", ""),
            ("", "", ""),
            ("a=\"x; y\"", "a", "\"x"),
            ("é=ü", "é", "ü"),
        ];
        for (line, name, value) in cases {
            let cookie = parse(line);
            assert_eq!(
                (cookie.name, cookie.value),
                (name.as_bytes(), value.as_bytes()),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_a_user_agent_ignores_whole() {
        let size = |n: usize| SetCookie::parse(format!("a={}", "x".repeat(n)).as_bytes()).err();
        assert_eq!(size(4095), None);
        assert_eq!(size(4096), Some(Malformed::Oversized));
        for byte in (0..=0x1f).chain([0x7f]).filter(|b| *b != b'\t') {
            let line = [b"a=1; Path=/", &[byte][..]].concat();
            assert_eq!(SetCookie::parse(&line).err(), Some(Malformed::Control), "{byte:#04x}");
        }
        assert!(SetCookie::parse(b"a=\xe9\xff").is_ok());
    }

    #[test]
    fn the_last_attribute_that_is_not_ignored_wins() {
        let cookie = parse("a=1; Domain=a.example; DOMAIN=.b.example; path=/x; Path=/y");
        assert_eq!(cookie.domain, Some(&b"b.example"[..]));
        assert_eq!(cookie.path, Some(&b"/y"[..]));
        let long = "x".repeat(1025);
        let line = format!("a=1; Domain=a.example; Domain={long}; Path=/{long}");
        let cookie = parse(&line);
        assert_eq!(cookie.domain, Some(&b"a.example"[..]));
        assert_eq!(cookie.path, None);
        let cookie = parse("a=1; Secure=false; httponly; SAMESITE=lax; SameSite=odd; Partitioned");
        assert!(cookie.secure && cookie.http_only && cookie.partitioned);
        assert_eq!(cookie.same_site, SameSite::Default);
    }

    #[test]
    fn lifetimes() {
        let now = 1_600_000_000;
        let cases: &[(&str, Lifetime)] = &[
            ("a=1", Lifetime::Session),
            ("a=1; Max-Age=60", Lifetime::Seconds(60)),
            ("a=1; Max-Age=60; Max-Age=x", Lifetime::Seconds(60)),
            ("a=1; Max-Age=60; Max-Age=70", Lifetime::Seconds(70)),
            ("a=1; Max-Age=", Lifetime::Session),
            ("a=1; Max-Age=+60", Lifetime::Session),
            ("a=1; Max-Age=\"60\"", Lifetime::Session),
            ("a=1; Max-Age=-", Lifetime::Session),
            ("a=1; Max-Age=-1", Lifetime::Seconds(-1)),
            ("a=1; Max-Age=0", Lifetime::Seconds(0)),
            ("a=1; Max-Age=99999999999999999999999", Lifetime::Seconds(i64::MAX)),
            ("a=1; Expires=Sun, 13 Sep 2020 12:26:50 GMT", Lifetime::Seconds(10)),
            ("a=1; Expires=Sun, 13 Sep 2020 12:26:30 GMT", Lifetime::Seconds(-10)),
            ("a=1; Expires=whenever", Lifetime::Session),
            ("a=1; Expires=Sun, 13 Sep 2020 12:26:50 GMT; Expires=?", Lifetime::Seconds(10)),
            ("a=1; Expires=01 Jan 1990 00:00:00; Max-Age=5", Lifetime::Seconds(5)),
            ("a=1; Max-Age=5; Expires=01 Jan 1990 00:00:00", Lifetime::Seconds(5)),
            ("a=1; Expires=01 Jan 2099 00:00:00", Lifetime::Seconds(2_470_908_800)),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line).lifetime(now), *expected, "{line:?}");
        }
    }

    #[test]
    fn lifetimes_that_user_agents_may_read_otherwise() {
        let now = 1_600_000_000;
        let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        let cases = [
            ("a; Max-Age=0", false, true),
            ("a; Max-Age=-5; Expires=Wed, 09 Jun 2100 10:18:14 GMT", false, true),
            ("a; Max-Age=5", false, false),
            (&format!("a; {past}"), false, true),
            (&format!("a; {past}; Max-Age=0"), false, true),
            ("a; Expires=Sun, 13 Sep 2020 12:26:30 GMT", false, false),
            ("a; Max-Age=0; Max-Age=x", true, false),
            ("a; Max-Age=0; Max-Age=0", true, false),
            ("a; Max-Age=+5", true, false),
            (&format!("a; Max-Age=x; {past}"), true, false),
            (&format!("a; {past}; Expires=garbage"), true, false),
            (&format!("a; {past}; Expires"), true, false),
            ("a; Expires=garbage", true, false),
            ("a; Expires=1st Jan 1970 00:00:00 GMT", true, false),
            ("a; Expires=31x 1971 15 Jan 00:00:00", true, false),
            ("a; Expires=31x 1971 15 Jan 00:00:00; Max-Age=0", false, true),
            ("a; Expires=Thu, 01-Jan-1970 00:00:00 GMT", false, true),
            ("a", false, false),
        ];
        for (line, ambiguous, deletion) in cases {
            let cookie = parse(line);
            let found = (cookie.is_ambiguous(), cookie.is_plain_deletion(now));
            assert_eq!(found, (ambiguous, deletion), "{line:?}");
        }
    }

    /// The quick way to the attributes that take effect finds what walking all of them finds.
    #[test]
    fn attributes_are_found_as_they_are_listed() {
        for line in [
            "a=1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=5; Expires=x; Domain=d; Partitioned",
            "a=1;path;SECURE=1; httponly =x;samesite= none ;MAX-AGE = 7;dOMAIN=.d;partitioned=",
            "a=1; Pathx=/; xPath=/; Path x=/; Pat; Secure-; Max-Age5; Max_Age=5; Partition; =Path",
            "a=1;; ;\t;\tPath\t=\t/\t; Expires; Domain; SameSite",
        ] {
            let cookie = parse(line);
            let last = |name: &[u8]| cookie.attributes().filter(|a| a.is(name)).last();
            let value = |name: &[u8]| last(name).map(|attribute| attribute.value);
            assert_eq!(cookie.path, value(b"Path"), "{line:?}");
            assert_eq!(cookie.expires, value(b"Expires"), "{line:?}");
            let dotless = |domain: &'static [u8]| domain.strip_prefix(b".").unwrap_or(domain);
            assert_eq!(cookie.domain, value(b"Domain").map(dotless), "{line:?}");
            assert_eq!(cookie.max_age, value(b"Max-Age").and_then(max_age), "{line:?}");
            assert_eq!(cookie.secure, last(b"Secure").is_some(), "{line:?}");
            assert_eq!(cookie.http_only, last(b"HttpOnly").is_some(), "{line:?}");
            assert_eq!(cookie.partitioned, last(b"Partitioned").is_some(), "{line:?}");
            let same_site = value(b"SameSite").map(SameSite::of).unwrap_or_default();
            assert_eq!(cookie.same_site, same_site, "{line:?}");
        }
    }

    #[test]
    fn value_spans() {
        for line in ["a=1", "a = 1 ; x", "a=", "token; x", "=v", "a=  ; x", " tok "] {
            let cookie = parse(line);
            assert_eq!(&line.as_bytes()[cookie.value_span()], cookie.value, "{line:?}");
        }
    }
}
