//! The language that a visitor reads best.

use crate::charter::Language;

/// The language that `asked` names, else the one that `accepted` (the `Accept-Language` fields, RFC
/// 9110 12.5.4) prefers, else the site's `own`.
///
/// Of two that are preferred alike, the one listed first is taken, as user agents mean it.
#[must_use]
pub fn negotiated<'a>(
    asked: Option<&str>,
    accepted: impl IntoIterator<Item = &'a [u8]>,
    own: Language,
) -> Language {
    if let Some(asked) = asked.and_then(Language::tagged) {
        return asked;
    }
    let fields = accepted.into_iter().filter_map(|field| std::str::from_utf8(field).ok());
    let mut best = (0, own);
    for range in fields.flat_map(|field| field.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let language = if tag == "*" { Some(own) } else { Language::tagged(tag) };
        let (Some(language), Some(weight)) = (language, weight(parts.next())) else { continue };
        if weight > best.0 {
            best = (weight, language);
        }
    }
    best.1
}

/// Thousandths of a weight (RFC 9110 12.4.2): `q=0.8`, 1 where it is not there, `None` where it is
/// none.
fn weight(parameter: Option<&str>) -> Option<u16> {
    let Some(parameter) = parameter.filter(|parameter| !parameter.is_empty()) else {
        return Some(1000);
    };
    let value = parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, French};

    #[test]
    fn negotiation() {
        for (asked, accepted, expected) in [
            (None, "", French),
            (None, "en", English),
            (None, "EN-gb", English),
            (None, "fr;q=0.5, en;q=0.8", English),
            (None, "fr, en", French),
            (None, "en, fr", English),
            (None, "de, en;q=0.3", English),
            (None, "de", French),
            (None, "*", French),
            (None, "en;q=0.1, *;q=0.5", French),
            (None, "en;q=0", French),
            (None, "en;q=2, fr;q=0.1", French),
            (None, "en;q=0.1234", French),
            (None, "en ; q=0.9", English),
            (None, ";;,,q=1,en-", English),
            (Some("fr"), "en", French),
            (Some("en-US"), "fr", English),
            (Some("de"), "en", English),
            (Some("<script>"), "", French),
        ] {
            let found = negotiated(asked, [accepted.as_bytes()], French);
            assert_eq!(found, expected, "{asked:?} {accepted:?}");
        }
        assert_eq!(negotiated(None, [&b"\xff"[..], b"fr"], English), French);
    }
}
