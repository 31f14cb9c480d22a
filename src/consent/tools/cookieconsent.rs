//! orestbida's `cc_cookie`: JSON with a list of the categories that were accepted
//! (`orestbida/cookieconsent`, `src/cookieconsent.js` of 2.9, `src/utils/cookies.js` of 3).
//!
//! Version 3 lists the services of every category it asked for, so that what is not accepted is
//! refused. Version 2 names the accepted ones alone; it asks for all at once, and again where the
//! site's `revision` has changed, so that what an answer leaves out was refused. A category of
//! version 3 is accepted as soon as one of its services is; ids `service:x` tell them apart.

use crate::consent::Ids;
use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json::{self, Value, once};
use crate::consent::rules::Rules;
use crate::consent::text;
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Cookieconsent;

impl Decoder for Cookieconsent {
    fn cookies(&self) -> &'static [&'static str] {
        &["cc_cookie"]
    }

    /// The categories of its documentation and of its examples.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[("analytics", "statistics"), ("functionality", "preferences"), ("marketing", "marketing")]
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
        let mut found = Found::default();
        json::object(jar.main().ok_or(Unanswered::Unset)?, |keys, value| {
            found.take(keys, value, answers)
        })?;
        let (at, asked) = match found.form()? {
            Form::Three(at) => (Some(at), found.asked.union(services(answers))),
            Form::Two(at) => (at, rules.all_ids()),
        };
        if rules.revision.is_some_and(|revision| found.revision != Some(revision)) {
            return Err(Unanswered::Expired);
        }
        answers.put_all(found.accepted, true);
        answers.put_all(asked.difference(found.accepted), false);
        Ok(at)
    }
}

const SERVICE: &str = "service:";

/// The ids of the site that stand for services, all of which a cookie of version 3 tells of.
fn services(answers: &Answers<'_>) -> Ids {
    let ids = answers.ids.iter().enumerate();
    ids.filter(|(_, id)| id.starts_with(SERVICE)).map(|(index, _)| Ids::one(index)).collect()
}

#[derive(Default)]
struct Found {
    has_categories: Option<()>,
    has_level: Option<()>,
    accepted: Ids,
    /// The categories with a list of services.
    asked: Ids,
    has_id: Option<()>,
    has_uuid: Option<()>,
    timestamps: [Option<i64>; 2],
    dates: [Option<i64>; 2],
    revision: Option<u64>,
}

/// Which version wrote the cookie, and when the visitor answered last.
enum Form {
    Two(Date),
    Three(i64),
}

impl Found {
    fn take(
        &mut self,
        keys: &[&str],
        value: Value<'_>,
        answers: &Answers<'_>,
    ) -> Result<(), Unanswered> {
        let id = |name| answers.index(name).map_or(Ids::NONE, Ids::one);
        match (keys, value) {
            (["categories"], Value::Several) => once(&mut self.has_categories, ()),
            (["level"], Value::Several) => once(&mut self.has_level, ()),
            (["categories" | "level"], Value::Text(name)) => {
                self.accepted = self.accepted.union(id(name));
                Ok(())
            }
            (["categories" | "level"], _) => Err(Unanswered::Malformed),
            (["services", name], Value::Several) => {
                self.asked = self.asked.union(id(name));
                Ok(())
            }
            (["services", _], Value::Text(service)) => {
                let mut ids = answers.ids.iter();
                let found = ids.position(|id| id.strip_prefix(SERVICE) == Some(service));
                self.accepted = self.accepted.union(found.map_or(Ids::NONE, Ids::one));
                Ok(())
            }
            (["consentId"], Value::Text(text)) if !text.is_empty() => once(&mut self.has_id, ()),
            (["consent_uuid"], Value::Text(text)) if !text.is_empty() => {
                once(&mut self.has_uuid, ())
            }
            (["consentTimestamp"], value) => once(&mut self.timestamps[0], date(value)?),
            (["lastConsentTimestamp"], value) => once(&mut self.timestamps[1], date(value)?),
            (["consent_date"], value) => once(&mut self.dates[0], date(value)?),
            (["last_consent_update"], value) => once(&mut self.dates[1], date(value)?),
            // The cast saturates, and no site counts so far.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            (["revision"], Value::Number(number)) => once(&mut self.revision, number as u64),
            _ => Ok(()),
        }
    }

    /// What each version asks of a cookie before it takes it for an answer.
    fn form(&self) -> Result<Form, Unanswered> {
        let has_list = self.has_categories.or(self.has_level).is_some();
        match (self.timestamps, self.dates) {
            ([Some(_), Some(last)], [None, None])
                if self.has_id.is_some() && self.has_categories.is_some() =>
            {
                Ok(Form::Three(last))
            }
            ([None, None], [Some(_), Some(last)]) if self.has_uuid.is_some() && has_list => {
                Ok(Form::Two(Some(last)))
            }
            // Until 2.8, this was all.
            ([None, None], [None, None]) if self.has_level.is_some() => Ok(Form::Two(None)),
            _ if has_list => Err(Unanswered::Unset),
            _ => Err(Unanswered::Malformed),
        }
    }
}

