//! Orejime's `orejime`, which version 3 calls `eu-consent`: JSON, one boolean per purpose
//! (`boscop-fr/orejime`, `src/consent-manager.js` of 2.3, `src/core/CookieConsentsRepository.ts` of
//! 3.2).
//!
//! Version 2 writes the JSON as it is, version 3 encodes some of it. What the site calls mandatory
//! or exempt is true before any answer: the site's map leaves it out.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json;
use crate::consent::rules::Rules;
use crate::consent::tool::{Decoder, Writer};

pub(in crate::consent) struct Orejime;

impl Decoder for Orejime {
    fn cookies(&self) -> &'static [&'static str] {
        &["orejime", "eu-consent"]
    }

    /// The names of both versions, unless the site says its own.
    fn names(&self, cookie: &str) -> Option<Vec<Box<str>>> {
        let both = self.cookies();
        let names = if cookie == both[0] { both } else { &[cookie] };
        Some(names.iter().map(|&name| name.into()).collect())
    }

    fn is_dated(&self) -> bool {
        false
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        for value in jar.values() {
            json::booleans(value, answers)?;
        }
        Ok(None)
    }

    /// Not encoded: both versions read it so.
    fn writer(&self) -> Option<Writer> {
        Some(|choice| {
            let cookie = |slot| choice.cookie(slot, choice.json(&[]));
            (0..choice.names.len()).map(cookie).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{Case, check, check_with, rules};
    use crate::consent::{Rules, Tool};

    #[test]
    fn one_boolean_for_each_purpose() {
        let cases: &[Case<'_>] = &[
            ("orejime={\"stats\":false,\"video\":true}", Partial, &["video"], &["stats"]),
            ("orejime={%22stats%22:false%2C%22video%22:true}", Partial, &["video"], &["stats"]),
            ("orejime={\"mandatory\":true,\"stats\":false}", Denied, &[], &["stats"]),
            ("orejime={\"mandatory\":true}", Unset, &[], &[]),
            ("orejime=[]", Malformed, &[], &[]),
            ("orejime={\"stats\":null}", Malformed, &[], &[]),
        ];
        check(Tool::Orejime, &["stats", "video"], cases);
    }

    #[test]
    fn the_names_of_both_versions() {
        let (two, three) = ("orejime={\"stats\":true}", "eu-consent={%22stats%22:true}");
        let refused = three.replace("true", "false");
        check(
            Tool::Orejime,
            &["stats"],
            &[
                (three, Granted, &["stats"], &[]),
                (&format!("{two}; {three}"), Granted, &["stats"], &[]),
                (&format!("{two}; {refused}"), Conflict, &[], &[]),
            ],
        );
        let ids = rules(Tool::Orejime, &["stats"]).ids;
        let rules = Rules { ids, ..Rules::new(Tool::Orejime, "eu-consent").expect("a name") };
        check_with(&rules, &[(&format!("{two}; {refused}"), Denied, &[], &["stats"])]);
    }
}
