//! Axeptio's `axeptio_cookies`: JSON, one boolean per vendor, with keys of its own that begin with
//! `$$`; encoded or not, or compressed behind `lzc1.`. Two lists go with it: the vendors that were
//! authorized, and all (`axeptio/wordpress-plugin`, `axeptio/axeptio-gtm-public-variable`).
//!
//! The first page view writes it with `$$completed: false`. Alone, the list of authorized vendors tells
//! what was granted, and nothing of what was refused.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::jar::Jar;
use crate::consent::json::{self, Value, once};
use crate::consent::rules::Rules;
use crate::consent::text::{self, percent_decode};
use crate::consent::tool::Decoder;
use crate::consent::{Ids, lz};

pub(in crate::consent) struct Axeptio;

/// The lists, by their places among the cookies.
const AUTHORIZED: usize = 1;
const ALL: usize = 2;

impl Decoder for Axeptio {
    fn cookies(&self) -> &'static [&'static str] {
        &["axeptio_cookies", "axeptio_authorized_vendors", "axeptio_all_vendors"]
    }

    /// Vendors that many sites have, in one of their spellings.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("google_analytics", "statistics"),
            ("matomo", "statistics"),
            ("facebook_pixel", "marketing"),
            ("google_ads", "marketing"),
        ]
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        let authorized = vendors(jar.get(AUTHORIZED), answers)?;
        let Some(value) = jar.main() else {
            answers.put_all(authorized.unwrap_or(Ids::NONE), true);
            return if answers.granted.is_empty() { Err(Unanswered::Unset) } else { Ok(None) };
        };
        let at = choices(value, answers)?;
        if let (Some(authorized), Some(all)) = (authorized, vendors(jar.get(ALL), answers)?) {
            answers.put_all(all.difference(authorized), false);
        }
        Ok(at)
    }
}

/// The vendors of a list `,one,two,`.
fn vendors(list: Option<&[u8]>, answers: &Answers<'_>) -> Result<Option<Ids>, Unanswered> {
    let Some(list) = list else { return Ok(None) };
    let list = percent_decode(list).ok_or(Unanswered::Malformed)?;
    let list = str::from_utf8(&list).map_err(|_| Unanswered::Malformed)?;
    let list = list.strip_prefix(',').and_then(|list| list.strip_suffix(','));
    let list = list.ok_or(Unanswered::Malformed)?;
    let ids = list.split(',').filter_map(|vendor| answers.index(vendor)).map(Ids::one);
    Ok(Some(ids.fold(Ids::NONE, Ids::union)))
}

fn choices(value: &[u8], answers: &mut Answers<'_>) -> Result<Date, Unanswered> {
    let (mut completed, mut at) = (None, None);
    let field = |keys: &[&str], value: Value<'_>| match (keys, value) {
        (["$$completed"], value) => once(&mut completed, value.bool()?),
        (["$$date"], Value::Text(date)) => {
            once(&mut at, text::date(date).ok_or(Unanswered::Malformed)?)
        }
        (["$$date"], _) => Err(Unanswered::Malformed),
        ([vendor], value) => json::boolean(vendor, value, answers),
        _ => Ok(()),
    };
    match value.strip_prefix(b"lzc1.") {
        Some(compressed) => json::parse(decompress(compressed)?.as_bytes(), field)?,
        None => json::object(value, field)?,
    }
    match completed {
        Some(true) => Ok(at),
        Some(false) => Err(Unanswered::Unset),
        None => Err(Unanswered::Malformed),
    }
}

