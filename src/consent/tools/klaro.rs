//! Klaro's `klaro`: percent-encoded JSON, one boolean per service (`kiprotect/klaro`,
//! `src/consent-manager.js`, version 0.7).
//!
//! A service that is not there has not been asked for. Services that the site calls required are
//! always true, which is nobody's choice: the site's map leaves them out.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json;
use crate::consent::rules::Rules;
use crate::consent::text::percent_encode;
use crate::consent::tool::{Decoder, Writer};

pub(in crate::consent) struct Klaro;

impl Decoder for Klaro {
    fn cookies(&self) -> &'static [&'static str] {
        &["klaro"]
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
        json::booleans(jar.main().ok_or(Unanswered::Unset)?, answers)?;
        Ok(None)
    }

    fn writer(&self) -> Option<Writer> {
        Some(|choice| vec![choice.cookie(0, percent_encode(&choice.json(&[])))])
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check};

    #[test]
    fn one_boolean_for_each_service() {
        let cases: &[Case<'_>] = &[
            ("klaro=%7B%22maps%22%3Atrue%2C%22ads%22%3Afalse%7D", Partial, &["maps"], &["ads"]),
            ("klaro={%22maps%22:true%2C%22ads%22:false}", Partial, &["maps"], &["ads"]),
            ("klaro={\"ads\":false,\"klaro\":true}", Denied, &[], &["ads"]),
            ("klaro={\"other\":\"x\"}", Unset, &[], &[]),
            ("klaro={}", Unset, &[], &[]),
            ("klaro={\"ads\":true,\"ads\":false}", Conflict, &[], &[]),
            ("klaro={\"ads\":1}", Malformed, &[], &[]),
            ("klaro={\"ads\":\"true\"}", Malformed, &[], &[]),
            ("klaro={\"ads\":true", Malformed, &[], &[]),
            ("klaro=true", Malformed, &[], &[]),
            ("klaro=", Malformed, &[], &[]),
            ("klaro=%7B%E0%A4%A", Malformed, &[], &[]),
            ("Klaro={\"ads\":true}", Unset, &[], &[]),
        ];
        check(Tool::Klaro, &["maps", "ads"], cases);
    }
}
