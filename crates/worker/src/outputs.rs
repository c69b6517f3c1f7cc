//! The outputs of an attempt: what a task leaves in the file that it was told of.
//!
//! The file holds one JSON object, or lines of `key=value`. What comes out is canonical JSON (keys
//! sorted, no spaces), so that equal outputs have equal hashes. A file that cannot be understood
//! fails its attempt with a message that names the line; it is never taken in part.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::limits::OUTPUT_BYTES_MAX;
use rustix::fs::OFlags;
use serde_json::Value;

/// Why outputs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file is there and cannot be read.
    #[error("the output file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("the output file is not a plain file")]
    NotAFile,
    /// It is too long.
    #[error(
        "the outputs are larger than {OUTPUT_BYTES_MAX} bytes: write large results to a file of \
         their own, and its path here"
    )]
    TooLarge,
    /// It is not text.
    #[error("line {line} of the output file is not UTF-8")]
    NotUtf8 {
        /// Counted from 1.
        line: usize,
    },
    /// It begins like a JSON object and is none.
    #[error("the output file is not a JSON object: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A line is not `key=value`.
    #[error(
        "line {line} of the output file is not `key=value`: `{text}` (a key is letters, digits, \
         `_` and `-`, with no space before the `=`; a JSON object begins with `{{`)"
    )]
    NotAPair {
        /// Counted from 1.
        line: usize,
        /// How the line begins.
        text: String,
    },
}

/// The folder in a state folder in which attempts leave their outputs.
pub(crate) fn folder(home: &Path) -> PathBuf {
    home.join("outputs")
}

/// Removes what attempts have left that nobody reads any more.
pub(crate) fn forget(home: &Path) {
    for left in fs::read_dir(folder(home)).into_iter().flatten().flatten() {
        // A folder that cannot be written any more fails the attempts that have outputs.
        let _ = fs::remove_file(left.path());
    }
}

impl OutputError {
    /// The same without a word of what the file says.
    #[must_use]
    pub fn without_text(self) -> Self {
        match self {
            Self::NotAPair { line, .. } => Self::NotAPair { line, text: "…".to_owned() },
            other => other,
        }
    }
}

/// Reads an output file, as a canonical JSON object; `None` if the file is not there.
///
/// Values of `key=value` lines become strings, and the last of equal keys counts.
///
/// # Errors
/// If the file is there and cannot be used.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, OutputError> {
    let Some(read) = read_file(path, OUTPUT_BYTES_MAX)? else { return Ok(None) };
    parse(&read.ok_or(OutputError::NotAFile)?).map(Some)
}

/// The bytes of a file, and at most one more than there may be; nothing if it is not there, and
/// nothing in that if it is no plain file.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> io::Result<Option<Option<Vec<u8>>>> {
    // Not blocking: a task may have left a named pipe without a writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Ok(Some(None));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(Some(bytes)))
}

/// A value as canonical JSON of a bounded length.
pub(crate) fn canonical(value: &Value) -> Result<Vec<u8>, OutputError> {
    let mut canonical = Vec::new();
    write(value, &mut canonical)?;
    // Escapes can make it longer than the file was.
    if canonical.len() > OUTPUT_BYTES_MAX { Err(OutputError::TooLarge) } else { Ok(canonical) }
}

fn parse(bytes: &[u8]) -> Result<Vec<u8>, OutputError> {
    if bytes.len() > OUTPUT_BYTES_MAX {
        return Err(OutputError::TooLarge);
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        OutputError::NotUtf8 { line: before.split(|byte| *byte == b'\n').count() }
    })?;
    let object = if text.trim_start().starts_with('{') {
        Value::Object(serde_json::from_str(text)?)
    } else {
        Value::Object(pairs(text)?.into_iter().collect())
    };
    canonical(&object)
}

fn pairs(text: &str) -> Result<BTreeMap<String, Value>, OutputError> {
    let mut pairs = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let (key, value) = text
            .split_once('=')
            .filter(|(key, _)| is_key(key))
            .ok_or_else(|| OutputError::NotAPair { line, text: text.chars().take(40).collect() })?;
        pairs.insert(key.to_owned(), Value::from(value));
    }
    Ok(pairs)
}

fn is_key(key: &str) -> bool {
    let is_inside = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.chars().all(is_inside)
}

/// Writes canonical JSON. The depth is bounded by what the parser lets through.
fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), OutputError> {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            // Sorted here: whether the map is depends on a feature that any crate can switch on.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write(member, out)?;
            }
            out.push(b'}');
        }
        scalar => serde_json::to_writer(out, scalar)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ok(text: &str) -> String {
        String::from_utf8(parse(text.as_bytes()).unwrap()).unwrap()
    }

    fn error(bytes: &[u8]) -> String {
        parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn json_becomes_canonical() {
        assert_eq!(
            ok("\n { \"b\" : [1, 2.5, null, true], \"a\": {\"z\": \"ä\\n\", \"y\": {}} }\n"),
            r#"{"a":{"y":{},"z":"ä\n"},"b":[1,2.5,null,true]}"#
        );
        assert_eq!(ok("{\"a\":18446744073709551615,\"a\":-1}"), r#"{"a":-1}"#);
    }

    #[test]
    fn lines_become_strings() {
        assert_eq!(
            ok("n=1\r\n\n_path-2=a=b c \nempty=\nn=2\nn3=\"quoted\""),
            r#"{"_path-2":"a=b c ","empty":"","n":"2","n3":"\"quoted\""}"#
        );
        assert_eq!(ok(""), "{}");
        assert_eq!(ok("\n \n"), "{}");
    }

    #[test]
    fn errors_name_the_line() {
        assert!(
            error(b"a=1\nb 2\n").starts_with("line 2 of the output file is not `key=value`: `b 2`")
        );
        assert!(error(b"a = 1").contains("line 1"));
        assert!(error(b"[1]").contains("line 1"));
        assert!(error(b"=x").contains("line 1"));
        assert!(error(b"1a=x").contains("line 1"));
        assert!(error(b"{\"a\":\n 1,}").contains("line 2 column 4"));
        assert!(error(b"{} trailing").contains("line 1"));
        assert_eq!(error(b"a=1\n\nb=\xff"), "line 3 of the output file is not UTF-8");
        assert!(error(&vec![b' '; OUTPUT_BYTES_MAX + 1]).contains("larger than 1048576 bytes"));
        let escaped = format!("a={}", "\u{1}".repeat(OUTPUT_BYTES_MAX / 4));
        assert!(matches!(parse(escaped.as_bytes()), Err(OutputError::TooLarge)));
        let deep = "{\"a\":".repeat(200_000);
        assert!(matches!(parse(deep.as_bytes()), Err(OutputError::NotJson(_))));
    }

    #[test]
    fn only_plain_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        assert!(read(&path).unwrap().is_none());
        fs::write(&path, "k=v").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), br#"{"k":"v"}"#);
        assert!(matches!(read(dir.path()), Err(OutputError::NotAFile)));
        assert!(matches!(read(Path::new("/dev/zero")), Err(OutputError::NotAFile)));
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read(&pipe), Err(OutputError::NotAFile)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_canonical_is_stable(bytes in "(\\{|)(\\PC|\n|=|\"|:|,){0,60}") {
            if let Ok(canonical) = parse(bytes.as_bytes()) {
                prop_assert_eq!(parse(&canonical).unwrap(), canonical);
            }
        }
    }
}
