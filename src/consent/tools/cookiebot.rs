//! Cookiebot's `CookieConsent`: a JavaScript object literal of which quotes and commas are encoded
//! (`CybotAS/CookiebotWP`, `documentation/CookiebotAPI.md`).
//!
//! Only `method:'explicit'` is a click. Outside the regions where consent is asked for, everything is
//! true by itself (`implied`, a stamp of `-1`, or `-1` alone), which is nobody's choice. Other
//! products use the cookie's name, so that the shape has to match to the letter.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::{milliseconds, number, percent_decode, split_once};
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Cookiebot;

/// What the cookie speaks of; `necessary` is always true.
const CATEGORIES: [&str; 4] = ["necessary", "preferences", "statistics", "marketing"];

impl Decoder for Cookiebot {
    fn cookies(&self) -> &'static [&'static str] {
        &["CookieConsent"]
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[("preferences", "preferences"), ("statistics", "statistics"), ("marketing", "marketing")]
    }

    fn has_revision(&self) -> bool {
        true
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        rules: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        let value = jar.main().ok_or(Unanswered::Unset)?;
        match value {
            b"-1" => return Err(Unanswered::Unset),
            b"0" => {
                CATEGORIES[1..].iter().for_each(|category| answers.answer(category, false));
                return Ok(None);
            }
            _ => {}
        }
        let decoded = percent_decode(value).ok_or(Unanswered::Malformed)?;
        let found = Found::read(&decoded).ok_or(Unanswered::Malformed)?;
        if found.method != Some(b"'explicit'") || found.stamp == Some(b"'-1'") {
            return Err(Unanswered::Unset);
        }
        if rules.revision.is_some_and(|revision| found.version != Some(revision)) {
            return Err(Unanswered::Expired);
        }
        for (category, granted) in CATEGORIES.iter().zip(found.granted) {
            answers.answer(category, granted.ok_or(Unanswered::Malformed)?);
        }
        Ok(found.at)
    }
}

#[derive(Default)]
struct Found<'v> {
    granted: [Option<bool>; CATEGORIES.len()],
    method: Option<&'v [u8]>,
    stamp: Option<&'v [u8]>,
    version: Option<u64>,
    at: Date,
}

impl<'v> Found<'v> {
    fn read(literal: &'v [u8]) -> Option<Self> {
        let mut rest = literal.strip_prefix(b"{")?.strip_suffix(b"}")?;
        let mut found = Self::default();
        while !rest.is_empty() {
            let (key, behind) = split_once(rest, b':')?;
            let end = end_of_value(behind)?;
            found.take(key, &behind[..end])?;
            rest = match &behind[end..] {
                [] => &[],
                [b',', next @ ..] if !next.is_empty() => next,
                _ => return None,
            };
        }
        Some(found)
    }

    /// `None` for what is no such field, or for one that comes twice.
    fn take(&mut self, key: &[u8], value: &'v [u8]) -> Option<()> {
        let is_first = match key {
            b"method" => self.method.replace(value).is_none(),
            b"stamp" => self.stamp.replace(value).is_none(),
            b"ver" => self.version.replace(number(value)?).is_none(),
            b"utc" => self.at.replace(milliseconds(value)?).is_none(),
            key if key.is_empty() || !key.iter().all(u8::is_ascii_alphanumeric) => return None,
            key => match CATEGORIES.iter().position(|category| category.as_bytes() == key) {
                Some(index) => self.granted[index].replace(bool(value)?).is_none(),
                None => true,
            },
        };
        is_first.then_some(())
    }
}

/// Where a value ends: at the next comma, or behind its closing quote.
fn end_of_value(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\'', text @ ..] => Some(memchr::memchr(b'\'', text)? + 2),
        _ => Some(memchr::memchr(b',', bytes).unwrap_or(bytes.len())),
    }
}

fn bool(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{check, check_with, rules};
    use crate::consent::{Rules, Tool};

    const IDS: &[&str] = &["statistics", "marketing"];

    fn of(statistics: bool, marketing: bool, method: &str) -> String {
        format!(
            "CookieConsent={{stamp:%27AA+/=%27%2Cnecessary:true%2Cpreferences:false%2C\
             statistics:{statistics}%2Cmarketing:{marketing}%2Cmethod:%27{method}%27%2Cver:3%2C\
             utc:1790000000123%2Cregion:%27fr%27%2Ciab2:%27CP.YA%27}}"
        )
    }

    #[test]
    fn an_object_literal() {
        let given = of(true, false, "explicit");
        check(
            Tool::Cookiebot,
            IDS,
            &[
                (&given, Partial, &["statistics"], &["marketing"]),
                (
                    &given.replace("%27", "'").replace("%2C", ","),
                    Partial,
                    &["statistics"],
                    &["marketing"],
                ),
                (&of(true, true, "explicit"), Granted, IDS, &[]),
                (&of(false, false, "explicit"), Denied, &[], IDS),
                ("CookieConsent=0", Denied, &[], IDS),
                // Nobody's choice.
                ("CookieConsent=-1", Unset, &[], &[]),
                (&of(true, true, "implied"), Unset, &[], &[]),
                (&of(true, true, "explicit").replace("AA+/=", "-1"), Unset, &[], &[]),
                (
                    "CookieConsent={necessary:true,preferences:false,statistics:true,marketing:true}",
                    Unset,
                    &[],
                    &[],
                ),
                // A field that could hide another, or is none.
                (&given.replace("ver:3", "ver:3%2Cver:3"), Malformed, &[], &[]),
                (&given.replace("region", "marketing"), Malformed, &[], &[]),
                (&given.replace("marketing:false", "marketing:1"), Malformed, &[], &[]),
                (&given.replace("marketing:false", "market:false"), Malformed, &[], &[]),
                (&given.replace("utc:1", "utc:-1"), Malformed, &[], &[]),
                (&given.replace("YA%27}", "YA}"), Malformed, &[], &[]),
                (&given.replace("}", "%2C}"), Malformed, &[], &[]),
                // Other products.
                ("CookieConsent=1.0.0.0.0", Malformed, &[], &[]),
                ("CookieConsent=%7B%22Mode%22%3A0%7D", Malformed, &[], &[]),
                ("CookieConsent=necessary:true%2C%20statistics:true", Malformed, &[], &[]),
                (
                    "CookieConsent={\"method\":\"explicit\",\"marketing\":\"true\"}",
                    Malformed,
                    &[],
                    &[],
                ),
                ("CookieConsent=true", Malformed, &[], &[]),
            ],
        );
    }

    #[test]
    fn quoted_text_is_no_field() {
        let value = of(true, false, "explicit").replace("%27fr%27", "%27,marketing:true%27");
        check(Tool::Cookiebot, IDS, &[(&value, Partial, &["statistics"], &["marketing"])]);
    }

    #[test]
    fn the_version_of_the_sites_question() {
        let value = of(true, true, "explicit");
        for (revision, state, granted) in [(3, Granted, IDS), (4, Expired, &[][..])] {
            let rules = Rules { revision: Some(revision), ..rules(Tool::Cookiebot, IDS) };
            check_with(&rules, &[(&value, state, granted, &[])]);
        }
    }
}
