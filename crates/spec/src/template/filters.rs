//! Filters that could make much of little, each behind a check of what it is given.
//!
//! The engine bounds how many steps a text takes, not how large its values become:
//! `'x' | indent(1000000000000)` is one step. What is allowed takes memory in proportion to what a
//! file or an output may hold.

use std::{io, iter};

use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, filters};

pub(super) mod trial;

/// Bytes that a filter may be given, written as JSON, and bytes that it may make of them.
const BYTES_MAX: usize = 64 << 20;
/// Parts that a list may be cut into, and places that one part may be filled up to.
const PARTS_MAX: u64 = 1_000_000;
/// Digits of a width or a precision of `format`.
const WIDTH_DIGITS_MAX: usize = 3;
const WIDTH_MAX: usize = 999;

/// Puts a check before each filter: the filter itself is kept under a name that no text can have.
macro_rules! guard {
    ($environment:ident: $($name:ident,)*) => {$(
        $environment.add_filter(concat!(stringify!($name), "!"), filters::$name);
        $environment.add_filter(
            stringify!($name),
            |state: &mut State, value: Value, more: Rest<ValueOrKwargs>| {
                let given: Vec<Value> = iter::once(value).chain(more.into_values()).collect();
                allow(stringify!($name), &given)?;
                state.apply_filter(concat!(stringify!($name), "!"), &given)
            },
        );
    )*};
}

/// Replaces the filters of an environment whose results may be larger than what they are given, or
/// that go through all of it.
pub(super) fn bound(environment: &mut Environment<'static>) {
    guard!(environment: batch, chain, dictsort, escape, format, groupby, indent, items, join,
        lines, list, lower, map, max, min, pprint, reject, rejectattr, replace, reverse, safe,
        select, selectattr, slice, sort, split, string, sum, title, trim, unique, upper,
        zip,);
    environment
        .add_filter("e", |state: &mut State, value: Value| state.apply_filter("escape", &[value]));
}

/// Whether a filter may be applied to `given`, of which the first is the value.
fn allow(name: &str, given: &[Value]) -> Result<(), Error> {
    let mut bytes = 0_usize;
    for value in given {
        bytes = bytes.saturating_add(measure(value));
    }
    if bytes > BYTES_MAX {
        return Err(too_large(&format!("what `{name}` is given")));
    }
    // Filters take what is no text as the text that it is shown as.
    let text = |place: usize| given.get(place).map(Value::to_string).unwrap_or_default();
    let number = |place: usize, key: &str| {
        let named = given.last().and_then(|last| last.get_attr(key).ok());
        let value = given.get(place).filter(|value| value.is_number());
        value.cloned().or(named).and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
    };
    let made = match name {
        "indent" => {
            // The width is made once for no line, too.
            let lines = text(0).lines().count().max(1);
            lines.saturating_mul(usize::try_from(number(1, "width")).unwrap_or(usize::MAX))
        }
        "replace" => text(0).matches(&text(1)).count().saturating_mul(text(2).len()),
        "join" => given[0].len().unwrap_or(0).saturating_mul(text(1).len()),
        "map" => given[0].len().unwrap_or(0).saturating_mul(mapped(&given[1..])),
        "batch" | "slice" if number(1, "count") > PARTS_MAX => usize::MAX,
        "format" if !has_small_widths(&text(0)) => usize::MAX,
        _ => 0,
    };
    match bytes.saturating_add(made) > BYTES_MAX {
        true => Err(too_large(&format!("what `{name}` would make"))),
        false => Ok(()),
    }
}

/// What applying a filter with these arguments may add to each item.
fn mapped(filter: &[Value]) -> usize {
    let is_format = filter.first().is_some_and(|name| name.as_str() == Some("format"));
    let width = if is_format { WIDTH_MAX } else { 0 };
    let arguments = filter.iter().skip(1).map(|value| match u64::try_from(value.clone()) {
        Ok(number) => usize::try_from(number).unwrap_or(usize::MAX),
        Err(_) => measure(value),
    });
    arguments.fold(width, usize::saturating_add)
}

/// The error of what would take too much.
pub(super) fn too_large(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{what} is too large"))
}

/// Whether every width and precision of a format is written out and small.
fn has_small_widths(format: &str) -> bool {
    let runs = format.split(|letter: char| !letter.is_ascii_digit());
    !format.contains('*') && runs.into_iter().all(|run| run.len() <= WIDTH_DIGITS_MAX)
}

/// Bytes of a value as JSON, counted until they are too many.
fn measure(value: &Value) -> usize {
    if let Some(text) = value.as_str() {
        return text.len();
    }
    let mut counter = Counter(0);
    // What is no data is small, or is counted up to the place where it turns out.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Counts bytes up to the bound and forgets them.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        match self.0 > BYTES_MAX {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
