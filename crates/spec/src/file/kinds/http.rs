//! `http`: a request, as it stands in a file. Nothing here sends one.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value as Json, json};

use super::super::values::{Duration, Memory, OneOrMany, Whole, inline_schema};
use super::KindFile;
use crate::call::{StatusRange, json_path};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Kind, Node};
use crate::read::{Foreign, Instead, Placed, Read, mapping, read_text, record, wrong_type};
use crate::template::is_template;

record! {
    /// A request over HTTP.
    struct HttpFile("`http`", "a mapping such as `{url: \"https://example.com/items\"}`") {
        /// `GET` if it is left out, and `POST` if something is sent.
        method: Placed<String>,
        /// Where it goes. A template, or a secret as a whole.
        url: Placed<String>,
        /// Parameters that are added to the URL. Templates, or secrets.
        query: Fields,
        /// Headers. Templates, or secrets.
        headers: Fields,
        /// Who asks.
        auth: AuthFile,
        /// A text that is sent. A template, or a secret.
        body: Placed<String>,
        /// A value that is sent as JSON. The texts in it are templates.
        json: Placed<Json>,
        /// Fields that are sent as a form. Templates, or secrets.
        form: Placed<Fields>,
        /// A file that is sent, relative to where the task starts. A template.
        file: Placed<String>,
        /// How the server shows who it is.
        tls: TlsFile,
        /// The statuses that count as success: `200`, `2xx`, or a list. `2xx` if it is left out.
        expect: OneOrMany<Status>,
        /// Outputs from an answer in JSON, by name with a JSON path such as `$.items[0].id`. The
        /// whole answer is the output `body` if this is left out.
        outputs: Placed<Paths>,
        /// The file that the answer is written to, relative to where the task starts. What is there
        /// of an attempt that broke off is not fetched again. A template.
        save: Placed<String>,
        /// How long is waited for the whole answer; with `save`, for each next piece of it. 60 s if
        /// it is left out.
        timeout: Placed<Duration>,
        /// How long the answer may be. 10 MiB if it is left out, and 100 GiB with `save`.
        max_bytes: Memory,
        /// How many redirects are followed. 10 if it is left out.
        redirects: Whole<0, 50>,
        /// Whether it may go to link-local addresses, where clouds keep the credentials of
        /// machines.
        allow_link_local: Switch,
    }
    foreign: HTTP
}

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

const HTTP: &[Foreign] = &[
    write("params", "query"),
    write("data", "body"),
    write("payload", "json"),
    write("status", "expect"),
    write("expected_status", "expect"),
    write("verify", "tls: {insecure: true}"),
    write("follow_redirects", "redirects"),
    write("output", "save"),
];

record! {
    /// Who asks.
    struct AuthFile("`auth`", "a mapping such as `{bearer: \"{{ secrets.token }}\"}`") {
        /// A token. A template, or a secret.
        bearer: Placed<String>,
        /// A name and a password.
        basic: BasicFile,
    }
    foreign: AUTH
}

const AUTH: &[Foreign] = &[write("token", "bearer"), write("user", "basic: {user: ...}")];

const BASIC: &[Foreign] = &[write("username", "user"), write("name", "user")];

record! {
    /// A name and a password.
    struct BasicFile("`basic`", "a mapping such as `{user: me, password: \"{{ secrets.p }}\"}`") {
        /// The name. A template, or a secret.
        user: Placed<String>,
        /// The password. A template, or a secret.
        password: Placed<String>,
    }
    foreign: BASIC
}

record! {
    /// How a server shows who it is.
    struct TlsFile("`tls`", "a mapping such as `{ca: certs/ours.pem}`") {
        /// A file of certificates in PEM that are trusted as well, relative to where the task
        /// starts. A template.
        ca: Placed<String>,
        /// Whether any server is believed. For tests alone.
        insecure: Switch,
    }
    foreign: TLS
}

const TLS: &[Foreign] = &[write("cacert", "ca"), write("verify", "insecure")];

/// Yes or no.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Switch;

inline_schema!(Switch, |_generator| json_schema!({"type": "boolean"}));

impl Read for Switch {
    const TAKES: &'static str = "`true` or `false`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.scalar().map(|scalar| scalar.kind()) {
            Some(Kind::Bool(_)) => Some(Self),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// Names with texts: headers, parameters, fields.
#[derive(Debug, Default)]
pub(crate) struct Fields;

inline_schema!(Fields, |_generator| json_schema!({
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]}
}));

impl Read for Fields {
    const TAKES: &'static str = "a mapping from name to text";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        for entry in mapping::<Self>(node, key, faults)? {
            let is_header = key == "headers";
            if is_header && !is_token(&entry.key) {
                let name = entry.key.escape_debug();
                let message = format!("`{name}` cannot be the name of a header");
                faults.push(Fault::new(code::BAD_NAME, entry.key_extent, message));
            }
            let _ = String::read(&entry.value, &entry.key, faults);
        }
        Some(Self)
    }
}

