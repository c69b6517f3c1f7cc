//! Environments are apart from each other, a run keeps the one it began with, and a secret is a
//! handle from the file to the worker.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;

use model::secret::SecretSource;
use model::{ItemId, TaskId, VariantId};
use serde_json::{Value, json};
use spec::{Compiled, Definition, Diagnostics, Rendered, Source, TaskOutputs, check};

const FILE: &str = r#"
params: {size: {type: int, default: 1, max: 10}, token: {type: secret, default: "env:TOKEN"}}
env: {REGION: none, KEY: plain}
timeout: 5h
max_parallel: 9
secrets: {key: {from: file, path: key.pem}}
environments:
  dev:
  staging:
    env: {REGION: "eu-{{ params.size }}"}
    params: {size: 5}
    limits: {timeout: 1h}
  production:
    env: {REGION: us}
    secrets: {key: {from: credentials, name: prod-key}}
    queue: urgent
    limits: {max_parallel: 2}
tasks:
  t:
    script: ./t {{ params.size }} {{ env.REGION }}
    env: {KEY: "{{ secrets.key }}", TOKEN: "{{ params.token }}"}
"#;

fn compile(environment: Option<&str>, given: &[(&str, Value)]) -> Result<Compiled, Diagnostics> {
    let source = Source { name: "w.yaml".into(), folder: "/w".into(), text: FILE.into() };
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    check(&source)?.choose(environment)?.bind(&given)?.compile()
}

fn render(definition: &Definition) -> Rendered {
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    definition.render((TaskId(0), ItemId(0)), VariantId(0), &nothing).unwrap()
}

fn command(environment: Option<&str>, given: &[(&str, Value)]) -> String {
    render(&compile(environment, given).unwrap().definition).argv().last().unwrap().clone()
}

#[test]
fn what_is_given_goes_before_the_environment_and_that_before_the_default() {
    assert_eq!(command(None, &[]), "./t 1 none");
    assert_eq!(command(Some("dev"), &[]), "./t 1 none");
    assert_eq!(command(Some("staging"), &[]), "./t 5 eu-5");
    assert_eq!(command(Some("staging"), &[("size", json!("7"))]), "./t 7 eu-7");
    assert_eq!(command(Some("production"), &[]), "./t 1 us");
    assert_eq!(compile(Some("prod"), &[]).unwrap_err().code(), spec::code::UNKNOWN_ENVIRONMENT);
}

#[test]
fn an_environment_limits_its_runs() {
    let options = |environment| compile(environment, &[]).unwrap().options;
    let seconds = |environment| options(environment).timeout.unwrap().0 / 1_000_000;
    assert_eq!((seconds(None), options(None).concurrency), (5 * 3600, Some(9)));
    let staging = options(Some("staging"));
    assert_eq!((seconds(Some("staging")), staging.concurrency), (3600, Some(9)));
    assert_eq!(options(Some("production")).concurrency, Some(2));
}

#[test]
fn a_definition_keeps_its_environment() {
    let compiled = compile(Some("production"), &[]).unwrap();
    let stored = Definition::from_bytes(&compiled.definition.to_bytes()).unwrap();
    assert_eq!(stored.environment(), Some("production"));
    assert_eq!(compiled.options.queue.as_deref(), Some("urgent"));
    let snapshot = json!(stored.environment_snapshot().unwrap());
    assert_eq!(
        snapshot,
        json!({
            "name": "production",
            "queue": "urgent",
            "env": {"REGION": "us"},
            "secrets": {"key": "credentials:prod-key"},
            "max_parallel": 2,
        })
    );
    assert_eq!(render(&stored), render(&compiled.definition));
    let plain = compile(None, &[]).unwrap();
    assert_eq!((plain.definition.environment(), plain.options.queue), (None, None));
    let plain = plain.definition;
    assert!(!String::from_utf8(plain.to_bytes()).unwrap().contains("environment"));
}

#[test]
fn secrets_are_handles_beside_the_variables() {
    let rendered = render(&compile(None, &[("token", json!("vault:t"))]).unwrap().definition);
    let names: Vec<&str> = rendered.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["REGION"], "the file's own KEY gives way to the secret");
    let sources: Vec<_> =
        rendered.secret_env.into_iter().map(|(name, secret)| (name, secret.source)).collect();
    let file = SecretSource::File { path: "/w/key.pem".to_owned() };
    let vault = SecretSource::Provider { provider: "vault".to_owned(), key: "t".to_owned() };
    assert_eq!(sources, [("KEY".to_owned(), file), ("TOKEN".to_owned(), vault)]);
    let production = render(&compile(Some("production"), &[]).unwrap().definition);
    let credential = SecretSource::Credentials { name: "prod-key".to_owned() };
    assert_eq!(production.secret_env[0].1.source, credential);
}

#[test]
fn a_variable_that_is_given_takes_the_place_of_a_secret() {
    let given = BTreeMap::from([("TOKEN".to_owned(), "mine".to_owned())]);
    let rendered = render(&compile(None, &[]).unwrap().definition.with_env(&given));
    assert!(rendered.env.contains(&("TOKEN".to_owned(), "mine".to_owned())));
    assert!(rendered.secret_env.iter().all(|(name, _)| name != "TOKEN"));
}

#[test]
fn a_secret_that_is_given_by_mistake_is_not_repeated() {
    for value in [json!("hunter22"), json!(["hunter22"]), json!({"hunter22": 1}), json!(22_222)] {
        let told = compile(None, &[("token", value)]).unwrap_err();
        let shown = format!("{told} {:?} {}", told, told.to_json());
        assert_eq!(told.code(), spec::code::WRONG_PARAMETER);
        assert!(!shown.contains("hunter22") && !shown.contains("22222"), "{shown}");
    }
    for file in [
        "secrets: {a: hunter22}",
        "secrets:\n  a: {from: env, value: hunter22}",
        "secrets: {a: [hunter22]}",
        "params: {a: {type: secret, default: hunter22}}",
        "params: {a: {type: secret}}\nenvironments: {e: {params: {a: hunter22}}}",
    ] {
        let text = format!("{file}\ntasks: {{t: {{script: 'true'}}}}\n");
        let source = Source { name: "w.yaml".into(), folder: "/w".into(), text: text.into() };
        let told = check(&source).unwrap_err();
        let shown = format!("{told} {told:?} {}", told.to_json());
        assert!(!shown.contains("hunter22"), "{shown}");
    }
}
