//! The keys of the schema, and which of them the cases have.
//!
//! A case is walked along the schema: where several forms are allowed, along all of them that fit
//! its kind of value. So `timeout` of a task and `timeout` of an approval are two keys.

use std::collections::BTreeSet;

use serde_json::Value;

/// The keys of a schema, by where they are declared.
pub(crate) struct Keys<'a> {
    schema: &'a Value,
    unseen: BTreeSet<String>,
}

impl<'a> Keys<'a> {
    /// All keys that `schema` declares.
    pub(crate) fn of(schema: &'a Value) -> Self {
        let mut unseen = BTreeSet::new();
        declared(schema, "", &mut unseen);
        // For editors, not for the language; templates take what tasks take, and are no other keys.
        let is_other = |key: &str| is_of_template(key) || is_second(key) || is_of_alternative(key);
        unseen.retain(|key| key != "/$schema" && !is_other(key));
        Self { schema, unseen }
    }

    /// Notes the keys of one file.
    pub(crate) fn see(&mut self, file: &Value) {
        self.walk(file, self.schema, String::new());
    }

    /// The keys that no file has had.
    pub(crate) fn unseen(self) -> Vec<String> {
        self.unseen.into_iter().collect()
    }

    fn walk(&mut self, value: &Value, schema: &'a Value, path: String) {
        if let Some(target) = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#')) {
            let next = self.schema.pointer(target).expect("a reference leads somewhere");
            self.walk(value, next, target.to_owned());
        }
        for form in ["anyOf", "allOf", "oneOf"] {
            let forms = schema[form].as_array().into_iter().flatten().enumerate();
            for (at, next) in forms {
                self.walk(value, next, format!("{path}/{form}/{at}"));
            }
        }
        if let Some(values) = value.as_array() {
            for value in values {
                self.walk(value, &schema["items"], format!("{path}/items"));
            }
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            let (next, place) = match schema["properties"].get(key) {
                Some(next) => (next, format!("{path}/properties/{key}")),
                None => (&schema["additionalProperties"], format!("{path}/additionalProperties")),
            };
            self.unseen.remove(&shown(&place));
            self.walk(value, next, place);
        }
    }
}

/// A key of a template that is one of tasks too; `params` is its own.
fn is_of_template(key: &str) -> bool {
    key.starts_with("/templates/") && !key.ends_with("/params")
}

/// A key within another word for `foreach`, which takes all that `foreach` takes.
fn is_second(key: &str) -> bool {
    ["/loop/", "/with_items/", "/withItems/", "/withParam/"].iter().any(|word| key.contains(word))
}

/// A key of what an alternative asks for, which is said as what a task asks for.
fn is_of_alternative(key: &str) -> bool {
    key.starts_with("/AlternativeFile/resources/")
}

fn declared(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                let place = format!("{path}/{key}");
                if path.ends_with("/properties") || path == "/properties" {
                    found.insert(shown(&place));
                }
                declared(value, &place, found);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                declared(value, &format!("{path}/{at}"), found);
            }
        }
        _ => {}
    }
}

/// The place of a key without what only the schema needs.
fn shown(place: &str) -> String {
    place.replace("/$defs", "").replace("/properties", "")
}
