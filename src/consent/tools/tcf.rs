//! The IAB's TC string, version 2 (Transparency and Consent Framework, "Consent string and vendor list
//! formats v2", version 2.3 of April 2025).
//!
//! Ids are `purpose:1` to `purpose:11`, `special-feature:1` and `:2`, and `vendor:N`. Purpose 1 is
//! storing and reading on the device: without it no cookie has consent, whatever the other bits say.
//! What the framework calls invalid can still refuse, and grants nothing.

use crate::consent::answers::{Answers, Date, Unanswered};
use crate::consent::bits::Bits;
use crate::consent::jar::Jar;
use crate::consent::rules::Rules;
use crate::consent::tool::Decoder;

pub(in crate::consent) struct Tcf;

impl Decoder for Tcf {
    /// Where the string is kept is up to the platform; this name is the most common.
    fn cookies(&self) -> &'static [&'static str] {
        &["euconsent-v2"]
    }

    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        IDS
    }

    fn read(
        &self,
        jar: &Jar<'_>,
        _: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered> {
        read(jar.main().ok_or(Unanswered::Unset)?, answers)
    }
}

/// Storage and advertising, measuring of content, and the choice of content.
pub(super) const IDS: &[(&str, &str)] = &[
    ("purpose:1", "marketing"),
    ("purpose:2", "marketing"),
    ("purpose:3", "marketing"),
    ("purpose:4", "marketing"),
    ("purpose:5", "preferences"),
    ("purpose:6", "preferences"),
    ("purpose:7", "marketing"),
    ("purpose:8", "statistics"),
    ("purpose:9", "statistics"),
    ("purpose:10", "marketing"),
    ("purpose:11", "preferences"),
];

/// 1 October 2023, from when on strings have to follow TCF 2.2: policy version 4 or later, and of the
/// site itself, after strings for all sites together had been given up.
const FROM_2_2: u64 = 1_696_118_400;

/// 1 March 2026, from when on strings have to follow TCF 2.3: with the vendors that were disclosed.
const FROM_2_3: u64 = 1_772_323_200;

/// Reads a TC string into answers.
pub(super) fn read(value: &[u8], answers: &mut Answers<'_>) -> Result<Date, Unanswered> {
    let string = TcString::read(value).ok_or(Unanswered::Malformed)?;
    let is_valid = string.is_valid();
    for index in 0..answers.ids.len() {
        match string.answer(&answers.ids[index]) {
            Some(true) if !is_valid => {}
            Some(granted) => answers.put(index, granted),
            None => {}
        }
    }
    i64::try_from(string.at).map(Some).map_err(|_| Unanswered::Malformed)
}

struct TcString<'t> {
    /// Unix seconds: the older of creation and last update, which have been the same since 2021.
    at: u64,
    policy: u16,
    is_of_site: bool,
    special_features: u16,
    purposes: u64,
    /// Purpose 1 was not asked for, since the publisher's country does not ask for it so.
    skips_purpose_one: bool,
    vendors: Vendors<'t>,
    /// Vendors to which the publisher denies purpose 1, by ranges.
    restricted: Bits<'t>,
    disclosed: Option<Vendors<'t>>,
}

impl<'t> TcString<'t> {
    fn read(value: &'t [u8]) -> Option<Self> {
        let mut segments = value.split(|&b| b == b'.');
        let mut string = Self::core(Bits::of(segments.next()?)?)?;
        for segment in segments {
            let mut bits = Bits::of(segment)?;
            // The other types are of no concern here: vendors allowed elsewhere, the publisher's own.
            if bits.number(3)? == 1 && string.disclosed.replace(Vendors::read(&mut bits)?).is_some()
            {
                return None;
            }
        }
        Some(string)
    }

    fn core(mut bits: Bits<'t>) -> Option<Self> {
        if bits.number(6)? != 2 {
            return None;
        }
        let (created, updated) = (bits.number(36)? / 10, bits.number(36)? / 10);
        // Platform, its version, screen, language and vendor list.
        bits.skip(12 + 12 + 6 + 12 + 12)?;
        let policy = bits.short(6)?;
        let is_of_site = bits.bit()?;
        bits.skip(1)?;
        let special_features = bits.short(12)?;
        let purposes = bits.number(24)?;
        // Legitimate interest is no consent.
        bits.skip(24)?;
        let skips_purpose_one = bits.bit()?;
        bits.skip(12)?;
        let vendors = Vendors::read(&mut bits)?;
        Vendors::read(&mut bits)?;
        Some(Self {
            at: created.min(updated),
            policy,
            is_of_site,
            special_features,
            purposes,
            skips_purpose_one,
            vendors,
            restricted: bits,
            disclosed: None,
        })
    }

