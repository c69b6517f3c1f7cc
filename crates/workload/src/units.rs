//! Quantities as recorded files and people write them: seconds, `500m`, `64Gi`, parts of a device.
//!
//! This is the only page with floats: what was measured comes as decimals of seconds. Each becomes
//! the nearest integer of its small unit here, or is refused: no number, negative, too large.

use model::quantity;

use crate::limits::{BYTES_MAX, CORES_MAX, DEVICES_MAX, SECONDS_MAX};

/// A number in thousandths or millionths of its unit, rounded to the nearest, up to a bound.
fn scaled_float(number: f64, scale: f64, (max, unit): (u64, &str)) -> Result<u64, String> {
    if !number.is_finite() {
        return Err(format!("{number} is not a number of {unit}"));
    }
    if number < 0.0 {
        return Err(format!("{number} {unit} are less than none"));
    }
    let scaled = (number * scale).round();
    if scaled > max as f64 {
        return Err(format!("{number} {unit} are more than {}", max as f64 / scale));
    }
    Ok(scaled as u64)
}

/// Microseconds of a number of seconds.
pub(crate) fn micros(seconds: f64) -> Result<u64, String> {
    scaled_float(seconds, 1e6, (SECONDS_MAX * 1_000_000, "seconds"))
}

/// Thousandths of a CPU of a number of CPUs.
pub(crate) fn cores(cores: f64) -> Result<u64, String> {
    scaled_float(cores, 1e3, (CORES_MAX * 1_000, "cores"))
}

/// Bytes of a number of units of so many bytes.
pub(crate) fn units_of_bytes(number: f64, unit: (u64, &str)) -> Result<u64, String> {
    scaled_float(number, unit.0 as f64, (BYTES_MAX, unit.1))
}

/// How many devices, and how many thousandths of each: whole ones, or a part of one.
pub(crate) fn devices(number: f64) -> Result<(u32, u16), String> {
    let milli = scaled_float(number, 1e3, (DEVICES_MAX * 1_000, "devices"))?;
    match (milli / 1_000, milli % 1_000) {
        (0, 0) if number > 0.0 => Err(format!("{number} is less than a thousandth of a device")),
        (whole, 0) => Ok((u32::try_from(whole).unwrap_or(u32::MAX), 1_000)),
        (0, part) => Ok((1, u16::try_from(part).unwrap_or(1_000))),
        _ => Err(format!("{number} devices are neither whole ones nor a part of one")),
    }
}

/// A decimal number as text.
pub(crate) fn decimal(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("`{}` is not a number", short(text)))
}

/// A whole number as text, up to a bound.
pub(crate) fn whole(text: &str, max: u64) -> Result<u64, String> {
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(number) if number <= max => Ok(number),
        Ok(number) => Err(format!("{number} is more than {max}")),
        Err(_) => Err(format!("`{}` is not a whole number", short(text))),
    }
}

/// Thousandths of a CPU, as in workflow files: `1`, `0.5`, `500m`.
pub(crate) fn cpu_milli(text: &str) -> Result<u64, String> {
    let milli = quantity::cpu_milli(text).filter(|&milli| milli <= CORES_MAX * 1_000);
    milli.ok_or_else(|| {
        format!("`{}` is not a number of CPUs such as 4, 0.5 or 500m", short(text.trim()))
    })
}

/// Bytes, as in workflow files: `512Mi`, `1G`, `1.5Gi`, `1048576`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text).filter(|&bytes| bytes <= BYTES_MAX);
    let told = || format!("`{}` is not an amount of memory such as 64Gi", short(text.trim()));
    bytes.ok_or_else(told)
}

/// The beginning of a text that is told as it stands, on one line.
pub(crate) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let shown = |sign: char| if sign.is_control() { '\u{fffd}' } else { sign };
    let mut short: String = text.chars().take(CHARS_MAX).map(shown).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_microseconds() {
        assert_eq!([0.0, 205.431, 1e-7, 0.1].map(micros), [0, 205_431_000, 0, 100_000].map(Ok));
        for bad in [f64::NAN, f64::INFINITY, -1.0, -1e-9, 1e300] {
            assert!(micros(bad).is_err(), "{bad}");
        }
        assert_eq!(micros(-2.5).unwrap_err(), "-2.5 seconds are less than none");
        assert_eq!(
            decimal("NaN").map(micros).unwrap(),
            Err("NaN is not a number of seconds".into())
        );
    }

    #[test]
    fn devices_are_whole_or_a_part_of_one() {
        let good = [0.0, 1.0, 8.0, 0.46, 0.001];
        let read = good.map(|number| devices(number).unwrap());
        assert_eq!(read, [(0, 1_000), (1, 1_000), (8, 1_000), (1, 460), (1, 1)]);
        for bad in [1.5, -1.0, f64::NAN, 1e12, 0.0001] {
            assert!(devices(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_have_bounds() {
        assert_eq!((cpu_milli(" 2.25 "), bytes("16 GiB")), (Ok(2_250), Ok(16 << 30)));
        assert!(cpu_milli("9999999999").is_err() && bytes("2000Pi").is_err());
        assert!(whole("7", 7).is_ok() && whole("8", 7).is_err() && whole("-1", 7).is_err());
    }
}
