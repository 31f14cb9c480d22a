//! The names in one cell: one or several, exact or with a placeholder, or told in words.

use super::words::{clean, fold, is_invisible};
use crate::charter::{Pattern, PatternError};

/// A piece of a cell of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A name or pattern, and a remark that the page makes on it.
    Name(Pattern, Option<String>),
    /// What is no name, and why.
    Unread(String, String),
}

/// Words for no cookie, or for an unnamed number of them; no word at all is one.
const NO_NAMES: &str = "|n a|na|nc|s o|aucun|aucune|none|neant|sans objet|etc|divers|diverses|various|multiple|\
    multiples|plusieurs|several|autres|others|tous|toutes|all|any|tbd";

/// What a name is told by in words: the part of it that is known comes next.
const PHRASES: &[(&str, [&str; 2])] = &[
    (
        "commencant par|commence par|commencent par|debutant par|debute par|debutent par|\
        prefixe par|prefixes par|starting with|starts with|start with|beginning with|\
        begins with|begin with|prefixed with|prefixed by",
        ["", "*"],
    ),
    (
        "finissant par|terminant par|termine par|terminent par|ending with|ending in|ends with|\
        end with",
        ["*", ""],
    ),
    ("contenant|contient|containing|contains", ["*", "*"]),
];

/// Words that may stand before such a phrase without saying anything more, or none.
const FILLERS: &str = "|any|all|every|each|cookie|cookies|tous|tout|toute|toutes|les|le|la|des|un|une|dont|nom|\
    noms|name|names|whose|with|a|that|which|the|qui|ayant|se|traceur|traceurs|tracker|\
    trackers|autre|autres|other";

/// Whether `words`, divided by bars, has this one.
fn is_among(words: &str, word: &str) -> bool {
    words.split('|').any(|known| known == word)
}

/// Every name of `cell`, in its order; what is none is told with the reason, so that the pieces
/// hold all of the cell.
pub(super) fn read(cell: &str) -> Vec<Piece> {
    let text: String = cell
        .chars()
        .filter(|c| !is_invisible(*c) && !matches!(c, '\u{200c}' | '\u{200d}'))
        .map(|c| if c.is_whitespace() && c != '\n' { ' ' } else { c })
        .collect();
    if is_among(NO_NAMES, &fold(&text)) && !text.contains(['#', '*', '_', '<', '{']) {
        return vec![Piece::Unread(clean(&text), "it names no cookie".to_owned())];
    }
    let (text, remarks) = without_remarks(&text);
    let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
    let mut pieces = Vec::new();
    for line in text.split('\n') {
        read_line(&with_globs(line), &mut pieces);
    }
    for piece in &mut pieces {
        if let Piece::Name(_, of_name) = piece {
            of_name.clone_from(&remark);
        }
    }
    if pieces.is_empty() {
        pieces.push(Piece::Unread(clean(cell), "it names no cookie".to_owned()));
    }
    pieces
}

/// The text without what stands in parentheses or brackets after a space, and that.
fn without_remarks(text: &str) -> (String, Vec<String>) {
    let (mut kept, mut remarks) = (String::new(), Vec::new());
    let mut rest = text;
    let opening = |rest: &str| [" (", " ["].iter().filter_map(|open| rest.find(open)).min();
    while let Some(open) = opening(rest) {
        let closing = if rest[open..].starts_with(" (") { ')' } else { ']' };
        let Some(close) = rest[open..].find(closing) else { break };
        kept.push_str(&rest[..open]);
        remarks.push(clean(&rest[open + 2..open + close]));
        rest = &rest[open + close + 1..];
    }
    kept.push_str(rest);
    remarks.retain(|remark| !remark.is_empty());
    (kept, remarks)
}

/// The text with a star for each placeholder: `#`, `<id>`, `{site}`, a run of `X` on its own, further
/// ones of the same name however short, and an ellipsis at the end of a name.
fn with_globs(line: &str) -> String {
    let mut globbed = String::with_capacity(line.len());
    let mut rest = line;
    // The sign that stands for something in the name at hand.
    let mut sign = None;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() || matches!(c, ',' | ';' | '/') {
            sign = None;
        }
        let (replaced, taken) = match c {
            '\\' => {
                let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
                (&rest[..1 + escaped], 1 + escaped)
            }
            '#' => ("*", rest.len() - rest.trim_start_matches('#').len()),
            '<' | '{' => match placeholder(rest) {
                Some(length) => ("*", length),
                None => (&rest[..1], 1),
            },
            'x' | 'X' => {
                let run = rest.len() - rest.trim_start_matches(c).len();
                let is_alone = |c: char| !c.is_alphanumeric();
                let alone = globbed.chars().next_back().is_none_or(is_alone)
                    && rest[run..].chars().next().is_none_or(is_alone);
                if alone && run >= 3 {
                    sign = Some(c);
                }
                (if alone && sign == Some(c) { "*" } else { &rest[..run] }, run)
            }
            '…' => ("*", '…'.len_utf8()),
            '.' if rest.starts_with("...") => {
                ("*", rest.len() - rest.trim_start_matches('.').len())
            }
            c => (&rest[..c.len_utf8()], c.len_utf8()),
        };
        globbed.push_str(replaced);
        rest = &rest[taken..];
    }
    globbed
}

