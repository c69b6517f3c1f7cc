//! Where attempts may go: labels and taints of workers, and what tasks ask of them.
//!
//! What a worker is told apart by is its [`Site`]; what a task asks of it are its [`Constraints`].
//! Whether one admits the other is said here, once for whoever checks, plans and explains. Nothing
//! here chooses a worker.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::{format, vec::Vec};
use core::fmt;

use crate::limits::LABEL_BYTES_MAX;

/// What a worker is told apart by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// Labels with their values, sorted by key, each key once.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// Taints, sorted, each once: only who tolerates all of them may come here.
    pub taints: Box<[Box<str>]>,
}

impl Site {
    /// A site of these labels and taints, whatever their order. Of two labels of one key the last
    /// one counts.
    #[must_use]
    pub fn new(
        labels: impl IntoIterator<Item = (Box<str>, Box<str>)>,
        taints: impl IntoIterator<Item = Box<str>>,
    ) -> Self {
        let labels: alloc::collections::BTreeMap<_, _> = labels.into_iter().collect();
        let taints: alloc::collections::BTreeSet<_> = taints.into_iter().collect();
        Self { labels: labels.into_iter().collect(), taints: taints.into_iter().collect() }
    }

    /// The value of a label, if the worker has it.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        Some(&self.labels[at].1)
    }
}

/// A label that has to have one of some values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// The key.
    pub key: Box<str>,
    /// The values, sorted, each once, at least one.
    pub values: Box<[Box<str>]>,
}

impl Selector {
    /// Whether a worker has one of the values.
    #[must_use]
    pub fn matches(&self, site: &Site) -> bool {
        let has = |value: &str| self.values.iter().any(|known| **known == *value);
        site.label(&self.key).is_some_and(has)
    }
}

/// As a person says it: `disk=ssd`, `disk=nvme or ssd`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.values.join(" or "))
    }
}

/// What workers are grouped by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// Each worker for itself.
    Node,
    /// Workers with one value of a label are one group, and so are those without the label.
    Label(Box<str>),
}

/// The label that every worker has by itself: its name.
pub const HOSTNAME: &str = "hostname";

/// The name of one of so many nodes of a kind, counted from 0. One alone is called as its kind.
#[must_use]
pub fn node_name(kind: &str, count: u32, number: u32) -> String {
    match count {
        1 => kind.into(),
        _ => format!("{kind}-{}", u64::from(number) + 1),
    }
}

/// The word that stands for [`Domain::Node`], and can be the key of no label.
pub const NODE: &str = "node";

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => NODE,
            Self::Label(key) => key,
        })
    }
}

/// What a task asks of the workers that its attempts go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Constraints {
    /// What each worker has to have; sorted by key, each key once.
    pub select: Box<[Selector]>,
    /// What is liked, and given up where a worker ends the attempt sooner; sorted likewise.
    pub prefer: Box<[Selector]>,
    /// The taints that do not matter; sorted, each once.
    pub tolerate: Box<[Box<str>]>,
    /// Items go where the fewest of their task are.
    pub spread: Option<Domain>,
    /// Items go where others of their task are, as long as there are any.
    pub together: Option<Domain>,
}

/// What a worker lacks for the constraints of a task, or has too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It does not have one of the values of a label.
    Label(Selector),
    /// It has a taint that is not tolerated.
    Taint(Box<str>),
}

/// As something that is said of a worker: `lacks disk=ssd`, ``has the taint `reserved` ``.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(selector) => write!(f, "lacks {selector}"),
            Self::Taint(name) => write!(f, "has the taint `{name}`"),
        }
    }
}

impl Constraints {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What keeps attempts from a worker, if anything does.
    #[must_use]
    pub fn obstacle(&self, site: &Site) -> Option<Obstacle> {
        let lacked = self.select.iter().find(|selector| !selector.matches(site));
        let label = lacked.map(|selector| Obstacle::Label(selector.clone()));
        label.or_else(|| {
            let mut taints = site.taints.iter();
            let taint = taints.find(|taint| self.tolerate.binary_search(taint).is_err());
            taint.map(|taint| Obstacle::Taint(taint.clone()))
        })
    }

    /// Whether attempts may go to a worker.
    #[must_use]
    pub fn admits(&self, site: &Site) -> bool {
        self.select.iter().all(|selector| selector.matches(site))
            && site.taints.iter().all(|taint| self.tolerate.binary_search(taint).is_ok())
    }

