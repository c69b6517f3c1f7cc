//! What a workflow is given on the command line: parameters, files of them, and an environment.
//!
//! `run` and `plan` take the same. Nothing here knows what a value means: the workflow says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use spec::Workflow;

use crate::error::{Error, Result};
use crate::style::Tone;
use crate::workflow::{WorkflowFile, pair, params};

/// Parameters and the environment.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Inputs {
    /// A parameter of the workflow; may be given again
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,

    /// A file of parameters, YAML or JSON, beneath those of -p; may be given again
    #[arg(long = "param-file", value_name = "FILE")]
    pub param_files: Vec<PathBuf>,

    /// The environment of the workflow to run in [default: as the file says]
    #[arg(short = 'E', long, value_name = "NAME")]
    pub environment: Option<String>,
}

impl Inputs {
    /// The values of all files, the later over the earlier, and over them those of `-p`. Relative
    /// paths in a file of parameters begin at its folder, those of `-p` here.
    pub(crate) fn values(
        &self,
        workflow: &Workflow,
        tone: Tone,
    ) -> Result<BTreeMap<String, Value>> {
        let mut values = BTreeMap::new();
        for named in &self.param_files {
            let WorkflowFile { source, .. } = WorkflowFile::read(named)?;
            let found = spec::params_file(&source);
            let mut found = found.map_err(|diagnostics| Error::invalid(&diagnostics, tone))?;
            workflow.resolve_paths(&mut found, &source.folder);
            values.extend(found);
        }
        let mut typed = params(&self.params);
        if let Ok(here) = std::env::current_dir() {
            workflow.resolve_paths(&mut typed, &here);
        }
        values.extend(typed);
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn later_files_and_then_the_command_line_win() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path
        };
        let workflow = file(
            "w.yaml",
            "params: {a: 1, b: 1, c: 1, d: {type: file}}\ntasks: {t: {script: 'true'}}\n",
        );
        file("data.csv", "1\n");
        let workflow = WorkflowFile::read(&workflow).expect("there");
        let workflow = workflow.check(Tone::PLAIN).expect("valid");
        let inputs = Inputs {
            params: vec![("a".to_owned(), "4".to_owned())],
            param_files: vec![
                file("1.yaml", "a: 2\nb: 2\nc: 2\nd: ./data.csv\n"),
                file("2.json", "{\"a\": 3, \"b\": 3}"),
            ],
            environment: None,
        };
        let values = inputs.values(&workflow, Tone::PLAIN).expect("all good");
        let data = folder.path().canonicalize().expect("there").join("data.csv");
        let expected = json!({"a": "4", "b": 3, "c": 2, "d": data});
        assert_eq!(json!(values), expected);
        assert!(workflow.bind(&values).is_ok());
    }

    #[test]
    fn a_file_of_parameters_that_is_none_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.yaml");
        let source =
            spec::Source { text: b"tasks: {t: {script: 'true'}}".to_vec(), ..Default::default() };
        let workflow = spec::check(&source).expect("valid");
        let inputs = Inputs { param_files: vec![path.clone()], ..Inputs::default() };
        assert!(inputs.values(&workflow, Tone::PLAIN).is_err(), "it is not there");
        fs::write(&path, "[1]").expect("written");
        assert!(inputs.values(&workflow, Tone::PLAIN).is_err(), "it is a list");
    }
}
