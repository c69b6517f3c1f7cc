//! Every frame comes back as it went in, and no bytes make a panic.

use model::bounds::Means;

use super::*;

fn start() -> Start {
    Start {
        ticket: Ticket(7),
        argv: ["sh", "-c", "echo \"$A\"\n"].map(OsString::from).to_vec(),
        env: vec![("A".into(), "ä=b".into()), ("EMPTY".into(), String::new())],
        withheld: vec!["ä".into(), String::new()],
        cwd: "/".into(),
        work_dir: Some("/tmp/work dir".into()),
        output_file: OsString::from_vec(b"/tmp/\xff".to_vec()).into(),
        output_cap_bytes: 16 << 20,
        limits: Limits::default(),
    }
}

fn commands() -> Vec<Command> {
    vec![
        Command::Start(Box::new(start())),
        Command::Start(Box::new(Start { work_dir: None, argv: vec![], env: vec![], ..start() })),
        Command::Start(Box::new(Start {
            limits: Limits {
                cpu_max_milli: Some(1_500),
                cpu_weight_milli: 1_000,
                memory_max_bytes: None,
                memory_low_bytes: 7,
                is_swap_off: true,
                pids_max: Some(1),
                nice: 19,
                cores: vec![0, 3],
            },
            ..start()
        })),
        Command::Stop(Ticket(u64::MAX), StopKind::Term { grace: Span::secs(10) }),
        Command::Stop(Ticket(0), StopKind::Kill),
    ]
}

fn events() -> Vec<Event> {
    let exited = |how, stopped_by, flag| Event::Exited {
        ticket: Ticket(3),
        how,
        oom: flag,
        forks_refused: 11,
        usage: Usage { wall_us: 1, cpu_us: 2, peak_rss_kib: 3 },
        stopped_by,
        has_output_file: !flag,
    };
    let (ticket, at) = (Ticket(9), Timestamp(1_234));
    vec![
        Event::Ready {
            leftovers: 2,
            enforcement: Enforcement {
                cpu: Means::CgroupV1,
                memory: Means::None { reason: "why".into() },
                pids: Means::CgroupV2,
            },
        },
        Event::Started { ticket, pid: 4_000_000, at },
        Event::Output { ticket, stream: Stream::Out, at, bytes: b"a\0\xff\n".to_vec() },
        Event::Output { ticket, stream: Stream::Err, at, bytes: vec![] },
        Event::Dropped { ticket, over_cap_bytes: 5, stalled_bytes: 6 },
        exited(Exit::Code(-1), None, true),
        exited(Exit::Signal { signal: 9, core: false }, Some(Step::Kill), false),
        exited(Exit::Signal { signal: 6, core: true }, Some(Step::Term), true),
        exited(Exit::SpawnFailed { errno: 2, message: "no ä".into() }, None, false),
    ]
}

fn round_trip<F: Frame + PartialEq + std::fmt::Debug>(frames: &[F]) {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| put(&mut bytes, frame));
    let mut rest = bytes.as_slice();
    for frame in frames {
        assert_eq!(take::<F>(&mut rest).unwrap().as_ref(), Some(frame));
    }
    assert_eq!(take::<F>(&mut rest), Ok(None));
}

/// No cut and no changed byte of a frame may panic; a cut frame is not a whole one.
fn mangled<F: Frame + PartialEq + std::fmt::Debug>(frames: &[F]) {
    for frame in frames {
        let mut bytes = Vec::new();
        put(&mut bytes, frame);
        for cut in 0..bytes.len() {
            assert_eq!(take::<F>(&mut &bytes[..cut]), Ok(None));
            assert_ne!(F::decode(&bytes[4..cut.max(4)]).as_ref(), Ok(frame));
            let mut changed = bytes.clone();
            changed[cut] ^= 0x81;
            let _ = take::<F>(&mut changed.as_slice());
        }
    }
}

#[test]
fn every_frame_comes_back() {
    round_trip(&commands());
    round_trip(&events());
}

#[test]
fn mangled_frames_are_refused() {
    mangled(&commands());
    mangled(&events());
}

#[test]
fn borrowed_output_is_the_same_frame() {
    let (ticket, stream, at) = (Ticket(1), Stream::Err, Timestamp(2));
    let (mut borrowed, mut owned) = (Vec::new(), Vec::new());
    put_output(&mut borrowed, ticket, stream, at, b"text");
    put(&mut owned, &Event::Output { ticket, stream, at, bytes: b"text".to_vec() });
    assert_eq!(borrowed, owned);
}
