//! Classes that ask for sites, and items that spread or stay together.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::super::{
    Ask, ClassId, Domain, Group, GroupKey, Lease, NodeId, NodeSpec, Places, Planner, Policy,
    Refusal, SPEED, SiteId, Sites, Thing,
};
use super::{ALL_ITEMS, FUEL, SECOND, cpus, node};

fn key(run: u64, task: u32) -> GroupKey {
    GroupKey { run, task, item: ALL_ITEMS }
}

fn at(site: u32, spec: NodeSpec) -> NodeSpec {
    NodeSpec { site: SiteId(site), ..spec }
}

fn open(sites: &[u32]) -> Places {
    let open: Sites = sites.iter().copied().map(SiteId).collect();
    Places { open, ..Places::default() }
}

fn asking(cpu: u64, places: Places) -> Ask {
    Ask { places: Some(Box::new(places)), ..cpus(cpu) }
}

/// A planner on nodes of these sites with so many cores each.
fn planner(nodes: &[(u32, u64)]) -> Planner {
    let mut planner = Planner::new(Policy::Autoglm);
    for &(site, cores) in nodes {
        planner.add_node(at(site, node(cores, 0, SPEED)));
    }
    planner
}

fn tell(planner: &mut Planner, key: GroupKey, class: ClassId, count: u32) {
    let group = Group { class, count, expected: SECOND, ..Group::default() };
    planner.set_group(0, key, group);
}

/// Begins what is planned, from an item of a number on; gives back the nodes.
fn begin(planner: &mut Planner, (now, first): (u64, u32)) -> Vec<u32> {
    let mut nodes = Vec::new();
    for placement in planner.plan(now, FUEL).placements {
        let group = *planner.group(placement.group).expect("it waits");
        for _ in 0..placement.count {
            let number = first + u32::try_from(nodes.len()).expect("few");
            let item = GroupKey { item: number, ..placement.group };
            let (taken, ends_at) = (placement.taken.clone(), now + SECOND);
            let lease =
                Lease { class: group.class, taken, began_at: now, ends_at, ..Lease::default() };
            planner.begin(item, placement.node, lease);
            nodes.push(placement.node.0);
        }
        let count = group.count - placement.count;
        planner.set_group(now, placement.group, Group { count, ..group });
    }
    nodes
}

fn end(planner: &mut Planner, now: u64, run: u64, item: u32) {
    planner.end(now, GroupKey { item, ..key(run, 0) });
}

#[test]
fn sites_are_found_beyond_the_first_word() {
    let sites: Sites = [0, 63, 64, 200].into_iter().map(SiteId).collect();
    let found: Vec<u32> = (0..400).filter(|&site| sites.contains(SiteId(site))).collect();
    assert_eq!(found, [0, 63, 64, 200]);
}

#[test]
fn a_class_goes_to_open_sites_alone_and_nobody_else_to_reserved_nodes() {
    let mut planner = planner(&[(0, 1), (1, 1)]);
    let kept = planner.add_node(NodeSpec { reserved: true, ..at(2, node(9, 0, SPEED)) });
    let plain = planner.class(cpus(1));
    let asking = planner.class(asking(1, open(&[1, 2])));
    tell(&mut planner, key(1, 0), plain, 9);
    assert_eq!(begin(&mut planner, (0, 0)), [0, 1]);
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::NoRoom));
    tell(&mut planner, key(2, 0), asking, 12);
    assert_eq!(begin(&mut planner, (1, 0)), [kept.0; 9]);
    let short = planner.shortages(plain, true, 8);
    assert_eq!(short.len(), 1, "it could be on the others: {short:?}");
    assert_eq!((short[0].node, short[0].thing), (kept, Thing::Site));
}

#[test]
fn what_no_open_site_can_hold_never_fits_and_a_new_site_is_closed() {
    let mut planner = planner(&[(0, 4), (1, 4)]);
    let class = planner.class(asking(1, open(&[7])));
    tell(&mut planner, key(1, 0), class, 1);
    assert!(planner.plan(0, FUEL).placements.is_empty());
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::NeverFits));
    planner.set_sites([(NodeId(1), SiteId(7))]);
    assert_eq!(begin(&mut planner, (1, 0)), [1], "it is looked at anew");
    tell(&mut planner, key(2, 0), class, 5);
    planner.add_node(at(9, node(9, 0, SPEED)));
    assert_eq!(begin(&mut planner, (2, 0)), [1, 1, 1]);
}

