//! A file as text: unpacked if it is packed, and UTF-8.
//!
//! Nothing here reads a file: whoever calls brings the bytes and the name to show. Whether it is
//! packed is told by its first bytes, never by its name.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::code;
use crate::fault::{Fault, Faults};
use crate::limits::FILE_BYTES_MAX;

/// What a file begins with that gzip has packed.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Takes the bytes of a file, plain or packed by gzip, and the name that faults show: as the
    /// user wrote it. A byte order mark is left out.
    ///
    /// # Errors
    /// It is damaged, too large, or not UTF-8.
    pub fn new(name: &str, bytes: Vec<u8>) -> Result<Self, Faults> {
        let fault = |fault| Faults::one(name, fault);
        let bytes = match bytes.starts_with(&GZIP) {
            true => unpack(&bytes).map_err(fault)?,
            false => bytes,
        };
        if bytes.len() > FILE_BYTES_MAX {
            return Err(fault(too_large()));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or_default();
            let message = format!("byte {at} of the text (0x{byte:02x}) is not UTF-8");
            let told = Fault::nowhere(code::SYNTAX, message);
            fault(told.hint("it is no text, or packed by something else than gzip"))
        })?;
        let text = match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        };
        Ok(Self { name: name.to_owned(), text })
    }

    /// The name that faults show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands in it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its name without folders and endings: what a workload is called that has no name.
    #[must_use]
    pub fn stem(&self) -> &str {
        let last = self.name.rsplit('/').next().unwrap_or_default();
        let mut stem = last;
        for ending in [".gz", ".json", ".csv"] {
            stem = stem.strip_suffix(ending).unwrap_or(stem);
        }
        if stem.is_empty() { last } else { stem }
    }
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    // One byte more than there may be: it says that there is too much.
    let mut bounded = MultiGzDecoder::new(bytes).take(FILE_BYTES_MAX as u64 + 1);
    match bounded.read_to_end(&mut text) {
        Ok(_) if text.len() > FILE_BYTES_MAX => Err(too_large()),
        Ok(_) => Ok(text),
        Err(error) => {
            let message = format!("it cannot be unpacked: {error}");
            Err(Fault::nowhere(code::SYNTAX, message).hint("is it all there? `gzip -t` tells"))
        }
    }
}

fn too_large() -> Fault {
    let limit = FILE_BYTES_MAX >> 20;
    let message = format!("there are more than {limit} MiB of text in it");
    Fault::nowhere(code::TOO_LARGE, message).hint("cut it into pieces")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_and_plain_are_the_same() {
        let plain = Source::new("a/b.csv.gz", b"x\n".to_vec()).unwrap();
        assert_eq!(plain, Source::new("a/b.csv.gz", packed(b"x\n")).unwrap());
        assert_eq!((plain.stem(), plain.text()), ("b", "x\n"));
        let marked = Source::new("x", "\u{feff}y".into()).unwrap();
        assert_eq!((marked.stem(), marked.text()), ("x", "y"));
    }

    #[test]
    fn what_is_damaged_is_told() {
        let mut cut = packed(&[b'x'; 1_000]);
        cut.truncate(20);
        let told = Source::new("a.gz", cut).unwrap_err().to_string();
        assert!(told.starts_with("a.gz: error[E0601]: it cannot be unpacked"), "{told}");
        let told = Source::new("a", vec![b'a', 0xff]).unwrap_err().to_string();
        assert!(told.contains("byte 1 of the text (0xff) is not UTF-8"), "{told}");
    }
}
