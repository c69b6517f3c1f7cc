//! Calls of models against a scripted server that is compatible with OpenAI's, and misbehaves.

use std::collections::HashMap;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use model::Span;
use model::outcome::{Failure, Spent, Unreached};
use model::work::http::Text;
use model::work::models::{Embed, Generate, Price};
use serde_json::json;

use super::*;
use crate::executors::network::testing::{Server, Told, answer};

fn model(server: &Server) -> Model {
    Model {
        name: "glm".to_owned(),
        endpoint: server.url("/v1"),
        model: "glm-4".to_owned(),
        key: Some(Text::Secret("KEY".to_owned())),
        price: Price { input_micro: 1_000_000, output_micro: 2_000_000 },
        timeout: Span::secs(10),
    }
}

fn generate(schema: Option<Value>) -> Generate {
    Generate {
        messages: br#"[{"role": "user", "content": "name a river"}]"#.to_vec(),
        parameters: br#"{"temperature": 0.5}"#.to_vec(),
        schema: schema.map(|schema| schema.to_string().into_bytes()),
        repairs_max: 2,
        is_streamed: true,
    }
}

struct Went {
    ended: Result<Value, Trouble>,
    said: String,
    log: String,
    spent: Spent,
}

fn go(model: Model, ask: Ask) -> Went {
    let told = Told::new();
    let secrets = HashMap::from([("KEY".to_owned(), "sk-hunter22".to_owned())]);
    let asker = Asker::of(secrets, std::env::temp_dir());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = ModelCall { model, ask };
    let ended = runtime.block_on(run(&call, &asker, &Clients::default(), &told.teller));
    let ended = ended.map(|finished| match finished.left {
        Left::Outputs(outputs) => serde_json::from_slice(&outputs).unwrap(),
        other => panic!("{other:?}"),
    });
    let (said, log) = told.logs();
    Went { ended, said, log, spent: told.spent() }
}

/// A stream of pieces, whole.
fn stream(pieces: &[&str]) -> String {
    let event = |value: Value| format!("data: {value}\n\n");
    let mut body: String = pieces
        .iter()
        .map(|piece| event(json!({"choices": [{"delta": {"content": piece}}]})))
        .collect();
    body += ": a comment\n\n";
    body += &event(json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}));
    body += &event(json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}));
    body + "data: [DONE]\n\n"
}

fn events(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n{body}")
}

fn failure(model: Model, ask: Ask) -> Failure {
    go(model, ask).ended.unwrap_err().failure
}

const BROKEN: Failure = Failure::Unreachable(Unreached::Broken);

/// What a request sent as JSON.
fn sent(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_stream_is_read_counted_and_logged() {
    let server = Server::saying(events(&stream(&["The ", "Rhine"])));
    let went = go(model(&server), Ask::Generate(generate(None)));
    let outputs = went.ended.unwrap();
    assert_eq!(outputs["text"], "The Rhine");
    assert_eq!(outputs["finish_reason"], "stop");
    assert_eq!(outputs["usage"], json!({"tokens_in": 7, "tokens_out": 3, "cost_micro": 13}));
    assert_eq!(went.said, "The Rhine\n");
    let spent = Spent { requests: 1, tokens_in: 7, tokens_out: 3, cost_micro: 13 };
    assert_eq!(went.spent, spent);
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer sk-hunter22\r\n"), "{request}");
    let body = sent(&request);
    assert_eq!((&body["model"], &body["temperature"]), (&json!("glm-4"), &json!(0.5)));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert!(!went.log.contains("hunter22"), "{}", went.log);
}

#[test]
fn an_answer_may_come_whole() {
    let whole = json!({
        "choices": [{"message": {"content": "Rhine"}, "finish_reason": "length"}],
    });
    let json = "content-type: application/json\r\n";
    let server = Server::saying(answer("200 OK", json, &whole.to_string()));
    let went = go(model(&server), Ask::Generate(generate(None)));
    let outputs = went.ended.unwrap();
    assert_eq!((&outputs["text"], &outputs["finish_reason"]), (&json!("Rhine"), &json!("length")));
    assert_eq!(outputs["usage"]["is_estimate"], true);
    let refusal = json!({"choices": [{"message": {"content": null, "refusal": "no"}}]});
    let server = Server::saying(answer("200 OK", json, &refusal.to_string()));
    assert_eq!(failure(model(&server), Ask::Generate(generate(None))), Failure::Answer);
    let server = Server::saying(answer("200 OK", json, "<html>"));
    assert_eq!(failure(model(&server), Ask::Generate(generate(None))), Failure::Answer);
}

fn river() -> Value {
    json!({
        "type": "object",
        "properties": {"river": {"type": "string"}},
        "required": ["river"],
    })
}

#[test]
fn an_answer_that_does_not_fit_is_mended() {
    let server = Server::start(|number, _, mut to| {
        let text = ["It is the Rhine.", "{\"name\": \"Rhine\"}", "{\"river\": \"Rhine\"}"][number];
        let _ = to.write_all(events(&stream(&[text])).as_bytes());
    });
    let went = go(model(&server), Ask::Generate(generate(Some(river()))));
    let outputs = went.ended.unwrap();
    assert_eq!(outputs["json"], json!({"river": "Rhine"}));
    assert_eq!(outputs["usage"]["tokens_in"], 21, "all three answers count");
    assert_eq!(went.spent.requests, 3);
    let requests: Vec<Value> = server.requests().iter().map(|request| sent(request)).collect();
    assert_eq!(requests[0]["response_format"]["json_schema"]["schema"], river());
    let messages = requests[2]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 5);
    assert_eq!(messages[1], json!({"role": "assistant", "content": "It is the Rhine."}));
    let told = messages[4]["content"].as_str().unwrap();
    assert!(told.contains("missing properties 'river'"), "{told}");
}

