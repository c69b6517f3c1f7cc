//! Whatever stands in a file: nothing panics, what is refused has a place or a reason, and what is
//! accepted is a workload.

use proptest::prelude::*;
use workload::{Estimates, Faults, Options, Source, Workload, alibaba_batch, alibaba_gpu, read};

const WFCOMMONS: &str = r#"{"name": "w", "schemaVersion": "1.5", "workflow": {"specification": {
 "tasks": [{"name": "a", "id": "a_1", "children": ["b_2"], "outputFiles": ["f"]},
  {"name": "b", "id": "b_2", "parents": ["a_1"], "inputFiles": ["f", "g"]}],
 "files": [{"id": "f", "sizeInBytes": 12}, {"id": "g", "sizeInBytes": 1e3}]},
 "execution": {"tasks": [{"id": "a_1", "runtimeInSeconds": 1.25, "coreCount": 2},
  {"id": "b_2", "runtimeInSeconds": 3, "memoryInBytes": 99, "command": {"program": "b"}}]}}}"#;

const OLD: &str = r#"{"name": "w", "schemaVersion": "1.4", "workflow": {"tasks": [
 {"name": "a", "id": "1", "runtimeInSeconds": 1, "cores": 2, "children": [],
  "files": [{"link": "output", "name": "f", "sizeInBytes": 5}]},
 {"name": "b", "runtimeInSeconds": 0.5, "parents": ["a"], "category": "k"}]}}"#;

const SCENARIO: &str = r#"{"note": "closed loop: keep 4 tasks", "nodes": [{"name": "n0", "cpu": 8,
 "mem_gib": 64, "gpu": 2, "gpu_type": "T4", "speed": 1.0}], "tasks": [
 {"id": 0, "job": 0, "submit": 0.5, "duration": 2.5, "estimate": 3, "cpu": 1, "mem_gib": 0.25,
  "gpu": 0.5, "gpu_types": ["T4"], "depends_on": [1]},
 {"id": 1, "job": 0, "submit": 0.5, "duration": 1}]}"#;

const JOBS: &str = "submit,duration,job,name,depends_on,cpu,memory,gpus,gpu_type,gang\n\
 0,1.5,a,x,,500m,1Gi,0.5,A|B,\n0,2,a,y,x,2,,8,,2\n3,4,\"b, c\",z,,,,,,\n";

const PHILLY: &str = "timestamp,duration,num_gpus,gpu_time,cluster\n\
 2017-10-09 07:01:55,66.0,1,66.0,11cb48\n2017-10-09 06:13:03,2951.0,16,1,6214e9\n";

const PODS: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,\
 creation_time,deletion_time,scheduled_time\np0,12000,16384,1,460,T4|P100,LS,Running,0,100,5\n\
 p1,6000,12288,8,1000,,BE,Failed,7,60,50\np2,1,1,0,0,,LS,Pending,8,9,\n";

const BATCH: &str = "5,j_1,M1,4,100.0,0.5,2\n7,j_1,R2_1,9,50.0,0.25,3\n5,j_1,J3_1_2,1,50,0.5,1\n";
const DURATIONS: &str = "j_1,M1,4 6\nj_1,R2_1,8x2 11\nj_1,J3_1_2,1\n";

const SAMPLES: [&str; 6] = [WFCOMMONS, OLD, SCENARIO, JOBS, PHILLY, PODS];

/// What is put into a text in the place of something else.
const WORDS: [&str; 28] = [
    "-1",
    "NaN",
    "1e999",
    "0",
    "18446744073709551616",
    "\"",
    ",",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "null",
    "\u{0}",
    "é",
    "a",
    "b_2",
    "_",
    "x",
    ";",
    "|",
    "#",
    ": ",
    "9223372036854775807",
    "1e18",
    "\r",
    " ",
    "0.0000001",
];