/// A status, or a hundred of them.
#[derive(Debug)]
pub(crate) struct Status;

inline_schema!(Status, |_generator| json_schema!({
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5]([0-9]{2}|xx)$", "examples": ["2xx"]}
    ]
}));

impl Read for Status {
    const TAKES: &'static str = "a status such as `200`, or `2xx` for all that begin so";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| text.parse::<StatusRange>().map(|_| Self);
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

/// Names of outputs with where they are in the answer.
#[derive(Debug, Default)]
pub(crate) struct Paths;

inline_schema!(Paths, |_generator| json_schema!({
    "type": "object",
    "additionalProperties": {"type": "string", "examples": ["$.items[0].id"]}
}));

impl Read for Paths {
    const TAKES: &'static str = "a mapping from output to JSON path, such as `{id: $.items[0].id}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        for entry in mapping::<Self>(node, key, faults)? {
            let parse = |text: &str| json_path(text).map(|_| Path);
            let _ = read_text::<Path>(&entry.value, &entry.key, faults, (code::BAD_VALUE, parse));
        }
        Some(Self)
    }
}

/// A JSON path that can be read.
struct Path;

impl Read for Path {
    const TAKES: &'static str = "a JSON path such as `$.items[0].id`";

    fn read(_: &Node<'_>, _: &str, _: &mut Faults) -> Option<Self> {
        Some(Self)
    }
}

/// `http: URL`, or more.
#[derive(Debug)]
pub(crate) struct Http;

inline_schema!(Http, |generator| {
    let full = generator.subschema_for::<HttpFile>();
    json_schema!({"anyOf": [{"type": "string"}, full]})
});

impl Read for Http {
    const TAKES: &'static str = "a URL, or a mapping such as `{url: ..., method: POST}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Content::Map(_) = &node.content else {
            let url = Placed::read(node, key, faults)?;
            check_url(&url, faults);
            return Some(Self);
        };
        let file = HttpFile::read(node, key, faults)?;
        match &file.url {
            Some(url) => check_url(url, faults),
            None => {
                let fault = Fault::new(code::MISSING_KEY, node.extent, "`http` has no `url`");
                faults.push(fault.hint("add `url: https://...`"));
            }
        }
        file.check(faults);
        Some(Self)
    }
}

impl KindFile for Http {
    fn settings(node: &Node<'_>) -> Json {
        match &node.content {
            Content::Map(_) => node.to_json(),
            _ => json!({"url": node.to_json()}),
        }
    }
}

impl HttpFile {
    /// How its keys fit each other.
    fn check(&self, faults: &mut Faults) {
        if let Some(method) = self.method.as_ref().filter(|method| !is_token(&method.value)) {
            let message = format!("`{}` is no method", method.value.escape_debug());
            faults.push(Fault::new(code::BAD_VALUE, method.extent, message));
        }
        let bodies = [
            ("body", self.body.as_ref().map(|it| it.extent)),
            ("json", self.json.as_ref().map(|it| it.extent)),
            ("form", self.form.as_ref().map(|it| it.extent)),
            ("file", self.file.as_ref().map(|it| it.extent)),
        ];
        let mut given = bodies.into_iter().filter_map(|(key, extent)| Some((key, extent?)));
        if let (Some((first, at)), Some((second, extent))) = (given.next(), given.next()) {
            let message = format!("a request sends `{first}` or `{second}`, not both");
            let fault = Fault::new(code::CONFLICT, extent, message);
            faults.push(fault.related(at, "the first"));
        }
        if let (Some(outputs), Some(save)) = (&self.outputs, &self.save) {
            let message = "an answer that is written to a file has no `outputs` taken from it";
            let fault = Fault::new(code::CONFLICT, outputs.extent, message);
            faults.push(fault.related(save.extent, "the file"));
        }
        if let Some(timeout) = self.timeout.as_ref().filter(|it| it.value.0.0 == 0) {
            let message = "a `timeout` is longer than nothing";
            faults.push(Fault::new(code::BAD_VALUE, timeout.extent, message));
        }
        if let Some(AuthFile { bearer: Some(bearer), basic: Some(_) }) = &self.auth {
            let message = "`auth` has `bearer` or `basic`, not both";
            faults.push(Fault::new(code::CONFLICT, bearer.extent, message));
        }
    }
}

/// What can be said of a URL before it is filled in.
fn check_url(url: &Placed<String>, faults: &mut Faults) {
    let text = url.value.trim();
    if is_template(text) || text.starts_with("http://") || text.starts_with("https://") {
        return;
    }
    let message = format!("`{}` is no URL of the web", text.escape_debug());
    let fault = Fault::new(code::BAD_VALUE, url.extent, message);
    faults.push(fault.hint("it begins with `https://` or `http://`"));
}

/// Whether a text is a word as HTTP has them: a method, the name of a header.
fn is_token(text: &str) -> bool {
    let is_mark = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}
