//! The user agent's date algorithm (RFC 6265bis 5.1.1), which accepts almost anything.
//!
//! A stricter parser would see a session cookie where the browser sees one that lasts a year, and
//! a lifetime cap would pass it by.

use super::words::HIGH;

/// Seconds since 1970-01-01T00:00:00Z that `text` denotes to a user agent, or `None` where the
/// algorithm fails and the attribute is ignored.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    usual(text).or_else(|| tolerant(text))?.seconds()
}

/// Whether user agents in the field read `text` as [`parse`] does.
///
/// None of them uses the algorithm: Chromium takes a day of two bytes at most and a year of five, Firefox
/// has a parser of its own that knows time zones, and each finds another date where a text is odd
/// enough, or none. They agree on what origins write, from the first of what their clocks count on.
#[must_use]
pub fn is_plain(text: &[u8]) -> bool {
    usual(text).or_else(|| short(text)).is_some_and(|date| date.year >= 1970)
}

/// A date with a year of two digits, `Wed, 09-Jun-21 10:18:14 GMT` (Netscape's specification) or
/// `Wednesday, 09-Jun-21 10:18:14 GMT` (RFC 9110 5.6.7). The year 69 is of this century to some.
fn short(text: &[u8]) -> Option<Date> {
    const WEEKDAYS: [&[u8]; 7] =
        [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];
    let comma = text.iter().position(|&b| b == b',')?;
    let (weekday, rest) = text.split_at(comma);
    let (date, rest) = rest.split_at_checked(9)?;
    let century = match rest.first_chunk()? {
        b"69" => return None,
        [b'7'..=b'9', _] => b"19",
        _ => b"20",
    };
    let is_known = weekday.len() == 3 || WEEKDAYS.contains(&weekday);
    usual(&[weekday.get(..3)?, date, century, rest].concat()).filter(|_| is_known)
}

/// What the algorithm finds in any text.
fn tolerant(text: &[u8]) -> Option<Date> {
    let mut found = Found::default();
    for token in text.split(|&b| is_delimiter(b)).filter(|t| !t.is_empty()) {
        found.take(token);
    }
    Some(Date { time: found.time?, day: found.day?, month: found.month?, year: found.year? })
}

/// What the algorithm finds in a date as origins usually write it, `Wed, 09 Jun 2021 10:18:14 GMT`
/// (RFC 9110 5.6.7) or with hyphens in it, as PHP and Java did, read by position: nearly every date is
/// of this form, and most are read only to see that they lie in the future.
fn usual(text: &[u8]) -> Option<Date> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let [w1, w2, w3, b',', b' ', d1, d2, s1, m1, m2, m3, s2, rest @ ..] = text else {
        return None;
    };
    if !matches!((s1, s2), (b' ', b' ') | (b'-', b'-')) {
        return None;
    }
    let [y1, y2, y3, y4, b' ', time @ .., b' ', b'G', b'M', b'T'] = rest else { return None };
    if !matches!(&[*w1, *w2, *w3], b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun") {
        return None;
    }
    let [day, _, _, century, _, _, year, _] = pairs([*d1, *d2, b':', *y1, *y2, b':', *y3, *y4])?;
    let [hour, _, _, minute, _, _, second, _] = pairs(*time)?;
    Some(Date {
        time: [hour, minute, second].map(u32::from),
        day: day.into(),
        month: month(&[*m1, *m2, *m3])?,
        year: u32::from(century) * 100 + u32::from(year),
    })
}

/// The numbers that the digits of `10:18:14` make in pairs, each in the place of its first digit.
#[inline]
fn pairs(text: [u8; 8]) -> Option<[u8; 8]> {
    const NINES: u64 = 0x0909_0009_0900_0909;
    let digits = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00:00:00");
    // What is beyond nine reaches its byte's highest bit, or has it; beside a colon, all is beyond.
    let is_time = (digits | ((digits & !HIGH) + (!HIGH - NINES))) & HIGH == 0;
    // No pair is beyond 99, so that none reaches into another.
    is_time.then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
}

/// The numbers of a date, each within its digits, the month known.
struct Date {
    time: [u32; 3],
    day: u32,
    month: u32,
    year: u32,
}

