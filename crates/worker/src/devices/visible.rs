//! What this process may see: the variables by which a container, a batch system or another worker
//! has given it some devices and hidden the rest.
//!
//! They are read as the runtimes of the vendors read them, since a device that is hidden from their
//! programs is not ours to hand out. Lists end at the first entry that names nothing, as there.

use std::collections::BTreeSet;

use model::{Device, Vendor};

use super::nvidia::Counted;
use super::{Note, Sources};

/// Which devices are left of all, by their places in the list of all.
type Left = BTreeSet<usize>;

/// The devices of NVIDIA that are not hidden.
///
/// `CUDA_VISIBLE_DEVICES` decides. Of `NVIDIA_VISIBLE_DEVICES` only ids count: it was the
/// container's runtime that read it, its numbers are those of the host, and `void` stands in every
/// container that got its devices by CDI (the specifications that `nvidia-ctk` writes set it).
pub(super) fn of_nvidia(
    all: Vec<Counted>,
    sources: &Sources,
    notes: &mut Vec<Note>,
) -> Vec<Device> {
    let mut left: Left = (0..all.len()).collect();
    let mut told = Vec::new();
    if let Some(list) = sources.variable("NVIDIA_VISIBLE_DEVICES") {
        let is_id = |entry: &&str| entry.starts_with("GPU-") || entry.starts_with("MIG-");
        let ids: Vec<&str> = entries(list).filter(is_id).collect();
        if !ids.is_empty() {
            left = ids.iter().flat_map(|id| named(&all, id).unwrap_or_default()).collect();
            told.push(format!("NVIDIA_VISIBLE_DEVICES={list}"));
        }
    }
    if let Some(list) = sources.variable("CUDA_VISIBLE_DEVICES") {
        let chosen = entries(list).map_while(|entry| named(&all, entry));
        let chosen: Left = chosen.flatten().collect();
        left.retain(|at| chosen.contains(at));
        told.push(format!("CUDA_VISIBLE_DEVICES={list}"));
        notes.extend(doubtful(&all, list, sources));
    }
    say(Vendor::Nvidia, (&told, all.len(), left.len()), notes);
    keep(all.into_iter().map(|counted| counted.device), &left)
}

/// The places of what an entry of `CUDA_VISIBLE_DEVICES` names: a number, an id, or enough of the
/// beginning of one. The whole of what is cut into parts names all of these.
fn named(all: &[Counted], entry: &str) -> Option<Left> {
    let places = |is_meant: &dyn Fn(&Counted) -> bool| -> Left {
        let meant = all.iter().enumerate().filter(|(_, counted)| is_meant(counted));
        meant.map(|(at, _)| at).collect()
    };
    let whole = |counted: &Counted| {
        let Counted { device, .. } = counted;
        let uuid = device.part.as_ref().map_or(&device.uuid, |part| &part.parent);
        uuid.starts_with(entry)
    };
    let found = if entry.starts_with("GPU-") {
        let wholes: BTreeSet<u32> =
            all.iter().filter(|it| whole(it)).map(|counted| counted.index).collect();
        if wholes.len() > 1 {
            return None;
        }
        places(&whole)
    } else if entry.starts_with("MIG-") {
        let found = places(&|counted| counted.device.uuid.starts_with(entry));
        if found.len() > 1 {
            return None;
        }
        found
    } else {
        let index: u32 = entry.parse().ok()?;
        places(&|counted| counted.index == index)
    };
    Some(found).filter(|found| !found.is_empty())
}

/// Numbers name different devices to CUDA and to us where devices differ and nobody has said in
/// what order they are counted: CUDA then puts the fastest first.
fn doubtful(all: &[Counted], list: &str, sources: &Sources) -> Option<Note> {
    let kinds: BTreeSet<&str> = all.iter().map(|counted| &*counted.device.kind).collect();
    let is_number = |entry: &str| entry.parse::<u32>().is_ok();
    let is_by_bus = sources.variable("CUDA_DEVICE_ORDER") == Some("PCI_BUS_ID");
    (kinds.len() > 1 && entries(list).any(is_number) && !is_by_bus).then(|| {
        let text = "CUDA_VISIBLE_DEVICES names devices of several kinds by number: they are \
                    counted by their place on the bus, as with CUDA_DEVICE_ORDER=PCI_BUS_ID";
        Note::trouble(Vendor::Nvidia, text)
    })
}

/// The devices of AMD that are not hidden. `ROCR_VISIBLE_DEVICES` decides first; an empty one hides
/// all (`RvdFilter` in ROCR-Runtime). `HIP_VISIBLE_DEVICES`, or in its place
/// `CUDA_VISIBLE_DEVICES`, counts what that has left; an empty one is none (`Device::init` in
/// clr).
pub(super) fn of_amd(all: Vec<Device>, sources: &Sources, notes: &mut Vec<Note>) -> Vec<Device> {
    let mut told = Vec::new();
    // In the order in which programs of ROCm count; what it does not count comes last.
    let mut shown: Vec<usize> = (0..all.len()).collect();
    shown.sort_by_key(|&at| (all[at].ordinal.is_none(), all[at].ordinal));
    if let Some(list) = sources.variable("ROCR_VISIBLE_DEVICES") {
        let by_ordinal = |number: usize| {
            let is_it = |device: &Device| device.ordinal.map(usize::from) == Some(number);
            all.iter().position(is_it)
        };
        shown = chosen(&all, list, by_ordinal);
        told.push(format!("ROCR_VISIBLE_DEVICES={list}"));
    }
    let counted = ["HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"].into_iter();
    let mut counted = counted.filter_map(|name| Some((name, sources.variable(name)?)));
    if let Some((name, list)) = counted.find(|(_, list)| !list.is_empty()) {
        let seen = shown.clone();
        let again = chosen(&all, list, |number| seen.get(number).copied());
        shown = again.into_iter().filter(|at| seen.contains(at)).collect();
        told.push(format!("{name}={list}"));
    }
    let left: Left = shown.into_iter().collect();
    say(Vendor::Amd, (&told, all.len(), left.len()), notes);
    keep(all.into_iter(), &left)
}

/// The places of what a list names, by id or by number, up to the first entry that names nothing
/// or is there already.
fn chosen(all: &[Device], list: &str, by_number: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    let mut chosen = Vec::new();
    for entry in entries(list) {
        let entry = entry.to_ascii_lowercase();
        let place = if entry.starts_with("gpu-") && entry.len() > "gpu-".len() {
            let is_it = |device: &Device| device.uuid.to_ascii_lowercase().starts_with(&entry);
            let mut places = (0..all.len()).filter(|&at| is_it(&all[at]));
            places.next().filter(|_| places.next().is_none())
        } else {
            entry.parse().ok().and_then(&by_number)
        };
        match place {
            Some(place) if !chosen.contains(&place) => chosen.push(place),
            _ => break,
        }
    }
    chosen
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

fn keep(all: impl Iterator<Item = Device>, left: &Left) -> Vec<Device> {
    all.enumerate().filter(|(at, _)| left.contains(at)).map(|(_, device)| device).collect()
}

/// Says by what devices are hidden, if any are.
fn say(vendor: Vendor, (told, all, left): (&[String], usize, usize), notes: &mut Vec<Note>) {
    if left < all {
        let text = format!("{} of {all} devices hidden by {}", all - left, told.join(" and "));
        notes.push(Note::trouble(vendor, text));
    }
}
