//! Workflow files as text for people: one task after the other, short ones on a line.
//!
//! It writes what it is given and checks nothing: what comes out is held to the language by whoever
//! writes it.

/// Columns of a line.
const COLUMNS: usize = 100;

/// A value as it stands in YAML, without quotes where it needs none.
pub(crate) fn scalar(text: &str) -> String {
    let is_plain_sign = |sign: char| sign.is_ascii_alphanumeric() || "_.-".contains(sign);
    let begins = text.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    match begins && !is_word && text.chars().all(is_plain_sign) {
        true => text.to_owned(),
        // What JSON puts into quotes, YAML reads the same.
        false => serde_json::Value::from(text).to_string(),
    }
}

/// A task by its name and keys: on one line if there is room for it.
pub(crate) fn task(name: &str, keys: &[(&str, String)], depends_on: &[&str]) -> String {
    let name = scalar(name);
    let depends_on: Vec<String> = depends_on.iter().map(|name| scalar(name)).collect();
    let mut pairs: Vec<String> =
        keys.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let short = match depends_on.as_slice() {
        [] => None,
        [one] => Some(format!("depends_on: {one}")),
        all => Some(format!("depends_on: [{}]", all.join(", "))),
    };
    pairs.extend(short.clone());
    let line = format!("  {name}: {{{}}}\n", pairs.join(", "));
    if line.chars().count() <= COLUMNS {
        return line;
    }
    let mut text = format!("  {name}:\n");
    for pair in &pairs {
        if Some(pair) == short.as_ref() && pair.chars().count() > COLUMNS - 4 {
            text.push_str(&format!("    depends_on:\n{}", list(&depends_on)));
        } else {
            text.push_str(&format!("    {pair}\n"));
        }
    }
    text
}

/// A list over as many lines as it takes.
fn list(entries: &[String]) -> String {
    let mut text = String::new();
    let mut line = String::from("      [");
    for (at, entry) in entries.iter().enumerate() {
        let end = if at + 1 < entries.len() { "," } else { "]" };
        if line.chars().count() + entry.chars().count() + 2 > COLUMNS && line.trim() != "[" {
            text.push_str(line.trim_end());
            text.push('\n');
            line = String::from("       ");
        }
        line.push_str(&format!("{entry}{end} "));
    }
    text.push_str(line.trim_end());
    text.push('\n');
    text
}

/// A number of millionths as a decimal: `1.25`, `0.000001`, `3`.
pub(crate) fn millionths(number: u64) -> String {
    let (whole, part) = (number / 1_000_000, number % 1_000_000);
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_where_they_are_needed() {
        for plain in ["mProject_ID01", "A.B-c", "_x"] {
            assert_eq!(scalar(plain), plain);
        }
        for (text, quoted) in [("1e3", "\"1e3\""), ("No", "\"No\""), ("a b: c", "\"a b: c\"")] {
            assert_eq!(scalar(text), quoted);
        }
        assert_eq!(scalar("a\"\n"), r#""a\"\n""#);
    }

    #[test]
    fn short_tasks_take_a_line_and_long_ones_several() {
        let keys = [("work", "{seconds: 0.5}".to_owned())];
        assert_eq!(task("a", &keys, &["b"]), "  a: {work: {seconds: 0.5}, depends_on: b}\n");
        assert_eq!(task("a", &keys, &[]), "  a: {work: {seconds: 0.5}}\n");
        let names: Vec<String> = (0..30).map(|number| format!("name_{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = task("a", &keys, &names);
        assert!(
            text.starts_with("  a:\n    work: {seconds: 0.5}\n    depends_on:\n      [name_0, ")
        );
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.ends_with("name_29]\n"), "{text}");
        let long = "x".repeat(120);
        let text = task("a", &keys, &[&long, "b"]);
        assert!(text.ends_with(&format!("      [{long},\n       b]\n")), "{text}");
    }

    #[test]
    fn millionths_are_decimals() {
        let shown = [0, 1, 1_250_000, 3_000_000, 10_000].map(millionths);
        assert_eq!(shown, ["0", "0.000001", "1.25", "3", "0.01"]);
    }
}
