//! Holds `docs/reference/workflow-keys.md` to the JSON Schema: below its marker stands every key of
//! the language, with what it takes and means.
//!
//! After a change: `UPDATE=1 cargo test -p spec --test keys`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value};

const PAGE: &str = "../../docs/reference/workflow-keys.md";
/// What stands above it is written by hand.
const MARKER: &str = "<!-- Below: written by a test from the JSON Schema. -->\n";

/// The mappings of the language: the heading, and the name of the schema's definition.
const MAPPINGS: &[(&str, &str)] = &[
    ("Of a task", "TaskFile"),
    ("Of `gpu`", "GpuFile"),
    ("Of one of `alternatives`", "AlternativeFile"),
    ("Of `retry`", "RetryFile"),
    ("Of `approval`", "ApprovalFile"),
    ("Of `signal`", "SignalFile"),
    ("Of `wait`", "WaitFile"),
    ("Of a rule of a decision", "RuleFile"),
    ("Of a parameter", "DeclarationFile"),
    ("Of an environment", "EnvironmentFile"),
    ("Of `limits` of an environment", "LimitsFile"),
    ("Of a secret", "SecretFile"),
    ("Of `artifacts`", "ArtifactsFile"),
    ("Of an artifact that a task is given", "InFile"),
    ("Of `cache`", "CacheFile"),
    ("Of a rate", "RateFile"),
    ("Of `sleep`", "SleepFile"),
    ("Of a breaker", "BreakerFile"),
    ("Of `retry.memory`", "GrowthFile"),
    ("Of `function`", "FunctionFile"),
    ("Of `batch` of a function", "BatchFile"),
    ("Of `container`", "ContainerFile"),
    ("Of `http`", "HttpFile"),
    ("Of `auth` of a request", "AuthFile"),
    ("Of `basic` of a request", "BasicFile"),
    ("Of `tls` of a request", "TlsFile"),
    ("Of a model", "ModelFile"),
    ("Of the `price` of a model", "PriceFile"),
    ("Of `llm_generate`", "GenerateFile"),
    ("Of `llm_embed`", "EmbedFile"),
];
/// Other words with the meaning of `foreach`, which a table says in one line each.
const MEAN_FOREACH: &[&str] = &["loop", "withItems", "withParam", "with_items"];

#[test]
fn the_page_has_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).expect("the page is there");
    let (by_hand, written) = page.split_once(MARKER).expect("the marker is there");
    let fresh = tables(&spec::schema());
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{by_hand}{MARKER}{fresh}")).expect("written");
    } else {
        assert!(written == fresh, "UPDATE=1 cargo test -p spec --test keys");
    }
}

fn tables(schema: &Value) -> String {
    let mut text = String::from("\n## Of the file\n");
    text.push_str(&table(schema, schema, &[]));
    for (heading, name) in MAPPINGS {
        let definition = &schema["$defs"][name];
        write!(text, "\n## {heading}\n").expect("a string");
        text.push_str(&table(schema, definition, MEAN_FOREACH));
        if *name == "TaskFile" {
            text.push_str("\n## Of `foreach`\n");
            let forms = &definition["properties"]["foreach"]["anyOf"];
            let mapping = forms.as_array().and_then(|forms| forms.last());
            text.push_str(&table(schema, mapping.expect("`foreach` takes a mapping"), &[]));
        }
    }
    let names = MAPPINGS.iter().map(|(_, name)| *name).collect::<Vec<_>>();
    for (name, definition) in schema["$defs"].as_object().expect("definitions") {
        let is_mapping = definition.get("properties").is_some();
        assert!(!is_mapping || names.contains(&name.as_str()), "{name} stands in no table");
    }
    text
}

