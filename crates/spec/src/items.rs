//! The items of a fan-out: where they come from, and what they are.
//!
//! Ranges and matrices are kept as what they are made of: a million items cost a few bytes.

use minijinja::Environment;
use minijinja::value::Value;
use model::ItemId;
use model::limits::{GANG_MEMBERS_MAX, ITEMS_PER_TASK_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::expression::{evaluate, to_json};
use crate::limits::{LATE_ITEMS_DEFAULT, VALUE_BYTES_MAX};
use crate::template::{Templates, is_template};

/// The items of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Items {
    /// The task is no fan-out, or its items are not known yet.
    #[default]
    Single,
    /// One item a value.
    Values(Vec<Json>),
    /// One item a whole number from `first`.
    Range {
        /// The first number.
        first: i64,
        /// How many.
        count: u32,
        /// From each number to the next.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        step: i64,
    },
    /// One item a combination of values.
    Matrix(Box<Matrix>),
}

const fn one() -> i64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
const fn is_one(step: &i64) -> bool {
    *step == 1
}

/// All combinations of the values of some names, the last name changing fastest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Matrix {
    axes: Vec<(Box<str>, Vec<Json>)>,
    /// The numbers of the combinations that are left; nothing if all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Vec<u32>>,
    /// Items beside the combinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    include: Vec<Json>,
}

impl Items {
    pub(crate) fn is_single(&self) -> bool {
        matches!(self, Self::Single)
    }

    /// How many; nothing if the task is no fan-out.
    pub(crate) fn count(&self) -> Option<u32> {
        match self {
            Self::Single => None,
            Self::Values(values) => u32::try_from(values.len()).ok(),
            Self::Range { count, .. } => Some(*count),
            Self::Matrix(matrix) => u32::try_from(matrix.count()).ok(),
        }
    }

    /// The value of an item.
    pub(crate) fn value(&self, item: ItemId) -> Option<Json> {
        match self {
            Self::Single => None,
            Self::Values(values) => values.get(item.0 as usize).cloned(),
            Self::Range { first, count, step } => (item.0 < *count)
                .then(|| Json::from(first.saturating_add(step.saturating_mul(item.0.into())))),
            Self::Matrix(matrix) => matrix.value(item.0 as usize),
        }
    }

    /// How many there are when so many values make one item.
    pub(crate) fn batches(&self, batch: Option<u32>) -> Option<u32> {
        self.count().map(|count| batch.map_or(count, |batch| count.div_ceil(batch)))
    }

    /// The value of an item when so many values make one.
    pub(crate) fn batch_value(&self, item: ItemId, batch: Option<u32>) -> Option<Json> {
        let Some(batch) = batch else { return self.value(item) };
        let first = item.0.checked_mul(batch)?;
        let end = first.saturating_add(batch).min(self.count()?);
        (first < end).then(|| (first..end).filter_map(|item| self.value(ItemId(item))).collect())
    }
}

impl Matrix {
    fn combinations(&self) -> u64 {
        let product =
            |count: u64, axis: &(Box<str>, Vec<Json>)| count.saturating_mul(axis.1.len() as u64);
        self.axes.iter().fold(1, product)
    }

    fn count(&self) -> u64 {
        let kept = self.kept.as_ref().map_or(self.combinations(), |kept| kept.len() as u64);
        kept.saturating_add(self.include.len() as u64)
    }

    fn value(&self, item: usize) -> Option<Json> {
        let combinations = self.combinations();
        let kept = self.kept.as_ref().map_or(combinations, |kept| kept.len() as u64) as usize;
        match item.checked_sub(kept) {
            Some(included) => self.include.get(included).cloned(),
            None => {
                let number = self.kept.as_ref().map_or(item as u64, |kept| kept[item].into());
                Some(Json::Object(self.combination(number)))
            }
        }
    }

