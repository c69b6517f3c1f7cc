//! JSON with places: what a reader of types says of a text, and where a value stands in it.
//!
//! A file is read into types at once. Only when something is wrong with a value that was read is
//! its place looked for, by the keys and numbers that lead to it.

use std::ops::Range;

use serde::{Deserialize, Deserializer, de};

use crate::code;
use crate::fault::{Fault, Faults};
use crate::limits::DEPTH_MAX;
use crate::source::Source;
use crate::units;

/// Reads a text as a type.
pub(crate) fn parse<'s, T: Deserialize<'s>>(source: &'s Source) -> Result<T, Faults> {
    serde_json::from_str(source.text())
        .map_err(|error| Faults::one(source.name(), fault(source, &error)))
}

fn fault(source: &Source, error: &serde_json::Error) -> Fault {
    let text = source.text();
    let line_start = match error.line().checked_sub(2) {
        Some(breaks) => {
            let mut ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            ends.nth(breaks).map_or(text.len(), |(at, _)| at + 1)
        }
        None => 0,
    };
    // It counts bytes, and stands behind what it has read last.
    let behind = (line_start + error.column()).min(text.len());
    let told = error.to_string();
    let told = told.rsplit_once(" at line ").map_or(&*told, |(told, _)| told);
    if !error.is_data() {
        let at = behind.saturating_sub(1)..behind;
        let fault = Fault::at(source, at, code::SYNTAX, format!("this is not JSON: {told}"));
        return fault.hint(match text.get(behind.saturating_sub(1)..) {
            Some(rest) if rest.starts_with("NaN") || rest.starts_with("Inf") => {
                "JSON has no such number: what is not known is left out"
            }
            _ => "look just before this for a comma or a bracket, or for the end of a cut file",
        });
    }
    let number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let digits = text.as_bytes()[..behind].iter().rev().take_while(|byte| number(byte)).count();
    let at = behind.saturating_sub(digits.max(1))..behind;
    match told.contains("missing field") {
        true => Fault::at(source, at, code::MISSING, format!("{told} in what ends here")),
        false => Fault::at(source, at, code::BAD_VALUE, told),
    }
}

/// A step to a value within another one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'p> {
    /// The value of a key.
    Key(&'p str),
    /// The entry of a list, from 0.
    At(usize),
}

/// Where the value stands that some steps lead to, or as far as they lead.
pub(crate) fn locate(text: &str, steps: &[Step<'_>]) -> Range<usize> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.blanks();
    let mut found = scanner.at;
    for step in steps {
        match scanner.enter(*step) {
            Some(()) => found = scanner.at,
            None => break,
        }
    }
    let mut end = Scanner { text, at: found };
    // Of lists and mappings, the beginning is shown.
    let first = text.as_bytes().get(found).copied().unwrap_or_default();
    match first {
        b'{' | b'[' => found..found + 1,
        _ => match end.skip(0) {
            Some(()) => found..end.at,
            None => found..(found + 1).min(text.len()),
        },
    }
}

/// The keys of the outermost mapping, with the byte that the value of each begins with; nothing if
/// it is no mapping, or is damaged.
pub(crate) fn keys(text: &str) -> Option<Vec<(&str, u8)>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut keys = Vec::new();
    scanner.blanks();
    scanner.take(b'{')?;
    scanner.blanks();
    if scanner.take(b'}').is_some() {
        return Some(keys);
    }
    loop {
        let key = scanner.key()?;
        keys.push((key, scanner.peek()?));
        scanner.skip(0)?;
        scanner.blanks();
        if scanner.take(b',').is_none() {
            return scanner.take(b'}').map(|()| keys);
        }
    }
}

/// Walks over a text without reading its values.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next key, with what stands between it and its value. Escapes stay as they are.
    fn key(&mut self) -> Option<&'t str> {
        self.blanks();
        let start = self.at + 1;
        self.string()?;
        let key = self.text.get(start..self.at - 1);
        self.blanks();
        self.take(b':')?;
        self.blanks();
        key
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.take(b'"')
    }

    /// Goes behind the next value.
    fn skip(&mut self, depth: usize) -> Option<()> {
        self.blanks();
        let close = match self.peek()? {
            b'{' => b'}',
            b'[' => b']',
            b'"' => return self.string(),
            _ => {
                let start = self.at;
                while self.peek().is_some_and(|byte| !b",]} \t\r\n:".contains(&byte)) {
                    self.at += 1;
                }
                return (self.at > start).then_some(());
            }
        };
        if depth >= 2 * DEPTH_MAX {
            return None;
        }
        self.at += 1;
        self.blanks();
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            if close == b'}' {
                self.key()?;
            }
            self.skip(depth + 1)?;
            self.blanks();
            if self.take(b',').is_none() {
                return self.take(close);
            }
        }
    }

    /// Goes to the beginning of a value within the one that begins here.
    fn enter(&mut self, step: Step<'_>) -> Option<()> {
        let (open, wanted) = match step {
            Step::Key(_) => (b'{', 0),
            Step::At(number) => (b'[', number),
        };
        let mut scanner = Scanner { text: self.text, at: self.at };
        scanner.take(open)?;
        for number in 0.. {
            scanner.blanks();
            let is_it = match step {
                Step::Key(wanted) => scanner.key()? == wanted,
                Step::At(_) => number == wanted,
            };
            if is_it {
                self.at = scanner.at;
                return Some(());
            }
            scanner.skip(0)?;
            scanner.blanks();
            scanner.take(b',')?;
        }
        None
    }
}

