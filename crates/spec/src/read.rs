//! Reading a tree of values into types: the one place that says "this key takes that".
//!
//! A record is declared once with `record!`: its fields are the keys that the language has, the
//! JSON Schema that editors use, and the list that "did you mean" searches. A value that does not
//! fit is noted and read as absent, so that one pass tells everything.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value as Json;

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Entry, Kind, Node};
use crate::source::Extent;
use crate::suggest::did_you_mean;

/// A type that a value of a file can be read as.
pub(crate) trait Read: Sized {
    /// What it takes, for "`key` takes ..., not ...".
    const TAKES: &'static str;

    /// The value; nothing after a fault.
    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self>;
}

/// A value with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub value: T,
    pub extent: Extent,
}

impl<T: Read> Read for Placed<T> {
    const TAKES: &'static str = T::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        Some(Self { value: T::read(node, key, faults)?, extent: node.extent })
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A value that few mappings have: behind a pointer it takes little room in the others.
impl<T: Read> Read for Box<T> {
    const TAKES: &'static str = T::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        T::read(node, key, faults).map(Self::new)
    }
}

/// Any text; a number or a boolean is taken as it is written.
impl Read for String {
    const TAKES: &'static str = "a text";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.scalar() {
            Some(scalar) if scalar.kind() != Kind::Null => Some(scalar.text.to_string()),
            _ => wrong_type::<Self>(node, key, faults),
        }
    }
}

/// Anything.
impl Read for Json {
    const TAKES: &'static str = "any value";

    fn read(node: &Node<'_>, _: &str, _: &mut Faults) -> Option<Self> {
        Some(node.to_json())
    }
}

/// Notes a value of a wrong type.
pub(crate) fn wrong_type<T: Read>(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<T> {
    let message = format!("`{key}` takes {}, not {}", T::TAKES, node.describe());
    let fault = Fault::new(code::WRONG_TYPE, node.extent, message);
    faults.push(if node.is_null() {
        fault.hint(format!("give `{key}` a value, or leave it out"))
    } else {
        fault
    });
    None
}

/// Reads a scalar by a function that says what is wrong.
pub(crate) fn read_text<T: Read>(
    node: &Node<'_>,
    key: &str,
    faults: &mut Faults,
    (code, parse): (model::code::Code, impl FnOnce(&str) -> Result<T, String>),
) -> Option<T> {
    let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
        return wrong_type(node, key, faults);
    };
    match parse(&scalar.text) {
        Ok(value) => Some(value),
        Err(message) => {
            let hint = format!("`{key}` takes {}", T::TAKES);
            faults.push(Fault::new(code, node.extent, message).hint(hint));
            None
        }
    }
}

/// The entries of a mapping.
pub(crate) fn mapping<'n, 's, T: Read>(
    node: &'n Node<'s>,
    key: &str,
    faults: &mut Faults,
) -> Option<&'n [Entry<'s>]> {
    match &node.content {
        Content::Map(entries) => Some(entries),
        _ => {
            wrong_type::<T>(node, key, faults);
            None
        }
    }
}