/// The length of the placeholder at the beginning of `text`.
fn placeholder(text: &str) -> Option<usize> {
    const MAX_BYTES: usize = 40;
    let close = if text.starts_with('<') { '>' } else { '}' };
    let end = text[1..].find(['<', '>', '{', '}'])? + 1;
    (text[end..].starts_with(close) && (2..=MAX_BYTES).contains(&end)).then_some(end + 1)
}

/// The names of one line; placeholders are stars already.
fn read_line(line: &str, pieces: &mut Vec<Piece>) {
    let mut told: Option<[&str; 2]> = None;
    for (piece, joint) in split(line) {
        let piece = unquoted(piece);
        if piece.is_empty() {
            continue;
        }
        if let Some((before, affixes, after)) = phrase(piece)
            && fold(before).split(' ').all(|word| is_among(FILLERS, word))
        {
            told = Some(affixes);
            pieces.push(affixed(affixes, after));
            continue;
        }
        match (told, joint) {
            (None, _) => read_piece(piece, pieces),
            // `starting with a or b`.
            (Some(affixes), Joint::Or) => pieces.push(affixed(affixes, piece)),
            (Some(_), _) => {
                let reason = "it is a name, or a part of one, as what stands before it".to_owned();
                pieces.push(Piece::Unread(clean(piece), reason));
            }
        }
    }
}

/// What stands between two pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    Or,
    Other,
}

/// The pieces of a line, each with what stands before it.
fn split(line: &str) -> Vec<(&str, Joint)> {
    let mut pieces = Vec::new();
    let (mut start, mut joint, mut at) = (0, Joint::Other, 0);
    while let Some(c) = line[at..].chars().next() {
        let (length, next) = match c {
            ',' | ';' | '/' | '&' => (1, Joint::Other),
            ' ' => match word_joint(&line[at..]) {
                Some((length, next)) => (length, next),
                None => (0, Joint::Other),
            },
            '\\' => {
                at += 1 + line[at + 1..].chars().next().map_or(0, char::len_utf8);
                continue;
            }
            _ => (0, Joint::Other),
        };
        if length == 0 {
            at += c.len_utf8();
            continue;
        }
        pieces.push((&line[start..at], joint));
        (start, joint) = (at + length, next);
        at = start;
    }
    pieces.push((&line[start..], joint));
    pieces
}

/// Whether the text goes on with ` et `, ` and `, ` ou ` or ` or `; the space after it is left.
fn word_joint(text: &str) -> Option<(usize, Joint)> {
    let words =
        [(" et ", Joint::Other), (" and ", Joint::Other), (" ou ", Joint::Or), (" or ", Joint::Or)];
    let (word, joint) = words.iter().find(|(word, _)| text.starts_with(word))?;
    Some((word.len() - 1, *joint))
}

/// What stands before a phrase of [`PHRASES`], the phrase's pattern, and what stands after it.
fn phrase(piece: &str) -> Option<(&str, [&'static str; 2], &str)> {
    let words: Vec<(usize, &str)> = piece
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - piece.as_ptr() as usize, word))
        .collect();
    (0..words.len()).find_map(|first| {
        [2, 1].into_iter().find_map(|count| {
            let spoken = words.get(first..first + count)?;
            let folded: Vec<String> = spoken.iter().map(|(_, word)| fold(word)).collect();
            let folded = folded.join(" ");
            let (_, affixes) = PHRASES.iter().find(|(phrases, _)| is_among(phrases, &folded))?;
            let (at, last) = spoken[count - 1];
            Some((&piece[..words[first].0], *affixes, &piece[at + last.len()..]))
        })
    })
}

/// The pattern of names with a part that is known.
fn affixed([before, after]: [&str; 2], part: &str) -> Piece {
    // The sentence's full stop; in quotes it would be the name's.
    let part = part.trim();
    let part = unquoted(part.strip_suffix('.').unwrap_or(part));
    if part.is_empty() {
        return Piece::Unread(part.to_owned(), "the part of the name is missing".to_owned());
    }
    named(part, &format!("{before}{part}{after}"))
}

/// One name, or several with only spaces between them.
fn read_piece(piece: &str, pieces: &mut Vec<Piece>) {
    let words: Vec<&str> = piece.split(' ').filter(|word| !word.is_empty()).collect();
    // Words alone are prose; what has signs in it is a name.
    let is_sign = |c: char| "_-.*".contains(c);
    if words.len() > 1 && words.iter().all(|word| word.contains(is_sign)) {
        pieces.extend(words.into_iter().map(|word| named(word, word)));
    } else if words.len() > 1 {
        let reason = "it is no name, and tells of none in words that are known here".to_owned();
        pieces.push(Piece::Unread(clean(piece), reason));
    } else if is_among(NO_NAMES, &fold(piece)) && !piece.contains(['*', '_']) {
        pieces.push(Piece::Unread(clean(piece), "it names no cookie".to_owned()));
    } else {
        pieces.push(named(piece, piece));
    }
}

