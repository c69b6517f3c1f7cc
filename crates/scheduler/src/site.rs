//! Where items of a class may go, and where they like to, by the sites of nodes. It knows numbers
//! of sites, and nothing of what makes them different.

use alloc::vec::Vec;

/// The number of a site: nodes of one site are alike in all that any class may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u32);

/// Sites, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sites(Vec<u64>);

impl Sites {
    /// Whether a site is among them.
    #[must_use]
    pub fn contains(&self, site: SiteId) -> bool {
        let word = self.0.get(site.0 as usize / 64);
        word.is_some_and(|word| word >> (site.0 % 64) & 1 == 1)
    }
}

impl FromIterator<SiteId> for Sites {
    fn from_iter<I: IntoIterator<Item = SiteId>>(sites: I) -> Self {
        let mut words = Vec::new();
        for site in sites {
            let at = site.0 as usize / 64;
            if words.len() <= at {
                words.resize(at + 1, 0);
            }
            words[at] |= 1 << (site.0 % 64);
        }
        Self(words)
    }
}

/// What a class asks of the sites of nodes. A class that asks for nothing goes to every node that
/// is not reserved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Places {
    /// Where its items may go. A site that is not known yet is closed.
    pub open: Sites,
    /// By site, how much of what is liked is missing there; 0 for those beyond the end.
    pub unmet: Vec<u8>,
    /// Items of one task go where the fewest of them are.
    pub spread: Option<Domain>,
    /// Items of one task go where others of it are, as long as there are any.
    pub together: Option<Domain>,
}

impl Places {
    /// Whether it matters where other items of the same task are.
    pub(super) const fn looks_at_others(&self) -> bool {
        self.spread.is_some() || self.together.is_some()
    }

    /// How much of what is liked is missing at a site.
    pub(super) fn unmet(&self, site: SiteId) -> u8 {
        self.unmet.get(site.0 as usize).copied().unwrap_or(0)
    }
}

/// How nodes are grouped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Each node for itself.
    Node,
    /// By site, the number of the group; 0 for sites beyond the end.
    Site(Vec<u32>),
}

impl Domain {
    /// The group of a node.
    pub(super) fn of(&self, node: usize, site: SiteId) -> u32 {
        match self {
            Self::Node => u32::try_from(node).unwrap_or(u32::MAX),
            Self::Site(groups) => groups.get(site.0 as usize).copied().unwrap_or(0),
        }
    }
}
