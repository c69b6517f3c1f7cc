//! Tables without lines: columns two spaces apart, as wide as their widest cell.
//!
//! Control characters never reach a terminal from here: names and values come from files.

use unicode_width::UnicodeWidthStr;

use crate::style::{Paint, Tone};

/// Characters of the widest cell; the rest of a longer one is left out.
const CELL_WIDTH_MAX: usize = 60;

/// Rows of cells below their heads.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    head: &'static str,
    right: bool,
}

/// A cell: text and its colour.
pub(crate) struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Table {
    /// A table with these heads. One that begins with `>` is of numbers, aligned to the right.
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        let columns = heads.iter().map(|head| match head.strip_prefix('>') {
            Some(head) => Column { head, right: true },
            None => Column { head, right: false },
        });
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row; it has a cell for each head.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each head");
        self.rows.push(cells);
    }

    /// The text of the table, one line a row.
    pub(crate) fn render(&self, tone: Tone) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let heads = self.columns.iter().map(|column| Cell::from(column.head).paint(Paint::Head));
        let heads: Vec<Cell> = heads.collect();
        let mut text = String::new();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, column), &width) in row.iter().zip(&self.columns).zip(&widths) {
                let fill = " ".repeat(width.saturating_sub(cell.text.width()));
                let shown = cell
                    .paint
                    .map_or_else(|| cell.text.clone(), |paint| tone.paint(paint, &cell.text));
                let (before, after) =
                    if column.right { (fill.as_str(), "") } else { ("", fill.as_str()) };
                line.push_str(&format!("{before}{shown}{after}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.text.width()).fold(self.columns[at].head.width(), usize::max)
    }
}

impl Cell {
    /// A cell whose text is shown whole, however long it is. For last columns.
    pub(crate) fn whole(text: &str) -> Self {
        Self { text: printable(text), paint: None }
    }

    /// The same in a colour.
    pub(crate) fn paint(mut self, paint: Paint) -> Self {
        self.paint = Some(paint);
        self
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: shorten(&printable(text.as_ref()), CELL_WIDTH_MAX), paint: None }
    }
}

/// `text` on one line, with a sign in place of each control character.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign }).collect()
}

/// The beginning of `text`, at most `width_max` columns wide.
pub(crate) fn shorten(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut width = 0;
    for sign in text.chars() {
        width += unicode_width::UnicodeWidthChar::width(sign).unwrap_or(0);
        if width >= width_max {
            break;
        }
        short.push(sign);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let mut table = Table::new(&["NAME", ">COUNT", "NOTE"]);
        table.row(["训练".into(), "7".into(), "".into()]);
        table.row(["a".into(), "1000000".into(), "x\u{1b}[2J".into()]);
        insta::assert_snapshot!(table.render(Tone::PLAIN), @r"
        NAME    COUNT  NOTE
        训练        7
        a     1000000  x�[2J
        ");
    }

    #[test]
    fn a_long_cell_is_cut() {
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("训练训练", 5), "训练…");
        assert_eq!(shorten("abcd", 4), "abcd");
    }
}