impl Date {
    /// `None` where the calendar or the clock has no such date.
    fn seconds(&self) -> Option<i64> {
        let Self { time: [hour, minute, second], day, month, year } = *self;
        let year = match year {
            year @ 70..=99 => year + 1900,
            year @ 0..=69 => year + 2000,
            year => year,
        };
        let valid = (1..=days_in_month(year, month)).contains(&day)
            && year >= 1601
            && hour <= 23
            && minute <= 59
            && second <= 59;
        valid.then(|| {
            days_from_civil(year, month, day) * 86_400
                + i64::from(hour * 3600 + minute * 60 + second)
        })
    }
}

#[derive(Default)]
struct Found {
    time: Option<[u32; 3]>,
    day: Option<u32>,
    month: Option<u32>,
    year: Option<u32>,
}

impl Found {
    /// Each token is given to the first production that is still open and matches it.
    fn take(&mut self, token: &[u8]) {
        if self.time.is_none()
            && let Some(time) = time(token)
        {
            self.time = Some(time);
        } else if self.day.is_none()
            && let Some(day) = number(token, 1, 2)
        {
            self.day = Some(day);
        } else if self.month.is_none()
            && let Some(month) = month(token)
        {
            self.month = Some(month);
        } else if self.year.is_none() {
            self.year = number(token, 2, 4);
        }
    }
}

/// `delimiter` of the grammar: everything printable that is neither a digit, a colon nor a letter.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// `min*maxDIGIT [ non-digit *OCTET ]`
fn number(token: &[u8], min: usize, max: usize) -> Option<u32> {
    let digits = leading_digits(token);
    (min..=max).contains(&digits).then(|| decimal(&token[..digits]))
}

/// `1*2DIGIT ":" 1*2DIGIT ":" 1*2DIGIT [ non-digit *OCTET ]`
fn time(token: &[u8]) -> Option<[u32; 3]> {
    let mut rest = token;
    let mut fields = [0; 3];
    for (i, field) in fields.iter_mut().enumerate() {
        let digits = leading_digits(rest);
        *field = number(rest, 1, 2)?;
        rest = &rest[digits..];
        if i < 2 {
            rest = rest.strip_prefix(b":")?;
        }
    }
    Some(fields)
}

fn month(token: &[u8]) -> Option<u32> {
    let [a, b, c] = token.first_chunk::<3>()?;
    let month = match &[a | 0x20, b | 0x20, c | 0x20] {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    };
    Some(month)
}

