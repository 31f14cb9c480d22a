//! Opendatasoft's `cookies_preferences`: percent-encoded JSON, one boolean per tracker and a
//! `timestamp`.
//!
//! The form is known from a front end that reads it, not from its documentation. A key that is
//! absent is unanswered, not refused. The timestamp's unit is told by its magnitude.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::{percent_decode, percent_encode};
use crate::consent::tool::{Decoder, Writer};

pub(in crate::consent) struct Opendatasoft;

impl Decoder for Opendatasoft {
    fn cookies(&self) -> &'static [&'static str] {
        &["cookies_preferences"]
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        IDS
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        decode(jar.main().ok_or(Unanswered::Unset)?, answers)
    }

    fn can_store(&self, id: &str) -> bool {
        id != TIMESTAMP
    }

    /// With the time in milliseconds, as scripts tell it.
    fn writer(&self) -> Option<Writer> {
        Some(|choice| {
            let timestamp = choice.now.saturating_mul(1000).into();
            let further = [("functional_cookies", true.into()), (TIMESTAMP, timestamp)];
            vec![choice.cookie(0, percent_encode(&choice.json(&further)))]
        })
    }
}

/// The trackers that Opendatasoft offers, all of them audience measurement. `functional_cookies` is
/// not among them: the banner always writes it as true, which is nobody's choice.
const IDS: &[(&str, &str)] = &[
    ("ga", "statistics"),
    ("matomo", "statistics"),
    ("xiti", "statistics"),
    ("at", "statistics"),
    ("piano", "statistics"),
    ("eulerian", "statistics"),
];

/// The one key that is no tracker.
const TIMESTAMP: &str = "timestamp";

/// A timestamp from here on is in milliseconds: as seconds it would lie beyond the year 5000.
const MILLISECONDS_FROM: f64 = 1e11;

fn decode(value: &[u8], answers: &mut Answers<'_>) -> Result<Date, Unanswered> {
    // What failed attempts have read is read again, or the whole is refused.
    match as_written(value, answers) {
        Some(at) => Ok(Some(at)),
        None => however_written(value, answers),
    }
}

fn however_written(value: &[u8], answers: &mut Answers<'_>) -> Result<Date, Unanswered> {
    if value.starts_with(b"{")
        && let Ok(date) = parse(value, answers)
    {
        return Ok(date);
    }
    let decoded = percent_decode(value).ok_or(Unanswered::Malformed)?;
    parse(&decoded, answers)
}

/// The answer of a cookie that is byte for byte as the banner writes it: what `JSON.stringify`
/// returns, through `encodeURIComponent`. Nearly every cookie is, and each request brings it again.
/// `None` says nothing but that it is written otherwise.
fn as_written(value: &[u8], answers: &mut Answers<'_>) -> Option<i64> {
    let mut timestamp = None;
    let mut rest = value.strip_prefix(b"%7B%22")?;
    loop {
        let (key, after) = rest.split_at(rest.iter().position(|b| !is_plain(*b))?);
        let after = after.strip_prefix(b"%22%3A")?;
        rest = if key == TIMESTAMP.as_bytes() {
            let (digits, after) = after.split_at(after.iter().position(|b| !b.is_ascii_digit())?);
            if timestamp.replace(whole_number(digits)?).is_some() {
                return None;
            }
            after
        } else {
            let (granted, after) = match after.strip_prefix(b"true") {
                Some(after) => (true, after),
                None => (false, after.strip_prefix(b"false")?),
            };
            if let Some(index) = answers.index(key) {
                answers.put(index, granted);
            }
            after
        };
        match rest.strip_prefix(b"%2C%22") {
            Some(next) => rest = next,
            None if rest == b"%7D" => return timestamp.map(dated),
            None => return None,
        }
    }
}

/// Whether a byte of a key stands for itself in JSON and in the encoding of URIs.
fn is_plain(byte: u8) -> bool {
    /// Looked up, because some fifty bytes of each request are asked for.
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let mut byte = 0u8;
        while byte < 0x80 {
            plain[byte as usize] =
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            byte += 1;
        }
        plain
    };
    PLAIN[usize::from(byte)]
}

