//! What comes out of a mask, in one piece and in many.

use proptest::prelude::*;

use super::*;
use crate::encode::{self, Case, STANDARD, URL_SAFE, base64};

fn mask(secrets: &[&str]) -> Mask {
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new((*text).into())).collect();
    Mask::new(&secrets)
}

fn masked(secrets: &[&str], text: &str) -> String {
    String::from_utf8_lossy(&mask(secrets).apply(text.as_bytes())).into_owned()
}

/// The same in pieces of the given lengths, over and over.
fn in_pieces(mask: &Mask, bytes: &[u8], lengths: &[usize]) -> Vec<u8> {
    let (mut stream, mut out, mut rest) = (mask.stream(), Vec::new(), bytes);
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(length.clamp(1, rest.len()));
        stream.push(piece, &mut out);
        assert!(stream.held_back() <= mask.held_back_max());
        rest = behind;
    }
    stream.finish(&mut out);
    out
}

#[test]
fn all_forms_are_masked() {
    let secret = "p4ss word/\"ä";
    for text in [
        "it is p4ss word/\"ä.",
        "it is cDRzcyB3b3JkLyLDpA==.",
        "it is cDRzcyB3b3JkLyLDpA.",
        "it is p4ss%20word%2F%22%C3%A4.",
        "it is p4ss+word%2F%22%C3%A4.",
        "it is p4ss word/\\\"\\u00e4.",
        "it is 7034737320776f72642f22c3a4.",
        "it is 7034737320776F72642F22C3A4.",
    ] {
        assert_eq!(masked(&[secret], text), "it is ***.", "{text}");
    }
}

#[test]
fn of_two_that_begin_together_the_longer_is_masked_whole() {
    assert_eq!(masked(&["pass1", "pass1word"], "pass1word pass1wor pass1"), "*** ***wor ***");
    assert_eq!(masked(&["aaaa"], "aaaaaaaaa"), "******a");
}

#[test]
fn nothing_is_held_back_that_cannot_be_a_secret() {
    let mask = mask(&["topsecret"]);
    let (mut stream, mut out) = (mask.stream(), Vec::new());
    stream.push(b"password: tops", &mut out);
    assert_eq!((out.as_slice(), stream.held_back()), (&b"password: "[..], 4));
    stream.push(b"ecret\n$ ", &mut out);
    assert_eq!((out.as_slice(), stream.held_back()), (&b"password: ***\n$ "[..], 0));
    stream.push(b"tops", &mut out);
    stream.finish(&mut out);
    assert!(out.ends_with(b"$ tops"));
}

#[test]
fn without_secrets_nothing_is_copied_or_held() {
    let mask = mask(&["", "abc"]);
    assert!(mask.is_empty() && mask.held_back_max() == 0);
    assert!(matches!(mask.apply(b"abc"), Cow::Borrowed(b"abc")));
    assert_eq!(in_pieces(&mask, b"abcdef", &[1, 2]), b"abcdef");
    assert!(!format!("{:?}", Mask::new(&[Secret::new(b"hunter22".to_vec())])).contains("hunter"));
}

#[test]
fn wrapped_base64_of_a_long_secret_is_masked() {
    let key: String = ('!'..='~').collect();
    let written = base64(key.as_bytes(), STANDARD);
    let wrapped: Vec<u8> = written.chunks(76).collect::<Vec<_>>().join(&b"\n"[..]);
    assert_eq!(&*mask(&[&key]).apply(&wrapped), b"***\n***");
}

/// As a tool breaks it.
fn broken(written: &[u8], width: usize, line_break: &[u8]) -> Vec<u8> {
    let mut lines = written.chunks(width).collect::<Vec<_>>().join(line_break);
    lines.extend_from_slice(line_break);
    lines
}

#[test]
fn wherever_a_tool_breaks_a_long_secret_it_is_masked() {
    let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mask = mask(&[secret]);
    let shown = |written: &[u8], width| {
        String::from_utf8_lossy(&mask.apply(&broken(written, width, b"\n"))).into_owned()
    };
    let of_user = base64(format!("user:{secret}").as_bytes(), STANDARD);
    assert_eq!(shown(&of_user, 76), "dXNlcjo***\n***\n");
    let of_x = base64(format!("x{secret}").as_bytes(), STANDARD);
    assert_eq!(shown(&of_x, 76), "eD***\n***\n");
    assert_eq!(shown(&encode::hex(secret.as_bytes(), Case::Lower), 60), "***\n***\n***\n");
    assert_eq!(shown(secret.as_bytes(), 40), "***\n***\n");
    assert_eq!(shown(secret.as_bytes(), 8).lines().count(), 8);
}

#[test]
fn short_lines_are_neither_joined_nor_held_back() {
    assert_eq!(masked(&["12345678"], "1234\n5678\n"), "1234\n5678\n");
    let mask = mask(&["topsecret"]);
    let (mut stream, mut out) = (mask.stream(), Vec::new());
    stream.push(b"this line stops\n", &mut out);
    assert_eq!((out.as_slice(), stream.held_back()), (&b"this line stops\n"[..], 0));
}

