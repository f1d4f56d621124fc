use std::{collections::BTreeSet, format};

use repute_base::{Fixed, Rng};

use super::*;
use crate::{Want, table::Table};

extern crate std;

fn id(n: u64) -> NodeId {
    let mut bytes = [0; 32];
    Rng::from_u64(n).fill(&mut bytes);
    NodeId::from_bytes(bytes)
}

/// An id that shares its first bytes with the target.
fn near(n: u64) -> NodeId {
    let mut bytes = [0; 32];
    Rng::from_u64(n).fill(&mut bytes);
    bytes[..4].fill(7);
    NodeId::from_bytes(bytes)
}

fn target() -> RecordKey {
    RecordKey::from_bytes([7; 32])
}

fn contact(id: NodeId, n: u64) -> (Contact, Group) {
    let address: Address = format!("9.{}.{}.1:1", n / 250, n % 250).parse().unwrap();
    let contact = Contact {
        id,
        addresses: BoundedVec::truncated([address]),
    };
    (contact, Group::of(&address, false))
}

fn manner(paths: usize, need: usize) -> Manner {
    Manner {
        paths,
        width: 3,
        need,
        thorough: false,
    }
}

/// A lookup that begins with `seeds` nodes that are far away.
fn begun(aim: Aim, manner: Manner, seeds: u64) -> Lookup {
    let mut table = Table::new(id(0), &crate::Config::default());
    for n in 1..=seeds {
        let (contact, _) = contact(id(n), n);
        let addresses = contact.addresses.into_vec();
        table.admit(id(n), addresses, Mono::from_millis(1), true, Fixed::HALF);
    }
    let mut lookup = Lookup::new(target(), aim, manner, Mono::ZERO);
    lookup.seed(table.closest(target().as_bytes(), 20, |_| true), Mono::ZERO);
    lookup
}

fn nodes() -> Aim {
    Aim::Nodes { token: 1 }
}

fn ask_all(lookup: &mut Lookup, limits: &Limits) -> Vec<NodeId> {
    core::iter::from_fn(|| {
        let next = lookup.next(limits)?;
        lookup.settle(&next, State::Asked);
        Some(next)
    })
    .collect()
}

#[test]
fn a_lookup_ends_when_the_closest_few_know_of_nobody_closer() {
    let limits = Limits::default();
    let mut lookup = begun(nodes(), manner(4, 4), 60);
    let asked = ask_all(&mut lookup, &limits);
    let closest: Vec<NodeId> = lookup.candidates.iter().take(4).map(|one| one.id).collect();
    assert_eq!(asked, closest, "one on each path");
    for peer in &asked {
        assert!(!lookup.is_settled());
        lookup.answers += 1;
        lookup.settle(peer, State::Answered);
    }
    assert!(lookup.next(&limits).is_none() && lookup.is_settled());
}

#[test]
fn no_node_is_asked_on_two_paths() {
    let limits = Limits::default();
    let mut lookup = begun(nodes(), manner(4, 4), 60);
    let mut asked = BTreeSet::new();
    let mut n = 1_000;
    for _ in 0..12 {
        for peer in ask_all(&mut lookup, &limits) {
            assert!(asked.insert(peer), "asked twice");
            // All name the same nodes, each time some new ones.
            let named: Vec<_> = (n - 5..n + 1).map(|n| contact(near(n), n)).collect();
            n += 1;
            lookup.told(&id(0), &peer, &named, &limits, 10);
            lookup.answers += 1;
            lookup.settle(&peer, State::Answered);
        }
    }
    let ids: BTreeSet<NodeId> = lookup.candidates.iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), lookup.candidates.len(), "each once, on one path");
    let paths: BTreeSet<u8> = lookup.candidates.iter().map(|one| one.path).collect();
    assert_eq!(paths.len(), 4);
}

#[test]
fn one_answer_adds_no_more_than_its_share_and_pushes_nobody_out_who_is_there() {
    let limits = Limits {
        candidates_max: 40,
        ..Limits::default()
    };
    let mut lookup = begun(nodes(), manner(1, 4), 60);
    let seeds: Vec<NodeId> = lookup.candidates.iter().map(|one| one.id).collect();
    assert_eq!(seeds.len(), 20);
    for (round, peer) in seeds.iter().enumerate() {
        let from = 10_000 + 100 * round as u64;
        let named: Vec<_> = (from..from + 100).map(|n| contact(near(n), n)).collect();
        let (new, _) = lookup.told(&id(0), peer, &named, &limits, 10);
        assert!(new <= limits.told_max);
        let again = lookup.told(&id(0), peer, &named[50..], &limits, 10);
        assert_eq!(
            again,
            (0, 0),
            "an account for each teller, not for each answer"
        );
    }
    assert_eq!(lookup.candidates.len(), 40);
    assert!(seeds.iter().all(|seed| lookup.find(seed).is_some()));
}

