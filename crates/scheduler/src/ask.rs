//! What an item asks for of one node: amounts, and devices of a kind. Data, and how it fits a row.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::resources::Amounts;
pub use model::resources::DeviceSet;

use super::site::Places;

/// A whole device, in thousandths.
pub const WHOLE: u16 = 1_000;

/// Kinds of devices as bits; 0 stands for any kind.
pub type Kinds = u64;

/// What each item of a class asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ask {
    /// CPU, memory and custom amounts.
    pub amounts: Amounts,
    /// Devices, all on the same node.
    pub devices: DeviceAsk,
    /// Where it may go and likes to go; `None` if every node that is not reserved will do.
    pub places: Option<Box<Places>>,
}

/// Devices that an item asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceAsk {
    /// How many; 0 for none.
    pub count: u16,
    /// How much of each, in thousandths. Less than [`WHOLE`] may share a device with others.
    pub share: u16,
    /// How much memory of each, in bytes.
    pub memory: u64,
    /// Of which kinds; 0 for any.
    pub kinds: Kinds,
    /// Who asks: devices of which parts are in use are shared with the same only. 0 where that does
    /// not matter.
    pub tenant: u16,
}

impl DeviceAsk {
    /// How much of devices in all, in thousandths.
    #[must_use]
    pub fn total(self) -> u64 {
        u64::from(self.count) * u64::from(self.share)
    }
}

/// A device of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// Its kind: the number of a bit in [`Kinds`].
    pub kind: u8,
    /// Its memory in bytes; 0 where that is not known.
    pub memory: u64,
}

/// What an item takes of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// CPU, memory and custom amounts.
    pub amounts: Amounts,
    /// The devices, by their places on the node.
    pub devices: DeviceSet,
    /// How much of each device, in thousandths.
    pub share: u16,
    /// How much memory of each device, in bytes.
    pub memory: u64,
    /// Who takes them; 0 where that does not matter.
    pub tenant: u16,
}

/// Nobody: what would have to be shared between several.
const NOBODY: u64 = u64::MAX;

/// The form of the rows of a node: first its amounts, then the share that is free of each device,
/// then the memory that is free of each, then by whom each is in use: 0 for nobody in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) amounts: usize,
    pub(super) devices: Vec<Device>,
}

impl Form {
    pub(super) const fn width(&self) -> usize {
        self.amounts + 3 * self.devices.len()
    }

    /// The row of a node on which nothing runs.
    pub(super) fn empty(&self, capacity: &[u64]) -> Vec<u64> {
        let mut row = capacity.to_vec();
        row.extend(self.devices.iter().map(|_| u64::from(WHOLE)));
        row.extend(self.devices.iter().map(|device| device.memory));
        row.extend(self.devices.iter().map(|_| 0));
        row
    }

    /// Makes a row what is free in it and in another: of the two, the less.
    pub(super) fn meet(&self, row: &mut [u64], other: &[u64]) {
        let users = self.amounts + 2 * self.devices.len();
        for (least, &free) in row[..users].iter_mut().zip(&other[..users]) {
            *least = (*least).min(free);
        }
        for (user, &other) in row[users..].iter_mut().zip(&other[users..]) {
            *user = match (*user, other) {
                (own, 0) => own,
                (0, other) => other,
                (own, other) if own == other => own,
                _ => NOBODY,
            };
        }
    }

    /// Whether one more item fits into a row.
    pub(super) fn fits(&self, row: &[u64], ask: &Ask) -> bool {
        let free = |at: usize| if at < self.amounts { row[at] } else { 0 };
        let wanted = usize::from(ask.devices.count);
        ask.amounts.iter().enumerate().all(|(at, &asked)| free(at) >= asked)
            && (wanted == 0 || self.open(row, ask.devices).take(wanted).count() == wanted)
    }

    /// How many items fit into a row, `most` at most.
    pub(super) fn times(&self, row: &[u64], ask: &Ask, most: u32) -> u32 {
        let mut row = row.to_vec();
        let fits = |_: &u32| {
            let fits = self.fits(&row, ask);
            if fits {
                let taken = self.choose(&row, ask);
                self.change(&mut row, &taken, false);
            }
            fits
        };
        u32::try_from((0..most).take_while(fits).count()).unwrap_or(most)
    }

    /// The devices of a row that have what is asked for of each.
    fn open(&self, row: &[u64], ask: DeviceAsk) -> impl Iterator<Item = usize> {
        let (shares, rest) = row[self.amounts..].split_at(self.devices.len());
        let (memories, users) = rest.split_at(self.devices.len());
        let devices = self.devices.iter().zip(shares).zip(memories).zip(users).enumerate();
        devices.filter_map(move |(at, (((device, &share), &memory), &user))| {
            let kind = ask.kinds == 0 || ask.kinds >> device.kind & 1 == 1;
            let own = user == 0 || user == u64::from(ask.tenant);
            (kind && own && share >= u64::from(ask.share) && memory >= ask.memory).then_some(at)
        })
    }

    /// What an item takes of a row in which it fits: of the devices those that have least to spare.
    pub(super) fn choose(&self, row: &[u64], ask: &Ask) -> Taken {
        let mut devices: Vec<usize> = self.open(row, ask.devices).collect();
        devices.sort_by_key(|&at| (row[self.amounts + at], at));
        devices.truncate(usize::from(ask.devices.count));
        Taken {
            amounts: ask.amounts.clone(),
            devices: devices.into_iter().filter_map(|at| u8::try_from(at).ok()).collect(),
            share: ask.devices.share,
            memory: ask.devices.memory,
            tenant: ask.devices.tenant,
        }
    }

