//! A charter in JSON: the one that is rendered, or any list of objects that tell of cookies.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::page::{Block, Cell, MAX_COLUMNS, Page, Row};
use super::{ImportError, MAX_ROWS};

/// Reads `text`: a list of objects, or an object with such a list. Their keys are the headings of
/// a table.
pub(super) fn read(text: &str) -> Result<Page, ImportError> {
    let broken = |error: &serde_json::Error| ImportError::Json {
        line: error.line(),
        message: error.to_string(),
    };
    let mut page = Page::default();
    let items: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| broken(&error))?
    } else {
        let fields: Vec<(String, &RawValue)> = fields(text).map_err(|error| broken(&error))?;
        for (key, value) in &fields {
            let string = || serde_json::from_str(value.get()).ok();
            match key.as_str() {
                "domain" => page.domain = string(),
                "language" => page.language = string(),
                "rendered_by" => page.is_rendered = value.get().contains("cookie-firewall"),
                _ => {}
            }
        }
        let lists = fields.iter().map(|(_, value)| serde_json::from_str(value.get()).ok());
        lists.flatten().next().ok_or(ImportError::NoTable)?
    };
    if items.len() > MAX_ROWS {
        return Err(ImportError::TooLong);
    }
    let start = text.as_ptr() as usize;
    let mut line = 1;
    let mut passed = 0;
    let mut headings: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for item in items {
        let place = item.get().as_ptr() as usize - start;
        line += text[passed..place].matches('\n').count();
        passed = place;
        let Some(mut cells) = cells(item.get(), &mut headings) else {
            let row = Row { line, cells: vec![Cell::new(item.get())] };
            page.blocks.push(Block::Loose(row, "it is no object with the keys of a cookie"));
            continue;
        };
        if page.is_rendered {
            // What is written for machines stands for itself.
            cells.iter_mut().for_each(|cell| cell.value = Some(cell.text.clone()));
        }
        rows.push(Row { line, cells });
    }
    let cells = headings.iter().map(|key| Cell { is_heading: true, ..Cell::new(key) }).collect();
    rows.insert(0, Row { line: 1, cells });
    page.blocks.push(Block::Table(rows));
    Ok(page)
}

/// The fields of an object, in their order.
fn fields(text: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
    let map: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let mut fields: Vec<_> = map.into_iter().collect();
    fields.sort_by_key(|(_, value)| value.get().as_ptr() as usize);
    Ok(fields)
}

/// One object as the cells of a row; keys that are seen for the first time become headings. `None`
/// where it is no object, or there would be far too many.
fn cells(item: &str, headings: &mut Vec<String>) -> Option<Vec<Cell>> {
    let mut object: Map<String, Value> = serde_json::from_str(item).ok()?;
    if object.remove("anonymous") == Some(Value::Bool(true)) {
        object.insert("category".to_owned(), super::ANONYMOUS.into());
    }
    let new = object.keys().filter(|key| !headings.contains(key)).count();
    if headings.len() + new > MAX_COLUMNS {
        return None;
    }
    let mut cells = Vec::new();
    for (key, value) in object {
        let at = headings.iter().position(|known| *known == key).unwrap_or_else(|| {
            headings.push(key);
            headings.len() - 1
        });
        cells.resize(cells.len().max(at + 1), Cell::new(""));
        cells[at] = cell(&value);
    }
    Some(cells)
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::new(""),
        Value::String(text) => Cell::new(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| cell(item).text).collect();
            Cell::new(&items.join("\n"))
        }
        other => Cell::new(&other.to_string()),
    }
}
