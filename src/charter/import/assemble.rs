//! Rows to declarations: each row of a table becomes one or more, or is kept with the reason.

use std::collections::HashSet;

use super::columns::{self, Column};
use super::names::{self, Piece};
use super::page::{Block, Cell, MAX_CELL_CHARS, Page, Row};
use super::section::{self, Class};
use super::words::{clean, compose, fold};
use super::{
    ANONYMOUS, Found, Import, ImportError, MAX_PATTERN_BYTES, MAX_PATTERNS, MAX_ROWS, NO_HEADINGS,
    Unplaced, doubt, host_of, vertical,
};
use crate::charter::duration::{self, Told};
use crate::charter::{Category, Entry, Language, LifetimeCap, Pattern, Register};

/// Sections by headings that are marked have levels from 1 to 6; other lines are below all.
const UNMARKED: u8 = 7;

/// The most names in one cell; lists of Google's cookies have some thirty.
const MAX_NAMES: usize = 100;

/// The most categories of a site's own: what its consent tool's usual ids leave of
/// [`MAX_IDS`](crate::consent::MAX_IDS).
const MAX_OWN_CATEGORIES: usize = 112;

/// Makes sense of `page`.
pub(super) fn assemble(page: Page) -> Result<Import, ImportError> {
    let rows = page.blocks.iter().map(|block| match block {
        Block::Table(rows) | Block::Continued(rows) => {
            rows.iter().filter(|row| !row.cells.is_empty()).count()
        }
        Block::Loose(..) | Block::Stray(_) | Block::Item { .. } => 1,
        Block::Heading { .. } | Block::Paragraph(_) => 0,
    });
    if rows.sum::<usize>() > MAX_ROWS {
        return Err(ImportError::TooLong);
    }
    let mut assembler = Assembler { is_rendered: page.is_rendered, ..Assembler::default() };
    let mut texts = String::new();
    for block in page.blocks {
        if !matches!(block, Block::Heading { .. } | Block::Paragraph(_)) {
            assembler.spoken = None;
        }
        match block {
            Block::Heading { level, text } => {
                assembler.is_about_cookies |= names_cookies(&text);
                assembler.heading(level, &text);
                push_line(&mut texts, &text);
            }
            Block::Paragraph(text) => {
                assembler.is_about_cookies |= names_cookies(&text);
                assembler.paragraph(&text);
                push_line(&mut texts, &text);
            }
            Block::Table(rows) => {
                assembler.columns.clear();
                assembler.names.clear();
                assembler.table(&rows);
            }
            Block::Continued(rows) => assembler.table(&rows),
            Block::Loose(row, reason) => assembler.set_aside(&row, reason),
            Block::Stray(row) => assembler.stray(&row),
            Block::Item { line, text, is_code } => {
                push_line(&mut texts, &text);
                assembler.item(line, &text, is_code);
            }
        }
    }
    if assembler.found.is_empty() && assembler.unplaced.is_empty() && !page.is_rendered {
        return Err(ImportError::NoTable);
    }
    check_count(&assembler.found)?;
    let hosts = hosts(&texts);
    let tagged = page.language.as_deref().and_then(Language::tagged);
    let spoken = || language_of(&format!("{texts}\n{}", assembler.headings));
    let mut import = Import {
        domain: page.domain,
        hosts,
        language: tagged.or_else(spoken),
        found: assembler.found,
        unplaced: assembler.unplaced,
    };
    set_clashes_aside(&mut import);
    keep_few_categories(&mut import.found);
    import.unplaced.sort_by_key(|unplaced| unplaced.line);
    Ok(import)
}

/// Each declaration carries the texts of its row, and each pattern is held against every other, at a
/// cost of their lengths' product.
fn check_count(found: &[Found]) -> Result<(), ImportError> {
    if found.len() > MAX_ROWS {
        return Err(ImportError::TooLong);
    }
    let names = found.iter().map(|found| &found.entry.name);
    let patterns = names.filter(|name| name.exact().is_none());
    let (count, bytes) = patterns
        .fold((0, 0), |(count, bytes), pattern| (count + 1, bytes + pattern.as_str().len()));
    let is_much = count > MAX_PATTERNS || bytes > MAX_PATTERN_BYTES;
    if is_much { Err(ImportError::TooManyPatterns) } else { Ok(()) }
}