    fn is_valid(&self) -> bool {
        let follows_2_2 = self.policy >= 4 && self.is_of_site;
        (self.at < FROM_2_2 || follows_2_2) && (self.at < FROM_2_3 || self.disclosed.is_some())
    }

    /// What the string says of an id of the site's; `None` of one that it does not know.
    fn answer(&self, id: &str) -> Option<bool> {
        let (kind, number) = id.split_once(':')?;
        let number: u16 = number.parse().ok().filter(|&number| number > 0)?;
        let granted = match kind {
            "purpose" if number <= self.last_purpose() => self.purpose(number),
            "special-feature" if number <= 2 => self.special_features >> (12 - number) & 1 == 1,
            "vendor" => self.vendor(number)?,
            _ => return None,
        };
        let stores = self.purpose(1);
        if !stores && self.skips_purpose_one && (granted || (kind, number) == ("purpose", 1)) {
            return None;
        }
        Some(granted && stores)
    }

    /// The purposes that the string's version of the framework knows.
    fn last_purpose(&self) -> u16 {
        if self.policy >= 4 { 11 } else { 10 }
    }

    fn purpose(&self, number: u16) -> bool {
        self.purposes >> (24 - number) & 1 == 1
    }

    /// A vendor that was not disclosed has not been chosen about (TCF 2.3).
    fn vendor(&self, number: u16) -> Option<bool> {
        if self.disclosed.is_some_and(|disclosed| disclosed.contains(number) != Some(true)) {
            return None;
        }
        let granted = self.vendors.contains(number)?;
        Some(granted && !self.is_restricted(number)?)
    }

