//! Containers: from settings with all filled in to what a worker runs.

use std::str::FromStr;

use model::work::Does;
use model::work::container::{Container, Gpus, Mount, Pull};
use serde_json::Value as Json;

use super::http::plain;

/// A mount as it is written: `SOURCE:TARGET`, or `SOURCE:TARGET:ro`.
///
/// # Errors
/// It is none; in words.
pub(crate) fn mount(text: &str) -> Result<Mount, String> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let (source, target, is_read_only) = match *parts {
        [source, target] | [source, target, "rw"] => (source, target, false),
        [source, target, "ro"] => (source, target, true),
        _ => return Err(format!("`{}` is no mount", text.escape_debug())),
    };
    if source.is_empty() || !target.starts_with('/') {
        return Err(format!("`{}` does not say what is seen where", text.escape_debug()));
    }
    Ok(Mount { source: source.to_owned(), target: target.to_owned(), is_read_only })
}

/// When an image is fetched, as it is written.
///
/// # Errors
/// It is no such word.
pub(crate) fn pull(text: &str) -> Result<Pull, String> {
    match text {
        "missing" => Ok(Pull::Missing),
        "always" => Ok(Pull::Always),
        "never" => Ok(Pull::Never),
        _ => Err(format!("`{}` is not when an image is pulled", text.escape_debug())),
    }
}

/// How many GPUs, as it is written.
///
/// # Errors
/// It is neither a number nor `all`.
pub(crate) fn gpus(text: &str) -> Result<Gpus, String> {
    match u32::from_str(text) {
        Ok(0) => Ok(Gpus::None),
        Ok(count) => Ok(Gpus::Some(count)),
        Err(_) if text == "all" => Ok(Gpus::All),
        Err(_) => Err(format!("`{}` is no number of GPUs", text.escape_debug())),
    }
}

pub(super) fn work(settings: &Json) -> Result<Does, String> {
    let image = plain(&settings["image"])?;
    if image.trim().is_empty() {
        return Err("`container`: the name of the image is empty".to_owned());
    }
    let one = |key: &str| settings.get(key).map(plain).transpose();
    Ok(Does::Container(Box::new(Container {
        image: image.trim().to_owned(),
        command: words(&settings["command"])?,
        entrypoint: words(&settings["entrypoint"])?,
        mounts: words(&settings["mounts"])?
            .iter()
            .map(|text| mount(text))
            .collect::<Result<_, _>>()?,
        gpus: one("gpus")?.map_or(Ok(Gpus::None), |text| gpus(&text))?,
        pull: one("pull")?.map_or(Ok(Pull::Missing), |text| pull(&text))?,
        user: one("user")?,
        folder: one("working_dir")?,
        network: one("network")?,
    })))
}

/// A list of texts; one alone is a list, too.
fn words(value: &Json) -> Result<Vec<String>, String> {
    match value {
        Json::Null => Ok(Vec::new()),
        Json::Array(words) => words.iter().map(plain).collect(),
        one => plain(one).map(|one| vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_become_a_container() {
        let settings = json!({
            "image": "registry.example.org:5000/train:2", "command": ["train", 3],
            "mounts": ["data:/data:ro", "/out:/out"], "gpus": 2, "pull": "never", "user": 1000
        });
        let Ok(Does::Container(container)) = work(&settings) else { panic!("a container") };
        assert_eq!(container.command, ["train", "3"]);
        let is_read_only = container.mounts.iter().map(|it| it.is_read_only).collect::<Vec<_>>();
        assert_eq!(is_read_only, [true, false]);
        assert_eq!((container.gpus, container.pull), (Gpus::Some(2), Pull::Never));
        assert_eq!(container.user.as_deref(), Some("1000"));
        for bad in [json!({"image": " "}), json!({"image": "a", "mounts": ["x"]})] {
            assert!(work(&bad).is_err(), "{bad}");
        }
    }
}
