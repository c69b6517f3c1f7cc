//! A function that is called in a process that stays warm, from the settings of its task.

use model::limits::RENDERED_BYTES_MAX;
use model::policy::Policy;
use model::work::{Batch, Call, Does, Keep};
use model::{Request, Span};
use serde_json::{Value as Json, json};

use crate::units;

/// How many items one call may take.
pub(crate) const BATCH_MAX: u32 = 4_096;
/// How many calls may be sent ahead to a process.
pub(crate) const PREFETCH_MAX: u32 = 255;
/// How long an item waits for others, if nothing is said.
const WINDOW: Span = Span::millis(10);

/// What is wrong with the name of a function, in words.
pub(crate) fn handler_fault(text: &str) -> Option<String> {
    let is_name = |word: &str| {
        let mut letters = word.chars();
        letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let are_names = |path: &str| path.split('.').all(is_name);
    let fits = match text.split_once(':') {
        Some((module, name)) => are_names(module) && are_names(name),
        None => is_name(text),
    };
    if fits {
        return None;
    }
    let short: String = text.chars().take(60).collect();
    Some(match text.rsplit_once('.') {
        Some((module, name)) if !text.contains(':') && are_names(module) && is_name(name) => {
            format!("`{short}` does not say where the module ends: write `{module}:{name}`")
        }
        _ => format!("`{short}` is no name of a function"),
    })
}

/// The settings as they are kept. A task with items is called with the item, if nothing is said.
pub(crate) fn settled(mut settings: Json, item: Option<&str>) -> Json {
    if let (Some(fields), Some(item)) = (settings.as_object_mut(), item) {
        fields.entry("args").or_insert_with(|| json!([format!("{{{{ {item} }}}}")]));
    }
    settings
}

/// What one item asks for: its share, where one process serves several at a time.
pub(crate) fn shared(request: Request, settings: &Json) -> Request {
    let number = |value: &Json, otherwise| number(value).unwrap_or(otherwise);
    let items = number(&settings["batch"]["max_size"], 1);
    let ahead = number(&settings["prefetch"], 0).saturating_add(1);
    let share = u64::from(items.saturating_mul(ahead)).max(1);
    Request {
        cpu_milli: request.cpu_milli.div_ceil(share),
        memory_bytes: request.memory_bytes.div_ceil(share),
        ..request
    }
}

/// The same for a policy.
pub(crate) fn share(policy: &mut Policy, settings: &Json) {
    let alternatives = policy.alternatives.iter_mut().map(|it| &mut it.request);
    for request in std::iter::once(&mut policy.request).chain(alternatives) {
        *request = shared(std::mem::take(request), settings);
    }
}

/// A whole number, which may stand there as a text.
fn number(value: &Json) -> Option<u32> {
    match value {
        Json::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// What a worker does.
pub(super) fn call(settings: &Json) -> Result<Does, String> {
    let text = |key: &str| settings[key].as_str().unwrap_or_default().to_owned();
    let span = |value: &Json| {
        let text = text_of(value)?;
        Some(units::duration(text.trim()).map_err(|reason| format!("`function`: {reason}")))
    };
    let arguments = match &settings["args"] {
        Json::Null => b"[]".to_vec(),
        args @ (Json::Object(_) | Json::Array(_)) => json_bytes(args)?,
        single => json_bytes(&json!([single]))?,
    };
    let batch = match number(&settings["batch"]["max_size"]) {
        Some(items_max) => {
            let window = span(&settings["batch"]["window"]).transpose()?.unwrap_or(WINDOW);
            Some(Batch { items_max, window })
        }
        None => None,
    };
    let memory = text_of(&settings["max_memory"]).map(|text| units::bytes(&text)).transpose()?;
    Ok(Does::Call(Box::new(Call {
        handler: text("handler"),
        arguments,
        python: text("python"),
        batch,
        prefetch: number(&settings["prefetch"]).unwrap_or(0),
        keep: Keep {
            calls_max: number(&settings["max_calls_per_process"]),
            idle: span(&settings["keep_warm"]).transpose()?,
            memory_bytes_max: memory,
        },
    })))
}

fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn json_bytes(value: &Json) -> Result<Vec<u8>, String> {
    let bytes = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    if bytes.len() > RENDERED_BYTES_MAX {
        return Err(format!(
            "the arguments are {} bytes of JSON, and may be {RENDERED_BYTES_MAX}: put large data \
             into a file, and give its path",
            bytes.len()
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(settings: &Json) -> Call {
        match call(settings) {
            Ok(Does::Call(call)) => *call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_of_functions() {
        for fine in ["f", "_f1", "m:f", "a.b.c:f", "a:K.make", "größe:f"] {
            assert_eq!(handler_fault(fine), None, "{fine}");
        }
        for wrong in ["", "a b", "a:", ":f", "a..b:f", "1a", "a:b:c", "{{ x }}", "a/b.py:f"] {
            assert!(handler_fault(wrong).is_some(), "{wrong}");
        }
        assert!(handler_fault("a.b.f").unwrap().contains("write `a.b:f`"));
    }

    #[test]
    fn arguments_are_by_name_by_place_or_one() {
        let arguments = |args: Json| made(&json!({"handler": "f", "args": args})).arguments;
        assert_eq!(arguments(json!({"a": 1})), br#"{"a":1}"#);
        assert_eq!(arguments(json!([1, [2]])), b"[1,[2]]");
        assert_eq!(arguments(json!("x")), br#"["x"]"#);
        assert_eq!(made(&json!({"handler": "f"})).arguments, b"[]");
        let settings = settled(json!({"handler": "f"}), Some("item"));
        assert_eq!(settings["args"], json!(["{{ item }}"]));
        let own = settled(json!({"handler": "f", "args": {}}), Some("item"));
        assert_eq!(own["args"], json!({}));
        let long = "x".repeat(RENDERED_BYTES_MAX);
        assert!(call(&json!({"args": long})).unwrap_err().contains("put large data into a file"));
    }

    #[test]
    fn items_of_one_call_ask_for_a_share() {
        let whole = Request { cpu_milli: 1_000, memory_bytes: 100, ..Request::default() };
        let asked = |settings: Json| {
            let request = shared(whole.clone(), &settings);
            (request.cpu_milli, request.memory_bytes)
        };
        assert_eq!(asked(json!({})), (1_000, 100));
        assert_eq!(asked(json!({"batch": {"max_size": 32}})), (32, 4));
        assert_eq!(asked(json!({"prefetch": 3})), (250, 25));
        assert_eq!(asked(json!({"batch": {"max_size": "2"}, "prefetch": "1"})), (250, 25));
    }

    #[test]
    fn settings_become_what_a_worker_needs() {
        let call = made(&json!({
            "handler": "m:f", "python": ".venv", "batch": {"max_size": 8}, "keep_warm": 2,
            "max_memory": "1Ki", "max_calls_per_process": 5,
        }));
        assert_eq!(call.batch, Some(Batch { items_max: 8, window: WINDOW }));
        let keep =
            Keep { calls_max: Some(5), idle: Some(Span::secs(2)), memory_bytes_max: Some(1_024) };
        assert_eq!((call.keep, call.python.as_str()), (keep, ".venv"));
    }
}
