//! The firewall's own cookie, `eu-consent`: the name that the CNIL recommends, with one boolean per
//! category (recommendation of 17 September 2020, article 6).
//!
//! `statistics=true&marketing=false&revision=2&date=2026-11-25T21:40:47Z`: categories as the site file
//! calls them, percent-encoded, the number of the question where the site gives it one, and when the
//! visitor chose. The date is required.

use crate::consent::Ids;
use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::text::{
    encoded_date, number, percent_decode, percent_encode, split_once, write_date,
};
use crate::consent::tool::{Decoder, Writer};
use crate::consent::written::{Choice, Written};

pub(in crate::consent) struct EuConsent;

/// The keys that are no categories, unless their value is a boolean.
const DATE: &str = "date";
const REVISION: &str = "revision";

impl EuConsent {
    /// Writes `choice` by category; one is granted if all that was asked for of it is. Of what was not
    /// asked for nothing is written: nobody has refused it, and the tool beside may have it granted.
    pub(in crate::consent) fn write(choice: &Choice<'_>) -> Vec<Written> {
        let mut value = String::new();
        for (category, ids) in choice.categories {
            let asked = ids.intersection(choice.asked);
            if !asked.is_empty() {
                let granted = choice.granted.contains(asked);
                value.push_str(&format!("{}={granted}&", percent_encode(category)));
            }
        }
        if let Some(revision) = choice.revision {
            value.push_str(&format!("{REVISION}={revision}&"));
        }
        value.push_str(&format!("{DATE}={}", write_date(choice.now)));
        vec![choice.cookie(0, value)]
    }
}

impl Decoder for EuConsent {
    fn cookies(&self) -> &'static [&'static str] {
        &["eu-consent"]
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("statistics", "statistics"),
            ("preferences", "preferences"),
            ("marketing", "marketing"),
            ("third-party", "third-party"),
        ]
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
        let value = jar.main().ok_or(Unanswered::Unset)?;
        let (mut date, mut revision) = (None, None);
        for field in value.split(|&b| b == b'&') {
            let (key, value) = split_once(field, b'=').ok_or(Unanswered::Malformed)?;
            let key = percent_decode(key).ok_or(Unanswered::Malformed)?;
            let granted = match value {
                b"true" => true,
                b"false" => false,
                value if *key == *DATE.as_bytes() && date.is_none() => {
                    date = Some(encoded_date(value).ok_or(Unanswered::Malformed)?);
                    continue;
                }
                value if *key == *REVISION.as_bytes() && revision.is_none() => {
                    revision = Some(number(value).ok_or(Unanswered::Malformed)?);
                    continue;
                }
                _ => return Err(Unanswered::Malformed),
            };
            answers.put_all(ids_of(rules, &key), granted);
        }
        let date = date.ok_or(Unanswered::Malformed)?;
        if rules.revision.is_some_and(|asked| revision != Some(asked)) {
            return Err(Unanswered::Expired);
        }
        Ok(Some(date))
    }

    fn writer(&self) -> Option<Writer> {
        Some(Self::write)
    }
}

fn ids_of(rules: &Rules, category: &[u8]) -> Ids {
    let mut categories = rules.categories.iter();
    let found = categories.find(|(name, _)| name.as_bytes() == category);
    found.map_or(Ids::NONE, |(_, ids)| *ids)
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{NOW, check_with, rules};
    use crate::consent::{Ids, Rules, Tool};
    use crate::cookie::Pairs;

    fn site() -> Rules {
        let ids = rules(Tool::EuConsent, &["stats", "ga", "ads"]);
        let (stats, ga, ads) = (Ids::one(0), Ids::one(1), Ids::one(2));
        let categories = [("statistics".into(), stats.union(ga)), ("Publicité".into(), ads)];
        Rules { max_age: Some(180 * 86_400), categories: categories.into(), ..ids }
    }

    #[test]
    fn one_boolean_for_each_category_and_a_date() {
        check_with(
            &site(),
            &[
                (
                    "eu-consent=statistics=true&Publicit%C3%A9=false&date=2026-11-01T10:00:00Z",
                    Partial,
                    &["stats", "ga"],
                    &["ads"],
                ),
                (
                    "eu-consent=date=2026-11-01T10:00:00Z&statistics=false",
                    Denied,
                    &[],
                    &["stats", "ga"],
                ),
                ("eu-consent=other=true&date=2026-11-01T10:00:00Z", Unset, &[], &[]),
                ("eu-consent=statistics=true&date=2026-01-01T10:00:00Z", Expired, &[], &[]),
                (
                    "eu-consent=statistics=true&statistics=false&date=2026-11-01T10:00:00Z",
                    Conflict,
                    &[],
                    &[],
                ),
                // A number that the site asks for none of.
                (
                    "eu-consent=statistics=true&revision=2&date=2026-11-01T10:00:00Z",
                    Granted,
                    &["stats", "ga"],
                    &[],
                ),
                ("eu-consent=revision=2&revision=3&date=2026-11-01T10:00:00Z", Malformed, &[], &[]),
                ("eu-consent=revision=-2&date=2026-11-01T10:00:00Z", Malformed, &[], &[]),
                ("eu-consent=statistics=true", Malformed, &[], &[]),
                ("eu-consent=statistics=true&date=2026-11-01", Malformed, &[], &[]),
                ("eu-consent=date=x&date=2026-11-01T10:00:00Z", Malformed, &[], &[]),
                ("eu-consent=statistics=true&date=2027-11-01T10:00:00Z", Malformed, &[], &[]),
                ("eu-consent=statistics=1&date=2026-11-01T10:00:00Z", Malformed, &[], &[]),
                ("eu-consent=%7B%22statistics%22:true%7D", Malformed, &[], &[]),
                ("eu-consent=", Malformed, &[], &[]),
            ],
        );
    }

    #[test]
    fn as_it_is_written() {
        let written = site().write(Ids::one(2), NOW);
        assert_eq!(
            written[0].set_cookie(true),
            "eu-consent=statistics=false&Publicit%C3%A9=true&date=2026-11-25T09:46:40Z; \
             Path=/; Max-Age=15552000; SameSite=Lax; Secure"
        );
        let cookie = format!("{}={}", written[0].name, written[0].value);
        let consent = site().read(Pairs::of(cookie.as_bytes()), NOW);
        assert_eq!(consent.state(), Partial);
    }

    /// Of what is not asked for, a refusal would contradict the tool's own answer.
    #[test]
    fn only_what_is_asked_for_is_written() {
        let rules = Rules { needed: Ids::one(0), ..site() };
        let of = |granted| rules.write(granted, NOW).remove(0).value;
        assert_eq!(of(Ids::one(0)), "statistics=true&date=2026-11-25T09:46:40Z");
        assert_eq!(of(Ids::NONE), "statistics=false&date=2026-11-25T09:46:40Z");
    }
}
