//! Plain text and Markdown, line by line: tables with tabs, with pipes, or aligned with spaces.

use super::columns::Column;
use super::page::{Block, Cell, MAX_CELL_CHARS, MAX_COLUMNS, Page, Row};
use super::section::{self, Class};
use super::words::fold;
use super::{columns, inline, vertical};
use crate::charter::Category;

/// A cell that has grown longer goes on in none of the next lines: it is too long for a charter
/// however it ends, and to join on would take time without bound.
const MAX_JOINED_BYTES: usize = 4 * MAX_CELL_CHARS;

/// What kind of lines they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markup {
    Plain,
    Markdown,
}

/// Reads `text`.
pub(super) fn read(text: &str, markup: Markup) -> Page {
    let mut reader = Reader {
        markup,
        page: Page::default(),
        table: Vec::new(),
        shape: None,
        follows_row: false,
        first_property: None,
        starts: Vec::new(),
        name_column: None,
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        at += reader.take(&lines[at..], at + 1);
    }
    reader.end_table();
    reader.page
}

/// How the rows of the table at hand are told from other lines.
#[derive(Clone, Debug)]
enum Shape {
    Tabs {
        columns: usize,
    },
    /// Each column begins where [`Reader::starts`] says, in characters.
    Aligned,
    Pipes,
    /// A heading and its value on each line.
    Properties,
}

struct Reader {
    markup: Markup,
    page: Page,
    table: Vec<Row>,
    shape: Option<Shape>,
    /// Whether the line before was a row of the table.
    follows_row: bool,
    /// The heading that the first list of properties began with, folded.
    first_property: Option<String>,
    /// Where the columns of the last aligned table begin, and which holds the names.
    starts: Vec<usize>,
    name_column: Option<usize>,
}

impl Reader {
    /// Takes the first of `lines`, which is on `line`, or several; how many it took.
    fn take(&mut self, lines: &[&str], line: usize) -> usize {
        let first = lines[0];
        if self.markup == Markup::Markdown {
            if let Some(taken) = self.take_html(lines, line) {
                return taken;
            }
            if let Some(domain) = super::rendered_domain(first) {
                self.page.domain = Some(domain.to_owned());
                self.page.is_rendered = true;
                return 1;
            }
        }
        if first.trim().is_empty() {
            // Pages leave blank lines between rows; a table of pipes ends with one.
            match self.shape {
                Some(Shape::Pipes) => self.end_table(),
                Some(Shape::Properties) => self.take_gap(line),
                _ => {}
            }
            self.follows_row = false;
            return 1;
        }
        // Short strokes draw a line below the headings only; elsewhere they are cells that say nothing.
        let is_below_headings = self.follows_row && self.table.len() == 1 && first.contains('|');
        if is_rule(first) && (is_long(first) || is_below_headings) {
            self.follows_row = false;
            return 1;
        }
        if let Some(taken) = self.take_row(lines, line) {
            self.follows_row = true;
            return taken;
        }
        if self.follows_row && !is_section(first) {
            // A row that has lost all its cells but one.
            let cells = vec![self.cell(first)];
            self.table.push(Row { line, cells });
            return 1;
        }
        self.follows_row = false;
        if self.take_property(first, line) || self.take_amid_properties(lines, line) {
            return 1;
        }
        self.end_table();
        if self.take_item(first, line) {
            return 1;
        }
        self.take_text(lines)
    }

    /// A table in HTML, which Markdown may hold.
    fn take_html(&mut self, lines: &[&str], line: usize) -> Option<usize> {
        let is_start = lines[0].trim_start().to_ascii_lowercase().starts_with("<table");
        if !is_start {
            return None;
        }
        let ends = |line: &&str| line.to_ascii_lowercase().contains("</table");
        let taken = lines.iter().position(ends).map_or(lines.len(), |at| at + 1);
        self.end_table();
        let html = super::html::read(&lines[..taken].join("\n"), line);
        self.page.blocks.extend(html.blocks);
        Some(taken)
    }

    fn take_row(&mut self, lines: &[&str], line: usize) -> Option<usize> {
        let first = lines[0];
        if has_pipes(first) || self.is_pipe_row(lines) {
            self.begin(Shape::Pipes);
            let cells = pipe_cells(first).iter().map(|cell| self.cell(cell)).collect();
            self.table.push(Row { line, cells });
            return Some(1);
        }
        if first.contains('\t') {
            return Some(self.take_tabs(lines, line));
        }
        self.take_aligned(first, line).then_some(1)
    }

