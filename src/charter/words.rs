//! Text as people read it, and as it is compared: case, accents and punctuation left aside.

/// `text` on one line: white space and control characters become single spaces, none at the ends,
/// and what has no width goes. Spaces that do not break stay where they stand between words, as
/// French typography has them.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        if c.is_ascii_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            gap = true;
            continue;
        }
        if gap && !cleaned.is_empty() {
            cleaned.push(' ');
        }
        gap = false;
        cleaned.push(c);
    }
    cleaned.trim().to_owned()
}

/// Characters without width that pages carry along: soft hyphens, joints between words, byte order
/// marks. Joiners within a word (U+200C, U+200D) are spelling, and stay.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// The words of `text` in lower case and without accents, each after a single space but the first.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase) {
        match plain(c) {
            "" if !c.is_alphanumeric() => gap = true,
            letters => {
                if gap && !folded.is_empty() {
                    folded.push(' ');
                }
                gap = false;
                match letters {
                    "" => folded.push(c),
                    letters => folded.push_str(letters),
                }
            }
        }
    }
    folded
}

/// The letters that an accented one of French is written with by those who leave accents out.
fn plain(c: char) -> &'static str {
    match c {
        'à' | 'â' | 'ä' | 'á' => "a",
        'ç' => "c",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'î' | 'ï' | 'í' => "i",
        'ô' | 'ö' | 'ó' => "o",
        'ù' | 'û' | 'ü' | 'ú' => "u",
        'œ' => "oe",
        'æ' => "ae",
        _ => "",
    }
}

/// The text without the marks that join an accent to the letter before it, composed where French
/// has the letter: pages from some systems write `e` and an accent of its own.
pub(super) fn compose(text: &str) -> String {
    let mut composed: String = String::with_capacity(text.len());
    for c in text.chars() {
        match composed.chars().next_back().and_then(|before| joined(before, c)) {
            Some(letter) => {
                composed.pop();
                composed.push(letter);
            }
            None => composed.push(c),
        }
    }
    composed
}

fn joined(letter: char, mark: char) -> Option<char> {
    let (marked, letters) = match mark {
        '\u{300}' => ("àèùÀÈÙ", "aeuAEU"),
        '\u{301}' => ("éÉ", "eE"),
        '\u{302}' => ("âêîôûÂÊÎÔÛ", "aeiouAEIOU"),
        '\u{308}' => ("ëïüËÏÜ", "eiuEIU"),
        '\u{327}' => ("çÇ", "cC"),
        _ => return None,
    };
    let at = letters.chars().position(|known| known == letter)?;
    marked.chars().nth(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned() {
        let cases = [
            ("  a \t\n b ", "a b"),
            ("nécessaires\u{a0}: \u{feff}oui\u{200b}", "nécessaires\u{a0}: oui"),
            ("\u{a0}a\u{a0}", "a"),
            ("a\0b\u{85}c", "a b c"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected, "{text:?}");
            assert_eq!(clean(expected), expected, "once is enough: {text:?}");
        }
    }

    #[test]
    fn folded() {
        let cases = [
            ("Finalités", "finalites"),
            ("Nom du\u{a0}cookie (*)", "nom du cookie"),
            ("Mesure d'audience", "mesure d audience"),
            ("  -- ", ""),
            ("Œuvre ДА", "oeuvre да"),
        ];
        for (text, expected) in cases {
            assert_eq!(fold(text), expected, "{text:?}");
        }
        assert_eq!(fold(&compose("Dure\u{301}e")), "duree");
    }
}
