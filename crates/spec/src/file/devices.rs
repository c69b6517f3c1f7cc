//! The GPUs that an attempt asks for: how many, how much of each, and of which kinds.
//!
//! All ways to write them come to one [`DeviceRequest`]. Nothing here knows which kinds there are:
//! a word that no device has is seen where devices are known.

use std::borrow::Cow;

use model::DeviceRequest;
use model::limits::{DEVICE_KIND_BYTES_MAX, DEVICES_PER_NODE_MAX};
use model::quantity::scaled;
use model::resources::WHOLE_DEVICE;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{Memory, OneOrMany, Whole, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Foreign, Instead, Read, read_text, record};

const COUNT_MAX: u64 = DEVICES_PER_NODE_MAX as u64;

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

/// Words that others have for the same.
const FOREIGN: &[Foreign] = &[
    write("kind", "type"),
    write("model", "type"),
    write("product", "type"),
    write("name", "type"),
    write("number", "count"),
    write("fraction", "share"),
    write("mem", "memory"),
    write("vram", "memory"),
];

record! {
    /// GPUs that an attempt asks for, all on one machine.
    struct GpuFile("`gpu`", "a mapping such as `{count: 2, type: a100}`") {
        /// How many: 1 if left out.
        count: Whole<1, COUNT_MAX>,
        /// The kind, such as `a100`, or several of which any will do. A word of what `autoglm
        /// devices` shows, or all of it.
        r#type: OneOrMany<GpuKind>,
        /// How much of each, from 0.001 to 1: the rest may be used by others.
        share: GpuShare,
        /// Memory of each: what it has at least, or, with a `share`, what is kept of it.
        memory: Memory,
    }
    foreign: FOREIGN
}

/// A kind of devices.
#[derive(Clone, Debug)]
pub(crate) struct GpuKind(pub String);

inline_schema!(GpuKind, |_generator| json_schema!({
    "type": "string", "examples": ["a100", "nvidia-h100-80gb-hbm3", "mig"]
}));

impl Read for GpuKind {
    const TAKES: &'static str = "a kind of GPUs such as `a100`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        read_text(node, key, faults, (code::BAD_VALUE, kind))
    }
}

/// A part of a device, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GpuShare(pub u16);

inline_schema!(GpuShare, |_generator| json_schema!({
    "type": "number", "minimum": 0.001, "maximum": 1
}));

impl Read for GpuShare {
    const TAKES: &'static str = "a part of a GPU such as `0.5`, from 0.001 to 1";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| match thousandths(text) {
            Some(share @ 1..=WHOLE) => Ok(Self(narrow(share))),
            _ => Err(format!("`{}` is no part of a GPU", short(text))),
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

/// `gpu` of `resources`: `2`, `0.5`, `a100`, `a100:2`, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpus(pub DeviceRequest);

inline_schema!(Gpus, |generator| {
    let full = generator.subschema_for::<GpuFile>();
    json_schema!({
        "description": "GPUs: `2`, `0.5` of one, `a100`, `a100:2`, or a mapping.",
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": COUNT_MAX},
            {"type": "string"},
            full
        ]
    })
});

impl Read for Gpus {
    const TAKES: &'static str = "a number of GPUs such as `2` or `0.5`, a kind such as `a100:2`, \
                                 or `{count: 2, type: a100}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        if let Content::Map(_) = node.content {
            return Some(Self(GpuFile::read(node, key, faults)?.request()));
        }
        let Some(text) = node.scalar().filter(|_| !node.is_null()) else {
            return crate::read::wrong_type(node, key, faults);
        };
        match amount(text.text.trim()) {
            Ok(request) => Some(Self(request)),
            Err(Wrong { message, hint }) => {
                faults.push(Fault::new(code::BAD_VALUE, node.extent, message).hint(hint));
                None
            }
        }
    }
}

impl GpuFile {
    fn request(self) -> DeviceRequest {
        let Self { count, r#type, share, memory } = self;
        let mut kinds: Vec<Box<str>> = Vec::new();
        for GpuKind(kind) in r#type.map(|kinds| kinds.0).unwrap_or_default() {
            if kinds.iter().all(|known| !known.eq_ignore_ascii_case(&kind)) {
                kinds.push(kind.into());
            }
        }
        DeviceRequest {
            count: count.map_or(1, |count| narrow(count.0)),
            share: share.map_or(WHOLE_DEVICE, |share| share.0),
            memory_bytes: memory.map_or(0, |memory| memory.0),
            kinds: kinds.into(),
        }
    }
}

/// Why a text says no amount.
struct Wrong {
    message: String,
    hint: String,
}

const WHOLE: u128 = WHOLE_DEVICE as u128;