#[test]
fn a_key_of_several_lines_is_masked_whatever_stands_before_it() {
    let key = "BEGIN KEY\nMIIEvQIBADANBgkqhkiG9w0B\nEND";
    assert_eq!(masked(&[key], &format!("key: {key}.")), "key: ***\n***.");
    let key = "short\nlines\nonly";
    assert_eq!(masked(&[key], &format!("key: {key}.")), "key: ***.");
    assert_eq!(
        masked(&[key], &format!("a_long_name_of_a_key={key}.")),
        "a_long_name_of_a_key=***\n***."
    );
}

/// Few letters, so that forms begin, overlap and end often.
fn secrets() -> impl Strategy<Value = Vec<String>> {
    let secret = prop_oneof![2 => "[ab]{4,9}", 1 => "[a-c\" %\\n]{4,14}", 1 => "\\PC{4,10}"];
    proptest::collection::vec(secret, 1..4)
}

fn settings() -> ProptestConfig {
    ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn any_split_masks_the_same(
        secrets in secrets(),
        noise in "[abc%2\" \\n]{0,40}",
        order in proptest::collection::vec((0_usize..4, 0_usize..40, any::<bool>()), 0..8),
        lengths in proptest::collection::vec(1_usize..12, 1..8),
    ) {
        let secret = |text: &String| Secret::new(text.as_str().into());
        let all: Vec<Secret> = secrets.iter().map(secret).collect();
        let mask = Mask::new(&all);
        let forms: Vec<Vec<u8>> = all.iter().flat_map(needles).collect();
        let mut text = noise.clone().into_bytes();
        for (which, form, is_cut) in order {
            let form = &forms[(which * 41 + form) % forms.len()];
            text.extend_from_slice(if is_cut { &form[..form.len() - 1] } else { form });
            text.extend(noise.bytes().take(which));
        }
        let whole = mask.apply(&text).into_owned();
        prop_assert_eq!(in_pieces(&mask, &text, &lengths), whole.clone());
        prop_assert_eq!(in_pieces(&mask, &text, &[1]), whole);
    }

    #[test]
    fn base64_of_a_text_shows_no_secret(
        before in "\\PC{0,7}", secret in "[!-~]{6,30}", behind in "\\PC{0,7}",
    ) {
        let mask = Mask::new(&[Secret::new(secret.as_str().into())]);
        let text = format!("{before}{secret}{behind}");
        for letters in [STANDARD, URL_SAFE] {
            let shown = mask.apply(&base64(text.as_bytes(), letters)).into_owned();
            prop_assert!(shown.windows(3).any(|window| window == MASKED), "{shown:?}");
            // Of the secret's own letters at most two at each end mix with their neighbours.
            let own = base64(secret.as_bytes(), letters);
            let left = shown.len() - MASKED.len();
            let all = base64(text.as_bytes(), letters).len();
            prop_assert!(all - left + 4 >= own.len());
        }
    }

    #[test]
    fn the_plain_secret_never_comes_out(
        noise in "[a-d]{0,30}", secret in "[a-d]{4,8}", length in 1_usize..9,
    ) {
        let mask = Mask::new(&[Secret::new(secret.as_str().into())]);
        let text = format!("{noise}{secret}{noise}{secret}");
        let shown = in_pieces(&mask, text.as_bytes(), &[length]);
        let shown = String::from_utf8(shown).expect("ASCII");
        prop_assert!(!shown.contains(&secret), "{shown}");
    }
}

proptest! {
    // Each case makes four texts, and the forms of a long secret.
    #![proptest_config(ProptestConfig { cases: 64, ..settings() })]

    #[test]
    fn what_is_broken_into_lines_shows_no_secret(
        before in proptest::collection::vec(any::<u8>(), 0..100),
        secret in proptest::collection::vec(any::<u8>(), 8..120),
        behind in proptest::collection::vec(any::<u8>(), 0..20),
        width in prop_oneof![Just(60_usize), Just(64), Just(76), 17_usize..100],
        line_break in prop_oneof![Just(&b"\n"[..]), Just(&b"\r\n"[..])],
        lengths in proptest::collection::vec(1_usize..90, 1..8),
    ) {
        let mask = Mask::new(&[Secret::new(secret.clone())]);
        let text = [before, secret.clone(), behind].concat();
        for letters in [STANDARD, URL_SAFE] {
            let written = base64(&text, letters);
            // Of the secret's own letters at most two at each end mix with their neighbours.
            let hidden = base64(&secret, letters).len() - 4;
            holds(&mask, (&written, hidden), (width, line_break), &lengths)?;
        }
        for case in [Case::Lower, Case::Upper] {
            let written = encode::hex(&text, case);
            holds(&mask, (&written, secret.len() * 2), (width, line_break), &lengths)?;
        }
    }
}

/// Of what is written, broken into lines, at least so many letters are hidden, however it is cut.
fn holds(
    mask: &Mask,
    (written, hidden): (&[u8], usize),
    (width, line_break): (usize, &[u8]),
    lengths: &[usize],
) -> Result<(), TestCaseError> {
    let lines = broken(written, width, line_break);
    let shown = mask.apply(&lines).into_owned();
    let is_letter = |byte: &&u8| !b"*\r\n".contains(byte);
    let left = shown.iter().filter(is_letter).count();
    prop_assert!(left + hidden <= written.len(), "{}", String::from_utf8_lossy(&shown));
    let breaks = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
    prop_assert_eq!(breaks(&shown), breaks(&lines));
    prop_assert_eq!(in_pieces(mask, &lines, lengths), shown.clone());
    prop_assert_eq!(in_pieces(mask, &lines, &[1]), shown);
    Ok(())
}
