//! Limits on the kernel that is here: what is beyond them does not happen, is told, and leaves
//! nothing.
//!
//! A limit that cannot be held here is not tested here: the test says so and is ignored. Version 2
//! of control groups is proven in a machine of its own (`crates/cli/tests/real/limits.rs`).

use std::path::PathBuf;
use std::time::Duration;

use artifacts::logs::Ticket;
use libtest_mimic::Trial;
use model::bounds::{Enforcement, Means};
use rustix::process::Signal;
use worker::supervisor::{Event, Exit, Limits, Start, StopKind};

use crate::fixture::{Fixture, all_gone, is_gone, script, signal, state, until};

const MIB: u64 = 1 << 20;
/// Takes 512 MiB and keeps them.
const HOG: &str = "head -c 512M /dev/zero | tail | sleep 1000";

type Has = fn(&Enforcement) -> &Means;

pub fn trials() -> Vec<Trial> {
    let enforcement = {
        let state = state();
        enforcement(&mut Fixture::new(state.path()))
    };
    let trial = |name: &str, needs: Has, test: fn()| {
        let test = move || {
            test();
            Ok(())
        };
        Trial::test(name, test).with_ignored_flag(needs(&enforcement).missing().is_some())
    };
    let (cpu, memory, pids): (Has, Has, Has) = (|it| &it.cpu, |it| &it.memory, |it| &it.pids);
    vec![
        trial("memory_ends_at_its_limit", memory, memory_ends_at_its_limit),
        trial("a_child_that_is_killed_for_memory", memory, a_child_that_is_killed_for_memory),
        trial("a_kill_by_hand_is_none_for_memory", memory, a_kill_by_hand_is_none_for_memory),
        trial("cores_are_measured_out", cpu, cores_are_measured_out),
        trial("a_fork_bomb_is_held", pids, a_fork_bomb_is_held),
        trial("a_group_is_gone_with_its_attempt", pids, a_group_is_gone_with_its_attempt),
        trial("groups_that_were_left_are_removed", pids, groups_that_were_left_are_removed),
        trial("starts_under_limits_fail_as_others", pids, starts_under_limits_fail_as_others),
        trial("nice_and_cores_need_no_group", |_| &Means::CgroupV1, nice_and_cores_need_no_group),
    ]
}

fn enforcement(fixture: &mut Fixture) -> Enforcement {
    fixture.wait(|event| match event {
        Event::Ready { enforcement, .. } => Some(enforcement.clone()),
        _ => None,
    })
}

fn limited(ticket: u64, text: &str, limits: Limits) -> Start {
    Start { limits, ..script(ticket, text) }
}

fn memory(bytes: u64) -> Limits {
    Limits { memory_max_bytes: Some(bytes), is_swap_off: true, ..Limits::default() }
}

fn pids(count: u64) -> Limits {
    Limits { pids_max: Some(count), ..Limits::default() }
}

/// The groups of attempts that a task is in, by its own word: folders of all hierarchies.
const GROUPS: &str = "while IFS=: read -r number controllers path; do \
    case \"$path\" in */autoglm-*) echo \"$controllers:$path\";; esac; done < /proc/self/cgroup";

/// Where a group is, by the line of [`GROUPS`].
fn folder(line: &str) -> PathBuf {
    let (controllers, path) = line.split_once(':').unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find_map(|mount| {
        let words: Vec<_> = mount.split(' ').collect();
        let is_it = match controllers {
            "" => words[2] == "cgroup2",
            _ => words[2] == "cgroup" && words[3].split(',').any(|word| controllers.contains(word)),
        };
        is_it.then(|| words[1].to_owned())
    });
    PathBuf::from(mount.unwrap() + path)
}

