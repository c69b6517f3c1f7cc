//! Models that are asked because others cannot be had.

use serde_json::json;

use super::server::{Server, say};
use crate::support::binary::Home;

const CALLS: usize = 60;

fn answer() -> String {
    json!({
        "choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    })
    .to_string()
}

#[test]
fn while_a_model_is_down_its_fallback_answers_and_nobody_waits() {
    let down = Server::start(|_, _, stream| say(stream, "503 Service Unavailable", "", "later"));
    let there = Server::start(|_, _, stream| {
        say(stream, "200 OK", "content-type: application/json\r\n", &answer());
    });
    let home = Home::new();
    let flow = format!(
        "models:\n  first: {{endpoint: '{}', fallbacks: second}}\n  \
         second: {{endpoint: '{}', requests_per_minute: 100000}}\n\
         tasks:\n  ask:\n    foreach: {{range: {CALLS}, max_parallel: 4}}\n    \
         llm_generate: {{model: first, prompt: 'number {{{{ item }}}}', stream: false}}\n",
        down.url("/v1"),
        there.url("/v1")
    );
    home.write("flow.yaml", &flow);
    let ended = home.run(&["run", "flow.yaml"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // Five failures in a row open the breaker; three more may have been under way.
    let asked = down.requests().len();
    assert!((5..=8).contains(&asked), "the first was asked {asked} times");
    assert_eq!(there.requests().len(), CALLS, "each was answered once");
    let items = home.json(&["get", "1", "ask"])["items"].take();
    let items = items.as_array().expect("a list");
    assert_eq!(items.len(), CALLS);
    assert!(items.iter().all(|item| item["outputs"]["model"] == "second"), "{items:#?}");
    let events = home.run(&["events", "1"]).stdout;
    assert!(events.contains("will ask `second` instead"), "{events}");
    home.wait_until_quiet();
}
