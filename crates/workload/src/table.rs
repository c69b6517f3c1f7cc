//! Comma-separated values with places: a header that says which column is which, and rows.
//!
//! Quotes as in RFC 4180; lines that are empty or begin with `#` are passed over. A row that has
//! more or fewer cells than the header is a fault.

use std::borrow::Cow;
use std::ops::Range;

use crate::code;
use crate::fault::{Fault, Faults};
use crate::source::Source;
use crate::suggest::did_you_mean;
use crate::units::short;

/// A cell, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Cell<'s> {
    pub text: Cow<'s, str>,
    pub at: Range<usize>,
}

/// A column that a format knows: its name, and other words for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub names: &'static [&'static str],
    pub is_needed: bool,
}

/// A column that must be there.
pub(crate) const fn needed(names: &'static [&'static str]) -> Column {
    Column { names, is_needed: true }
}

/// A column that may be there.
pub(crate) const fn optional(names: &'static [&'static str]) -> Column {
    Column { names, is_needed: false }
}

/// Goes through the rows of a text.
pub(crate) struct Rows<'s> {
    text: &'s str,
    at: usize,
}

impl<'s> Rows<'s> {
    pub(crate) const fn new(text: &'s str) -> Self {
        Self { text, at: 0 }
    }

    /// The cells of the next row, in place of those before; whether there is one.
    pub(crate) fn next(&mut self, cells: &mut Vec<Cell<'s>>) -> Result<bool, Range<usize>> {
        cells.clear();
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            let line = rest.split('\n').next().unwrap_or_default();
            if !line.trim().is_empty() && !line.starts_with('#') {
                self.row(cells)?;
                return Ok(true);
            }
            self.at += (line.len() + 1).min(rest.len());
        }
        Ok(false)
    }

    fn row(&mut self, cells: &mut Vec<Cell<'s>>) -> Result<(), Range<usize>> {
        let bytes = self.text.as_bytes();
        loop {
            let cell = match bytes.get(self.at) {
                Some(b'"') => self.quoted()?,
                _ => self.plain(),
            };
            cells.push(cell);
            match bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(_) => {
                    self.at += 1;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    fn plain(&mut self) -> Cell<'s> {
        let rest = &self.text[self.at..];
        let length = rest.find([',', '\n']).unwrap_or(rest.len());
        let whole = &rest[..length];
        let text = whole.trim();
        let start = self.at + (whole.len() - whole.trim_start().len());
        self.at += length;
        Cell { text: Cow::Borrowed(text), at: start..start + text.len() }
    }

    /// A cell in quotes; where the quotes are not closed, or more stands behind them, that is told.
    fn quoted(&mut self) -> Result<Cell<'s>, Range<usize>> {
        let start = self.at;
        let mut text = Cow::Borrowed("");
        let mut from = start + 1;
        loop {
            let Some(length) = self.text[from..].find('"') else {
                self.at = self.text.len();
                return Err(start..start + 1);
            };
            let piece = &self.text[from..from + length];
            from += length + 1;
            if text.is_empty() {
                text = Cow::Borrowed(piece)
            } else {
                text.to_mut().push_str(piece)
            }
            if !self.text[from..].starts_with('"') {
                break;
            }
            text.to_mut().push('"');
            from += 1;
        }
        let rest = &self.text[from..];
        let blanks = rest.find(|sign: char| !matches!(sign, ' ' | '\t' | '\r'));
        self.at = from + blanks.unwrap_or(rest.len());
        match self.text.as_bytes().get(self.at) {
            None | Some(b',' | b'\n') => Ok(Cell { text, at: start..from }),
            Some(_) => Err(start..from),
        }
    }
}

/// Which columns a file has, by the numbers of a list of known ones.
#[derive(Debug)]
pub(crate) struct Header {
    /// Of each known column where it stands, if it does.
    place_of: Vec<Option<usize>>,
    width: usize,
    /// Columns that are not read.
    pub passed_over: Vec<String>,
}

