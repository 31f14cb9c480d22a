//! Didomi's `didomi_token`, base64 of JSON with lists of what was enabled and disabled, and beside
//! it `euconsent-v2`, a TC string (Didomi's documentation of its cookies).
//!
//! Where a site takes part in the TCF, its purposes are in the string and the token has the others, so
//! that both are read. A token without any list was written before a choice; `vendors_li` is
//! legitimate interest and no consent. The binary `didomi_dcs` counts its purposes with numbers that
//! only the site's account can resolve, and is not read.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::tcf;
use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json::{self, Value, once};
use crate::consent::rules::Rules;
use crate::consent::text::{self, percent_decode};
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Didomi;

/// `euconsent-v2` among the cookies.
const STRING: usize = 1;

/// Padded or not: some stores drop the `=`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Decoder for Didomi {
    fn cookies(&self) -> &'static [&'static str] {
        &["didomi_token", "euconsent-v2"]
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        let token = jar.main().map(|value| token(value, answers)).transpose();
        let string = jar.get(STRING).map(|value| tcf::read(value, answers)).transpose();
        match (token, string) {
            (Err(Unanswered::Unset) | Ok(None), Ok(Some(at))) => Ok(at),
            (Ok(Some(at)), Err(Unanswered::Unset) | Ok(None)) => Ok(at),
            (Ok(Some(one)), Ok(Some(other))) => Ok(one.into_iter().chain(other).min()),
            (Err(unanswered), Ok(None)) => Err(unanswered),
            (Ok(None), Ok(None)) => Err(Unanswered::Unset),
            (_, Err(unanswered)) | (Err(unanswered), _) => Err(unanswered),
        }
    }
}

fn token(value: &[u8], answers: &mut Answers<'_>) -> Result<Date, Unanswered> {
    let value = percent_decode(value).ok_or(Unanswered::Malformed)?;
    let token = BASE64.decode(value).map_err(|_| Unanswered::Malformed)?;
    let (mut updated, mut is_answered) = (None, false);
    json::parse(&token, |keys, value| match (keys, value) {
        (["updated"], Value::Text(date)) => {
            once(&mut updated, text::date(date).ok_or(Unanswered::Malformed)?)
        }
        (["updated"], _) => Err(Unanswered::Malformed),
        ([list @ ("purposes" | "vendors"), state @ ("enabled" | "disabled")], value) => {
            let prefix = if *list == "vendors" { "vendor:" } else { "" };
            if let Value::Text(id) = value {
                answers.answer_of(prefix, id, *state == "enabled");
            }
            is_answered |= value != Value::Several;
            Ok(())
        }
        _ => Ok(()),
    })?;
    if is_answered { Ok(updated) } else { Err(Unanswered::Unset) }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use crate::consent::State::{Conflict, Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{check, check_with, rules};
    use crate::consent::{Rules, Tool};

    const IDS: &[&str] = &["analytics", "vendor:c:x", "purpose:1"];
    /// No purpose, from a publisher in Germany.
    const STRING: &str =
        "euconsent-v2=CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA";

    fn token(fields: &str) -> String {
        let json = format!(
            "{{\"user_id\":\"0\",\"created\":\"2026-10-01T00:00:00.000Z\",\
             \"updated\":\"2026-10-02T00:00:00.000Z\",{fields}\"version\":2}}"
        );
        format!("didomi_token={}", BASE64_STANDARD.encode(json))
    }

    #[test]
    fn the_token_and_the_string() {
        let enabled = token(
            "\"purposes\":{\"enabled\":[\"analytics\"]},\"vendors\":{\"disabled\":[\"c:x\",755]},",
        );
        let empty = token("");
        check(
            Tool::Didomi,
            IDS,
            &[
                (&enabled, Partial, &["analytics"], &["vendor:c:x"]),
                (enabled.trim_end_matches('='), Partial, &["analytics"], &["vendor:c:x"]),
                (
                    &enabled.replace('=', "%3D").replacen("%3D", "=", 1),
                    Partial,
                    &["analytics"],
                    &["vendor:c:x"],
                ),
                (
                    &format!("{enabled}; {STRING}"),
                    Partial,
                    &["analytics"],
                    &["vendor:c:x", "purpose:1"],
                ),
                (STRING, Denied, &[], &["purpose:1"]),
                (&format!("{STRING}; {empty}"), Denied, &[], &["purpose:1"]),
                (&token("\"vendors\":{\"enabled\":[\"c:x\"]},"), Granted, &["vendor:c:x"], &[]),
                // No lists, empty ones, and legitimate interest.
                (&empty, Unset, &[], &[]),
                (&token("\"purposes\":{\"enabled\":[],\"disabled\":[]},"), Unset, &[], &[]),
                (&token("\"vendors_li\":{\"enabled\":[\"c:x\"]},"), Unset, &[], &[]),
                ("didomi_dcs=CAAA", Unset, &[], &[]),
                (
                    &token(
                        "\"purposes\":{\"enabled\":[\"analytics\"],\"disabled\":[\"analytics\"]},",
                    ),
                    Conflict,
                    &[],
                    &[],
                ),
                (&format!("{enabled}; euconsent-v2=true"), Malformed, &[], &[]),
                (&format!("didomi_token=1; {STRING}"), Malformed, &[], &[]),
                (&token("\"updated\":1,"), Malformed, &[], &[]),
                ("didomi_token=1", Malformed, &[], &[]),
                ("didomi_token=e30=", Unset, &[], &[]),
                ("didomi_token={}", Malformed, &[], &[]),
            ],
        );
    }

    #[test]
    fn the_older_date_holds() {
        let rules = Rules { max_age: Some(100 * 86_400), ..rules(Tool::Didomi, IDS) };
        let enabled = token("\"purposes\":{\"enabled\":[\"analytics\"]},");
        check_with(
            &rules,
            &[
                (&enabled, Granted, &["analytics"], &[]),
                (&format!("{enabled}; {STRING}"), Expired, &[], &[]),
            ],
        );
    }
}