    /// Whether the publisher forbids this vendor purpose 1 (restriction type 0).
    fn is_restricted(&self, number: u16) -> Option<bool> {
        let mut bits = self.restricted;
        for _ in 0..bits.number(12)? {
            let (purpose, kind) = (bits.number(6)?, bits.number(2)?);
            if range_holds(&mut bits, number)? && (purpose, kind) == (1, 0) {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// A set of vendors: a bit for each, or ranges.
#[derive(Clone, Copy)]
struct Vendors<'t> {
    last: u16,
    is_ranges: bool,
    bits: Bits<'t>,
}

impl<'t> Vendors<'t> {
    /// Reads the set, and past it; `None` where it is cut.
    fn read(bits: &mut Bits<'t>) -> Option<Self> {
        let (last, is_ranges) = (bits.short(16)?, bits.bit()?);
        let set = Self { last, is_ranges, bits: *bits };
        if is_ranges {
            range_holds(bits, 0)?;
        } else {
            bits.skip(last.into())?;
        }
        Some(set)
    }

    fn contains(&self, vendor: u16) -> Option<bool> {
        let mut bits = self.bits;
        if self.is_ranges {
            range_holds(&mut bits, vendor)
        } else if vendor > self.last {
            Some(false)
        } else {
            bits.skip(usize::from(vendor) - 1)?;
            bits.bit()
        }
    }
}

/// Whether a list of ranges holds `vendor`; reads to its end in any case.
fn range_holds(bits: &mut Bits<'_>, vendor: u16) -> Option<bool> {
    let mut holds = false;
    for _ in 0..bits.number(12)? {
        let is_range = bits.bit()?;
        let start = bits.short(16)?;
        let end = if is_range { bits.short(16)? } else { start };
        holds |= (start..=end).contains(&vendor);
    }
    Some(holds)
}

#[cfg(test)]
mod tests {
    use super::{FROM_2_2, FROM_2_3};
    use crate::consent::State::{Denied, Expired, Granted, Malformed, Partial, Unset};
    use crate::consent::Tool;
    use crate::consent::tools::testing::{Case, check, check_with, rules};
    use crate::consent::{Rules, State};

    const P1: &str = "purpose:1";
    const P8: &str = "purpose:8";
    const VENDOR: &str = "vendor:12";
    const IDS: &[&str] = &[P1, P8, VENDOR];
    /// 2026-11-25, the day of the tests.
    const TODAY: u64 = 1_795_564_800;

    /// What a string under test is made of; all as it should be by default.
    #[derive(Clone)]
    struct Made {
        at: u64,
        version: u64,
        policy: u64,
        is_of_site: bool,
        purposes: u64,
        skips_purpose_one: bool,
        vendors: String,
        restrictions: String,
        segments: Vec<String>,
    }

    fn number(value: u64, width: usize) -> String {
        format!("{value:0width$b}")
    }

    /// Vendors 1 to `last` as bits.
    fn bits(last: u64) -> String {
        number(last, 16) + "0" + &"1".repeat(usize::try_from(last).expect("a small number"))
    }

    /// Vendors from 10 to 20, and 40, as ranges.
    fn ranges() -> String {
        [number(40, 16), "1".into(), number(2, 12), "1".into(), number(10, 16), number(20, 16)]
            .concat()
            + "0"
            + &number(40, 16)
    }

    fn text(bits: &str) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let padded = format!("{bits}{}", "0".repeat(bits.len().next_multiple_of(6) - bits.len()));
        let sextets = padded.as_bytes().chunks(6);
        let value = |chunk: &[u8]| chunk.iter().fold(0, |v, b| v * 2 + usize::from(b - b'0'));
        sextets.map(|chunk| char::from(alphabet[value(chunk)])).collect()
    }

    impl Made {
        fn with(purposes: &[u32]) -> Self {
            Self {
                at: TODAY,
                version: 2,
                policy: 5,
                is_of_site: true,
                purposes: purposes.iter().map(|purpose| 1 << (24 - purpose)).sum(),
                skips_purpose_one: false,
                vendors: bits(12),
                restrictions: number(0, 12),
                segments: vec![number(1, 3) + &bits(500)],
            }
        }

        fn core(&self) -> String {
            let date = number(self.at * 10, 36);
            let head = [number(self.version, 6), date.clone(), date, number(7, 12 + 12 + 6)];
            let flags = |flag: bool| number(flag.into(), 1);
            let site = [number(130, 12), number(90, 12), number(self.policy, 6)];
            let rest = [
                flags(self.is_of_site),
                flags(false),
                number(0, 12),
                number(self.purposes, 24),
                number(0, 24),
                flags(self.skips_purpose_one),
                number(130, 12),
                self.vendors.clone(),
                bits(0),
                self.restrictions.clone(),
            ];
            [head.concat(), site.concat(), rest.concat()].concat()
        }

        fn cookie(&self) -> String {
            let segments = self.segments.iter().map(|segment| format!(".{}", text(segment)));
            format!("euconsent-v2={}{}", text(&self.core()), segments.collect::<String>())
        }
    }

    #[track_caller]
    fn holds(made: &Made, state: State, granted: &[&str], denied: &[&str]) {
        let case: Case<'_> = (&made.cookie(), state, granted, denied);
        check(Tool::Tcf, IDS, &[case]);
    }

    #[test]
    fn purposes_and_vendors() {
        holds(&Made::with(&[1, 8]), Granted, IDS, &[]);
        holds(&Made::with(&[1]), Partial, &[P1, VENDOR], &[P8]);
        holds(&Made::with(&[]), Denied, &[], IDS);
        // Without storage no cookie, whatever else was agreed to.
        holds(&Made::with(&[8]), Denied, &[], IDS);
        let skipping = Made { skips_purpose_one: true, ..Made::with(&[8]) };
        holds(&skipping, Unset, &[], &[]);
        holds(&Made { purposes: 0, ..skipping }, Denied, &[], &[P8]);
        let small = Made { vendors: bits(11), ..Made::with(&[1, 8]) };
        holds(&small, Partial, &[P1, P8], &[VENDOR]);
        holds(&Made { vendors: ranges(), ..small.clone() }, Granted, IDS, &[]);
        let undisclosed = Made { segments: vec![number(1, 3) + &bits(11)], ..small };
        holds(&Made { vendors: bits(12), ..undisclosed }, Granted, &[P1, P8], &[]);
    }

    #[test]
    fn publishers_can_deny_a_vendor() {
        let restriction = |purpose, kind, vendor| {
            let entry = [number(purpose, 6), number(kind, 2), number(1, 12), "0".into()];
            [number(1, 12), entry.concat(), number(vendor, 16)].concat()
        };
        let made = |restrictions| Made { restrictions, ..Made::with(&[1, 8]) };
        holds(&made(restriction(1, 0, 12)), Partial, &[P1, P8], &[VENDOR]);
        holds(&made(restriction(1, 1, 12)), Granted, IDS, &[]);
        holds(&made(restriction(2, 0, 12)), Granted, IDS, &[]);
        holds(&made(restriction(1, 0, 13)), Granted, IDS, &[]);
    }

    #[test]
    fn special_features() {
        let made = Made::with(&[1]);
        let mut core = made.core();
        core.replace_range(140..152, &number(1 << 11, 12));
        let cookie = format!("euconsent-v2={}.{}", text(&core), text(&made.segments[0]));
        let ids =
            ["special-feature:1", "special-feature:2", "special-feature:3", "purpose:12", "x:1"];
        check(Tool::Tcf, &ids, &[(&cookie, Partial, &ids[..1], &ids[1..2])]);
    }

    #[test]
    fn what_the_framework_calls_invalid_can_refuse_and_not_grant() {
        let given = Made::with(&[1]);
        for invalid in [
            Made { policy: 3, ..given.clone() },
            Made { is_of_site: false, ..given.clone() },
            Made { segments: vec![], ..given.clone() },
            Made { at: FROM_2_3, segments: vec![], ..given.clone() },
            Made { at: FROM_2_2, policy: 2, ..given.clone() },
        ] {
            holds(&invalid, Denied, &[], &[P8]);
        }
        holds(
            &Made { at: FROM_2_3 - 1, segments: vec![], ..given.clone() },
            Partial,
            &[P1, VENDOR],
            &[P8],
        );
        let old =
            Made { at: FROM_2_2 - 1, policy: 2, is_of_site: false, segments: vec![], ..given };
        holds(&old, Partial, &[P1, VENDOR], &[P8]);
    }

    #[test]
    fn dates_and_broken_strings() {
        let made = Made::with(&[1, 8]);
        let rules = Rules { max_age: Some(180 * 86_400), ..rules(Tool::Tcf, IDS) };
        let old = Made { at: TODAY - 181 * 86_400, ..made.clone() };
        check_with(
            &rules,
            &[(&made.cookie(), Granted, IDS, &[]), (&old.cookie(), Expired, &[], &[])],
        );
        let disclosed = made.segments[0].clone();
        for broken in [
            Made { version: 1, ..made.clone() },
            Made { at: TODAY + 3 * 86_400, ..made.clone() },
            Made { vendors: number(300, 16) + "0", ..made.clone() },
            Made { vendors: number(300, 16) + "1" + &number(4000, 12), ..made.clone() },
            Made { segments: vec![disclosed.clone(), disclosed], ..made.clone() },
            Made { segments: vec![number(1, 3)], ..made.clone() },
            Made { segments: vec![String::new()], ..made.clone() },
        ] {
            holds(&broken, Malformed, &[], &[]);
        }
        let whole = made.cookie();
        for end in "euconsent-v2=".len()..whole.find('.').expect("two segments") - 2 {
            check(Tool::Tcf, IDS, &[(&whole[..end], Malformed, &[], &[])]);
        }
        for value in ["true", "", "C", "CP=", "%43P", "B", "...."] {
            check(Tool::Tcf, IDS, &[(&format!("euconsent-v2={value}"), Malformed, &[], &[])]);
        }
    }

    /// The specification's own example, and two of the reference implementation's.
    #[test]
    fn published_strings() {
        let spec = "euconsent-v2=CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA.YAAAAAAAAAAA";
        let one = "euconsent-v2=COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA";
        let ranges = "euconsent-v2=COv__-wOv__-wC2AAAENAPCgAAAAAAAAAAAAA_wAQA_gEBABAEAAAA";
        check(
            Tool::Tcf,
            &[P1, "vendor:4", "vendor:5"],
            &[(spec, Denied, &[], &[P1, "vendor:4", "vendor:5"])],
        );
        check(Tool::Tcf, &["purpose:2", "purpose:3"], &[(one, Denied, &[], &["purpose:3"])]);
        check(Tool::Tcf, &["vendor:127"], &[(ranges, Denied, &[], &["vendor:127"])]);
    }
}
