//! Amounts as people write them: `4` or `500m` cores, `16Gi` of memory, `license=2`.

use std::collections::BTreeMap;

use model::site::{check_key, check_taint, check_value};
use model::{Request, Site};

/// Reads cores as thousandths: `4`, `0.5`, `500m`.
pub(crate) fn cpu_milli(text: &str) -> Result<u64, String> {
    let milli = match text.strip_suffix('m') {
        Some(milli) => milli.parse().ok(),
        None => decimal(text, 1_000),
    };
    match milli {
        Some(milli) if milli > 0 => Ok(milli),
        _ => Err(format!("`{text}` is no number of cores such as 4, 0.5 or 500m")),
    }
}

/// Reads memory as bytes: `16Gi`, `500M`, `1073741824`.
pub(crate) fn memory_bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let unit = UNITS.iter().find_map(|&(name, bytes)| Some((text.strip_suffix(name)?, bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    match decimal(number, bytes) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(format!("`{text}` is no amount of memory such as 16Gi, 500M or 1073741824")),
    }
}

/// Reads a factor as millionths: `0.01`, `2`; at least a millionth and at most a million.
pub(crate) fn millionths(text: &str) -> Result<u64, String> {
    match decimal(text, 1_000_000) {
        Some(factor @ 1..=1_000_000_000_000) => Ok(factor),
        _ => Err(format!("`{text}` is no factor such as 1 or 0.01, from 0.000001 to 1000000")),
    }
}

/// Reads one custom amount: `license=2`.
pub(crate) fn resource(text: &str) -> Result<(String, u64), String> {
    let read = || {
        let (name, amount) = text.split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|sign| !sign.is_whitespace());
        Some((name.to_owned(), amount.parse().ok()?)).filter(|_| is_name)
    };
    match read() {
        Some((name, _)) if name == "cpu" || name == "memory" => {
            Err(format!("`{name}` has an option of its own: --{name}"))
        }
        Some(pair) => Ok(pair),
        None => Err(format!("`{text}` is not NAME=AMOUNT, such as license=2")),
    }
}

/// Reads a label of the machine: `zone=a`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(format!("`{text}` is not KEY=VALUE, such as zone=a"));
    };
    check_key(key)?;
    check_value(value)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads a taint of the machine.
pub(crate) fn taint(text: &str) -> Result<String, String> {
    check_taint(text).map(|()| text.to_owned())
}

/// How much of something is kept: all, or so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    All,
    Of(u64),
}

impl Limit {
    /// The number, if it is one.
    pub(crate) const fn number(self) -> Option<u64> {
        match self {
            Self::All => None,
            Self::Of(number) => Some(number),
        }
    }
}

/// Reads how much is kept: `100`, `all`.
pub(crate) fn limit(text: &str) -> Result<Limit, String> {
    match text.parse() {
        _ if text == "all" => Ok(Limit::All),
        Ok(number) if number > 0 => Ok(Limit::Of(number)),
        _ => Err(format!("`{text}` is neither a whole number from 1 nor `all`")),
    }
}

/// Reads how many days are kept: `30`, `all`; at most a hundred years.
pub(crate) fn days(text: &str) -> Result<Limit, String> {
    const DAYS_MAX: u64 = 36_525;
    match limit(text)? {
        Limit::Of(days) if days > DAYS_MAX => Err(format!("{days} days are more than {DAYS_MAX}")),
        limit => Ok(limit),
    }
}

/// What files call devices, and so do the settings.
pub(crate) const GPU: &str = "gpu";

/// What the settings say that tasks are offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Amounts. Custom ones are sorted, each once, none of zero.
    pub amounts: Request,
    /// How many GPUs, if that is said; 0 hides those that are there.
    pub gpus: Option<u64>,
    /// What the machine is told apart by, beside what it says itself.
    pub site: Site,
}

