//! JSON as consent tools write it: one object, encoded or not, of which the first two levels matter.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::answers::{Answers, Unanswered};
use super::text::percent_decode;

/// A value of the object, or of an object or list in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'v> {
    Bool(bool),
    Number(f64),
    Text(&'v str),
    Null,
    /// An object or a list; what it holds comes next.
    Several,
}

impl Value<'_> {
    pub(super) fn bool(self) -> Result<bool, Unanswered> {
        if let Self::Bool(value) = self { Ok(value) } else { Err(Unanswered::Malformed) }
    }
}

/// Reads the object in `value`, which may be percent-encoded in whole or in part, and calls `field`
/// with the one or two keys that lead to each value; items of a list have its keys. What lies
/// deeper is passed over.
pub(super) fn object(
    value: &[u8],
    field: impl FnMut(&[&str], Value<'_>) -> Result<(), Unanswered>,
) -> Result<(), Unanswered> {
    if is_plain(value) {
        return parse(value, field);
    }
    parse(&percent_decode(value).ok_or(Unanswered::Malformed)?, field)
}

/// Reads an object of booleans into answers.
pub(super) fn booleans(value: &[u8], answers: &mut Answers<'_>) -> Result<(), Unanswered> {
    object(value, |keys, value| match keys {
        [id] => boolean(id, value, answers),
        _ => Ok(()),
    })
}

/// Reads one of them. What the site does not use may be of any type.
pub(super) fn boolean(
    id: &str,
    value: Value<'_>,
    answers: &mut Answers<'_>,
) -> Result<(), Unanswered> {
    if let Some(index) = answers.index(id) {
        answers.put(index, value.bool()?);
    }
    Ok(())
}

/// Fills `slot`; a key that comes twice is read otherwise by others.
pub(super) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Unanswered> {
    if slot.replace(value).is_some() { Err(Unanswered::Malformed) } else { Ok(()) }
}

/// Whether the object stands as it is: its first key begins with a quote that is not encoded.
fn is_plain(value: &[u8]) -> bool {
    let Some(inner) = value.strip_prefix(b"{") else { return false };
    let first = inner.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'"' | b'}'))
}

/// Reads an object that stands as it is.
pub(super) fn parse(
    json: &[u8],
    mut field: impl FnMut(&[&str], Value<'_>) -> Result<(), Unanswered>,
) -> Result<(), Unanswered> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    deserializer
        .deserialize_map(Fields { outer: None, field: &mut field })
        .and_then(|()| deserializer.end())
        .map_err(|_| Unanswered::Malformed)
}

/// Reads the fields of an object, the outermost or one in it.
struct Fields<'a, F> {
    outer: Option<&'a str>,
    field: &'a mut F,
}

impl<'de, F> Visitor<'de> for Fields<'_, F>
where
    F: FnMut(&[&str], Value<'_>) -> Result<(), Unanswered>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let (one, two) = ([&*key], [self.outer.unwrap_or_default(), &*key]);
            let keys: &[&str] = if self.outer.is_some() { &two } else { &one };
            map.next_value_seed(Field { keys, in_list: false, field: &mut *self.field })?;
        }
        Ok(())
    }
}

/// A key, borrowed unless it holds escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Cow<'de, str>, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Reads one value.
struct Field<'a, F> {
    keys: &'a [&'a str],
    in_list: bool,
    field: &'a mut F,
}

impl<F> Field<'_, F>
where
    F: FnMut(&[&str], Value<'_>) -> Result<(), Unanswered>,
{
    fn give<E: serde::de::Error>(&mut self, value: Value<'_>) -> Result<(), E> {
        (self.field)(self.keys, value).map_err(|_| E::custom("not in the tool's form"))
    }
}

impl<'de, F> DeserializeSeed<'de> for Field<'_, F>
where
    F: FnMut(&[&str], Value<'_>) -> Result<(), Unanswered>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, F> Visitor<'de> for Field<'_, F>
where
    F: FnMut(&[&str], Value<'_>) -> Result<(), Unanswered>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(mut self, value: bool) -> Result<(), E> {
        self.give(Value::Bool(value))
    }

    // Beyond 2^53 the nearest number is near enough: these are dates and revisions.
    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E: serde::de::Error>(mut self, value: i64) -> Result<(), E> {
        self.give(Value::Number(value as f64))
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E: serde::de::Error>(mut self, value: u64) -> Result<(), E> {
        self.give(Value::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> Result<(), E> {
        self.give(Value::Number(value))
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<(), E> {
        self.give(Value::Text(value))
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.give(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        if !self.in_list {
            self.give(Value::Several)?;
        }
        match self.keys {
            [outer] if !self.in_list => {
                Fields { outer: Some(outer), field: self.field }.visit_map(map)
            }
            _ => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        if self.in_list {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        self.give(Value::Several)?;
        let (keys, field) = (self.keys, self.field);
        while seq.next_element_seed(Field { keys, in_list: true, field: &mut *field })?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<String, Unanswered> {
        let mut found = String::new();
        object(value.as_bytes(), |keys, value| {
            found.push_str(&format!("{}={value:?} ", keys.join("/")));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn two_levels_in_three_encodings() {
        let expected = "a=Bool(true) b=Several b/c=Several b/c=Text(\"x\") b/d=Number(1.0) e=Null ";
        for value in [
            r#"{"a":true,"b":{"c":["x"],"d":1},"e":null}"#,
            r#"{ "a":true, "b":{"c":["x", {"deep":[[1]]}], "d":1.0}, "\u0065":null}"#,
            "{%22a%22:true%2C%22b%22:{%22c%22:[%22x%22]%2C%22d%22:1}%2C%22e%22:null}",
            "%7B%22a%22%3Atrue%2C%22b%22%3A%7B%22c%22%3A%5B%22x%22%5D%2C%22d%22%3A1%7D%2C%22e%22%3Anull%7D",
        ] {
            assert_eq!(read(value).as_deref(), Ok(expected), "{value}");
        }
        assert_eq!(read("{}").as_deref(), Ok(""));
        assert_eq!(read("{\"a\":{\"b\":{\"c\":true}}}").as_deref(), Ok("a=Several a/b=Several "));
    }

    #[test]
    fn depth_is_passed_over() {
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
        assert_eq!(read(&nested).as_deref(), Ok("a=Several "));
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for value in [
            "",
            "true",
            "[]",
            "\"{}\"",
            "{",
            "{\"a\":true",
            "{\"a\":true}x",
            "{a:1}",
            "%7B%2",
            "%257B",
            "{\"a\":1e999}",
            "{\"\\ud800\":1}",
        ] {
            assert_eq!(read(value), Err(Unanswered::Malformed), "{value}");
        }
    }
}
