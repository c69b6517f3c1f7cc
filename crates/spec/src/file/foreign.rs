//! Keys that a file may not have, and what to write instead: the words of other tools, and those of
//! later versions of the language. Nothing here is read.

use crate::read::{Foreign, Instead};

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

const fn means(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Means(ours) }
}

const fn later(key: &'static str) -> Foreign {
    Foreign { key, what: Instead::Later(None) }
}

const fn until_then(key: &'static str, advice: &'static str) -> Foreign {
    Foreign { key, what: Instead::Later(Some(advice)) }
}

const fn ignored(key: &'static str) -> Foreign {
    Foreign { key, what: Instead::Ignored }
}

/// At the top of a file.
pub(crate) const WORKFLOW: &[Foreign] = &[
    write("parameters", "params"),
    write("inputs", "params"),
    write("environment", "env"),
    write("steps", "tasks"),
    write("jobs", "tasks"),
    write("nodes", "tasks"),
    write("apiVersion", "version"),
    write("parallelism", "max_parallel"),
    write("concurrency", "max_parallel"),
    write("max_active_steps", "max_parallel"),
    write("fail_fast", "on_failure: stop"),
    write("cwd", "working_dir"),
    write("tags", "labels"),
    write("rate", "rates"),
    write("breaker", "breakers"),
    write("circuit_breakers", "breakers"),
    write("max_cost", "cost_limit"),
    write("budget", "cost_limit"),
    write("rate_limits", "rates"),
    write("mutexes", "locks"),
    write("semaphores", "locks"),
    until_then("handlers", "give a task `on: failure`, `success`, `cancel` or `exit`"),
    until_then(
        "defaults",
        "share values by a YAML anchor: `x-defaults: &defaults`, `<<: *defaults`",
    ),
    until_then("retry", "give each task a `retry`"),
    later("schedule"),
    later("on"),
    later("actions"),
    later("include"),
    later("recovery"),
    later("checkpoint_interval"),
    later("auto_resume"),
    later("storage_backend"),
    ignored("$schema"),
    ignored("x-"),
];

/// In a task.
pub(crate) const TASK: &[Foreign] = &[
    write("run", "script"),
    write("bash", "script"),
    write("cmd", "command"),
    write("args", "command"),
    write("id", "name"),
    write("needs", "depends_on"),
    write("depends", "depends_on"),
    write("dependencies", "depends_on"),
    write("upstream", "depends_on"),
    write("environment", "env"),
    write("cwd", "working_dir"),
    write("dir", "working_dir"),
    write("workdir", "working_dir"),
    write("retries", "retry"),
    write("retry_policy", "retry"),
    write("max_retries", "retry"),
    means("loop", "foreach"),
    means("with_items", "foreach"),
    means("withItems", "foreach"),
    means("withParam", "foreach"),
    write("for_each", "foreach"),
    write("items", "foreach"),
    write("matrix", "foreach: {matrix: ...}"),
    write("if", "when"),
    write("condition", "when"),
    write("trigger_rule", "join"),
    write("parallelism", "max_parallel"),
    write("concurrency", "max_parallel"),
    write("max_iterations", "max_rounds"),
    write("continue_on", "on_failure: continue"),
    write("steps", "tasks"),
    write("undo", "compensate"),
    write("requests", "resources"),
    until_then(
        "type",
        "say what it means by a template of its name, here or in `templates.yaml` beside the file",
    ),
    until_then("handler", "call it from a `script`: `python3 -c 'import functions; ...'`"),
    until_then(
        "action",
        "say what it means by a template of its name, here or in `templates.yaml` beside the file",
    ),
    write("image", "container: {image: ...}"),
    write("model", "llm_generate: {model: ...}"),
    write("prompt", "llm_generate: {prompt: ...}"),
    write("prompt_template", "llm_generate: {prompt_template: ...}"),
    write("url", "http"),
    later("inputs"),
    later("outputs"),
    later("checkpoint"),
    write("lock", "locks"),
    write("mutex", "locks"),
    write("semaphore", "locks"),
    write("rates", "rate"),
    write("breakers", "breaker"),
    write("circuit_breaker", "breaker"),
    write("rate_limit", "rate"),
    write("tags", "labels"),
    write("artifact", "artifacts"),
    write("memoize", "cache"),
    write("limits", "resources: {limits: ...}"),
    write("variants", "alternatives"),
    write("fallback", "alternatives"),
    write("node_selector", "select"),
    write("nodeSelector", "select"),
    write("affinity", "select"),
    write("constraints", "select"),
    write("tolerations", "tolerate"),
    write("ignored_taints", "tolerate"),
    ignored("x-"),
];

