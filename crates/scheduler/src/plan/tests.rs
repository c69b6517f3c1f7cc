//! What the planner promises: order, room, allowances, fuel; and brute force as its judge.

use super::*;
use crate::problem::{Class, Draw, Group};
use model::WorkerId;
use model::hash::mix;

fn node(worker: u32, cores: u64) -> Node {
    let capacity = vec![cores * 1_000];
    Node { worker: WorkerId(worker), free: capacity.clone(), capacity, unstarted: 0, accepts: true }
}

fn class(milli: u64, groups: &[(u64, u32)]) -> Class {
    let group = |&(order, count)| Group { order: (order, 0, 0), count, allowance: None };
    Class { request: vec![milli], groups: groups.iter().map(group).collect(), ..Class::default() }
}

fn placed(plan: &Plan) -> Vec<(u32, u32, u32, u32)> {
    plan.placements.iter().map(|p| (p.class, p.group, p.node, p.count)).collect()
}

#[test]
fn the_more_urgent_group_goes_first_over_all_classes() {
    let problem = Problem {
        classes: vec![class(1_000, &[(5, 1), (7, 1)]), class(2_000, &[(1, 1), (6, 1)])],
        nodes: vec![node(1, 4)],
        allowances: vec![],
    };
    let plan = plan(&problem, 1_000);
    assert_eq!(placed(&plan), [(1, 0, 0, 1), (0, 0, 0, 1), (0, 1, 0, 1)]);
    let [refusal] = &plan.refusals[..] else { panic!("one refusal: {:?}", plan.refusals) };
    assert_eq!((refusal.class, refusal.group), (1, 1));
    let RefusalReason::NoRoom(misses) = &refusal.reason else { panic!("{refusal:?}") };
    assert_eq!((misses[0].asked, misses[0].free, misses[0].capacity), (2_000, 1_000, 4_000));
}

#[test]
fn what_never_fits_says_so_and_blocks_nobody_else() {
    let problem = Problem {
        classes: vec![class(9_000, &[(0, 1)]), class(1_000, &[(1, 2)])],
        nodes: vec![node(1, 2)],
        allowances: vec![],
    };
    let plan = plan(&problem, 1_000);
    assert_eq!(placed(&plan), [(1, 0, 0, 2)]);
    assert!(matches!(plan.refusals[0].reason, RefusalReason::NeverFits(_)));
}

#[test]
fn short_work_is_lent_ahead_of_room_and_long_work_is_not() {
    let mut short = class(1_000, &[(0, 1_000)]);
    short.mean_wall_us = 500;
    let problem = Problem { classes: vec![short], nodes: vec![node(1, 2)], allowances: vec![] };
    assert_eq!(placed(&plan(&problem, 1_000)), [(0, 0, 0, 2), (0, 0, 0, 198)]);
    let mut long = problem;
    long.classes[0].mean_wall_us = 10_000_000;
    assert_eq!(placed(&plan(&long, 1_000)), [(0, 0, 0, 2)]);
}

#[test]
fn an_allowance_is_never_exceeded_and_stops_its_own_group_only() {
    let mut one = class(1_000, &[(0, 5), (1, 5)]);
    one.groups[0].allowance = Some(0);
    let problem = Problem { classes: vec![one], nodes: vec![node(1, 4)], allowances: vec![2] };
    assert_eq!(placed(&plan(&problem, 1_000)), [(0, 0, 0, 2), (0, 1, 0, 2)]);
}

#[test]
fn fuel_bounds_the_work_and_is_reported() {
    let groups: Vec<_> = (0..100).map(|order| (order, 1)).collect();
    let problem =
        Problem { classes: vec![class(1, &groups)], nodes: vec![node(1, 4)], allowances: vec![] };
    let short = plan(&problem, 10);
    assert!(short.out_of_fuel);
    assert_eq!(short.placements.len(), 10);
}

