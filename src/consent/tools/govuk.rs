//! The GOV.UK pattern: `cookies_policy`, JSON with one boolean per category, and
//! `cookies_preferences_set` (`alphagov/govuk_publishing_components`, `lib/cookie-functions.js`).
//!
//! The first page view writes the policy with all refused. Only the second cookie tells a refusal
//! from silence, and only if it is `true`: other services keep other things under its name.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json;
use crate::consent::rules::Rules;
use crate::consent::tool::{Decoder, Writer};

pub(in crate::consent) struct Govuk;

/// `cookies_preferences_set` among the cookies.
const SET: usize = 1;

impl Decoder for Govuk {
    fn cookies(&self) -> &'static [&'static str] {
        &["cookies_policy", "cookies_preferences_set"]
    }

    /// `essential` is always true.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[("usage", "statistics"), ("settings", "preferences"), ("campaigns", "marketing")]
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
        let value = jar.main().ok_or(Unanswered::Unset)?;
        if value.starts_with(b"\"") {
            // Its reader takes an object that was written as a string, too.
            let inner: String = serde_json::from_slice(value).map_err(|_| Unanswered::Malformed)?;
            json::booleans(inner.as_bytes(), answers)?;
        } else {
            json::booleans(value, answers)?;
        }
        if jar.get(SET) == Some(b"true") { Ok(None) } else { Err(Unanswered::Unset) }
    }

    fn writer(&self) -> Option<Writer> {
        Some(|choice| {
            let policy = choice.json(&[("essential", true.into())]);
            vec![choice.cookie(0, policy), choice.cookie(SET, "true".to_owned())]
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Granted, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check};

    #[test]
    fn the_policy_counts_once_the_preferences_are_set() {
        let policy = "cookies_policy={\"essential\":true,\"settings\":false,\"usage\":true}";
        let set = "cookies_preferences_set=true";
        let refused = policy.replace("\"usage\":true", "\"usage\":false");
        let cases: &[Case<'_>] = &[
            (&*format!("{policy}; {set}"), Partial, &["usage"], &["settings"]),
            (&format!("{set}; {refused}"), Denied, &[], &["usage", "settings"]),
            (&format!("{}; {set}", policy.replace('"', "%22")), Partial, &["usage"], &["settings"]),
            (
                &format!("cookies_policy=\"{{\\\"usage\\\":true}}\"; {set}"),
                Granted,
                &["usage"],
                &[],
            ),
            // The first page view.
            (&refused, Unset, &[], &[]),
            (policy, Unset, &[], &[]),
            (set, Unset, &[], &[]),
            (&format!("{policy}; {}", set.replace("true", "false")), Unset, &[], &[]),
            (&format!("{policy}; cookies_preferences_set={{\"usage\":true}}"), Unset, &[], &[]),
            (&format!("cookies_policy=true; {set}"), Malformed, &[], &[]),
            (&format!("cookies_policy={{\"usage\":\"true\"}}; {set}"), Malformed, &[], &[]),
        ];
        check(Tool::Govuk, &["usage", "settings"], cases);
    }
}
