//! Random lives of three honest nodes: links come and go, frames get lost, nodes restart from
//! their disks and from old backups. Nobody is ever blamed, and no number is used for two receipts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use repute_base::codec;
use repute_identity::NodeId;
use repute_protocol::{ReceiptTerms, Service};

use crate::town::{Disk, HOUR, Town};

const NODES: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u32),
    Serve(usize, usize, u64),
    Link(usize, usize),
    Unlink(usize, usize),
    Restart(usize),
    Backup(usize),
    Restore(usize),
    Lose(usize),
}

/// What gets lost from some step on.
const LOST: [Option<&str>; 6] = [
    None,
    Some("latest"),
    Some("opened"),
    Some("propose"),
    Some("cosigned"),
    Some("ask-latest"),
];

fn pair() -> impl Strategy<Value = (usize, usize)> {
    (0..NODES, 1..NODES).prop_map(|(a, by)| (a, (a + by) % NODES))
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..NODES;
    prop_oneof![
        4 => (1u32..90).prop_map(Step::Pass),
        4 => (pair(), 1u64..50).prop_map(|((a, b), amount)| Step::Serve(a, b, amount)),
        2 => pair().prop_map(|(a, b)| Step::Link(a, b)),
        1 => pair().prop_map(|(a, b)| Step::Unlink(a, b)),
        1 => node.clone().prop_map(Step::Restart),
        1 => node.clone().prop_map(Step::Backup),
        1 => node.prop_map(Step::Restore),
        1 => (0..LOST.len()).prop_map(Step::Lose),
    ]
}

fn take(town: &mut Town, backups: &mut [Disk], step: Step) {
    match step {
        Step::Pass(minutes) => town.pass(HOUR / 60 * minutes),
        Step::Serve(a, b, amount) => town.serve(a, b, Service::Messages, amount),
        Step::Link(a, b) => {
            let linked = town.links.contains(&(a, b)) || town.links.contains(&(b, a));
            if !linked {
                town.link(a, b);
            }
        }
        Step::Unlink(a, b) => town.unlink(a, b),
        Step::Restart(node) => {
            let disk = town.nodes[node].disk.clone();
            town.restart_from(node, disk);
        }
        Step::Backup(node) => backups[node] = town.nodes[node].disk.clone(),
        Step::Restore(node) => town.restart_from(node, backups[node].clone()),
        Step::Lose(which) => town.lost = LOST[which],
    }
}

/// Receipts that their `a` signed, by number: how many different ones each number has.
fn numbered(town: &Town) -> BTreeMap<(NodeId, NodeId, u64), usize> {
    let mut all: BTreeMap<_, BTreeSet<&[u8]>> = BTreeMap::new();
    for node in &town.nodes {
        for statement in &node.signed {
            let terms = statement.strip_prefix(b"repute receipt 1");
            let Some(terms) = terms.and_then(|rest| rest.get(8..)) else {
                continue;
            };
            let terms: ReceiptTerms = codec::decode(terms).unwrap();
            if terms.a.id() == node.identity.id() {
                let number = (terms.a.id(), terms.b.id(), terms.seq_ab);
                all.entry(number).or_default().insert(statement);
            }
        }
    }
    all.into_iter().map(|(key, all)| (key, all.len())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn honest_lives_with_losses_restarts_and_old_backups_never_look_like_a_lie(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut town = Town::new(NODES as u64);
        let mut backups = vec![Disk::new(); NODES];
        for a in 0..NODES {
            town.link(a, (a + 1) % NODES);
        }
        for step in steps {
            take(&mut town, &mut backups, step);
        }
        // Whatever happened, it goes on.
        town.lost = None;
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            town.unlink(a, b);
            town.link(a, b);
        }
        for _ in 0..3 {
            for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                town.serve(a, b, Service::Messages, 1);
            }
            town.pass(HOUR);
        }
        town.assert_nobody_was_blamed();
        for (number, statements) in numbered(&town) {
            prop_assert_eq!(statements, 1, "{:?}", number);
        }
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            prop_assert!(town.latest(a, a, b).is_some(), "{} and {} sign again", a, b);
            prop_assert_eq!(town.latest(a, a, b), town.latest(b, a, b));
        }
    }

    #[test]
    fn receipts_of_a_pair_come_to_the_same_in_whatever_order_they_are_told(
        receipts in prop::collection::btree_map(1u64..500, 0u64..5_000, 1..12),
        order in any::<u64>(),
    ) {
        let mut town = Town::new(4);
        for node in 0..4 {
            town.stamp(node);
        }
        for (end, at) in [(0, 2), (1, 2), (0, 3), (1, 3)] {
            town.link(end, at);
        }
        let told: Vec<_> = receipts
            .iter()
            .map(|(seq, amount)| town.forge_together(0, 1, town.terms(0, 1, *seq, *amount)))
            .collect();
        let mut shuffled = told.clone();
        shuffled.sort_by_key(|one| one.terms.seq_ab.wrapping_mul(order | 1));
        let subject = town.id(0);
        town.answer(2, 0, subject, told);
        town.answer(3, 0, subject, shuffled);
        let newest = receipts.last_key_value().map(|(seq, _)| *seq);
        prop_assert_eq!(town.latest(2, 0, 1).map(|terms| terms.seq_ab), newest);
        prop_assert_eq!(town.latest(2, 0, 1), town.latest(3, 0, 1));
        prop_assert_eq!(town.weight(2, 0, 1), town.weight(3, 0, 1));
        town.assert_nobody_was_blamed();
    }
}
