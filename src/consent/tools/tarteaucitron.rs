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

/// Services without consent of their own (`needConsent: false` in `tarteaucitron.services.js`).
const NEVER_ASKED: &[&str] = &[
    "crisp",
    "matomo",
    "matomohightrack",
    "microanalytics",
    "plausible",
    "simpleanalytics",
    "stonly",
    "wysistathightrack",
];

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
            vec![choice.cookie(0, services.collect())]
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Granted, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check};

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
}
