//! S31: no device is given twice: what live leases take of one is never more than it is, and never
//! more than its memory.
//! S32: what asks for devices is given as many as it asks for, of the kinds that it asks for, all
//! of one worker; a fraction is a part of one device, never of several.

use model::device::is_of_kind;
use model::resources::WHOLE_DEVICE;
use model::{DeviceRequest, DeviceSet, Fact, WorkerId};

use super::View;

/// The fact that gives devices, with what was asked for.
fn given<'a>(view: &'a View<'_>) -> Option<(WorkerId, DeviceSet, &'a DeviceRequest)> {
    let Fact::AttemptsLeased { task, worker, variant, devices, .. } = &view.entry.fact else {
        return None;
    };
    let policy = view.ledger.run(task.run)?.graph.policy(task.task);
    let (request, _) = policy.variants().nth(usize::from(variant.0))?;
    Some((*worker, *devices, &request.devices))
}

pub(super) fn twice(view: &View<'_>) -> Result<(), String> {
    let Some((worker, devices, asked)) = given(view) else { return Ok(()) };
    let offers = &view.ledger.workers.get(&worker).ok_or("the worker is not known")?.offers;
    devices.iter().try_for_each(|place| {
        let device = offers.devices.get(usize::from(place));
        let device = device.ok_or_else(|| format!("{worker:?} has no device {place}"))?;
        let (share, memory) = view.ledger.devices.taken(worker, place);
        let (share, memory) = (share + u64::from(asked.share), memory + asked.memory_bytes);
        if share > u64::from(WHOLE_DEVICE) || memory > device.memory_bytes {
            return Err(format!(
                "device {place} of {worker:?} is given twice: {share} thousandths, {memory} bytes"
            ));
        }
        Ok(())
    })
}

pub(super) fn apart(view: &View<'_>) -> Result<(), String> {
    let Some((worker, devices, asked)) = given(view) else { return Ok(()) };
    if devices.len() != u32::from(asked.count) {
        return Err(format!(
            "{} devices are given where {} are asked for",
            devices.len(),
            asked.count
        ));
    }
    let offers = &view.ledger.workers.get(&worker).ok_or("the worker is not known")?.offers;
    let mut kinds = devices.iter().filter_map(|place| offers.devices.get(usize::from(place)));
    let suits = |kind: &str| {
        asked.kinds.is_empty() || asked.kinds.iter().any(|asked| is_of_kind(asked, kind))
    };
    match kinds.find(|device| !suits(&device.kind)) {
        None => Ok(()),
        Some(device) => {
            Err(format!("{} is given where {:?} is asked for", device.kind, asked.kinds))
        }
    }
}