#[test]
fn what_a_class_draws_on_stops_the_class_and_is_named() {
    let mut drawing = class(1_000, &[(0, 5), (2, 5)]);
    drawing.mean_wall_us = 500;
    drawing.draws = vec![
        Draw { allowance: 1, cost: 1, reserve: 0 },
        Draw { allowance: 2, cost: 30, reserve: 0 },
    ];
    let problem = Problem {
        classes: vec![drawing, class(1_000, &[(1, 1)])],
        nodes: vec![node(1, 8)],
        allowances: vec![0, 7, 100],
    };
    let plan = plan(&problem, 1_000);
    assert_eq!(placed(&plan), [(0, 0, 0, 3), (1, 0, 0, 1)], "100 / 30 items, and no prefill");
    let refused = Refusal { class: 0, group: 0, reason: RefusalReason::Draw { allowance: 2 } };
    assert_eq!(plan.refusals, [refused]);
}

#[test]
fn who_sees_a_narrower_limit_of_the_same_thing_leaves_the_rest_untouched() {
    let drawing = |order, reserve| Class {
        draws: vec![Draw { allowance: 0, cost: 1, reserve }],
        ..class(1_000, &[(order, 9)])
    };
    // One lock of which one class says "at most 3", the other "at most 1".
    let problem = |narrow_first: u64| Problem {
        classes: vec![drawing(1, 0), drawing(narrow_first, 2)],
        nodes: vec![node(1, 8)],
        allowances: vec![3],
    };
    assert_eq!(placed(&plan(&problem(0), 1_000)), [(1, 0, 0, 1), (0, 0, 0, 2)]);
    assert_eq!(placed(&plan(&problem(2), 1_000)), [(0, 0, 0, 3)]);
}

#[test]
fn what_never_fits_is_told_so_even_while_its_lock_is_held() {
    let mut large = class(9_000, &[(0, 1)]);
    large.draws = vec![Draw { allowance: 0, cost: 1, reserve: 0 }];
    let problem = Problem { classes: vec![large], nodes: vec![node(1, 2)], allowances: vec![0] };
    let plan = plan(&problem, 1_000);
    assert!(matches!(plan.refusals[0].reason, RefusalReason::NeverFits(_)));
}

/// For one class, filling nodes greedily is optimal: what is left has neither room nor allowance.
#[test]
fn no_capacity_is_exceeded_and_none_is_left_that_would_do() {
    let mut seed = 7;
    let mut draw = |below: u64| {
        seed = mix(seed);
        seed % below
    };
    for _ in 0..2_000 {
        let nodes: Vec<_> = (0..draw(4) as u32).map(|id| node(id, draw(5))).collect();
        let mut classes: Vec<_> = (0..1 + draw(3))
            .map(|index| class(500 * (1 + draw(4)), &[(index, draw(7) as u32)]))
            .collect();
        let allowances: Vec<_> = (0..draw(3)).map(|_| draw(9)).collect();
        for class in &mut classes {
            for allowance in 0..allowances.len() as u32 {
                if draw(2) == 0 {
                    class.draws.push(Draw { allowance, cost: 1 + draw(3), reserve: draw(3) });
                }
            }
        }
        let problem = Problem { classes, nodes, allowances };
        let plan = plan(&problem, 10_000);
        let mut free: Vec<_> = problem.nodes.iter().map(|node| node.free[0]).collect();
        let mut left: Vec<_> = problem.classes.iter().map(|c| c.groups[0].count).collect();
        let mut allowed = problem.allowances.clone();
        for p in &plan.placements {
            let class = &problem.classes[p.class as usize];
            let used = class.request[0] * u64::from(p.count);
            free[p.node as usize] = free[p.node as usize].checked_sub(used).expect("fits");
            left[p.class as usize] -= p.count;
            for draw in &class.draws {
                let rest = &mut allowed[draw.allowance as usize];
                *rest = rest.checked_sub(draw.cost * u64::from(p.count)).expect("allowed");
                assert!(*rest >= draw.reserve, "{problem:?} {plan:?}");
            }
        }
        for (class, left) in problem.classes.iter().zip(left) {
            let room = free.iter().any(|&free| free >= class.request[0]);
            let draws = &class.draws;
            let may = draws.iter().all(|d| allowed[d.allowance as usize] >= d.cost + d.reserve);
            assert!(left == 0 || !room || !may, "{problem:?} {plan:?}");
        }
    }
}