impl Header {
    /// Reads a header. What is like a known name and is none is a fault, since a value would be
    /// lost without a word; other columns are passed over.
    pub(crate) fn read(
        source: &Source,
        cells: &[Cell<'_>],
        known: &[Column],
    ) -> Result<Self, Faults> {
        let mut faults = Faults::of(source.name());
        let mut header =
            Self { place_of: vec![None; known.len()], width: cells.len(), passed_over: Vec::new() };
        for (place, cell) in cells.iter().enumerate() {
            let name = cell.text.to_lowercase();
            let number = known.iter().position(|column| column.names.contains(&&*name));
            let told = |code, message| Fault::at(source, cell.at.clone(), code, message);
            match number {
                Some(number) if header.place_of[number].is_none() => {
                    header.place_of[number] = Some(place);
                }
                Some(number) => {
                    let message = format!("there are two columns of `{}`", known[number].names[0]);
                    faults.push(told(code::DUPLICATE, message).hint("take one of the two out"));
                }
                None => {
                    let absent = known.iter().zip(&header.place_of);
                    let absent = absent.filter(|(_, place)| place.is_none());
                    let names = absent.flat_map(|(column, _)| column.names.iter().copied());
                    // A column that comes later may have the name: then this one is another.
                    let is_elsewhere = |name: &&str| cells.iter().any(|cell| cell.text == **name);
                    match did_you_mean(&name, names.filter(|name| !is_elsewhere(name))) {
                        Some(hint) => {
                            let message = format!("there is no column `{}`", short(&cell.text));
                            faults.push(told(code::UNKNOWN_KEY, message).hint(hint));
                        }
                        None => header.passed_over.push(short(&cell.text)),
                    }
                }
            }
        }
        let end = cells.last().map_or(0, |cell| cell.at.end);
        let start = cells.first().map_or(0, |cell| cell.at.start);
        for (column, place) in known.iter().zip(&header.place_of) {
            if column.is_needed && place.is_none() && faults.count() == 0 {
                let message = format!("there is no column `{}`", column.names[0]);
                let fault = Fault::at(source, start..end, code::MISSING, message);
                faults.push(fault.hint("the first line names the columns, with commas between"));
            }
        }
        faults.unless(Some(header))
    }

    /// Whether a known column is there.
    pub(crate) fn has(&self, number: usize) -> bool {
        self.place_of.get(number).is_some_and(Option::is_some)
    }

    /// The cell of a known column; nothing if the column is not there, or the cell is empty.
    pub(crate) fn cell<'c, 's>(&self, row: &'c [Cell<'s>], number: usize) -> Option<&'c Cell<'s>> {
        let place = self.place_of.get(number).copied().flatten()?;
        row.get(place).filter(|cell| !cell.text.is_empty())
    }
}

/// Reads a table: the header, and then each row by a function that says what is wrong with it.
pub(crate) struct Table<'s> {
    pub source: &'s Source,
    pub header: Header,
    pub faults: Faults,
    rows: Rows<'s>,
}

impl<'s> Table<'s> {
    /// Reads the header of a table with some known columns.
    pub(crate) fn open(source: &'s Source, known: &[Column]) -> Result<Self, Faults> {
        let mut rows = Rows::new(source.text());
        let mut cells = Vec::new();
        let one = |fault| Faults::one(source.name(), fault);
        if !rows.next(&mut cells).map_err(|at| one(crooked(source, at)))? {
            return Err(one(Fault::nowhere(code::EMPTY, "there is nothing in the file")));
        }
        let header = Header::read(source, &cells, known)?;
        Ok(Self { source, header, faults: Faults::of(source.name()), rows })
    }

    /// Goes through all rows. One that is crooked is told, and the next is tried.
    pub(crate) fn each(&mut self, mut take: impl FnMut(&mut Row<'_, 's>)) {
        let mut cells = Vec::new();
        loop {
            match self.rows.next(&mut cells) {
                Ok(false) => return,
                Ok(true) if cells.len() != self.header.width => {
                    let (found, width) = (cells.len(), self.header.width);
                    let message = format!("this row has {found} cells, and the header {width}");
                    let at = cells.first().map_or(0..0, |first| first.at.clone());
                    let end = cells.last().map_or(0, |last| last.at.end);
                    let fault = Fault::at(self.source, at.start..end, code::SYNTAX, message);
                    self.faults.push(fault.hint("a text with a comma in it stands in quotes"));
                }
                Ok(true) => {
                    let Self { source, header, faults, .. } = self;
                    take(&mut Row { source, header, cells: &cells, faults });
                }
                Err(at) => {
                    self.faults.push(crooked(self.source, at));
                    return;
                }
            }
        }
    }
}

fn crooked(source: &Source, at: Range<usize>) -> Fault {
    let message = "this quote is not closed, or something stands behind its end";
    Fault::at(source, at, code::SYNTAX, message).hint("a quote within quotes is written twice")
}

