//! The JSON Schemas of workflow files and of test files, for editors: generated from the types that
//! read them.
//!
//! It says what a key takes, not how keys fit each other beyond the simplest rules; the check says
//! the rest.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value as Json, json};

use crate::cases;
use crate::file::foreign::TASK;
use crate::file::{TaskFile, WorkflowFile};
use crate::read::Instead;

/// The JSON Schema (draft 2020-12) of workflow files.
#[must_use]
pub fn schema() -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<WorkflowFile>();
    RecursiveTransform(forget_null).transform(&mut schema);
    schema.insert("title".to_owned(), json!("Open-AutoGLM workflow"));
    schema.insert("anyOf".to_owned(), one_of_keys(&["tasks", "task_graph", "decision_node"]));
    schema.insert("patternProperties".to_owned(), json!({"^x-": true}));
    if let Some(Json::Object(properties)) = schema.get_mut("properties") {
        properties.insert("$schema".to_owned(), json!({"type": "string"}));
    }
    let task = format!("/$defs/{}", TaskFile::schema_name());
    if let Some(Json::Object(task)) = schema.pointer_mut(&task) {
        // Any of them may come from a template, so that none has to be there.
        task.insert("not".to_owned(), json!({"required": ["script", "command"]}));
        if let Some(Json::Object(properties)) = task.get_mut("properties") {
            second_words(properties);
        }
        task.insert("patternProperties".to_owned(), json!({"^x-": true}));
        let template = json!({
            "description": "The arguments of the template that is the name of the key.",
            "type": ["object", "null"]
        });
        task.insert("additionalProperties".to_owned(), template);
    }
    schema.to_value()
}

/// The JSON Schema (draft 2020-12) of the test files of workflows.
#[must_use]
pub fn tests_schema() -> Json {
    let mut schema = cases::of_files(SchemaSettings::draft2020_12().into_generator());
    RecursiveTransform(forget_null).transform(&mut schema);
    schema.insert("title".to_owned(), json!("Tests of an Open-AutoGLM workflow"));
    schema.insert("required".to_owned(), json!(["workflow", "tests"]));
    if let Some(Json::Object(test)) = schema.pointer_mut("/$defs/CaseKeys") {
        test.insert("required".to_owned(), json!(["name", "expect"]));
    }
    schema.to_value()
}

/// One of these keys has to be there. `result` may stand beside a script or a command.
fn one_of_keys(keys: &[&str]) -> Json {
    let required = |key: &&str| match *key {
        "result" => {
            let work = json!([{"required": ["script"]}, {"required": ["command"]}]);
            json!({"required": ["result"], "not": {"anyOf": work}})
        }
        key => json!({"required": [key]}),
    };
    keys.iter().map(required).collect()
}

/// Words with the meaning of a key take what the key takes.
fn second_words(properties: &mut Map<String, Json>) {
    for foreign in TASK {
        if let Instead::Means(ours) = foreign.what
            && let Some(known) = properties.get(ours).cloned()
        {
            properties.insert(foreign.key.to_owned(), known);
        }
    }
}

/// A key that may be absent may not be `null`: takes out what the `Option`s of the types put in.
fn forget_null(schema: &mut Schema) {
    if let Some(Json::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Json::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Json::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| *choice != json!({"type": "null"}));
    if let [Json::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        only.into_iter().for_each(|(key, value)| {
            schema.insert(key, value);
        });
    }
}
