//! Tables on their side: a heading and its value on each row, one cookie after the other.
//!
//! What matters is where one cookie ends: a property that goes to the next one may make a tracker
//! exempt. A name begins a cookie; what cannot be told to belong to one is set aside.

use super::columns::{self, Column};
use super::page::{Cell, MAX_COLUMNS, Row};
use super::words::fold;

/// Rows that have been turned.
#[derive(Debug)]
pub(super) struct Upright {
    /// The headings, and a row for each cookie.
    pub(super) rows: Vec<Row>,
    /// What belongs to none of them.
    pub(super) aside: Vec<Row>,
}

/// Whether the rows are of that kind.
fn is_vertical(rows: &[Row]) -> bool {
    let pairs = rows.iter().filter(|row| row.cells.len() == 2 && !row.is_blank());
    let known = rows.iter().filter_map(heading).filter(|column| *column != Column::Other);
    let known: Vec<Column> = known.collect();
    // A heading for at least every second row, and both a name and something said of it.
    known.contains(&Column::Name)
        && known.iter().any(|column| *column != Column::Name)
        && 2 * known.len() >= pairs.count()
}

/// Whether a list of terms tells of cookies, one property a term.
pub(super) fn is_list_of_cookies(rows: &[Row]) -> bool {
    is_vertical(rows)
}

/// The rows as they would stand upright, the headings first; `None` where they do already.
pub(super) fn upright(rows: &[Row]) -> Option<Upright> {
    if rows.iter().any(|row| row.cells.len() > 2 && !row.is_blank()) || !is_vertical(rows) {
        return None;
    }
    let lines: Vec<Line<'_>> = rows.iter().map(Line::of).collect();
    let mut records = Records::of(&lines);
    records.set_uneven_categories_aside();
    records.set_nameless_aside();
    records.upright()
}

/// What a row holds.
#[derive(Clone, Debug)]
enum Line<'r> {
    Property(Property<'r>),
    /// Something else, which stands alone.
    Lone(&'r Row),
    /// Nothing.
    Gap,
}

#[derive(Clone, Debug)]
struct Property<'r> {
    key: String,
    column: Column,
    row: &'r Row,
}

impl<'r> Line<'r> {
    fn of(row: &'r Row) -> Self {
        match heading(row) {
            _ if row.is_blank() => Self::Gap,
            Some(column) => Self::Property(Property { key: fold(&row.cells[0].text), column, row }),
            None => Self::Lone(row),
        }
    }

    fn property(&self) -> Option<&Property<'r>> {
        match self {
            Self::Property(property) => Some(property),
            Self::Lone(_) | Self::Gap => None,
        }
    }
}

/// The properties of each cookie.
#[derive(Debug, Default)]
struct Records<'r> {
    records: Vec<Vec<Property<'r>>>,
    aside: Vec<&'r Row>,
    /// Whether there is a gap between all rows, so that gaps say nothing.
    is_spaced: bool,
}

