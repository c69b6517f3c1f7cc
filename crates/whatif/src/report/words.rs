//! Numbers as people read them, and text that is safe within HTML.

/// A length of time in two units at most: `850ms`, `1.2s`, `3m 12s`, `2h 5m`, `3d 4h`.
pub(super) fn time(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0s".to_owned();
    }
    if seconds < 0.9995 {
        return format!("{:.0}ms", seconds * 1e3);
    }
    if seconds < 59.95 {
        return format!("{seconds:.1}s");
    }
    // Cut off, as the command line does it: both show the same.
    let whole = seconds.max(60.0) as u64;
    match whole {
        0..3_600 => format!("{}m {}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h {}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d {}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// A time on an axis: as [`time`], without what is zero.
pub(super) fn tick(seconds: f64) -> String {
    let text = time(seconds);
    text.trim_end_matches(" 0s").trim_end_matches(" 0m").trim_end_matches(" 0h").replace(".0s", "s")
}

/// A part of one in percent.
pub(super) fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// Stands where there is no figure.
pub(super) fn nothing() -> String {
    "–".to_owned()
}

/// A word as the beginning of a line: `memory` is `Memory`.
pub(super) fn begun(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().chain(signs).collect())
}

/// Text within HTML, also within an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            sign if sign.is_control() => safe.push('\u{fffd}'),
            sign => safe.push(sign),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_at_a_glance() {
        let told = [0.0, 0.0123, 0.9999, 59.96, 192.4, 7_500.0, 276_000.0].map(time);
        assert_eq!(told, ["0s", "12ms", "1.0s", "1m 0s", "3m 12s", "2h 5m", "3d 4h"]);
        assert_eq!([5.0, 120.0, 7_200.0].map(tick), ["5s", "2m", "2h"]);
    }

    #[test]
    fn nothing_gets_out_of_its_place() {
        let safe = escape("<script a='1' b=\"2\">&\n");
        assert_eq!(safe, "&lt;script a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;\u{fffd}");
    }
}