fn push_line(texts: &mut String, text: &str) {
    texts.push_str(text);
    texts.push('\n');
}

#[derive(Default)]
struct Assembler {
    is_rendered: bool,
    /// Whether the page has spoken of cookies yet; lists before that are menus.
    is_about_cookies: bool,
    /// The headings in force, each with the category it speaks of.
    sections: Vec<(u8, Option<Category>)>,
    /// What the heading right before said, and its level.
    spoken: Option<(u8, Category)>,
    /// Whether a row has been read since the last unmarked section.
    is_used: bool,
    columns: Vec<Column>,
    /// The headings of `columns`, folded.
    names: Vec<String>,
    /// The headings as the page has them, for the notes.
    shown: Vec<String>,
    /// Every heading of a table, for telling the language.
    headings: String,
    found: Vec<Found>,
    unplaced: Vec<Unplaced>,
}

impl Assembler {
    fn heading(&mut self, level: u8, text: &str) {
        self.sections.retain(|(above, _)| *above < level);
        let class = self.of_menu(level, section::class_above(text));
        let is_below_necessary = self.section() == Some(&Category::Necessary);
        let category = match class {
            Class::Is(category) => Some(category),
            // What is not of the heading above is of none.
            _ if is_below_necessary && doubt::sets_apart(text) => Some(Entry::unclassified()),
            Class::Unclear | Class::Silent => None,
        };
        self.sections.push((level, category));
        self.is_used = false;
    }

    /// What a heading says, where it is not the next entry of a menu: right below another of its kind,
    /// it need not be the one that the table belongs to.
    fn of_menu(&mut self, level: u8, class: Class) -> Class {
        let Class::Is(category) = &class else {
            self.spoken = None;
            return class;
        };
        let before = self.spoken.replace((level, category.clone()));
        match before {
            Some((as_high, other)) if as_high == level && other != *category => match category {
                Category::Necessary => Class::Unclear,
                _ => class,
            },
            _ => class,
        }
    }

    /// A line that is not marked as a heading may be one all the same, or introduce a table. Any
    /// other after a table ends what was said of that table.
    fn paragraph(&mut self, text: &str) {
        let speaks = section::is_heading(text) || section::is_introduction(text);
        let class = match section::class_above(text) {
            // `Catégorie : Nécessaire`, or names after the colon, is said of these, and of no table.
            Class::Is(Category::Necessary) if section::is_told_of_itself(text) => Class::Unclear,
            class if speaks => self.of_menu(UNMARKED, class),
            class => {
                self.spoken = None;
                class
            }
        };
        match class {
            Class::Is(category) if speaks => self.begin_section(category),
            Class::Unclear if speaks => self.end_section(),
            class if self.takes_back(&class, text, speaks) => self.end_section(),
            _ if self.is_used => self.end_section(),
            _ => {}
        }
    }

    /// Whether a text between a heading of necessary cookies and a table says that there are none, or
    /// that they are something else.
    fn takes_back(&self, class: &Class, text: &str, speaks: bool) -> bool {
        use Category::{Marketing, Statistics, ThirdParty};
        let is_other = matches!(class, Class::Is(Marketing | Statistics | ThirdParty));
        let is_apart = || section::says_none(text) || speaks && doubt::sets_apart(text);
        self.section() == Some(&Category::Necessary) && (is_other || is_apart())
    }

    fn begin_section(&mut self, category: Category) {
        self.sections.retain(|(level, _)| *level < UNMARKED);
        self.sections.push((UNMARKED, Some(category)));
        self.is_used = false;
    }

    /// What follows is of no category that is said so closely. A marked heading above may hold on,
    /// but not for `necessary`, which is never read into a page.
    fn end_section(&mut self) {
        self.sections.retain(|(level, _)| *level < UNMARKED);
        if self.section() == Some(&Category::Necessary) {
            self.sections.clear();
        }
        self.is_used = false;
    }