#[test]
fn an_answer_that_never_fits_is_given_up() {
    let server = Server::saying(events(&stream(&["no"])));
    let went = go(model(&server), Ask::Generate(generate(Some(river()))));
    assert_eq!(went.ended.unwrap_err().failure, Failure::Answer);
    assert_eq!((server.requests().len(), went.spent.tokens_out), (3, 9));
    let once = Generate { repairs_max: 0, ..generate(Some(river())) };
    assert_eq!(failure(model(&server), Ask::Generate(once)), Failure::Answer);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_stream_that_stops_in_the_middle_is_broken() {
    let whole = stream(&["The ", "Rhine"]);
    for cut in [20, 60, 110] {
        let server = Server::saying(events(&whole[..cut]));
        let went = go(model(&server), Ask::Generate(generate(None)));
        assert_eq!(went.ended.unwrap_err().failure, BROKEN, "{cut}");
        assert_eq!(went.spent.requests, 1);
    }
    let chunked = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                   transfer-encoding: chunked\r\n\r\n9\r\ndata: {\"c";
    let server = Server::saying(chunked);
    assert_eq!(failure(model(&server), Ask::Generate(generate(None))), BROKEN);
    let error = "data: {\"error\": {\"message\": \"overloaded\", \"code\": 503}}\n\n";
    let server = Server::saying(events(error));
    let told = failure(model(&server), Ask::Generate(generate(None)));
    assert_eq!(told, Failure::Status(503));
}

#[test]
fn a_stream_that_never_ends_is_bounded() {
    let endless = Server::start(|_, _, mut to| {
        let _ = to.write_all(events("").as_bytes());
        let line = format!("data: {}\n\n", json!({"choices": [{"delta": {"content": "x"}}]}));
        let many = line.repeat(1_000);
        while to.write_all(many.as_bytes()).is_ok() {}
    });
    let ask = || Ask::Generate(generate(None));
    assert_eq!(failure(model(&endless), ask()), Failure::TooLarge);
    let one_line = Server::start(|_, _, mut to| {
        let _ = to.write_all(events("data: ").as_bytes());
        while to.write_all(&[b'x'; 9_999]).is_ok() {}
    });
    assert_eq!(failure(model(&one_line), ask()), Failure::TooLarge);
    let drip = Server::start(|_, _, mut to| {
        let _ = to.write_all(events("").as_bytes());
        while to.write_all(b": wait\n").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let hasty = Model { timeout: Span::millis(500), ..model(&drip) };
    assert_eq!(failure(hasty, ask()), Failure::Unreachable(Unreached::Slow));
}

#[test]
fn who_is_busy_says_for_how_long() {
    let busy = answer("429 Too Many Requests", "retry-after: 12\r\n", "{\"error\": {}}");
    let server = Server::saying(busy);
    let trouble = go(model(&server), Ask::Generate(generate(None))).ended.unwrap_err();
    assert_eq!(trouble.failure, Failure::Status(429));
    assert_eq!(trouble.retry_after, Some(Span::secs(12)));
}

fn embed(inputs: &[&str], is_list: bool) -> Ask {
    let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
    Ask::Embed(Embed { inputs, is_list, parameters: b"{}".to_vec(), save: None })
}

#[test]
fn texts_are_embedded_in_one_request() {
    let data = json!({
        "data": [{"index": 1, "embedding": [0.5, 1.0]}, {"index": 0, "embedding": [0.25, -1.0]}],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    });
    let server = Server::saying(answer("200 OK", "", &data.to_string()));
    let went = go(model(&server), embed(&["a", "b"], true));
    let outputs = went.ended.unwrap();
    assert_eq!(outputs["embeddings"], json!([[0.25, -1.0], [0.5, 1.0]]));
    assert_eq!((&outputs["count"], &outputs["dimensions"]), (&json!(2), &json!(2)));
    assert_eq!((went.spent.tokens_in, went.spent.tokens_out), (5, 0));
    assert_eq!(sent(&server.requests()[0])["input"], json!(["a", "b"]));
    assert_eq!(failure(model(&server), embed(&["a"], false)), Failure::Answer);
    let nothing = go(model(&server), embed(&[], true)).ended.unwrap();
    assert_eq!((&nothing["embeddings"], server.requests().len()), (&json!([]), 2));
}

#[test]
fn a_model_at_the_metadata_of_a_cloud_is_not_asked() {
    let server = Server::saying("");
    let there = Model { endpoint: "http://169.254.169.254/v1".to_owned(), ..model(&server) };
    assert_eq!(failure(there, embed(&["a"], false)), Failure::Forbidden);
}