fn memory_ends_at_its_limit() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let take = "exec awk 'BEGIN { for (;;) s[++n] = sprintf(\"%4096s\", n) }'";
    fixture.start(limited(1, take, memory(64 * MIB)));
    fixture.start(limited(2, "head -c 8M /dev/zero | tail -c 8M | wc -c", memory(64 * MIB)));
    let ended = fixture.ended(1);
    assert_eq!((&ended.how, ended.oom), (&Exit::Signal { signal: 9, core: false }, true));
    let peak = ended.usage.peak_rss_kib << 10;
    assert!((60 * MIB..=64 * MIB).contains(&peak), "{peak}");
    let ended = fixture.ended(2);
    assert_eq!((ended.how, ended.oom), (Exit::Code(0), false));
    assert!((8 * MIB..64 * MIB).contains(&(ended.usage.peak_rss_kib << 10)), "{:?}", ended.usage);
}

fn a_child_that_is_killed_for_memory() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let take = "awk 'BEGIN { for (;;) s[++n] = sprintf(\"%4096s\", n) }' || exit 3";
    fixture.start(limited(1, take, memory(64 * MIB)));
    let ended = fixture.ended(1);
    assert!(ended.oom && ended.how != Exit::Code(0), "{ended:?}");
}

fn a_kill_by_hand_is_none_for_memory() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(limited(1, "echo $$; sleep 1000", memory(64 * MIB)));
    // While another one, beside it, is killed for memory.
    fixture.start(limited(2, HOG, memory(16 * MIB)));
    let pid = fixture.lines(1, 1)[0].parse().unwrap();
    fixture.start(limited(
        3,
        "exec awk 'BEGIN { for (;;) s[++n] = sprintf(\"%4096s\", n) }'",
        memory(16 * MIB),
    ));
    assert!(fixture.ended(3).oom);
    signal(pid, Signal::KILL);
    let ended = fixture.ended(1);
    assert_eq!((ended.how, ended.oom), (Exit::Signal { signal: 9, core: false }, false));
    fixture.supervisor.stop(Ticket(2), StopKind::Kill);
    fixture.supervisor.flush().unwrap();
    assert!(!fixture.ended(2).oom, "we killed it");
}

fn cores_are_measured_out() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let limits = Limits { cpu_max_milli: Some(300), ..Limits::default() };
    let spin = "timeout 2 sh -c 'while :; do :; done' || :";
    fixture.start(limited(1, spin, limits));
    let usage = fixture.ended(1).usage;
    let share = usage.cpu_us as f64 / usage.wall_us as f64;
    assert!((0.24..=0.36).contains(&share), "{share} of a core: {usage:?}");
}

fn a_fork_bomb_is_held() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    // Each forks two and waits: without a bound that is the end of the machine.
    let bomb = "b() { b & b & wait; }; b 2> /dev/null; b";
    fixture.start(limited(1, bomb, pids(24)));
    fixture.start(script(2, "sleep 0.3; echo alive"));
    assert_eq!(fixture.ended(2).how, Exit::Code(0), "others go on");
    fixture.supervisor.stop(Ticket(1), StopKind::Kill);
    fixture.supervisor.flush().unwrap();
    let ended = fixture.ended(1);
    assert!(ended.forks_refused > 0, "{ended:?}");
    until("no child, no zombie", || fixture.children() == 0);
}

fn a_group_is_gone_with_its_attempt() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let limits = Limits { cpu_max_milli: Some(900), ..pids(50) };
    // One that has left its group, its session and its environment behind is in it still.
    let text = format!("{GROUPS}; setsid env -i sleep 1000 & echo $!; exit 0");
    fixture.start(limited(1, &text, limits));
    assert_eq!(fixture.ended(1).how, Exit::Code(0));
    let mut lines = fixture.stdout(1).lines().map(str::to_owned).collect::<Vec<_>>();
    let hidden = lines.pop().unwrap();
    let own: Vec<_> =
        lines.iter().filter(|line| line.ends_with("/1")).map(|it| folder(it)).collect();
    assert!(!own.is_empty(), "{lines:?}");
    all_gone(&[hidden]);
    for folder in own {
        until(&format!("the end of {}", folder.display()), || !folder.exists());
        let place = folder.parent().unwrap().to_owned();
        assert!(place.exists());
        lines.push(place.display().to_string());
    }
    fixture.supervisor.shut_down().unwrap();
    let places = lines.iter().filter(|line| line.starts_with('/'));
    assert!(places.clone().count() > 0);
    places.for_each(|place| assert!(!PathBuf::from(place).exists(), "{place} was left"));
}

