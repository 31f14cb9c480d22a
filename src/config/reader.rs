//! Walks a TOML document against the table of keys and gathers every mistake instead of stopping at
//! the first.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use smallvec::SmallVec;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::files::Fingerprint;
use super::key_path::{KeyPath, Step, Steps};
use super::keys::{Key, Kind};
use super::mistake::{Mistake, Mistakes, Severity};
use crate::charter::duration::{self, DurationError};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) key: KeyPath,
    pub(super) span: Range<usize>,
}

impl<T> At<T> {
    /// The place alone.
    pub(super) fn place(self) -> At<()> {
        At { value: (), key: self.key, span: self.span }
    }
}

/// One file, and the mistakes found in it so far.
#[derive(Debug)]
pub(super) struct Document<'t> {
    file: &'t Path,
    text: &'t str,
    steps: Steps<'t>,
    /// Where what the parser could not make sense of begins.
    syntax: RefCell<Vec<usize>>,
    mistakes: RefCell<Vec<(usize, Mistake)>>,
    named: RefCell<Vec<Fingerprint>>,
}

impl<'t> Document<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Self {
        Self {
            file,
            text,
            steps: Steps::default(),
            syntax: RefCell::default(),
            mistakes: RefCell::default(),
            named: RefCell::default(),
        }
    }

    /// Parses the text; what the parser cannot make sense of becomes mistakes.
    pub(super) fn parse(&self) -> Spanned<DeTable<'t>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or_default();
            let (message, remedy) = self.syntax(&error, &span);
            self.syntax.borrow_mut().push(span.start.min(self.text.len()));
            self.push(Severity::Error, None, &span, message, remedy);
        }
        table
    }

    /// Words for an error of the parser's.
    fn syntax(&self, error: &toml::de::Error, span: &Range<usize>) -> (String, &'static str) {
        if error.message().contains("duplicate") {
            let key = self.text.get(span.clone()).unwrap_or_default();
            (format!("duplicate key {key:?}"), "keep one of the two")
        } else {
            let remedy = "see https://toml.io for the syntax; text stands in double quotes, lists in brackets";
            (error.message().to_owned(), remedy)
        }
    }

    /// Whether the parser found no proper value here and made one up.
    fn is_guess(&self, value: &Spanned<DeValue<'_>>) -> bool {
        let span = value.span();
        // Of an array, each item tells for itself.
        let alone = !matches!(value.get_ref(), DeValue::Array(_));
        alone && self.syntax.borrow().iter().any(|start| (span.start..=span.end).contains(start))
    }

    pub(super) fn error<T>(&self, at: &At<T>, message: impl Into<String>, remedy: &str) {
        self.push(Severity::Error, Some(at.key), &at.span, message.into(), remedy);
    }

    pub(super) fn warning<T>(&self, at: &At<T>, message: impl Into<String>, remedy: &str) {
        self.push(Severity::Warning, Some(at.key), &at.span, message.into(), remedy);
    }

    /// The line, from 1, of a place in the text.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    /// The column in characters, from 1, of a place in the text.
    pub(super) fn column(&self, span: &Range<usize>) -> usize {
        let before = &self.text[..span.start.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        before[line_start..].chars().count() + 1
    }

    /// The file this document was read from.
    pub(super) fn file(&self) -> &Path {
        self.file
    }

    /// The path of a file that the document names, relative to its own; to be asked for before that
    /// file is read, whose state now is kept.
    pub(super) fn named(&self, at: &At<&str>) -> PathBuf {
        let path = self.file.parent().unwrap_or(Path::new("")).join(at.value);
        self.named.borrow_mut().push(Fingerprint::now(path.clone()));
        path
    }

    /// The files that the document names.
    pub(super) fn take_named(&self) -> Vec<Fingerprint> {
        self.named.take()
    }

    /// A key as a mistake names it.
    pub(super) fn key_text(&self, key: KeyPath) -> String {
        self.steps.text(key)
    }

    /// The mistakes, in the order of their lines.
    pub(super) fn take_mistakes(&self) -> Mistakes {
        let mut mistakes = self.mistakes.take();
        mistakes.sort_by_key(|(start, _)| *start);
        Mistakes(mistakes.into_iter().map(|(_, mistake)| mistake).collect())
    }

    fn push(
        &self,
        severity: Severity,
        key: Option<KeyPath>,
        span: &Range<usize>,
        message: String,
        remedy: &str,
    ) {
        let start = span.start.min(self.text.len());
        self.mistakes.borrow_mut().push((
            start,
            Mistake {
                severity,
                file: self.file.to_owned(),
                line: Some(self.line(span)),
                column: Some(self.column(span)),
                key: key.map(|key| self.key_text(key)),
                message,
                remedy: remedy.to_owned(),
            },
        ));
    }
}