    fn combination(&self, mut number: u64) -> Map<String, Json> {
        let mut values = Map::new();
        for (name, axis) in self.axes.iter().rev() {
            let count = axis.len() as u64;
            values.insert(name.to_string(), axis[(number % count) as usize].clone());
            number /= count;
        }
        values
    }

    /// Leaves out the combinations that agree with one of `exclude` in all that it names.
    fn exclude(&mut self, exclude: &[Json]) {
        if exclude.is_empty() {
            return;
        }
        let all = u32::try_from(self.combinations()).expect("counted before");
        let is_out = |number: &u32| {
            let values = self.combination((*number).into());
            exclude
                .iter()
                .filter_map(Json::as_object)
                .any(|pattern| pattern.iter().all(|(name, value)| values.get(name) == Some(value)))
        };
        self.kept = Some((0..all).filter(|number| !is_out(number)).collect());
    }
}

/// Where the items of a fan-out come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemsSource {
    /// These values.
    Values(Vec<Json>),
    /// What an expression gives.
    Expression(Box<str>),
    /// First, end and step: whole numbers, or templates that become some.
    Range([Box<str>; 3]),
    /// Combinations.
    Matrix {
        /// The values of each name.
        axes: Vec<(Box<str>, ItemsSource)>,
        /// Combinations that are left out.
        exclude: Vec<Json>,
        /// Items beside the combinations.
        include: Vec<Json>,
    },
    /// The numbers of the members of a gang: how many there are, as a template.
    Members(Box<str>),
    /// The lines of a file whose path is a template.
    Lines(Box<str>),
}

impl ItemsSource {
    /// Every expression and template in it.
    pub(crate) fn texts(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Values(_) => Box::new(std::iter::empty()),
            Self::Expression(text) | Self::Lines(text) | Self::Members(text) => {
                Box::new(std::iter::once(&**text))
            }
            Self::Range(bounds) => Box::new(bounds.iter().map(|bound| &**bound)),
            Self::Matrix { axes, .. } => Box::new(axes.iter().flat_map(|axis| axis.1.texts())),
        }
    }
}

/// What items are worked out with.
pub(crate) struct Workshop<'w> {
    pub templates: &'w Templates,
    pub environment: &'w Environment<'static>,
    pub context: &'w Value,
    /// How many there may be.
    pub max_items: u32,
    /// The content of a file, by its path.
    pub read: &'w dyn Fn(&str) -> Result<Vec<u8>, String>,
}

