//! What is asked of a simulation on the command line: `poisson:0.8`, `noise:1`, `train=2h`.

use std::fmt;

use whatif::Coming;

/// What is expected of tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Estimates {
    Recorded,
    Exact,
    Kind,
    Noise(f64),
    Nothing,
}

impl Estimates {
    /// What the reader of a workload is to do.
    pub(super) const fn of_reader(self) -> workload::Estimates {
        match self {
            Self::Recorded => workload::Estimates::Recorded,
            Self::Exact | Self::Noise(_) => workload::Estimates::Exact,
            Self::Kind => workload::Estimates::Mean,
            Self::Nothing => workload::Estimates::None,
        }
    }

    /// How wrong expectations are.
    pub(super) const fn noise(self) -> Option<f64> {
        match self {
            Self::Noise(sigma) => Some(sigma),
            _ => None,
        }
    }
}

impl fmt::Display for Estimates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded => f.write_str("recorded"),
            Self::Exact => f.write_str("exact"),
            Self::Kind => f.write_str("kind"),
            Self::Noise(sigma) => write!(f, "noise:{sigma}"),
            Self::Nothing => f.write_str("none"),
        }
    }
}

/// Reads when jobs come.
pub(super) fn coming(text: &str) -> Result<Coming, String> {
    const TAKES: &str = "recorded, poisson:LOAD such as poisson:0.8, or closed:JOBS";
    let jobs = |text: &str| text.parse::<u32>().ok().filter(|&jobs| jobs > 0);
    let read = match text.split_once(':') {
        None if text == "recorded" => Some(Coming::Recorded),
        Some(("poisson", load)) => number(load, 1e-3, 1e3).map(Coming::Poisson),
        Some(("closed", count)) => jobs(count).map(Coming::Closed),
        _ => None,
    };
    read.ok_or_else(|| format!("`{text}` is none of: {TAKES}"))
}

/// Reads what is expected of tasks.
pub(super) fn estimates(text: &str) -> Result<Estimates, String> {
    const TAKES: &str = "recorded, exact, kind, noise:SIGMA such as noise:1, or none";
    let read = match text.split_once(':') {
        Some(("noise", sigma)) => number(sigma, 0.0, 10.0).map(Estimates::Noise),
        Some(_) => None,
        None => match text {
            "recorded" => Some(Estimates::Recorded),
            "exact" => Some(Estimates::Exact),
            "kind" => Some(Estimates::Kind),
            "none" => Some(Estimates::Nothing),
            _ => None,
        },
    };
    read.ok_or_else(|| format!("`{text}` is none of: {TAKES}"))
}

/// Reads the part of attempts that fail.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.0, 0.9).ok_or_else(|| format!("`{text}` is no part from 0 to 0.9, such as 0.05"))
}

fn number(text: &str, least: f64, most: f64) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| (least..=most).contains(number))
}

/// Reads how long a task takes, in microseconds: `train=2h`.
pub(super) fn duration(text: &str) -> Result<(String, u64), String> {
    let read = || {
        let (name, time) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        let us = spec::duration(time).ok()?.0;
        let most = workload::limits::SECONDS_MAX * 1_000_000;
        (us > 0 && us <= most).then(|| (name.to_owned(), us))
    };
    read().ok_or_else(|| format!("`{text}` is not TASK=TIME, such as train=90s or train=1.5h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read() {
        assert_eq!(coming("recorded"), Ok(Coming::Recorded));
        assert_eq!(coming("poisson:0.8"), Ok(Coming::Poisson(0.8)));
        assert_eq!(coming("closed:64"), Ok(Coming::Closed(64)));
        assert_eq!(estimates("noise:1"), Ok(Estimates::Noise(1.0)));
        assert_eq!(estimates("kind").map(|it| it.to_string()), Ok("kind".to_owned()));
        assert_eq!(rate("0.05"), Ok(0.05));
        assert_eq!(duration("a=b"), Err(duration("a=b").expect_err("no time")));
        assert_eq!(duration("train=1.5h"), Ok(("train".to_owned(), 5_400_000_000)));
        assert_eq!(duration("t=20ms"), Ok(("t".to_owned(), 20_000)));
    }

    #[test]
    fn what_cannot_be_is_told() {
        for bad in ["", "closed", "closed:0", "poisson:-1", "poisson:NaN", "open"] {
            assert!(coming(bad).expect_err("bad").contains("none of: recorded"), "{bad}");
        }
        assert!(estimates("noise").is_err() && estimates("noise:inf").is_err());
        assert!(rate("1").is_err() && rate("x").is_err());
        assert!(["t", "=1s", "t=0s", "t=x", "t=-1s"].into_iter().all(|bad| duration(bad).is_err()));
    }
}
