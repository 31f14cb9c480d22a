//! Tables of an HTML page, whatever its markup: rows, spans, nested elements, tags left open.
//!
//! The tokens of the standard's tokenizer are enough for that: a table is known by its own tags
//! alone. A tree would have to be built, and would have lost the lines.

use html5gum::{DefaultEmitter, HtmlString, StartTag, Token, Tokenizer};

use super::page::{Block, Cell, MAX_COLUMNS, Page, Row};
use super::{MAX_ROWS, vertical};

/// Reads `text`, the first line of which is `first_line`.
pub(super) fn read(text: &str, first_line: usize) -> Page {
    let mut reader = Reader {
        page: Page::default(),
        lines: Lines { text, at: 0, line: first_line },
        tables: Vec::new(),
        text: String::new(),
        heading: None,
        item: None,
        ignored: None,
        is_unseen: false,
        rows: 0,
    };
    for token in tokens(text) {
        reader.take(token);
    }
    while !reader.tables.is_empty() {
        reader.end_table();
    }
    reader.flush();
    reader.page
}

/// The text of a fragment without elements: entities are decoded.
pub(super) fn text_of(fragment: &str) -> String {
    let mut text = String::new();
    for token in tokens(fragment) {
        if let Token::String(string) = token {
            push_bytes(&mut text, &string.value);
        }
    }
    text
}

/// Whether HTML has an element of this name, in lower case.
pub(super) fn is_element(name: &str) -> bool {
    const ELEMENTS: &str = "a abbr address article aside b bdi bdo blockquote body br button caption center cite \
        code col colgroup data dd del details dfn div dl dt em figcaption figure font footer \
        form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label legend li \
        link main mark meta nav noscript o ol option p path picture pre q s samp script \
        section select slot small source span strike strong style sub summary sup svg table \
        tbody td template tfoot th thead time title tr tt u ul use var wbr";
    ELEMENTS.split(' ').any(|known| known == name)
}

fn tokens(text: &str) -> impl Iterator<Item = Token<usize>> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(text, emitter).map(|token| match token {
        Ok(token) => token,
        Err(never) => match never {},
    })
}

struct Reader<'t> {
    page: Page,
    lines: Lines<'t>,
    /// The tables that are open, one within the other.
    tables: Vec<Table>,
    /// The text outside of tables since the last block began or ended.
    text: String,
    /// The level of the heading that is open.
    heading: Option<u8>,
    /// The line of the item of a list that is open, and whether it begins with code.
    item: Option<(usize, bool)>,
    /// The element whose text is not the page's, and how many of them are open.
    ignored: Option<(HtmlString, usize)>,
    /// Whether the text at hand is one that visitors do not see.
    is_unseen: bool,
    /// The rows of all tables.
    rows: usize,
}