impl Workshop<'_> {
    /// The items.
    ///
    /// # Errors
    /// There is no list, or too long a one; in words.
    pub(crate) fn items(&self, source: &ItemsSource) -> Result<Items, String> {
        let items = match source {
            ItemsSource::Values(values) => Items::Values(values.clone()),
            ItemsSource::Expression(expression) => Items::Values(self.list(expression)?),
            ItemsSource::Range(bounds) => return self.range(bounds),
            ItemsSource::Members(count) => return members(&self.text(count)?),
            ItemsSource::Matrix { axes, exclude, include } => {
                let axes = axes.iter().map(|(name, source)| match source {
                    ItemsSource::Expression(expression) => {
                        Ok((name.clone(), self.list(expression)?))
                    }
                    ItemsSource::Values(values) => Ok((name.clone(), values.clone())),
                    _ => Err("a name of a matrix takes a list".to_owned()),
                });
                let axes = axes.collect::<Result<_, _>>()?;
                let mut matrix = Matrix { axes, kept: None, include: include.clone() };
                // To leave some out, each combination is looked at.
                let looked_at =
                    if exclude.is_empty() { ITEMS_PER_TASK_MAX } else { LATE_ITEMS_DEFAULT };
                check_count(matrix.combinations(), looked_at)?;
                matrix.exclude(exclude);
                check_count(matrix.count(), self.max_items)?;
                Items::Matrix(Box::new(matrix))
            }
            ItemsSource::Lines(path) => {
                let path = self.text(path)?;
                let read = lines(&(self.read)(&path)?, path.ends_with(".jsonl"));
                Items::Values(read.map_err(|reason| format!("`{path}`: {reason}"))?)
            }
        };
        if let Items::Values(values) = &items {
            check_count(values.len() as u64, self.max_items)?;
        }
        Ok(items)
    }

    fn list(&self, expression: &str) -> Result<Vec<Json>, String> {
        let value = evaluate(self.environment, expression, self.context)
            .map_err(|reason| format!("the items cannot be worked out: {reason}"))?;
        // An output that is written as `key=value` is a text: `files=["a", "b"]`.
        let json = match value.as_str() {
            Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text)),
            None => to_json(&value)?,
        };
        match json {
            Json::Array(values) => Ok(values),
            other => {
                let short: String = other.to_string().chars().take(60).collect();
                Err(format!("`foreach` takes a list, and the expression gives `{short}`"))
            }
        }
    }

    fn range(&self, bounds: &[Box<str>; 3]) -> Result<Items, String> {
        let [first, end, step] = bounds;
        range(self.number(first)?, self.number(end)?, self.number(step)?, self.max_items)
    }

    fn number(&self, text: &str) -> Result<i64, String> {
        let text = self.text(text)?;
        let short: String = text.chars().take(60).collect();
        text.trim().parse().map_err(|_| format!("a range takes whole numbers, not `{short}`"))
    }

    fn text(&self, text: &str) -> Result<String, String> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        self.templates.render(text, self.context).map_err(|error| error.to_string())
    }
}

/// The numbers from `first` up to, not including, `end`; downwards if the step is negative.
pub(crate) fn range(first: i64, end: i64, step: i64, max_items: u32) -> Result<Items, String> {
    if step == 0 {
        return Err("the step of a range is not 0".to_owned());
    }
    let (distance, step_length) = (i128::from(end) - i128::from(first), i128::from(step));
    let towards = if step > 0 { distance } else { -distance };
    let count = (towards.max(0) + step_length.abs() - 1) / step_length.abs();
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    Ok(Items::Range { first, count: check_count(count, max_items)?, step })
}

/// The numbers of so many members of a gang.
pub(crate) fn members(count: &str) -> Result<Items, String> {
    let known = count.trim().parse().ok().filter(|count| (1..=GANG_MEMBERS_MAX).contains(count));
    let short: String = count.chars().take(60).collect();
    match known {
        Some(count) => Ok(Items::Range { first: 0, count, step: 1 }),
        None => Err(format!("a gang has 1 to {GANG_MEMBERS_MAX} members, not `{short}`")),
    }
}

/// A number of items that there may be.
pub(crate) fn check_count(count: u64, max_items: u32) -> Result<u32, String> {
    match u32::try_from(count) {
        Ok(count) if count <= max_items => Ok(count),
        _ => Err(format!("this fan-out may have {max_items} items, and it has {count}")),
    }
}