    /// Whether the line is a row without pipes at its ends: in a table that has such, or before
    /// the rule that makes it the headings of one.
    fn is_pipe_row(&self, lines: &[&str]) -> bool {
        let rule = lines.get(1).is_some_and(|line| is_rule(line) && line.contains('|'));
        lines[0].contains('|')
            && (rule || matches!(self.shape, Some(Shape::Pipes)) || self.announces(lines[0]))
    }

    /// Whether a line with pipes, and no rule below it, holds headings.
    fn announces(&self, line: &str) -> bool {
        let cells = pipe_cells(line).iter().map(|cell| self.cell(cell)).collect();
        columns::announced(&Row { line: 0, cells }).is_some()
    }

    fn take_tabs(&mut self, lines: &[&str], line: usize) -> usize {
        let mut cells = self.tab_cells(lines[0]);
        let mut taken = 1;
        match self.shape {
            // A cell of several lines: the rest of the row follows, and makes it complete.
            Some(Shape::Tabs { columns }) => {
                while let Some(next) = lines.get(taken).filter(|next| !next.trim().is_empty()) {
                    let more = self.tab_cells(next);
                    if cells.len() >= columns || cells.len() + more.len() - 1 > columns {
                        break;
                    }
                    let mut more = more.into_iter();
                    if let (Some(last), Some(first)) = (cells.last_mut(), more.next()) {
                        if last.text.len() > MAX_JOINED_BYTES {
                            break;
                        }
                        *last = Cell::new(&format!("{}\n{}", last.text, first.text));
                    }
                    cells.extend(more);
                    taken += 1;
                }
            }
            _ => self.begin(Shape::Tabs { columns: cells.len() }),
        }
        self.table.push(Row { line, cells });
        taken
    }

    fn tab_cells(&self, line: &str) -> Vec<Cell> {
        line.splitn(MAX_COLUMNS, '\t').map(|cell| self.cell(cell)).collect()
    }

    /// A row of columns that begin where their headings do.
    fn take_aligned(&mut self, line: &str, number: usize) -> bool {
        let chunks = chunks(line);
        let is_alone = chunks.iter().all(|(start, _)| self.starts.first() == Some(start));
        if matches!(self.shape, Some(Shape::Aligned)) && !is_alone {
            self.place(&chunks, number);
            return true;
        }
        if chunks.len() < 2 {
            return false;
        }
        let cells = chunks.iter().map(|(_, text)| self.cell(text)).collect();
        let row = Row { line: number, cells };
        if let Some(columns) = columns::announced(&row) {
            self.starts = chunks.iter().map(|(start, _)| *start).collect();
            self.name_column = columns.iter().position(|column| *column == Column::Name);
            self.begin(Shape::Aligned);
            self.table.push(row);
            return true;
        }
        if chunks.iter().all(|(start, _)| self.starts.contains(start)) {
            // The table goes on below a heading.
            self.begin(Shape::Aligned);
            self.place(&chunks, number);
            return true;
        }
        // Two spaces may stand after a full stop, but hardly three times.
        let is_loose = chunks.len() > 2;
        if is_loose {
            self.end_table();
            self.page.blocks.push(Block::Loose(row, super::NO_HEADINGS));
        }
        is_loose
    }

    /// Puts the parts of a line in the columns of the aligned table at hand.
    fn place(&mut self, chunks: &[(usize, &str)], line: usize) {
        let starts = &self.starts;
        let places = chunks.iter().map(|(start, _)| starts.iter().position(|at| at == start));
        let places: Vec<usize> = match places.collect() {
            Some(places) => places,
            // Cells that are wider than their column push the next ones along.
            None if chunks.len() == starts.len() => (0..starts.len()).collect(),
            None => return self.misplace(chunks, line),
        };
        let mut cells = vec![Cell::new(""); starts.len()];
        for (place, (_, text)) in places.iter().zip(chunks) {
            cells[*place] = self.cell(text);
        }
        let names_one = self.name_column.is_none_or(|name| places.contains(&name));
        let is_long = |row: &Row| row.cells.iter().any(|cell| cell.text.len() > MAX_JOINED_BYTES);
        if places[0] > 0 && !names_one && self.table.last().is_some_and(|row| !is_long(row)) {
            self.continue_row(&cells);
        } else {
            self.table.push(Row { line, cells });
        }
    }

    /// A line whose parts do not stand where the columns are; the table goes on after it.
    fn misplace(&mut self, chunks: &[(usize, &str)], line: usize) {
        let cells = chunks.iter().map(|(_, text)| self.cell(text)).collect();
        self.end_table();
        self.shape = Some(Shape::Aligned);
        let reason = "its cells do not stand below the headings";
        self.page.blocks.push(Block::Loose(Row { line, cells }, reason));
    }

