//! What a run of the example has come to: its files, held against what was recorded and against
//! chance. What it measures of itself is measured here once more, by other code.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::binary::Home;

/// How far a number of a vector may be from itself, embedded beside other texts.
const VECTOR_TOLERANCE: f64 = 1e-3;
/// How many times as much as by chance the groups say of the fields, at least.
const INFORMATION_TIMES_MIN: f64 = 8.0;
/// How many more documents than by chance are in a group of their own field, at least.
const PURITY_GAIN_MIN: f64 = 0.15;

/// A run that has succeeded.
pub(crate) struct Outcome {
    folder: PathBuf,
    /// Where the vector of each document is: a file, and a row of it.
    places: Vec<(String, usize)>,
    groups: Vec<Value>,
    names: Vec<String>,
    judged: Value,
}

impl Outcome {
    /// Of the last run; the example stands in this folder.
    pub(crate) fn read(home: &Home, folder: PathBuf) -> Self {
        let outputs = |task: &str| {
            let answer = home.json(&["get", "last", task, "--limit", "2000"]);
            let items = answer["items"].as_array().expect("a list").iter();
            items.map(|item| item["outputs"].clone()).collect::<Vec<_>>()
        };
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let place = |it: &Value| (text(&it["file"]), it["row"].as_u64().expect("a row") as usize);
        Self {
            folder,
            places: outputs("embed").iter().map(place).collect(),
            groups: outputs("cluster")[0]["groups"].as_array().expect("a list").clone(),
            names: outputs("name").iter().map(|it| text(&it["json"]["name"])).collect(),
            judged: outputs("evaluate").remove(0),
        }
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join("out").join(name)).expect("it was written")
    }

    /// The group that a prompt asks for a name of.
    pub(crate) fn group_of(&self, prompt: &str) -> u64 {
        let has_all = |group: &&Value| {
            let samples = group["samples"].as_array().expect("a list").iter();
            let lines = samples.map(|it| format!("- {}\n", it.as_str().expect("a text")));
            prompt.contains(lines.collect::<String>().trim_end())
        };
        let group = self.groups.iter().find(has_all).unwrap_or_else(|| panic!("whose: {prompt}"));
        group["number"].as_u64().expect("a number")
    }

    /// The report names each group, and shows a map with each document.
    pub(crate) fn check_report(&self, documents: usize) {
        let (report, map) = (self.file("report.md"), self.file("map.svg"));
        assert_eq!(self.names.len(), self.groups.len());
        for (group, name) in self.groups.iter().zip(&self.names) {
            assert!(!name.is_empty() && name.chars().count() <= 60, "it fits its schema: {name:?}");
            let row = format!("| {} | {} | {} |", group["number"], cell(name), group["size"]);
            assert!(report.contains(&row), "no {row} in {report}");
        }
        let sizes = self.groups.iter().filter_map(|group| group["size"].as_u64());
        assert_eq!(sizes.sum::<u64>() as usize, documents);
        assert!(report.contains("](map.svg)"), "it shows the map: {report}");
        assert!(map.starts_with("<svg"));
        assert_eq!(map.matches("<circle").count(), documents);
    }

    /// The groups say of the fields what they are said to, and much more than by chance.
    pub(crate) fn check_groups(&self) -> String {
        let documents = lines(&self.file("clusters.jsonl"));
        let field = |it: &Value| it["field"].as_str().expect("a text").to_owned();
        let group = |it: &Value| it["group"].as_u64().expect("a number");
        let pairs: Vec<_> = documents.iter().map(|it| (group(it), field(it))).collect();
        // They are in no order: the field of the next one is any field.
        let next = documents.iter().cycle().skip(1);
        let chance: Vec<_> =
            documents.iter().zip(next).map(|(a, b)| (group(a), field(b))).collect();
        let (information, purity) = (information(&pairs), purity(&pairs));
        for (key, value) in [("information", information), ("purity", purity)] {
            let said = self.judged[key].as_f64().expect("a number");
            assert!((said - value).abs() < 1e-3, "{key} is {value}, and {said} is said");
        }
        let by_chance = (self::information(&chance), self::purity(&chance));
        let told = format!(
            "information {information:.3}, {:.3} by chance; purity {purity:.3}, {:.3} by chance",
            by_chance.0, by_chance.1
        );
        assert!(information > by_chance.0 * INFORMATION_TIMES_MIN, "{told}");
        assert!(purity > by_chance.1 + PURITY_GAIN_MIN, "{told}");
        told
    }

    /// Documents are the same as in another run, and so are their vectors.
    pub(crate) fn check_same(&self, other: &Self) {
        for name in ["raw.jsonl", "clean.jsonl"] {
            assert!(self.file(name) == other.file(name), "{name} is another one");
        }
        for (item, (one, two)) in self.vectors().iter().zip(other.vectors()).enumerate() {
            let apart = one.iter().zip(&two).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(one.len() == two.len() && apart < VECTOR_TOLERANCE, "{item}: {apart} apart");
        }
    }

    /// The vector of each document.
    fn vectors(&self) -> Vec<Vec<f64>> {
        let read = |file: &str| {
            let text = fs::read_to_string(self.folder.join(file)).expect("it was written");
            let row = |line: &str| serde_json::from_str(line).expect("numbers");
            text.lines().map(row).collect::<Vec<Vec<f64>>>()
        };
        let mut files = HashMap::new();
        for (file, _) in &self.places {
            files.entry(file).or_insert_with(|| read(file));
        }
        self.places.iter().map(|(file, row)| files[file][*row].clone()).collect()
    }
}

/// The values of JSON lines.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A text as a cell of the report.
fn cell(text: &str) -> String {
    let escapes = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#x27;"),
        ("|", "\\|"),
    ];
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    escapes.iter().fold(plain, |text, (sign, escaped)| text.replace(sign, escaped))
}

type Pair = (u64, String);

/// How often each value is there.
fn counts<T: std::hash::Hash + Eq>(values: impl Iterator<Item = T>) -> HashMap<T, f64> {
    let mut counts = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1.0);
    counts
}

/// The share of pairs that have the most common field of their group.
fn purity(pairs: &[Pair]) -> f64 {
    let mut most: HashMap<u64, f64> = HashMap::new();
    for ((group, _), count) in counts(pairs.iter().cloned()) {
        let known = most.entry(group).or_default();
        *known = known.max(count);
    }
    most.values().sum::<f64>() / pairs.len() as f64
}

/// Normalised mutual information, by the entropies of both and of the pairs.
fn information(pairs: &[Pair]) -> f64 {
    let entropy = |counts: Vec<f64>| -> f64 {
        let shares = counts.iter().map(|count| count / pairs.len() as f64);
        -shares.map(|share| share * share.ln()).sum::<f64>()
    };
    let groups = entropy(counts(pairs.iter().map(|pair| pair.0)).into_values().collect());
    let fields = entropy(counts(pairs.iter().map(|pair| &pair.1)).into_values().collect());
    let both = entropy(counts(pairs.iter()).into_values().collect());
    (groups + fields - both) / (groups * fields).sqrt()
}
