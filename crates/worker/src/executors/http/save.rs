//! An answer that is written to a file as it comes. What is there of an attempt that broke off
//! stays beside the file, with what the server knows that content by, and the next attempt asks for
//! the rest alone. The file itself is there when it is whole.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use model::outcome::Failure;
use model::work::http::Text;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::answer::{broken, is_whole};
use crate::executors::network::client::trouble;
use crate::executors::network::patience::Patience;
use crate::executors::network::{Teller, Trouble};

/// What is there of a file.
pub(super) struct Part {
    target: PathBuf,
    part: PathBuf,
    note: PathBuf,
    /// Tells the address that it comes from. The address itself may be a secret.
    source: String,
    /// How much is there, and what the server knows it by.
    begun: Option<(u64, String)>,
}

impl Part {
    /// Looks for what an earlier attempt has left.
    pub(super) async fn find(target: &Path, url: &Text) -> Self {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let beside = |end: &str| target.with_file_name(format!(".{name}.{end}"));
        let (Text::Plain(url) | Text::Secret(url)) = url;
        let source = blake3::hash(url.as_bytes()).to_hex().to_string();
        let (part, note) = (beside("part"), beside("part.json"));
        let mut found = Self { target: target.to_owned(), part, note, source, begun: None };
        found.begun = found.look().await;
        found
    }

    async fn look(&self) -> Option<(u64, String)> {
        let note: Value = serde_json::from_slice(&fs::read(&self.note).await.ok()?).ok()?;
        let validator = note["validator"].as_str()?;
        let bytes = fs::metadata(&self.part).await.ok().filter(|it| it.is_file())?.len();
        let fits = note["source"] == self.source.as_str() && bytes > 0;
        fits.then(|| (bytes, validator.to_owned()))
    }

    /// Whether something is there.
    pub(super) const fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Asks for the rest alone, if what is there is still what the server has.
    pub(super) fn ask_for_rest(&self, headers: &mut HeaderMap) {
        let Some((bytes, validator)) = &self.begun else { return };
        let range = HeaderValue::from_str(&format!("bytes={bytes}-"));
        if let (Ok(range), Ok(validator)) = (range, HeaderValue::from_str(validator)) {
            headers.insert(header::RANGE, range);
            headers.insert(header::IF_RANGE, validator);
        }
    }

    async fn forget(&self) {
        // They may not be there.
        let _ = fs::remove_file(&self.part).await;
        let _ = fs::remove_file(&self.note).await;
    }
}

/// Writes an answer to its file. Says how long that is.
pub(super) async fn save(
    mut response: Response,
    part: Part,
    (bytes_max, patience): (u64, Patience),
    teller: &Teller,
) -> Result<u64, Trouble> {
    let mut bytes = begin(&response, &part).await?;
    if bytes > 0 {
        teller.say(&format!("{bytes} bytes are there of an earlier attempt"));
    }
    let is_complete = response.status() == StatusCode::RANGE_NOT_SATISFIABLE;
    let failed = |error| unwritable(&part.target, &error);
    if !is_complete {
        let mut file = open(&part, bytes).await.map_err(failed)?;
        let took = take(&mut response, (&mut file, &mut bytes), (bytes_max, patience)).await;
        // What has come is there for the next attempt, however this one ends.
        file.flush().await.map_err(failed)?;
        if let Err(trouble) = took {
            if trouble.failure == Failure::TooLarge {
                part.forget().await;
            }
            return Err(trouble);
        }
    }
    fs::rename(&part.part, &part.target).await.map_err(failed)?;
    let _ = fs::remove_file(&part.note).await;
    Ok(bytes)
}

/// Where in the file the answer begins.
async fn begin(response: &Response, part: &Part) -> Result<u64, Trouble> {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|it| it.to_str().ok());
    match (&part.begun, response.status()) {
        (Some((bytes, _)), StatusCode::PARTIAL_CONTENT) => {
            let from = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next());
            match from.and_then(|from| from.trim().parse::<u64>().ok()) {
                Some(from) if from == *bytes => Ok(*bytes),
                _ => {
                    part.forget().await;
                    Err(broken("the server sends another part of the file than it was asked for"))
                }
            }
        }
        (Some((bytes, _)), StatusCode::RANGE_NOT_SATISFIABLE) => {
            let whole = range.and_then(|range| range.strip_prefix("bytes */"));
            if whole.and_then(|whole| whole.trim().parse::<u64>().ok()) == Some(*bytes) {
                return Ok(*bytes);
            }
            part.forget().await;
            Err(broken("the server has less than what is there: the next attempt begins anew"))
        }
        (_, status) => {
            part.forget().await;
            if !is_whole(status) {
                return Err(broken("the server sends a part of the file without being asked"));
            }
            note(response.headers(), part).await?;
            Ok(0)
        }
    }
}

/// Notes what the server knows the content by. Without that an attempt begins at the beginning.
async fn note(headers: &HeaderMap, part: &Part) -> Result<(), Trouble> {
    let failed = |error| unwritable(&part.target, &error);
    if let Some(folder) = part.target.parent() {
        fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // A weak tag says that two contents mean the same, not that they are the same bytes.
    let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
    let Some(validator) = tag.or_else(|| text(header::LAST_MODIFIED)) else { return Ok(()) };
    let note = json!({"source": part.source, "validator": validator});
    fs::write(&part.note, note.to_string()).await.map_err(failed)
}

async fn open(part: &Part, from: u64) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(from == 0).open(&part.part).await?;
    file.seek(SeekFrom::Start(from)).await?;
    Ok(file)
}

async fn take(
    response: &mut Response,
    (file, bytes): (&mut File, &mut u64),
    (bytes_max, patience): (u64, Patience),
) -> Result<(), Trouble> {
    let too_large = || {
        let reason = format!("the answer is larger than {bytes_max} bytes: raise `max_bytes`");
        Trouble::new(Failure::TooLarge, reason)
    };
    if response.content_length().is_some_and(|more| bytes.saturating_add(more) > bytes_max) {
        return Err(too_large());
    }
    while let Some(piece) =
        patience.wait("the next piece", response.chunk()).await?.map_err(trouble)?
    {
        *bytes += piece.len() as u64;
        if *bytes > bytes_max {
            return Err(too_large());
        }
        let wrote = file.write_all(&piece).await;
        wrote.map_err(|error| Trouble::new(Failure::Outputs, error.to_string()))?;
    }
    Ok(())
}

fn unwritable(target: &Path, error: &std::io::Error) -> Trouble {
    let reason = format!("{} cannot be written: {error}", target.display());
    Trouble::new(Failure::Outputs, reason)
}
