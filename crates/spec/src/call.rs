//! Kinds of work besides scripts and commands, and what a worker is given of each.
//!
//! A task keeps its settings as a tree of values. When an attempt starts, the texts in it are
//! filled in, and the kind makes work of what comes out. Nothing here does any of it.

use model::VariantId;
use model::work::Does;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

mod builtin;
mod container;
pub(crate) mod function;
mod http;
mod models;

pub(crate) use container::{
    gpus as container_gpus, mount as container_mount, pull as container_pull,
};
pub(crate) use http::{StatusRange, json_path};
pub(crate) use models::check_schema;

/// A kind of work. Its name is the key of the file that makes a task one of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Nothing is done.
    Noop,
    /// Time passes on a worker.
    Sleep,
    /// Outputs that are known.
    Emit,
    /// A request over HTTP.
    Http,
    /// A function is called in a process that stays warm.
    Function,
    /// A language model generates text.
    #[serde(rename = "llm_generate")]
    Generate,
    /// A model embeds texts.
    #[serde(rename = "llm_embed")]
    Embed,
    /// What runs in a container.
    Container,
}

impl CallKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Noop,
        Self::Sleep,
        Self::Emit,
        Self::Function,
        Self::Http,
        Self::Generate,
        Self::Embed,
        Self::Container,
    ];

    /// The key of the file.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Sleep => "sleep",
            Self::Emit => "emit",
            Self::Function => "function",
            Self::Http => "http",
            Self::Generate => "llm_generate",
            Self::Embed => "llm_embed",
            Self::Container => "container",
        }
    }

    /// The kind that a key of the file makes a task.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Whether its attempts do little but wait for another machine.
    pub(crate) const fn waits_for_others(self) -> bool {
        match self {
            Self::Noop | Self::Sleep | Self::Emit | Self::Function | Self::Container => false,
            Self::Http | Self::Generate | Self::Embed => true,
        }
    }

    /// What a worker must have for it, beside cores and memory: an amount by this name.
    pub(crate) const fn needs(self) -> Option<&'static str> {
        match self {
            Self::Container => Some(model::resources::CONTAINER),
            _ => None,
        }
    }

    /// The keys of its settings, at the top, in which whole texts may be secrets.
    pub(crate) const fn secret_keys(self) -> &'static [&'static str] {
        match self {
            Self::Noop | Self::Sleep | Self::Emit | Self::Function | Self::Container => &[],
            Self::Http => &["url", "query", "headers", "auth", "body", "form"],
            // The check puts it there.
            Self::Generate | Self::Embed => &["models"],
        }
    }

    /// Leaves of the settings what is of one of the ways to do the work.
    pub(crate) fn keep_only(self, settings: &mut Json, variant: VariantId) {
        if matches!(self, Self::Generate | Self::Embed) {
            models::keep_only(settings, variant);
        }
    }

    /// What a worker does, from settings with everything filled in. A text that was a secret is
    /// there as `{"secret": VARIABLE}`, the name of the variable that the worker knows it by.
    ///
    /// # Errors
    /// The settings do not make work, now that they are filled in; in words.
    pub(crate) fn work(self, settings: &Json) -> Result<Does, String> {
        match self {
            Self::Noop => Ok(Does::Nothing),
            Self::Sleep => builtin::sleep(settings),
            Self::Emit => builtin::emit(settings),
            Self::Http => http::work(settings),
            Self::Function => function::call(settings),
            Self::Generate => models::generate(settings),
            Self::Embed => models::embed(settings),
            Self::Container => container::work(settings),
        }
    }
}

/// What a task does by a kind of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub kind: CallKind,
    /// Its settings, whose texts are templates.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub settings: Json,
}