#[test]
fn a_reservation_is_made_where_it_may_go() {
    let mut planner = planner(&[(0, 4), (1, 4)]);
    planner.set_patience(10 * SECOND);
    let (plain, large) = (planner.class(cpus(1)), planner.class(asking(4, open(&[1]))));
    // Both nodes have something that lasts, the second one longer.
    for (item, ends_at) in [(0, 20 * SECOND), (1, 40 * SECOND)] {
        let taken = super::super::Taken { amounts: vec![1, 1], ..Default::default() };
        let lease = Lease { class: plain, taken, began_at: 0, ends_at, ..Lease::default() };
        planner.begin(GroupKey { item, ..key(9, 9) }, NodeId(item), lease);
    }
    let group = Group { class: large, count: 1, expected: SECOND, ..Group::default() };
    planner.set_group(0, key(1, 0), group);
    let plan = planner.plan(9 * SECOND, FUEL);
    assert_eq!(plan.look_at, Some(40 * SECOND), "of the node that is open to it");
    let long = Group { class: plain, count: 9, expected: 99 * SECOND, ..Group::default() };
    planner.set_group(9 * SECOND, key(2, 0), Group { ready_at: 9 * SECOND, ..long });
    let plan = planner.plan(9 * SECOND, FUEL);
    assert!(plan.placements.iter().all(|it| it.node == NodeId(0)), "{:?}", plan.placements);
}

#[test]
fn the_share_of_a_class_is_of_the_nodes_that_are_open_to_it() {
    let mut planner = planner(&[(0, 30), (1, 10)]);
    let (plain, asking) = (planner.class(cpus(10)), planner.class(asking(10, open(&[1]))));
    assert_eq!((planner.work(plain, 4_000), planner.work(asking, 4_000)), (1_000, 4_000));
    planner.add_node(NodeSpec { reserved: true, ..at(2, node(60, 0, SPEED)) });
    assert_eq!(planner.work(plain, 4_000), 1_000, "reserved nodes are none of its");
}

#[test]
fn what_is_liked_goes_before_what_is_tight() {
    let mut planner = planner(&[(0, 2), (1, 9), (2, 4)]);
    let places = Places { unmet: vec![1, 0, 2], ..open(&[0, 1, 2]) };
    let class = planner.class(asking(1, places));
    tell(&mut planner, key(1, 0), class, 12);
    let nodes = begin(&mut planner, (0, 0));
    let expected = [[1; 9].as_slice(), &[0; 2], &[2; 1]].concat();
    assert_eq!(nodes, expected);
}

#[test]
fn items_go_where_the_fewest_of_their_task_are() {
    let mut planner = planner(&[(0, 9), (0, 9), (1, 9), (2, 2)]);
    // Three groups: the first two nodes, the third, the last.
    let spread = Some(Domain::Site(vec![0, 1, 2]));
    let class = planner.class(asking(1, Places { spread, ..open(&[0, 1, 2]) }));
    tell(&mut planner, key(1, 0), class, 6);
    let mut nodes = begin(&mut planner, (0, 0));
    nodes.sort_unstable();
    assert_eq!(nodes[2..], [2, 2, 3, 3]);
    assert!(nodes[1] <= 1);
    // Two of one group end, and the next two go there.
    let of_group = (0..6)
        .filter(|&item| planner.fleet.node_of(GroupKey { item, ..key(1, 0) }) == Some(NodeId(2)));
    of_group.collect::<Vec<u32>>().into_iter().for_each(|item| end(&mut planner, 1, 1, item));
    tell(&mut planner, key(1, 0), class, 2);
    assert_eq!(begin(&mut planner, (1, 10)), [2, 2]);
    // Another task of the class begins from nothing.
    tell(&mut planner, key(2, 0), class, 2);
    let mut nodes = begin(&mut planner, (2, 20));
    nodes.sort_unstable();
    assert!(nodes.len() == 2 && nodes[0] <= 1 && nodes[1] == 2, "{nodes:?}");
}