/// One row of a table.
pub(crate) struct Row<'r, 's> {
    pub source: &'r Source,
    header: &'r Header,
    cells: &'r [Cell<'s>],
    pub faults: &'r mut Faults,
}

impl<'r, 's> Row<'r, 's> {
    /// The cell of a known column; nothing if the column is not there, or the cell is empty.
    pub(crate) fn cell(&self, column: usize) -> Option<&'r Cell<'s>> {
        self.header.cell(self.cells, column)
    }

    /// The text of a known column; empty if there is none.
    pub(crate) fn text(&self, column: usize) -> &'r str {
        self.cell(column).map_or("", |cell| &cell.text)
    }

    /// Reads the cell of a column, if there is something in it. What is wrong with it is told.
    pub(crate) fn read<T>(
        &mut self,
        column: usize,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let cell = self.cell(column)?;
        match read(&cell.text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(column, code::BAD_VALUE, message);
                None
            }
        }
    }

    /// The same of a column that has something in each row.
    pub(crate) fn need<T>(
        &mut self,
        column: usize,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.cell(column).is_none() {
            let message = "this row has nothing in a column that each row needs";
            self.wrong(column, code::MISSING, message.to_owned());
            return None;
        }
        self.read(column, read)
    }

    /// Tells what is wrong with the cell of a column.
    pub(crate) fn wrong(&mut self, column: usize, code: model::code::Code, message: String) {
        let at = self.at(column);
        self.faults.push(Fault::at(self.source, at, code, message));
    }

    /// Where the cell of a column stands; where the row begins, if there is none.
    pub(crate) fn at(&self, column: usize) -> Range<usize> {
        let place = self.header.place_of.get(column).copied().flatten();
        let cell = place.and_then(|place| self.cells.get(place)).or_else(|| self.cells.first());
        cell.map_or(0..0, |cell| cell.at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Column] = &[needed(&["name"]), optional(&["gpus", "gpu"]), optional(&["user"])];

    fn source(text: &str) -> Source {
        Source::new("a.csv", text.into()).unwrap()
    }

    fn read(text: &str) -> Result<Vec<(String, Option<u64>)>, String> {
        let source = source(text);
        let mut table = Table::open(&source, KNOWN).map_err(|faults| faults.to_string())?;
        let mut found = Vec::new();
        table.each(|row| {
            let gpus = row.read(1, |text| crate::units::whole(text, 8));
            found.push((row.text(0).to_owned(), gpus));
        });
        table.faults.unless(Some(found)).map_err(|faults| faults.to_string())
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        assert!(read("name\n\"a\n").is_err(), "a quote that is not closed");
        let rows =
            read("# recorded\nGPU , cluster,name\r\n\n1,x,\"a, \"\"b\"\"\" \r\n,,c").unwrap();
        assert_eq!(rows, [("a, \"b\"".to_owned(), Some(1)), ("c".to_owned(), None)]);
    }

    #[test]
    fn what_is_wrong_is_told_row_by_row() {
        let told = read("name,gpus\na,9\nb,x\nc\nd,1,2\n").unwrap_err();
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("a.csv")).collect();
        assert_eq!(
            lines,
            [
                "a.csv:2:3: error[E0605]: 9 is more than 8",
                "a.csv:3:3: error[E0605]: `x` is not a whole number",
                "a.csv:4:1: error[E0601]: this row has 1 cells, and the header 2",
                "a.csv:5:1: error[E0601]: this row has 3 cells, and the header 2",
            ]
        );
    }

    #[test]
    fn headers_are_held_to_what_is_known() {
        let told = |text: &str| read(text).unwrap_err().lines().next().unwrap().to_owned();
        assert_eq!(told("nmae,gpus\n"), "a.csv:1:1: error[E0604]: there is no column `nmae`");
        assert_eq!(told("gpus\n"), "a.csv:1:1: error[E0603]: there is no column `name`");
        assert_eq!(
            told("gpu,gpus,name\n"),
            "a.csv:1:5: error[E0608]: there are two columns of `gpus`"
        );
        assert_eq!(told("\n \n"), "a.csv: error[E0610]: there is nothing in the file");
        assert_eq!(
            told("\"name\" x"),
            "a.csv:1:1: error[E0601]: this quote is not closed, or \
             something stands behind its end"
        );
    }
}
