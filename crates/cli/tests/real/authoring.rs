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

const FLOW: &str = r#"
params: {n: 3}
env: {TOKEN: from-the-file}
tasks:
  count:
    script: |
      touch ran
      echo "rows={{ params.n }}" >> "$AUTOGLM_OUTPUT"
    resources: {cpu: 500m, memory: 64Mi, license: 1}
  wide: {foreach: {range: "{{ params.n }}"}, script: "echo {{ item }} $TOKEN"}
  late: {depends_on: count, foreach: "{{ tasks.count.outputs.list }}", script: "echo {{ item }}"}
  big: {depends_on: count, when: tasks.count.outputs.rows > 5, script: "true"}
"#;

#[test]
fn a_dry_run_shows_all_and_starts_nothing() {
    let home = Home::new();
    home.write("flow.yaml", FLOW);
    let dry = home.run(&["run", "flow.yaml", "--dry-run", "-p", "n=4", "-e", "KEY=hush"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    let expected = "\
Dry run of flow: 4 tasks; nothing is started.

count
  script     touch ran
             echo \"rows=4\" >> \"$AUTOGLM_OUTPUT\"
  resources  0.5 CPU, 1 license, 64.0 MiB memory
  variables  KEY, TOKEN

wide
  items      4, of which the first is shown: 0, 1, 2, …
  script     echo 0 $TOKEN
  resources  1 CPU
  variables  KEY, TOKEN

late  (after count)
  items      worked out at run time from tasks.count.outputs.list
  script     echo {{ item }}
  resources  1 CPU
  variables  KEY, TOKEN

big  (after count)
  when       tasks.count.outputs.rows > 5 (worked out at run time)
  script     true
  resources  1 CPU
  variables  KEY, TOKEN

warning: count asks for more than this machine offers, or for another
";
    assert_eq!(dry.stdout, expected);
    assert!(!home.state().exists(), "the state folder is not even made");
    assert!(!home.folder().join("ran").exists(), "nothing was started");

    home.write("bad.yaml", &FLOW.replace("params.n", "params.m"));
    assert_eq!(home.run(&["run", "bad.yaml", "--dry-run"]).code, 4, "it checks as a run does");
    assert_eq!(home.run(&["run", "flow.yaml", "--dry-run", "-p", "n=x"]).code, 4);
}

#[test]
fn a_dry_run_leaves_a_state_folder_as_it_is() {
    let home = Home::new();
    home.write("hello.yaml", "tasks: {a: {script: echo hello}}\n");
    assert_eq!(home.run(&["run", "hello.yaml"]).code, 0);
    home.wait_until_quiet();
    let before = files(home.state());
    let dry = home.json(&["run", "hello.yaml", "--dry-run"]);
    assert_eq!(dry["tasks"][0]["script"]["text"], "echo hello");
    assert!(files(home.state()) == before, "something in the state folder has changed");
}

#[test]
fn settings_say_where_they_come_from() {
    let home = Home::new();
    fs::create_dir_all(home.folder().join(".config/autoglm")).expect("made");
    home.write(".config/autoglm/config.toml", "# mine\nmemory = \"1Gi\"\nkeep_runs = 5\n");
    let shown = home.run(&["config", "show", "--origin", "--color", "never"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let row = |name: &str| {
        let line = shown.stdout.lines().find(|line| line.starts_with(name)).expect("a row");
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let file = home.folder().join(".config/autoglm/config.toml");
    assert_eq!(row("cpu"), "2 $AUTOGLM_CPU");
    assert_eq!(row("memory"), format!("1.0 GiB {}:2", file.display()));
    assert_eq!(row("keep_days"), "all default");
    assert_eq!(row("color"), "never --color");
    assert!(!home.state().exists(), "it only looks");

    let json = home.json(&["config", "show"]);
    let keep_runs = json["settings"].as_array().expect("a list").iter();
    let keep_runs = keep_runs.filter(|setting| setting["name"] == "keep_runs").collect::<Vec<_>>();
    assert_eq!(keep_runs[0]["value"], 5);
    assert_eq!(keep_runs[0]["origin"]["line"], 3);
}

const DOCUMENTED: &str = r#"
name: orders
description: Ships orders.
params:
  day: {type: string, description: "Which day, or `all`"}
  limit: {type: int, default: 3, min: 1, max: 9}
  size: {enum: [small, large]}
  code: {type: string, default: a1, pattern: "[a-z][0-9]"}
environments: {prod: {env: {R: eu}}}
tasks:
  read: {script: "echo {{ params.day }}"}
  judge:
    depends_on: read
    decision:
      - {rule: params.limit > 2, action: ship}
      - {action: {route: keep}}
  ship: {script: "true", foreach: {range: "{{ params.limit }}"}}
  keep: {script: "true", depends_on: {judge: keep}}
  again: {script: "true", depends_on: {ship: failed}, until: round > 1}
  clean: {script: "true", on: exit}
"#;

#[test]
fn a_workflow_is_described_as_a_page() {
    let home = Home::new();
    home.write("orders.yaml", DOCUMENTED);
    home.write("given.yaml", "limit: 2\n");
    let given = ["docs", "orders.yaml", "-E", "prod", "--param-file", "given.yaml"];
    assert_eq!(home.run(&given).code, 0);
    assert_eq!(home.run(&["docs", "orders.yaml", "-E", "dev"]).code, 4);
    let page = home.run(&["docs", "orders.yaml"]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    insta::assert_snapshot!(page.stdout, @r##"
    # orders

    Ships orders.

    ```sh
    autoglm run orders.yaml -p day=... -p size=...
    ```

    ## Parameters

    | Name | Type | Default | Description |
    |---|---|---|---|
    | `day` | string | must be given | Which day, or \`all\` |
    | `limit` | int, 1 to 9 | `3` |  |
    | `size` | string, one of `small`, `large` | must be given |  |
    | `code` | string, as `[a-z][0-9]` | `a1` |  |

    ## Tasks

    | Task | Kind | After | What |
    |---|---|---|---|
    | `read` | task |  |  |
    | `judge` | decision | `read` | params.limit \> 2 → ship; otherwise → keep |
    | `ship` | fan-out | `judge` | chosen by judge |
    | `keep` | task | `judge` | chosen by judge |
    | `again` | task | `ship` | ship failed |
    | `again.until` | loop | `again` | again until round \> 1, at most 100 rounds |
    | `clean` | task | on exit |  |

    ## Graph

    ```mermaid
    flowchart TD
      t0["read"]
      t1{"judge"}
      t2[["ship"]]
      t3["keep"]
      t4["again"]
      t5{{"again.until"}}
      t6["clean<br/>on exit"]
      t0 --> t1
      t1 -->|chosen| t2
      t1 -->|chosen| t3
      t2 -->|failed| t4
      t4 --> t5
      t5 -.->|again| t4
    ```
    "##);
    assert!(!home.state().exists(), "it only looks");
}

#[test]
fn a_run_shows_the_environment_that_it_began_with() {
    let home = Home::new();
    home.write(
        "flow.yaml",
        "secrets: {key: env:KEY}\n\
         environments:\n\
         \x20 production:\n\
         \x20   env: {REGION: eu}\n\
         \x20   secrets: {key: env:PRODUCTION_KEY}\n\
         \x20   queue: urgent\n\
         \x20   limits: {max_parallel: 4, timeout: 2h}\n\
         tasks: {a: {script: 'true'}}\n",
    );
    let expected = serde_json::json!({
        "name": "production", "queue": "urgent", "env": {"REGION": "eu"},
        "secrets": {"key": "env:PRODUCTION_KEY"}, "max_parallel": 4, "timeout_seconds": 7200.0,
    });
    let run = ["run", "flow.yaml", "-E", "production"];
    let dry = home.json(&[&run[..], &["--dry-run"]].concat());
    assert_eq!((&dry["environment"], &dry["queue"]), (&expected, &"urgent".into()));
    let dry = home.run(&[&run[..], &["--dry-run"]].concat()).stdout;
    assert!(dry.contains("\nEnv: production, queue urgent\n"), "{dry}");

    assert_eq!(home.run(&run).code, 0);
    assert_eq!(home.run(&["run", "flow.yaml"]).code, 0);
    let detail = home.json(&["get", "1"]);
    assert_eq!(detail["environment"], expected);
    assert_eq!(
        (&detail["run"]["environment"], &detail["run"]["queue"]),
        (&"production".into(), &"urgent".into())
    );
    assert!(home.run(&["get", "1"]).stdout.contains("\nEnv:    production, queue urgent\n"));
    assert!(!home.run(&["get", "2"]).stdout.contains("\nEnv:"));
    let runs = home.json(&["list"]);
    assert_eq!(runs["runs"][1]["environment"], "production");
    assert_eq!(runs["runs"][0]["queue"], "default");
    let list = home.run(&["list", "-o", "wide"]).stdout;
    assert!(list.lines().nth(2).expect("two runs").ends_with("production   urgent"), "{list}");
}

/// Of several files each is told of, whatever is wrong with another; an environment and parameters
/// are checked as a run would.
#[test]
fn validate_goes_on_behind_a_file_that_cannot_be_read() {
    let home = Home::new();
    home.write("bad.yaml", "tasks: {a: {script: x, depends_on: b}}\n");
    let text = "environments: {dev: {env: {A: x}}, prod: {}}\n\
                params: {n: {type: int}}\n\
                tasks: {a: {script: 'echo {{ env.A }} {{ params.n }}'}}\n";
    home.write("fine.yaml", text);
    let told = home.run(&["validate", "gone.yaml", "bad.yaml", "fine.yaml", "-E", "dev"]);
    assert_eq!(told.code, 5, "{}", told.stderr);
    assert!(told.stderr.contains("E0502") && told.stderr.contains("E0117"), "{}", told.stderr);
    assert_eq!(told.stdout, "fine.yaml: valid, 1 task\n");
    let told = home.run(&["validate", "fine.yaml"]);
    assert!(told.code == 4 && told.stderr.contains("in the environment `prod`"), "{}", told.stderr);
    let told = home.run(&["validate", "fine.yaml", "-E", "dev", "-p", "n=x"]);
    assert!(told.code == 4 && told.stderr.contains("E0128"), "{}", told.stderr);
    assert_eq!(home.run(&["validate", "fine.yaml", "-E", "dev", "-p", "n=3"]).code, 0);
}

const LOOKING: &str = r#"
on_failure: continue
environments: {prod: {env: {R: eu}}}
params: {flag: ready.flag, tok: {type: secret}}
tasks:
  file: {wait: {file: "{{ params.flag }}", every: 200ms, timeout: 60s}}
  address: {depends_on: file, wait: {http: "http://127.0.0.1:1/", timeout: 60s}}
  say: {script: "echo {{ env.R }}", env: {TOKEN: "{{ params.tok }}"}}
"#;

/// What a wait looks for is told in words, before the run and while it goes on, without the script
/// that does it. Variables of the file are filled in, and secrets are not.
#[test]
fn what_is_looked_for_is_told_in_words() {
    let home = Home::new();
    home.write("looking.yaml", LOOKING);
    let given = ["looking.yaml", "-E", "prod"];
    let missing = home.run(&[&["run"][..], &given, &["--dry-run"]].concat());
    assert!(missing.stderr.contains("`-p tok=env:NAME`"), "{}", missing.stderr);
    let given = [&given[..], &["-p", "tok=env:TOKEN"]].concat();
    let dry = home.run(&[&["run"][..], &given, &["--dry-run"]].concat()).stdout;
    assert!(dry.contains("wait       for the file ready.flag\n"), "{dry}");
    assert!(dry.contains("wait       for http://127.0.0.1:1/ to answer 200\n"), "{dry}");
    assert!(dry.contains("script     echo eu\n") && !dry.contains("env:TOKEN"), "{dry}");
    assert!(!dry.contains("AUTOGLM_WAIT_FOR"), "{dry}");
    let plan = home.run(&[&["plan"][..], &given].concat()).stdout;
    assert!(plan.contains("wait  for the file ready.flag"), "{plan}");

    let run = home.start(&[&["run"][..], &given].concat());
    let waits = "it waits for the file {{ params.flag }}, and has for ";
    wait::until("the wait is explained", PATIENCE, || {
        home.run(&["explain", "last", "file"]).stdout.contains(waits).then_some(())
    });
    home.run(&["terminate", "last"]);
    run.finish();
}