#[test]
fn items_stay_together_where_there_is_most_room_and_as_long_as_any_is_there() {
    let mut planner = planner(&[(0, 2), (1, 1), (1, 2)]);
    let together = Some(Domain::Site(vec![0, 1]));
    let class = planner.class(asking(1, Places { together, ..open(&[0, 1]) }));
    tell(&mut planner, key(1, 0), class, 5);
    let mut nodes = begin(&mut planner, (0, 0));
    nodes.sort_unstable();
    assert_eq!(nodes, [1, 2, 2]);
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::Apart));
    // An item that is tried again goes there as well, and another task goes where there is room.
    tell(&mut planner, GroupKey { item: 7, ..key(1, 0) }, class, 1);
    assert!(planner.plan(1, FUEL).placements.is_empty());
    tell(&mut planner, key(2, 0), class, 1);
    assert_eq!(begin(&mut planner, (2, 50)), [0]);
    // When none is left they may go anywhere.
    (0..3).for_each(|item| end(&mut planner, 3, 1, item));
    planner.remove_node(NodeId(2));
    planner.remove_node(NodeId(1));
    assert_eq!(begin(&mut planner, (4, 60)), [0]);
}

#[test]
fn a_node_that_goes_takes_the_items_of_its_tasks_along() {
    let mut planner = planner(&[(0, 1), (1, 9)]);
    let together = Some(Domain::Node);
    let class = planner.class(asking(1, Places { together, ..open(&[0, 1]) }));
    tell(&mut planner, key(1, 0), class, 2);
    assert_eq!(begin(&mut planner, (0, 0)), [1, 1]);
    planner.remove_node(NodeId(1));
    (0..2).for_each(|item| end(&mut planner, 1, 1, item));
    tell(&mut planner, key(1, 0), class, 1);
    assert_eq!(begin(&mut planner, (1, 10)), [0]);
    assert_eq!(begin(&mut planner, (2, 20)), [] as [u32; 0]);
}

#[test]
fn what_is_remembered_changes_no_plan_of_items_that_look_at_each_other() {
    // Work of two tasks, over and over, beside a planner that forgets what is full.
    let mut planner = planner(&[(0, 3), (0, 2), (1, 4)]);
    let domain = || Domain::Site(vec![0, 1]);
    let near = Places { together: Some(domain()), ..open(&[0, 1]) };
    let far = Places { spread: Some(domain()), ..open(&[0, 1]) };
    let classes = [planner.class(asking(1, near)), planner.class(asking(2, far))];
    let mut live: Vec<(u64, GroupKey)> = Vec::new();
    for now in 0..200_u64 {
        let run = now % 4;
        tell(&mut planner, key(run, 0), classes[run as usize % 2], 3);
        let mut forgetful = planner.clone();
        forgetful.forget_what_is_full();
        forgetful.fleet.futures.fill(None);
        let plan = planner.plan(now * SECOND, FUEL);
        assert_eq!(plan, forgetful.plan(now * SECOND, FUEL), "at {now}");
        for placement in plan.placements {
            for _ in 0..placement.count {
                let number = u32::try_from(now * 100 + live.len() as u64).expect("few");
                let item = GroupKey { item: number, ..placement.group };
                let lease = Lease {
                    class: planner.group(placement.group).expect("it waits").class,
                    taken: placement.taken.clone(),
                    began_at: now * SECOND,
                    ends_at: (now + 2) * SECOND,
                    ..Lease::default()
                };
                planner.begin(item, placement.node, lease);
                live.push((now + 1 + now % 3, item));
            }
            let group = *planner.group(placement.group).expect("it waits");
            let count = group.count - placement.count;
            planner.set_group(now * SECOND, placement.group, Group { count, ..group });
        }
        let over = live.extract_if(.., |(until, _)| *until <= now).collect::<Vec<_>>();
        over.into_iter().for_each(|(_, item)| planner.end(now * SECOND, item));
        for run in 0..4 {
            let mut homes: Vec<bool> = live
                .iter()
                .filter(|(_, item)| item.run == run && run % 2 == 0)
                .filter_map(|(_, item)| planner.fleet.node_of(*item))
                .map(|node| node.0 == 2)
                .collect();
            homes.dedup();
            assert!(homes.len() <= 1, "run {run} is in two places at {now}");
        }
    }
}
