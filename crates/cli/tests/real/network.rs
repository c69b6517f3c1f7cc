//! Tasks that ask other machines: requests over HTTP, and language models.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::binary::Home;
use crate::support::wait;

mod fallbacks;
pub(crate) mod server;

use server::{Server, header, say};

const PATIENCE: Duration = Duration::from_secs(60);
const KEY: &str = "sk-0123456789abcdef";

/// Whether a text stands in any file below a folder.
fn stands_in(folder: &Path, text: &str) -> Option<String> {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("it has one");
        let found = if kind.is_dir() {
            stands_in(&path, text)
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).expect("it can be read");
            let is_in = bytes.windows(text.len()).any(|part| part == text.as_bytes());
            is_in.then(|| path.display().to_string())
        } else {
            None
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[test]
fn a_request_is_tried_again_as_the_same_request() {
    let server = Server::start(|number, request, stream| match number {
        0 => say(stream, "503 Service Unavailable", "retry-after: 0\r\n", "not yet"),
        // It repeats what it was sent, as servers do.
        _ => {
            say(stream, "200 OK", "content-type: application/json\r\n", &json!(request).to_string())
        }
    });
    let home = Home::new();
    let flow = format!(
        "secrets: {{key: env:KEY}}\ntasks:\n  ask:\n    \
         retry: {{limit: 2, backoff: 10ms}}\n    http:\n      \
         url: {}\n      method: POST\n      query: {{k: '{{{{ secrets.key }}}}'}}\n      \
         auth: {{bearer: '{{{{ secrets.key }}}}'}}\n      json: {{n: 1}}\n",
        server.url("/in")
    );
    home.write("flow.yaml", &flow);
    let mut command = home.command(&["run", "flow.yaml"]);
    command.env("KEY", KEY);
    let ended = home.start_with(command).finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let of = |name: &str| requests.iter().map(|it| header(it, name)).collect::<Vec<_>>();
    let (keys, tokens) = (of("idempotency-key"), of("autoglm-token"));
    assert_eq!(keys[0], keys[1]);
    assert_ne!(tokens[0], tokens[1]);
    assert!(header(&requests[0], "authorization").ends_with(KEY));
    let log = home.run(&["logs", "1", "ask"]).stdout;
    assert!(log.contains("POST ") && log.contains("/in?k=***"), "{log}");
    home.wait_until_quiet();
    assert_eq!(stands_in(home.state(), KEY), None);
}

#[test]
fn a_request_is_the_same_after_its_process_was_killed() {
    let server = Server::start(|number, _, stream| match number {
        0 => drop(std::io::Read::read(&mut &stream, &mut [0])),
        _ => say(stream, "200 OK", "", "done"),
    });
    let home = Home::new();
    let flow = "tasks: {ask: {http: {url: 'URL', method: POST}}}\n";
    home.write("flow.yaml", &flow.replace("URL", &server.url("/")));
    let run = home.start(&["run", "flow.yaml"]);
    wait::until("a request", PATIENCE, || (!server.requests().is_empty()).then_some(()));
    run.signal(rustix::process::Signal::KILL);
    run.finish();
    let ended = home.run(&["resume", "1"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let requests = server.requests();
    let of = |name: &str| requests.iter().map(|it| header(it, name)).collect::<Vec<_>>();
    let (keys, tokens) = (of("idempotency-key"), of("autoglm-token"));
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    assert_ne!(tokens[0], tokens[1]);
    home.wait_until_quiet();
}

#[test]
fn a_stop_gives_a_request_up_at_once() {
    let server = Server::start(|_, _, stream| {
        // It says nothing, for as long as the other side waits.
        let _ = std::io::Read::read(&mut &stream, &mut [0]);
    });
    let home = Home::new();
    home.write("flow.yaml", &format!("tasks: {{ask: {{http: '{}'}}}}\n", server.url("/")));
    let run = home.start(&["run", "flow.yaml"]);
    wait::until("a request", PATIENCE, || (!server.requests().is_empty()).then_some(()));
    let stopped = home.run(&["stop", "1"]);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    // Long before the time of the request is up.
    let ended = run.finish_within(Duration::from_secs(20));
    assert_ne!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(home.json(&["get", "1"])["run"]["status"], "cancelled");
    home.wait_until_quiet();
}

#[test]
fn a_download_becomes_an_artifact_though_its_connection_breaks() {
    let content = "0123456789".repeat(10_000);
    let whole = content.clone();
    let server = Server::start(move |number, request, mut stream| {
        let from = request.lines().find_map(|line| line.strip_prefix("range: bytes="));
        let from: usize =
            from.map_or(0, |from| from.trim_end_matches('-').parse().expect("a number"));
        let tag = "etag: \"1\"\r\n";
        if number == 0 {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{tag}\r\n", whole.len());
            let _ = std::io::Write::write_all(&mut stream, (head + &whole[..50_000]).as_bytes());
            return;
        }
        let range = format!("{tag}content-range: bytes {from}-{0}/{0}\r\n", whole.len());
        say(stream, "206 Partial Content", &range, &whole[from..]);
    });
    let home = Home::new();
    let flow = format!(
        "tasks:\n  get:\n    retry: {{limit: 2, backoff: 10ms}}\n    \
         http: {{url: '{}', save: data.bin}}\n    \
         artifacts: {{out: {{data: data.bin}}}}\n  count:\n    depends_on: get\n    \
         artifacts: {{in: {{from: get/data, to: copy.bin}}}}\n    script: wc -c < copy.bin\n",
        server.url("/data")
    );
    home.write("flow.yaml", &flow);
    let ended = home.run(&["run", "flow.yaml"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(home.run(&["logs", "1", "count"]).stdout.contains("100000"));
    assert_eq!(std::fs::read_to_string(home.folder().join("data.bin")).expect("text"), content);
    let resumed = &server.requests()[1];
    assert_ne!(header(resumed, "range"), "bytes=0-");
    assert_eq!(header(resumed, "if-range"), "\"1\"");
    home.wait_until_quiet();
}

/// The model case of the product's documents, but for the task that checks.
const CASE: &str = r#"{ "task_graph": {
    "generate_query":  { "type": "llm_generate", "model": "AutoGLM-Base",
                         "prompt_template": "根据主题生成搜索问题:{{topic}}" },
    "say": { "depends_on": "generate_query",
             "script": "echo '{{ tasks.generate_query.outputs | tojson }}'" } } }"#;

fn model() -> Server {
    Server::start(|_, request, mut stream| {
        let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let asked: Value = serde_json::from_str(body).expect("JSON");
        let prompt = asked["messages"][0]["content"].as_str().expect("a text");
        let key = header(request, "authorization").to_owned();
        let event = |event: Value| format!("data: {event}\n\n");
        // It repeats the key that it was sent, which no server should.
        let pieces = [prompt, " / ", key.as_str()]
            .map(|piece| event(json!({"choices": [{"delta": {"content": piece}}]})));
        let end = event(json!({
            "choices": [{"delta": {}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 5},
        }));
        let head =
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
        let all = format!("{head}{}{end}data: [DONE]\n\n", pieces.concat());
        let _ = std::io::Write::write_all(&mut stream, all.as_bytes());
    })
}

#[test]
fn the_model_case_asks_the_model_beside_the_file() {
    let server = model();
    let home = Home::new();
    home.write("flow.json", CASE);
    home.write(
        "models.yaml",
        &format!(
            "secrets: {{glm: env:GLM_KEY}}\nmodels:\n  AutoGLM-Base:\n    endpoint: {}\n    \
             model: glm-4\n    api_key: '{{{{ secrets.glm }}}}'\n    requests_per_minute: 60\n    \
             tokens_per_minute: 6000\n    price: {{input: 1, output: 2.5}}\n",
            server.url("/v1")
        ),
    );
    let mut command = home.command(&["run", "flow.json", "-p", "topic=河流"]);
    command.env("GLM_KEY", KEY);
    let ended = home.start_with(command).finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let asked = server.requests().remove(0);
    assert!(asked.starts_with("POST /v1/chat/completions "), "{asked}");
    assert!(
        asked.contains("根据主题生成搜索问题:河流") && asked.contains("\"model\":\"glm-4\""),
        "{asked}"
    );
    let log = home.run(&["logs", "1", "say"]).stdout;
    assert!(log.contains("\"text\":\"根据主题生成搜索问题:河流 / Bearer ***\""), "{log}");
    let usage = json!({"tokens_in": 11, "tokens_out": 5, "cost_micro": 24});
    assert!(log.contains(&usage.to_string()), "{log}");
    for command in [&["explain", "1", "generate_query"][..], &["logs", "1", "generate_query"]] {
        let said = home.run(command);
        assert!(!(said.stdout + &said.stderr).contains(KEY), "{command:?}");
    }
    home.wait_until_quiet();
    assert_eq!(stands_in(home.state(), KEY), None);
    assert_eq!(stands_in(home.state(), &KEY[3..]), None);
}

#[test]
fn what_a_model_has_said_is_not_asked_again_if_the_file_says_so() {
    let server = model();
    let home = Home::new();
    home.write(
        "flow.yaml",
        &format!(
            "secrets: {{glm: env:GLM_KEY}}\n\
             models: {{m: {{endpoint: '{}', api_key: '{{{{ secrets.glm }}}}'}}}}\n\
             params: {{about: rivers}}\ntasks:\n  ask:\n    cache: true\n    \
             llm_generate: {{model: m, prompt: 'On {{{{ params.about }}}}', temperature: 0}}\n",
            server.url("/v1")
        ),
    );
    let ask = |about: &str, key: &str| {
        let mut command = home.command(&["run", "flow.yaml", "-p", about]);
        command.env("GLM_KEY", key);
        let ended = home.start_with(command).finish();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        server.requests().len()
    };
    assert_eq!(ask("about=rivers", KEY), 1);
    assert_eq!(ask("about=rivers", KEY), 1, "it is known");
    assert_eq!(ask("about=rivers", "sk-another-key-000"), 1, "another key asks the same");
    assert_eq!(ask("about=lakes", KEY), 2, "something else is asked");
    home.wait_until_quiet();
}
