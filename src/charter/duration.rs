//! Durations as people write them: `14 days`, `6 months`, `13 mois`, `1 an et 4 jours`.

use super::Language;

/// Seconds in a unit, by its English and French names. A month is 30 days and a year 365, so that a
/// cap is never longer than the calendar's.
const UNITS: &[(&[&str], u64)] = &[
    (&["s", "sec", "secs", "second", "seconds", "seconde", "secondes"], 1),
    (&["min", "mins", "mn", "minute", "minutes"], 60),
    (&["h", "hr", "hrs", "hour", "hours", "heure", "heures"], 3_600),
    (&["d", "day", "days", "j", "jour", "jours"], 86_400),
    (&["w", "week", "weeks", "semaine", "semaines"], 7 * 86_400),
    (&["month", "months", "mois"], 30 * 86_400),
    (&["y", "yr", "yrs", "year", "years", "an", "ans", "année", "années"], 365 * 86_400),
];

/// The longest duration accepted, in seconds: it fits the `Max-Age` that is written.
const MAX_SECONDS: u64 = u32::MAX as u64;

/// What is wrong with a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// A number without a unit, or nothing at all.
    NoUnit,
    /// A unit that is not known.
    UnknownUnit(String),
    /// Longer than some 136 years.
    TooLong,
}

impl DurationError {
    /// What to say of it.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::NoUnit => "a duration needs a number and a unit".to_owned(),
            Self::UnknownUnit(unit) => format!("{unit:?} is not a unit of time"),
            Self::TooLong => "this duration is too long".to_owned(),
        }
    }

    /// What to write instead.
    pub const REMEDY: &str = "write for example \"30 s\", \"5 min\", \"2 hours\", \"14 days\", \"6 months\" or \"1 year\"";
}

/// The whole seconds that `text` stands for.
///
/// # Errors
///
/// [`DurationError`], where it is no duration from the first to the last character.
pub fn seconds(text: &str) -> Result<u32, DurationError> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(DurationError::NoUnit);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(DurationError::NoUnit);
        }
        let scale = scale(unit).ok_or_else(|| DurationError::UnknownUnit(unit.to_owned()))?;
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        total = number
            .checked_mul(scale)
            .and_then(|seconds| total.checked_add(seconds))
            .filter(|total| *total <= MAX_SECONDS)
            .ok_or(DurationError::TooLong)?;
        rest = between(after);
    }
    u32::try_from(total).map_err(|_| DurationError::TooLong)
}

fn scale(unit: &str) -> Option<u64> {
    let unit = unit.to_lowercase();
    UNITS.iter().find(|(names, _)| names.contains(&unit.as_str())).map(|(_, scale)| *scale)
}

/// What follows a comma, an "and", an "et" or nothing.
fn between(rest: &str) -> &str {
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    let word = ["and ", "et "].iter().find_map(|word| rest.strip_prefix(word));
    word.unwrap_or(rest).trim_start()
}

/// What a cell says of a cookie's lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Until the user agent's session ends.
    Session,
    /// So many seconds, or at most so many.
    Seconds(u32),
    /// Nothing.
    Nothing,
    /// Something that is no single lifetime.
    Unclear,
}

/// The lifetime that stands in running text: `2 weeks by default`, `jusqu'à 12 mois`, `session`.
///
/// Words around it are left aside. Where two lifetimes stand that differ, or one besides the
/// session's, none is chosen.
pub(super) fn told(text: &str) -> Told {
    let words = super::words::fold(text);
    if ["", "non precisee", "non precise", "not stated"].contains(&words.as_str()) {
        return Told::Nothing;
    }
    let says = |stems: &[&str]| words.split(' ').any(|w| stems.iter().any(|s| w.starts_with(s)));
    let is_closed = says(&["navigateur", "browser"]) && says(&["ferme", "clos"]);
    let is_session =
        is_closed || words.split(' ').any(|word| word == "session" || word == "sessions");
    let mut found = lifetimes(text);
    found.dedup();
    match (is_session, &*found) {
        (true, []) => Told::Session,
        (false, [Some(seconds)]) if *seconds > 0 => Told::Seconds(*seconds),
        _ => Told::Unclear,
    }
}

/// Every number with what follows it, as a duration if it is one; numbers one after the other that
/// are one duration count once.
fn lifetimes(text: &str) -> Vec<Option<u32>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        // A fraction, a sign or a letter before the number make it another one.
        let odd = |c: char| c.is_alphanumeric() || ".,-_#".contains(c);
        let is_clean = !rest[..at].ends_with(odd);
        rest = &rest[at..];
        let (duration, after) = longest(rest);
        found.push(duration.filter(|_| is_clean));
        rest = after;
    }
    found
}