    /// Takes from a row, or gives back.
    pub(super) fn change(&self, row: &mut [u64], taken: &Taken, is_back: bool) {
        let change = |free: &mut u64, by: u64| {
            *free = if is_back { free.saturating_add(by) } else { free.saturating_sub(by) };
        };
        let amounts = row[..self.amounts].iter_mut().zip(&taken.amounts);
        amounts.for_each(|(free, &amount)| change(free, amount));
        for device in self.places(taken.devices) {
            let share = self.amounts + device;
            let (memory, user) = (share + self.devices.len(), share + 2 * self.devices.len());
            change(&mut row[share], u64::from(taken.share));
            change(&mut row[memory], taken.memory);
            if !is_back {
                row[user] = u64::from(taken.tenant);
            } else if row[share] >= u64::from(WHOLE) {
                row[user] = 0;
            }
        }
    }

    /// The places of some devices, as far as the node has them.
    fn places(&self, devices: DeviceSet) -> impl Iterator<Item = usize> {
        let known = self.devices.len();
        devices.iter().map(usize::from).filter(move |&device| device < known)
    }

    /// Whether a row has all that is to be taken of it.
    pub(super) fn holds(&self, row: &[u64], taken: &Taken) -> bool {
        let free = |at: usize| if at < self.amounts { row[at] } else { 0 };
        taken.amounts.iter().enumerate().all(|(at, &amount)| free(at) >= amount)
            && self.places(taken.devices).all(|device| {
                let share = self.amounts + device;
                row[share] >= u64::from(taken.share)
                    && row[share + self.devices.len()] >= taken.memory
            })
    }

    /// How many of the devices of a row have what is asked for of each.
    pub(super) fn open_count(&self, row: &[u64], ask: DeviceAsk) -> usize {
        self.open(row, ask).count()
    }

    /// How much of its devices is free in a row, in thousandths.
    pub(super) fn open_devices(&self, row: &[u64]) -> u64 {
        row[self.amounts..self.amounts + self.devices.len()].iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn form(kinds: &[u8]) -> Form {
        let devices = kinds.iter().map(|&kind| Device { kind, memory: 80 });
        Form { amounts: 2, devices: devices.collect() }
    }

    fn devices(count: u16, share: u16) -> Ask {
        let devices = DeviceAsk { count, share, memory: 0, kinds: 0, tenant: 0 };
        Ask { amounts: vec![1, 1], devices, ..Ask::default() }
    }

    #[test]
    fn a_fraction_and_its_memory_fit_on_one_device() {
        let form = form(&[0, 0]);
        let mut row = form.empty(&[10, 10]);
        let half = form.choose(&row, &devices(1, 600));
        form.change(&mut row, &half, false);
        form.change(&mut row, &Taken { devices: DeviceSet::one(1), ..half.clone() }, false);
        // 400 thousandths are free on each: 500 are nowhere.
        assert!(form.fits(&row, &devices(1, 400)));
        assert!(!form.fits(&row, &devices(1, 500)));
        let mut fat = devices(1, 100);
        fat.devices.memory = 81;
        assert!(!form.fits(&row, &fat));
        form.change(&mut row, &half, true);
        assert!(form.fits(&row, &devices(1, WHOLE)));
    }

    #[test]
    fn the_fullest_device_that_suffices_is_shared() {
        let form = form(&[0, 0, 0]);
        let mut row = form.empty(&[10, 10]);
        form.change(
            &mut row,
            &Taken { devices: DeviceSet::one(1), share: 300, ..Taken::default() },
            false,
        );
        form.change(
            &mut row,
            &Taken { devices: DeviceSet::one(2), share: 800, ..Taken::default() },
            false,
        );
        assert_eq!(form.choose(&row, &devices(1, 400)).devices, DeviceSet::one(1));
        assert_eq!(form.choose(&row, &devices(1, 200)).devices, DeviceSet::one(2));
        assert_eq!(form.choose(&row, &devices(1, WHOLE)).devices, DeviceSet::one(0));
    }

    #[test]
    fn only_the_kinds_asked_for_count() {
        let form = form(&[0, 3]);
        let row = form.empty(&[10, 10]);
        let mut ask = devices(2, WHOLE);
        assert!(form.fits(&row, &ask));
        ask.devices.kinds = 1 << 3;
        assert!(!form.fits(&row, &ask));
        ask.devices.count = 1;
        assert_eq!(form.choose(&row, &ask).devices, DeviceSet::one(1));
    }

    #[test]
    fn what_a_node_does_not_have_does_not_fit() {
        let form = form(&[]);
        let row = form.empty(&[4, 4]);
        let ask = |amounts: &[u64]| Ask { amounts: amounts.to_vec(), ..Ask::default() };
        assert!(form.fits(&row, &ask(&[4, 4, 0])));
        assert!(!form.fits(&row, &ask(&[1, 1, 1])));
        assert_eq!(form.times(&row, &ask(&[2, 1]), 9), 2);
        assert_eq!(form.times(&row, &ask(&[0, 0]), 9), 9);
    }
}