impl<'r> Records<'r> {
    fn of(lines: &[Line<'r>]) -> Self {
        let touches = |pair: &[Line<'r>]| pair.iter().all(|line| line.property().is_some());
        let is_spaced = !lines.windows(2).any(touches);
        let records = Self { is_spaced, ..Self::default() };
        match lines.iter().find_map(Line::property) {
            Some(first) if first.column != Column::Name => {
                if begins_each(first, lines, is_spaced) {
                    records.begun_by(&first.key, lines)
                } else if comes_again(lines) {
                    // Names may stand at the end of each cookie, or anywhere.
                    records.none(lines)
                } else {
                    records.begun_by_names(lines)
                }
            }
            _ => records.begun_by_names(lines),
        }
    }

    /// Nothing can be told.
    fn none(mut self, lines: &[Line<'r>]) -> Self {
        self.aside.extend(lines.iter().filter_map(|line| match line {
            Line::Property(property) => Some(property.row),
            Line::Lone(row) => Some(row),
            Line::Gap => None,
        }));
        self
    }

    /// A name begins a cookie, and takes what follows it without a gap.
    fn begun_by_names(mut self, lines: &[Line<'r>]) -> Self {
        let mut is_attached = false;
        for line in lines {
            match line {
                Line::Gap => is_attached &= self.is_spaced,
                Line::Lone(row) => {
                    is_attached &= !may_be_name(row);
                    self.aside.push(row);
                }
                Line::Property(property) if property.column == Column::Name => {
                    // `Nom : Séance` and `Cookie : sid` tell of one.
                    let goes_on = |record: &Vec<Property<'_>>| {
                        let is_name = |own: &Property<'_>| own.column == Column::Name;
                        record.iter().all(is_name) && !has(record, &property.key)
                    };
                    match self.records.last_mut().filter(|record| is_attached && goes_on(record)) {
                        Some(record) => record.push(property.clone()),
                        None => self.records.push(vec![property.clone()]),
                    }
                    is_attached = true;
                }
                Line::Property(property) => match self.records.last_mut() {
                    Some(record) if is_attached && !has(record, &property.key) => {
                        record.push(property.clone());
                    }
                    // What is said twice may be said of a cookie whose name could not be read.
                    _ => {
                        is_attached = false;
                        self.aside.push(property.row);
                    }
                },
            }
        }
        self
    }

    /// Each cookie begins with this heading.
    fn begun_by(mut self, key: &str, lines: &[Line<'r>]) -> Self {
        for line in lines {
            match line {
                Line::Gap => {}
                Line::Lone(row) => self.aside.push(row),
                Line::Property(property) if property.key == key => {
                    self.records.push(vec![property.clone()]);
                }
                Line::Property(property) => match self.records.last_mut() {
                    Some(record) => record.push(property.clone()),
                    None => self.aside.push(property.row),
                },
            }
        }
        self
    }

    /// Where gaps say nothing, a category at the end of a cookie may be a heading above the next;
    /// only where each cookie has one, it is its own.
    fn set_uneven_categories_aside(&mut self) {
        let is_category = |property: &Property<'_>| property.column == Column::Category;
        let is_even = self.records.iter().all(|record| record.iter().any(is_category));
        if !self.is_spaced || is_even {
            return;
        }
        for record in &mut self.records {
            if record.last().is_some_and(is_category) {
                self.aside.extend(record.pop().map(|property| property.row));
            }
        }
    }

    /// What is said of a cookie without a name is said of none.
    fn set_nameless_aside(&mut self) {
        let is_named = |property: &Property<'_>| {
            property.column == Column::Name && !property.row.cells[1].is_blank()
        };
        let records = std::mem::take(&mut self.records).into_iter();
        let (named, nameless): (Vec<_>, Vec<_>) =
            records.partition(|record| record.iter().any(is_named));
        self.records = named;
        self.aside.extend(nameless.into_iter().flatten().map(|property| property.row));
    }

    fn upright(self) -> Option<Upright> {
        let mut headings: Vec<(&str, Cell)> = Vec::new();
        let mut rows: Vec<Row> = Vec::new();
        for record in &self.records {
            let line = record.first().map_or(0, |property| property.row.line);
            let mut row = Row { line, cells: Vec::new() };
            for Property { key, row: said, .. } in record {
                let known = headings.iter().position(|(known, _)| known == key);
                if known.is_none() && headings.len() == MAX_COLUMNS {
                    return None;
                }
                let at = known.unwrap_or_else(|| {
                    headings.push((key, said.cells[0].clone()));
                    headings.len() - 1
                });
                row.cells.resize(row.cells.len().max(at + 1), Cell::new(""));
                row.cells[at] = said.cells[1].clone();
            }
            rows.push(row);
        }
        let cells = headings.into_iter().map(|(_, cell)| Cell { is_heading: true, ..cell });
        let line = rows.first().map_or(0, |row| row.line);
        rows.insert(0, Row { line, cells: cells.collect() });
        Some(Upright { rows, aside: self.aside.into_iter().cloned().collect() })
    }
}

/// Whether every cookie begins with the heading of `first`, and has one name, nothing twice, and no
/// gap or foreign line within.
fn begins_each(first: &Property<'_>, lines: &[Line<'_>], is_spaced: bool) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    let mut names = 1;
    let mut is_broken = false;
    for line in lines {
        let Line::Property(property) = line else {
            is_broken |= !(is_spaced && matches!(line, Line::Gap));
            continue;
        };
        if property.key == first.key {
            if names != 1 {
                return false;
            }
            (names, is_broken) = (0, false);
            seen.clear();
        }
        names += usize::from(property.column == Column::Name);
        if is_broken || names > 1 || seen.contains(&&*property.key) {
            return false;
        }
        seen.push(&property.key);
    }
    names == 1
}

/// Whether what is said before the first name is said again after it.
fn comes_again(lines: &[Line<'_>]) -> bool {
    let properties: Vec<&Property<'_>> = lines.iter().filter_map(Line::property).collect();
    let name = properties.iter().position(|property| property.column == Column::Name);
    let (before, after) = properties.split_at(name.unwrap_or(0));
    before.iter().any(|early| after.iter().any(|late| late.key == early.key))
}

fn has(record: &[Property<'_>], key: &str) -> bool {
    record.iter().any(|own| own.key == key)
}

/// Whether a line may be the name of the next cookie: one word, or one with an underscore.
fn may_be_name(row: &Row) -> bool {
    let text = row.cells.iter().map(|cell| &*cell.text).collect::<Vec<_>>().join(" ");
    let text = text.trim_start_matches(['-', '*', '•', ' ', '\u{a0}']).trim();
    !text.contains(char::is_whitespace) || text.contains('_') || {
        let heading = text.split_once(':').map(|(heading, _)| fold(heading));
        heading.is_some_and(|heading| columns::column(&heading) == Some(Column::Name))
    }
}

/// What the heading of a row says; `None` where it has none.
fn heading(row: &Row) -> Option<Column> {
    let [heading, _] = &*row.cells else { return None };
    if row.spans_all() || heading.is_blank() { None } else { columns::column(&fold(&heading.text)) }
}
