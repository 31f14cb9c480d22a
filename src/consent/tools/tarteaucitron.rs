//! tarteaucitron.js's `tarteaucitron`: `!service=status` for each service, where the status is
//! `true`, `false` or `wait` (`AmauriC/tarteaucitron.js`, `tarteaucitron.js`, version 1.32).
//!
//! It is written on the first page view, with `wait` for what needs consent and `true` for what does
//! not. So nothing counts while one service waits, nor where only such services are there.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::split_once;
use crate::consent::tool::{Decoder, Writer};
use crate::consent::written::{Choice, is_token};

pub(in crate::consent) struct Tarteaucitron;

/// Services without consent of their own (`needConsent: false` in `tarteaucitron.services.js`), in
/// this version or, `ferank` and `ferankpub`, in those up to 1.31. Two that were among them for a
/// while are not here, since consent has been asked for them long since: `atinternet` (1.4 to 1.8.4)
/// and `matomocloud` (1.9.6 to 1.11.0).
const NEVER_ASKED: &[&str] = &[
    "crisp",
    "ferank",
    "ferankpub",
    "matomo",
    "matomohightrack",
    "microanalytics",
    "plausible",
    "simpleanalytics",
    "stonly",
    "wysistathightrack",
];

/// A service of the firewall's own, which tells an answer from a first page view where no other
/// does. The tool keeps services that it does not know, and does nothing with them.
const ANSWERED: &str = "!cookie-firewall=true";

impl Decoder for Tarteaucitron {
    fn cookies(&self) -> &'static [&'static str] {
        &["tarteaucitron"]
    }

    /// Some of its services, by the type that it gives each.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("analytics", "statistics"),
            ("atinternet", "statistics"),
            ("eulerian", "statistics"),
            ("gtag", "statistics"),
            ("hotjar", "statistics"),
            ("matomo", "statistics"),
            ("facebookpixel", "marketing"),
            ("addtoanyshare", "third-party"),
            ("dailymotion", "third-party"),
            ("facebook", "third-party"),
            ("twitter", "third-party"),
            ("vimeo", "third-party"),
            ("youtube", "third-party"),
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
        let value = jar.main().ok_or(Unanswered::Unset)?;
        let services = value.strip_prefix(b"!").ok_or(Unanswered::Malformed)?;
        let mut is_answered = false;
        for service in services.split(|&b| b == b'!').filter(|service| !service.is_empty()) {
            let (key, status) = split_once(service, b'=').ok_or(Unanswered::Malformed)?;
            let key = str::from_utf8(key).map_err(|_| Unanswered::Malformed)?;
            let granted = match status {
                b"true" => true,
                b"false" => false,
                b"wait" => return Err(Unanswered::Unset),
                _ => continue,
            };
            is_answered |= !granted || !NEVER_ASKED.contains(&key);
            answers.answer(key, granted);
        }
        if is_answered { Ok(None) } else { Err(Unanswered::Unset) }
    }

    fn can_store(&self, id: &str) -> bool {
        is_token(id)
    }

    fn writer(&self) -> Option<Writer> {
        Some(|choice: &Choice<'_>| {
            let services = choice.tokens().map(|(id, granted)| format!("!{id}={granted}"));
            let mut value: String = services.collect();
            let as_if_nobody_answered = |(id, granted)| granted && NEVER_ASKED.contains(&id);
            if !value.is_empty() && choice.tokens().all(as_if_nobody_answered) {
                value.push_str(ANSWERED);
            }
            vec![choice.cookie(0, value)]
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{Case, check, rules};
    use crate::consent::{Ids, Tool};
    use crate::cookie::Pairs;

    #[test]
    fn a_status_for_each_service() {
        let cases: &[Case<'_>] = &[
            ("tarteaucitron=!gtag=true!video=false", Partial, &["gtag"], &["video"]),
            ("tarteaucitron=!gtag=true!", Granted, &["gtag"], &[]),
            ("tarteaucitron=!video=false!gtag=false", Denied, &[], &["gtag", "video"]),
            ("tarteaucitron=!id=a1-b2!gtag=true", Granted, &["gtag"], &[]),
            // Written on the first page view.
            ("tarteaucitron=!gtag=wait!video=wait", Unset, &[], &[]),
            ("tarteaucitron=!gtag=true!video=wait", Unset, &[], &[]),
            // No consent is asked for it.
            ("tarteaucitron=!matomo=true", Unset, &[], &[]),
            // Nor was it, up to version 1.31, for these.
            ("tarteaucitron=!ferank=true!matomo=true", Unset, &[], &[]),
            ("tarteaucitron=!ferankpub=true!matomo=true", Unset, &[], &[]),
            ("tarteaucitron=!matomo=true!gtag=false", Partial, &["matomo"], &["gtag"]),
            ("tarteaucitron=!matomo=false", Denied, &[], &["matomo"]),
            // Whole keys and values.
            ("tarteaucitron=!mygtag=true!gtagx=true", Unset, &[], &[]),
            ("tarteaucitron=!gtag=TRUE!x=true", Unset, &[], &[]),
            ("tarteaucitron=!gtag=true!gtag=false", Conflict, &[], &[]),
            ("tarteaucitron=!", Unset, &[], &[]),
            ("tarteaucitron=gtag=true", Malformed, &[], &[]),
            ("tarteaucitron=!gtag", Malformed, &[], &[]),
            ("tarteaucitron=%21gtag%3Dtrue", Malformed, &[], &[]),
            ("tarteaucitron=true", Malformed, &[], &[]),
        ];
        check(Tool::Tarteaucitron, &["gtag", "video", "matomo"], cases);
    }

    /// Where a site has none but services that the tool asks no consent for, its own form could not
    /// tell an acceptance from a first page view.
    #[test]
    fn an_acceptance_of_services_that_are_never_asked_for_is_read_back() {
        let (matomo, plausible) = (Ids::one(0), Ids::one(1));
        let both = matomo.union(plausible);
        for (ids, granted, value, state) in [
            (&["matomo"][..], matomo, "!matomo=true!cookie-firewall=true", Granted),
            (&["matomo"], Ids::NONE, "!matomo=false", Denied),
            (
                &["matomo", "plausible"],
                both,
                "!matomo=true!plausible=true!cookie-firewall=true",
                Granted,
            ),
            (&["matomo", "plausible"], plausible, "!matomo=false!plausible=true", Partial),
            (&["matomo", "gtag"], both, "!matomo=true!gtag=true", Granted),
        ] {
            let rules = rules(Tool::Tarteaucitron, ids);
            let [written] = &rules.write(granted, 0)[..] else { panic!("one cookie") };
            assert_eq!(written.value, value);
            let cookie = format!("tarteaucitron={value}");
            assert_eq!(rules.read(Pairs::of(cookie.as_bytes()), 0).state(), state, "{cookie}");
        }
    }
}
