//! Every kind of fact against its golden file, and the version barrier.

use model::fact::Restored;
use model::{Epoch, Fact};

use super::{KINDS, RESTORED_KINDS, decode, kind, samples, write};
use crate::FORMAT;
use crate::error::DecodeError;
use crate::golden;
use prost::Message;

fn bytes(fact: &Fact) -> Vec<u8> {
    write::record(fact).unwrap().encode_to_vec()
}

#[test]
fn every_kind_is_written_as_its_golden_file_and_read_back() {
    for &name in KINDS.iter().chain(RESTORED_KINDS) {
        let facts: Vec<Fact> =
            samples::facts().into_iter().filter(|fact| kind(fact) == name).collect();
        let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
        golden::check(name, &encoded, &format!("{facts:#?}\n"));
        let read: Vec<Fact> =
            golden::read(name).iter().map(|sample| decode(sample).unwrap()).collect();
        assert_eq!(read, facts, "`{name}`");
    }
}

#[test]
fn what_came_to_older_kinds_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::control_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("control", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("control").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_calls_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::call_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("calls", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("calls").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_ways_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::way_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("ways", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("ways").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_devices_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::device_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("devices", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("devices").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_sites_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::site_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("sites", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("sites").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_preemption_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::preemption_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("preemption", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("preemption").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_alternatives_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::alternative_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("alternatives", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("alternatives").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn what_came_with_gangs_is_written_as_its_golden_file_and_read_back() {
    let facts = samples::gang_facts();
    let encoded: Vec<Vec<u8>> = facts.iter().map(bytes).collect();
    golden::check("gangs", &encoded, &format!("{facts:#?}\n"));
    let read: Vec<Fact> =
        golden::read("gangs").iter().map(|sample| decode(sample).unwrap()).collect();
    assert_eq!(read, facts);
}

#[test]
fn an_image_of_before_has_as_many_edges_undecided_as_it_waits_for() {
    let images = golden::read("restored_tasks").into_iter().map(|sample| decode(&sample).unwrap());
    for fact in images {
        let Fact::Restored(piece) = fact else { panic!("{fact:?}") };
        let Restored::Tasks { image, .. } = *piece else { panic!("{piece:?}") };
        assert_eq!((image.waiting_for, image.undecided), (2, 2));
    }
}

#[test]
fn facts_of_a_newer_leader_are_refused_with_a_clear_error() {
    let newer = Fact::LeaderStarted { epoch: Epoch(9), format: FORMAT + 1 };
    let error = decode(&bytes(&newer)).unwrap_err();
    let expected = DecodeError::Newer { what: "facts", version: FORMAT + 1, known: FORMAT };
    assert_eq!(error, expected);
    assert!(error.to_string().contains("newer autoglm"), "{error}");
}

#[test]
fn an_unknown_kind_is_refused() {
    // Field 99, an empty message.
    assert!(matches!(decode(&[0x9a, 0x06, 0x00]), Err(DecodeError::Missing(_))));
    assert!(matches!(decode(&[]), Err(DecodeError::Missing(_))));
}
