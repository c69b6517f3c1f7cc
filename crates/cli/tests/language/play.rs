//! Plays a case: checks its file, or runs it and does beside it what its directives say.

use std::path::Path;

use crate::case::Case;
use crate::home::{self, Finished, Home, Running};
use crate::{orders, told};

/// The exit code of a workflow or of parameters that are not valid.
const INVALID: i32 = 4;

/// Plays a case, and tells what came of it.
pub(crate) fn play(home: &mut Home, case: &Case) -> Result<String, String> {
    let folder = home.folder_for(&case.path);
    let file = case.path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    if case.is_invalid() {
        let finished = home.run(&folder, &["validate", file])?;
        return Ok(told::words(&finished, &folder));
    }
    let mut words = vec!["run", "--new", file];
    words.extend(case.all("run").flat_map(split));
    let mut command = home.command(&folder, &words);
    command.envs(case.all("env").filter_map(|text| text.split_once('=')));
    let mut running = home::start(command, &folder)?;
    let run = (home.runs + 1).to_string();
    let mut explained = String::new();
    for directive in &case.directives {
        let text = &directive.text;
        match directive.word.as_str() {
            "approve" | "reject" | "signal" => {
                let (task, rest) = text.split_once(' ').unwrap_or((text, ""));
                wait_for(home, &mut running, (&folder, &run, task))?;
                let words = [&[directive.word.as_str(), &run, task], &split(rest)[..]].concat();
                must(home.run(&folder, &words)?, &words)?;
            }
            "while" => {
                let (task, rest) = text.split_once(' ').unwrap_or((text, ""));
                wait_for(home, &mut running, (&folder, &run, task))?;
                explained.push_str(&said(home, &folder, (&run, rest))?);
            }
            "explain" => explained.push_str(&explain(home, &folder, (&run, text))?),
            "stop" => {
                if text != "at once" {
                    wait_for(home, &mut running, (&folder, &run, text))?;
                }
                let words = ["stop", &run];
                must(home.run(&folder, &words)?, &words)?;
            }
            _ => {}
        }
    }
    let mut finished = running.finish()?;
    if finished.code == INVALID {
        return Ok(told::words(&finished, &folder));
    }
    home.runs += 1;
    for text in case.all("retry") {
        finished = home.run(&folder, &[&["retry", &run, "--yes"], &split(text)[..]].concat())?;
    }
    let events = home.json(&folder, &["events", &run, "-o", "jsonl"])?;
    orders::check(case, &events)?;
    let mut text = told::run(home, &folder, &run, finished.code)?;
    text.push_str(&told::answers(&events));
    text.push_str(&explained);
    Ok(text.replace(&folder.display().to_string(), "FOLDER"))
}

/// What a command about a run comes to: its exit code and its words.
fn said(home: &Home, folder: &Path, (run, text): (&str, &str)) -> Result<String, String> {
    let (command, rest) = text.split_once(' ').ok_or("write `# while: TASK COMMAND ...`")?;
    let finished = home.run(folder, &[&[command, run], &split(rest)[..]].concat())?;
    let words = told::words(&finished, folder);
    // Which run it is depends on the cases before.
    let words = ["run", "Run", "fork"]
        .iter()
        .fold(words, |words, word| words.replace(&format!("{word} {run}"), &format!("{word} RUN")));
    Ok(format!("$ {text}\n{words}"))
}

/// Waits until a task of a run is running, which is the word for what waits for somebody too.
fn wait_for(
    home: &Home,
    running: &mut Running,
    (folder, run, task): (&Path, &str, &str),
) -> Result<(), String> {
    home::until(&format!("task {task} of run {run} is running"), || {
        if running.has_ended() {
            return Err(format!("the run has ended before task {task} was running"));
        }
        let finished = home.run(folder, &["get", run, "-o", "json"])?;
        let value: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
        let tasks = value["tasks"].as_array().cloned().unwrap_or_default();
        let is_running =
            |found: &serde_json::Value| found["name"] == task && found["status"] == "running";
        Ok(tasks.iter().any(is_running).then_some(()))
    })
}

/// Why a task waits, as soon as it does so for the reason that `text` has behind its name.
fn explain(home: &Home, folder: &Path, (run, text): (&str, &str)) -> Result<String, String> {
    let (task, kind) = text.split_once(' ').ok_or("write `# explain: TASK KIND`")?;
    home::until(&format!("task {task} of run {run} waits"), || {
        let finished = home.run(folder, &["explain", run, task, "-o", "json"])?;
        let value: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
        let mut blockers = value["blockers"].as_array().into_iter().flatten();
        let found = blockers.find(|blocker| blocker["kind"] == kind);
        Ok(found.map(|blocker| told::blocker(task, blocker)))
    })
}

fn must(finished: Finished, words: &[&str]) -> Result<(), String> {
    match finished.code {
        0 => Ok(()),
        code => Err(format!("{words:?} ended with {code}: {}", finished.stderr)),
    }
}

/// Words apart by blanks; `'...'` around a whole word keeps its blanks.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}
