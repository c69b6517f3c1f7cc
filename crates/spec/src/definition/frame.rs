//! What surrounds a task by where it comes from: the run's own file, a file that this one is made
//! of, or one copy of a group.
//!
//! Frames stand in each other. What one does not say, that around it says; a file says everything
//! itself and sees nothing of who calls it but its parameters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::Definition;
use crate::params::{ParameterType, Rules};

/// The number of a frame. Zero is the run's own file, which stands in the definition itself.
pub(crate) type FrameId = u32;

/// A frame that is not the run's own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// The frame around it. Its number is smaller.
    #[serde(default, skip_serializing_if = "is_root")]
    pub parent: FrameId,
    /// The copy of a group that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<Copied>,
    /// The file that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<FileFrame>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
pub(super) const fn is_root(frame: &FrameId) -> bool {
    *frame == 0
}

/// One copy of a group, for one item of its list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub index: u32,
    pub item: Json,
    /// Whether the item is a list of values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_batch: bool,
}

/// A file that is a part of another: all that its tasks see.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FileFrame {
    /// The group that calls it, whose names `late` uses.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub scope: Box<str>,
    pub folder: PathBuf,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Json>,
    /// Parameters that are worked out when a text that uses them is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<LateParameter>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    pub shell: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
}

/// A parameter whose value names what tasks have come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LateParameter {
    pub name: Box<str>,
    /// What is given for it, with the texts in it as they are written.
    pub value: Json,
    #[serde(rename = "type")]
    pub kind: ParameterType,
    #[serde(default)]
    pub rules: Rules,
}

/// What surrounds a task.
#[derive(Clone, Copy)]
pub(crate) struct Around<'d> {
    pub params: &'d Map<String, Json>,
    pub env: &'d BTreeMap<String, String>,
    pub shell: &'d [String],
    pub folder: &'d Path,
    pub secrets: &'d BTreeMap<String, String>,
    /// The frame that says so, if it is not the run's own.
    pub file: Option<(&'d FileFrame, FrameId)>,
}

impl Definition {
    pub(crate) fn frame(&self, frame: FrameId) -> Option<&Frame> {
        self.frames.get((frame as usize).checked_sub(1)?)
    }

    pub(crate) fn frame_mut(&mut self, frame: FrameId) -> Option<&mut FileFrame> {
        self.frames.get_mut((frame as usize).checked_sub(1)?)?.file.as_deref_mut()
    }

    pub(crate) fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Adds a frame, and gives its number.
    pub(crate) fn add_frame(&mut self, frame: Frame) -> FrameId {
        self.frames.push(frame);
        FrameId::try_from(self.frames.len()).expect("no more frames than tasks")
    }

    /// A frame and those around it, from the inside out, up to the run's own, which is left out.
    fn frames_from(&self, frame: FrameId) -> impl Iterator<Item = (FrameId, &Frame)> {
        let first = self.frame(frame).map(|it| (frame, it));
        std::iter::successors(first, |(number, it)| {
            // Bytes from elsewhere may say anything: outwards numbers fall.
            let parent = it.parent.min(number - 1);
            self.frame(parent).map(|it| (parent, it))
        })
    }

    /// What surrounds the tasks of a frame.
    pub(crate) fn around(&self, frame: FrameId) -> Around<'_> {
        let found =
            self.frames_from(frame).find_map(|(_, it)| Some((it.file.as_deref()?, it.parent)));
        match found {
            Some((file, parent)) => Around {
                params: &file.params,
                env: &file.env,
                shell: &file.shell,
                folder: &file.folder,
                secrets: &file.secrets,
                file: Some((file, parent)),
            },
            None => Around {
                params: &self.params,
                env: &self.env,
                shell: &self.shell,
                folder: &self.folder,
                secrets: &self.secrets,
                file: None,
            },
        }
    }

    /// The copy of a group that a frame is in, within its file.
    pub(crate) fn copy(&self, frame: FrameId) -> Option<&Copied> {
        let mut frames = self.frames_from(frame).take_while(|(_, it)| it.file.is_none());
        frames.find_map(|(_, it)| it.copy.as_ref())
    }
}