impl Reader<'_> {
    fn take(&mut self, token: Token<usize>) {
        match token {
            Token::StartTag(tag) => match &mut self.ignored {
                Some((ignored, depth)) => *depth += usize::from(*ignored == tag.name),
                None => self.start(&tag),
            },
            Token::EndTag(tag) => match &mut self.ignored {
                Some((ignored, depth)) => {
                    *depth -= usize::from(*ignored == tag.name);
                    if *depth == 0 {
                        self.ignored = None;
                    }
                }
                None => self.end(&tag.name),
            },
            Token::String(string) if self.ignored.is_none() => self.push(&string.value),
            _ => {}
        }
    }

    fn start(&mut self, tag: &StartTag<usize>) {
        let name: &[u8] = &tag.name;
        match name {
            b"script" | b"style" | b"title" | b"template" => {
                self.ignored = Some((tag.name.clone(), 1));
            }
            // A cell that is not shown takes no column.
            b"td" | b"th" if is_hidden(tag) => self.ignored = Some((tag.name.clone(), 1)),
            b"html" => self.page.language = attribute(tag, "lang"),
            b"link" | b"meta" => self.note_address(tag),
            b"table" => self.begin_table(false, is_hidden(tag)),
            b"dl" => self.begin_table(true, is_hidden(tag)),
            b"tr" => self.begin_row(tag),
            b"td" | b"th" => self.begin_cell(tag),
            b"dt" if self.is_in_list() => {
                self.begin_row(tag);
                self.begin_cell(tag);
            }
            b"dd" if self.is_in_list() => self.begin_cell(tag),
            b"caption" => self.begin_caption(is_hidden(tag)),
            b"thead" | b"tbody" | b"tfoot" => self.begin_group(is_hidden(tag)),
            b"data" => self.note_value(tag),
            b"br" => self.push_break(),
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.flush();
                self.heading = Some(name[1] - b'0');
                self.is_unseen = is_hidden(tag);
            }
            b"li" => {
                self.flush();
                let line = self.lines.of(tag.span.start);
                self.item = self.cell().is_none().then_some((line, false));
            }
            b"code" if self.text.trim().is_empty() => {
                self.item = self.item.map(|(line, _)| (line, true));
            }
            name if is_block(name) => {
                self.flush();
                self.is_unseen = is_hidden(tag);
            }
            name => self.push_unknown(name, tag),
        }
    }

    fn end(&mut self, name: &[u8]) {
        match name {
            b"table" | b"dl" => self.end_table(),
            b"tr" => self.end_row(),
            b"td" | b"th" | b"dt" | b"dd" => {
                if let Some(table) = self.tables.last_mut() {
                    table.end_cell();
                }
            }
            b"thead" | b"tbody" | b"tfoot" => self.end_group(),
            [b'h', b'1'..=b'6'] => self.flush(),
            b"li" | b"ul" | b"ol" => {
                self.flush();
                self.item = None;
            }
            name if is_block(name) => self.flush(),
            _ => {}
        }
    }

    /// The page's own address, as it tells search engines and social networks.
    fn note_address(&mut self, tag: &StartTag<usize>) {
        let says = |name, value: &str| attribute(tag, name).is_some_and(|found| found == value);
        let address = if says("rel", "canonical") {
            attribute(tag, "href")
        } else if says("property", "og:url") {
            attribute(tag, "content")
        } else {
            None
        };
        let host = address.and_then(|address| super::host_of(&address).map(ToOwned::to_owned));
        if self.page.domain.is_none() {
            self.page.domain = host;
        }
    }

    fn begin_table(&mut self, is_list: bool, is_hidden: bool) {
        self.flush();
        // What is within what is not shown is not shown either.
        let is_hidden = is_hidden || self.tables.last().is_some_and(Table::is_hidden);
        self.tables.push(Table { is_list, is_hidden, ..Table::default() });
    }

    fn begin_caption(&mut self, is_hidden: bool) {
        self.flush();
        self.is_unseen = is_hidden;
        if let Some(table) = self.tables.last_mut() {
            table.has_caption = true;
        }
    }

    fn begin_row(&mut self, tag: &StartTag<usize>) {
        let line = self.lines.of(tag.span.start);
        self.end_row();
        if let Some(table) = self.tables.last_mut() {
            table.row = Some(Row { line, cells: Vec::new() });
            table.is_row_hidden = is_hidden(tag);
        }
    }

    fn begin_cell(&mut self, tag: &StartTag<usize>) {
        let line = self.lines.of(tag.span.start);
        let span = |name| attribute(tag, name).and_then(|number| number.trim().parse().ok());
        let Some(table) = self.tables.last_mut() else { return };
        table.end_cell();
        table.row.get_or_insert(Row { line, cells: Vec::new() });
        table.cell = Some(OpenCell {
            text: String::new(),
            value: None,
            is_heading: *tag.name == b"th"[..],
            columns: span("colspan").unwrap_or(1).clamp(1, MAX_COLUMNS),
            rows: span("rowspan").unwrap_or(1).clamp(1, MAX_ROWS),
        });
    }

    fn note_value(&mut self, tag: &StartTag<usize>) {
        if let Some(cell) = self.tables.last_mut().and_then(|table| table.cell.as_mut()) {
            cell.value = attribute(tag, "value");
        }
    }

    fn end_row(&mut self) {
        let Some(table) = self.tables.last_mut() else { return };
        let is_hidden = table.is_hidden();
        table.is_row_hidden = false;
        if let Some(row) = table.end_row() {
            self.rows += 1;
            match is_hidden {
                true if row.is_blank() => {}
                true => self.page.blocks.push(Block::Loose(row, "visitors do not see it")),
                false => table.rows.push(row),
            }
        }
        if self.rows > MAX_ROWS {
            // The page is refused as a whole; what counts is that there are too many.
            table.rows.truncate(MAX_ROWS + 1);
        }
    }

    fn begin_group(&mut self, is_hidden: bool) {
        self.end_group();
        if let Some(table) = self.tables.last_mut() {
            table.is_group_hidden = is_hidden;
        }
    }

    fn end_group(&mut self) {
        self.end_row();
        if let Some(table) = self.tables.last_mut() {
            table.carried.clear();
            table.is_group_hidden = false;
        }
    }

    fn end_table(&mut self) {
        self.end_row();
        let Some(table) = self.tables.pop() else { return };
        let has_caption = table.has_caption;
        if !table.is_list || vertical::is_list_of_cookies(&table.rows) {
            self.page.blocks.push(Block::Table(table.rows));
        } else {
            self.page.blocks.extend(table.rows.iter().map(term));
        }
        if has_caption {
            // What it says ends with its table, as below any further paragraph.
            self.page.blocks.push(Block::Paragraph(String::new()));
        }
    }

    /// Ends the heading or paragraph at hand; within a cell a new line begins.
    fn flush(&mut self) {
        let heading = self.heading.take();
        if self.cell().is_some() {
            self.push_break();
            return;
        }
        let text = super::words::clean(&std::mem::take(&mut self.text));
        let is_unseen = std::mem::take(&mut self.is_unseen);
        if text.is_empty() || is_unseen {
            return;
        }
        self.page.blocks.push(match (heading, self.item.take()) {
            (Some(level), _) => Block::Heading { level, text },
            (None, Some((line, is_code))) => Block::Item { line, text, is_code },
            (None, None) => Block::Paragraph(text),
        });
    }

    fn push(&mut self, bytes: &[u8]) {
        let mut text = String::with_capacity(bytes.len());
        push_bytes(&mut text, bytes);
        // White space of the source is no line break of the page.
        let text = text.replace(|c: char| c.is_ascii_whitespace(), " ");
        self.target().push_str(&text);
    }

    fn push_break(&mut self) {
        self.target().push('\n');
    }

    /// A placeholder such as `<id>` in a name was meant to be seen.
    fn push_unknown(&mut self, name: &[u8], tag: &StartTag<usize>) {
        let Ok(name) = std::str::from_utf8(name) else { return };
        if !is_element(name) && tag.attributes.is_empty() && self.cell().is_some() {
            let shown = format!("<{name}>");
            self.target().push_str(&shown);
        }
    }

    fn target(&mut self) -> &mut String {
        match self.tables.last_mut().and_then(|table| table.cell.as_mut()) {
            Some(cell) => &mut cell.text,
            None => &mut self.text,
        }
    }

    fn cell(&self) -> Option<&OpenCell> {
        self.tables.last().and_then(|table| table.cell.as_ref())
    }

    fn is_in_list(&self) -> bool {
        self.tables.last().is_some_and(|table| table.is_list)
    }
}

