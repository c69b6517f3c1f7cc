//! Environments and secrets of a file: what they set must exist and fit.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::parameters::Declared;
use super::{check_name, task};
use model::queue::SEPARATOR;

use crate::code;
use crate::diagnostic::{Fault, Faults, Lines};
use crate::environment::{Environment, Surroundings, unknown_hint};
use crate::file::{EnvironmentFile, Overrides, Secrets, WorkflowFile};
use crate::params::{Located, ParameterType, convert};
use crate::read::Placed;
use crate::secret::SourceText;
use crate::suggest::did_you_mean;

/// What the environments and secrets of a file are made of.
#[derive(Clone, Copy)]
pub(super) struct Scene<'f> {
    pub file: &'f WorkflowFile,
    pub parameters: &'f [Declared],
}

/// A queue is named with those above it: `research/vision`.
fn check_path(queue: &Placed<String>, faults: &mut Faults) {
    for name in queue.value.split(SEPARATOR) {
        let name = Placed { value: name.to_owned(), extent: queue.extent };
        let before = faults.count();
        check_name("a queue", &name, faults);
        if faults.count() > before {
            return;
        }
    }
}

pub(super) fn check(scene: Scene<'_>, faults: &mut Faults) {
    if let Some(queue) = &scene.file.queue {
        check_path(queue, faults);
    }
    let environments = scene.file.environments.iter().flat_map(|it| &it.0);
    for (name, environment) in environments.clone() {
        check_name("an environment", name, faults);
        if let Some(queue) = &environment.queue {
            check_path(queue, faults);
        }
        if let Some(limits) = &environment.limits {
            task::time_limit(limits.timeout.as_ref(), faults);
        }
        if let Some(overrides) = &environment.params {
            check_overrides(overrides, scene.parameters, faults);
        }
    }
    if let Some(default) = &scene.file.default_environment
        && environments.clone().all(|(name, _)| name.value != default.value)
    {
        let names = environments.map(|(name, _)| name.value.as_str());
        let message = format!("there is no environment `{}`", default.value);
        let fault = Fault::new(code::UNKNOWN_ENVIRONMENT, default.extent, message);
        faults.push(fault.hint(unknown_hint(&default.value, names)));
    }
}

fn check_overrides(overrides: &Overrides, parameters: &[Declared], faults: &mut Faults) {
    for (name, value) in &overrides.0 {
        let declared = parameters.iter().find(|it| it.parameter.name == name.value);
        let Some(Declared { parameter, extent }) = declared else {
            let names = parameters.iter().map(|it| it.parameter.name.as_str());
            let message = format!("there is no parameter `{}`", name.value);
            let fault = Fault::new(code::UNKNOWN_PARAMETER, name.extent, message);
            faults.push(fault.hint_if(did_you_mean(&name.value, names)));
            continue;
        };
        let kind = parameter.kind;
        let broken = match convert(&value.value, kind) {
            Ok(converted) => parameter.rules.check(&converted).err(),
            Err(found) => Some(format!("takes {kind}, not {found}")),
        };
        if let Some(broken) = broken {
            let message = format!("parameter `{}` {broken}", name.value);
            let fault = match kind {
                ParameterType::Secret => {
                    Fault::new(code::WRONG_PARAMETER, name.extent, message).private()
                }
                _ => Fault::new(code::WRONG_PARAMETER, value.extent, message),
            };
            let fault = fault.related(*extent, "declared here");
            faults.push(fault.hint_if(kind.example().map(|example| format!("write {example}"))));
        }
    }
}

/// The surroundings of a file without faults.
pub(super) fn compile(scene: Scene<'_>, folder: &Path, lines: &Lines<'_>) -> Surroundings {
    let WorkflowFile { environments, default_environment, secrets, env, .. } = scene.file;
    let environments = environments.iter().flat_map(|it| &it.0);
    let environments: Vec<Environment> =
        environments.map(|(name, file)| environment(name, file, (scene, folder, lines))).collect();
    let default = default_environment.as_ref().map(|default| &default.value);
    Surroundings {
        chosen: environments.iter().position(|it| Some(&it.name) == default),
        environments,
        secrets: sources(secrets.as_ref(), folder),
        env: env.iter().flat_map(|env| &env.0).map(|(name, _)| name.value.clone()).collect(),
    }
}

fn environment(
    name: &Placed<String>,
    file: &EnvironmentFile,
    (scene, folder, lines): (Scene<'_>, &Path, &Lines<'_>),
) -> Environment {
    let limits = file.limits.as_ref();
    let env = file.env.iter().flat_map(|env| &env.0).map(|(name, text)| {
        let located = Located { text: text.value.clone(), place: lines.place(text.extent) };
        (name.value.clone(), located)
    });
    Environment {
        name: name.value.clone(),
        place: lines.place(name.extent),
        description: file.description.clone(),
        env: env.collect(),
        params: overrides(file, scene.parameters),
        secrets: sources(file.secrets.as_ref(), folder),
        queue: file.queue.as_ref().map(|queue| queue.value.clone()),
        max_parallel: limits
            .and_then(|limits| limits.max_parallel)
            .and_then(|count| u32::try_from(count.0).ok()),
        timeout: limits.and_then(|limits| Some(limits.timeout.as_ref()?.value.0)),
    }
}

fn overrides(file: &EnvironmentFile, parameters: &[Declared]) -> BTreeMap<String, Json> {
    let overrides = file.params.iter().flat_map(|params| &params.0);
    let converted = overrides.filter_map(|(name, value)| {
        let declared = parameters.iter().find(|it| it.parameter.name == name.value)?;
        Some((name.value.clone(), convert(&value.value, declared.parameter.kind).ok()?))
    });
    converted.collect()
}

fn sources(secrets: Option<&Secrets>, folder: &Path) -> BTreeMap<String, SourceText> {
    let secrets = secrets.into_iter().flat_map(|secrets| &secrets.0);
    secrets.map(|(name, source)| (name.value.clone(), source.clone().within(folder))).collect()
}
