//! A request over HTTP, with all texts filled in.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Span;

/// A request, and what is taken of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET` and its like, in capitals.
    pub method: String,
    /// Where it goes: an absolute `http` or `https` URL.
    pub url: Text,
    /// Parameters that are added to those in the URL.
    pub query: Vec<(String, Text)>,
    /// Headers, over those that are sent anyway.
    pub headers: Vec<(String, Text)>,
    /// Who asks.
    pub auth: Option<Auth>,
    /// What is sent.
    pub body: Body,
    /// How a server shows who it is.
    pub tls: Tls,
    /// The statuses that count as success, each a range with both ends.
    pub expect: Vec<(u16, u16)>,
    /// Outputs that are taken from the answer, by name with the JSON path of each.
    pub outputs: Vec<(String, String)>,
    /// The file that the answer is written to, relative to where the attempt starts.
    pub save: Option<String>,
    /// How long is waited for the whole answer; with a file, for each next piece of it.
    pub timeout: Span,
    /// How long the answer may be.
    pub bytes_max: u64,
    /// How many redirects are followed.
    pub redirects_max: u32,
    /// Whether it may go to addresses of the link, where clouds keep the credentials of machines.
    pub may_use_link_local: bool,
    /// After how long it is asked again while the status is another; nothing if it is asked once.
    pub every: Option<Span>,
}

/// A text that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The text itself.
    Plain(String),
    /// The variable of the attempt that holds it.
    Secret(String),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A name and a password.
    Basic(Text, Text),
    /// A token.
    Bearer(Text),
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// This text, which may be a secret.
    Text(Text),
    /// JSON.
    Json(Vec<u8>),
    /// The fields of a form.
    Form(Vec<(String, Text)>),
    /// The content of a file, relative to where the attempt starts.
    File(String),
}

/// How a server shows who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tls {
    /// A file of certificates that are trusted as well, relative to where the attempt starts.
    pub authorities: Option<String>,
    /// Whether anybody is believed.
    pub is_insecure: bool,
}
