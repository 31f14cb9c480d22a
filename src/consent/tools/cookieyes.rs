//! CookieYes's `cookieyes-consent`: `key:value` joined by commas, as its script writes them.
//!
//! `action:yes` says that the visitor acted; without it every category can be `yes` by default.
//! `lastRenewedDate` is the site's and not the choice's.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::{percent_decode, split_once};
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Cookieyes;

/// Keys that are about the cookie itself.
const NO_CATEGORIES: &[&[u8]] =
    &[b"consentid", b"consent", b"action", b"lastRenewedDate", b"gpc", b"rev"];

impl Decoder for Cookieyes {
    fn cookies(&self) -> &'static [&'static str] {
        &["cookieyes-consent"]
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("functional", "preferences"),
            ("analytics", "statistics"),
            ("performance", "statistics"),
            ("advertisement", "marketing"),
            ("other", "third-party"),
        ]
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
        let value = percent_decode(jar.main().ok_or(Unanswered::Unset)?);
        let value = value.ok_or(Unanswered::Malformed)?;
        let mut action = None;
        for field in value.split(|&b| b == b',').filter(|field| !field.is_empty()) {
            let (key, value) = split_once(field, b':').ok_or(Unanswered::Malformed)?;
            if key == b"action" && action.replace(value).is_some() {
                return Err(Unanswered::Malformed);
            }
            let granted = match value {
                b"yes" => true,
                b"no" => false,
                _ => continue,
            };
            if !NO_CATEGORIES.contains(&key) {
                answers.answer(str::from_utf8(key).map_err(|_| Unanswered::Malformed)?, granted);
            }
        }
        match action {
            Some(b"yes") => Ok(None),
            Some(_) => Err(Unanswered::Unset),
            None => Err(Unanswered::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check};

    #[test]
    fn categories_count_once_the_visitor_acted() {
        let cases: &[Case<'_>] = &[
            (
                "cookieyes-consent=consentid:a:b,consent:yes,action:yes,analytics:yes,other:no,lastRenewedDate:1790000000000",
                Partial,
                &["analytics"],
                &["other"],
            ),
            (
                "cookieyes-consent=action%3Ayes%2Canalytics%3Ayes%2Cother%3Ano",
                Partial,
                &["analytics"],
                &["other"],
            ),
            (
                "cookieyes-consent=consent:no,action:yes,analytics:no,other:",
                Denied,
                &[],
                &["analytics"],
            ),
            ("cookieyes-consent=consent:,action:,analytics:,other:", Unset, &[], &[]),
            ("cookieyes-consent=consent:yes,action:no,analytics:yes,other:yes", Unset, &[], &[]),
            // About the cookie, whatever the site's map says.
            ("cookieyes-consent=consent:yes,action:yes,gpc:yes", Unset, &[], &[]),
            ("cookieyes-consent=analytics:yes", Malformed, &[], &[]),
            ("cookieyes-consent=action:no,action:yes,analytics:yes", Malformed, &[], &[]),
            ("cookieyes-consent=action:yes,analytics", Malformed, &[], &[]),
            ("cookieyes-consent=yes", Malformed, &[], &[]),
            ("cookieyes-consent=", Malformed, &[], &[]),
        ];
        check(Tool::Cookieyes, &["analytics", "other", "consent", "gpc"], cases);
    }
}
