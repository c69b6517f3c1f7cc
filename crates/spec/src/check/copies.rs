//! Groups that are there once for each item of a list.

use super::fan_out::{self, Known};
use super::steps::Steps;
use crate::code;
use crate::diagnostic::{Fault, Faults, Lines};
use crate::items::ItemsSource;
use crate::link::{CopiedGroup, CopiedItems};
use crate::template::expression_references;

/// The groups with copies, those around others first.
pub(super) fn collect(
    steps: &Steps<'_>,
    lines: &Lines<'_>,
    faults: &mut Faults,
) -> Vec<CopiedGroup> {
    let mut copied = Vec::new();
    for group in &steps.groups {
        let (Some(end), Some(task)) = (group.joint, group.task) else { continue };
        let Some(foreach) = &task.foreach else { continue };
        let items = match fan_out::known(foreach, faults) {
            Known::Now(items) => CopiedItems::Known(items),
            Known::WithParameters(source, max_items) => CopiedItems::Computed { source, max_items },
            Known::Late(late) if steps.is_copied(group.parent) && is_of_items(&late.source) => {
                CopiedItems::Computed { source: late.source, max_items: late.max_items }
            }
            Known::Late(_) => {
                let message = "the list of a group has to be known before the run";
                let fault = Fault::new(code::BAD_ITEMS, foreach.extent, message);
                faults.push(fault.hint(
                    "let the task that finds the list write the tasks into the file \
                     `$AUTOGLM_TASKS`",
                ));
                continue;
            }
        };
        copied.push(CopiedGroup {
            name: group.name.clone(),
            members: group.members.clone(),
            end,
            items,
            batch: foreach.value.batch.and_then(|batch| u32::try_from(batch.0).ok()),
            place: lines.place(foreach.extent),
        });
    }
    copied
}

/// Whether a list follows from parameters and the item of a group around.
fn is_of_items(source: &ItemsSource) -> bool {
    const KNOWN: [&str; 4] = ["params", "item", "items", "index"];
    source.texts().flat_map(expression_references).all(|it| KNOWN.contains(&&*it.root))
}