fn table(schema: &Value, mapping: &Value, others: &[&str]) -> String {
    let properties = mapping["properties"].as_object().expect("a mapping");
    let mut text = String::from("\n| Key | Takes | Means |\n|---|---|---|\n");
    for (key, value) in properties.iter().filter(|(key, _)| *key != "$schema") {
        let (takes, means) = match others.contains(&key.as_str()) {
            true => ("what `foreach` takes".to_owned(), "another word for `foreach`".to_owned()),
            false => (takes(schema, value), means(schema, value)),
        };
        writeln!(text, "| `{key}` | {takes} | {means} |").expect("a string");
    }
    text
}

/// The description of a key, or else of what it refers to.
fn means(schema: &Value, value: &Value) -> String {
    let target = value["$ref"].as_str().and_then(|text| schema.pointer(&text[1..]));
    let text = value["description"].as_str();
    let text = text.or_else(|| target?["description"].as_str()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// What a value may be, in words.
fn takes(schema: &Value, value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str() {
        let target = schema.pointer(&name[1..]).expect("it leads somewhere");
        let found = MAPPINGS.iter().find(|(_, known)| name.ends_with(&format!("/{known}")));
        return match found {
            Some((heading, _)) => format!("[a mapping](#{})", anchor(heading)),
            None => takes(schema, target),
        };
    }
    for form in ["anyOf", "oneOf", "allOf"] {
        if let Some(forms) = value[form].as_array() {
            let is_duration = forms.iter().any(|form| has_example(form, "PT5M"));
            if is_duration {
                return "a duration".to_owned();
            }
            let mut words: Vec<String> = forms.iter().map(|form| takes(schema, form)).collect();
            words.dedup();
            return words.join(", or ");
        }
    }
    if let Some(values) = value["enum"].as_array() {
        // A number and its text are written alike.
        let mut words: Vec<String> = Vec::new();
        for word in values.iter().filter(|value| !value.is_null()).map(code) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        return words.join(", ");
    }
    if let Some(value) = value.get("const") {
        return code(value);
    }
    if has_example(value, "{{ params.report }}") {
        return "an expression".to_owned();
    }
    match &value["type"] {
        Value::String(kind) => of_type(schema, kind, value),
        Value::Array(kinds) => {
            let words = kinds.iter().filter_map(Value::as_str);
            words.map(|kind| of_type(schema, kind, value)).collect::<Vec<_>>().join(", or ")
        }
        _ => "any value".to_owned(),
    }
}

fn of_type(schema: &Value, kind: &str, value: &Value) -> String {
    match kind {
        "integer" => match (value["minimum"].as_u64(), value["maximum"].as_u64()) {
            (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
            _ => "a whole number".to_owned(),
        },
        "number" => "a number".to_owned(),
        "string" => "a text".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => match value.get("items") {
            Some(items) => format!("a list, each {}", takes(schema, items)),
            None => "a list".to_owned(),
        },
        "object" => of_mapping(schema, value),
        _ => "nothing".to_owned(),
    }
}

fn of_mapping(schema: &Value, value: &Value) -> String {
    let none = Map::new();
    let properties = value["properties"].as_object().unwrap_or(&none);
    let keys: Vec<String> = properties.keys().map(|key| format!("`{key}`")).collect();
    let rest = value.get("additionalProperties").filter(|rest| rest.is_object());
    match (keys.is_empty(), rest) {
        // A template is a task with parameters: its keys are a table already.
        _ if keys.len() > 9 => "[a mapping](#of-a-task)".to_owned(),
        (true, Some(rest)) => format!("a mapping from a name to {}", takes(schema, rest)),
        (true, None) => "a mapping".to_owned(),
        (false, None) => format!("a mapping with {}", keys.join(", ")),
        (false, Some(rest)) => {
            format!(
                "a mapping with {}, and from other names to {}",
                keys.join(", "),
                takes(schema, rest)
            )
        }
    }
}

fn has_example(value: &Value, example: &str) -> bool {
    value["examples"].as_array().is_some_and(|all| all.iter().any(|one| one == example))
}

fn code(value: &Value) -> String {
    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace('`', "").replace(' ', "-")
}
