//! Short texts that want to become long: each has to be refused, at once and within little memory.

use serde_json::json;

use crate::bounds::bounded;
use crate::expressions::{files, play};

const EXPRESSIONS: &[&str] = &[
    "'x' * 1000000000",
    "'x' * 99999999",
    "('x' * 9999999) ~ ('x' * 9999999) ~ ('x' * 9999999) ~ ('x' * 9999999)",
    "'a\\nb' | indent(1000000000000)",
    "'' | indent(1000000000000)",
    "7 | indent(1000000000000)",
    "'a\\nb' | indent(99999999)",
    "('x' * 100000) | replace('x', 'y' * 100000)",
    "('x' * 100000) | replace('', 'y' * 100000)",
    "[1] | batch(1000000000000, 0) | list",
    "[1] | batch(99999999, 0) | list",
    "[1] | slice(1000000000000) | list",
    "[1] | slice(99999999) | list",
    "'%1000000000d' | format(1)",
    "'%.1000000000f' | format(1)",
    "'%99999999s' | format('x')",
    "[0] * 99999999",
    "[0] * 99999999 | list",
    "([0] * 99999999) | sort",
    "([0] * 99999999) | join('xxxxxxxxxx')",
    "([0] * 99999999) | tojson",
    "([0] * 99999999) | string",
    "([0] * 99999999) | unique",
    "([0] * 99999999) | sum",
    "([0] * 99999999) | length",
    "([0] * 99999999) | map('string') | list",
    "([0] * 99999999)[::2] | list",
    "(([0] * 99999) | zip([0] * 99999)) | list",
    "[[0] * 9999] * 9999",
    "[[range(99999)] * 99999] * 99999",
    "([range(99999)] * 999) | sum(start=[]) | length",
    "tasks.a.outputs.text * 99999",
    "tasks.a.outputs.text | list | map('replace', 'x', tasks.a.outputs.text) | list",
    "(range(99999) | list | pprint) * 99",
    "9 ** 9 ** 9 ** 9",
    "'x' in ('y' * 99999999)",
    "('x' * 99999999) == ('y' * 99999999)",
];

/// Texts in which what is bound is bound again, longer.
fn texts() -> Vec<String> {
    let nested = |open: &dyn Fn(usize) -> String, close: &str| {
        let opened: String = (0..40).map(open).collect();
        format!("{{% set v0 = 'xxxxxxxxxx' %}}{opened}{{{{ v40 }}}}{}", close.repeat(40))
    };
    let next = |step: usize| format!("v{} = v{step} ~ v{step}", step + 1);
    vec![
        nested(&|step| format!("{{% set {} %}}", next(step)), ""),
        nested(&|step| format!("{{% with {} %}}", next(step)), "{% endwith %}"),
        nested(&|step| format!("{{% for v{} in [v{step} ~ v{step}] %}}", step + 1), "{% endfor %}"),
        nested(
            &|step| {
                let twice = format!("{{{{ v{step} }}}}").repeat(2);
                format!("{{% set v{} %}}{twice}{{% endset %}}", step + 1)
            },
            "",
        ),
        nested(&|step| format!("{{% set v{} = [v{step}, v{step}] | join %}}", step + 1), ""),
        nested(&|step| format!("{{% set v{} = v{step} + v{step} %}}", step + 1), ""),
        nested(&|step| format!("{{% set v{} = [v{step}, v{step}] %}}", step + 1), ""),
        nested(&|step| format!("{{% set v{} = v{step} * 2 %}}", step + 1), ""),
        "{% set a = 'x' %}{% for i in range(60) %}{% set a = a ~ a %}{% endfor %}{{ a }}".into(),
        "{% set n = namespace(a='x') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}\
         {% endfor %}{{ n.a }}"
            .into(),
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}".into(),
        "{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}".into(),
        "{% filter indent(99999999) %}a\nb{% endfilter %}".into(),
        "{% for i in [1] recursive %}{{ loop([i]) }}{% endfor %}".into(),
        "{% for i in range(9999) recursive %}{{ loop(range(99)) ~ loop(range(99)) }}{% endfor %}"
            .into(),
    ]
}

fn goes_off(expression: &str, text: &str) {
    let outputs = json!({"text": "x".repeat(500_000), "rows": 1});
    let files = files(expression, text);
    // A condition, items, a decision, a command: the others are worked out in the same ways.
    for file in [0, 1, 3, 5].map(|number| &files[number]) {
        bounded(&|| file["tasks"]["b"].to_string(), || play(file, &outputs));
    }
}

#[test]
fn no_expression_grows_without_bound() {
    for expression in EXPRESSIONS {
        goes_off(expression, "text");
    }
}

#[test]
fn no_text_grows_without_bound() {
    for text in texts() {
        goes_off("true", &text);
    }
}
