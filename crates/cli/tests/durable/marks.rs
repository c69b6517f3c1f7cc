//! Marks, and the forms in which they could hide in bytes. None of it may come from the product,
//! which has to know the same forms.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

/// Letters of base64; the second alphabet differs in the last two.
const BASE64: [&[u8; 64]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];

/// A mark in all forms that are searched for.
pub(crate) struct Mark {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Mark {
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let each = |digits: &dyn Fn(&u8) -> String| -> Vec<u8> {
            bytes.iter().map(digits).collect::<String>().into_bytes()
        };
        let kept = |kept: &'static [u8], space: &'static str| {
            move |&byte: &u8| match byte {
                b' ' => space.to_owned(),
                _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => {
                    char::from(byte).into()
                }
                _ => format!("%{byte:02X}"),
            }
        };
        let numbers = each(&|byte| format!("{byte}, "));
        let mut forms = vec![
            ("itself", bytes.to_vec()),
            ("backwards", bytes.iter().rev().copied().collect()),
            ("hexadecimal", each(&|byte| format!("{byte:02x}"))),
            ("hexadecimal, in capitals", each(&|byte| format!("{byte:02X}"))),
            ("percent-encoded", each(&|byte| format!("%{byte:02X}"))),
            ("percent-encoded", each(&|byte| format!("%{byte:02x}"))),
            ("percent-encoded where needed", each(&kept(b"-._~", "%20"))),
            ("percent-encoded in a path", each(&kept(b"-._~/", "%20"))),
            ("a field of a form", each(&kept(b"-._~", "+"))),
            ("a list of numbers", numbers[..numbers.len() - 2].to_vec()),
            ("UTF-16", bytes.iter().flat_map(|&byte| [byte, 0]).collect()),
            ("a text of JSON", json(text, false)),
            ("a text of JSON in ASCII", json(text, true)),
            ("a text of Python", python(text).into_bytes()),
            ("a text of Python", python(text).replace('\'', "\\'").into_bytes()),
            ("a text of HTML", html(text).into_bytes()),
        ];
        for (name, alphabet) in [("base64", BASE64[0]), ("base64 for addresses", BASE64[1])] {
            forms.extend((0..3).map(|before| (name, within_base64(bytes, before, alphabet))));
        }
        Self { name: text.to_owned(), forms }
    }

    /// The form in which it stands in `bytes`, if it does.
    pub(crate) fn found(&self, bytes: &[u8]) -> Option<String> {
        let form = self.forms.iter().find(|(_, form)| has(bytes, form))?;
        Some(format!("{} as {}", self.name, form.0))
    }
}

/// Many marks, which are searched for at once.
pub(crate) struct Marks {
    finder: AhoCorasick,
    /// By the number of the pattern: which mark, and in which form.
    names: Vec<(String, &'static str)>,
}

impl Marks {
    pub(crate) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for Mark { name, forms } in texts.into_iter().map(Mark::new) {
            for (form, bytes) in forms {
                names.push((name.clone(), form));
                patterns.push(bytes);
            }
        }
        Self { finder: AhoCorasick::new(patterns).expect("they are short"), names }
    }

    /// Which of them stand in `bytes`, and in which forms.
    pub(crate) fn found(&self, bytes: &[u8]) -> BTreeSet<(&str, &'static str)> {
        let found = self.finder.find_overlapping_iter(bytes);
        let name = |found: aho_corasick::Match| {
            let (name, form) = &self.names[found.pattern()];
            (name.as_str(), *form)
        };
        found.map(name).collect()
    }
}

/// The inside of a text of JSON.
fn json(text: &str, is_ascii: bool) -> Vec<u8> {
    let whole = serde_json::to_string(text).expect("a text");
    let inside = whole[1..whole.len() - 1].chars();
    let letter = |letter: char| match u32::from(letter) {
        code if is_ascii && code > 0x7f => format!("\\u{code:04x}"),
        _ => letter.into(),
    };
    inside.map(letter).collect::<String>().into_bytes()
}

fn python(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#x27;")
}

/// The letters of base64 that stand for `bytes` alone when `before` bytes stand before them.
fn within_base64(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let padded = [&vec![0; before], bytes, &[0; 3]].concat();
    let letters: Vec<u8> = padded
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            [18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize])
        })
        .collect();
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    letters[first..end].to_vec()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    let first = part[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| byte == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[test]
fn odd_letters_are_found_as_tools_write_them() {
    let text = "ü \"q\"\\b/+&<";
    let marks = Marks::new([text, "something else"]);
    for (name, form) in [
        ("itself", "ü \"q\"\\b/+&<"),
        ("hexadecimal", "c3bc202271225c622f2b263c"),
        ("percent-encoded where needed", "%C3%BC%20%22q%22%5Cb%2F%2B%26%3C"),
        ("percent-encoded in a path", "%C3%BC%20%22q%22%5Cb/%2B%26%3C"),
        ("a field of a form", "%C3%BC+%22q%22%5Cb%2F%2B%26%3C"),
        ("a text of JSON", "ü \\\"q\\\"\\\\b/+&<"),
        ("a text of JSON in ASCII", "\\u00fc \\\"q\\\"\\\\b/+&<"),
        ("a text of Python", "ü \"q\"\\\\b/+&<"),
        ("a text of HTML", "ü &quot;q&quot;\\b/+&amp;&lt;"),
        ("base64 for addresses", "w7wgInEiXGIvKyY8"),
    ] {
        let found = marks.found(format!("xx{form}yyy").as_bytes());
        assert!(found.contains(&(text, name)), "{name}: {found:?}");
    }
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    let mark = Mark::new("Mark-OUT-M3V7");
    // As `base64`, `od` and others print them.
    let forms: &[&[u8]] = &[
        b"xMark-OUT-M3V7y",
        b"TWFyay1PVVQtTTNWNw==",
        b"eE1hcmstT1VULU0zVjd5",
        b"eHhNYXJrLU9VVC1NM1Y3",
        b"4d61726b2d4f55542d4d335637",
        b"4D61726B2D4F55542D4D335637",
        b"%4D%61%72%6B%2D%4F%55%54%2D%4D%33%56%37",
        b"[77, 97, 114, 107, 45, 79, 85, 84, 45, 77, 51, 86, 55]",
        b"7V3M-TUO-kraM",
    ];
    for form in forms {
        assert!(mark.found(form).is_some(), "{}", String::from_utf8_lossy(form));
    }
    assert_eq!(mark.found(b"Mark-OUT-M3V Mark-OUT-7 TWFyay1PVVQtTTNW"), None);
}