/// In one of `alternatives`.
pub(crate) const ALTERNATIVE: &[Foreign] = &[
    write("cpu", "resources: {cpu: ...}"),
    write("memory", "resources: {memory: ...}"),
    write("gpu", "resources: {gpu: ...}"),
    write("duration", "expected"),
    write("time", "expected"),
];

/// In an approval or a signal.
pub(crate) const WAITING: &[Foreign] = &[
    write("text", "message"),
    write("title", "message"),
    write("expires", "timeout"),
    write("otherwise", "default"),
    later("approvers"),
];

/// In a wait.
pub(crate) const WAIT: &[Foreign] = &[
    write("path", "file"),
    write("url", "http"),
    write("seconds", "for"),
    write("duration", "for"),
    write("interval", "every"),
    write("time", "until"),
    write("default", "timeout"),
];

/// In a rule of a decision.
pub(crate) const RULE: &[Foreign] = &[
    means("when", "rule"),
    means("if", "rule"),
    write("condition", "rule"),
    write("then", "action"),
    write("goto", "action"),
    write("route", "action: {route: ...}"),
    write("value", "action: {value: ...}"),
];

/// In a rate.
pub(crate) const RATE: &[Foreign] =
    &[write("amount", "limit"), write("period", "per"), write("interval", "per")];

/// In a breaker.
pub(crate) const BREAKER: &[Foreign] = &[
    write("threshold", "failures"),
    write("failure_threshold", "failures"),
    write("max_failures", "failures"),
    write("timeout", "open"),
    write("reset_timeout", "open"),
    write("cooldown", "open"),
    write("half_open", "trials"),
    write("half_open_requests", "trials"),
];

/// In the growth of memory.
pub(crate) const GROWTH: &[Foreign] =
    &[write("by", "factor"), write("times", "factor"), write("limit", "max")];

/// In `artifacts`, and in one of them.
pub(crate) const ARTIFACTS: &[Foreign] = &[
    write("outputs", "out"),
    write("output", "out"),
    write("inputs", "in"),
    write("input", "in"),
    write("path", "to"),
];

/// In `cache`.
pub(crate) const CACHE: &[Foreign] = &[
    write("keys", "key"),
    write("paths", "files"),
    write("ttl", "expires"),
    write("expiry", "expires"),
    write("max_age", "expires"),
];

/// In `retry`.
pub(crate) const RETRY: &[Foreign] = &[
    write("max_retries", "limit"),
    write("attempts", "limit"),
    write("count", "limit"),
    write("delay", "backoff"),
    write("interval", "backoff"),
    write("interval_sec", "backoff"),
    write("max_interval", "backoff_max"),
    write("max_backoff", "backoff_max"),
    write("exit_code", "exit_codes"),
    write("when", "on"),
    write("only", "on"),
    write("except", "never"),
    write("not_on", "never"),
    until_then("backoff_strategy", "back-off is exponential, from `backoff` up to `backoff_max`"),
];

/// In the declaration of a parameter.
pub(crate) const DECLARATION: &[Foreign] = &[
    write("value", "default"),
    until_then("required", "a parameter without a `default` is required"),
    write("choices", "enum"),
    write("options", "enum"),
    write("values", "enum"),
    write("regex", "pattern"),
    write("minimum", "min"),
    write("min_length", "min"),
    write("maximum", "max"),
    write("max_length", "max"),
    write("help", "description"),
];
