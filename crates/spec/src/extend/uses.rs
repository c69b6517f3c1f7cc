//! Which tasks use which template, so that a fault within one says where it is used.

use std::collections::BTreeMap;

use crate::diagnostic::Faults;
use crate::source::Extent;

/// The uses of all templates of a file.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    by_template: BTreeMap<Extent, Used>,
    /// Parameters that stand in arguments by their bare names.
    pub implied: Vec<(String, Extent)>,
}

/// The uses of one template.
#[derive(Debug)]
struct Used {
    first: Extent,
    count: usize,
}

impl Uses {
    pub(super) fn push(&mut self, template: Extent, place: Extent) {
        let used = self.by_template.entry(template).or_insert(Used { first: place, count: 0 });
        used.count += 1;
    }

    pub(super) fn contains(&self, template: Extent) -> bool {
        self.by_template.contains_key(&template)
    }

    /// Adds to each fault within a template where that is used, and keeps each fault once.
    pub(crate) fn explain(&self, faults: &mut Faults) {
        if self.by_template.is_empty() {
            return;
        }
        faults.explain(|extent| {
            let mut places = Vec::new();
            let mut at = extent;
            // A template may be used in another one, which is used in turn.
            while let Some((_, used)) =
                self.by_template.iter().find(|(template, _)| lies_in(at, **template))
            {
                if places.iter().any(|(place, _)| *place == used.first) {
                    break;
                }
                let label = match used.count {
                    1 => "the template is used here".to_owned(),
                    2 => "the template is used here and once more".to_owned(),
                    count => format!("the template is used here and {} times more", count - 1),
                };
                places.push((used.first, label));
                at = used.first;
            }
            places
        });
    }
}

fn lies_in(inner: Extent, outer: Extent) -> bool {
    inner.start >= outer.start && inner.end <= outer.end && inner.end > 0
}