/// The longest duration at the beginning of `text`, which is a digit, and what follows. Its parts
/// descend: `1 an et 1 mois` is one, `365 days, 364 days` are two.
fn longest(text: &str) -> (Option<u32>, &str) {
    let text_end = |from: &str| text.len() - from.len();
    let mut rest = text;
    let mut end = 0;
    let mut least = u64::MAX;
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let unit = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        match scale(&after[..unit]).filter(|scale| *scale < least) {
            Some(scale) => least = scale,
            None => break,
        }
        end = text_end(&after[unit..]);
        rest = between(&after[unit..]);
    }
    if end == 0 {
        return (None, text.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    (seconds(&text[..end]).ok(), &text[end..])
}

/// `seconds` in words that [`seconds()`] reads as the same number.
#[must_use]
pub fn spelt(seconds: u32, language: Language) -> String {
    const UNITS: [(u32, [&str; 2], [&str; 2]); 7] = [
        (365 * 86_400, ["year", "years"], ["an", "ans"]),
        (30 * 86_400, ["month", "months"], ["mois", "mois"]),
        (7 * 86_400, ["week", "weeks"], ["semaine", "semaines"]),
        (86_400, ["day", "days"], ["jour", "jours"]),
        (3_600, ["hour", "hours"], ["heure", "heures"]),
        (60, ["minute", "minutes"], ["minute", "minutes"]),
        (1, ["second", "seconds"], ["seconde", "secondes"]),
    ];
    let counted = |count: u32, english: [&str; 2], french: [&str; 2]| {
        let [one, many] = match language {
            Language::English => english,
            Language::French => french,
        };
        format!("{count} {}", if count == 1 { one } else { many })
    };
    // One unit where it is exact, and as people count: 90 minutes, and not 26 weeks.
    let exact = UNITS.iter().find(|(size, ..)| {
        let most = if *size == 7 * 86_400 {
            3
        } else if *size < 86_400 {
            99
        } else {
            u32::MAX
        };
        seconds.is_multiple_of(*size) && (1..=most).contains(&(seconds / size))
    });
    if let Some((size, english, french)) = exact {
        return counted(seconds / size, *english, *french);
    }
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, english, french) in UNITS.into_iter().filter(|(size, ..)| *size != 7 * 86_400) {
        if left >= size {
            parts.push(counted(left / size, english, french));
            left %= size;
        }
    }
    match parts.is_empty() {
        true => counted(0, ["second", "seconds"], ["seconde", "secondes"]),
        false => parts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_in_running_text() {
        let day = 86_400;
        let cases = [
            ("13 mois", Told::Seconds(390 * day)),
            ("2 weeks by default", Told::Seconds(14 * day)),
            ("1 an, 1 mois et 4 jours", Told::Seconds(399 * day)),
            ("Jusqu'à 12 mois", Told::Seconds(360 * day)),
            ("13 mois maximum.", Told::Seconds(390 * day)),
            ("30mn", Told::Seconds(1_800)),
            ("24h", Told::Seconds(day)),
            ("12\u{a0}mois", Told::Seconds(360 * day)),
            ("6 months (180 days)", Told::Seconds(180 * day)),
            ("Durée : 1 year", Told::Seconds(365 * day)),
            ("session", Told::Session),
            ("Fin de la session", Told::Session),
            ("Session cookie", Told::Session),
            ("Jusqu'à la fermeture du navigateur", Told::Session),
            ("Until the browser is closed", Told::Session),
            ("Fermeture du navigateur ou 1 an", Told::Unclear),
            ("2 yrs", Told::Seconds(730 * day)),
            ("10 mins", Told::Seconds(600)),
            ("", Told::Nothing),
            (" — ", Told::Nothing),
            ("Non précisée", Told::Nothing),
            ("persistent", Told::Unclear),
            ("session ou 13 mois", Told::Unclear),
            ("2 à 24 mois", Told::Unclear),
            ("30 minutes ou 2 ans", Told::Unclear),
            ("365 days, 364 days", Told::Unclear),
            ("1 jour et 1 an", Told::Unclear),
            ("1.5 days", Told::Unclear),
            ("1,5 an", Told::Unclear),
            ("0 jour", Told::Unclear),
            ("un an", Told::Unclear),
            ("200 ans", Told::Unclear),
            ("3 lunes", Told::Unclear),
        ];
        for (text, expected) in cases {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }

    #[test]
    fn spelt_durations() {
        let day = 86_400;
        let cases = [
            (1, "1 second", "1 seconde"),
            (1_800, "30 minutes", "30 minutes"),
            (14 * day, "2 weeks", "2 semaines"),
            (182 * day, "182 days", "182 jours"),
            (365 * day, "1 year", "1 an"),
            (390 * day, "13 months", "13 mois"),
            (
                399 * day + 1,
                "1 year, 1 month, 4 days, 1 second",
                "1 an, 1 mois, 4 jours, 1 seconde",
            ),
        ];
        for (seconds, english, french) in cases {
            assert_eq!(spelt(seconds, Language::English), english);
            assert_eq!(spelt(seconds, Language::French), french);
        }
        for seconds in (0..u32::MAX).step_by(999_983).chain([u32::MAX, 0, 59, 60, 61]) {
            for language in Language::ALL {
                let text = spelt(seconds, language);
                assert_eq!(super::seconds(&text), Ok(seconds), "{text}");
            }
        }
    }

    #[test]
    fn durations() {
        let day = 86_400;
        let cases = [
            ("30 s", Ok(30)),
            ("5min", Ok(300)),
            ("2 hours", Ok(7_200)),
            ("14 days", Ok(14 * day)),
            ("6 months", Ok(180 * day)),
            ("13 mois", Ok(390 * day)),
            ("1 Year", Ok(365 * day)),
            ("1 an, 1 mois et 4 jours", Ok((365 + 30 + 4) * day)),
            ("1 day and 1 hour", Ok(day + 3_600)),
            ("0 s", Ok(0)),
            ("", Err(DurationError::NoUnit)),
            ("14", Err(DurationError::NoUnit)),
            ("days", Err(DurationError::NoUnit)),
            ("-1 day", Err(DurationError::NoUnit)),
            ("1.5 days", Err(DurationError::NoUnit)),
            ("5 m", Err(DurationError::UnknownUnit("m".into()))),
            ("5 fortnights", Err(DurationError::UnknownUnit("fortnights".into()))),
            ("200 years", Err(DurationError::TooLong)),
            ("99999999999999999999999 s", Err(DurationError::TooLong)),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
