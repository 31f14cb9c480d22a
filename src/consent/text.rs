//! Percent-encoding and dates, as consent tools write them.

use std::fmt::Write as _;

use jiff::Timestamp;
use smallvec::SmallVec;

/// Decodes `%XX` once; `None` where an escape is broken. A `+` stays one.
pub(super) fn percent_decode(value: &[u8]) -> Option<SmallVec<[u8; 512]>> {
    let mut decoded = SmallVec::from_elem(0, value.len());
    let (mut from, mut to) = (0, 0);
    while let Some(&byte) = value.get(from) {
        decoded[to] = if byte == b'%' {
            from += 2;
            hex(*value.get(from - 1)?)? << 4 | hex(*value.get(from)?)?
        } else {
            byte
        };
        from += 1;
        to += 1;
    }
    decoded.truncate(to);
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Encodes all but the unreserved characters of RFC 3986, 2.3, as `encodeURIComponent` does nearly:
/// every decoder reads the result alike.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The Unix seconds of a date and time such as `2026-11-25T21:40:47.123Z` (RFC 3339).
pub(super) fn date(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// The same of a value as it stands in a cookie, where the colons may be encoded.
pub(super) fn encoded_date(value: &[u8]) -> Option<i64> {
    date(str::from_utf8(&percent_decode(value)?).ok()?)
}

/// Unix seconds as a date and time in UTC; the epoch where the calendar ends.
pub(super) fn write_date(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or_default().to_string()
}

/// A number of milliseconds since 1970 in decimal digits, as seconds.
pub(super) fn milliseconds(digits: &[u8]) -> Option<i64> {
    number(digits).and_then(|number| i64::try_from(number / 1000).ok())
}

/// A number in decimal digits and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let text = str::from_utf8(digits).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The first part of `bytes` before `separator`, and the rest behind it.
pub(super) fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding() {
        let decode = |text: &str| percent_decode(text.as_bytes()).map(|bytes| bytes.to_vec());
        assert_eq!(decode("a%3Db%3d+"), Some(b"a=b=+".to_vec()));
        assert_eq!(decode("%2525"), Some(b"%25".to_vec()));
        for broken in ["%", "%E0%A4%A", "%zz", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        assert_eq!(percent_encode("{\"é\":1}"), "%7B%22%C3%A9%22%3A1%7D");
    }

    #[test]
    fn dates() {
        assert_eq!(date("1970-01-02T00:00:00.9Z"), Some(86_400));
        assert_eq!(encoded_date(b"1970-01-02T00%3A00%3A00Z"), Some(86_400));
        for not in ["", "1970-01-02", "1970-01-02T00:00:00", "yesterday", "1"] {
            assert_eq!(date(not), None, "{not}");
        }
        assert_eq!(write_date(1_790_000_000), "2026-09-21T14:13:20Z");
        assert_eq!(date(&write_date(1_790_000_000)), Some(1_790_000_000));
        assert_eq!(write_date(i64::MAX), "1970-01-01T00:00:00Z");
        assert_eq!(milliseconds(b"1790000000999"), Some(1_790_000_000));
        for not in [&b""[..], b"-1", b"+1", b"1.5", b" 1", b"99999999999999999999"] {
            assert_eq!(number(not), None);
        }
    }
}
