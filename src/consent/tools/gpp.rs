//! A string of the IAB's Global Privacy Platform, for its section 2: the European TC string ("Consent
//! String Specification" and "Section Information").
//!
//! Other sections are of the law elsewhere, where silence is consent; they answer nothing here.

use super::tcf;
use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::bits::Bits;
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Gpp;

/// The TC string of the EU.
const EU_TCF: u16 = 2;

impl Decoder for Gpp {
    /// Where the string is kept is up to the platform; this is OneTrust's name for it.
    fn cookies(&self) -> &'static [&'static str] {
        &["OTGPPConsent"]
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        tcf::IDS
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        let value = jar.main().ok_or(Unanswered::Unset)?;
        let mut sections = value.split(|&b| b == b'~');
        let header = sections.next().and_then(Bits::of).ok_or(Unanswered::Malformed)?;
        match place(header).ok_or(Unanswered::Malformed)? {
            Some(place) => tcf::read(sections.nth(place).ok_or(Unanswered::Malformed)?, answers),
            None => Err(Unanswered::Unset),
        }
    }
}

/// Which of the sections is the European one, by the header's ids: ranges, each from the last id on,
/// in Fibonacci coding. `None` where the header cannot be read.
fn place(mut header: Bits<'_>) -> Option<Option<usize>> {
    if (header.number(6)?, header.number(6)?) != (3, 1) {
        return None;
    }
    let (mut last, mut before, mut place) = (0u16, 0usize, None);
    for _ in 0..header.number(12)? {
        let is_range = header.bit()?;
        let start = last.checked_add(header.fibonacci()?)?;
        last = if is_range { start.checked_add(header.fibonacci()?)? } else { start };
        if (start..=last).contains(&EU_TCF) {
            place = Some(before + usize::from(EU_TCF - start));
        }
        before += usize::from(last - start) + 1;
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use crate::consent::State::{Denied, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check};

    #[test]
    fn the_european_section() {
        let string = "COwxsONOwxsONKpAAAENAdCAAMAAAAAAAAAAAAAAAAAA";
        let of = |header: &str| format!("OTGPPConsent={header}");
        let cases: &[Case<'_>] = &[
            (&*of(&format!("DBABM~{string}")), Partial, &["purpose:1"], &["purpose:3"]),
            (&of(&format!("DBACNY~{string}~1YNN")), Partial, &["purpose:1"], &["purpose:3"]),
            (
                &of("DBABM~CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA"),
                Denied,
                &[],
                &["purpose:1", "purpose:3"],
            ),
            // Sections 1 to 3 as a range: the second is the European one.
            (&of(&format!("DBAB7~x~{string}~x")), Partial, &["purpose:1"], &["purpose:3"]),
            // Of other laws.
            (&of("DBABL~BVQVAAAAAg.QA"), Unset, &[], &[]),
            (&of("DBABjw~1YNN~1YNN"), Unset, &[], &[]),
            (&of("DBABM"), Malformed, &[], &[]),
            (&of("DBABM~true"), Malformed, &[], &[]),
            (&of(&format!("DBACNY~1YNN~{string}")), Malformed, &[], &[]),
            (&of(string), Malformed, &[], &[]),
            (&of("DBD_____~x"), Malformed, &[], &[]),
            (&of(""), Malformed, &[], &[]),
            (&of("true"), Malformed, &[], &[]),
        ];
        check(Tool::Gpp, &["purpose:1", "purpose:3"], cases);
    }
}