/// A term and what is said of it, which may be a cookie's name and its purpose.
fn term(row: &Row) -> Block {
    let texts: Vec<String> = row.cells.iter().map(|cell| super::words::clean(&cell.text)).collect();
    match &*texts {
        [only] => Block::Paragraph(only.clone()),
        [term, said @ ..] => Block::Item {
            line: row.line,
            text: format!("{term}: {}", said.join(" ")),
            is_code: false,
        },
        [] => Block::Paragraph(String::new()),
    }
}

/// A table that is being read.
#[derive(Default)]
struct Table {
    /// Whether it is a list of terms.
    is_list: bool,
    has_caption: bool,
    /// Whether it, the group of rows at hand, and the row at hand are ones that visitors do not see.
    is_hidden: bool,
    is_group_hidden: bool,
    is_row_hidden: bool,
    rows: Vec<Row>,
    row: Option<Row>,
    cell: Option<OpenCell>,
    /// For each column, the cell that reaches down into the rows to come, and how many.
    carried: Vec<Option<(usize, Cell)>>,
}

struct OpenCell {
    text: String,
    value: Option<String>,
    is_heading: bool,
    columns: usize,
    rows: usize,
}

impl Table {
    fn end_cell(&mut self) {
        let (Some(open), Some(row)) = (self.cell.take(), &mut self.row) else { return };
        fill(row, &mut self.carried);
        let cell = Cell {
            text: open.text.into(),
            value: open.value.map(Into::into),
            is_heading: open.is_heading,
        };
        // A row with too many cells for any table of cookies is kept as it is, to be set aside.
        for _ in 0..open.columns.min(MAX_COLUMNS.saturating_sub(row.cells.len())).max(1) {
            if open.rows > 1 && row.cells.len() < MAX_COLUMNS {
                let column = row.cells.len();
                self.carried.resize(self.carried.len().max(column + 1), None);
                self.carried[column] = Some((open.rows, cell.clone()));
                carry(&mut self.carried[column]);
            }
            row.cells.push(cell.clone());
        }
    }

    fn is_hidden(&self) -> bool {
        self.is_hidden || self.is_group_hidden || self.is_row_hidden
    }

    /// The row that was open.
    fn end_row(&mut self) -> Option<Row> {
        self.end_cell();
        // A row without cells of its own takes none from above either, or spans would multiply.
        let mut row = self.row.take().filter(|row| !row.cells.is_empty())?;
        while row.cells.len() < self.carried.len() {
            match carry(&mut self.carried[row.cells.len()]) {
                Some(cell) => row.cells.push(cell),
                None => break,
            }
        }
        Some(row)
    }
}

