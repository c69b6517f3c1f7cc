//! The worker's own account of its capacity: what has been started and has not ended.
//!
//! This is where it is enforced that started attempts never exceed the node (invariant S4): the
//! coordinator may be wrong about what still runs here, this account may not.

use alloc::boxed::Box;

use model::Request;

/// What a node offers, and what of it is free.
#[derive(Debug)]
pub(crate) struct Room {
    offers: Request,
    free: Request,
}

impl Room {
    /// A node on which nothing runs.
    pub(crate) fn new(offers: Request) -> Self {
        Self { free: offers.clone(), offers }
    }

    /// What the node offers in all.
    pub(crate) fn offers(&self) -> &Request {
        &self.offers
    }

    /// Whether `request` would fit if nothing ran.
    pub(crate) fn could_hold(&self, request: &Request) -> bool {
        holds(&self.offers, request)
    }

    /// Takes `request` if it fits now; otherwise changes nothing.
    pub(crate) fn take(&mut self, request: &Request) -> bool {
        if !holds(&self.free, request) {
            return false;
        }
        self.free.cpu_milli -= request.cpu_milli;
        self.free.memory_bytes -= request.memory_bytes;
        for (name, asked) in &request.custom {
            let free = custom_mut(&mut self.free, name).expect("it holds the request");
            *free -= asked;
        }
        true
    }

    /// Gives back what [`Room::take`] took.
    pub(crate) fn give_back(&mut self, request: &Request) {
        self.free.cpu_milli += request.cpu_milli;
        self.free.memory_bytes += request.memory_bytes;
        for (name, asked) in &request.custom {
            let free = custom_mut(&mut self.free, name).expect("it was taken from here");
            *free += asked;
        }
        debug_assert!(holds(&self.offers, &self.free), "more was given back than taken");
    }
}

fn holds(room: &Request, request: &Request) -> bool {
    request.cpu_milli <= room.cpu_milli
        && request.memory_bytes <= room.memory_bytes
        && request.custom.iter().all(|(name, asked)| *asked <= custom(room, name))
}

fn custom(room: &Request, name: &str) -> u64 {
    find(room, name).map_or(0, |index| room.custom[index].1)
}

fn custom_mut<'a>(room: &'a mut Request, name: &str) -> Option<&'a mut u64> {
    let index = find(room, name)?;
    Some(&mut room.custom[index].1)
}

fn find(room: &Request, name: &str) -> Option<usize> {
    room.custom.binary_search_by_key(&name, |(name, _): &(Box<str>, u64)| name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cpu_milli: u64, gpu: u64) -> Request {
        let custom = if gpu > 0 { Box::from([(Box::from("gpu"), gpu)]) } else { Box::default() };
        Request { cpu_milli, memory_bytes: 0, custom }
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let mut room = Room::new(request(2_000, 1));
        assert!(room.take(&request(1_000, 1)));
        assert!(!room.take(&request(1_000, 1)), "the only gpu is taken");
        assert!(room.take(&request(1_000, 0)));
        assert!(!room.take(&request(1, 0)));
        room.give_back(&request(1_000, 1));
        assert!(room.take(&request(500, 1)));
    }

    #[test]
    fn what_the_node_lacks_never_fits() {
        let room = Room::new(request(2_000, 0));
        assert!(!room.could_hold(&request(0, 1)));
        assert!(!room.could_hold(&request(2_001, 0)));
        assert!(room.could_hold(&request(2_000, 0)));
    }
}