    fn continue_row(&mut self, cells: &[Cell]) {
        let Some(row) = self.table.last_mut() else { return };
        for (cell, more) in row.cells.iter_mut().zip(cells).filter(|(_, more)| !more.is_blank()) {
            *cell = Cell::new(&format!("{} {}", cell.text, more.text));
        }
    }

    /// `Fournisseur : Google`, one property of a cookie on a line.
    fn take_property(&mut self, line: &str, number: usize) -> bool {
        let is_open = matches!(self.shape, Some(Shape::Properties));
        let Some((heading, value)) = property(line, is_open) else { return false };
        self.begin(Shape::Properties);
        let cells = vec![self.cell(heading), self.cell(value)];
        self.table.push(Row { line: number, cells });
        true
    }

    /// A blank line amid properties: what comes before the first name is none of a cookie.
    fn take_gap(&mut self, line: usize) {
        let is_name = |row: &Row| {
            row.cells
                .first()
                .is_some_and(|cell| columns::column(&fold(&cell.text)) == Some(Column::Name))
        };
        if !self.table.iter().any(is_name) {
            self.end_table();
        } else if self.table.last().is_some_and(|row| !row.cells.is_empty()) {
            self.table.push(Row { line, cells: Vec::new() });
        }
    }

    /// A line right below a property that is none that is known. It belongs to the cookie, unless it
    /// is the heading of the next; but that those are necessary is not believed of such a line.
    fn take_amid_properties(&mut self, lines: &[&str], line: usize) -> bool {
        let first = lines[0];
        let is_below = self.table.last().is_some_and(|row| !row.cells.is_empty());
        if !matches!(self.shape, Some(Shape::Properties)) || !is_below || first.starts_with('#') {
            return false;
        }
        let next = lines.get(1).and_then(|next| property(next, true));
        let begins =
            next.is_some_and(|(heading, _)| columns::column(&fold(heading)) == Some(Column::Name));
        if begins
            && matches!(section::class(first), Class::Is(category) if category != Category::Necessary)
        {
            return false;
        }
        let cells = vec![self.cell(first)];
        self.table.push(Row { line, cells });
        true
    }

    fn take_item(&mut self, line: &str, number: usize) -> bool {
        let trimmed = line.trim_start();
        let bullets = ["- ", "* ", "+ ", "• "];
        let Some(item) = bullets.iter().find_map(|bullet| trimmed.strip_prefix(bullet)) else {
            return false;
        };
        let (text, is_code) = (self.text(item), item.starts_with('`'));
        self.page.blocks.push(Block::Item { line: number, text, is_code });
        true
    }

    /// A heading or a paragraph; Markdown's may go over several lines.
    fn take_text(&mut self, lines: &[&str]) -> usize {
        let first = lines[0];
        let level = first.len() - first.trim_start_matches('#').len();
        if (1..=6).contains(&level) && first[level..].starts_with(' ') {
            let text = self.text(first[level..].trim_end_matches('#'));
            self.heading(level, text);
            return 1;
        }
        let underline = lines.get(1).map(|line| line.trim_end());
        let underlined = |sign: char| {
            underline.is_some_and(|line| line.len() >= 3 && line.chars().all(|c| c == sign))
        };
        for (level, sign) in [(1, '='), (2, '-')] {
            if underlined(sign) {
                let text = self.text(first);
                self.heading(level, text);
                return 2;
            }
        }
        let text = self.text(first);
        self.page.blocks.push(Block::Paragraph(text));
        1
    }

    fn heading(&mut self, level: usize, text: String) {
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        self.page.blocks.push(Block::Heading { level, text });
    }

    fn text(&self, text: &str) -> String {
        self.cell(text).text.to_string()
    }

    fn cell(&self, text: &str) -> Cell {
        match self.markup {
            Markup::Plain => Cell::new(text.trim()),
            Markup::Markdown if self.page.is_rendered => {
                Cell { value: inline::code_of(text.trim()).map(Into::into), ..inline::cell(text) }
            }
            Markup::Markdown => inline::cell(text),
        }
    }

    fn begin(&mut self, shape: Shape) {
        let same = matches!(
            (&self.shape, &shape),
            (Some(Shape::Pipes), Shape::Pipes)
                | (Some(Shape::Tabs { .. }), Shape::Tabs { .. })
                | (Some(Shape::Properties), Shape::Properties)
        );
        if !same {
            self.end_table();
            self.shape = Some(shape);
        }
    }

