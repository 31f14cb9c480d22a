//! Proof of consent: one line for each choice that a visitor makes on the firewall's page.
//!
//! The controller must be able to show that consent was given (GDPR, article 7(1); CNIL deliberation
//! 2020-092, article 4). A line says when, on which site, before which charter and what was chosen;
//! nothing in it comes from the visitor's device, so that the proofs hold no personal data.

mod file;
mod rotation;

use std::io;

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::Serialize;

pub use file::FileProof;

/// One choice. Its words are the configuration's and the firewall's own, never a client's.
#[derive(Clone, Copy, Debug)]
pub struct RecordedChoice<'c> {
    /// When it was made, in seconds since 1970.
    pub at: i64,
    /// The site's domain.
    pub site: &'c str,
    /// The [`charter_hash`] of what was shown.
    pub charter_hash: &'c str,
    /// The language it was shown in.
    pub language: &'c str,
    /// `accept`, `refuse` or `save`.
    pub choice: &'c str,
    /// The categories that were granted.
    pub granted: &'c [&'c str],
    /// The categories that were refused.
    pub refused: &'c [&'c str],
}

/// Something that keeps choices.
pub trait ProofLog: Send + Sync {
    /// Keeps one choice, and returns when it is kept for good. It may block.
    ///
    /// # Errors
    ///
    /// Where the choice is not kept. The visitor is to be told so, and nothing to be granted.
    fn record(&self, choice: &RecordedChoice<'_>) -> io::Result<()>;
}

/// The SHA-256 of a charter as it was shown, in hexadecimal digits.
#[must_use]
pub fn charter_hash(rendered: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, rendered);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of the log: the order of the fields is a contract.
#[derive(Serialize)]
struct Line<'c> {
    at: String,
    site: &'c str,
    charter: String,
    language: &'c str,
    choice: &'c str,
    granted: &'c [&'c str],
    refused: &'c [&'c str],
}

/// The line of `choice`, its end included.
fn line(choice: &RecordedChoice<'_>) -> io::Result<Vec<u8>> {
    let RecordedChoice { at, site, charter_hash, language, choice, granted, refused } = *choice;
    let at = time(at)?.to_string();
    let charter = format!("sha256:{charter_hash}");
    let line = Line { at, site, charter, language, choice, granted, refused };
    let mut line = serde_json::to_vec(&line)?;
    line.push(b'\n');
    Ok(line)
}

/// Refuses what is in no calendar: beyond the year 9999.
fn time(at: i64) -> io::Result<Timestamp> {
    Timestamp::from_second(at).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOICE: RecordedChoice<'_> = RecordedChoice {
        at: 1_795_642_847,
        site: "data.example.fr",
        charter_hash: "ab12",
        language: "fr",
        choice: "save",
        granted: &["necessary", "statistics"],
        refused: &["marketing"],
    };

    #[test]
    fn a_line_has_these_fields_in_this_order() {
        let line = line(&CHOICE).expect("a time of the calendar");
        let expected = concat!(
            r#"{"at":"2026-11-25T21:40:47Z","site":"data.example.fr","charter":"sha256:ab12","#,
            r#""language":"fr","choice":"save","granted":["necessary","statistics"],"#,
            r#""refused":["marketing"]}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(line).expect("JSON"), expected);
    }

    #[test]
    fn a_category_of_any_name_stays_in_its_line() {
        let choice = RecordedChoice { granted: &["a\n\"b\u{2028}"], ..CHOICE };
        let line = line(&choice).expect("a time of the calendar");
        assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        let value: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(value["granted"][0], choice.granted[0]);
    }

    #[test]
    fn a_time_beyond_the_calendar_is_an_error() {
        for at in [i64::MIN, i64::MAX] {
            assert!(line(&RecordedChoice { at, ..CHOICE }).is_err());
        }
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn the_hash_is_sha_256() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(charter_hash(b"abc"), abc);
    }
}
