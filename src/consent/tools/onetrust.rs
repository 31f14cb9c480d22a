//! OneTrust's `OptanonConsent`, a query string whose `groups` hold `id:1` or `id:0`, and
//! `OptanonAlertBoxClosed`, the date of the choice (OneTrust's article on its own cookies; npm
//! `@commercetools-frontend/cookie-consent`).
//!
//! The first is written before any choice, with the site's defaults, all of which may be 1. Only the
//! second, or an `interactionCount` of one or more, tells of an answer. Its `datestamp` is not the
//! choice's.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::{encoded_date, number, percent_decode, split_once};
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Onetrust;

/// `OptanonAlertBoxClosed` among the cookies.
const CLOSED: usize = 1;

impl Decoder for Onetrust {
    fn cookies(&self) -> &'static [&'static str] {
        &["OptanonConsent", "OptanonAlertBoxClosed"]
    }

    /// The usual groups. `C0001`, what is necessary, is always 1.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("C0002", "statistics"),
            ("C0003", "preferences"),
            ("C0004", "marketing"),
            ("C0005", "third-party"),
        ]
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        let value = jar.main().ok_or(Unanswered::Unset)?;
        let (mut groups, mut interactions, mut is_asked_again) = (None, None, false);
        for field in value.split(|&b| b == b'&') {
            match split_once(field, b'=') {
                Some((b"groups", value)) if groups.replace(value).is_some() => {
                    return Err(Unanswered::Malformed);
                }
                Some((b"interactionCount", count)) => interactions = number(count),
                Some((b"AwaitingReconsent", value)) => is_asked_again |= value == b"true",
                _ => {}
            }
        }
        let groups = groups.and_then(percent_decode).ok_or(Unanswered::Malformed)?;
        let date = jar.get(CLOSED).filter(|date| !date.is_empty());
        let closed = date.and_then(encoded_date);
        let is_answered = closed.is_some() || interactions.is_some_and(|count| count > 0);
        if is_asked_again || !is_answered {
            return Err(Unanswered::Unset);
        }
        if date.is_some() && closed.is_none() {
            // An answer of an age that nobody can tell would never be too old.
            return Err(Unanswered::Malformed);
        }
        for group in groups.split(|&b| b == b',').filter(|group| !group.is_empty()) {
            let (id, state) = split_once(group, b':').ok_or(Unanswered::Malformed)?;
            let granted = match state {
                b"1" => true,
                b"0" => false,
                _ => return Err(Unanswered::Malformed),
            };
            answers.answer(str::from_utf8(id).map_err(|_| Unanswered::Malformed)?, granted);
        }
        Ok(closed)
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{check, check_with, rules};
    use crate::consent::{Rules, Tool};

    const IDS: &[&str] = &["C0002", "C0004"];

    fn of(groups: &str, count: u32) -> String {
        format!(
            "OptanonConsent=isGpcEnabled=0&datestamp=Tue+Feb+03+2026+20%3A46%3A14+GMT&version=1&\
             interactionCount={count}&landingPath=NotLandingPage&groups={groups}&\
             AwaitingReconsent=false"
        )
    }

    #[test]
    fn groups_count_once_somebody_has_answered() {
        let mixed = "C0001%3A1%2CC0004%3A0%2CC0002%3A1";
        let bare = format!("OptanonConsent=groups={mixed}");
        let closed = "OptanonAlertBoxClosed=2026-10-01T09:14:46.676Z";
        check(
            Tool::Onetrust,
            IDS,
            &[
                (&of(mixed, 1), Partial, &["C0002"], &["C0004"]),
                (&of("C0002:0,C0004:0,", 12), Denied, &[], IDS),
                (&format!("{bare}; {closed}"), Partial, &["C0002"], &["C0004"]),
                (&format!("{closed}; {}", of(mixed, 0)), Partial, &["C0002"], &["C0004"]),
                (
                    &format!("{bare}; {}", closed.replace(':', "%3A")),
                    Partial,
                    &["C0002"],
                    &["C0004"],
                ),
                // The defaults of an implied-consent rule.
                (&of("C0002%3A1%2CC0004%3A1", 0), Unset, &[], &[]),
                (&bare, Unset, &[], &[]),
                (closed, Unset, &[], &[]),
                (&format!("{bare}; OptanonAlertBoxClosed="), Unset, &[], &[]),
                (&format!("{bare}; OptanonAlertBoxClosed=true"), Unset, &[], &[]),
                // An answer whose age is in no form that can be read is older than nobody knows.
                (
                    &format!("{}; OptanonAlertBoxClosed=2024-11-20", of(mixed, 1)),
                    Malformed,
                    &[],
                    &[],
                ),
                (
                    &format!("{}; OptanonAlertBoxClosed=2024-11-20T10:00:00", of(mixed, 1)),
                    Malformed,
                    &[],
                    &[],
                ),
                (
                    &format!("{}; OptanonAlertBoxClosed=", of(mixed, 1)),
                    Partial,
                    &["C0002"],
                    &["C0004"],
                ),
                (&format!("{}; OptanonAlertBoxClosed=2024-11-20", of(mixed, 0)), Unset, &[], &[]),
                (&of(mixed, 2).replace("Reconsent=false", "Reconsent=true"), Unset, &[], &[]),
                (&of(mixed, 1).replace("Count=1", "Count=-1"), Unset, &[], &[]),
                (&of("C00020%3A1%2Cc0002%3A1", 1), Unset, &[], &[]),
                (&of("C0002%3Atrue", 1), Malformed, &[], &[]),
                (&of("C0002", 1), Malformed, &[], &[]),
                (&format!("{}&groups=C0004%3A1", of(mixed, 1)), Malformed, &[], &[]),
                ("OptanonConsent=interactionCount=1", Malformed, &[], &[]),
                ("OptanonConsent=true", Malformed, &[], &[]),
            ],
        );
    }

    #[test]
    fn the_date_is_that_of_the_closed_box() {
        let rules = Rules { max_age: Some(30 * 86_400), ..rules(Tool::Onetrust, IDS) };
        let closed = "OptanonAlertBoxClosed=2026-10-01T09:14:46.676Z";
        let value = of("C0002%3A1", 1);
        check_with(
            &rules,
            &[
                (&format!("{value}; {closed}"), Expired, &[], &[]),
                (&value, Granted, &["C0002"], &[]),
            ],
        );
    }
}