/// A number of JSON without sign, fraction and exponent, and within what a float holds exactly.
fn whole_number(digits: &[u8]) -> Option<f64> {
    if !(1..=15).contains(&digits.len()) || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    #[allow(clippy::cast_precision_loss)]
    Some(number as f64)
}

fn parse(json: &[u8], answers: &mut Answers<'_>) -> Result<Date, Unanswered> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let timestamp = deserializer
        .deserialize_map(Preferences { answers })
        .and_then(|timestamp| deserializer.end().map(|()| timestamp))
        .map_err(|_| Unanswered::Malformed)?;
    Ok(Some(dated(timestamp)))
}

fn dated(timestamp: f64) -> i64 {
    let seconds = if timestamp >= MILLISECONDS_FROM { timestamp / 1000.0 } else { timestamp };
    // The cast saturates, and what is beyond range is in the future whatever its exact value.
    #[allow(clippy::cast_possible_truncation)]
    let at = seconds as i64;
    at
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
        Ok(match self.answers.index(key.as_bytes()) {
            _ if key == TIMESTAMP => KeyKind::Timestamp,
            Some(index) => KeyKind::Id(index),
            None => KeyKind::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consent::Ids;

    fn read(value: &str) -> Result<(Ids, Ids, i64), Unanswered> {
        let ids = ["matomo", "ga", "xiti"].map(Into::into);
        let mut answers = Answers { ids: &ids, granted: Ids::NONE, denied: Ids::NONE };
        let at = decode(value.as_bytes(), &mut answers)?.expect("a date, always");
        Ok((answers.granted, answers.denied, at))
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

    /// Words that the banner's cookies are made of, and what may stand in their place.
    const WORDS: &[&str] = &[
        "%7B%22",
        "%7b%22",
        "matomo",
        "ga",
        "other",
        "timestamp",
        "%22%3A",
        "%22%3A%22",
        "true",
        "false",
        "0",
        "17",
        "1700000000",
        "1700000000000",
        "99999999999999999999",
        "-1",
        "1e9",
        "%2C%22",
        "%2C",
        "%7D",
    ];

    fn member() -> impl Strategy<Value = String> {
        let key = prop::sample::select(["matomo", "ga", "xiti", "other", "timestamp"].as_slice());
        let value = prop_oneof![
            Just("true".to_owned()),
            Just("false".to_owned()),
            any::<u64>().prop_map(|number| number.to_string()),
            (0..10_000_000_000_000u64).prop_map(|number| number.to_string()),
        ];
        (key, value).prop_map(|(key, value)| format!("%22{key}%22%3A{value}"))
    }

    fn written() -> impl Strategy<Value = String> {
        let members = || prop::collection::vec(member(), 0..5);
        let timestamp = (0..2_000_000_000_000u64).prop_map(|t| format!("%22timestamp%22%3A{t}"));
        prop_oneof![
            members().prop_map(|members| format!("%7B{}%7D", members.join("%2C"))),
            (members(), timestamp)
                .prop_map(|(members, t)| format!("%7B{}%2C{t}%7D", members.join("%2C"))),
            prop::collection::vec(prop::sample::select(WORDS), 0..12)
                .prop_map(|words| words.concat()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_as_written_is_what_any_reader_finds(value in written()) {
            let ids = ["matomo", "ga", "xiti"].map(Into::into);
            let mut answers = Answers { ids: &ids, granted: Ids::NONE, denied: Ids::NONE };
            let slowly = however_written(value.as_bytes(), &mut answers)
                .map(|dated| (answers.granted, answers.denied, dated.unwrap_or_default()));
            prop_assert_eq!(read(&value), slowly);
        }
    }

    #[test]
    fn the_banners_own_form_is_read_as_written() {
        let value = "%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Afalse%2C\
                     %22timestamp%22%3A1789000000000%7D";
        let mut answers = Answers { ids: &[], granted: Ids::NONE, denied: Ids::NONE };
        let dated = as_written(value.as_bytes(), &mut answers);
        assert_eq!(dated, Some(1_789_000_000));
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
