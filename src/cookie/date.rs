//! The user agent's date algorithm (RFC 6265bis 5.1.1), which accepts almost anything.
//!
//! A stricter parser would see a session cookie where the browser sees one that lasts a year, and
//! a lifetime cap would pass it by.

/// Seconds since 1970-01-01T00:00:00Z that `text` denotes to a user agent, or `None` where the
/// algorithm fails and the attribute is ignored.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    if let Some(found) = usual(text) {
        return found.seconds();
    }
    let mut found = Found::default();
    for token in text.split(|&b| is_delimiter(b)).filter(|t| !t.is_empty()) {
        found.take(token);
    }
    found.seconds()
}

/// What the algorithm finds in a date as origins usually write it, `Wed, 09 Jun 2021 10:18:14 GMT`
/// (RFC 9110 5.6.7), read by position: nearly every date is of this form, and most are read only to
/// see that they lie in the future.
fn usual(text: &[u8]) -> Option<Found> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let [w1, w2, w3, b',', b' ', d1, d2, b' ', m1, m2, m3, b' ', year @ .., b' ', b'G', b'M', b'T'] =
        text
    else {
        return None;
    };
    let [y1, y2, y3, y4, b' ', h1, h2, b':', n1, n2, b':', s1, s2] = year else { return None };
    let pair = |tens: &u8, ones: &u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    // A weekday that is a month's name would be taken for the month.
    if ![w1, w2, w3].iter().all(|b| b.is_ascii_alphabetic()) || month(&[*w1, *w2, *w3]).is_some() {
        return None;
    }
    Some(Found {
        time: Some([pair(h1, h2)?, pair(n1, n2)?, pair(s1, s2)?]),
        day: Some(pair(d1, d2)?),
        month: Some(month(&[*m1, *m2, *m3])?),
        year: Some(pair(y1, y2)? * 100 + pair(y3, y4)?),
    })
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

    fn seconds(&self) -> Option<i64> {
        let [hour, minute, second] = self.time?;
        let (day, month) = (self.day?, self.month?);
        let year = match self.year? {
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
            days_from_civil(i64::from(year), month, day) * 86_400
                + i64::from(hour * 3600 + minute * 60 + second)
        })
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
    match &token.first_chunk::<3>()?.map(|byte| byte.to_ascii_lowercase()) {
        b"jan" => Some(1),
        b"feb" => Some(2),
        b"mar" => Some(3),
        b"apr" => Some(4),
        b"may" => Some(5),
        b"jun" => Some(6),
        b"jul" => Some(7),
        b"aug" => Some(8),
        b"sep" => Some(9),
        b"oct" => Some(10),
        b"nov" => Some(11),
        b"dec" => Some(12),
        _ => None,
    }
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
/// so that the leap day comes last.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = i64::from((month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_form_is_read_as_the_algorithm_reads_it() {
        let slowly = |text: &str| {
            let mut found = Found::default();
            let tokens = text.as_bytes().split(|&b| is_delimiter(b)).filter(|t| !t.is_empty());
            tokens.for_each(|token| found.take(token));
            found.seconds()
        };
        for text in [
            "Wed, 09 Jun 2021 10:18:14 GMT",
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
            assert_eq!(parse(text.as_bytes()), slowly(text), "{text:?}");
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
