//! What holds for every argument of a template: it comes out as it went in, however it is used.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;

use model::{ItemId, TaskId, VariantId};
use proptest::prelude::*;
use serde_json::{Value, json};
use spec::{Compiled, Diagnostics, Source, TaskOutputs, check};

fn compile(file: &str) -> Result<Compiled, Diagnostics> {
    let source = Source { name: "t.yaml".into(), folder: "/".into(), text: file.into() };
    check(&source)
        .and_then(|workflow| workflow.bind(&BTreeMap::new()))
        .and_then(spec::Bound::compile)
}

/// The last word of the command that the first task starts.
fn last_word(file: &Value) -> String {
    let compiled = compile(&file.to_string()).unwrap_or_else(|told| panic!("{told}\n{file}"));
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    let rendered = compiled.definition.render((TaskId(0), ItemId(0)), VariantId(0), &nothing);
    rendered.unwrap_or_else(|error| panic!("{error}\n{file}")).argv().last().unwrap().clone()
}

/// Any text without the marks of a template.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z '\"\\\\{}%$~()\\[\\]\n]{0,12}", "\\PC{0,12}"]
        .prop_filter("no template", |text: &String| !text.contains("{{") && !text.contains("{%"))
        .prop_filter("no such pieces", |text| !text.contains("{#"))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1000..1000_i32).prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn settings() -> ProptestConfig {
    ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn an_argument_comes_out_as_it_went_in(value in value()) {
        let list = json!([value]);
        let file = json!({
            "templates": {
                "inner": {
                    "params": {"x": {"type": "list"}},
                    "command": ["show", "{{ with.x | tojson }}"],
                },
                "outer": {
                    "params": {"x": {"type": "list"}},
                    "extends": "inner",
                    "with": {"x": "{{ with.x + [] }}"},
                },
            },
            "tasks": {"t": {"outer": {"x": list}}},
        });
        let shown: Value = serde_json::from_str(&last_word(&file)).unwrap();
        prop_assert_eq!(shown, list);
    }

    #[test]
    fn a_text_comes_out_as_it_went_in(text in text()) {
        let file = json!({
            "templates": {
                "t": {"params": {"x": {"type": "string"}}, "command": ["show", "<{{ with.x }}>"]},
            },
            "tasks": {"t": {"t": {"x": text}}},
        });
        prop_assert_eq!(last_word(&file), format!("<{text}>"));
        let joined = "$${{ with.x }}}{{ params.p }}{{ with.x }}{% if true %}{% endif %}";
        let file = json!({
            "params": {"p": "P"},
            "templates": {
                "t": {
                    "params": {"x": {"type": "string"}},
                    "command": ["show", joined],
                },
            },
            "tasks": {"t": {"t": {"x": text}}},
        });
        prop_assert_eq!(last_word(&file), format!("${text}}}P{text}"));
    }

    #[test]
    fn a_text_with_an_expression_comes_out_joined(before in text(), behind in text()) {
        // What is written together may become a mark.
        prop_assume!(!before.ends_with(['{', '$']) && !behind.starts_with('}'));
        let file = json!({
            "params": {"p": "P"},
            "templates": {
                "t": {"params": {"x": {"type": "string"}}, "command": ["show", "<{{ with.x }}>"]},
            },
            "tasks": {"t": {"t": {"x": format!("{before}{{{{ params.p }}}}{behind}")}}},
        });
        prop_assert_eq!(last_word(&file), format!("<{before}P{behind}>"));
    }

    #[test]
    fn arbitrary_templates_and_arguments_do_no_harm(
        body in "[{}%|. a-z'\"\\[\\]()#-]{0,40}",
        argument in "[{}%|. a-z'\"\\[\\]()#-]{0,40}",
    ) {
        let file = json!({
            "templates": {
                "t": {
                    "params": {"x": {"type": "string"}},
                    "script": format!("a {{{{ with.x {body} }}}} {body}"),
                    "foreach": format!("with.x {body}"),
                    "timeout": "{{ with.x }}",
                    "t": {"x": argument},
                },
                "u": {
                    "params": {"x": "a"},
                    "script": format!("{{{{ with{body} }}}}{{% with {body} %}}"),
                },
            },
            "tasks": {
                "t": {"t": {"x": argument}},
                "u": {"u": {"x": format!("{{{{ {argument} }}}}")}},
            },
        });
        let _ = compile(&file.to_string());
    }
}

#[test]
fn templates_that_double_are_refused_in_time() {
    let mut templates = serde_json::Map::new();
    for number in 0..16 {
        let twice = "{{ with.x }}{{ with.x }}{{ with.x }}{{ with.x }}".repeat(4);
        let body = json!({
            "params": {"x": {"type": "string"}},
            "extends": format!("t{}", number + 1),
            "with": {"x": twice},
        });
        templates.insert(format!("t{number}"), body);
    }
    templates.insert("t16".into(), json!({"params": {"x": "a"}, "script": "{{ with.x }}"}));
    let file =
        json!({"templates": templates, "tasks": {"t": {"t1": {"x": "{{ item }} ".repeat(100)}}}});
    assert_eq!(compile(&file.to_string()).unwrap_err().code(), spec::code::TOO_LARGE);
}

#[test]
fn the_loop_of_ansible_runs_as_it_is_written() {
    let file = r#"
templates:
  user:
    params: {name: {type: string}, state: present}
    script: "./user {{ with.name }} {{ with.state }}"
tasks:
- name: 创建多个用户
  user: { name: "{{ item }}", state: present }
  foreach: [alice, bob, charlie]
"#;
    let compiled = compile(file).unwrap();
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    let users = (0..3).map(|item| {
        compiled
            .definition
            .render((TaskId(0), ItemId(item)), VariantId(0), &nothing)
            .unwrap()
            .argv()
            .last()
            .unwrap()
            .clone()
    });
    let users: Vec<String> = users.collect();
    assert_eq!(users, ["./user alice present", "./user bob present", "./user charlie present"]);
}

#[test]
fn many_tasks_extend_one_template() {
    const TASKS: usize = 10_000;
    let mut file = "templates:\n  t:\n    params: {n: 1, who: x}\n    script: \"./t {{ with.n }} \
                    {{ with.who | upper }}\"\n    env: {A: b}\ntasks:\n"
        .to_owned();
    for number in 0..TASKS {
        file += &format!("  a{number}: {{t: {{n: {number}}}}}\n");
    }
    let compiled = compile(&file).unwrap_or_else(|told| panic!("{told}"));
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    let last = TaskId(u32::try_from(TASKS - 1).unwrap());
    let rendered = compiled.definition.render((last, ItemId(0)), VariantId(0), &nothing).unwrap();
    assert_eq!(rendered.argv().last().unwrap(), "./t 9999 X");
}