/// A key of a record that is not read, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign {
    pub key: &'static str,
    pub what: Instead,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Instead {
    /// Another word for a key of ours.
    Write(&'static str),
    /// A second word with the very meaning of a key of ours.
    Means(&'static str),
    /// Of a later version; what can be done until then, if anything.
    Later(Option<&'static str>),
    /// For other tools. A key that ends in `-` stands for all that begin so.
    Ignored,
}

impl Foreign {
    fn is(self, key: &str) -> bool {
        key == self.key || (self.key.ends_with('-') && key.starts_with(self.key))
    }
}

/// The key of ours that a word stands for; the word itself if it stands for none.
pub(crate) fn meant_key<'k>(key: &'k str, keys: &[&'static str], foreign: &[Foreign]) -> &'k str {
    if keys.contains(&key) {
        return key;
    }
    let found = foreign.iter().find(|foreign| foreign.is(key));
    match found.map(|foreign| foreign.what) {
        Some(Instead::Means(ours)) => ours,
        _ => key,
    }
}

/// Notes a key that says a second time what another word has said.
pub(crate) fn said_twice(entry: &Entry<'_>, ours: &str, faults: &mut Faults) {
    let message = format!("`{}` and another key here both mean `{ours}`", entry.key);
    let fault = Fault::new(code::CONFLICT, entry.key_extent, message);
    faults.push(fault.hint(format!("take one of the two out; its name here is `{ours}`")));
}

/// Notes a key that a record does not have.
pub(crate) fn unknown_key(
    entry: &Entry<'_>,
    noun: &str,
    (keys, foreign): (&[&'static str], &[Foreign]),
    faults: &mut Faults,
) {
    let (key, extent) = (&*entry.key, entry.key_extent);
    let unknown = || Fault::new(code::UNKNOWN_KEY, extent, format!("{noun} has no key `{key}`"));
    let fault = match foreign.iter().find(|foreign| foreign.is(key)).map(|x| x.what) {
        Some(Instead::Ignored | Instead::Means(_)) => return,
        Some(Instead::Write(ours)) => unknown().hint(format!("write `{ours}`")),
        Some(Instead::Later(until_then)) => {
            let message = format!("`{key}` is not available in this version of Open-AutoGLM");
            let fault = Fault::new(code::NOT_AVAILABLE, extent, message);
            fault.hint_if(until_then.map(str::to_owned))
        }
        None => unknown()
            .hint_if(comma_hint(entry))
            .hint_if(did_you_mean(key, keys.iter().copied()))
            .hint_if(Some(format!("{noun} takes: {}", keys.join(", ")))),
    };
    faults.push(fault);
}

/// In `{description: First, second}` the second half of the text is taken for a key.
fn comma_hint(entry: &Entry<'_>) -> Option<String> {
    let is_rest = entry.key.contains(' ') && entry.value.is_null();
    is_rest.then(|| "a text with a comma in it needs quotes between `{` and `}`".to_owned())
}

/// Declares a mapping with fixed keys, all of which may be absent.
macro_rules! record {
    (
        $(#[$meta:meta])*
        struct $name:ident($noun:literal, $takes:literal) {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
        foreign: $foreign:expr
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub $field: Option<$type>,)*
        }

        impl $name {
            /// The keys that it has.
            pub(crate) const KEYS: &'static [&'static str] =
                &[$($crate::read::plain_name(stringify!($field)),)*];
        }

        impl $crate::read::Read for $name {
            const TAKES: &'static str = $takes;

            fn read(
                node: &$crate::node::Node<'_>,
                key: &str,
                faults: &mut $crate::diagnostic::Faults,
            ) -> Option<Self> {
                let mut record = Self::default();
                for entry in $crate::read::mapping::<Self>(node, key, faults)? {
                    let known = $crate::read::meant_key(&entry.key, Self::KEYS, $foreign);
                    $(if known == $crate::read::plain_name(stringify!($field)) {
                        if record.$field.is_some() {
                            $crate::read::said_twice(entry, known, faults);
                            continue;
                        }
                        record.$field = $crate::read::Read::read(&entry.value, known, faults);
                        continue;
                    })*
                    let words = (Self::KEYS, $foreign);
                    $crate::read::unknown_key(entry, $noun, words, faults);
                }
                Some(record)
            }
        }
    };
}

/// Declares a value that is one of a few words.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        enum $name:ident($takes:literal) {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        pub(crate) enum $name {
            $($(#[$variant_meta])* #[schemars(rename = $word)] $variant,)*
        }

        impl $crate::read::Read for $name {
            const TAKES: &'static str = $takes;

            fn read(
                node: &$crate::node::Node<'_>,
                key: &str,
                faults: &mut $crate::diagnostic::Faults,
            ) -> Option<Self> {
                let parse = |text: &str| match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::read::not_a_choice(text, &[$($word,)*])),
                };
                $crate::read::read_text(node, key, faults, ($crate::code::BAD_VALUE, parse))
            }
        }
    };
}

pub(crate) use {choice, record};

/// The name of a field without the mark of a reserved word.
pub(crate) const fn plain_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// What is said of a word that is none of a few.
pub(crate) fn not_a_choice(text: &str, words: &[&'static str]) -> String {
    let meant = did_you_mean(text, words.iter().copied());
    let meant = meant.map(|meant| format!(": {meant}")).unwrap_or_default();
    let short: String = text.chars().take(60).collect();
    format!("`{short}` is not allowed here{meant}")
}
