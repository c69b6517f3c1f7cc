//! Quantities as hands write them: `500m` of a CPU, `16Gi`. Each text means the same wherever it
//! is read.
//!
//! Exact integer arithmetic: what does not come out even at the smallest unit is refused, never
//! rounded. Who reads a text says in its own words what is wrong with it.

use alloc::format;

/// What a number of 128 bits holds at most, as digits: more is refused before it is multiplied.
const DIGITS_MAX: usize = 18;

/// Thousandths of a CPU: `1`, `0.5`, `500m`.
#[must_use]
pub fn cpu_milli(text: &str) -> Option<u64> {
    let text = text.trim();
    let milli = match text.strip_suffix('m') {
        Some(milli) => scaled(milli, 1),
        None => scaled(text, 1_000),
    };
    milli.and_then(narrow)
}

/// Bytes: `512Mi`, `1G`, `1.5Gi`, `1048576`.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = text[number..].trim();
    let scale: u128 = match unit.strip_suffix(['B', 'b']).unwrap_or(unit) {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    scaled(&text[..number], scale).and_then(narrow)
}

/// Amounts stay far below 64 bits, so that sums of them do not overflow.
#[must_use]
pub fn narrow(amount: u128) -> Option<u64> {
    u64::try_from(amount).ok().filter(|&amount| amount < 1 << 60)
}

/// A decimal number times `scale`, if that is whole.
#[must_use]
pub fn scaled(text: &str, scale: u128) -> Option<u128> {
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
    fn quantities_come_out_even() {
        let milli = ["1", "0.5", "500m", " 2.25 "].map(cpu_milli);
        assert_eq!(milli, [1_000, 500, 500, 2_250].map(Some));
        let memory = ["512Mi", "1G", "1.5Gi", "42", "16 GiB", "3k"].map(bytes);
        assert_eq!(memory, [512 << 20, 1_000_000_000, 3 << 29, 42, 16 << 30, 3_000].map(Some));
        let bad = ["", "m", "0.0005", "-1", "1 core", "1000000000000000000", "NaN", "1e3"];
        assert_eq!(bad.map(cpu_milli), [None; 8]);
        let bad = ["", "Gi", "1Zi", "1.5", "99999999Pi", "1g", "-1"];
        assert_eq!(bad.map(bytes), [None; 7]);
    }
}
