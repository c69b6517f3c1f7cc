//! How fast the supervisor starts and reaps short processes, beside `xargs` in the same run.
//!
//! Both run 2,000 × `/bin/true` on 2 slots, in turns, several rounds; the medians and their ratio
//! are printed. The supervisor's side is a whole one: a second process, events and commands through
//! pipes, an environment, usage of each process. The last line is that of processes with limits of
//! everything, each in a control group of its own.

use std::env;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use artifacts::logs::Ticket;
use worker::supervisor::{
    self, Config, Event, EventReader, Exit, HIDDEN_ARGUMENT, Limits, Start, Supervisor,
};

const TASKS: u64 = 2_000;
const SLOTS: u64 = 2;
const ROUNDS: usize = 9;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == HIDDEN_ARGUMENT) {
        return supervisor::main(arguments);
    }
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> io::Result<()> {
    let state = tempfile::tempdir()?;
    let (mut supervisor, mut events) = Supervisor::launch(&Config::new(state.path().into()))?;
    let mut ticket = 0;
    let (mut ours, mut theirs, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    let limits = Limits {
        cpu_max_milli: Some(2_000),
        memory_max_bytes: Some(1 << 30),
        pids_max: Some(100),
        ..Limits::default()
    };
    let none = Limits::default();
    for _ in 0..ROUNDS {
        theirs.push(xargs()?);
        ours.push(run_all((&mut supervisor, &mut events), &mut ticket, &none)?);
        limited.push(run_all((&mut supervisor, &mut events), &mut ticket, &limits)?);
    }
    supervisor.shut_down()?;

    let (ours, theirs, limited) = (median(ours), median(theirs), median(limited));
    let rate = |time: Duration| TASKS as f64 / time.as_secs_f64();
    println!("{TASKS} x /bin/true on {SLOTS} slots, medians of {ROUNDS} rounds");
    println!("  xargs       {:>6.0}/s", rate(theirs));
    println!("  supervisor  {:>6.0}/s", rate(ours));
    println!("  ratio       {:>6.3}", rate(ours) / rate(theirs));
    println!("  with limits {:>6.0}/s", rate(limited));
    Ok(())
}

fn xargs() -> io::Result<Duration> {
    let began = Instant::now();
    let script = format!("seq {TASKS} | xargs -P{SLOTS} -I{{}} /bin/true");
    let status = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).status()?;
    assert!(status.success(), "xargs failed");
    Ok(began.elapsed())
}

fn run_all(
    (supervisor, events): (&mut Supervisor, &mut EventReader),
    ticket: &mut u64,
    limits: &Limits,
) -> io::Result<Duration> {
    let began = Instant::now();
    let last = *ticket + TASKS;
    let mut ended = 0;
    let mut free = SLOTS;
    let mut batch = Vec::new();
    while ended < TASKS {
        while free > 0 && *ticket < last {
            *ticket += 1;
            free -= 1;
            supervisor.start(Start { limits: limits.clone(), ..start(*ticket) });
        }
        supervisor.flush()?;
        assert!(events.read(&mut batch)?, "the supervisor is gone");
        for event in batch.drain(..) {
            if let Event::Exited { how, .. } = event {
                assert_eq!(how, Exit::Code(0));
                ended += 1;
                free += 1;
            }
        }
    }
    Ok(began.elapsed())
}

fn start(ticket: u64) -> Start {
    let variable = |key: &str| (format!("AUTOGLM_{key}"), ticket.to_string());
    Start {
        ticket: Ticket(ticket),
        argv: vec!["/bin/true".into()],
        env: ["RUN_ID", "TASK", "ITEM", "ATTEMPT", "WORKDIR", "OUTPUT"].map(variable).to_vec(),
        cwd: "/tmp".into(),
        withheld: vec![],
        work_dir: None,
        output_file: format!("/tmp/none-{ticket}").into(),
        output_cap_bytes: 16 << 20,
        limits: Limits::default(),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
