//! Markdown within a line: escapes, code, links, emphasis, and the HTML it may hold.

use super::page::{Cell, MAX_CELL_CHARS};

/// How deep emphasis and links may nest; what is deeper is shown as it stands.
const MAX_DEPTH: u8 = 4;

/// The text of a cell as it would be shown. One that is too long for a cell is left as it is.
pub(super) fn cell(markdown: &str) -> Cell {
    let markdown = markdown.trim_matches([' ', '\t']);
    match markdown.len() > 4 * MAX_CELL_CHARS {
        true => Cell::new(markdown),
        false => Cell::new(&shown(markdown, 0)),
    }
}

fn shown(markdown: &str, depth: u8) -> String {
    if depth > MAX_DEPTH {
        return markdown.to_owned();
    }
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => escape(rest, &mut text),
            '`' => code(rest, &mut text),
            '&' => entity(rest, &mut text),
            '<' => tag(rest, &mut text),
            '!' | '[' => link(rest, &mut text, depth),
            '*' | '_' => emphasis(rest, &mut text, depth),
            c => {
                text.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    text
}

/// What the code is that a cell holds and nothing else.
pub(super) fn code_of(markdown: &str) -> Option<String> {
    let html = markdown.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>"));
    if let Some(html) = html {
        return Some(super::html::text_of(html));
    }
    let mut text = String::new();
    let whole = markdown.starts_with('`') && code(markdown, &mut text) == markdown.len();
    whole.then_some(text)
}

/// A backslash takes punctuation literally (CommonMark 2.4).
fn escape(rest: &str, text: &mut String) -> usize {
    match rest[1..].chars().next() {
        Some(c) if c.is_ascii_punctuation() => {
            text.push(c);
            2
        }
        _ => {
            text.push('\\');
            1
        }
    }
}

/// A code span holds what it holds, but for a space at both its ends (CommonMark 6.1).
fn code(rest: &str, text: &mut String) -> usize {
    let ticks = rest.len() - rest.trim_start_matches('`').len();
    let body = &rest[ticks..];
    let Some(end) = closing_ticks(body, ticks) else {
        text.push_str(&rest[..ticks]);
        return ticks;
    };
    let inner = &body[..end];
    let padded = inner.len() > 2 && inner.starts_with(' ') && inner.ends_with(' ');
    text.push_str(if padded { &inner[1..inner.len() - 1] } else { inner });
    2 * ticks + end
}

/// Where the run of exactly so many backticks begins.
fn closing_ticks(body: &str, ticks: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = body[from..].find('`') {
        let start = from + at;
        let run = body[start..].len() - body[start..].trim_start_matches('`').len();
        if run == ticks {
            return Some(start);
        }
        from = start + run;
    }
    None
}

fn entity(rest: &str, text: &mut String) -> usize {
    const MAX_BYTES: usize = 32;
    let end = rest.bytes().take(MAX_BYTES).position(|b| b == b';');
    let Some(end) = end else {
        text.push('&');
        return 1;
    };
    text.push_str(&super::html::text_of(&rest[..=end]));
    end + 1
}

/// A line break becomes one, known elements go, an address is shown; `<id>` is no element, and
/// `<data>` that is part of a name and never closed was not meant as one.
fn tag(rest: &str, text: &mut String) -> usize {
    let Some(end) = rest.find('>') else {
        text.push('<');
        return 1;
    };
    let inner = &rest[1..end];
    let name = inner.trim_start_matches('/');
    let name_end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name[..name_end].to_ascii_lowercase();
    if inner.starts_with('!') {
        return end + 1;
    }
    if ["br", "p", "li", "div"].contains(&name.as_str()) {
        text.push('\n');
    } else if inner.starts_with("http://") || inner.starts_with("https://") {
        text.push_str(inner);
    } else if !super::html::is_element(&name)
        || inner == name && goes_on(text) && is_left_open(&rest[end..], &name)
    {
        text.push_str(&rest[..=end]);
    }
    end + 1
}

/// Whether a name may go on after `text`.
fn goes_on(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// Whether nothing in `rest` closes the element `name`, which needs closing.
fn is_left_open(rest: &str, name: &str) -> bool {
    let is_void = ["img", "hr", "wbr", "input"].contains(&name);
    !is_void && !rest.to_ascii_lowercase().contains(&format!("</{name}"))
}

/// A link or an image shows its text.
fn link(rest: &str, text: &mut String, depth: u8) -> usize {
    let mark = usize::from(rest.starts_with('!'));
    let inner = rest[mark..].strip_prefix('[').and_then(|inner| {
        let close = inner.find("](")?;
        let end = inner[close..].find(')')?;
        Some((&inner[..close], mark + 1 + close + end + 1))
    });
    match inner {
        Some((shown, taken)) => {
            text.push_str(&self::shown(shown, depth + 1));
            taken
        }
        None => {
            text.push_str(&rest[..1]);
            1
        }
    }
}

/// Signs of emphasis stand in pairs around words. A star or an underscore without its partner, or
/// within a word, is one that is meant, as in the names of cookies; so are underscores around a
/// single word.
fn emphasis(rest: &str, text: &mut String, depth: u8) -> usize {
    let sign = &rest[..1];
    let run = rest.len() - rest.trim_start_matches(sign).len();
    let begins = !text.ends_with(|c: char| c.is_alphanumeric() || c == '.')
        && rest[run..].starts_with(|c: char| !c.is_whitespace());
    let marks = &rest[..run];
    let close = rest[run..].find(marks).filter(|at| {
        let (inner, after) = (&rest[run..run + at], &rest[run + at + run..]);
        *at > 0
            && !inner.contains('`')
            && (sign == "*" || inner.contains(' '))
            && !inner.ends_with(char::is_whitespace)
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*')
    });
    match close.filter(|_| begins && run <= 3) {
        Some(at) => {
            text.push_str(&shown(&rest[run..run + at], depth + 1));
            run + at + run
        }
        None => {
            text.push_str(marks);
            run
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let cases = [
            ("`_ga`", "_ga"),
            ("`` a`b ``", "a`b"),
            ("`open", "`open"),
            ("**Google** Analytics", "Google Analytics"),
            ("*Cookies*", "Cookies"),
            ("_pk_id.*", "_pk_id.*"),
            ("_ga, _gid", "_ga, _gid"),
            ("_ga_", "_ga_"),
            ("__utma", "__utma"),
            ("\\_ga\\_\\*", "_ga_*"),
            ("C:\\x", "C:\\x"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("_ga_<id>", "_ga_<id>"),
            ("<https://data.example.fr>", "https://data.example.fr"),
            ("[Matomo](https://matomo.org) !", "Matomo !"),
            ("d&#39;une &amp; l&rsquo;autre &nope;", "d'une & l’autre &nope;"),
            ("a & b", "a & b"),
            ("<b>gras</b>", "gras"),
            ("<!-- rien -->", ""),
        ];
        for (markdown, expected) in cases {
            assert_eq!(&*cell(markdown).text, expected, "{markdown:?}");
        }
    }
}
