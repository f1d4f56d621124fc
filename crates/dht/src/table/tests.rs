use alloc::vec;
use std::{collections::BTreeSet, format};

use proptest::prelude::*;
use repute_base::Rng;

use super::*;

extern crate std;

fn id(n: u64) -> NodeId {
    let mut bytes = [0; 32];
    Rng::from_u64(n).fill(&mut bytes);
    NodeId::from_bytes(bytes)
}

fn at(text: &str) -> Vec<Address> {
    vec![text.parse().unwrap()]
}

fn table(config: &Config) -> Table {
    Table::new(id(0), config)
}

fn own(n: u64) -> Vec<Address> {
    at(&format!("127.0.0.1:{}", 1_024 + n))
}

fn admit(table: &mut Table, n: u64, addresses: Vec<Address>) -> Place {
    let now = Mono::from_millis(1_000 + n);
    table.admit(id(n), addresses, now, false, Fixed::HALF)
}

#[test]
fn a_bucket_keeps_its_oldest_and_replaces_who_fails_twice() {
    let mut table = table(&Config::default());
    for n in 1..=200 {
        admit(&mut table, n, own(n));
    }
    let far = |n: &u64| Distance::between(id(0).as_bytes(), id(*n).as_bytes()).bits_shared() == 0;
    let first: Vec<u64> = (1..=200).filter(far).collect();
    assert!(first.len() > 60, "enough to overflow the bucket");
    let members = |table: &Table| -> BTreeSet<NodeId> {
        let entries = &table.buckets[&0].entries;
        entries.iter().map(|entry| entry.id).collect()
    };
    let oldest: BTreeSet<NodeId> = first.iter().take(20).map(|n| id(*n)).collect();
    assert_eq!(members(&table), oldest);
    assert_eq!(table.buckets[&0].replacements.len(), 20, "bounded");

    let (leaving, kept) = (id(first[0]), table.len());
    table.failed(&leaving);
    assert!(members(&table).contains(&leaving), "once is forgiven");
    table.heard(&leaving, Mono::from_millis(9_000));
    table.failed(&leaving);
    assert!(members(&table).contains(&leaving), "it was heard between");
    table.failed(&leaving);
    assert!(!members(&table).contains(&leaving));
    assert_eq!(table.len(), kept, "a replacement came in");
}

#[test]
fn thousands_of_ids_from_one_prefix_get_ten_places() {
    let mut table = table(&Config::default());
    for n in 1..=3_000 {
        admit(
            &mut table,
            n,
            at(&format!("9.8.7.{}:{}", n % 250 + 1, 1_000 + n)),
        );
    }
    assert_eq!(table.len(), 10);
    assert!(table.fill().all(|(_, len)| len <= 2));
    let kept = |bucket: &Bucket| bucket.replacements.len() <= 2;
    assert!(
        table.buckets.values().all(kept),
        "nor do they fill the replacements"
    );
    let named = table.closest(id(1).as_bytes(), usize::MAX, |_| true).len();
    assert_eq!(named, 10, "nor is anybody told of those who wait");
    // Others still find room.
    for n in 4_000..4_100 {
        admit(&mut table, n, at(&format!("9.8.{}.1:1", n - 4_000)));
    }
    assert!(table.len() > 40);
}

#[test]
fn whoever_moves_to_a_crowded_prefix_loses_its_place() {
    let mut table = table(&Config::default());
    for n in 1..=300 {
        admit(&mut table, n, at(&format!("9.8.7.{}:1", n % 250 + 1)));
    }
    assert_eq!(admit(&mut table, 500, at("9.9.9.9:1")), Place::New);
    let before = table.len();
    assert_eq!(admit(&mut table, 500, at("9.8.7.1:1")), Place::Other);
    assert_eq!(table.len(), before - 1);
}

#[test]
fn who_is_only_remembered_makes_room_for_who_is_there() {
    let mut table = table(&Config::default());
    for n in 1..=100 {
        table.admit(id(n), own(n), Mono::ZERO, false, Fixed::HALF);
    }
    let before = table.len();
    let newcomer = (101..).find(|n| table.bits(&id(*n)) == 0).unwrap();
    assert_eq!(admit(&mut table, newcomer, own(newcomer)), Place::New);
    assert_eq!(table.len(), before);
}

#[test]
fn trust_decides_between_equals() {
    let config = Config {
        k: 1,
        ..Config::default()
    };
    let mut table = Table::new(id(0), &config);
    let far: Vec<u64> = (1..).filter(|n| table.bits(&id(*n)) == 0).take(3).collect();
    let now = Mono::from_millis(5);
    for (n, trust) in far.iter().zip([Fixed::HALF, Fixed::ONE, Fixed::ZERO]) {
        table.admit(id(*n), own(*n), now, false, trust);
    }
    // One replacement is all there is room for; neither pushes the other out unless it is better.
    table.remove(&id(far[0]));
    assert_eq!(table.len(), 1);
}

proptest! {
    #[test]
    fn the_closest_are_those_that_sorting_all_would_give(
        ids in prop::collection::vec(1..5_000_u64, 0..120),
        target: [u8; 32],
        count in 0..40_usize,
        near in any::<bool>(),
    ) {
        let mut table = table(&Config::default());
        for n in &ids {
            admit(&mut table, *n, own(*n));
        }
        let target = if near { *id(0).as_bytes() } else { target };
        let mut all: Vec<(Distance, NodeId)> = table
            .buckets
            .values()
            .flat_map(|bucket| &bucket.entries)
            .map(|entry| (Distance::between(entry.id.as_bytes(), &target), entry.id))
            .collect();
        all.sort_unstable();
        let expected: Vec<NodeId> = all.into_iter().map(|(_, id)| id).take(count).collect();
        let found: Vec<NodeId> = table.closest(&target, count, |_| true).iter().map(|entry| entry.id).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_counts_follow_whatever_happens(steps in prop::collection::vec((0..4_u8, 1..60_u64, 0..4_u8), 0..200)) {
        let mut table = table(&Config { k: 3, ..Config::default() });
        for (what, n, net) in steps {
            match what {
                0 | 1 => {
                    admit(&mut table, n, at(&format!("9.8.{net}.1:{}", n + 1)));
                }
                2 => table.failed(&id(n)),
                _ => table.remove(&id(n)),
            }
            let entries: usize = table.fill().map(|(_, len)| len).sum();
            prop_assert_eq!(entries, table.len());
            prop_assert_eq!(table.groups.values().sum::<usize>(), entries);
            prop_assert!(table.groups.values().all(|count| (1..=10).contains(count)));
            prop_assert!(table.buckets.values().all(|bucket| bucket.entries.len() <= 3 && bucket.replacements.len() <= 3));
        }
    }
}