    /// An item of the form `name: purpose` is a row of its own, if the name looks like a cookie's: it
    /// is code, or has an underscore. Under the heading of a category, one that does not is kept.
    fn item(&mut self, line: usize, text: &str, is_code: bool) {
        if !self.is_about_cookies && self.section().is_none() && self.columns.is_empty() {
            return self.paragraph(text);
        }
        const BETWEEN: [&str; 5] = [" : ", ": ", " – ", " — ", " - "];
        let parts = BETWEEN.iter().filter_map(|between| text.split_once(between));
        let Some((name, purpose)) = parts.min_by_key(|(name, _)| name.len()) else {
            // A table of contents names the sections without opening them.
            return match section::class(text) {
                Class::Is(Category::Necessary) => self.end_section(),
                _ => self.paragraph(text),
            };
        };
        let row = Row { line, cells: vec![Cell::new(name.trim()), Cell::new(purpose)] };
        if is_code || name.contains('_') {
            let table = (std::mem::take(&mut self.columns), std::mem::take(&mut self.shown));
            self.columns = vec![Column::Name, Column::Purpose];
            self.declare(&row);
            (self.columns, self.shown) = table;
        } else if (self.section().is_some() || self.is_about_cookies) && !name.trim().contains(' ')
        {
            self.set_aside(&row, "it stands in a list, and does not look like a cookie");
        }
    }

    fn section(&self) -> Option<&Category> {
        self.sections.iter().rev().find_map(|(_, category)| category.as_ref())
    }

    fn table(&mut self, rows: &[Row]) {
        let turned = vertical::upright(rows).filter(|_| !rows.iter().any(is_announcement));
        let rows = match &turned {
            None => rows,
            Some(upright) => {
                upright.aside.iter().for_each(|row| self.stray(row));
                &*upright.rows
            }
        };
        let mut is_first = true;
        for row in rows {
            if row.is_blank() || row.is_rule() {
                continue;
            }
            if self.take_headings(row, is_first) {
                is_first = false;
                continue;
            }
            if row.only_cell().is_none() {
                // Headings of another table are these only where there are as many.
                if is_first && row.cells.len() != self.columns.len() {
                    self.columns.clear();
                    self.names.clear();
                }
                is_first = false;
            }
            // A line across the table may be a heading; a cookie of which only the name is said is none.
            if turned.is_some() { self.record(row) } else { self.row(row) }
        }
    }

    /// A line amid the properties of cookies. Where it speaks of a category, which of them it speaks of
    /// cannot be told.
    fn stray(&mut self, row: &Row) {
        if section::class(&whole(row)) != Class::Silent {
            self.end_section();
        }
        self.set_aside(row, "it is no property that is known, or not told of which cookie");
    }

    /// Headings stand at the top of a table, come again, or are marked.
    fn take_headings(&mut self, row: &Row, is_first: bool) -> bool {
        let names: Vec<String> = row.cells.iter().map(|cell| fold(&compose(&cell.text))).collect();
        if names == self.names {
            return true;
        }
        let is_marked = row.cells.iter().all(|cell| cell.is_heading);
        let Some(columns) = columns::announced(row).filter(|_| is_first || is_marked) else {
            return false;
        };
        self.columns = columns;
        self.names = names;
        self.shown = row.cells.iter().map(|cell| clean(&cell.text)).collect();
        push_line(&mut self.headings, &self.shown.join(" "));
        true
    }

    fn row(&mut self, row: &Row) {
        if let Some((at, cell)) = row.only_cell()
            && !self.is_lone_name(row, at)
        {
            let reason = match section::class_above(&cell.text) {
                Class::Is(category) => {
                    let reason = format!(
                        "it is taken for the category {:?} of the next rows",
                        category.as_str()
                    );
                    self.begin_section(category);
                    return self.set_aside(row, &reason);
                }
                Class::Unclear => "it stands alone, and speaks of no one category",
                Class::Silent => "it stands alone",
            };
            self.end_section();
            return self.set_aside(row, reason);
        }
        self.record(row);
    }

    /// A row of a cookie.
    fn record(&mut self, row: &Row) {
        self.is_used = true;
        if row.cells.iter().any(|cell| cell.text.chars().nth(MAX_CELL_CHARS).is_some()) {
            return self.set_aside(row, "a cell is too long for a charter");
        }
        if self.columns.is_empty() {
            return self.set_aside(row, NO_HEADINGS);
        }
        let extra = row.cells.iter().skip(self.columns.len()).any(|cell| !cell.is_blank());
        if extra {
            return self.set_aside(row, "it has more cells than there are headings");
        }
        self.declare(row);
    }

