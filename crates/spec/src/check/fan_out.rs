//! Fan-outs: what is known of their items before the run, and what is not.

use model::limits::ITEMS_PER_TASK_MAX;

use crate::code;
use crate::definition::LateItems;
use crate::diagnostic::{Fault, Faults};
use crate::expression::bare;
use crate::file::{AxisFile, Foreach, MatrixFile, SourceFile};
use crate::items::{Items, ItemsSource, check_count, members, range};
use crate::limits::LATE_ITEMS_DEFAULT;
use crate::read::Placed;
use crate::template::{expression_references, is_template};

/// How a range is written.
const A_RANGE: &str = "a range is `{range: 10}`, `{range: [1, 11]}` or, with a step that is not 0, \
    `{range: [0, 10, 2]}`";

/// When the items of a fan-out are known.
pub(super) enum Known {
    /// They stand in the file.
    Now(Items),
    /// They follow from parameters: a source, and how many items there may be.
    WithParameters(ItemsSource, u32),
    /// They follow from what tasks have come to.
    Late(LateItems),
}

pub(super) fn known(foreach: &Placed<Foreach>, faults: &mut Faults) -> Known {
    let given = &foreach.value;
    let max_items = given.max_items.and_then(|count| u32::try_from(count.0).ok());
    let source = match &given.source {
        SourceFile::Values(values) => {
            let checked = check_count(values.len() as u64, max_items.unwrap_or(ITEMS_PER_TASK_MAX));
            let items = checked.map(|_| Items::Values(values.clone()));
            return Known::Now(or_told(items, (foreach, too_many(max_items)), faults));
        }
        SourceFile::Range(bounds) if !bounds.iter().any(|bound| is_template(&bound.value)) => {
            let number = |text: &str| {
                let number = text.trim().parse::<i64>();
                number.map_err(|_| format!("a range takes whole numbers, not `{text}`"))
            };
            let [first, end, step] = bounds;
            let bounds = number(&first.value)
                .and_then(|first| Ok((first, number(&end.value)?, number(&step.value)?)));
            let (items, hint) = match bounds {
                Err(message) => (Err(message), A_RANGE.to_owned()),
                Ok((first, end, step)) => {
                    let items = range(first, end, step, max_items.unwrap_or(ITEMS_PER_TASK_MAX));
                    (items, if step == 0 { A_RANGE.to_owned() } else { too_many(max_items) })
                }
            };
            return Known::Now(or_told(items, (foreach, hint), faults));
        }
        SourceFile::Range(bounds) => {
            let [first, end, step] = bounds.each_ref().map(|bound| bound.value.as_str().into());
            ItemsSource::Range([first, end, step])
        }
        SourceFile::Members(count) if !is_template(&count.value) => {
            let items = members(&count.value);
            return Known::Now(or_told(items, (foreach, too_many(max_items)), faults));
        }
        SourceFile::Members(count) => ItemsSource::Members(count.value.as_str().into()),
        SourceFile::Expression(text) => ItemsSource::Expression(bare(&text.value.0).into()),
        SourceFile::Lines(path) => ItemsSource::Lines(path.value.as_str().into()),
        SourceFile::Matrix(matrix) => combinations(matrix, faults),
    };
    match names_more_than_parameters(&source) {
        true => {
            Known::Late(LateItems { source, max_items: max_items.unwrap_or(LATE_ITEMS_DEFAULT) })
        }
        false => Known::WithParameters(source, max_items.unwrap_or(ITEMS_PER_TASK_MAX)),
    }
}

fn or_told(
    items: Result<Items, String>,
    (foreach, hint): (&Placed<Foreach>, String),
    faults: &mut Faults,
) -> Items {
    items.unwrap_or_else(|message| {
        let fault = Fault::new(code::BAD_ITEMS, foreach.extent, message);
        faults.push(fault.hint(hint));
        Items::Single
    })
}

/// What helps against too many items.
fn too_many(max_items: Option<u32>) -> String {
    match max_items {
        Some(_) => "give it fewer items, or raise `max_items`".to_owned(),
        None => "give it fewer items, each of which does more".to_owned(),
    }
}

fn names_more_than_parameters(source: &ItemsSource) -> bool {
    source.texts().flat_map(expression_references).any(|reference| reference.root != "params")
}

fn combinations(matrix: &MatrixFile, faults: &mut Faults) -> ItemsSource {
    for pattern in &matrix.exclude {
        let keys = pattern.value.as_object().into_iter().flat_map(|pattern| pattern.keys());
        let known = |key: &str| matrix.axes.iter().any(|(name, _)| name.value == key);
        if let Some(unknown) = keys.into_iter().find(|key| !known(key)) {
            let message =
                format!("the matrix has no name `{unknown}`, so that this excludes nothing");
            faults.push(Fault::new(code::BAD_ITEMS, pattern.extent, message));
        }
    }
    let axis = |axis: &AxisFile| match axis {
        AxisFile::Values(values) => ItemsSource::Values(values.clone()),
        AxisFile::Expression(text) => ItemsSource::Expression(bare(&text.value.0).into()),
    };
    let values = |list: &[Placed<serde_json::Value>]| {
        list.iter().map(|placed| placed.value.clone()).collect()
    };
    ItemsSource::Matrix {
        axes: matrix
            .axes
            .iter()
            .map(|(name, values)| (name.value.as_str().into(), axis(values)))
            .collect(),
        exclude: values(&matrix.exclude),
        include: values(&matrix.include),
    }
}