/// The name or pattern `text`, which the page has as `shown`.
fn named(shown: &str, text: &str) -> Piece {
    let unread = |reason: String| Piece::Unread(clean(shown), reason);
    if let Some(c) = illegal(text) {
        return unread(format!("no cookie name holds {c:?}"));
    }
    match Pattern::new(text) {
        Ok(pattern) => Piece::Name(pattern, None),
        Err(PatternError::MatchesAll) => unread("it would match every cookie".to_owned()),
        Err(error) => unread(error.to_string()),
    }
}

/// The first character that cannot stand in a cookie-name, which is a token (RFC 6265 4.1.1, RFC
/// 9110 5.6.2); `?`, and what a backslash takes literally, are the charter's own signs.
fn illegal(text: &str) -> Option<char> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            c if c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~?".contains(c) => {}
            c => return Some(c),
        }
    }
    None
}

/// A piece without quotation marks, bullets and the like around it.
fn unquoted(piece: &str) -> &str {
    let mut piece = piece.trim();
    for bullet in ["• ", "· ", "- ", "– ", "— ", "* "] {
        piece = piece.strip_prefix(bullet).unwrap_or(piece).trim_start();
    }
    // Bold in Markdown that is not read as such; two stars are no more of a pattern than one.
    let bold = piece.strip_prefix("**").and_then(|inner| inner.strip_suffix("**"));
    let piece = bold.unwrap_or(piece);
    let quotes = |c: char| "\"'`«»“”‘’•:".contains(c) || c.is_whitespace();
    let piece = piece.trim_matches(quotes);
    match piece.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => inner.trim_matches(quotes),
        None => piece,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names read, and what was not in brackets.
    fn shown(cell: &str) -> String {
        let pieces = read(cell).into_iter().map(|piece| match piece {
            Piece::Name(pattern, None) => pattern.as_str().to_owned(),
            Piece::Name(pattern, Some(remark)) => format!("{} ({remark})", pattern.as_str()),
            Piece::Unread(text, _) => format!("[{text}]"),
        });
        pieces.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn cells() {
        let cases = [
            ("sessionid", "sessionid"),
            ("  `_ga` ", "_ga"),
            ("« PHPSESSID »", "PHPSESSID"),
            ("_ga, _gid", "_ga _gid"),
            ("_ga,_gid ; _gat", "_ga _gid _gat"),
            ("_ga / _gid", "_ga _gid"),
            ("_ga\n_gid\n", "_ga _gid"),
            ("_ga et _gid", "_ga _gid"),
            ("SID, HSID and SSID", "SID HSID SSID"),
            ("_ga _gid", "_ga _gid"),
            ("_pk_id.#", "_pk_id.*"),
            ("_pk_ses.##.#", "_pk_ses.*.*"),
            ("_ga_<container-id>", "_ga_*"),
            ("_hj{site}_id", "_hj*_id"),
            ("_pk_id.*", "_pk_id.*"),
            ("_ga_XXXXXXXXXX", "_ga_*"),
            ("_gat_gtag_UA_xxxxx_x", "_gat_gtag_UA_*_*"),
            ("_gat_UA-XXXX-X, x-X", "_gat_UA-*-* x-X"),
            ("xxxl", "xxxl"),
            ("maxxx", "maxxx"),
            ("_hjSession…", "_hjSession*"),
            ("_hjSession...", "_hjSession*"),
            ("any cookie starting with _hs", "_hs*"),
            ("Tous les cookies commençant par « _pk_ ».", "_pk_*"),
            ("cookies dont le nom commence par _ga", "_ga*"),
            ("cookies ending with _session", "*_session"),
            ("Any cookie containing 'track'", "*track*"),
            ("starting with _hs or __hs", "_hs* __hs*"),
            ("starting with _hs, _ga", "_hs* [_ga]"),
            ("_ga, any cookie starting with _gac_", "_ga _gac_*"),
            ("Google cookies starting with _g", "[Google cookies starting with _g]"),
            ("sessionid (Django)", "sessionid (Django)"),
            ("_ga [x2]", "_ga (x2)"),
            ("**_fbp**", "_fbp"),
            ("_gid [x2] (Google)", "_gid (x2; Google)"),
            ("[_ga]", "[[_ga]]"),
            ("_ga (Google, 2 ans)\n_gid", "_ga (Google, 2 ans) _gid (Google, 2 ans)"),
            ("x\\#y", "x\\#y"),
            ("*", "[*]"),
            ("<id>", "[*]"),
            ("N/A", "[N/A]"),
            ("—", "[—]"),
            ("_ga, etc.", "_ga [etc.]"),
            ("Google Analytics", "[Google Analytics]"),
            ("prénom", "[prénom]"),
            ("a=b", "[a=b]"),
            ("prefs[lang]", "[prefs[lang]]"),
            ("$Version", "[$Version]"),
            ("cookies starting with", "[]"),
            ("_g\u{200b}a\u{feff}\u{a0}", "_ga"),
            ("", "[]"),
        ];
        for (cell, expected) in cases {
            assert_eq!(shown(cell), expected, "{cell:?}");
        }
    }
}
