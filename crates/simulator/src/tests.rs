//! The simulator holds on fresh seeds, finds every planted fault, and remembers what it found.
//!
//! The corpus holds one plan a file. A first line `# mutant NAME` says which planted fault the plan
//! must find; without that fault every plan must hold.

use model::Span;

use crate::batch;
use crate::draw::draw;
use crate::invariants::Violation;
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::plan::{Plan, text};
use crate::shrink::shrink;
use crate::world;

/// Within so many seeds every planted fault must be found.
const SEEDS_MAX: u64 = 100;
const HOUR: Span = Span::secs(3_600);

fn corpus() -> Vec<(String, Option<Mutant>, Plan)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: std::path::PathBuf| {
        let content = std::fs::read_to_string(&path).unwrap();
        let name = content.lines().next().and_then(|line| line.strip_prefix("# mutant "));
        let mutant = name.map(|name| find(name).unwrap_or_else(|| panic!("{name} is no mutant")));
        let plan = text::read(&content).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (path.display().to_string(), mutant, plan)
    };
    files.into_iter().map(read).collect()
}

fn find(name: &str) -> Option<Mutant> {
    Mutant::ALL.iter().copied().find(|mutant| mutant.as_str() == name)
}

/// The plan of the corpus that finds this fault, with what it finds.
fn found_by_corpus(mutant: Mutant) -> Violation {
    let entry = corpus().into_iter().find(|(_, known, _)| *known == Some(mutant));
    let (path, _, plan) = entry.expect("every mutant has a plan in the corpus");
    let violation = world::run(&plan, Some(mutant), false).violation;
    violation.unwrap_or_else(|| panic!("{path} does not find {}", mutant.as_str()))
}

#[test]
fn the_corpus_holds() {
    for (path, _, plan) in corpus() {
        let violation = world::run(&plan, None, false).violation;
        assert_eq!(violation, None, "{path}");
    }
}

#[test]
fn fresh_seeds_hold() {
    let summary = batch::run(7_000, 40, HOUR, None);
    assert_eq!(summary.failure, None);
    assert!(summary.items > 10_000, "an idle cluster is no test: {summary:?}");
    let reached = Mark::ALL.len() - summary.marks.missing().count();
    assert!(reached > Mark::ALL.len() * 3 / 4, "{:?}", summary.marks.missing().collect::<Vec<_>>());
}

#[test]
fn the_same_plan_gives_the_same_history() {
    let plan = draw(3, HOUR);
    let hash = || world::run(&plan, None, false).hash;
    assert_eq!(hash(), hash());
}

#[test]
fn the_canary_dies_with_the_first_seed() {
    for seed in [1, 2, 3] {
        let summary = batch::run(seed, 3, HOUR, Some(Mutant::Canary));
        assert_eq!(summary.failure.map(|(_, violation)| violation.id), Some("S5"));
    }
}

#[test]
fn without_the_token_fence_s5_breaks() {
    assert_eq!(found_by_corpus(Mutant::NoTokenFence).id, "S5");
}

#[test]
fn without_the_journal_fence_s5_breaks() {
    assert_eq!(found_by_corpus(Mutant::NoJournalFence).id, "S5");
}

#[test]
fn without_the_durable_barrier_s9_breaks() {
    assert_eq!(found_by_corpus(Mutant::EffectsBeforeDurable).id, "S9");
}

#[test]
fn without_the_idempotency_check_s13_breaks() {
    assert_eq!(found_by_corpus(Mutant::NoIdempotency).id, "S13");
}

#[test]
fn without_the_fsync_s1_breaks() {
    assert_eq!(found_by_corpus(Mutant::NoSync).id, "S1");
}

#[test]
fn an_answer_applied_twice_breaks_s16() {
    assert_eq!(found_by_corpus(Mutant::AnsweredTwice).id, "S16");
}

#[test]
fn an_answer_that_outlives_its_leader_breaks_s16() {
    assert_eq!(found_by_corpus(Mutant::AnswersOutliveLeader).id, "S16");
}

#[test]
fn a_question_that_is_not_asked_again_breaks_s15() {
    assert_eq!(found_by_corpus(Mutant::NotAskedAgain).id, "S15");
}

#[test]
fn a_loop_without_its_last_turn_breaks_s17() {
    assert_eq!(found_by_corpus(Mutant::TurnsWithoutEnd).id, "S17");
}

#[test]
fn edges_that_all_wait_for_success_break_s3() {
    assert_eq!(found_by_corpus(Mutant::ConditionsIgnored).id, "S3");
}

#[test]
fn undoing_in_forward_order_breaks_s18() {
    assert_eq!(found_by_corpus(Mutant::UndoneForwards).id, "S18");
}

#[test]
fn waits_that_end_early_or_after_their_run_break_s19() {
    assert_eq!(found_by_corpus(Mutant::WaitEndsEarly).id, "S19");
    assert_eq!(found_by_corpus(Mutant::WaitTimerStays).id, "S19");
}

#[test]
fn without_the_limit_of_a_task_s12_breaks() {
    assert_eq!(found_by_corpus(Mutant::NoTaskLimit).id, "S12");
}