#[test]
fn thousands_of_ids_of_one_prefix_are_ten_candidates() {
    let limits = Limits::default();
    let mut lookup = begun(nodes(), manner(1, 4), 60);
    let (_, group) = contact(id(1), 1);
    let tellers: Vec<NodeId> = lookup.candidates.iter().map(|one| one.id).collect();
    for (round, peer) in tellers.iter().enumerate() {
        let from = 10_000 + 100 * round as u64;
        let named: Vec<_> = (from..from + 100)
            .map(|n| (contact(near(n), 1).0, group))
            .collect();
        lookup.told(&id(0), peer, &named, &limits, 10);
    }
    assert_eq!(lookup.candidates.len(), 20 + 10);
}

#[test]
fn who_names_nodes_that_do_not_exist_is_not_followed_for_long() {
    let limits = Limits::default();
    let mut lookup = begun(nodes(), manner(1, 4), 60);
    let liar = lookup.next(&limits).unwrap();
    lookup.settle(&liar, State::Asked);
    let named: Vec<_> = (500..520).map(|n| contact(near(n), n)).collect();
    lookup.told(&id(0), &liar, &named, &limits, 10);
    lookup.answers += 1;
    lookup.settle(&liar, State::Answered);
    let mut tried = 0;
    while let Some(next) = lookup.next(&limits) {
        let invented = named.iter().any(|(one, _)| one.id == next);
        tried += usize::from(invented);
        lookup.settle(&next, State::Asked);
        lookup.answers += u32::from(!invented);
        let state = if invented {
            State::Failed
        } else {
            State::Answered
        };
        lookup.settle(&next, state);
    }
    assert_eq!(tried, 3);
    assert!(lookup.is_settled());
    let live = lookup.live(&limits).take(4);
    assert!(live.into_iter().all(|one| one.state == State::Answered));
}

#[test]
fn whoever_wants_one_record_asks_one_holder_first() {
    let limits = Limits::default();
    let findings = Findings::new(1, Want::First);
    let mut lookup = begun(Aim::Records(findings), manner(4, 10), 60);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let asked = ask_all(&mut lookup, &limits);
        sizes.push(asked.len());
        for peer in asked {
            lookup.answers += 1;
            lookup.settle(&peer, State::Answered);
        }
    }
    assert_eq!(sizes[..3], [1, 2, 4]);
}

#[test]
fn a_slow_node_holds_nobody_up_but_may_still_answer() {
    let limits = Limits::default();
    let mut lookup = begun(nodes(), manner(1, 2), 60);
    let asked = ask_all(&mut lookup, &limits);
    lookup.settle(&asked[0], State::Slow);
    let next = lookup.next(&limits);
    assert!(next.is_some_and(|next| !asked.contains(&next)));
    for peer in asked.iter().skip(1).chain(&next) {
        lookup.answers += 1;
        lookup.settle(peer, State::Answered);
    }
    assert!(lookup.next(&limits).is_none() && lookup.is_settled());
    lookup.settle(&asked[0], State::Answered);
    assert!(lookup.find(&asked[0]).unwrap().proven);
}

#[test]
fn whoever_has_one_network_of_addresses_cannot_surround_a_place() {
    let limits = Limits::default();
    let mut lookup = begun(nodes(), manner(1, 10), 60);
    lookup.prefix_max = 2;
    let (_, group) = contact(id(1), 1);
    let first = lookup.next(&limits).unwrap();
    lookup.settle(&first, State::Asked);
    let around: Vec<_> = (500..510).map(|n| (contact(near(n), 1).0, group)).collect();
    assert_eq!(lookup.told(&id(0), &first, &around, &limits, 10).0, 10);
    lookup.answers += 1;
    lookup.settle(&first, State::Answered);
    let mut asked = 0;
    while let Some(next) = lookup.next(&limits) {
        asked += usize::from(around.iter().any(|(one, _)| one.id == next));
        lookup.settle(&next, State::Asked);
        lookup.answers += 1;
        lookup.settle(&next, State::Answered);
    }
    assert_eq!(asked, 2);
    let of_group = lookup.live(&limits).filter(|one| one.group == group);
    assert_eq!(of_group.count(), 2, "nor are records put to more");
}

#[test]
fn who_has_found_no_record_asks_even_those_that_a_doubted_node_named() {
    let limits = Limits::default();
    let findings = Findings::new(1, Want::First);
    let mut lookup = begun(Aim::Records(findings), manner(1, 10), 60);
    let doubted = lookup.next(&limits).unwrap();
    lookup.settle(&doubted, State::Asked);
    let named: Vec<_> = (500..520).map(|n| contact(near(n), n)).collect();
    lookup.told(&id(0), &doubted, &named, &limits, 10);
    lookup.answers += 1;
    lookup.settle(&doubted, State::Answered);
    let mut tried = 0;
    // The holders that it named have died, but for the last.
    while let Some(next) = lookup.next(&limits) {
        tried += usize::from(named.iter().any(|(one, _)| one.id == next));
        lookup.settle(&next, State::Asked);
        let state = if tried < 20 {
            State::Failed
        } else {
            State::Answered
        };
        lookup.answers += u32::from(state == State::Answered);
        lookup.settle(&next, state);
    }
    assert_eq!(tried, 20, "the last of them is reached");
}