fn mutated(text: &str, changes: &[(usize, usize, usize)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for &(at, length, word) in changes {
        let at = at % (bytes.len() + 1);
        let end = (at + length % 9).min(bytes.len());
        match word % (WORDS.len() + 3) {
            // A byte that is no text, a piece twice, and the end.
            28 => bytes.insert(at, 0xc3),
            29 => {
                let piece = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            30 => bytes.truncate(at),
            word => drop(bytes.splice(at..end, WORDS[word].bytes())),
        }
    }
    bytes
}

/// What is true of every workload.
fn hold(workload: &Workload) {
    assert!(!workload.tasks().is_empty() && !workload.jobs.is_empty());
    let mut seen = vec![false; workload.tasks().len()];
    for pair in workload.jobs.windows(2) {
        assert!(pair[0].submit_us <= pair[1].submit_us);
    }
    for job in &workload.jobs {
        assert!(!workload.tasks_of(job).is_empty() && job.priority <= 100);
        for task in job.tasks.clone() {
            assert!(!std::mem::replace(&mut seen[task as usize], true));
            let on = workload.depends_on(task);
            assert!(on.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(on.iter().all(|on| job.tasks.contains(on) && *on != task));
        }
    }
    assert!(seen.iter().all(|&seen| seen));
    for task in workload.tasks() {
        assert!((1..=1_000).contains(&task.devices.share_milli) && task.members >= 1);
        let _kinds = workload.device_kinds(task.devices.kinds).count();
    }
}

fn told(faults: &Faults) {
    assert!(faults.count() > 0 && !faults.to_string().is_empty());
    for fault in &faults.faults {
        assert!(!fault.message.is_empty() && !fault.message.contains('\n'), "{faults}");
        if let Some(place) = &fault.place {
            let end = place.excerpt_start + place.length as usize;
            assert!(place.excerpt.get(place.excerpt_start..end).is_some(), "{faults}");
        }
    }
}

fn try_bytes(bytes: Vec<u8>) {
    let source = match Source::new("x", bytes) {
        Ok(source) => source,
        Err(faults) => return told(&faults),
    };
    for estimates in [Estimates::Recorded, Estimates::Mean] {
        match read(&source, &Options { estimates, outstanding: None }) {
            Ok(recorded) => hold(&recorded.workload),
            Err(faults) => told(&faults),
        }
    }
}

#[test]
fn the_samples_are_in_order() {
    for sample in SAMPLES {
        let source = Source::new("x", sample.into()).unwrap();
        let recorded = read(&source, &Options::default());
        hold(&recorded.unwrap_or_else(|faults| panic!("{sample}\n{faults}")).workload);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn nothing_panics(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec(any::<(usize, usize, usize)>(), 0..6),
    ) {
        try_bytes(mutated(SAMPLES[sample], &changes));
    }

    #[test]
    fn nothing_panics_on_two_files(
        changes in prop::collection::vec(any::<(usize, usize, usize)>(), 0..4),
        others in prop::collection::vec(any::<(usize, usize, usize)>(), 0..3),
    ) {
        let sources = [("t", mutated(BATCH, &changes)), ("d", mutated(DURATIONS, &others))];
        let sources = sources.map(|(name, bytes)| Source::new(name, bytes));
        let [Ok(tasks), Ok(durations)] = sources else { return Ok(()) };
        match alibaba_batch::read(&tasks, Some(&durations), Estimates::Recorded) {
            Ok(workload) => hold(&workload),
            Err(faults) => told(&faults),
        }
        let _nodes = alibaba_gpu::nodes(&tasks).map_err(|faults| told(&faults));
    }

    #[test]
    fn nothing_panics_on_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        try_bytes(bytes.clone());
        let packed = [&[0x1f, 0x8b, 8, 0][..], &bytes].concat();
        try_bytes(packed);
    }

    /// Rows in any order of columns come back as they were written.
    #[test]
    fn rows_come_back(
        rows in prop::collection::vec((0..1_000_u64, 1..1_000_u64, 0..9_u32, 0..5_usize), 1..30),
        order in Just(["submit", "duration", "gpus", "name", "depends_on"]).prop_shuffle(),
    ) {
        let mut text = order.join(",") + ",job\n";
        for (number, (submit, duration, gpus, on)) in rows.iter().enumerate() {
            let cell = |column: &&str| match *column {
                "submit" => "7".to_owned(),
                "duration" => format!("{duration}.{submit:03}"),
                "gpus" => gpus.to_string(),
                "name" => format!("t{number}"),
                _ => (number.saturating_sub(*on)..number).map(|on| format!("t{on};")).collect(),
            };
            text += &(order.iter().map(cell).collect::<Vec<_>>().join(",") + ",j\n");
        }
        let source = Source::new("x", text.into_bytes()).unwrap();
        let workload = read(&source, &Options::default()).unwrap().workload;
        hold(&workload);
        for (number, (submit, duration, gpus, on)) in (0_u32..).zip(&rows) {
            let task = workload.tasks()[number as usize];
            prop_assert_eq!(task.duration_us, duration * 1_000_000 + submit * 1_000);
            prop_assert_eq!(task.devices.count, *gpus);
            prop_assert_eq!(workload.depends_on(number).len(), (*on).min(number as usize));
        }
    }
}