fn date(value: Value<'_>) -> Result<i64, Unanswered> {
    match value {
        Value::Text(text) => text::date(text).ok_or(Unanswered::Malformed),
        _ => Err(Unanswered::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{NOW, check, check_with, rules};
    use crate::consent::{Rules, Tool};
    use crate::cookie::Pairs;

    const IDS: &[&str] = &["analytics", "ads"];

    /// A cookie of version 3 with these categories and services.
    fn three(categories: &str, services: &str) -> String {
        format!(
            "cc_cookie={{\"categories\":[{categories}],\"revision\":2,\"data\":null,\
             \"consentTimestamp\":\"2026-06-01T00:00:00.000Z\",\"consentId\":\"00-00\",\
             \"services\":{{{services}}},\"languageCode\":\"fr\",\
             \"lastConsentTimestamp\":\"2026-10-01T00:00:00.000Z\",\"expirationTime\":1800000000000}}"
        )
    }

    /// A cookie of version 2 with this list.
    fn two(list: &str) -> String {
        format!(
            "cc_cookie={{{list},\"revision\":0,\"data\":null,\"rfc_cookie\":false,\
             \"consent_date\":\"2026-10-01T00:00:00.000Z\",\"consent_uuid\":\"00-00\",\
             \"last_consent_update\":\"2026-10-01T00:00:00.000Z\"}}"
        )
    }

    #[test]
    fn version_3() {
        let asked = "\"necessary\":[],\"analytics\":[\"ga\"],\"ads\":[]";
        let of = |categories| three(categories, asked);
        check(
            Tool::Cookieconsent,
            IDS,
            &[
                (&of("\"necessary\",\"analytics\",\"ads\""), Granted, IDS, &[]),
                (&of("\"necessary\",\"analytics\""), Partial, &["analytics"], &["ads"]),
                (&of("\"necessary\""), Denied, &[], IDS),
                (&three("\"necessary\"", "\"ads\":[]"), Denied, &[], &["ads"]),
                (&of("").replace("consentId", "consentID"), Unset, &[], &[]),
                (&of("").replace("lastConsentTimestamp", "x"), Unset, &[], &[]),
                (&of("").replace("\"00-00\"", "\"\""), Unset, &[], &[]),
                (&of("").replace("2026-10-01T", "first of October "), Malformed, &[], &[]),
                (&of("1"), Malformed, &[], &[]),
                (
                    &of("").replace("\"categories\":[]", "\"categories\":\"ads\""),
                    Malformed,
                    &[],
                    &[],
                ),
                (&of("").replace("\"categories\":[],", ""), Malformed, &[], &[]),
                ("cc_cookie={\"categories\":[\"necessary\",\"ads\"]}", Unset, &[], &[]),
                ("cc_cookie={}", Malformed, &[], &[]),
                ("cc_cookie=1", Malformed, &[], &[]),
            ],
        );
    }

    /// Its category counts as accepted as soon as one of its services is.
    #[test]
    fn a_service_that_was_refused_within_an_accepted_category() {
        let one = three("\"ads\"", "\"necessary\":[],\"analytics\":[],\"ads\":[\"maps\"]");
        let ids = &["ads", "service:maps", "service:pixel"];
        let (granted, denied) = (&["ads", "service:maps"], &["service:pixel"]);
        check(Tool::Cookieconsent, ids, &[(&one, Partial, granted, denied)]);
        let none = one.replace("[\"maps\"]", "[]").replace("[\"ads\"]", "[]");
        check(Tool::Cookieconsent, ids, &[(&none, Denied, &[], ids)]);
    }

    #[test]
    fn version_2() {
        check(
            Tool::Cookieconsent,
            IDS,
            &[
                (
                    &two("\"categories\":[\"ads\"],\"level\":[\"ads\"]"),
                    Partial,
                    &["ads"],
                    &["analytics"],
                ),
                (&two("\"categories\":[]"), Denied, &[], IDS),
                (&two("\"level\":[\"analytics\",\"ads\"]"), Granted, IDS, &[]),
                // Until 2.8.
                (
                    "cc_cookie={\"level\":[\"ads\"],\"revision\":0}",
                    Partial,
                    &["ads"],
                    &["analytics"],
                ),
                (&two("\"level\":[]").replace("consent_uuid", "x"), Unset, &[], &[]),
                (&two("\"level\":[]").replace("last_consent", "x"), Unset, &[], &[]),
            ],
        );
    }

    #[test]
    fn the_revision_of_the_site_and_the_last_date_count() {
        let value = three("\"ads\"", "\"ads\":[]");
        let rules = Rules { revision: Some(2), ..rules(Tool::Cookieconsent, IDS) };
        check_with(
            &rules,
            &[
                (&value, Granted, &["ads"], &[]),
                (&value.replace("\"revision\":2", "\"revision\":1"), Expired, &[], &[]),
                (&value.replace("\"revision\":2,", ""), Expired, &[], &[]),
            ],
        );
        let aged = |days: i64| {
            let rules = Rules { max_age: Some(days * 86_400), ..rules.clone() };
            rules.read(Pairs::of(value.as_bytes()), NOW).state()
        };
        assert_eq!((aged(60), aged(50)), (Granted, Expired));
    }
}
