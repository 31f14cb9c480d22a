//! Reading a published charter: text, Markdown, HTML, CSV or JSON to the entries it declares.
//!
//! Nothing is guessed. Each row of a table becomes entries, or is handed back with its line and the
//! reason; what a row says besides becomes notes. Fetching and decoding a page, and writing a site
//! file of what was found, are others' work.

mod assemble;
mod columns;
mod csv;
mod doubt;
mod html;
mod inline;
mod json;
mod lines;
mod names;
mod page;
mod section;
mod subject;
mod vertical;

use std::fmt;

use super::words;
use super::{Entry, Language};

/// The most rows of all tables of a page, and the most declarations.
const MAX_ROWS: usize = 10_000;

/// The most names with a wildcard, and bytes of all of them; the longest lists of consent tools have
/// some hundred.
const MAX_PATTERNS: usize = 1_000;
const MAX_PATTERN_BYTES: usize = 32 * 1024;

/// Why a row in columns cannot be read.
const NO_HEADINGS: &str = "no heading says what its columns hold";

/// The category of statistics that are exempt from consent, as rendered charters have it for
/// machines. The space sets it apart from every category of a site's own.
pub(super) const ANONYMOUS: &str = "statistics anonymous";

/// What a rendered charter in Markdown begins with; the domain follows, and `-->`.
pub(super) const MARKER: &str = "<!-- cookie-firewall charter: ";

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain text: columns by tabs, by pipes, or aligned with spaces.
    Text,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
    /// JSON: a list of objects, or an object that holds one.
    Json,
    /// Values between commas or semicolons, as spreadsheets write them.
    Csv,
}

/// What a page declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The domain that the page says is its own.
    pub domain: Option<String>,
    /// The hosts of the addresses in its text, tables left aside.
    pub hosts: Vec<String>,
    /// The language it is in, where that can be told.
    pub language: Option<Language>,
    /// What it declares; together they make a valid charter.
    pub found: Vec<Found>,
    /// What could not be placed, in the order of the lines.
    pub unplaced: Vec<Unplaced>,
}

/// One declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The line that its row begins on, from 1.
    pub line: usize,
    /// What is declared.
    pub entry: Entry,
    /// What the row says besides, one thing each.
    pub notes: Vec<String>,
}

/// A row, or a part of one, that could not be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    /// The line that its row begins on, from 1.
    pub line: usize,
    /// What it says, on one line.
    pub text: String,
    /// Why.
    pub reason: String,
}

/// Why nothing could be read of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It holds no table.
    NoTable,
    /// Its tables have more than 10,000 rows, or declare more cookies.
    TooLong,
    /// It has more than 1,000 names with a wildcard, or longer ones than any charter.
    TooManyPatterns,
    /// It is not JSON.
    Json {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "no table of cookies was found: one has a row of headings, one of them \"cookie\" or \"nom\", and columns by tabs, pipes, aligned spaces, commas, semicolons or HTML",
            ),
            Self::TooLong => write!(f, "the tables have more than {MAX_ROWS} rows or cookies"),
            Self::TooManyPatterns => {
                write!(
                    f,
                    "more than {MAX_PATTERNS} names have a wildcard, or they are longer than {} KiB in all",
                    MAX_PATTERN_BYTES >> 10
                )
            }
            Self::Json { message, .. } => write!(f, "the page is not JSON: {message}"),
        }
    }
}

impl std::error::Error for ImportError {}

/// Reads `text`.
///
/// # Errors
///
/// [`ImportError`], where there is no table at all, or far too much of one.
pub fn read(text: &str, format: Format) -> Result<Import, ImportError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let page = match format {
        Format::Text => lines::read(text, lines::Markup::Plain),
        Format::Markdown => lines::read(text, lines::Markup::Markdown),
        Format::Html => html::read(text, 1),
        Format::Json => json::read(text)?,
        Format::Csv => csv::read(text),
    };
    assemble::assemble(page)
}

/// The format that `text` seems to be written in.
#[must_use]
pub fn format_of(text: &str) -> Format {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(start).is_ok()
    {
        return Format::Json;
    }
    let lower = text.to_ascii_lowercase();
    // `<tracker-id>` begins like a row, and is a placeholder.
    let is_tag =
        |at: usize| lower[at..].starts_with(|c: char| c.is_whitespace() || ">/".contains(c));
    let has = |tags: &[&str]| {
        let mut ends =
            tags.iter().flat_map(|tag| lower.match_indices(tag).map(|(at, tag)| at + tag.len()));
        ends.any(is_tag)
    };
    if has(&["<!doctype html", "<html", "<body"]) {
        return Format::Html;
    }
    if text.contains(MARKER) || text.lines().any(is_delimiter_row) {
        return Format::Markdown;
    }
    let has_headings = text.lines().any(|line| line.starts_with("# ") || line.starts_with("## "));
    match has(&["<table", "<tr", "<td", "<dl", "<li", "<h1", "<h2", "<h3"]) {
        true if has_headings => Format::Markdown,
        true => Format::Html,
        false if csv::separator_of(start).is_some() => Format::Csv,
        false => Format::Text,
    }
}

/// Whether the line makes the one above it the headings of a table in Markdown.
fn is_delimiter_row(line: &str) -> bool {
    let line = line.trim();
    line.contains('|') && line.contains('-') && line.chars().all(|c| "|:- ".contains(c))
}

/// The domain of a charter that this firewall has rendered in Markdown.
fn rendered_domain(line: &str) -> Option<&str> {
    line.trim().strip_prefix(MARKER)?.strip_suffix(" -->")
}

/// The host of the address that `text` begins with.
fn host_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-._[]:".contains(c)));
    let authority = rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', ':']);
    let port = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let host = &authority[..port.unwrap_or(authority.len())];
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests;
