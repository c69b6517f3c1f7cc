//! Where the groups of attempts are made: below the supervisor's own group where that hands its
//! controllers on, and below its groups of the first version otherwise.
//!
//! What cannot be had is told with its reason, for each controller.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use model::bounds::{Enforcement, Means};

use super::super::Ticket;
use super::super::wire::Limits;
use super::attempt::{Group, Tree, Version, kill_listed, remove_tree};
use super::places::{Controller, Places};
use super::{Cgroup, KILL_PATIENCE, KILL_POLL, name_of};

/// What is left of the groups of attempts that an earlier supervisor has made is gone.
#[derive(Debug, Default)]
pub struct Confinement {
    trees: Vec<Tree>,
    enforcement: Enforcement,
}

impl Confinement {
    /// Finds out what can be had for the attempts of a supervisor. Processes that were left in
    /// groups are killed; how many there were stands beside it.
    pub fn open(state_dir: &Path, own: Option<&Cgroup>) -> (Self, u32) {
        let mut confinement = Self::default();
        let handed_on = own.map(Cgroup::hand_on).unwrap_or_default();
        let mut killed = 0;
        let places = Places::own();
        for controller in Controller::ALL {
            let means = if handed_on.contains(&controller) {
                Means::CgroupV2
            } else {
                match confinement.take_v1(&places, controller, &name_of(state_dir)) {
                    Ok(count) => {
                        killed += count;
                        Means::CgroupV1
                    }
                    Err(reason) => Means::None { reason: reason.into() },
                }
            };
            *confinement.means(controller) = means;
        }
        if let Some(own) = own.filter(|_| !handed_on.is_empty()) {
            let folder = own.folder().to_owned();
            confinement.trees.push(Tree { folder, version: Version::Two, controllers: handed_on });
        }
        (confinement, killed)
    }

    /// What can be had.
    pub const fn enforcement(&self) -> &Enforcement {
        &self.enforcement
    }

    /// A group for an attempt, if it needs one and can have one.
    pub fn group(&self, ticket: Ticket, limits: &Limits) -> io::Result<Option<Group>> {
        Group::make(&self.trees, &ticket.0.to_string(), limits)
    }

    /// Removes all of it: nothing runs any more.
    pub fn close(self) {
        for tree in self.trees.iter().filter(|tree| tree.version == Version::One) {
            // A group that stays is found again by the next supervisor, and is empty.
            let _ = remove_tree(&tree.folder);
        }
    }

    fn means(&mut self, controller: Controller) -> &mut Means {
        match controller {
            Controller::Cpu => &mut self.enforcement.cpu,
            Controller::Memory => &mut self.enforcement.memory,
            Controller::Pids => &mut self.enforcement.pids,
        }
    }

    /// Makes the place for groups in the hierarchy of a controller, unless it is there.
    fn take_v1(
        &mut self,
        places: &Places,
        controller: Controller,
        name: &str,
    ) -> Result<u32, String> {
        let has = |controllers: &[Controller]| controllers.contains(&controller);
        let place = places.v1.iter().find(|(_, controllers)| has(controllers));
        let Some((parent, _)) = place else {
            return Err(why_none(places, controller));
        };
        let folder = parent.join(name);
        if let Some(tree) = self.trees.iter_mut().find(|tree| tree.folder == folder) {
            tree.controllers.push(controller);
            return Ok(0);
        }
        let refused = |what: &str, error: &io::Error| {
            format!("{what} a control group in {}: {error}", parent.display())
        };
        let killed = empty(&folder).map_err(|error| refused("cannot empty", &error))?;
        fs::create_dir(&folder).map_err(|error| refused("cannot make", &error))?;
        self.trees.push(Tree { folder, version: Version::One, controllers: vec![controller] });
        Ok(killed)
    }
}

fn why_none(places: &Places, controller: Controller) -> String {
    let name = controller.name();
    let own = places.v2.as_ref().filter(|own| {
        let has = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
        Controller::named(&has, ' ').contains(&controller)
    });
    match own {
        Some(own) => format!(
            "the control group that autoglm was started in, {}, does not hand on `{name}`",
            own.display()
        ),
        None => format!("no control group here has the controller `{name}`"),
    }
}

/// Kills all in a place of groups that was left, and removes it.
fn empty(folder: &Path) -> io::Result<u32> {
    let mut killed = 0;
    let deadline = Instant::now() + KILL_PATIENCE;
    loop {
        let found: u32 = groups_in(folder).map(|group| kill_listed(&group)).sum();
        killed += found;
        if found == 0 {
            match remove_tree(folder) {
                Ok(()) => return Ok(killed),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
        } else if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(KILL_POLL);
    }
}

/// A group and all those in it.
fn groups_in(folder: &Path) -> Box<dyn Iterator<Item = std::path::PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Box::new(std::iter::empty()) };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
    let below = folders.flat_map(|entry| groups_in(&entry.path()));
    Box::new(std::iter::once(folder.to_owned()).chain(below))
}
