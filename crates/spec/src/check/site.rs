//! What a task asks of the nodes that its attempts go to.

use model::Constraints;

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{DomainFile, Selectors, TaskFile};
use crate::read::Placed;

/// The constraints of a task. Items cannot be apart and together by the same.
pub(super) fn constraints(task: &TaskFile, faults: &mut Faults) -> Constraints {
    if let (Some(spread), Some(together)) = (&task.spread, &task.together)
        && spread.value.0 == together.value.0
    {
        let message = format!("items are to be apart and together by `{}`", together.value.0);
        let fault = Fault::new(code::CONFLICT, together.extent, message);
        faults.push(fault.related(spread.extent, "apart").hint("keep one of the two"));
    }
    let domain =
        |said: &Option<Box<Placed<DomainFile>>>| said.as_ref().map(|domain| domain.value.0.clone());
    let selectors = |said: &Option<Box<Selectors>>| {
        said.as_ref().map(|said| said.0.as_slice().into()).unwrap_or_default()
    };
    Constraints {
        select: selectors(&task.select),
        prefer: selectors(&task.prefer),
        tolerate: task.tolerate.as_ref().map(|said| said.0.clone()).unwrap_or_default(),
        spread: domain(&task.spread),
        together: domain(&task.together),
    }
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    fn told(task: &str) -> String {
        let text = format!("tasks: {{a: {{script: x, {task}}}}}").into_bytes();
        let source = Source { name: "a.yaml".to_owned(), folder: "/".into(), text };
        crate::check(&source).map_or_else(|told| told.to_string(), |_| String::new())
    }

    #[test]
    fn what_is_asked_of_nodes_is_read() {
        for good in [
            "select: {zone: a, disk: [ssd, nvme], rack: 7}",
            "prefer: {example.org/disk: ssd}, tolerate: reserved",
            "tolerate: [reserved, spot], spread: zone",
            "spread: node, together: zone, foreach: [1, 2]",
        ] {
            assert_eq!(told(good), "", "{good}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told_with_its_place_and_what_to_do() {
        for (bad, expected) in [
            ("select: zone", "`select` takes a mapping from label to the values that will do"),
            ("select: {node: a}", "`node` stands for the node itself"),
            ("select: {a b: c}", "`a b` cannot be the key of a label"),
            ("select: {zone: []}", "`zone` names no value that will do"),
            ("select: {zone: '{{ params.z }}'}", "this is a fixed text, no template"),
            ("prefer: {zone: 'a b'}", "`a b` cannot be the value of a label"),
            ("tolerate: 'a=b'", "`a=b` cannot be a taint"),
            ("spread: 'a b'", "`spread` takes `node`, or the key of a label such as `zone`"),
            ("spread: zone, together: zone", "items are to be apart and together by `zone`"),
            ("node_selector: {zone: a}", "write `select`"),
            ("tolerations: []", "write `tolerate`"),
        ] {
            let told = told(bad);
            assert!(told.contains(expected) && told.contains("a.yaml:1:"), "{bad}: {told}");
        }
    }
}