fn groups_that_were_left_are_removed() {
    let state = state();
    let mut first = Fixture::new(state.path());
    let text = format!("{GROUPS}; setsid env -i sleep 1000 & echo $!; echo $$; wait");
    first.start(limited(7, &text, pids(50)));
    let lines = first.lines(7, 3);
    until("all lines", || true);
    let all: Vec<_> = first.stdout(7).lines().map(str::to_owned).collect();
    assert!(all.len() >= lines.len());
    signal(first.supervisor.pid(), Signal::KILL);
    assert!(first.supervisor.shut_down().is_err());
    let group = all.iter().find(|line| line.ends_with("/7")).map(|line| folder(line)).unwrap();
    assert!(group.exists(), "nobody is there to remove it yet");

    let mut next = Fixture::new(state.path());
    next.wait(|event| matches!(event, Event::Ready { .. }).then_some(()));
    assert!(!group.exists(), "{} was left", group.display());
    let pids: Vec<_> = all.iter().filter(|line| line.parse::<u32>().is_ok()).cloned().collect();
    assert!(pids.iter().all(|pid| is_gone(pid)), "it was ready before they were gone");
    // The same place is used again.
    next.start(limited(7, "exit 4", pids_of_one()));
    assert_eq!(next.ended(7).how, Exit::Code(4));
}

fn pids_of_one() -> Limits {
    pids(1)
}

fn starts_under_limits_fail_as_others() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let cases = [("no-such-program", 2), ("/dev/null", 13)];
    for (ticket, (program, errno)) in (1..).zip(cases) {
        fixture.start(Start { argv: vec![program.into()], ..limited(ticket, "", pids(9)) });
        let how = fixture.ended(ticket).how;
        assert!(matches!(how, Exit::SpawnFailed { errno: got, .. } if got == errno), "{how:?}");
    }
    // Words, variables, signals and files are those of any other.
    let text =
        "echo \"$0 $1 $A.b\"; grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l";
    let argv = ["sh", "-c", text, "zero", "o n e"].map(Into::into).to_vec();
    let env = vec![("A".to_owned(), "a".to_owned()), ("with.dot".to_owned(), "b".to_owned())];
    let plain = Start { argv, env, ..script(8, "") };
    fixture.start(plain.clone());
    fixture.start(Start { ticket: Ticket(9), limits: pids(9), ..plain });
    assert_eq!((fixture.ended(8).how, fixture.ended(9).how), (Exit::Code(0), Exit::Code(0)));
    assert_eq!(fixture.stdout(8), fixture.stdout(9));
}

fn nice_and_cores_need_no_group() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let last = (0..1_024).rfind(|core| allowed.is_set(*core)).unwrap();
    let limits = Limits { nice: 5, cores: vec![last as u32], ..Limits::default() };
    let text = "sleep 0.01; nice; grep ^Cpus_allowed_list /proc/self/status";
    fixture.start(limited(1, text, limits));
    fixture.start(script(2, text));
    assert_eq!(fixture.ended(1).how, Exit::Code(0));
    assert_eq!(fixture.stdout(1), format!("5\nCpus_allowed_list:\t{last}\n"));
    fixture.ended(2);
    assert_ne!(fixture.stdout(2), fixture.stdout(1), "only that one");
    assert!(fixture.stdout(2).starts_with("0\n"), "{}", fixture.stdout(2));
    std::thread::sleep(Duration::ZERO);
}
