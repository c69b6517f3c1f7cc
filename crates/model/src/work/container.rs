//! A container, with all texts filled in.

use alloc::string::String;
use alloc::vec::Vec;

/// A container to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The image, by name and tag or by digest.
    pub image: String,
    /// The program and its arguments; those of the image if there are none.
    pub command: Vec<String>,
    /// What the command is given to; that of the image if there is none.
    pub entrypoint: Vec<String>,
    /// What of this machine is seen in it.
    pub mounts: Vec<Mount>,
    /// The GPUs that it has.
    pub gpus: Gpus,
    /// When the image is fetched.
    pub pull: Pull,
    /// Who runs in it; the user of the image if nobody is named.
    pub user: Option<String>,
    /// Where in it the command starts; the folder of the image if none is named.
    pub folder: Option<String>,
    /// The network that it is in, by the name that the engine knows it by.
    pub network: Option<String>,
}

/// A file or folder of this machine that is seen in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is, relative to where the attempt starts, or the name of a volume.
    pub source: String,
    /// Where it is seen.
    pub target: String,
    /// Whether it may only be read.
    pub is_read_only: bool,
}

/// GPUs of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gpus {
    /// None.
    #[default]
    None,
    /// So many.
    Some(u32),
    /// All.
    All,
}

/// When an image is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// When it is not there.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Never.
    Never,
}