fn leading_digits(token: &[u8]) -> usize {
    token.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// At most four digits reach this, so it cannot overflow.
fn decimal(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, &d| n * 10 + u32::from(d - b'0'))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March
/// so that the leap day comes last. The year is not its first.
fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    i64::from(365 * year + leap_days + day_of_year) - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn the_usual_form_is_read_as_the_algorithm_reads_it() {
        for text in [
            "Wed, 09 Jun 2021 10:18:14 GMT",
            "Wed, 09-Jun-2021 10:18:14 GMT",
            "Wed, 39 Jun 2021 10:18:14 GMT",
            "Wed, 09 Jun 0021 10:18:14 GMT",
            "Wed, 09 Jun 0099 10:18:14 GMT",
            "Wed, 09 Jun 1600 10:18:14 GMT",
            "Wed, 09 Jun 2021 25:18:14 GMT",
            "Mar, 09 Jun 2021 10:18:14 GMT",
            "Wed, 09 Xxx 2021 10:18:14 GMT",
            "Wed, 9x Jun 2021 10:18:14 GMT",
            "1ed, 09 Jun 2021 10:18:14 GMT",
            "12:, 09 Jun 2021 10:18:14 GMT",
            "Wed, 29 Feb 2023 10:18:14 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), slowly(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn what_every_user_agent_reads_alike() {
        for (text, plain) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("Thu, 01-Jan-1970 00:00:01 GMT", true),
            ("Wed, 31 Dec 1969 23:59:59 GMT", false),
            ("Mon, 01 Jan 0070 00:00:00 GMT", false),
            ("Thu, 01-Jan 1970 00:00:00 GMT", false),
            ("Thu, 01 Jan 1970 00:00:00 CET", false),
            ("1st Jan 1970 00:00:00 GMT", false),
            ("00:00:00 02031 1 Jan 15", false),
            ("31x 1971 15 Jan 00:00:00", false),
            ("Sunday, 06-Nov-94 08:49:37 GMT", true),
            ("Sun, 06-Nov-94 08:49:37 GMT", true),
            ("Thu, 01-Jan-70 00:00:00 GMT", true),
            ("Tue, 01-Jan-69 00:00:00 GMT", false),
            ("Sundae, 06-Nov-94 08:49:37 GMT", false),
            ("Sun, 06-Nov-94x08:49:37 GMT", false),
            ("Sun, 06-Nov-9", false),
            ("Sun Nov  6 08:49:37 1994", false),
            ("", false),
        ] {
            assert_eq!(is_plain(text.as_bytes()), plain, "{text:?}");
        }
    }

    fn slowly(text: &[u8]) -> Option<i64> {
        tolerant(text)?.seconds()
    }

    /// A date in the usual form, and some bytes to be changed in it.
    fn nearly_usual() -> impl Strategy<Value = (String, Vec<(usize, u8)>)> {
        let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec jUN Xxx";
        let weekdays = "Mon Tue Wed Thu Fri Sat Sun sun Mar Xyz";
        let [months, weekdays] =
            [months, weekdays].map(|names| select(names.split(' ').collect::<Vec<_>>()));
        let time = (0..25u32, 0..62u32, 0..62u32);
        let date = (weekdays, 0..34u32, months, 0..10_000u32, time).prop_map(
            |(weekday, day, month, year, (h, m, s))| {
                let hyphen = if day % 2 == 0 { ' ' } else { '-' };
                format!(
                    "{weekday}, {day:02}{hyphen}{month}{hyphen}{year:04} {h:02}:{m:02}:{s:02} GMT"
                )
            },
        );
        let bytes = select(b"019:;, aJj\t\x80".as_slice());
        (date, prop::collection::vec((0..29usize, bytes), 0..3))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_nearly_usual_is_read_as_the_algorithm_reads_it((date, changes) in nearly_usual()) {
            let mut date = date.into_bytes();
            prop_assert_eq!(parse(&date), slowly(&date));
            changes.into_iter().for_each(|(at, byte)| date[at] = byte);
            prop_assert_eq!(parse(&date), slowly(&date));
        }

        #[test]
        fn a_month_is_known_whatever_its_case(token in "(jan|feb|mar|dec|Jun|[a-zA-Z@`\x0e-\x2f]{0,4})") {
            let name = token.get(..3).unwrap_or_default().to_ascii_lowercase();
            let months = "jan feb mar apr may jun jul aug sep oct nov dec";
            let known = months.split(' ').position(|month| month == name);
            prop_assert_eq!(month(token.as_bytes()).map(|month| month as usize), known.map(|at| at + 1));
        }
    }

    #[test]
    fn dates_as_user_agents_read_them() {
        let cases: &[(&str, Option<i64>)] = &[
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 09 Jun 2021 10:18:14 GMT", Some(1_623_233_894)),
            ("Wednesday, 09-Jun-21 10:18:14 GMT", Some(1_623_233_894)),
            ("Wed Jun  9 10:18:14 2021", Some(1_623_233_894)),
            ("10:18:14 9 june 2021", Some(1_623_233_894)),
            ("2021 jun 09 10:18:14", Some(1_623_233_894)),
            ("09 Jun 2021 1:2:3", Some(1_623_200_523)),
            ("9Jun 09 Jun 2021 10:18:14", Some(1_244_542_694)),
            ("Tue, 29 Feb 2028 00:00:00 GMT", Some(1_835_395_200)),
            ("Sun, 29 Feb 2026 00:00:00 GMT", None),
            ("Mon, 31 Apr 2027 00:00:00 GMT", None),
            ("01 Jan 1600 00:00:00", None),
            ("01 Jan 1601 00:00:00", Some(-11_644_473_600)),
            ("01 Jan 9999 23:59:59", Some(253_370_851_199)),
            ("01 Jan 10000 00:00:00", None),
            ("01 Jan 69 00:00:00", Some(3_124_224_000)),
            ("01 Jan 70 00:00:00", Some(0)),
            ("01 Jan 2027 24:00:00", None),
            ("01 Jan 2027 00:60:00", None),
            ("01 Jan 2027 00:00:60", None),
            ("01 Jan 2027 00:00:000", None),
            ("00 Jan 2027 00:00:00", None),
            ("32 Jan 2027 00:00:00", None),
            ("01 Jan 2027", None),
            ("00:00:00 01 2027", None),
            ("01 Janvier 2027 00:00:00", Some(1_798_761_600)),
            ("01/Jan/2027 00:00:00", Some(1_798_761_600)),
            ("01 Jan 2027 00:00:00xyz", Some(1_798_761_600)),
            ("0", None),
            ("-1", None),
            ("", None),
            ("\u{e9}\u{e9}", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes()), *expected, "{text:?}");
        }
    }
}