/// The lines of a file that have something on them: as texts, or as the JSON that they are.
fn lines(bytes: &[u8], are_json: bool) -> Result<Vec<Json>, String> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(format!("the file has more than {VALUE_BYTES_MAX} bytes"));
    }
    let text = str::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let value = |(number, line): (u64, &str)| match are_json {
        true => serde_json::from_str(line).map_err(|_| format!("line {number} is not JSON")),
        false => Ok(Json::from(line)),
    };
    lines.map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{environment, to_value};
    use serde_json::json;

    fn worked_out(source: &ItemsSource) -> Result<Vec<Json>, String> {
        let workshop = Workshop {
            templates: &Templates::default(),
            environment: &environment(),
            context: &to_value(&json!({"n": 2, "text": "[1, 2]", "list": ["x", "y"]})),
            max_items: 10,
            read: &|path| match path {
                "2.txt" => Ok(b"one\n\n two \r\n".to_vec()),
                "2.jsonl" => Ok(b"{\"a\": 1}\n\n\"x\"\n".to_vec()),
                "bad.jsonl" => Ok(b"1\n\nx\n".to_vec()),
                _ => Err(format!("there is no file `{path}`")),
            },
        };
        let items = workshop.items(source)?;
        let count = items.count().unwrap();
        assert_eq!(items.value(ItemId(count)), None);
        Ok((0..count).map(|item| items.value(ItemId(item)).unwrap()).collect())
    }

    fn numbers(first: &str, end: &str, step: &str) -> Result<Vec<Json>, String> {
        worked_out(&ItemsSource::Range([first.into(), end.into(), step.into()]))
    }

    #[test]
    fn ranges_have_steps() {
        assert_eq!(numbers("0", "{{ n + 1 }}", "1"), Ok(vec![json!(0), json!(1), json!(2)]));
        assert_eq!(numbers("0", "10", "4"), Ok(vec![json!(0), json!(4), json!(8)]));
        assert_eq!(numbers("3", "0", "-2"), Ok(vec![json!(3), json!(1)]));
        assert_eq!(numbers("3", "0", "1"), Ok(vec![]));
        assert!(numbers("0", "10", "0").is_err());
        assert!(numbers("0", "11", "1").is_err());
        assert!(numbers("-9223372036854775808", "9223372036854775807", "1").is_err());
        assert!(numbers("a", "1", "1").is_err());
    }

    #[test]
    fn a_gang_has_as_many_items_as_members() {
        let members = |count: &str| worked_out(&ItemsSource::Members(count.into()));
        assert_eq!(members("{{ n }}"), Ok(vec![json!(0), json!(1)]));
        for wrong in ["0", "-1", "1025", "{{ list }}", "{{ n / 4 }}"] {
            assert!(members(wrong).unwrap_err().starts_with("a gang has 1 to 1024 members, not"));
        }
    }

    #[test]
    fn a_matrix_has_every_combination_but_those_left_out() {
        let axes = vec![
            ("a".into(), ItemsSource::Values(vec![json!(1), json!(2)])),
            ("b".into(), ItemsSource::Expression("list".into())),
        ];
        let matrix = ItemsSource::Matrix {
            axes,
            exclude: vec![json!({"a": 2, "b": "x"})],
            include: vec![json!({"a": 9})],
        };
        let expected = vec![
            json!({"a": 1, "b": "x"}),
            json!({"a": 1, "b": "y"}),
            json!({"a": 2, "b": "y"}),
            json!({"a": 9}),
        ];
        assert_eq!(worked_out(&matrix), Ok(expected));
    }

    #[test]
    fn lists_may_come_as_text_and_from_files() {
        let expression = |text: &str| worked_out(&ItemsSource::Expression(text.into()));
        assert_eq!(expression("text"), Ok(vec![json!(1), json!(2)]));
        assert!(expression("n").unwrap_err().ends_with("gives `2`"));
        assert!(expression("[1] * 11").is_err());
        let lines = |path: &str| worked_out(&ItemsSource::Lines(path.into()));
        assert_eq!(lines("{{ n }}.txt"), Ok(vec![json!("one"), json!(" two ")]));
        assert!(lines("3.txt").is_err());
        assert_eq!(lines("2.jsonl"), Ok(vec![json!({"a": 1}), json!("x")]));
        assert_eq!(lines("bad.jsonl").unwrap_err(), "`bad.jsonl`: line 3 is not JSON");
    }

    #[test]
    fn batches_are_lists_of_values() {
        let items = range(0, 5, 1, 10).unwrap();
        assert_eq!(items.batches(Some(2)), Some(3));
        let values: Vec<_> = (0..4).map(|item| items.batch_value(ItemId(item), Some(2))).collect();
        assert_eq!(values, [Some(json!([0, 1])), Some(json!([2, 3])), Some(json!([4])), None]);
    }
}
