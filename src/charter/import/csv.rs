//! Tables as spreadsheets write them: values between commas or semicolons (RFC 4180).

use super::columns;
use super::page::{Block, Cell, MAX_COLUMNS, Page, Row};

/// What stands between the values of `text`; `None` where its first record does not announce columns
/// that way, or the next one has not as many, as in prose.
pub(super) fn separator_of(text: &str) -> Option<char> {
    let rest = without_hint(text);
    [';', ','].into_iter().find(|separator| {
        let records = Records { rest, line: 1, separator: *separator };
        let mut records = records.filter(|row| !row.is_blank());
        records.next().zip(records.next()).is_some_and(|(first, next)| {
            first.cells.len() > 1
                && first.cells.len() == next.cells.len()
                && columns::announced(&first).is_some()
        })
    })
}

/// Reads `text`.
pub(super) fn read(text: &str) -> Page {
    let separator = separator_of(text).unwrap_or(',');
    let rest = without_hint(text);
    let line = 1 + usize::from(rest.len() < text.len());
    let rows = Records { rest, line, separator }.collect();
    Page { blocks: vec![Block::Table(rows)], ..Page::default() }
}

/// The text without the line `sep=;`, by which spreadsheets tell each other the separator.
fn without_hint(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("sep=") => rest,
        _ => text,
    }
}

/// The records that are left, and the line that the next one begins on.
struct Records<'t> {
    rest: &'t str,
    line: usize,
    separator: char,
}

impl Iterator for Records<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Row { line: self.line, cells: Vec::new() };
        loop {
            let value = self.value();
            if row.cells.len() <= MAX_COLUMNS || !value.trim().is_empty() {
                row.cells.push(Cell::new(value.trim()));
            }
            let Some(next) = self.rest.chars().next() else { return Some(row) };
            self.rest = &self.rest[next.len_utf8()..];
            if next == '\n' {
                self.line += 1;
                return Some(row);
            }
        }
    }
}

impl Records<'_> {
    /// The next value, up to the separator or the end of its line, which is left.
    fn value(&mut self) -> String {
        let mut value = String::new();
        if let Some(mut quoted) = self.rest.trim_start_matches(' ').strip_prefix('"') {
            // A quote in quotes is written twice.
            while let Some((part, behind)) = quoted.split_once('"') {
                value.push_str(part);
                quoted = behind;
                match behind.strip_prefix('"') {
                    Some(further) => {
                        value.push('"');
                        quoted = further;
                    }
                    None => {
                        self.line += value.matches('\n').count();
                        self.rest = quoted;
                        value.push_str(self.unquoted());
                        return value;
                    }
                }
            }
            // A quote that nothing closes is one that is meant.
            value.clear();
        }
        value.push_str(self.unquoted());
        value
    }

    fn unquoted(&mut self) -> &str {
        let end = self.rest.find(['\n', self.separator]).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let cases: &[(&str, &[&str])] = &[
            ("a;b\nc;d\n", &["1: a|b", "2: c|d"]),
            ("a;b\r\n\"x;\"\"y\"\"\n z\" ;\n", &["1: a|b", "2: x;\"y\"\n z|"]),
            ("\"open;b\nc", &["1: \"open|b", "2: c"]),
            ("a;\"x\ny\"\nb;c", &["1: a|x\ny", "3: b|c"]),
        ];
        for (text, expected) in cases {
            let rows = Records { rest: text, line: 1, separator: ';' }.map(|row| {
                let cells: Vec<_> = row.cells.iter().map(|cell| cell.text.to_string()).collect();
                format!("{}: {}", row.line, cells.join("|"))
            });
            assert_eq!(rows.collect::<Vec<_>>(), *expected, "{text:?}");
        }
    }

    #[test]
    fn separators() {
        for (text, expected) in [
            ("Nom;Durée\na;b", Some(';')),
            ("\"Cookie name\",\"Purpose\"\n\n_ga,\"x\ny\"\n", Some(',')),
            ("sep=;\nNom;But\na;b\n", Some(';')),
            ("Nos cookies, et leur finalité, sont ceux-ci.\nNom\tDurée\n", None),
            ("Nom\tDurée; finalité\na\tb\n", None),
            ("", None),
        ] {
            assert_eq!(separator_of(text), expected, "{text:?}");
        }
    }
}
