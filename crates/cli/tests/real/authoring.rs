//! What helps to write workflows: beginnings that run, plans that start nothing, settings that say
//! where they come from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::binary::Home;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(60);

/// All files below a folder with their content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("readable").path();
        let name = path.to_str().expect("UTF-8").to_owned();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                found.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

#[test]
fn every_beginning_is_valid_and_runs() {
    for template in ["minimal", "etl", "ml"] {
        let home = Home::new();
        let made = home.run(&["init", "new", "--template", template]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        assert!(made.stdout.contains("  autoglm plan new/workflow.yaml\n"), "{}", made.stdout);
        assert!(made.stdout.ends_with("  autoglm run new/workflow.yaml\n"), "{}", made.stdout);
        let first = home.lines("new/workflow.yaml").remove(0);
        assert_eq!(first, "# yaml-language-server: $schema=workflow.schema.json");
        assert!(home.folder().join("new/workflow.schema.json").exists());
        assert!(home.folder().join("new/.gitignore").exists());
        assert_eq!(home.run(&["validate", "new/workflow.yaml"]).code, 0);

        let run = home.start(&["run", "new/workflow.yaml"]);
        if template == "ml" {
            wait::until("the approval", PATIENCE, || {
                (home.run(&["approve", "last", "review"]).code == 0).then_some(())
            });
        }
        let ended = run.finish();
        assert_eq!(ended.code, 0, "{template}: {}", ended.stderr);
        if template == "etl" {
            let totals = home.lines("new/out/totals.csv");
            assert_eq!(totals, ["Hanoi,5", "Oslo,42", "Quito,15"]);
        }
        if template == "ml" {
            let released = home.lines("new/out/released.json").concat();
            assert!(released.contains(r#""degree": 3"#), "the curve is of that degree: {released}");
        }
        home.wait_until_quiet();
    }
}

#[test]
fn a_beginning_never_writes_over_anything() {
    let home = Home::new();
    home.write("count.sh", "mine\n");
    let before = files(home.folder());
    let refused = home.run(&["init"]);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(
        refused.stderr.starts_with("error[E0510]: . has count.sh already"),
        "{}",
        refused.stderr
    );
    let mut after = files(home.folder());
    after.retain(|name, _| !name.contains("/said-"));
    assert_eq!(after, before);

    home.write(".gitignore", "mine\n");
    assert_eq!(home.run(&["init", "--template", "etl"]).code, 0);
    assert_eq!(home.lines(".gitignore"), ["mine"], "one that is there stays");
}