    /// How much of what is liked a worker does not have.
    #[must_use]
    pub fn unmet(&self, site: &Site) -> usize {
        self.prefer.iter().filter(|selector| !selector.matches(site)).count()
    }

    /// The keys of labels that are named.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let selectors = self.select.iter().chain(&self.prefer).map(|selector| &*selector.key);
        let domains = self.spread.iter().chain(&self.together);
        selectors.chain(domains.filter_map(|domain| match domain {
            Domain::Node => None,
            Domain::Label(key) => Some(&**key),
        }))
    }
}

/// Whether something can be the key of a label.
///
/// # Errors
/// Why it cannot, for people.
pub fn check_key(key: &str) -> Result<(), String> {
    if key == NODE {
        return Err(format!("`{NODE}` stands for the node itself, and is the key of no label"));
    }
    check_word(key, "the key of a label")
}

/// Whether something can be the name of a taint.
///
/// # Errors
/// Why it cannot, for people.
pub fn check_taint(name: &str) -> Result<(), String> {
    check_word(name, "a taint")
}

/// Whether something can be the value of a label.
///
/// # Errors
/// Why it cannot, for people.
pub fn check_value(value: &str) -> Result<(), String> {
    check_word(value, "the value of a label")
}

fn check_word(word: &str, what: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if word.is_empty() || word.len() > LABEL_BYTES_MAX || !word.chars().all(is_allowed) {
        let shown: Vec<char> = word.chars().take(60).collect();
        let shown: String = shown.iter().collect();
        return Err(format!(
            "`{}` cannot be {what}: use 1 to {LABEL_BYTES_MAX} letters, digits, `_`, `-`, `.` and \
             `/`",
            shown.escape_debug()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn selector(key: &str, values: &[&str]) -> Selector {
        let values = values.iter().map(|&value| value.into()).collect();
        Selector { key: key.into(), values }
    }

    fn site(labels: &[(&str, &str)], taints: &[&str]) -> Site {
        let labels = labels.iter().map(|&(key, value)| (key.into(), value.into()));
        Site::new(labels, taints.iter().map(|&taint| taint.into()))
    }

    #[test]
    fn every_key_needs_one_of_its_values_and_every_taint_is_tolerated() {
        let asked = Constraints {
            select: [selector("disk", &["nvme", "ssd"]), selector("zone", &["a"])].into(),
            tolerate: ["reserved".into()].into(),
            ..Constraints::default()
        };
        let disk = Some(Obstacle::Label(selector("disk", &["nvme", "ssd"])));
        let taint = Some(Obstacle::Taint("spot".into()));
        let both = [("zone", "a"), ("disk", "ssd")];
        for (there, obstacle) in [
            (site(&both, &[]), None),
            (site(&both, &["reserved"]), None),
            (site(&both, &["spot", "reserved"]), taint),
            (site(&[("zone", "a"), ("disk", "hdd")], &[]), disk.clone()),
            (site(&[], &["spot"]), disk),
        ] {
            assert_eq!(asked.admits(&there), obstacle.is_none(), "{there:?}");
            assert_eq!(asked.obstacle(&there), obstacle, "{there:?}");
        }
        assert!(!Constraints::default().admits(&site(&[], &["spot"])));
    }

    #[test]
    fn what_is_liked_and_missing_is_counted() {
        let prefer = [selector("disk", &["ssd"]), selector("zone", &["a", "b"])].into();
        let asked = Constraints { prefer, ..Constraints::default() };
        assert_eq!(asked.unmet(&site(&[], &[])), 2);
        assert_eq!(asked.unmet(&site(&[("zone", "b")], &[])), 1);
        assert_eq!(asked.unmet(&site(&[("zone", "b"), ("disk", "ssd")], &[])), 0);
    }

    #[test]
    fn words_have_a_length_and_an_alphabet() {
        assert!(check_key("topology.example.org/zone").is_ok() && check_value("a-1").is_ok());
        assert!(check_key("node").expect_err("reserved").contains("the node itself"));
        assert!(check_value("node").is_ok());
        for bad in ["", "a b", "a=b", "ä", &"x".repeat(LABEL_BYTES_MAX + 1)] {
            assert!(check_key(bad).is_err() && check_value(bad).is_err(), "{bad}");
            assert!(check_taint(bad).is_err(), "{bad}");
        }
        assert_eq!(selector("disk", &["nvme", "ssd"]).to_string(), "disk=nvme or ssd");
    }
}
