//! Times as people write them: `2026-11-20T18:36:51Z`, `2026-11-20`, or `10m` for ten minutes ago;
//! and places in the journal by their numbers.

use model::Timestamp;
use protocol::api::{Moment, Time};

use crate::render::now;

/// Reads a time. One that is told by how long ago it was counts from now.
pub(crate) fn time(text: &str) -> Result<Time, String> {
    time_before(now(), text)
        .ok_or_else(|| format!("`{text}` is no time such as 2026-11-20T18:36:51Z, or 10m for ago"))
}

/// Reads a time, or the number of a fact.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    let at = match text.bytes().all(|sign| sign.is_ascii_digit()) {
        true => text.parse().ok(),
        false => time_before(now(), text).map(Moment::Time),
    };
    at.ok_or_else(|| {
        format!(
            "`{text}` is neither a time such as 2026-11-20T18:36:51Z, or 10m for ago, nor the \
             number of a fact"
        )
    })
}

fn time_before(now: Time, text: &str) -> Option<Time> {
    if let Ok(time) = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()) {
        return Some(time);
    }
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    let ago = ago.strip_prefix('-').unwrap_or(ago);
    // A number alone is that of a fact, or nothing.
    let is_number = ago.bytes().all(|sign| sign.is_ascii_digit());
    let ago = spec::duration(ago).ok().filter(|_| !is_number)?;
    Some(Time(Timestamp(now.0.0.checked_sub(ago.0)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_how_long_ago() {
        let now: Time = "2026-11-20T18:36:51Z".parse().expect("a time");
        let told = |text| time_before(now, text).map(|time| time.to_string());
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(told("2026-11-19T01:02:03Z"), is("2026-11-19T01:02:03.000000Z"));
        assert_eq!(told("2026-11-19"), is("2026-11-19T00:00:00.000000Z"));
        for text in ["10m", "10m ago", "-10m"] {
            assert_eq!(told(text), is("2026-11-20T18:26:51.000000Z"), "{text}");
        }
        assert_eq!(told("7d"), is("2026-11-13T18:36:51.000000Z"));
        for bad in ["", "10", "ago", "m", "-", "2026-13-01", "99999999d"] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_moment_may_be_a_fact() {
        assert_eq!(moment("812").map(|it| it.to_string()), Ok("812".to_owned()));
        assert!(matches!(moment("10m"), Ok(Moment::Time(_))));
        assert!(moment("last week").is_err_and(|told| told.contains("the number of a fact")));
    }
}