    /// Whether a row with one cell, in the column `at`, is a cookie of which nothing else is said,
    /// and no line across the table.
    fn is_lone_name(&self, row: &Row, at: usize) -> bool {
        let cell = &row.cells[at];
        let spans = row.cells.iter().filter(|cell| !cell.is_blank()).count() > 1;
        let is_category = section::class(&cell.text) != Class::Silent
            && self.columns.len() > 1
            && !cell.text.contains(['_', '.', '-', '*', '#']);
        self.columns.get(at) == Some(&Column::Name) && !spans && !is_category
    }

    fn declare(&mut self, row: &Row) {
        let cell = |column| self.cell(row, column);
        let Some(name) = cell(Column::Name).filter(|cell| !cell.is_blank()) else {
            return self.set_aside(row, "it names no cookie");
        };
        if cell(Column::Type).is_some_and(|cell| is_elsewhere(&cell.text)) {
            return self.set_aside(row, "it is kept elsewhere than in a cookie");
        }
        let text = |column| cell(column).map_or_else(String::new, line_of);
        let mut notes = Vec::new();
        let (category, anonymous) = self.category(row, &mut notes);
        let pieces = self.pieces(name);
        if pieces.len() > MAX_NAMES {
            return self.set_aside(row, "it holds more names than any row of a charter");
        }
        let lifetime = self.lifetime(row, pieces.len(), &mut notes);
        let mut provider = text(Column::Provider);
        if provider.is_empty() {
            provider = text(Column::Domain);
        } else {
            self.note(row, Column::Domain, &mut notes);
        }
        let used = self.columns.iter().zip(&row.cells).zip(&self.shown);
        for ((column, cell), heading) in used {
            if *column == Column::Other && !cell.is_blank() {
                notes.push(note(heading, cell));
            }
        }
        let (service, purpose) = (text(Column::Service), text(Column::Purpose));
        let is_declared = pieces.iter().any(|piece| matches!(piece, Piece::Name(..)));
        for piece in pieces {
            match piece {
                // Where nothing is declared, all of the row is kept.
                Piece::Unread(_, reason) if !is_declared => {
                    self.end_necessary(name);
                    return self.set_aside(row, &reason);
                }
                Piece::Unread(text, reason) => {
                    self.unplaced.push(Unplaced { line: row.line, text, reason });
                }
                // Beyond, the page is refused as a whole.
                Piece::Name(..) if self.found.len() > MAX_ROWS => {}
                Piece::Name(name, remark) => {
                    let mut notes = notes.clone();
                    notes.extend(remark);
                    let entry = Entry {
                        name,
                        provider: provider.clone(),
                        service: service.clone(),
                        purpose: purpose.clone(),
                        category: category.clone(),
                        anonymous,
                        lifetime,
                    };
                    self.found.push(Found { line: row.line, entry, notes });
                }
            }
        }
    }

    /// A heading within a table need not reach across all of it: one that is no name may end what was
    /// said above.
    fn end_necessary(&mut self, name: &Cell) {
        let speaks = section::class(&name.text) != Class::Silent || doubt::sets_apart(&name.text);
        if speaks && self.section() == Some(&Category::Necessary) {
            self.end_section();
        }
    }

