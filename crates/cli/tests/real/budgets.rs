//! Budgets in real time: thousands of calls of models whose servers count, scaled so that a minute
//! is enough. Nobody asks more than a server allows, and next to nothing of what it allows is lost.
//!
//! What the server counts is its own: nothing of it may come from the product.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::network::server::{Server, say};
use crate::support::binary::Home;

mod meter;

use meter::{Asked, Meter};

/// How long the run may take; it needs about a minute.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many calls are answered with 429 at most, in a thousand.
const REFUSED_MAX_PER_MILLE: usize = 5;
/// How much of a budget is used at least while it is what holds calls up, in a hundred.
const USED_MIN_PERCENT: f64 = 95.0;

/// A model, the budgets that its server keeps, and how it is asked.
struct Key {
    name: &'static str,
    requests: u32,
    tokens: u32,
    calls: usize,
    tokens_max: u64,
}

/// Tokens hold up the calls of the one, requests those of the other: 5,000 calls in all.
const KEYS: [Key; 2] = [
    Key { name: "deep", requests: 6_000, tokens: 600_000, calls: 4_000, tokens_max: 400 },
    Key { name: "wide", requests: 600, tokens: 60_000, calls: 1_000, tokens_max: 60 },
];

impl Key {
    /// The tokens that the answer to a call has: from 40 to 100 in a hundred of what it may have.
    fn answered(&self, item: usize) -> u64 {
        self.tokens_max * (40 + (item as u64 * 37) % 61) / 100
    }

    fn model(&self, server: &Server) -> String {
        let Self { name, requests, tokens, .. } = self;
        format!(
            "  {name}: {{endpoint: '{}', requests_per_minute: {requests}, \
             tokens_per_minute: {tokens}}}\n",
            server.url(&format!("/{name}"))
        )
    }

    fn task(&self) -> String {
        let Self { name, calls, tokens_max, .. } = self;
        format!(
            "  {name}:\n    foreach: {{range: {calls}}}\n    retry: {{limit: 5, backoff: 1s}}\n    \
             llm_generate: {{model: {name}, prompt: 'item {{{{ item }}}}', \
             max_tokens: {tokens_max}}}\n"
        )
    }
}

/// The meters of all keys.
type Meters = Arc<Mutex<BTreeMap<&'static str, Meter>>>;

/// A server that counts for each key, and takes its time for each answer.
fn server(meters: &Meters) -> Server {
    let meters = Arc::clone(meters);
    Server::start(move |_, request, stream| {
        let key = KEYS.iter().find(|key| request.starts_with(&format!("POST /{}/", key.name)));
        let key = key.expect("it is one of the models");
        let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let asked: Value = serde_json::from_str(body).expect("JSON");
        let prompt = asked["messages"][0]["content"].as_str().expect("a text");
        let item = prompt.strip_prefix("item ").and_then(|item| item.parse().ok());
        let item: usize = item.expect("the number of an item");
        let (sent, received) = (3, key.answered(item));
        let meter = |asked| {
            let mut meters = meters.lock().expect("nobody panics with it");
            meters.get_mut(key.name).expect("each key has one").ask(asked)
        };
        if let Err(wait) = meter(Asked { item, tokens: sent + received }) {
            let retry = format!("retry-after: {}\r\n", wait.as_secs() + 1);
            return say(stream, "429 Too Many Requests", &retry, "slow down");
        }
        // Answers take longer the more they say, as those of models do.
        std::thread::sleep(Duration::from_millis(20 + received / 4));
        let answer = json!({
            "choices": [{"message": {"content": format!("answer {item}")},
                         "finish_reason": "stop"}],
            "usage": {"prompt_tokens": sent, "completion_tokens": received},
        });
        say(stream, "200 OK", "content-type: application/json\r\n", &answer.to_string());
    })
}

fn meters() -> Meters {
    let meter = |key: &Key| (key.name, Meter::new(key.requests, key.tokens));
    Arc::new(Mutex::new(KEYS.iter().map(meter).collect()))
}

#[test]
#[ignore = "a minute of calls: a CI step of its own"]
fn budgets_are_used_up_and_not_overdrawn() {
    let meters = meters();
    let server = server(&meters);
    let home = Home::new();
    let models: String = KEYS.iter().map(|key| key.model(&server)).collect();
    let tasks: String = KEYS.iter().map(Key::task).collect();
    home.write("flow.yaml", &format!("models:\n{models}tasks:\n{tasks}"));
    let ended = home.start(&["run", "flow.yaml"]).finish_within(PATIENCE);
    println!("{}", ended.stderr.lines().last().unwrap_or_default());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let meters = meters.lock().expect("nobody panics with it");
    let (mut asked, mut refused) = (0, 0);
    for key in &KEYS {
        let meter = &meters[key.name];
        println!("{}: {meter}", key.name);
        let answered = meter.answered();
        assert_eq!(answered.len(), key.calls, "{}: each item is answered", key.name);
        assert!(answered.values().all(|times| *times == 1), "{}: and once", key.name);
        let used = meter.used_percent().expect("the budget was used up once");
        assert!(used >= USED_MIN_PERCENT, "{}: {used:.1} % of the budget were used", key.name);
        asked += meter.asked();
        refused += meter.refused();
    }
    let most = asked * REFUSED_MAX_PER_MILLE / 1_000;
    assert!(refused < most, "{refused} of {asked} calls were refused");
    home.wait_until_quiet();
}
