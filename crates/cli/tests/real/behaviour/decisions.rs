//! What tasks have left, and which rule of a decision fired, is shown.

use serde_json::{Value, json};

use crate::support::binary::Home;

const FLOW: &str = r#"
params: {n: 5}
tasks:
  d: {decision: [{rule: "params.n > 9", action: deploy}, {rule: "params.n > 3", action: deploy}]}
  v: {decision: [{rule: "params.n > 9", action: {value: 1}}, {action: {value: {a: 1}}}]}
  none: {decision: [{rule: "params.n > 9", action: {value: 1}}]}
  deploy: {script: 'echo x=1 >> "$AUTOGLM_OUTPUT"; echo "y=a b" >> "$AUTOGLM_OUTPUT"'}
  wide: {foreach: [p, q], script: 'echo "n={{ index }}" >> "$AUTOGLM_OUTPUT"'}
"#;

#[test]
fn outputs_and_the_rule_that_fired_are_shown() {
    let home = Home::new();
    let flow = home.write("flow.yaml", FLOW);
    let ran = home.run(&["run", &flow]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    home.wait_until_quiet();

    let fired = home.json(&["get", "1", "d"]);
    assert_eq!(fired["decided"], json!({"rule": 2, "when": "params.n > 3", "route": "deploy"}));
    assert_eq!(fired["items"][0]["outputs"]["rule"], 2);
    let shown = home.run(&["get", "1", "d"]).stdout;
    assert!(shown.contains("Rule 2 fired: params.n > 3 → deploy\n"), "{shown}");
    let value = home.json(&["get", "1", "v"]);
    assert_eq!(value["decided"], json!({"rule": 2, "value": {"a": 1}}));
    assert_eq!(home.json(&["get", "1", "none"])["decided"], Value::Null);

    let left = home.json(&["get", "1", "deploy"]);
    assert_eq!(left["items"][0]["outputs"], json!({"x": "1", "y": "a b"}));
    let shown = home.run(&["get", "1", "deploy"]).stdout;
    assert!(shown.ends_with("Outputs:\n  x = 1\n  y = a b\n"), "{shown}");
    let wide = home.run(&["get", "1", "wide"]).stdout;
    assert!(wide.lines().nth(2).is_some_and(|row| row.ends_with("n=1")), "{wide}");

    let explained = home.json(&["explain", "1", "d"]);
    assert_eq!(explained["summary"], "it has decided: deploy (rule 2: params.n > 3)");
    assert_eq!(explained["decided"]["rule"], 2);
    let events = home.run(&["events", "1", "-o", "jsonl"]).stdout;
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let told: Vec<_> = events.filter(|event| event["kind"] == "task_answered").collect();
    let of = |task: &str| told.iter().find(|event| event["task"] == task).expect("answered");
    assert_eq!(of("d")["text"], "d has decided: deploy (rule 2: params.n > 3)");
    assert_eq!(of("d")["rule"], 2);
    assert_eq!(of("v")["text"], "v has decided: {\"a\":1} (rule 2, which always holds)");
    assert_eq!(of("none")["text"], "none has decided: no rule holds");
}