    fn cell<'r>(&self, row: &'r Row, wanted: Column) -> Option<&'r Cell> {
        let at = self.columns.iter().position(|column| *column == wanted)?;
        row.cells.get(at)
    }

    fn pieces(&self, name: &Cell) -> Vec<Piece> {
        let exact = name.value.as_deref().or(self.is_rendered.then_some(&*name.text));
        match exact.map(|exact| (exact, Pattern::new(exact))) {
            None => names::read(&name.text),
            Some((_, Ok(pattern))) => vec![Piece::Name(pattern, None)],
            Some((exact, Err(error))) => vec![Piece::Unread(clean(exact), error.to_string())],
        }
    }

    /// The category of a row: what its own cell says, else its kind, else its section. Whatever
    /// else a page has is never taken for necessary.
    fn category(&self, row: &Row, notes: &mut Vec<String>) -> (Category, bool) {
        let told = self.category_told(row, notes);
        // A column of its own may say otherwise: `Nécessaire`, and `non` in the cell.
        let mut others = self.columns.iter().zip(&row.cells).zip(&self.shown);
        let contradicts = others.any(|((column, cell), heading)| {
            *column == Column::Other && !cell.is_blank() && doubt::contradicts(heading, &cell.text)
        });
        match told {
            (Category::Necessary, _) if contradicts => (Entry::unclassified(), false),
            told => told,
        }
    }

    fn category_told(&self, row: &Row, notes: &mut Vec<String>) -> (Category, bool) {
        if let Some(cell) = self.cell(row, Column::Category).filter(|cell| !cell.is_blank()) {
            match self.category_of(cell) {
                Some(found) => return found,
                None => {
                    self.note(row, Column::Category, notes);
                    return (Entry::unclassified(), false);
                }
            }
        }
        if let Some(cell) = self.cell(row, Column::Type).filter(|cell| !cell.is_blank()) {
            if let Class::Is(category) = section::class(&cell.text) {
                return (category, false);
            }
            self.note(row, Column::Type, notes);
            if section::class(&cell.text) == Class::Unclear {
                return (Entry::unclassified(), false);
            }
        }
        (self.section().cloned().unwrap_or_else(Entry::unclassified), false)
    }

    /// The category that a cell names: by its name for machines, by the words that rendered
    /// charters use, by those of others, or one of the site's own, if it is a single word.
    fn category_of(&self, cell: &Cell) -> Option<(Category, bool)> {
        let text = clean(&cell.text);
        if let Some(value) = cell.value.as_deref() {
            return match value {
                ANONYMOUS => Some((Category::Statistics, true)),
                value => own(value).map(|category| (category, false)),
            };
        }
        let labelled = Language::ALL.into_iter().find_map(|language| labelled(&text, language));
        if labelled.is_some() {
            return labelled;
        }
        match Category::named(&text) {
            Category::Own(_) if !self.is_rendered => match section::class(&text) {
                Class::Is(category) => Some((category, false)),
                Class::Unclear => None,
                Class::Silent => own(&text).map(|category| (category, false)),
            },
            _ => own(&text).map(|category| (category, false)),
        }
    }

    /// Beside several names, what commas divide may be one lifetime for each.
    fn lifetime(&self, row: &Row, names: usize, notes: &mut Vec<String>) -> Option<LifetimeCap> {
        let cell = self.cell(row, Column::Lifetime)?;
        let text = cell.value.as_deref().unwrap_or(&cell.text);
        match duration::told(text) {
            _ if names > 1 && text.contains(',') => {
                self.note(row, Column::Lifetime, notes);
                None
            }
            Told::Session => Some(LifetimeCap::Session),
            Told::Seconds(seconds) => Some(LifetimeCap::Seconds(seconds)),
            Told::Nothing => None,
            Told::Unclear => {
                self.note(row, Column::Lifetime, notes);
                None
            }
        }
    }

    /// Keeps what the cell of a column says.
    fn note(&self, row: &Row, wanted: Column, notes: &mut Vec<String>) {
        let at = self.columns.iter().position(|column| *column == wanted);
        let Some((at, cell)) = at.and_then(|at| Some((at, row.cells.get(at)?))) else { return };
        if !cell.is_blank() {
            notes.push(note(&self.shown[at], cell));
        }
    }

    fn set_aside(&mut self, row: &Row, reason: &str) {
        let (line, text) = (row.line, whole(row));
        self.unplaced.push(Unplaced { line, text, reason: reason.to_owned() });
    }
}

fn names_cookies(text: &str) -> bool {
    const WORDS: &[&str] = &["cookie", "cookies", "traceur", "traceurs", "tracker", "trackers"];
    fold(text).split(' ').any(|word| WORDS.contains(&word))
}

fn is_announcement(row: &Row) -> bool {
    columns::announced(row).is_some()
}

/// Whether a kind is of what browsers keep elsewhere than among cookies.
fn is_elsewhere(kind: &str) -> bool {
    const PLACES: &[&str] = &[
        "local storage",
        "localstorage",
        "stockage local",
        "session storage",
        "indexeddb",
        "pixel",
    ];
    let folded = fold(kind);
    PLACES.iter().any(|place| folded.contains(place))
}

