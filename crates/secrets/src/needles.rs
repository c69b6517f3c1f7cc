//! What is looked for in a stream: every form that a secret may be written in.
//!
//! Base64 needs care: in the base64 of a longer text the letters of a secret depend on where it
//! begins among groups of three bytes, and the letters at its two ends on its neighbours. So there
//! are three alignments, each with the letters that depend on the secret alone, and each also as
//! it ends where the text ends. Where tools break lines is no concern of the forms: text and forms
//! are folded before they are compared.

use crate::encode::{self, Case, Letters};
use crate::fold::{RUN_BYTES_MIN, fold};
use crate::limits::MASKED_BYTES_MIN;
use crate::secret::Secret;

/// Lines of a secret with several, such as a key in a file, are looked for alone from this length.
const LINE_BYTES_MIN: usize = 8;
/// Words of an address that is a secret are looked for alone from this length: tokens are as long,
/// names that everybody uses are not.
const WORD_BYTES_MIN: usize = 16;

/// How pages of HTML have quotes, double and single, by who wrote them.
const HTML_QUOTES: [[&[u8]; 2]; 4] =
    [[b"\"", b"'"], [b"&quot;", b"'"], [b"&quot;", b"&#39;"], [b"&quot;", b"&#x27;"]];

/// All forms of a secret, each once, those that are too short left out.
pub(crate) fn needles(secret: &Secret) -> Vec<Vec<u8>> {
    let whole = secret.expose();
    let mut found = forms(whole);
    let lines = whole.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN && line.len() < whole.len());
    found.extend(lines.map(<[u8]>::to_vec));
    let address = std::str::from_utf8(whole).unwrap_or_default();
    found.extend(parts_of_address(address).flat_map(|part| forms(part.as_bytes())));
    let mut found: Vec<Vec<u8>> = found.iter().flat_map(|form| folded(form)).collect();
    found.retain(|needle| needle.len() >= MASKED_BYTES_MIN);
    found.sort_unstable();
    found.dedup();
    found
}

/// What is secret in an address that is a secret, as servers and clients show it alone: the
/// password; or, without one, what stands behind the server, and long words in that.
fn parts_of_address(text: &str) -> impl Iterator<Item = &str> {
    let rest = text.trim().split_once("://").map_or("", |(_, rest)| rest);
    let (server, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let user = server.rsplit_once('@').map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    let path = if password.is_some() { "" } else { path };
    let whole = [password.unwrap_or_default(), path];
    let whole = whole.into_iter().filter(|part| part.len() >= LINE_BYTES_MIN);
    let words = path.split(['/', '?', '#', '&', '=']);
    whole.chain(words.filter(|word| word.len() >= WORD_BYTES_MIN))
}

fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.len() < MASKED_BYTES_MIN {
        return Vec::new();
    }
    let mut found = vec![
        bytes.to_vec(),
        encode::hex(bytes, Case::Lower),
        encode::hex(bytes, Case::Upper),
        encode::form(bytes),
    ];
    found.extend(HTML_QUOTES.map(|quotes| encode::html(bytes, quotes)));
    for case in [Case::Lower, Case::Upper] {
        found.extend([b"".as_slice(), b"/"].map(|kept| encode::percent(bytes, kept, case)));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        found.extend([Letters::All, Letters::Ascii].map(|letters| encode::json(text, letters)));
        // Python takes the quote that needs no escape, if there is one.
        found.extend([None, Some('\'')].map(|quote| encode::python(text, quote)));
    }
    for letters in [encode::STANDARD, encode::URL_SAFE] {
        for alignment in 0..3 {
            aligned(bytes, alignment, letters, &mut found);
        }
    }
    found
}

/// Base64 of the secret as it stands behind `alignment` other bytes.
fn aligned(bytes: &[u8], alignment: usize, letters: &[u8; 64], found: &mut Vec<Vec<u8>>) {
    let shifted = [&[0; 2][..alignment], bytes].concat();
    let written = encode::base64(&shifted, letters);
    // Letters that hold bits of what stands before: 8 bits in 2 letters, 16 bits in 3.
    let first = [0, 2, 3][alignment];
    // And at the end: of a group of one byte the second letter, of two bytes the third.
    let is_open = shifted.len() % 3 != 0;
    let inner = written.len() - usize::from(is_open);
    found.push(written[first.min(inner)..inner].to_vec());
    if is_open {
        let padding = 3 - shifted.len() % 3;
        let ended = &written[first..];
        found.push(ended.to_vec());
        found.push([ended, &b"=="[..padding]].concat());
    }
}

/// A form as it comes out of a folded text: whether its first break stays may depend on what stands
/// before it.
fn folded(form: &[u8]) -> [Vec<u8>; 2] {
    [0, RUN_BYTES_MIN].map(|run| fold(form, run).bytes.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) -> bool {
        let needles = needles(&Secret::new(secret.into()));
        needles.iter().any(|needle| needle == form.as_bytes())
    }

    #[test]
    fn every_form_is_looked_for() {
        let secret = "s3cr ät/\"";
        for form in [
            "s3cr ät/\"",
            "73336372 c3a4742f22".replace(' ', "20").as_str(),
            "s3cr%20%C3%A4t%2F%22",
            "s3cr%20%c3%a4t/%22",
            "s3cr+%C3%A4t%2F%22",
            "s3cr ät/\\\"",
            "s3cr \\u00e4t/\\\"",
            "s3cr ät/&quot;",
        ] {
            assert!(has(secret, form), "{form}");
        }
    }

    #[test]
    fn it_is_looked_for_as_errors_and_pages_show_it() {
        for form in ["a\\\\b\\'c\"d<", "a\\\\b'c\"d<", "a\\b&#x27;c&quot;d&lt;", "a\\b'c\"d&lt;"] {
            assert!(has("a\\b'c\"d<", form), "{form}");
        }
    }

    #[test]
    fn base64_is_found_wherever_it_stands() {
        // Of `password`, `xpassword` and `xxpassword`.
        for form in ["cGFzc3dvcmQ", "cGFzc3dvcmQ=", "cGFzc3dvcm", "Bhc3N3b3Jk", "wYXNzd29yZA=="] {
            assert!(has("password", form), "{form}");
        }
    }

    #[test]
    fn short_secrets_are_left_alone() {
        assert!(needles(&Secret::new(b"abc".to_vec())).is_empty());
        assert!(needles(&Secret::new(Vec::new())).is_empty());
        assert!(needles(&Secret::new(b"abcd".to_vec())).iter().all(|needle| needle.len() >= 4));
    }

    #[test]
    fn what_is_secret_in_an_address_is_looked_for_alone() {
        let hook = "https://hooks.example.com/services/T0123/abcdefghijklmnop?key=0123456789abcdef";
        let path = "/services/T0123/abcdefghijklmnop?key=0123456789abcdef";
        for form in [path, "abcdefghijklmnop", "0123456789abcdef"] {
            assert!(has(hook, form), "{form}");
        }
        for form in ["services", "hooks.example.com", "T0123", "/services/T0123"] {
            assert!(!has(hook, form), "{form}");
        }
        let database = "postgres://ada:pass-wo+rd@db.example.com:5432/database";
        assert!(has(database, "pass-wo+rd") && has(database, "pass-wo%2Brd"));
        assert!(!has(database, "/database") && !has(database, "db.example.com"));
    }

    #[test]
    fn lines_of_a_key_are_looked_for_alone() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\nshort\n-----END KEY-----\n";
        assert!(has(key, "MIIEvQIBADANBg"));
        assert!(!has(key, "short"));
    }
}
