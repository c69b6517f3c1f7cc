//! What an attempt asks for, and the most that it may use.

use model::Request;
use model::policy::Policy;

use crate::code;
use crate::definition::Limits;
use crate::diagnostic::{Fault, Faults};
use crate::file::Resources;
use crate::limits::MEMORY_LIMIT_BYTES_MIN;
use crate::source::Extent;

/// A core, in thousandths.
pub(super) const CORE_MILLI: u64 = 1_000;

/// What an attempt asks for. What has a limit and no request asks for its limit.
pub(super) fn request(resources: Option<&Resources>) -> Request {
    let default = Policy::default().request;
    let Some(Resources { requests, limits, .. }) = resources else { return default };
    let cpu = requests.cpu.as_ref().or(limits.cpu.as_ref());
    let memory = requests.memory.as_ref().or(limits.memory.as_ref());
    let asked = requests.custom.iter().chain(limits.custom.iter().filter(|(name, _)| {
        requests.custom.iter().all(|(requested, _)| requested.value != name.value)
    }));
    let asked = asked.filter(|(_, amount)| *amount > 0);
    let mut custom: Vec<(Box<str>, u64)> =
        asked.map(|(name, amount)| (name.value.as_str().into(), *amount)).collect();
    custom.sort_unstable();
    let gpus = requests.gpu.as_ref().or(limits.gpu.as_ref());
    Request {
        cpu_milli: cpu.map_or(default.cpu_milli, |cpu| cpu.value.0),
        memory_bytes: memory.map_or(default.memory_bytes, |memory| memory.value.0),
        custom: custom.into(),
        devices: gpus.map(|gpus| gpus.value.0.clone()).unwrap_or_default(),
    }
}

/// The same, with one of something by name, unless it says itself how much.
pub(super) fn with_one(mut request: Request, name: &str) -> Request {
    if request.custom.iter().all(|(known, _)| **known != *name) {
        let mut custom = request.custom.into_vec();
        custom.push((name.into(), 1));
        custom.sort_unstable();
        request.custom = custom.into();
    }
    request
}

/// The limits of an attempt, if there are any. Each is at least what is asked for.
pub(super) fn limits(resources: Option<&Resources>, faults: &mut Faults) -> Option<Limits> {
    let Resources { requests, limits, pids, pin, .. } = resources?;
    let mut check = |what: &str, extent: Extent, (asked, limit): (Option<u64>, u64)| {
        if asked.is_some_and(|asked| asked > limit) {
            let message = format!("the limit of `{what}` is smaller than its request");
            let fault = Fault::new(code::BAD_VALUE, extent, message);
            faults.push(
                fault.hint("a limit is at least the request: raise it, or leave the request out"),
            );
        }
        limit
    };
    let asked_cpu = requests.cpu.as_ref().map(|cpu| cpu.value.0);
    let asked_memory = requests.memory.as_ref().map(|memory| memory.value.0);
    let cpu_milli =
        limits.cpu.as_ref().map(|cpu| check("cpu", cpu.extent, (asked_cpu, cpu.value.0)));
    let memory = limits.memory.as_ref();
    let memory_bytes =
        memory.map(|memory| check("memory", memory.extent, (asked_memory, memory.value.0)));
    let custom = limits.custom.iter().map(|(name, limit)| {
        let asked = requests.custom.iter().find(|(known, _)| known.value == name.value);
        let asked = asked.map(|(_, amount)| *amount);
        (name.value.clone(), check(&name.value, name.extent, (asked, *limit)))
    });
    let custom = custom.collect();
    if let (Some(asked), Some(limit)) = (&requests.gpu, &limits.gpu)
        && asked.value != limit.value
    {
        let message = "the limit of `gpu` is not its request";
        let fault = Fault::new(code::BAD_VALUE, limit.extent, message);
        faults.push(
            fault
                .hint("an attempt is given the GPUs that it asks for: write them once")
                .related(asked.extent, "the request"),
        );
    }
    if let Some(memory) = memory.filter(|memory| memory.value.0 < MEMORY_LIMIT_BYTES_MIN) {
        let message = "no process starts with so little memory";
        let fault = Fault::new(code::BAD_VALUE, memory.extent, message);
        faults.push(fault.hint("the least limit is 8Mi"));
    }
    let is_pinned = pin.as_ref().is_some_and(|pin| pin.value.0);
    let cores = request(resources).cpu_milli;
    if let Some(pin) = pin.as_ref().filter(|_| is_pinned && !cores.is_multiple_of(CORE_MILLI)) {
        let message = "`pin` takes whole cores";
        let fault = Fault::new(code::BAD_VALUE, pin.extent, message);
        faults.push(fault.hint("ask for a whole number of `cpu`, or leave `pin` out"));
    }
    let limits = Limits { cpu_milli, memory_bytes, pids: *pids, pin: is_pinned, custom };
    (limits != Limits::default()).then_some(limits)
}
