//! Durations as people write them: `14 days`, `6 months`, `13 mois`, `1 an et 4 jours`.

/// Seconds in a unit, by its English and French names. A month is 30 days and a year 365, so that a
/// cap is never longer than the calendar's.
const UNITS: &[(&[&str], u64)] = &[
    (&["s", "sec", "second", "seconds", "seconde", "secondes"], 1),
    (&["min", "minute", "minutes"], 60),
    (&["h", "hour", "hours", "heure", "heures"], 3_600),
    (&["d", "day", "days", "j", "jour", "jours"], 86_400),
    (&["w", "week", "weeks", "semaine", "semaines"], 7 * 86_400),
    (&["month", "months", "mois"], 30 * 86_400),
    (&["y", "year", "years", "an", "ans", "année", "années"], 365 * 86_400),
];

/// The longest duration accepted, in seconds: it fits the `Max-Age` that is written.
const MAX_SECONDS: u64 = u32::MAX as u64;

/// What is wrong with a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DurationError {
    /// A number without a unit, or nothing at all.
    NoUnit,
    /// A unit that is not known.
    UnknownUnit(String),
    /// Longer than some 136 years.
    TooLong,
}

impl DurationError {
    pub(super) fn message(&self) -> String {
        match self {
            Self::NoUnit => "a duration needs a number and a unit".to_owned(),
            Self::UnknownUnit(unit) => format!("{unit:?} is not a unit of time"),
            Self::TooLong => "this duration is too long".to_owned(),
        }
    }

    pub(super) const REMEDY: &str = "write for example \"30 s\", \"5 min\", \"2 hours\", \"14 days\", \"6 months\" or \"1 year\"";
}

/// The whole seconds that `text` stands for.
pub(super) fn seconds(text: &str) -> Result<u32, DurationError> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
