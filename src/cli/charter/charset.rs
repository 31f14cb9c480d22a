//! Bytes of a page to text: byte order mark, declared charset, else UTF-8, else Windows-1252.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a page its own declaration of a charset is looked for (HTML 13.2.3.2).
const PRESCAN_BYTES: usize = 1024;

/// The text of `bytes`; `declared` is what the server says of their charset.
///
/// A byte order mark wins, as in browsers. Latin-1 is read as Windows-1252, of which it is a part,
/// as the Encoding Standard has it. Bytes that no charset explains become U+FFFD.
pub(super) fn decoded(bytes: &[u8], declared: Option<&str>) -> String {
    let declared = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    let guessed = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    let encoding = declared.or_else(|| of_page(bytes)).unwrap_or_else(guessed);
    encoding.decode(bytes).0.into_owned()
}

/// Whether `text` is one that people can read: without a byte 0, and hardly any other character that
/// controls a machine, or that no charset explains.
pub(super) fn is_text(text: &str) -> bool {
    const IN_A_HUNDRED: usize = 2;
    let is_strange =
        |c: char| c == char::REPLACEMENT_CHARACTER || c.is_control() && !c.is_ascii_whitespace();
    let count = text.chars().filter(|c| is_strange(*c)).count();
    !text.contains('\0') && count * 100 <= IN_A_HUNDRED * text.len()
}

/// What the page says in `<meta charset=...>`, in an XML declaration or in `Content-Type`.
fn of_page(bytes: &[u8]) -> Option<&'static Encoding> {
    let start: String =
        bytes.iter().take(PRESCAN_BYTES).map(|b| char::from(b.to_ascii_lowercase())).collect();
    if !start.contains('<') {
        return None;
    }
    label(&start).and_then(|label| Encoding::for_label(label.as_bytes()))
}

/// The label after `charset=` or `encoding=`.
pub(super) fn label(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let at = ["charset=", "encoding="].iter().find_map(|key| Some(lower.find(key)? + key.len()))?;
    let rest = text[at..].trim_start_matches(['"', '\'', ' ']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
    let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
    (end > 0).then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for text in ["", "Nom\tFinalité\r\n_ga\u{c}x", &format!("\u{1b}[1m{}", "x".repeat(50))] {
            assert!(is_text(text), "{text:?}");
        }
        for text in ["a\0b", "\u{1}\u{2}abc", "%PDF-1.7 \u{fffd}\u{fffd}\u{fffd}"] {
            assert!(!is_text(text), "{text:?}");
        }
    }

    #[test]
    fn charsets() {
        let cases: &[(&[u8], Option<&str>, &str)] = &[
            ("é".as_bytes(), None, "é"),
            (b"\xef\xbb\xbfa", Some("iso-8859-1"), "a"),
            (b"\xe9", None, "é"),
            (b"\xe9", Some("ISO-8859-1"), "é"),
            (b"\x80", Some("latin1"), "€"),
            (b"<meta charset=\"iso-8859-15\">\xa4", None, "<meta charset=\"iso-8859-15\">€"),
            (b"<?xml encoding='utf-8'?>\xc3\xa9", None, "<?xml encoding='utf-8'?>é"),
            (b"\xff\xfee\0", None, "e"),
            (b"\xe9", Some("no such"), "é"),
            (b"\xe9", Some("utf-8"), "\u{fffd}"),
            (b"", None, ""),
        ];
        for (bytes, declared, expected) in cases {
            assert_eq!(decoded(bytes, *declared), *expected, "{bytes:?} {declared:?}");
        }
    }
}
