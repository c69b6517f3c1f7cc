//! The forms in which tools write bytes: base64, percent signs, texts of JSON, Python and HTML,
//! hexadecimal digits.
//!
//! Only what the mask needs: nothing is decoded.

/// The letters of base64 as RFC 4648 numbers them.
pub(crate) const STANDARD: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The letters that are safe in an address and in the name of a file.
pub(crate) const URL_SAFE: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 without padding.
pub(crate) fn base64(bytes: &[u8], letters: &[u8; 64]) -> Vec<u8> {
    let mut written = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let count = group.len() + 1;
        written.extend(
            [18, 12, 6, 0].iter().take(count).map(|shift| letters[(bits >> shift & 63) as usize]),
        );
    }
    written
}

/// How hexadecimal digits above 9 are written.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Lower,
    Upper,
}

fn digits(byte: u8, case: Case) -> [u8; 2] {
    let digits = match case {
        Case::Lower => b"0123456789abcdef",
        Case::Upper => b"0123456789ABCDEF",
    };
    [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8], case: Case) -> Vec<u8> {
    bytes.iter().flat_map(|&byte| digits(byte, case)).collect()
}

/// Everything but letters, digits, `-._~` and `kept` as a percent sign and two digits.
pub(crate) fn percent(bytes: &[u8], kept: &[u8], case: Case) -> Vec<u8> {
    let mut written = Vec::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            written.push(byte);
        } else {
            written.push(b'%');
            written.extend(digits(byte, case));
        }
    }
    written
}

/// As in a form: spaces are `+`.
pub(crate) fn form(bytes: &[u8]) -> Vec<u8> {
    let mut written = percent(bytes, b" *", Case::Upper);
    written.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    written
}

/// What a JSON text leaves of Unicode as it is.
#[derive(Clone, Copy)]
pub(crate) enum Letters {
    /// All but control characters.
    All,
    /// ASCII alone, the rest as `\u` and four digits.
    Ascii,
}

/// The inside of a JSON text.
pub(crate) fn json(text: &str, letters: Letters) -> Vec<u8> {
    let mut written = Vec::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '"' | '\\' => written.extend([b'\\', u8::try_from(character).unwrap_or(b'?')]),
            '\n' => written.extend(b"\\n"),
            '\r' => written.extend(b"\\r"),
            '\t' => written.extend(b"\\t"),
            '\u{8}' => written.extend(b"\\b"),
            '\u{c}' => written.extend(b"\\f"),
            _ if u32::from(character) < 0x20 || is_far(character, letters) => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    written.extend(format!("\\u{unit:04x}").bytes());
                }
            }
            _ => written.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    written
}

/// As Python shows a text between quotes: in errors, and what stands in lists and mappings.
pub(crate) fn python(text: &str, quote: Option<char>) -> Vec<u8> {
    let mut written = Vec::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\\' => written.extend(b"\\\\"),
            '\n' => written.extend(b"\\n"),
            '\r' => written.extend(b"\\r"),
            '\t' => written.extend(b"\\t"),
            _ if Some(character) == quote => {
                written.push(b'\\');
                written.extend(character.encode_utf8(&mut [0; 4]).bytes());
            }
            _ => written.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    written
}

/// As pages of HTML have a text, quotes written like this.
pub(crate) fn html(text: &[u8], [double, single]: [&[u8]; 2]) -> Vec<u8> {
    let mut written = Vec::with_capacity(text.len() + 16);
    for &byte in text {
        match byte {
            b'&' => written.extend(b"&amp;"),
            b'<' => written.extend(b"&lt;"),
            b'>' => written.extend(b"&gt;"),
            b'"' => written.extend(double),
            b'\'' => written.extend(single),
            _ => written.push(byte),
        }
    }
    written
}

fn is_far(character: char, letters: Letters) -> bool {
    matches!(letters, Letters::Ascii) && !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("ASCII or what was text before")
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, expected) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(text(base64(plain.as_bytes(), STANDARD)), expected);
        }
        assert_eq!(text(base64(b"\xfb\xff\xbf", STANDARD)), "+/+/");
        assert_eq!(text(base64(b"\xfb\xff\xbf", URL_SAFE)), "-_-_");
    }

    #[test]
    fn addresses_and_forms() {
        assert_eq!(text(percent(b"a b/c~\xe4", b"", Case::Upper)), "a%20b%2Fc~%E4");
        assert_eq!(text(percent(b"a b/c~\xe4", b"/", Case::Lower)), "a%20b/c~%e4");
        assert_eq!(text(form(b"a b+c*")), "a+b%2Bc*");
    }

    #[test]
    fn json_texts() {
        assert_eq!(text(json("a\"b\\\n\u{1}ä😀", Letters::All)), "a\\\"b\\\\\\n\\u0001ä😀");
        assert_eq!(text(json("ä😀", Letters::Ascii)), "\\u00e4\\ud83d\\ude00");
    }

    #[test]
    fn texts_of_python_and_of_pages() {
        let python = |quote| text(python("a'b\"c\\d\ne", quote));
        assert_eq!(python(None), "a'b\"c\\\\d\\ne");
        assert_eq!(python(Some('\'')), "a\\'b\"c\\\\d\\ne");
        let html = |quotes| text(html(b"<a href=\"x\">&'", quotes));
        assert_eq!(html([b"&quot;", b"&#39;"]), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
        assert_eq!(html([b"\"", b"'"]), "&lt;a href=\"x\"&gt;&amp;'");
    }

    #[test]
    fn digits_are_hexadecimal() {
        assert_eq!(text(hex(b"\x00\xaf", Case::Lower)), "00af");
        assert_eq!(text(hex(b"\x00\xaf", Case::Upper)), "00AF");
    }
}
