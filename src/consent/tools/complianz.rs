//! Complianz's `cmplz_*`: one cookie per category, `allow` or `deny`
//! (`Really-Simple-Plugins/complianz-gdpr`, `cookiebanner/js/complianz.js`).
//!
//! In regions without opt-in everything is `allow` by itself, and statistics can be before an answer:
//! categories count once `cmplz_banner-status` is `dismissed`. What was allowed for one service on the
//! page counts by itself (`cmplz_consented_services`).

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json;
use crate::consent::rules::Rules;
use crate::consent::text::number;
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Complianz;

/// What the first cookie is called behind the prefix, which is `cmplz_rt_` on the main site of
/// several.
const BANNER_STATUS: &str = "banner-status";

/// The others, by their places among the cookies.
const PREFERENCES: usize = 1;
const MARKETING: usize = 3;
const SERVICES: usize = 4;
const POLICY: usize = 5;

impl Decoder for Complianz {
    fn cookies(&self) -> &'static [&'static str] {
        &[
            "cmplz_banner-status",
            "cmplz_preferences",
            "cmplz_statistics",
            "cmplz_marketing",
            "cmplz_consented_services",
            "cmplz_policy_id",
        ]
    }

    fn names(&self, cookie: &str) -> Option<Vec<Box<str>>> {
        let prefix = cookie.strip_suffix(BANNER_STATUS)?;
        let rename = |name: &&str| name.replacen("cmplz_", prefix, 1).into();
        Some(self.cookies().iter().map(rename).collect())
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[("preferences", "preferences"), ("statistics", "statistics"), ("marketing", "marketing")]
    }

    fn is_dated(&self) -> bool {
        false
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
        let services = jar.get(SERVICES).filter(|value| !value.is_empty());
        let is_dismissed = match jar.main() {
            Some(b"dismissed") => true,
            Some(b"show") | None => false,
            Some(_) => return Err(Unanswered::Malformed),
        };
        if !is_dismissed && services.is_none() {
            return Err(Unanswered::Unset);
        }
        let policy = jar.get(POLICY).and_then(number);
        if rules.revision.is_some_and(|revision| policy != Some(revision)) {
            return Err(Unanswered::Expired);
        }
        if is_dismissed {
            categories(jar, answers)?;
        }
        if let Some(services) = services {
            json::object(services, |keys, value| {
                if let [service] = keys {
                    answers.answer_of("service:", service, value.bool()?);
                }
                Ok(())
            })?;
        }
        Ok(None)
    }
}

fn categories(jar: &Jar<'_>, answers: &mut Answers<'_>) -> Result<(), Unanswered> {
    for (slot, (id, _)) in (PREFERENCES..=MARKETING).zip(Complianz.ids()) {
        match jar.get(slot) {
            Some(b"allow") => answers.answer(id, true),
            Some(b"deny") => answers.answer(id, false),
            Some(b"") | None => {}
            Some(_) => return Err(Unanswered::Malformed),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{check, check_with, rules};
    use crate::consent::{Rules, Tool};

    const IDS: &[&str] = &["statistics", "marketing", "service:youtube"];
    const CHOSEN: &str = "cmplz_functional=allow; cmplz_statistics=allow; cmplz_marketing=deny";

    #[test]
    fn categories_count_once_the_banner_is_dismissed() {
        let dismissed = |rest: &str| format!("cmplz_banner-status=dismissed; {rest}");
        let service = "cmplz_consented_services={\"youtube\":true}";
        check(
            Tool::Complianz,
            IDS,
            &[
                (&dismissed(CHOSEN), Partial, &["statistics"], &["marketing"]),
                (
                    &format!("{CHOSEN}; cmplz_banner-status=dismissed"),
                    Partial,
                    &["statistics"],
                    &["marketing"],
                ),
                (&dismissed("cmplz_statistics=deny"), Denied, &[], &["statistics"]),
                (&dismissed("cmplz_consented_services="), Unset, &[], &[]),
                (&dismissed(service), Granted, &["service:youtube"], &[]),
                (service, Granted, &["service:youtube"], &[]),
                (&service.replace("true", "false"), Denied, &[], &["service:youtube"]),
                // Written without a choice.
                (CHOSEN, Unset, &[], &[]),
                (&format!("{CHOSEN}; cmplz_banner-status=show"), Unset, &[], &[]),
                (&format!("{CHOSEN}; {service}"), Granted, &["service:youtube"], &[]),
                ("cmplz_consented_services=", Unset, &[], &[]),
                (&dismissed("cmplz_statistics=yes"), Malformed, &[], &[]),
                (&dismissed("cmplz_consented_services=true"), Malformed, &[], &[]),
                (
                    &dismissed("cmplz_consented_services={\"youtube\":\"true\"}"),
                    Malformed,
                    &[],
                    &[],
                ),
                ("cmplz_banner-status=1", Malformed, &[], &[]),
                ("cmplz_rt_banner-status=dismissed; cmplz_statistics=allow", Unset, &[], &[]),
            ],
        );
    }

    #[test]
    fn the_prefix_of_a_multisite_and_the_policy_of_the_site() {
        let named = Rules::new(Tool::Complianz, "cmplz_rt_banner-status").expect("a prefix");
        let rules = Rules { revision: Some(7), ids: rules(Tool::Complianz, IDS).ids, ..named };
        let of = |policy: &str| {
            format!("cmplz_rt_banner-status=dismissed; cmplz_rt_statistics=deny; {policy}")
        };
        check_with(
            &rules,
            &[
                (&of("cmplz_rt_policy_id=7"), Denied, &[], &["statistics"]),
                (&of("cmplz_rt_policy_id=6"), Expired, &[], &[]),
                (&of(""), Expired, &[], &[]),
            ],
        );
        assert_eq!(Rules::new(Tool::Complianz, "cmplz_statistics"), None);
    }
}
