//! Marks, and the forms in which they could hide in bytes.

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
        let mut forms = vec![
            ("itself", bytes.to_vec()),
            ("backwards", bytes.iter().rev().copied().collect()),
            ("hexadecimal", each(&|byte| format!("{byte:02x}"))),
            ("hexadecimal", each(&|byte| format!("{byte:02X}"))),
            ("percent-encoded", each(&|byte| format!("%{byte:02X}"))),
            ("percent-encoded", each(&|byte| format!("%{byte:02x}"))),
            ("a list of numbers", each(&|byte| format!("{byte}, "))),
            ("UTF-16", bytes.iter().flat_map(|&byte| [byte, 0]).collect()),
        ];
        forms.iter_mut().filter(|form| form.0 == "a list of numbers").for_each(|(_, bytes)| {
            bytes.truncate(bytes.len() - 2);
        });
        for alphabet in BASE64 {
            forms.extend((0..3).map(|before| ("base64", within_base64(bytes, before, alphabet))));
        }
        Self { name: text.to_owned(), forms }
    }

    /// The form in which it stands in `bytes`, if it does.
    pub(crate) fn found(&self, bytes: &[u8]) -> Option<String> {
        let form = self.forms.iter().find(|(_, form)| has(bytes, form))?;
        Some(format!("{} as {}", self.name, form.0))
    }
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