/// What rendered charters call a category in `language`.
fn labelled(text: &str, language: Language) -> Option<(Category, bool)> {
    let texts = language.texts();
    if text == texts.anonymous {
        return Some((Category::Statistics, true));
    }
    if text == texts.unclassified {
        return Some((Entry::unclassified(), false));
    }
    let at = texts.categories.iter().position(|label| *label == text)?;
    Some((Category::BUILT_IN[at].clone(), false))
}

/// The category called `name`, if one can be called so.
fn own(name: &str) -> Option<Category> {
    let is_valid =
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    is_valid.then(|| Category::named(name))
}

fn note(heading: &str, cell: &Cell) -> String {
    match heading.is_empty() {
        true => line_of(cell),
        false => format!("{heading}: {}", line_of(cell)),
    }
}

fn line_of(cell: &Cell) -> String {
    clean(&compose(&cell.text))
}

/// A row on one line, as it is kept.
fn whole(row: &Row) -> String {
    let mut seen = HashSet::new();
    let cells = row.cells.iter().filter(|cell| !cell.is_blank());
    // What spans columns is said once.
    let cells = cells.filter(|cell| seen.insert(cell.text.as_ptr()));
    let texts: Vec<String> = cells.map(line_of).collect();
    texts.join(" | ")
}

/// Names that are declared already, or between which and another no cookie could choose, are set
/// aside: the earlier one stands.
fn set_clashes_aside(import: &mut Import) {
    loop {
        let names = import.found.iter().map(|found| &found.entry.name);
        let Err(clashes) = Register::new(names) else { return };
        let mut gone: HashSet<usize> = HashSet::new();
        for clash in clashes {
            let (first, second) = (clash.first as usize, clash.second as usize);
            if gone.contains(&first) || gone.contains(&second) {
                continue;
            }
            gone.insert(second);
            let (first, second) = (&import.found[first], &import.found[second]);
            let reason = if clash.identical {
                format!("line {} declares it already", first.line)
            } else {
                let name = first.entry.name.as_str();
                format!("some names match {name:?} of line {} just as well", first.line)
            };
            let text = described(&second.entry);
            import.unplaced.push(Unplaced { line: second.line, text, reason });
        }
        let mut at = 0;
        import.found.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
    }
}

/// Each category of the site's own takes a consent id, of which a site has few; further ones are
/// left to be classified.
fn keep_few_categories(found: &mut [Found]) {
    let mut known = HashSet::new();
    for Found { entry, notes, .. } in found {
        let name = entry.category.as_str();
        if matches!(entry.category, Category::Own(_)) && !known.contains(name) {
            if known.len() < MAX_OWN_CATEGORIES {
                known.insert(name.to_owned());
            } else {
                notes.push(name.to_owned());
                entry.category = Entry::unclassified();
            }
        }
    }
}

fn described(entry: &Entry) -> String {
    let category = entry.category.as_str();
    let parts = [entry.name.as_str(), &entry.provider, &entry.service, &entry.purpose, category];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" | ")
}

/// The first hosts of the addresses in a text, each once; those of the authorities that charters
/// refer to are nobody's portal.
fn hosts(text: &str) -> Vec<String> {
    const MOST: usize = 20;
    const AUTHORITIES: &[&str] = &["www.cnil.fr", "cnil.fr", "www.legifrance.gouv.fr"];
    let mut hosts: Vec<String> = Vec::new();
    for (at, _) in text.match_indices("http") {
        let Some(host) = host_of(&text[at..]).map(str::to_ascii_lowercase) else { continue };
        if hosts.len() < MOST && !hosts.contains(&host) && !AUTHORITIES.contains(&&*host) {
            hosts.push(host);
        }
    }
    hosts
}

/// The language that most of the small words are of; `None` where there are none.
fn language_of(text: &str) -> Option<Language> {
    const FRENCH: &[&str] =
        &["le", "la", "les", "des", "du", "et", "de", "un", "une", "pour", "nom", "finalite"];
    const ENGLISH: &[&str] = &["the", "of", "and", "a", "to", "for", "is", "name", "purpose", "by"];
    let folded = fold(text);
    let count = |words: &[&str]| folded.split(' ').filter(|word| words.contains(word)).count();
    let (french, english) = (count(FRENCH), count(ENGLISH));
    match french.cmp(&english) {
        std::cmp::Ordering::Greater => Some(Language::French),
        std::cmp::Ordering::Less => Some(Language::English),
        std::cmp::Ordering::Equal => None,
    }
}
