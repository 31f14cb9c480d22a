//! django-cookie-consent's `cookie_consent`: `group=version` joined by `|`, where `-1` is a refusal
//! and anything else the date of the newest cookie that the group had when it was accepted
//! (`jazzband/django-cookie-consent`, `cookie_consent/util.py`).
//!
//! That date is the site's and not the choice's. The library asks again for a group that has had a
//! cookie since; only its database knows.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::{split_once, write_date};
use crate::consent::tool::{Decoder, Writer};
use crate::consent::written::{Choice, Written, is_token};

pub(in crate::consent) struct DjangoCookieConsent;

impl Decoder for DjangoCookieConsent {
    fn cookies(&self) -> &'static [&'static str] {
        &["cookie_consent"]
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
        let value = unquote(jar.main().ok_or(Unanswered::Unset)?);
        for group in value.split(|&b| b == b'|').filter(|group| !group.is_empty()) {
            let (id, version) = split_once(group, b'=').ok_or(Unanswered::Malformed)?;
            let id = str::from_utf8(id).map_err(|_| Unanswered::Malformed)?;
            match version {
                b"" => {}
                b"-1" => answers.answer(id, false),
                version if is_date(version) => answers.answer(id, true),
                _ => return Err(Unanswered::Malformed),
            }
        }
        Ok(None)
    }

    fn can_store(&self, id: &str) -> bool {
        is_token(id)
    }

    /// A version of now: no cookie of a group is newer.
    fn writer(&self) -> Option<Writer> {
        Some(|choice: &Choice<'_>| {
            let now = write_date(choice.now);
            let version = |granted| if granted { now.as_str() } else { "-1" };
            let groups = choice.tokens().map(|(id, granted)| format!("{id}={}", version(granted)));
            let value = format!("\"{}\"", groups.collect::<Vec<_>>().join("|"));
            vec![Written { http_only: true, ..choice.cookie(0, value) }]
        })
    }
}

/// Python's `http.cookies` puts a value with `=` in double quotes.
fn unquote(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// A date and time in ISO's form, with or without an offset.
fn is_date(version: &[u8]) -> bool {
    let is_local = |text: &str| text.parse::<jiff::civil::DateTime>().is_ok();
    let is_date = |text: &str| text.parse::<jiff::Timestamp>().is_ok() || is_local(text);
    version.first().is_some_and(u8::is_ascii_digit) && str::from_utf8(version).is_ok_and(is_date)
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Granted, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check};

    #[test]
    fn a_version_or_a_refusal_for_each_group() {
        let cases: &[Case<'_>] = &[
            (
                "cookie_consent=\"social=2013-06-04T03:17:01.421395Z|ads=-1\"",
                Partial,
                &["social"],
                &["ads"],
            ),
            (
                "cookie_consent=social=2013-06-04T03:17:01|ads=2026-01-01T00:00:00.1",
                Granted,
                &["social", "ads"],
                &[],
            ),
            ("cookie_consent=\"ads=-1\"", Denied, &[], &["ads"]),
            ("cookie_consent=social=|ads=-1", Denied, &[], &["ads"]),
            ("cookie_consent=", Unset, &[], &[]),
            ("cookie_consent=\"\"", Unset, &[], &[]),
            ("cookie_consent=social=true", Malformed, &[], &[]),
            ("cookie_consent=social=-2", Malformed, &[], &[]),
            ("cookie_consent=social=1", Malformed, &[], &[]),
            // Other products.
            ("cookie_consent=accept", Malformed, &[], &[]),
            ("cookie_consent=necessary%3A1%2Cads%3A0", Malformed, &[], &[]),
            ("cookie_consent={\"purposes\":{\"ads\":false}}", Malformed, &[], &[]),
        ];
        check(Tool::DjangoCookieConsent, &["social", "ads"], cases);
    }
}