/// Something short that may be written at length.
pub(super) enum Item<'d, 't> {
    String(At<&'d str>),
    Table(Table<'d, 't>),
}

/// One table of a document, read key by key.
pub(super) struct Table<'d, 't> {
    document: &'d Document<'t>,
    keys: &'static [Key],
    /// What it holds of these.
    values: SmallVec<[(&'static Key, &'d Spanned<DeValue<'t>>); 8]>,
    /// Where it stands; the document's own table stands below none.
    path: Option<Step>,
    span: Range<usize>,
}

impl<'d, 't> Table<'d, 't> {
    /// The whole document. Unknown and missing keys are reported at once.
    pub(super) fn root(
        document: &'d Document<'t>,
        root: &'d Spanned<DeTable<'t>>,
        keys: &'static [Key],
    ) -> Self {
        Self::new(document, root.get_ref(), keys, None, 0..0)
    }

    fn new(
        document: &'d Document<'t>,
        table: &'d DeTable<'t>,
        keys: &'static [Key],
        path: Option<Step>,
        span: Range<usize>,
    ) -> Self {
        let mut this = Self { document, keys, values: SmallVec::new(), path, span };
        for (key, value) in table.iter() {
            match keys.iter().find(|known| known.name == *key.get_ref()) {
                Some(known) => this.values.push((known, value)),
                None => this.report_unknown(key),
            }
        }
        this.report_missing();
        this
    }

    /// Where the table itself stands, for what is wrong with several keys together.
    pub(super) fn at(&self) -> At<()> {
        At { value: (), key: KeyPath::of(self.path), span: self.span.clone() }
    }

    /// Where the value of a key stands, if it is there.
    pub(super) fn place_of(&self, name: &'static str) -> Option<At<()>> {
        self.find(name).map(At::place)
    }

    pub(super) fn string(&self, name: &'static str) -> Option<At<&'d str>> {
        let at = self.find(name)?;
        match at.value {
            DeValue::String(text) => Some(At { value: &**text, key: at.key, span: at.span }),
            other => self.wrong_type(&at, "a string in double quotes", other),
        }
    }

    /// A string if it is one, with no mistake if it is not: for keys that take a word or a duration.
    pub(super) fn peek_string(&self, name: &'static str) -> Option<&'d str> {
        self.find(name)?.value.as_str()
    }

    /// A string that must be one of the key's words.
    pub(super) fn word(&self, name: &'static str) -> Option<At<&'d str>> {
        let at = self.string(name)?;
        let Kind::Word(words) = self.key(name).kind else { return Some(at) };
        if words.contains(&at.value) {
            return Some(at);
        }
        let remedy = match closest(at.value, words.iter().copied()) {
            Some(word) => format!("write {word:?}"),
            None => format!("write one of {}", quoted(words)),
        };
        self.document.error(&at, format!("{:?} is not known here", at.value), &remedy);
        None
    }

    pub(super) fn bool(&self, name: &'static str) -> Option<At<bool>> {
        let at = self.find(name)?;
        match at.value {
            DeValue::Boolean(value) => Some(At { value: *value, key: at.key, span: at.span }),
            other => self.wrong_type(&at, "true or false, without quotes", other),
        }
    }

    /// A whole number from 1 up to `max`.
    pub(super) fn integer(&self, name: &'static str, max: usize) -> Option<At<usize>> {
        self.number(name, 1, max)
    }

    /// A whole number from `min` up to `max`.
    pub(super) fn number(&self, name: &'static str, min: usize, max: usize) -> Option<At<usize>> {
        let at = self.find(name)?;
        let DeValue::Integer(integer) = at.value else {
            return self.wrong_type(&at, "a whole number", at.value);
        };
        let value = usize::from_str_radix(integer.as_str(), integer.radix()).ok();
        match value.filter(|value| (min..=max).contains(value)) {
            Some(value) => Some(At { value, key: at.key, span: at.span }),
            None => {
                let remedy = format!("write a whole number from {min} to {max}");
                self.document.error(&at, "out of range", &remedy);
                None
            }
        }
    }

    /// A duration in seconds.
    pub(super) fn duration(&self, name: &'static str) -> Option<At<u32>> {
        let at = self.find(name)?;
        let text = match at.value {
            DeValue::String(text) => Ok(text),
            DeValue::Integer(_) | DeValue::Float(_) => Err(DurationError::NoUnit),
            other => return self.wrong_type(&at, "a duration in double quotes", other),
        };
        match text.and_then(|text| duration::seconds(text)) {
            Ok(value) => Some(At { value, key: at.key, span: at.span }),
            Err(error) => {
                self.document.error(&at, error.message(), DurationError::REMEDY);
                None
            }
        }
    }

    /// A duration in seconds that is not zero: no time at all is never enough.
    pub(super) fn time(&self, name: &'static str) -> Option<At<u32>> {
        let at = self.duration(name)?;
        if at.value == 0 {
            self.document.error(&at, "no time at all is never enough", DurationError::REMEDY);
            return None;
        }
        Some(at)
    }

    /// A list of strings; empty where the key is absent.
    pub(super) fn strings(&self, name: &'static str) -> Vec<At<&'d str>> {
        self.find(name).map_or_else(Vec::new, |at| self.strings_of(&at))
    }

    /// Where a list stands that is there and holds nothing.
    pub(super) fn empty_list(&self, name: &'static str) -> Option<At<()>> {
        let at = self.find(name)?;
        at.value.as_array().is_some_and(|array| array.is_empty()).then(|| at.place())
    }

    /// Whether a list is not there, or holds nothing; one that is mistaken holds something.
    pub(super) fn has_none(&self, name: &'static str) -> bool {
        let value = self.value(name).map(|value| value.get_ref());
        value.is_none_or(|value| value.as_array().is_some_and(|array| array.is_empty()))
    }

    /// What is written as a string, a table, or a list of either; empty where the key is absent.
    pub(super) fn items(&self, name: &'static str) -> Vec<Item<'d, 't>> {
        let Some(at) = self.find(name) else { return Vec::new() };
        let Kind::Items(keys) = self.key(name).kind else { return Vec::new() };
        let steps = &self.document.steps;
        let item = |value: &'d DeValue<'t>, step: Step, span: Range<usize>| match value {
            DeValue::String(text) => {
                Some(Item::String(At { value: &**text, key: KeyPath::of(Some(step)), span }))
            }
            DeValue::Table(table) => {
                Some(Item::Table(Table::new(self.document, table, keys, Some(step), span)))
            }
            other => {
                let at = At { value: other, key: KeyPath::of(Some(step)), span };
                self.wrong_type(&at, "a string in double quotes, or a table in braces", other)
            }
        };
        let DeValue::Array(array) = at.value else {
            return item(at.value, steps.table(at.key), at.span).into_iter().collect();
        };
        let written = array.iter().filter(|item| !self.document.is_guess(item));
        written
            .enumerate()
            .filter_map(|(i, value)| item(value.get_ref(), steps.item(at.key, i), value.span()))
            .collect()
    }

    /// A table from strings to strings, in the order of the file.
    pub(super) fn map(&self, name: &'static str) -> Vec<(At<&'d str>, At<&'d str>)> {
        self.members(name)
            .into_iter()
            .filter_map(|(key, at)| match at.value {
                DeValue::String(text) => {
                    Some((key, At { value: &**text, key: at.key, span: at.span }))
                }
                other => self.wrong_type(&at, "a string in double quotes", other),
            })
            .collect()
    }

    /// A table from strings to lists of strings, in the order of the file.
    pub(super) fn lists(&self, name: &'static str) -> Vec<(At<&'d str>, Vec<At<&'d str>>)> {
        let members = self.members(name).into_iter();
        members.map(|(key, at)| (key, self.strings_of(&at))).collect()
    }

    /// A table below this one; an empty one where it is absent.
    pub(super) fn table(&self, name: &'static str) -> Option<Table<'d, 't>> {
        let at = self.find(name)?;
        let Kind::Table(keys) = self.key(name).kind else { return None };
        match at.value {
            DeValue::Table(table) => {
                let step = self.document.steps.table(at.key);
                Some(Table::new(self.document, table, keys, Some(step), at.span))
            }
            other => self.wrong_type(&at, "a table", other),
        }
    }

    /// An array of tables; empty where it is absent.
    pub(super) fn tables(&self, name: &'static str) -> Vec<Table<'d, 't>> {
        let Some(at) = self.find(name) else { return Vec::new() };
        let Kind::Tables(keys) = self.key(name).kind else { return Vec::new() };
        let DeValue::Array(array) = at.value else {
            let _: Option<()> =
                self.wrong_type(&at, "a list of tables, each under [[...]]", at.value);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(array.len());
        tables.extend(array.iter().enumerate().filter_map(|(i, item)| {
            let step = Some(self.document.steps.item(at.key, i));
            match item.get_ref() {
                DeValue::Table(table) => {
                    Some(Table::new(self.document, table, keys, step, item.span()))
                }
                other => {
                    let at = At { value: other, key: KeyPath::of(step), span: item.span() };
                    self.wrong_type(&at, "a table", other)
                }
            }
        }));
        tables
    }

    fn key(&self, name: &str) -> &'static Key {
        let found = self.keys.iter().find(|key| key.name == name);
        found.expect("the reader asks only for keys of its table")
    }

    /// A table holds few keys, among which looking is quicker than in the map that it is read from.
    fn value(&self, name: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.values.iter().find(|(key, _)| key.name == name).map(|(_, value)| *value)
    }

    fn find(&self, name: &'static str) -> Option<At<&'d DeValue<'t>>> {
        debug_assert_eq!(self.key(name).name, name);
        // What the parser made up is not judged: its own mistake says it all.
        let value = self.value(name).filter(|value| !self.document.is_guess(value))?;
        Some(At { value: value.get_ref(), key: self.path_of(name), span: value.span() })
    }

    fn members(&self, name: &'static str) -> Vec<(At<&'d str>, At<&'d DeValue<'t>>)> {
        let Some(at) = self.find(name) else { return Vec::new() };
        let DeValue::Table(table) = at.value else {
            let _: Option<()> = self.wrong_type(&at, "a table", at.value);
            return Vec::new();
        };
        let mut members: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let path =
                    KeyPath::of(Some(self.document.steps.member(at.key, key.get_ref().clone())));
                let key = At { value: &**key.get_ref(), key: path, span: key.span() };
                (key, At { value: value.get_ref(), key: path, span: value.span() })
            })
            .collect();
        members.sort_by_key(|(key, _)| key.span.start);
        members
    }

    fn strings_of(&self, at: &At<&'d DeValue<'t>>) -> Vec<At<&'d str>> {
        let DeValue::Array(array) = at.value else {
            let _: Option<()> = self.wrong_type(at, "a list of strings in brackets", at.value);
            return Vec::new();
        };
        let written = array.iter().filter(|item| !self.document.is_guess(item));
        let strings = written.filter_map(|item| match item.get_ref() {
            DeValue::String(text) => Some(At { value: &**text, key: at.key, span: item.span() }),
            other => {
                let at = At { value: other, key: at.key, span: item.span() };
                self.wrong_type(&at, "a string in double quotes", other)
            }
        });
        strings.collect()
    }

    fn wrong_type<T, V>(&self, at: &At<V>, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        let message = format!("expected {wanted}, found {}", article(found.type_str()));
        self.document.error(at, message, &format!("write {wanted}"));
        None
    }

    fn path_of(&self, name: &'static str) -> KeyPath {
        KeyPath::below(self.path, name)
    }

    fn report_unknown(&self, key: &Spanned<DeString<'t>>) {
        let remedy = match closest(key.get_ref(), self.keys.iter().map(|known| known.name)) {
            Some(known) => format!("write {known:?}"),
            None => {
                let known: Vec<_> = self.keys.iter().map(|known| known.name).collect();
                format!("remove it; known here: {}", known.join(", "))
            }
        };
        let step = self.document.steps.member(KeyPath::of(self.path), key.get_ref().clone());
        let at = At { value: (), key: KeyPath::of(Some(step)), span: key.span() };
        self.document.error(&at, "this key is not known", &remedy);
    }

    fn report_missing(&self) {
        for key in self.keys.iter().filter(|key| key.required) {
            if self.value(key.name).is_none() {
                let at = At { value: (), key: self.path_of(key.name), span: self.span.clone() };
                self.document.error(&at, "this key is missing", &format!("add it: {}", key.doc));
            }
        }
    }
}

/// The known word that `name` was probably meant to be.
pub(super) fn closest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name = name.to_lowercase().replace('-', "_");
    known
        .map(|word| (strsim::damerau_levenshtein(&name, &word.to_lowercase()), word))
        .min()
        .filter(|(distance, word)| *distance <= word.len().div_ceil(4).max(1))
        .map(|(_, word)| word)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
