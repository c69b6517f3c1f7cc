//! A file of parameters: a mapping from name to value, as YAML or JSON.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::node::Content;
use crate::parse::{decode, parse};
use crate::source::Source;

/// The values in a file of parameters. Nothing is known of their types here: they are given to
/// [`Workflow::bind`](crate::Workflow::bind), beneath what the command line says.
///
/// # Errors
/// The file is neither YAML nor JSON, or no mapping.
pub fn params_file(source: &Source) -> Result<BTreeMap<String, Json>, Diagnostics> {
    let mut faults = Faults::default();
    let Some(text) = decode(&source.text, &mut faults) else {
        let valid = source.text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        return Err(faults.into_diagnostics(&source.name, valid));
    };
    let mut values = BTreeMap::new();
    // A file with nothing in it gives nothing, which is no mistake here.
    if !text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
        && let Some(root) = parse(text, &mut faults)
    {
        match &root.content {
            Content::Map(entries) => values
                .extend(entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_json()))),
            _ => {
                let message =
                    format!("parameters are a mapping from name to value, not {}", root.describe());
                faults.push(Fault::new(code::WRONG_TYPE, root.extent, message));
            }
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults.into_diagnostics(&source.name, text)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, Json>, Diagnostics> {
        params_file(&Source { name: "p.yaml".to_owned(), text: text.into(), ..Source::default() })
    }

    #[test]
    fn values_keep_their_types() {
        let values = read("rate: 0.5\ndays: [mon, tue]\nname: '7'\n").expect("a mapping");
        assert_eq!(json!(values), json!({"rate": 0.5, "days": ["mon", "tue"], "name": "7"}));
        assert_eq!(json!(read("{\"a\": {\"b\": null}}").expect("JSON")), json!({"a": {"b": null}}));
        assert!(read("").expect("nothing").is_empty() && read("# later\n").is_ok());
    }

    #[test]
    fn what_is_no_mapping_is_told() {
        for (text, code) in
            [("[1]", "E0108"), ("a: [", "E0101"), ("a: 1\na: 2", "E0106"), ("x", "E0108")]
        {
            assert_eq!(read(text).expect_err(text).code().0, code, "{text}");
        }
    }
}
