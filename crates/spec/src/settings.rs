//! Settings of tasks and runs that can be changed while a run goes on, by the names and with the
//! values that a workflow file has for them.
//!
//! Only what a value means is known here; whether it may still be changed is decided elsewhere.

use model::policy::{Policy, Priority};
use model::{Request, Span};
use serde_json::Value as Json;

use crate::file::Deadline;
use crate::suggest::did_you_mean;
use crate::units;

/// The settings of a run.
pub const RUN_SETTINGS: [&str; 2] = ["priority", "concurrency"];
/// The settings of a task; `resources.` is followed by the name of anything else, too.
pub const TASK_SETTINGS: [&str; 12] = [
    "priority",
    "concurrency",
    "timeout",
    "grace",
    "deadline",
    "retry",
    "retry.limit",
    "retry.backoff",
    "retry.backoff_max",
    "resources.cpu",
    "resources.memory",
    "resources.gpu",
];

/// Sets a setting of a run.
///
/// # Errors
/// There is no such setting, or it has no such value; for people.
pub fn set_of_run(
    (priority, concurrency): (&mut Priority, &mut Option<u32>),
    key: &str,
    value: &Json,
) -> Result<(), String> {
    match key {
        "priority" => *priority = self::priority(value)?,
        "concurrency" => *concurrency = limit(value)?,
        _ => return Err(unknown(key, "a run", &RUN_SETTINGS)),
    }
    Ok(())
}

/// Sets a setting of a task.
///
/// # Errors
/// There is no such setting, or it has no such value; for people.
pub fn set_of_task(policy: &mut Policy, key: &str, value: &Json) -> Result<(), String> {
    match key {
        "priority" => policy.priority = priority(value)?,
        "concurrency" => policy.concurrency = limit(value)?,
        "timeout" => policy.timeout = or_none(value, |text| positive(units::duration(text)?))?,
        "grace" => policy.grace = units::duration(&text(value)?)?,
        "deadline" => {
            policy.deadline = or_none(value, |text| Deadline::parse(text).map(|it| it.0))?;
        }
        "retry" | "retry.limit" => policy.retry.limit = number(value, 255)?,
        "retry.backoff" => policy.retry.backoff = units::duration(&text(value)?)?,
        "retry.backoff_max" => policy.retry.backoff_max = units::duration(&text(value)?)?,
        _ => match key.strip_prefix("resources.") {
            Some(resource) if !resource.is_empty() => {
                request(&mut policy.request, resource, value)?;
            }
            _ => return Err(unknown(key, "a task", &TASK_SETTINGS)),
        },
    }
    Ok(())
}

fn request(request: &mut Request, resource: &str, value: &Json) -> Result<(), String> {
    match resource {
        "cpu" => request.cpu_milli = units::cpu_milli(&text(value)?)?,
        "memory" => request.memory_bytes = units::bytes(&text(value)?)?,
        custom => {
            let amount: u32 = number(value, u32::MAX.into())?;
            let mut amounts = request.custom.to_vec();
            amounts.retain(|(name, _)| **name != *custom);
            if amount > 0 {
                amounts.push((custom.into(), amount.into()));
            }
            amounts.sort();
            request.custom = amounts.into();
        }
    }
    Ok(())
}

fn unknown(key: &str, of: &str, known: &[&str]) -> String {
    let meant = did_you_mean(key, known.iter().copied());
    let meant = meant.map_or_else(|| format!("there are {}", known.join(", ")), |meant| meant);
    format!("`{key}` is no setting of {of} that can be changed; {meant}")
}

fn priority(value: &Json) -> Result<Priority, String> {
    number(value, Priority::MAX.0.into()).map(Priority)
}

/// A limit, at least 1; without one.
fn limit(value: &Json) -> Result<Option<u32>, String> {
    or_none(value, |text| match text.parse() {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(format!("`{text}` is no whole number from 1")),
    })
}

fn number<T: TryFrom<u64>>(value: &Json, max: u64) -> Result<T, String> {
    let text = text(value)?;
    let number = text.parse().ok().filter(|&number: &u64| number <= max);
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("`{text}` is no whole number from 0 to {max}"))
}

fn or_none<T>(
    value: &Json,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if value.is_null() {
        return Ok(None);
    }
    match &*text(value)? {
        "none" => Ok(None),
        text => read(text).map(Some),
    }
}

fn positive(span: Span) -> Result<Span, String> {
    if span == Span::ZERO { Err("it has to be longer than nothing".to_owned()) } else { Ok(span) }
}

/// A value as it is typed.
fn text(value: &Json) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        _ => Err(format!("`{value}` is neither a text nor a number")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_take_what_a_file_has_for_them() {
        let mut policy = Policy::default();
        let set = [
            ("priority", json!("80")),
            ("concurrency", json!(4)),
            ("timeout", json!("1h30m")),
            ("retry.limit", json!("3")),
            ("resources.memory", json!("8Gi")),
            ("resources.cpu", json!("500m")),
            ("resources.gpu", json!("2")),
            ("resources.license", json!("1")),
        ];
        for (key, value) in &set {
            set_of_task(&mut policy, key, value).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
        assert_eq!((policy.priority, policy.concurrency), (Priority(80), Some(4)));
        assert_eq!((policy.timeout, policy.retry.limit), (Some(Span::secs(5_400)), 3));
        assert_eq!(policy.request.memory_bytes, 8 << 30);
        assert_eq!(policy.request.custom.len(), 2);
        set_of_task(&mut policy, "concurrency", &json!("none")).expect("no limit");
        set_of_task(&mut policy, "resources.gpu", &json!(0)).expect("none of it");
        assert_eq!((policy.concurrency, policy.request.custom.len()), (None, 1));
    }

    #[test]
    fn what_is_no_setting_is_told_with_what_may_be_meant() {
        let mut policy = Policy::default();
        let mut set = |key: &str, value: Json| set_of_task(&mut policy, key, &value);
        let error = set("timout", json!("1h")).expect_err("mistyped");
        assert!(error.contains("timeout"), "{error}");
        assert!(set("priority", json!(101)).is_err());
        assert!(set("concurrency", json!(0)).is_err());
        assert!(set("timeout", json!("0s")).is_err());
        assert!(set("resources.", json!(1)).is_err());
        assert!(set("resources.memory", json!("much")).is_err());
        let (mut priority, mut concurrency) = (Priority::default(), None);
        let error = set_of_run((&mut priority, &mut concurrency), "timeout", &json!("1h"));
        assert!(error.is_err());
    }
}