/// Declares a number that is read as a decimal and kept as an integer, or refused.
macro_rules! number {
    ($(#[$meta:meta])* $name:ident($type:ty), $takes:literal, $read:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name(pub $type);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($takes)
                    }

                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$name, E> {
                        let read: fn(f64) -> Result<$type, String> = $read;
                        read(number).map($name).map_err(E::custom)
                    }

                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_f64(number as f64)
                    }

                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        self.visit_f64(number as f64)
                    }
                }
                // What has no number is no error here: a key of no value is one that is left out.
                deserializer.deserialize_f64(Visitor)
            }
        }
    };
}

number! {
    /// Microseconds, written as seconds.
    Seconds(u64), "a number of seconds", units::micros
}
number! {
    /// Thousandths of a CPU, written as cores.
    Cores(u64), "a number of cores", units::cores
}
number! {
    /// Bytes.
    Bytes(u64), "a number of bytes", |number| units::units_of_bytes(number, (1, "bytes"))
}
number! {
    /// Bytes, written as GiB.
    Gibibytes(u64), "a number of GiB", |number| units::units_of_bytes(number, (1 << 30, "GiB"))
}
number! {
    /// How many devices, and how much of each.
    Parts((u32, u16)), "a number of devices", units::devices
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{At, Key};

    fn source(text: &str) -> Source {
        Source::new("a.json", text.into()).unwrap()
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "what is read is not looked at")]
    struct Sample {
        list: Vec<Seconds>,
        name: String,
    }

    fn told(text: &str) -> String {
        parse::<Sample>(&source(text)).unwrap_err().to_string()
    }

    #[test]
    fn faults_stand_at_what_is_wrong() {
        let first = |text: &str| told(text).lines().next().unwrap().to_owned();
        assert_eq!(
            first("{\"list\": [1,\n  -2.5], \"name\": \"\"}"),
            "a.json:2:3: error[E0605]: -2.5 seconds are less than none"
        );
        assert_eq!(
            first("{\"list\": [1, 2}"),
            "a.json:1:15: error[E0601]: this is not JSON: expected `,` or `]`"
        );
        let missing = first("{\"list\": [1]\n\n}");
        assert_eq!(missing, "a.json:3:1: error[E0603]: missing field `name` in what ends here");
        assert!(told("{\"list\": [NaN]}").contains("JSON has no such number"));
        assert!(told("").starts_with("a.json:1:1: error[E0601]"));
        assert!(first("{\"list\": \"x\"}").starts_with("a.json:1:12: error[E0605]: invalid type"));
    }

    #[test]
    fn values_are_found_by_the_way_to_them() {
        let text = r#" {"a": [1, {"b\"": "x]", "c": -2.5e3}, []], "d": "end"} "#;
        let at = |steps: &[Step<'_>]| &text[locate(text, steps)];
        assert_eq!(at(&[Key("a"), At(1), Key("c")]), "-2.5e3");
        assert_eq!(at(&[Key("a"), At(1), Key("b\\\"")]), "\"x]\"");
        assert_eq!(at(&[Key("d")]), "\"end\"");
        assert_eq!(at(&[Key("a"), At(7)]), "[", "as far as it leads");
        assert_eq!(at(&[]), "{");
        assert_eq!(locate("", &[Key("a")]), 0..0);
    }

    #[test]
    fn the_keys_of_a_file_say_what_it_is() {
        let found = keys(r#"{"a": {"x": [1]}, "b" :2, "c": "}"}"#).unwrap();
        assert_eq!(found, [("a", b'{'), ("b", b'2'), ("c", b'"')]);
        assert_eq!(keys("{}"), Some(vec![]));
        for damaged in ["", "[]", "{\"a\"", "{\"a\": [}", "{\"a\": 1", "{\"a\\"] {
            assert_eq!(keys(damaged), None, "{damaged}");
        }
        assert_eq!(keys(&format!("{{\"a\": {}", "[".repeat(100_000))), None);
    }
}