#[test]
fn without_locks_budgets_and_deadlines_s23_s24_and_s25_break() {
    assert_eq!(found_by_corpus(Mutant::NoLocks).id, "S23");
    assert_eq!(found_by_corpus(Mutant::NoBudgets).id, "S24");
    assert_eq!(found_by_corpus(Mutant::NoDeadlines).id, "S25");
}

#[test]
fn edits_that_must_be_refused_break_s20() {
    assert_eq!(found_by_corpus(Mutant::BegunEdited).id, "S20");
    assert_eq!(found_by_corpus(Mutant::OutdatedEdits).id, "S20");
}

#[test]
fn tasks_that_get_lost_break_s21() {
    assert_eq!(found_by_corpus(Mutant::TasksLost).id, "S21");
}

#[test]
fn marks_of_what_has_begun_and_forks_that_forget_break_s22() {
    assert_eq!(found_by_corpus(Mutant::BegunMarked).id, "S22");
    assert_eq!(found_by_corpus(Mutant::ForkForgets).id, "S22");
}

#[test]
fn items_that_nobody_wants_to_run_again_break_s26() {
    assert_eq!(found_by_corpus(Mutant::ItemsAllAgain).id, "S26");
}

#[test]
fn without_breakers_s27_breaks_and_without_settling_s24() {
    assert_eq!(found_by_corpus(Mutant::NoBreakers).id, "S27");
    assert_eq!(found_by_corpus(Mutant::NotSettled).id, "S24");
}

#[test]
fn rules_and_waits_of_retries_that_are_not_kept_to_break_s8() {
    assert_eq!(found_by_corpus(Mutant::RulesIgnored).id, "S8");
    assert_eq!(found_by_corpus(Mutant::WaitNotKept).id, "S8");
}

#[test]
fn costs_that_get_lost_and_runs_that_go_on_beyond_them_break_s28() {
    assert_eq!(found_by_corpus(Mutant::CostLost).id, "S28");
    assert_eq!(found_by_corpus(Mutant::ResumedAtLimit).id, "S28");
}

#[test]
fn memory_that_does_not_grow_breaks_s29() {
    assert_eq!(found_by_corpus(Mutant::NoGrowth).id, "S29");
}

#[test]
fn ways_that_are_not_taken_in_their_order_break_s30() {
    assert_eq!(found_by_corpus(Mutant::OneWay).id, "S30");
    assert_eq!(found_by_corpus(Mutant::FirstWayTwice).id, "S30");
}

#[test]
fn labels_that_nobody_looks_at_break_s33_and_items_apart_s34() {
    assert_eq!(found_by_corpus(Mutant::LabelsIgnored).id, "S33");
    assert_eq!(found_by_corpus(Mutant::NotTogether).id, "S34");
}

#[test]
fn what_makes_room_at_a_cost_breaks_s35_and_before_it_has_left_s5() {
    assert_eq!(found_by_corpus(Mutant::PreemptionCosts).id, "S35");
    assert_eq!(found_by_corpus(Mutant::PreemptedAtOnce).id, "S5");
}

#[test]
fn every_planted_fault_is_found_in_fresh_seeds() {
    for &mutant in Mutant::ALL {
        let summary = batch::run(1, SEEDS_MAX, HOUR, Some(mutant));
        assert!(summary.failure.is_some(), "{} survives {SEEDS_MAX} seeds", mutant.as_str());
        found_by_corpus(mutant);
    }
}

#[test]
fn a_failing_plan_shrinks_to_what_matters() {
    let plan = draw(1, HOUR);
    let small = shrink(&plan, "S13", Some(Mutant::NoIdempotency));
    assert!(small.faults.is_empty() && small.nodes.len() == 1 && small.runs.len() == 1);
    let violation = world::run(&small, Some(Mutant::NoIdempotency), false).violation;
    assert_eq!(violation.map(|violation| violation.id), Some("S13"));
}

#[test]
fn endless_patience_is_found() {
    assert_eq!(found_by_corpus(Mutant::EndlessPatience).id, "L7");
}

#[test]
fn it_is_found_that_nothing_is_inherited() {
    assert_eq!(found_by_corpus(Mutant::NothingInherited).id, "S40");
}

#[test]
fn a_device_that_is_counted_for_less_breaks_s31() {
    assert_eq!(found_by_corpus(Mutant::DeviceGivenTwice).id, "S31");
}

#[test]
fn a_part_of_a_device_pieced_together_from_two_breaks_s32() {
    assert_eq!(found_by_corpus(Mutant::FractionAcross).id, "S32");
}

#[test]
fn a_past_without_its_workers_breaks_s6() {
    assert_eq!(found_by_corpus(Mutant::PastWithoutWorkers).id, "S6");
}

#[test]
fn alternatives_that_are_given_as_another_break_s38_and_room_that_nobody_keeps_s39() {
    assert_eq!(found_by_corpus(Mutant::AlternativesForgotten).id, "S38");
    assert_eq!(found_by_corpus(Mutant::LaneForgotten).id, "S39");
}

#[test]
fn queues_that_get_more_than_they_may_break_s36_and_room_that_is_not_owed_s37() {
    assert_eq!(found_by_corpus(Mutant::NoQuotas).id, "S36");
    assert_eq!(found_by_corpus(Mutant::GuaranteesForgotten).id, "S37");
}

#[test]
fn members_that_begin_one_by_one_break_s41() {
    assert_eq!(found_by_corpus(Mutant::OneByOne).id, "S41");
}