/// Puts cells from above in the columns that are next.
fn fill(row: &mut Row, carried: &mut [Option<(usize, Cell)>]) {
    while row.cells.len() < MAX_COLUMNS
        && let Some(cell) = carried.get_mut(row.cells.len()).and_then(carry)
    {
        row.cells.push(cell);
    }
}

/// The cell from above, for one row more.
fn carry(carried: &mut Option<(usize, Cell)>) -> Option<Cell> {
    let (left, cell) = carried.as_mut()?;
    *left -= 1;
    let cell = cell.clone();
    if *left == 0 {
        *carried = None;
    }
    Some(cell)
}

/// Finds the line of a place; places come in their order.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, place: usize) -> usize {
        let place = place.min(self.text.len());
        if place > self.at {
            let passed = &self.text.as_bytes()[self.at..place];
            self.line += memchr::memchr_iter(b'\n', passed).count();
            self.at = place;
        }
        self.line
    }
}

fn attribute(tag: &StartTag<usize>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    let mut text = String::new();
    push_bytes(&mut text, &value.value);
    Some(text)
}

/// Whether an element is one that visitors do not see, as far as its own tag tells.
fn is_hidden(tag: &StartTag<usize>) -> bool {
    let style = attribute(tag, "style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
    let is_unseen = style.contains("display:none") || style.contains("visibility:hidden");
    is_unseen || attribute(tag, "hidden").is_some()
}

/// Tokens of a text are text themselves.
fn push_bytes(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
    }
}

/// Whether what stands before and after these tags is apart.
fn is_block(name: &[u8]) -> bool {
    const BLOCKS: &str = "address article aside blockquote body button caption center dd details div dt \
        figcaption figure footer form header hr legend li main nav ol option p pre section \
        summary ul";
    BLOCKS.split(' ').any(|known| known.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the only table, cells between bars.
    #[track_caller]
    fn rows(html: &str) -> Vec<String> {
        let tables = read(html, 1).blocks.into_iter().filter_map(|block| match block {
            Block::Table(rows) => Some(rows),
            _ => None,
        });
        tables
            .flatten()
            .map(|row| {
                let cells: Vec<_> = row.cells.iter().map(|cell| cell.text.trim()).collect();
                format!("{}: {}", row.line, cells.join("|"))
            })
            .collect()
    }

    #[test]
    fn tables() {
        let cases: &[(&str, &[&str])] = &[
            ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", &["1: a|b", "1: c|d"]),
            ("<table>\n<tr>\n<td>a</td></tr>\n<tr><td>b</td></tr></table>", &["2: a", "4: b"]),
            (
                "<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td>d<td>e</table>",
                &["1: a|b", "1: a|c", "1: d|e"],
            ),
            (
                "<table><tr><td>a<td rowspan=2>b<tr><td>c<tr><td>d<td>e</table>",
                &["1: a|b", "1: c|b", "1: d|e"],
            ),
            ("<table><tr><td colspan=2>a<td>b</table>", &["1: a|a|b"]),
            ("<table><tr><td>a<br>b<td>c<p>d</p></table>", &["1: a\nb|c\nd"]),
            ("<table><tr><td>a<b> &amp; </b>c\n d</table>", &["1: a & c  d"]),
            ("<table><tr><td>_ga_<id><td>x</table>", &["1: _ga_<id>|x"]),
            ("<table><tr><td>a<script>x</script><td>b</table>", &["1: a|b"]),
            ("<table><tr><td><table><tr><td>in</table><td>out</table>", &["1: in", "1: |out"]),
            ("<tr><td>no table", &[]),
            ("<table><td>open", &["1: open"]),
            ("<table><tr><td rowspan=99999999999>a</table>", &["1: a"]),
            (
                "<table><tr><td>a<template><tr><td>b<template></template>c</template>d</table>",
                &["1: ad"],
            ),
            ("<table><tr hidden><td>a<tr><td>b</table>", &["1: b"]),
            ("<table><tbody style='DISPLAY : none'><tr><td>a<tbody><tr><td>b</table>", &["1: b"]),
            ("<table hidden><tr><td>a<table><tr><td>b</table></table>", &[]),
            ("<table><tr><td>a<td hidden>b</td><td>c</table>", &["1: a|c"]),
        ];
        for (html, expected) in cases {
            assert_eq!(rows(html), *expected, "{html}");
        }
    }

    #[test]
    fn elements() {
        for name in ["a", "wbr", "h1", "td"] {
            assert!(is_element(name), "{name}");
        }
        assert!(!is_element("id") && !is_element("site") && !is_element(""));
    }
}