fn decompress(value: &[u8]) -> Result<String, Unanswered> {
    let value = percent_decode(value).ok_or(Unanswered::Malformed)?;
    lz::decompress(&value).ok_or(Unanswered::Malformed)
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Conflict, Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::tools::testing::{check, check_with, rules};
    use crate::consent::{Rules, Tool};

    const IDS: &[&str] = &["matomo", "google_analytics"];
    /// `matomo` granted and `google_analytics` refused on 16 June 2026.
    const CHOICES: &str = "axeptio_cookies={%22$$token%22:%22t%22%2C%22$$date%22:\
        %222026-06-16T05:19:22.179Z%22%2C%22$$cookiesVersion%22:{%22name%22:%22p-fr%22}%2C\
        %22matomo%22:true%2C%22google_analytics%22:false%2C%22$$completed%22:true}";
    /// The same, as `lz-string` compresses it.
    const COMPRESSED: &str = "axeptio_cookies=lzc1.N4IgJGAuD2DWCmA7EAuEkQBpxgCYENJ5UQAmABlIDYBac2gRioBVyBWFBgThVNIDoGAdi4AtLDgDG0OAEt4AZwBq8AE4LZ0ZClCJ8AW2JoADjQBmqibNxJIss\
        /MtoGIAL7Z9haPuipIqgFd4bABzGRCAG3gAfXw9CIBPO0kFVDN8CIVgqW9jKKJcP0D4VyA";

    #[test]
    fn one_boolean_for_each_vendor() {
        let begun = CHOICES.replace("completed%22:true", "completed%22:false");
        check(
            Tool::Axeptio,
            IDS,
            &[
                (CHOICES, Partial, &["matomo"], &["google_analytics"]),
                (
                    &CHOICES.replace("%22", "\"").replace("%2C", ","),
                    Partial,
                    &["matomo"],
                    &["google_analytics"],
                ),
                (COMPRESSED, Partial, &["matomo"], &["google_analytics"]),
                (&COMPRESSED.replace('-', "%2D"), Partial, &["matomo"], &["google_analytics"]),
                (
                    "axeptio_cookies={\"Matomo\":true,\"matomo\":false,\"$$completed\":true}",
                    Denied,
                    &[],
                    &["matomo"],
                ),
                (&begun, Unset, &[], &[]),
                (&format!("{begun}; axeptio_authorized_vendors=%2Cmatomo%2C"), Unset, &[], &[]),
                ("axeptio_cookies={\"matomo\":true}", Malformed, &[], &[]),
                ("axeptio_cookies={\"matomo\":true,\"$$completed\":\"true\"}", Malformed, &[], &[]),
                ("axeptio_cookies={\"matomo\":\"true\",\"$$completed\":true}", Malformed, &[], &[]),
                (
                    "axeptio_cookies={\"$$completed\":false,\"$$completed\":true}",
                    Malformed,
                    &[],
                    &[],
                ),
                ("axeptio_cookies={\"$$date\":1,\"$$completed\":true}", Malformed, &[], &[]),
                ("axeptio_cookies=lzc1.", Malformed, &[], &[]),
                ("axeptio_cookies=lzc1.Q", Malformed, &[], &[]),
                ("axeptio_cookies=true", Malformed, &[], &[]),
            ],
        );
    }

    #[test]
    fn the_lists_of_vendors() {
        let (both, one) = ("%2Cmatomo%2Cgoogle_analytics%2C", ",matomo,");
        let of = |authorized: &str, all: &str| {
            format!("{CHOICES}; axeptio_authorized_vendors={authorized}; axeptio_all_vendors={all}")
        };
        check(
            Tool::Axeptio,
            IDS,
            &[
                (&format!("axeptio_authorized_vendors={one}"), Granted, &["matomo"], &[]),
                (&format!("axeptio_authorized_vendors={both}"), Granted, IDS, &[]),
                ("axeptio_authorized_vendors=%2C%2C", Unset, &[], &[]),
                (&format!("axeptio_all_vendors={both}"), Unset, &[], &[]),
                ("axeptio_authorized_vendors=matomo", Malformed, &[], &[]),
                (&of(one, both), Partial, &["matomo"], &["google_analytics"]),
                // A vendor that the list leaves out was refused.
                (&of("%2C%2C", both), Conflict, &[], &[]),
            ],
        );
    }

    #[test]
    fn the_date() {
        let rules = Rules { max_age: Some(30 * 86_400), ..rules(Tool::Axeptio, IDS) };
        check_with(&rules, &[(CHOICES, Expired, &[], &[])]);
    }
}
