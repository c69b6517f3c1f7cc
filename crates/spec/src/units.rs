//! Durations and quantities as hands write them: `1h30m`, `PT5M`, `500m`, `16Gi`.
//!
//! Exact integer arithmetic: what does not come out even at the smallest unit is refused, never
//! rounded.

use model::Span;

use crate::limits::DURATION_SECS_MAX;

/// What a number of 128 bits holds at most, as digits: more is refused before it is multiplied.
const DIGITS_MAX: usize = 18;

/// A duration: `30s`, `1h30m`, `250ms`, `1.5h`, ISO 8601 `PT5M`, or a plain number of seconds.
pub(crate) fn duration(text: &str) -> Result<Span, String> {
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
    let text = text.trim();
    let milli = match text.strip_suffix('m') {
        Some(milli) => scaled(milli, 1),
        None => scaled(text, 1_000),
    };
    narrow(milli).ok_or_else(|| format!("`{text}` is not a number of CPUs"))
}

/// Money in millionths: `5`, `0.50`.
///
/// # Errors
/// The text is no amount, or has more than six decimals.
pub fn money_micro(text: &str) -> Result<u64, String> {
    let text = text.trim();
    narrow(scaled(text, 1_000_000)).ok_or_else(|| format!("`{text}` is not an amount of money"))
}

/// Bytes: `512Mi`, `1G`, `1.5Gi`, `1048576`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = text[number..].trim();
    let unit = unit.strip_suffix(['B', 'b']).unwrap_or(unit);
    let scale: Option<u128> = match unit {
        "" => Some(1),
        "k" | "K" => Some(1_000),
        "M" => Some(1_000_000),
        "G" => Some(1_000_000_000),
        "T" => Some(1_000_000_000_000),
        "P" => Some(1_000_000_000_000_000),
        "Ki" => Some(1 << 10),
        "Mi" => Some(1 << 20),
        "Gi" => Some(1 << 30),
        "Ti" => Some(1 << 40),
        "Pi" => Some(1 << 50),
        _ => None,
    };
    let bytes = scale.and_then(|scale| scaled(&text[..number], scale));
    narrow(bytes).ok_or_else(|| format!("`{text}` is not an amount of memory"))
}

/// Amounts stay far below 64 bits, so that sums of them do not overflow.
fn narrow(amount: Option<u128>) -> Option<u64> {
    amount.and_then(|amount| u64::try_from(amount).ok()).filter(|&amount| amount < 1 << 60)
}

/// A decimal number times `scale`, if that is whole.
fn scaled(text: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() > DIGITS_MAX {
        return None;
    }
    if whole.is_empty() || (text.contains('.') && fraction.is_empty()) {
        return None;
    }
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let product = digits.checked_mul(scale)?;
    (product % divisor == 0).then(|| product / divisor)
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

    #[test]
    fn quantities() {
        assert_eq!(["1", "0.5", "500m", "2.25"].map(cpu_milli), [1000, 500, 500, 2250].map(Ok));
        let memory = ["512Mi", "1G", "1.5Gi", "42", "16 GiB", "3k"].map(bytes);
        assert_eq!(memory, [512 << 20, 1_000_000_000, 3 << 29, 42, 16 << 30, 3_000].map(Ok));
        assert!(
            ["", "m", "0.0005", "-1", "1 core", "1000000000000000000"]
                .map(cpu_milli)
                .iter()
                .all(Result::is_err)
        );
        assert!(["", "Gi", "1Zi", "1.5", "99999999Pi", "1g"].map(bytes).iter().all(Result::is_err));
    }
}
