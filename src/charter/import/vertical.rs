//! Tables on their side: a heading and its value on each row, one cookie after the other.

use super::columns::{self, Column};
use super::page::{Cell, MAX_COLUMNS, Row};
use super::words::fold;

/// Whether the rows are of that kind.
fn is_vertical(rows: &[Row]) -> bool {
    let headings = rows.iter().filter_map(heading);
    let known: Vec<Column> = headings.filter(|column| *column != Column::Other).collect();
    // A heading for at least every second row, and both a name and something said of it.
    known.contains(&Column::Name)
        && known.iter().any(|column| *column != Column::Name)
        && 2 * known.len() >= rows.len()
}

/// Whether a list of terms tells of cookies, one property a term.
pub(super) fn is_list_of_cookies(rows: &[Row]) -> bool {
    is_vertical(rows)
}

/// The rows as they would stand upright, the headings first; `None` where they do already.
///
/// A heading that comes again begins the next cookie.
pub(super) fn upright(rows: &[Row]) -> Option<Vec<Row>> {
    let rows: Vec<&Row> = rows.iter().filter(|row| !row.is_blank()).collect();
    let owned: Vec<Row> = rows.iter().map(|row| (*row).clone()).collect();
    if rows.iter().any(|row| row.cells.len() != 2) || !is_vertical(&owned) {
        return None;
    }
    let mut headings: Vec<(String, Cell)> = Vec::new();
    let mut records: Vec<Row> = Vec::new();
    for row in rows {
        let key = fold(&row.cells[0].text);
        let known = headings.iter().position(|(known, _)| *known == key);
        if known.is_none() && headings.len() == MAX_COLUMNS {
            return None;
        }
        let at = known.unwrap_or_else(|| {
            headings.push((key, row.cells[0].clone()));
            headings.len() - 1
        });
        let taken = |record: &Row| record.cells.get(at).is_some_and(|cell| !cell.is_blank());
        if records.last().is_none_or(taken) {
            records.push(Row { line: row.line, cells: Vec::new() });
        }
        if let Some(record) = records.last_mut() {
            record.cells.resize(record.cells.len().max(at + 1), Cell::new(""));
            record.cells[at] = row.cells[1].clone();
        }
    }
    let cells = headings.into_iter().map(|(_, cell)| Cell { is_heading: true, ..cell }).collect();
    let line = records.first().map_or(0, |record| record.line);
    records.insert(0, Row { line, cells });
    Some(records)
}

fn heading(row: &Row) -> Option<Column> {
    let [heading, _] = &*row.cells else { return None };
    columns::column(&fold(&heading.text))
}
