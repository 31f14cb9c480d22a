//! Opendatasoft's `cookies_preferences`: percent-encoded JSON, one boolean per tracker and a
//! `timestamp`.
//!
//! The form is known from a front end that reads it, not from its documentation. A key that is
//! absent is unanswered, not refused. The timestamp's unit is told by its magnitude.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use smallvec::SmallVec;

use super::{Answers, Dated, Unanswered};

pub(super) const COOKIE: &str = "cookies_preferences";

/// The trackers that Opendatasoft offers, all of them audience measurement. `functional_cookies` is
/// not among them: the banner always writes it as true, which is nobody's choice.
pub(super) const IDS: &[(&str, &str)] = &[
    ("ga", "statistics"),
    ("matomo", "statistics"),
    ("xiti", "statistics"),
    ("at", "statistics"),
    ("piano", "statistics"),
    ("eulerian", "statistics"),
];

/// A timestamp from here on is in milliseconds: as seconds it would lie beyond the year 5000.
const MILLISECONDS_FROM: f64 = 1e11;

pub(super) fn decode(value: &[u8], answers: &mut Answers<'_>) -> Result<Dated, Unanswered> {
    if value.starts_with(b"{")
        && let Ok(dated) = parse(value, answers)
    {
        return Ok(dated);
    }
    // What a failed first attempt has read is read again, or the whole is refused.
    let decoded = percent_decode(value).ok_or(Unanswered::Malformed)?;
    parse(&decoded, answers)
}

fn parse(json: &[u8], answers: &mut Answers<'_>) -> Result<Dated, Unanswered> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let timestamp = deserializer
        .deserialize_map(Preferences { answers })
        .and_then(|timestamp| deserializer.end().map(|()| timestamp))
        .map_err(|_| Unanswered::Malformed)?;
    let seconds = if timestamp >= MILLISECONDS_FROM { timestamp / 1000.0 } else { timestamp };
    // The cast saturates, and what is beyond range is in the future whatever its exact value.
    #[allow(clippy::cast_possible_truncation)]
    Ok(Dated { at: seconds as i64 })
}

/// Decodes `%XX` once; `None` where an escape is broken.
fn percent_decode(value: &[u8]) -> Option<SmallVec<[u8; 512]>> {
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

/// Reads the object into [`Answers`] and yields its timestamp.
struct Preferences<'a, 'r> {
    answers: &'a mut Answers<'r>,
}

impl<'de> Visitor<'de> for Preferences<'_, '_> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of booleans with a timestamp")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<f64, A::Error> {
        let mut timestamp = None;
        while let Some(key) = map.next_key_seed(Key { answers: self.answers })? {
            match key {
                KeyKind::Timestamp => {
                    let value: f64 = map.next_value()?;
                    if value < 0.0 || timestamp.replace(value).is_some() {
                        return Err(serde::de::Error::custom("no usable timestamp"));
                    }
                }
                KeyKind::Id(index) => self.answers.put(index, map.next_value()?),
                KeyKind::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        timestamp.ok_or_else(|| serde::de::Error::missing_field("timestamp"))
    }
}

enum KeyKind {
    Timestamp,
    Id(usize),
    Other,
}

/// Sorts a key without keeping it.
struct Key<'a, 'r> {
    answers: &'a Answers<'r>,
}

impl<'de> serde::de::DeserializeSeed<'de> for Key<'_, '_> {
    type Value = KeyKind;

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<KeyKind, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = KeyKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<KeyKind, E> {
        Ok(match self.answers.index(key) {
            _ if key == "timestamp" => KeyKind::Timestamp,
            Some(index) => KeyKind::Id(index),
            None => KeyKind::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ids;
    use super::*;

    fn read(value: &str) -> Result<(Ids, Ids, i64), Unanswered> {
        let ids = ["matomo", "ga", "xiti"].map(Into::into);
        let mut answers = Answers { ids: &ids, granted: Ids::NONE, denied: Ids::NONE };
        let dated = decode(value.as_bytes(), &mut answers)?;
        Ok((answers.granted, answers.denied, dated.at))
    }

    #[test]
    fn the_three_encodings_of_one_answer() {
        let expected = Ok((Ids::one(0), Ids::one(1), 1_700_000_000));
        for value in [
            "%7B%22matomo%22%3Atrue%2C%22ga%22%3Afalse%2C%22timestamp%22%3A1700000000000%7D",
            "{%22matomo%22:true%2C%22ga%22:false%2C%22timestamp%22:1700000000000}",
            r#"{"matomo":true,"ga":false,"timestamp":1700000000000}"#,
            r#"{"matomo":true,"ga":false,"timestamp":1700000000}"#,
            r#"{"matomo":true,"ga":false,"timestamp":1700000000.25}"#,
            r#" {"timestamp":1.7e12, "ga":false, "new":{"x":[1]}, "matomo":true, "matomo":true}"#,
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_not_in_the_form_is_no_answer() {
        for value in [
            "",
            "true",
            "%7B",
            "%E0%A4%A",
            "%zz",
            "[]",
            "{}",
            r#"{"matomo":true}"#,
            r#"{"matomo":"true","timestamp":1700000000}"#,
            r#"{"matomo":1,"timestamp":1700000000}"#,
            r#"{"matomo":null,"timestamp":1700000000}"#,
            r#"{"matomo":true,"timestamp":"1700000000"}"#,
            r#"{"matomo":true,"timestamp":-1}"#,
            r#"{"matomo":true,"timestamp":null}"#,
            r#"{"matomo":true,"timestamp":1,"timestamp":1700000000}"#,
            r#"{"matomo":true,"timestamp":1700000000}x"#,
            r#"{"matomo":true,"timestamp":1700000000"#,
            "%257B%2522matomo%2522%253Atrue%257D",
            "{\"matomo\":true,\"x\":\"\u{fffd}\",\"timestamp\":1e999}",
        ] {
            assert_eq!(read(value), Err(Unanswered::Malformed), "{value}");
        }
    }

    #[test]
    fn escaped_keys_are_the_keys_they_spell() {
        let value = r#"{"mat\u006fmo":false,"timestamp":1700000000}"#;
        assert_eq!(read(value), Ok((Ids::NONE, Ids::one(0), 1_700_000_000)));
    }
}