    fn end_table(&mut self) {
        let shape = self.shape.take();
        if self.table.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.table);
        self.page.blocks.push(match shape {
            Some(Shape::Pipes) => Block::Table(rows),
            Some(Shape::Properties) => return self.end_properties(rows),
            _ => Block::Continued(rows),
        });
    }

    /// A list of properties is one of cookies, or paragraphs. Once there was one of cookies, each
    /// cookie begins as the first one did: what stands before that could be a part of any.
    fn end_properties(&mut self, mut rows: Vec<Row>) {
        let key = |row: &Row| row.cells.first().map(|cell| fold(&cell.text)).unwrap_or_default();
        let is_name = |key: &str| columns::column(key) == Some(Column::Name);
        if let Some(first) = &self.first_property {
            let begins = |row: &Row| key(row) == *first || is_name(first) && is_name(&key(row));
            let at = rows.iter().position(begins).unwrap_or(rows.len());
            let early = rows.drain(..at).filter(|row| !row.cells.is_empty());
            self.page.blocks.extend(early.map(Block::Stray));
        }
        if vertical::is_list_of_cookies(&rows) {
            self.first_property.get_or_insert_with(|| key(&rows[0]));
            self.page.blocks.push(Block::Table(rows));
            return;
        }
        let is_amid = self.first_property.is_some();
        let blocks = rows.into_iter().filter(|row| !row.cells.is_empty()).map(|row| {
            let texts: Vec<&str> = row.cells.iter().map(|cell| &*cell.text).collect();
            if is_amid { Block::Stray(row) } else { Block::Paragraph(texts.join(": ")) }
        });
        self.page.blocks.extend(blocks);
    }
}

/// The heading and the value of a line that is a property of a cookie. Amid others, the value may be
/// missing, or follow without a space.
fn property(line: &str, is_amid: bool) -> Option<(&str, &str)> {
    const MAX_WORDS: usize = 4;
    let (heading, value) = line.split_once(':')?;
    let heading = heading.trim_matches([' ', '\u{a0}', '-', '*', '•']);
    let folded = fold(heading);
    let is_known = columns::column(&folded).is_some_and(|column| column != Column::Other);
    let is_value = value.starts_with(char::is_whitespace) && !value.trim().is_empty();
    let is_property = is_known && folded.split(' ').count() <= MAX_WORDS && (is_amid || is_value);
    is_property.then_some((heading, value))
}

/// Whether a line amid the rows of a table says what category the next ones are in.
fn is_section(line: &str) -> bool {
    line.starts_with('#')
        || section::is_heading(line) && matches!(section::class(line), Class::Is(_))
}

/// Whether the line only draws one, as between headings and rows.
fn is_rule(line: &str) -> bool {
    line.chars().all(|c| "-=_+|:─━ \t".contains(c)) && line.contains(['-', '=', '_', '─', '━'])
}

/// Whether a line that is drawn has long strokes.
fn is_long(line: &str) -> bool {
    ["---", "===", "__", "--+", "==", "─", "━"].iter().any(|stroke| line.contains(stroke))
}

/// Whether the line is a row of pipes; the last one may be left out, as in AsciiDoc.
fn has_pipes(line: &str) -> bool {
    let line = line.trim();
    line.len() > 1 && line.starts_with('|')
}

/// The cells between pipes; one after a backslash is not between cells (GFM, tables).
fn pipe_cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                last(&mut cells).push('|');
            }
            '|' if chars.peek().is_none() => {}
            '|' if cells.len() < MAX_COLUMNS => cells.push(String::new()),
            c => last(&mut cells).push(c),
        }
    }
    cells
}

fn last(cells: &mut [String]) -> &mut String {
    cells.last_mut().expect("a line has at least one cell")
}

/// The parts of a line that two spaces or more divide, each with the character it begins at.
fn chunks(line: &str) -> Vec<(usize, &str)> {
    let mut chunks = Vec::new();
    let mut rest = line;
    let mut column = 0;
    loop {
        let blank = rest.len() - rest.trim_start_matches(is_space).len();
        column += rest[..blank].chars().count();
        rest = &rest[blank..];
        if rest.is_empty() {
            return chunks;
        }
        let end = end_of_chunk(rest);
        chunks.push((column, rest[..end].trim_end_matches(is_space)));
        column += rest[..end].chars().count();
        rest = &rest[end..];
    }
}

fn end_of_chunk(text: &str) -> usize {
    let mut before = None;
    for (at, c) in text.char_indices() {
        if is_space(c) && before.is_some_and(is_space) {
            return at;
        }
        before = Some(c);
    }
    text.len()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2003}' | '\u{3000}')
}
