//! Points in time as files and outputs write them: RFC 3339, or seconds since 1970.

use model::Timestamp;

/// Reads `2030-01-31T08:00:00Z`, with fractions or an offset such as `+02:00`.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    read(text.trim()).ok_or_else(|| {
        let short: String = text.chars().take(60).collect();
        format!("`{short}` is not a time such as `2030-01-31T08:00:00Z`")
    })
}

/// Seconds since 1970, rounded to microseconds.
pub(crate) fn from_seconds(seconds: f64) -> Option<Timestamp> {
    const LATEST: f64 = 253_402_300_800.0; // The year 10,000.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
    (0.0..LATEST).contains(&seconds).then(|| Timestamp((seconds * 1e6).round() as u64))
}

fn read(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
            (&rest[..digits], &rest[digits..])
        }
        None => ("0", rest),
    };
    let offset_minutes = match zone {
        "Z" | "z" => 0,
        _ => {
            let (sign, zone) = zone.split_at_checked(1)?;
            let [hours, minutes] = fields(zone, ':', [2, 2])?;
            let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
            match sign {
                "+" => minutes,
                "-" => -minutes,
                _ => return None,
            }
        }
    };
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && !fraction.is_empty();
    let days = in_range.then(|| days_since_1970(year, month, day))?;
    let seconds = days * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
    let micros = format!("{:0<6.6}", fraction).parse::<u64>().ok()?;
    Some(Timestamp(u64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(micros)?))
}

/// Numbers of fixed widths with a sign between them.
fn fields<const N: usize>(text: &str, sign: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(sign);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Whole days from 1 January 1970, by counting years and months.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let before_year = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let before_month: i64 = (1..month).map(|month| days_in(year, month)).sum();
    before_year + before_month + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let seconds = |text: &str| parse(text).map(|at| at.0 / 1_000_000);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(seconds("2000-02-29T12:00:00+02:00"), Ok(951_818_400));
        assert_eq!(seconds("2024-12-31 23:59:59-00:30"), Ok(1_735_691_399));
        assert_eq!(seconds("2100-03-01T00:00:00Z"), Ok(4_107_542_400));
        assert_eq!(parse("1970-01-01T00:00:00.25Z"), Ok(Timestamp(250_000)));
        assert_eq!(from_seconds(1.5), Some(Timestamp(1_500_000)));
    }

    #[test]
    fn what_is_no_time_is_told() {
        for text in [
            "",
            "tomorrow",
            "2030-01-31",
            "2030-02-30T00:00:00Z",
            "2030-01-31T25:00:00Z",
            "2030-01-31T08:00:00",
            "2030-01-31T08:00:00.Z",
            "1960-01-01T00:00:00Z",
            "2030-1-31T08:00:00Z",
            "２０３０-01-31T08:00:00Z",
            "2030-01-31T08:00:00+2:00",
            "2030-01-31T08:00:00Zx",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(from_seconds(f64::NAN), None);
        assert_eq!(from_seconds(-1.0), None);
    }
}