/// What a text asks for: `2`, `0.5`, `a100`, `a100:2`.
fn amount(text: &str) -> Result<DeviceRequest, Wrong> {
    let (named, number) = match text.split_once(':') {
        Some((named, number)) => (named.trim(), number.trim()),
        None if text.parse::<f64>().is_ok() => ("", text),
        None => (text, "1"),
    };
    let mut request = number_of(number, text)?;
    if !named.is_empty() {
        let kind = kind(named).map_err(|message| wrong(message, Gpus::TAKES))?;
        request.kinds = [kind.0.into()].into();
    } else if text.contains(':') {
        return Err(wrong(format!("`{}` names no kind", short(text)), Gpus::TAKES));
    }
    Ok(request)
}

/// So many devices, or so much of one.
fn number_of(number: &str, text: &str) -> Result<DeviceRequest, Wrong> {
    let Some(amount) = thousandths(number) else {
        let message = match number.parse::<f64>() {
            Ok(0.0..0.001) => "the least is 0.001 of a GPU".to_owned(),
            Ok(0.0..) => format!("`{}` is finer than 0.001 of a GPU", short(number)),
            _ => format!("`{}` is no number of GPUs", short(text)),
        };
        return Err(wrong(message, Gpus::TAKES));
    };
    let (whole, rest) = (amount / WHOLE, amount % WHOLE);
    match (whole, rest) {
        (0, 1..) => Ok(DeviceRequest { share: narrow(rest), ..DeviceRequest::whole(1) }),
        (_, 0) if whole <= u128::from(COUNT_MAX) => Ok(DeviceRequest::whole(narrow(whole))),
        (_, 0) => Err(Wrong {
            message: format!("a machine has at most {COUNT_MAX} GPUs, and this asks for {whole}"),
            hint: format!("for a kind of this name write `{{type: {}}}`", short(number)),
        }),
        _ => Err(Wrong {
            message: format!("`{}` is more than one GPU and no whole number", short(text)),
            hint: format!(
                "write `{}` for whole ones, or `{{count: {}, share: 0.5}}` for a part of each",
                whole + 1,
                whole + 1,
            ),
        }),
    }
}

fn wrong(message: String, takes: &str) -> Wrong {
    Wrong { message, hint: format!("`gpu` takes {takes}") }
}

/// Thousandths of a decimal number that comes out even at them.
fn thousandths(text: &str) -> Option<u128> {
    scaled(text.trim(), u128::from(WHOLE_DEVICE))
}

/// A kind, as it may be one.
fn kind(text: &str) -> Result<GpuKind, String> {
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '.' | '+');
    match text.trim() {
        "" => Err("the kind is empty".to_owned()),
        kind if kind.len() > DEVICE_KIND_BYTES_MAX => {
            Err(format!("a kind has at most {DEVICE_KIND_BYTES_MAX} bytes"))
        }
        kind if kind.chars().all(is_sign) => Ok(GpuKind(kind.to_owned())),
        kind => Err(format!(
            "`{}` is no kind: it is made of letters, digits, `-`, `.` and `+`",
            short(kind),
        )),
    }
}

fn narrow<T: TryInto<u16>>(number: T) -> u16 {
    number.try_into().unwrap_or(u16::MAX)
}

/// Enough of a text to know it by.
fn short(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        amount(text).map_or_else(
            |wrong| format!("{}; {}", wrong.message, wrong.hint),
            |asked| format!("{asked} ({} x {})", asked.count, asked.share),
        )
    }

    #[test]
    fn gpus_are_read_as_people_write_them() {
        assert_eq!(shown("0"), " (0 x 0)");
        assert_eq!(shown("2"), "2 gpu (2 x 1000)");
        assert_eq!(shown("1.0"), "1 gpu (1 x 1000)");
        assert_eq!(shown("0.5"), "0.5 gpu (1 x 500)");
        assert_eq!(shown("0.001"), "0.001 gpu (1 x 1)");
        assert_eq!(shown("a100"), "1 a100 gpu (1 x 1000)");
        assert_eq!(shown("A100:4"), "4 A100 gpu (4 x 1000)");
        assert_eq!(shown("mig: 1"), "1 mig gpu (1 x 1000)");
        assert_eq!(shown("3g.40gb"), "1 3g.40gb gpu (1 x 1000)");
        assert_eq!(shown("a100:0.25"), "0.25 a100 gpu (1 x 250)");
        assert_eq!(shown("64"), "64 gpu (64 x 1000)");
    }

    #[test]
    fn what_is_no_amount_is_told_with_what_to_write() {
        let told = |text: &str, words: &str| {
            let shown = shown(text);
            assert!(shown.contains(words), "{text}: {shown}");
        };
        told("1.5", "write `2` for whole ones, or `{count: 2, share: 0.5}` for a part of each");
        told("0.0001", "the least is 0.001");
        told("0.3333", "finer than 0.001");
        told("65", "at most 64 GPUs");
        told("-1", "`-1` is no number of GPUs");
        told("a100:x", "`a100:x` is no number of GPUs");
        told(":2", "names no kind");
        told("NVIDIA A100", "is no kind: it is made of letters");
        told(&"x".repeat(97), "at most 96 bytes");
    }
}
