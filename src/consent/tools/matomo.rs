//! Matomo's own cookies: `mtm_consent`, `mtm_cookie_consent` and `mtm_consent_removed`, each with the
//! time of the choice in milliseconds (`matomo-org/matomo`, `js/piwik.js`).
//!
//! A removal wins over the others. Without any of them Matomo may count the visitor in, by a site's
//! set-up; that is nobody's consent.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::milliseconds;
use crate::consent::tool::{Decoder, Writer};
use crate::consent::written::{Choice, Written};

pub(in crate::consent) struct Matomo;

/// What each cookie is about, in the order of the cookies.
const CONSENTS: [&str; 2] = ["tracking", "cookies"];
const REMOVED: usize = 2;

impl Decoder for Matomo {
    fn cookies(&self) -> &'static [&'static str] {
        &["mtm_consent", "mtm_cookie_consent", "mtm_consent_removed"]
    }

    /// `cookies` is left to sites that ask for consent to cookies and not to tracking.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[("tracking", "statistics")]
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        let date = |value| milliseconds(value).ok_or(Unanswered::Malformed);
        if let Some(removed) = jar.get(REMOVED) {
            CONSENTS.iter().for_each(|id| answers.answer(id, false));
            return date(removed).map(Some);
        }
        let mut oldest: Date = None;
        for (slot, id) in CONSENTS.iter().enumerate() {
            if let Some(value) = jar.get(slot) {
                let at = date(value)?;
                answers.answer(id, true);
                oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
            }
        }
        Ok(oldest)
    }

    fn can_store(&self, id: &str) -> bool {
        CONSENTS.contains(&id)
    }

    fn writer(&self) -> Option<Writer> {
        Some(|choice: &Choice<'_>| {
            let now = format!("{}000", choice.now);
            let granted = CONSENTS.map(|id| choice.granted(id));
            let refused = granted == [false; 2];
            let cookies = granted.into_iter().chain([refused]).enumerate();
            let cookie = |(slot, is_set)| match is_set {
                true => choice.cookie(slot, now.clone()),
                false => Written { max_age: 0, ..choice.cookie(slot, String::new()) },
            };
            cookies.map(cookie).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Expired, Granted, Malformed, Unset};
    use crate::consent::tools::testing::{check, check_with, rules};
    use crate::consent::{Rules, Tool};

    const IDS: &[&str] = &["tracking", "cookies"];

    #[test]
    fn a_removal_wins() {
        let (given, cookies) = ("mtm_consent=1790000000000", "mtm_cookie_consent=1790000000000");
        let removed = "mtm_consent_removed=1700000000000";
        check(
            Tool::Matomo,
            IDS,
            &[
                (given, Granted, &["tracking"], &[]),
                (cookies, Granted, &["cookies"], &[]),
                (&format!("{given}; {cookies}"), Granted, IDS, &[]),
                (removed, Denied, &[], IDS),
                (&format!("{given}; {removed}; {cookies}"), Denied, &[], IDS),
                (&format!("{given}; mtm_consent=x"), Conflict, &[], &[]),
                ("_pk_id=1", Unset, &[], &[]),
                ("mtm_consent=true", Malformed, &[], &[]),
                ("mtm_consent=", Malformed, &[], &[]),
                ("mtm_consent=1890000000000", Malformed, &[], &[]),
                (&format!("{given}; mtm_consent_removed=yes"), Malformed, &[], &[]),
            ],
        );
    }

    #[test]
    fn thirty_years_are_too_long() {
        let rules = Rules { max_age: Some(180 * 86_400), ..rules(Tool::Matomo, IDS) };
        check_with(
            &rules,
            &[
                ("mtm_consent=1664460134155", Expired, &[], &[]),
                ("mtm_consent=1790000000000; mtm_cookie_consent=1664460134155", Expired, &[], &[]),
                ("mtm_cookie_consent=1790000000000", Granted, &["cookies"], &[]),
            ],
        );
    }
}
