//! What every format of a page is read into: headings, paragraphs and tables, with their lines.

use std::rc::Rc;

/// The most characters of one cell; pages whose cells are longer are no charters.
pub(super) const MAX_CELL_CHARS: usize = 4_000;

/// The most columns of a table.
pub(super) const MAX_COLUMNS: usize = 64;

/// A page, from its top to its end.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) blocks: Vec<Block>,
    /// The domain that the page says is its own.
    pub(super) domain: Option<String>,
    /// The tag of the language that the page says it is in.
    pub(super) language: Option<String>,
    /// Whether this firewall has rendered it, so that names are patterns as they stand.
    pub(super) is_rendered: bool,
}

#[derive(Debug)]
pub(super) enum Block {
    /// A heading that is marked as one, with its level from 1.
    Heading {
        level: u8,
        text: String,
    },
    Paragraph(String),
    Table(Vec<Row>),
    /// A table of a text, whose headings may be those of the one before.
    Continued(Vec<Row>),
    /// A row that cannot be part of a table, and why.
    Loose(Row, &'static str),
    /// A property of a cookie that cannot be told.
    Stray(Row),
    /// An item of a list; whether it begins with code.
    Item {
        line: usize,
        text: String,
        is_code: bool,
    },
}

/// One row of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The line it begins on, from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<Cell>,
}

/// One cell; one that spans several columns or rows stands in each of them.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// The text as the page breaks it into lines.
    pub(super) text: Rc<str>,
    /// The value for machines, where the page gives one.
    pub(super) value: Option<Rc<str>>,
    /// Whether the page marks it as a heading.
    pub(super) is_heading: bool,
}

impl Cell {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), value: None, is_heading: false }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.value.as_deref().is_none_or(str::is_empty)
            && self.text.chars().all(|c| c.is_whitespace() || super::words::is_invisible(c))
    }
}

impl Row {
    pub(super) fn is_blank(&self) -> bool {
        self.cells.iter().all(Cell::is_blank)
    }

    /// Whether it only draws a line.
    pub(super) fn is_rule(&self) -> bool {
        let is_stroke =
            |text: &str| text.len() >= 3 && text.chars().all(|c| "-=_+:—–─━".contains(c));
        let cells = self.cells.iter().filter(|cell| !cell.is_blank());
        !self.is_blank()
            && cells.clone().all(|cell| cell.value.is_none())
            && cells.into_iter().all(|cell| is_stroke(cell.text.trim()))
    }

    /// Whether one cell reaches across several columns, and there is no other.
    pub(super) fn spans_all(&self) -> bool {
        let is_same = |pair: &[Cell]| Rc::ptr_eq(&pair[0].text, &pair[1].text);
        self.cells.len() > 1 && self.cells.windows(2).all(is_same)
    }

    /// The one cell that is not blank, and the column where it begins.
    pub(super) fn only_cell(&self) -> Option<(usize, &Cell)> {
        let mut filled = self.cells.iter().enumerate().filter(|(_, cell)| !cell.is_blank());
        let first = filled.next()?;
        // A cell that spans columns stands in each of them, as the same text.
        filled.all(|(_, cell)| Rc::ptr_eq(&cell.text, &first.1.text)).then_some(first)
    }
}