/// What is declared by these amounts.
pub(crate) fn declared(cpu: u64, memory: u64, custom: BTreeMap<String, u64>) -> Declared {
    let gpus = custom.get(GPU).copied();
    let there = custom.into_iter().filter(|&(_, amount)| amount > 0);
    let amounts = Request {
        cpu_milli: cpu,
        memory_bytes: memory,
        custom: there.map(|(name, amount)| (name.into(), amount)).collect(),
        ..Request::default()
    };
    Declared { amounts, gpus, site: Site::default() }
}

/// Reads a plain decimal number times `scale`, without ever passing through a float.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|sign| sign.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(part) || part.len() > 9 {
        return None;
    }
    let part_scale = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let part: u64 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let part = u128::from(part) * u128::from(scale) / u128::from(part_scale);
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(u64::try_from(part).ok()?)
}

/// Cores and memory of this machine, as far as this process may use them.
pub(crate) fn of_this_machine() -> (u64, u64) {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let system = rustix::system::sysinfo();
    let installed = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit));
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    (cores * 1_000, installed.min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(cpu_milli("4"), Ok(4_000));
        assert_eq!(cpu_milli("0.5"), Ok(500));
        assert_eq!(cpu_milli("250m"), Ok(250));
        assert_eq!(memory_bytes("16Gi"), Ok(16 << 30));
        assert_eq!(memory_bytes("1.5G"), Ok(1_500_000_000));
        assert_eq!(memory_bytes("42"), Ok(42));
        assert_eq!(resource("license=2"), Ok(("license".to_owned(), 2)));
    }

    #[test]
    fn factors_are_millionths() {
        assert_eq!(["1", "0.01", "0.000001"].map(millionths), [1_000_000, 10_000, 1].map(Ok));
        for text in ["", "0", "-1", "1e-3", "0.0000001", "1000001", "NaN"] {
            assert!(millionths(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "m", "-1", "0", "1e3", "x", "1.", "99999999999999999999"] {
            assert!(cpu_milli(text).is_err() || text == "1.", "{text}");
        }
        for text in ["", "Gi", "1 Gi", "-1", "99999999999999999999Ti", "1.0000000001G"] {
            assert!(memory_bytes(text).is_err(), "{text}");
        }
        for text in ["", "license", "=1", "a b=1", "license=x", "cpu=1", "license=-1"] {
            assert!(resource(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_declared_is_sorted_and_has_no_zeros() {
        let custom = [("z", 1), ("a", 2), ("m", 0)].map(|(name, n)| (name.to_owned(), n));
        let Declared { amounts, gpus, .. } = declared(1, 2, custom.into());
        let names: Vec<_> = amounts.custom.iter().map(|(name, _)| &**name).collect();
        assert_eq!((names, gpus), (vec!["a", "z"], None));
        let none = declared(1, 2, [(GPU.to_owned(), 0)].into());
        assert_eq!((none.amounts.custom.len(), none.gpus), (0, Some(0)));
    }

    #[test]
    fn labels_are_pairs_of_words() {
        assert_eq!(label("zone=a"), Ok(("zone".to_owned(), "a".to_owned())));
        for bad in ["zone", "zone=", "=a", "node=a", "a b=c", "a=b=c"] {
            assert!(label(bad).is_err(), "{bad}");
        }
        assert!(taint("reserved").is_ok() && taint("a=b").is_err());
    }

    #[test]
    fn the_machine_has_something() {
        let (cpu, memory) = of_this_machine();
        assert!(cpu >= 1_000 && memory > 1 << 20);
    }

    #[test]
    fn what_is_kept_is_a_number_or_all() {
        assert_eq!((limit("7"), limit("all")), (Ok(Limit::Of(7)), Ok(Limit::All)));
        for bad in ["0", "-1", "none", ""] {
            assert!(limit(bad).is_err(), "{bad}");
        }
        assert_eq!((days("36525"), days("36526").is_err()), (Ok(Limit::Of(36_525)), true));
    }
}
