//! Expressions and texts, drawn from a grammar that knows every filter, test and function.

use crate::random::Random;

const NAMES: &[&str] = &[
    "params.n",
    "params.text",
    "params.list",
    "params.map.k",
    "params.big",
    "tasks.a.outputs.rows",
    "tasks.a.outputs.text",
    "tasks.a.outputs.list",
    "tasks.a.outputs.map",
    "tasks.a.outputs",
    "tasks.a.outputs.missing",
    "tasks.a.status",
    "round",
    "run.id",
    "run.name",
];
const LITERALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "40",
    "1000",
    "100000",
    "99999999",
    "1000000000000",
    "0.5",
    "1e308",
    "9223372036854775807",
    "170141183460469231731687303715884105727",
    "''",
    "'x'",
    "'ä€😀'",
    "'{'",
    "'%1000000d'",
    "'%s'",
    "'a,b'",
    "'\\n'",
    "true",
    "false",
    "none",
    "[]",
    "{}",
    "[1, 'x', none]",
    "{'k': [1]}",
    "(1, 2)",
];
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in",
    "and", "or",
];
const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "quote",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];
const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "odd",
    "even",
    "number",
    "string",
    "sequence",
    "mapping",
    "iterable",
    "true",
    "boolean",
    "divisibleby(3)",
    "startingwith('x')",
    "eq(1)",
    "sameas(none)",
    "in([1, 2])",
    "filter",
    "test",
];
const FUNCTIONS: &[&str] = &["range", "dict", "namespace", "debug"];

/// An expression; `bound` are names that statements around it have bound.
pub(crate) fn expression(random: &mut Random, depth: usize, bound: &[String]) -> String {
    if depth == 0 || random.below(6) == 0 {
        return leaf(random, bound);
    }
    let one = expression(random, depth - 1, bound);
    match random.below(10) {
        0..3 => {
            let other = expression(random, depth - 1, bound);
            format!("({one} {} {other})", random.one(OPERATORS))
        }
        3..6 => {
            let arguments = arguments(random, depth - 1, bound);
            format!("{one} | {}{arguments}", random.one(FILTERS))
        }
        6 => format!("({one} is {})", random.one(TESTS)),
        7 => {
            let (from, to) = (leaf(random, bound), leaf(random, bound));
            match random.below(3) {
                0 => format!("({one})[{from}]"),
                1 => format!("({one})[{from}:{to}]"),
                _ => format!("({one})[::{to}]"),
            }
        }
        8 => {
            let arguments = arguments(random, depth - 1, bound);
            format!(
                "{}{}",
                random.one(FUNCTIONS),
                if arguments.is_empty() { "()" } else { &arguments }
            )
        }
        _ => {
            let (when, other) = (leaf(random, bound), expression(random, depth - 1, bound));
            format!("({one} if {when} else {other})")
        }
    }
}

fn leaf(random: &mut Random, bound: &[String]) -> String {
    match random.below(if bound.is_empty() { 2 } else { 4 }) {
        0 => random.one(NAMES).to_owned(),
        1 => random.one(LITERALS).to_owned(),
        _ => bound[random.below(bound.len())].clone(),
    }
}

fn arguments(random: &mut Random, depth: usize, bound: &[String]) -> String {
    let some: Vec<String> =
        (0..random.below(4)).map(|_| expression(random, depth.min(1), bound)).collect();
    if some.is_empty() { String::new() } else { format!("({})", some.join(", ")) }
}

/// A text with expressions and statements in it. What a statement binds, those in it use.
pub(crate) fn text(random: &mut Random, depth: usize, bound: &mut Vec<String>) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(4) {
        let value = expression(random, 2, bound);
        if depth == 0 || random.below(3) == 0 {
            text += &format!("a {{{{ {value} }}}}\n");
            continue;
        }
        let before = bound.len();
        let name = format!("v{before}");
        let opened = match random.below(6) {
            0 => {
                bound.push(name.clone());
                text += &format!("{{% set {name} = {value} %}}\n");
                continue;
            }
            1 => (format!("for {name} in {value}"), "endfor"),
            2 => (format!("with {name} = {value}"), "endwith"),
            3 => (format!("if {value}"), "endif"),
            4 => (format!("filter {}", random.one(FILTERS)), "endfilter"),
            _ => (format!("set {name}"), "endset"),
        };
        if ["endfor", "endwith"].contains(&opened.1) {
            bound.push(name.clone());
        }
        let inner = self::text(random, depth - 1, bound);
        bound.truncate(before);
        if opened.1 == "endset" {
            bound.push(name);
        }
        text += &format!("{{% {} %}}\n{inner}{{% {} %}}\n", opened.0, opened.1);
    }
    text
}
