//! Times and lengths of time as they are sent: RFC 3339 in UTC, and seconds.

use std::fmt;
use std::str::FromStr;

use model::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, sent as `2026-11-20T18:36:51.000250Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

/// A length of time, sent as a number of seconds with up to six decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Span);

const MICROS: u64 = 1_000_000;
const DAY_SECONDS: u64 = 86_400;
/// Days from 1 March 0000 to 1 January 1970, in the Gregorian calendar.
const EPOCH_DAY: u64 = 719_468;
/// Days in 400 years: the calendar repeats after them.
const ERA_DAYS: u64 = 146_097;

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl From<Span> for Seconds {
    fn from(span: Span) -> Self {
        Self(span)
    }
}

impl Time {
    /// Year, month and day, in UTC. Years are counted from March, so that a leap day is the last
    /// day of its year and needs no special case.
    #[must_use]
    pub const fn date(self) -> (u64, u64, u64) {
        let days = self.0.0 / MICROS / DAY_SECONDS + EPOCH_DAY;
        let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        (era * 400 + year + carry, month, day)
    }

    /// Hours, minutes and seconds of the day, in UTC.
    #[must_use]
    pub const fn clock(self) -> (u64, u64, u64) {
        let second = self.0.0 / MICROS % DAY_SECONDS;
        (second / 3_600, second / 60 % 60, second % 60)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        let micros = self.0.0 % MICROS;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl FromStr for Time {
    type Err = &'static str;

    /// Reads what [`Time`] writes: UTC, `Z`, at most six decimals.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or("not a time in UTC such as 2026-11-20T18:36:51Z")
    }
}

fn parse(text: &str) -> Option<Time> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, decimals) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range || decimals.len() > 6 {
        return None;
    }
    let micros: u64 = format!("{decimals:0<6}").parse().ok()?;

    let (month, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let of_era = year % 400;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    let days = year / 400 * ERA_DAYS + day_of_era - EPOCH_DAY;
    let seconds = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
    Some(Time(Timestamp(seconds * MICROS + micros)))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.splitn(3, separator).map(|part| {
        let is_plain = part.bytes().all(|sign| sign.is_ascii_digit());
        if is_plain { part.parse().ok() } else { None }
    });
    Some([parts.next()??, parts.next()??, parts.next()??])
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.0 as f64 / MICROS as f64)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(de::Error::custom("a length of time is not negative"));
        }
        // The conversion saturates, so no length of time is too long to read.
        Ok(Self(Span((seconds * MICROS as f64).round() as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_both_ways_on_every_day_of_a_century() {
        for day in 0..40_000_u64 {
            let time = Time(Timestamp((day * DAY_SECONDS + day % DAY_SECONDS) * MICROS + day));
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn known_days_are_right() {
        let show = |seconds: u64| Time(Timestamp(seconds * MICROS)).to_string();
        assert_eq!(show(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(show(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(show(1_795_199_811), "2026-11-20T18:36:51.000000Z");
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "Z", "2026-11-20", "2026-13-01T00:00:00Z", "2026-11-20T24:00:00Z"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        for text in ["2026-11-20T00:00:00+01:00", "2026-+1-20T00:00:00Z", "0001-01-01T00:00:00Z"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_are_seconds() {
        let text = serde_json::to_string(&Seconds(Span(1_250_001))).expect("it is a number");
        assert_eq!(text, "1.250001");
        assert_eq!(
            serde_json::from_str::<Seconds>("1.250001").ok(),
            Some(Seconds(Span(1_250_001)))
        );
        assert!(serde_json::from_str::<Seconds>("-1").is_err());
    }
}
