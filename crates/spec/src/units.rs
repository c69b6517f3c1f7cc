//! Durations and quantities as hands write them: `1h30m`, `PT5M`, `500m`, `16Gi`.
//!
//! Exact integer arithmetic: what does not come out even at the smallest unit is refused, never
//! rounded.

use model::Span;
use model::quantity::{self, narrow, scaled};

use crate::limits::DURATION_SECS_MAX;

/// A duration: `30s`, `1h30m`, `250ms`, `1.5h`, ISO 8601 `PT5M`, or a plain number of seconds.
///
/// # Errors
/// What is wrong with it, for people.
pub fn duration(text: &str) -> Result<Span, String> {
    let text = text.trim();
    let micros = match text.strip_prefix(['P', 'p']) {
        Some(iso) => iso_micros(iso),
        None => units_micros(text),
    };
    let micros = micros.ok_or_else(|| format!("`{text}` is not a duration"))?;
    if micros > u128::from(DURATION_SECS_MAX) * 1_000_000 {
        return Err(format!("`{text}` is longer than ten years"));
    }
    Ok(Span::micros(u64::try_from(micros).unwrap_or(u64::MAX)))
}

fn units_micros(text: &str) -> Option<u128> {
    if let Some(seconds) = scaled(text, 1_000_000) {
        return Some(seconds);
    }
    let unit = |unit: &str| match unit {
        "us" | "µs" => Some(1),
        "ms" => Some(1_000),
        "s" | "sec" | "secs" => Some(1_000_000),
        "m" | "min" | "mins" => Some(60_000_000),
        "h" | "hr" | "hrs" => Some(3_600_000_000),
        "d" => Some(86_400_000_000),
        "w" => Some(604_800_000_000),
        _ => None,
    };
    sum(text, unit)
}

/// `P1DT2H3M4.5S`, without the `P`. Years and months have no fixed length and are refused.
fn iso_micros(text: &str) -> Option<u128> {
    let text = text.to_ascii_uppercase();
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text.as_str(), ""),
    };
    let day_unit = |unit: &str| match unit {
        "W" => Some(604_800_000_000),
        "D" => Some(86_400_000_000),
        _ => None,
    };
    let time_unit = |unit: &str| match unit {
        "H" => Some(3_600_000_000),
        "M" => Some(60_000_000),
        "S" => Some(1_000_000),
        _ => None,
    };
    match (days, time) {
        ("", "") => None,
        (days, "") => sum(days, day_unit),
        ("", time) => sum(time, time_unit),
        (days, time) => sum(days, day_unit)?.checked_add(sum(time, time_unit)?),
    }
}

/// Pairs of a number and a unit, the units getting smaller.
fn sum(text: &str, unit: impl Fn(&str) -> Option<u128>) -> Option<u128> {
    let (mut rest, mut total, mut last) = (text, 0_u128, u128::MAX);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let behind =
            rest[number..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - number);
        let scale = unit(rest[number..number + behind].trim())?;
        if scale >= last {
            return None;
        }
        total = total.checked_add(scaled(&rest[..number], scale)?)?;
        last = scale;
        rest = &rest[number + behind..];
    }
    (!text.is_empty()).then_some(total)
}

/// Thousandths of a CPU: `1`, `0.5`, `500m`.
pub(crate) fn cpu_milli(text: &str) -> Result<u64, String> {
    quantity::cpu_milli(text).ok_or_else(|| format!("`{}` is not a number of CPUs", text.trim()))
}

/// Money in millionths: `5`, `0.50`.
///
/// # Errors
/// The text is no amount, or has more than six decimals.
pub fn money_micro(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let micro = scaled(text, 1_000_000).and_then(narrow);
    micro.ok_or_else(|| format!("`{text}` is not an amount of money"))
}

/// Bytes: `512Mi`, `1G`, `1.5Gi`, `1048576`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    quantity::bytes(text).ok_or_else(|| format!("`{}` is not an amount of memory", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_comes_out_even() {
        let micro = |text: &str| money_micro(text).ok();
        assert_eq!(["5", "0.50", "0.000001"].map(micro), [Some(5_000_000), Some(500_000), Some(1)]);
        assert_eq!(["", "-1", "5$", "0.0000001", "1e3"].map(micro), [None; 5]);
    }

    #[test]
    fn durations() {
        let micros = |text: &str| duration(text).map(|span| span.0).map_err(|_| ());
        for (text, expected) in [
            ("30s", 30_000_000),
            ("5m", 300_000_000),
            ("1h30m", 5_400_000_000),
            ("1h 30m", 5_400_000_000),
            ("250ms", 250_000),
            ("1.5h", 5_400_000_000),
            ("90", 90_000_000),
            ("0.25", 250_000),
            ("PT5M", 300_000_000),
            ("P1DT0.5S", 86_400_500_000),
            ("0s", 0),
        ] {
            assert_eq!(micros(text), Ok(expected), "{text}");
        }
        let bad = [
            "",
            "s",
            "5 parsecs",
            "-1s",
            "1m1h",
            "1s1s",
            "P",
            "PT",
            "P1Y",
            "1e3",
            ".5s",
            "5.",
            "1.s",
            "11y",
            "3651d",
            "99999999999999999999s",
            "0.0000001s",
            "1h-5m",
            "∞",
        ];
        for text in bad {
            assert_eq!(micros(text), Err(()), "{text}");
        }
    }
}
