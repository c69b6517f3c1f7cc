//! `container`: what runs in an image, as it stands in a file. Nothing here knows an engine.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::values::{Command, OneOrMany, inline_schema};
use super::KindFile;
use crate::call::{container_gpus, container_mount, container_pull};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::Node;
use crate::read::{Foreign, Instead, Placed, Read, record};
use crate::template::is_template;

record! {
    /// What runs in a container.
    struct ContainerFile("`container`", "a mapping such as `{image: \"python:3.13\"}`") {
        /// The image: `NAME`, `NAME:TAG` or `NAME@DIGEST`. A template.
        image: Placed<String>,
        /// The program and its arguments; those of the image if it is left out. Templates.
        command: Command,
        /// What the command is given to, instead of what the image says. Templates.
        entrypoint: Command,
        /// Files and folders of this machine that are seen in it: `SOURCE:TARGET`, or
        /// `SOURCE:TARGET:ro`. A source without a slash is a volume. Templates.
        mounts: OneOrMany<Placed<String>>,
        /// The GPUs that it has: a number, or `all`. A template.
        gpus: Placed<GpuCount>,
        /// When the image is fetched: `missing`, `always` or `never`. `missing` if it is left out.
        pull: Placed<PullWord>,
        /// Who runs in it: `USER`, `USER:GROUP`, or numbers. A template.
        user: Placed<String>,
        /// Where in it the command starts. A template.
        working_dir: Placed<String>,
        /// The network that it is in: `none`, `host`, or one that the engine knows. A template.
        network: Placed<String>,
    }
    foreign: CONTAINER
}

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

const CONTAINER: &[Foreign] = &[
    write("args", "command"),
    write("cmd", "command"),
    write("volumes", "mounts"),
    Foreign { key: "env", what: Instead::Later(Some("write it beside `container`, in the task")) },
    write("workdir", "working_dir"),
    write("network_mode", "network"),
];

/// How many GPUs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GpuCount;

inline_schema!(GpuCount, |_generator| json_schema!({
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]
}));

impl Read for GpuCount {
    const TAKES: &'static str = "a number, or `all`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        checked(node, key, faults, |text| container_gpus(text).map(drop)).map(|()| Self)
    }
}

/// When an image is fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PullWord;

inline_schema!(PullWord, |_generator| json_schema!({
    "anyOf": [{"enum": ["missing", "always", "never"]}, {"type": "string"}]
}));

impl Read for PullWord {
    const TAKES: &'static str = "`missing`, `always` or `never`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        checked(node, key, faults, |text| container_pull(text).map(drop)).map(|()| Self)
    }
}

/// Reads a text that is checked if it is no template.
fn checked(
    node: &Node<'_>,
    key: &str,
    faults: &mut Faults,
    check: impl Fn(&str) -> Result<(), String>,
) -> Option<()> {
    let text = String::read(node, key, faults)?;
    if is_template(&text) {
        return Some(());
    }
    if let Err(reason) = check(&text) {
        faults.push(Fault::new(code::BAD_VALUE, node.extent, reason));
    }
    Some(())
}

/// `container: {image: ...}`.
#[derive(Debug)]
pub(crate) struct Container;

inline_schema!(Container, |generator| generator.subschema_for::<ContainerFile>());

impl Read for Container {
    const TAKES: &'static str = ContainerFile::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let file = ContainerFile::read(node, key, faults)?;
        if file.image.is_none() {
            let fault = Fault::new(code::MISSING_KEY, node.extent, "`container` has no `image`");
            faults.push(fault.hint("add `image: NAME`"));
        }
        let mounts = file.mounts.iter().flat_map(|mounts| &mounts.0);
        for mount in mounts.filter(|mount| !is_template(&mount.value)) {
            if let Err(reason) = container_mount(&mount.value) {
                let fault = Fault::new(code::BAD_VALUE, mount.extent, reason);
                faults.push(fault.hint("write `SOURCE:/TARGET`, or `SOURCE:/TARGET:ro`"));
            }
        }
        Some(Self)
    }
}

impl KindFile for Container {}
