use alloc::{format, vec, vec::Vec};
use core::time::Duration;

use proptest::prelude::*;
use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec};
use repute_identity::Identity;
use repute_protocol::{Advertisement, EnvelopeKind, NetworkId, Unsigned};

use super::*;

const NOW: Wall = Wall::from_millis(1_800_000_000_000);

fn sign(author: u64, counter: u64, sent: Wall, record: &Record) -> (Filed, Verified<Envelope>) {
    let envelope = Unsigned {
        network: NetworkId::from_name("test"),
        kind: EnvelopeKind::Record,
        seq: Seq {
            start: NOW.as_millis(),
            counter,
        },
        sent,
        payload: record.encode(),
    }
    .sign(&Identity::from_seed(author));
    (Record::file(&envelope, sent).unwrap(), envelope)
}

fn value(author: u64, name: &str, counter: u64, len: usize) -> (Filed, Verified<Envelope>) {
    let expires = NOW + Duration::from_secs(3_600 + counter);
    let record = Record {
        kind: RecordKind::Value.number(),
        slot: 0,
        expires: expires.as_millis(),
        name: BoundedBytes::new(name.as_bytes().to_vec()).unwrap(),
        value: BoundedBytes::new(vec![counter as u8; len]).unwrap(),
    };
    sign(author, counter, NOW, &record)
}

fn offer(author: u64, slot: u8, counter: u64, after_s: u64) -> (Filed, Verified<Envelope>) {
    let sent = NOW + Duration::from_secs(after_s);
    let offer = Advertisement {
        services: BoundedVec::truncated([BoundedString::new("seeder").unwrap()]),
        key: BoundedBytes::new(vec![]).unwrap(),
        amount_min: 0,
        amount_max: counter,
        addresses: BoundedVec::new(),
        criteria: BoundedVec::new(),
        metadata: BoundedBytes::new(vec![]).unwrap(),
    };
    let record = Record {
        kind: RecordKind::Advertisement.number(),
        slot,
        expires: (sent + Duration::from_secs(3_600)).as_millis(),
        name: BoundedBytes::new(&b"seeder"[..]).unwrap(),
        value: BoundedBytes::new(offer.encode()).unwrap(),
    };
    sign(author, counter, sent, &record)
}

fn from(sender: u64, address: &str) -> Arrival {
    let address: Address = address.parse().unwrap();
    Arrival {
        sender: Identity::from_seed(sender).id(),
        group: Some(Group::of(&address, false)),
        pace: Pace {
            now: Mono::from_millis(1_000),
            interval: Duration::from_secs(3_600),
            share: 900,
        },
    }
}

fn store() -> Store {
    Store::new(Identity::from_seed(0).id())
}

fn put(
    store: &mut Store,
    (filed, envelope): &(Filed, Verified<Envelope>),
    arrival: &Arrival,
    limits: &Limits,
) -> Verdict {
    let verdict = store.weigh(filed, envelope, arrival, limits);
    if verdict == Verdict::New {
        store.insert(filed, envelope, arrival, limits);
    }
    verdict
}

#[test]
fn the_newest_wins_and_copies_are_known() {
    let (mut store, limits, far) = (store(), Limits::default(), from(1, "9.8.7.6:1"));
    let (first, second) = (value(1, "a", 1, 10), value(1, "a", 2, 20));
    assert_eq!(put(&mut store, &first, &far, &limits), Verdict::New);
    assert_eq!(put(&mut store, &first, &far, &limits), Verdict::Same);
    assert_eq!(put(&mut store, &second, &far, &limits), Verdict::New);
    assert_eq!(put(&mut store, &first, &far, &limits), Verdict::Older);
    let kept = store.records(&first.0.key, NOW);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].envelope.id(), second.1.id());
    assert_eq!(store.bytes(), second.1.wire().len());
    assert!(store.same(&second.0, &second.1).is_some());
    assert!(store.same(&first.0, &first.1).is_none());
}

#[test]
fn an_author_has_its_quota_of_records_and_bytes_and_others_theirs() {
    let far = from(1, "9.8.7.6:1");
    let limits = Limits {
        author_records_max: 10,
        author_bytes_max: 4_000,
        ..Limits::default()
    };
    let mut store = store();
    let kept = (0..30).filter(|n| {
        let record = value(1, &format!("n{n}"), 1, 10);
        put(&mut store, &record, &far, &limits) == Verdict::New
    });
    assert_eq!(kept.count(), 10);
    let kept = (0..30).filter(|n| {
        let record = value(2, &format!("n{n}"), 1, 1_000);
        put(&mut store, &record, &far, &limits) == Verdict::New
    });
    assert_eq!(kept.count(), 3);
    // A newer one of the same name takes no more room than there is.
    assert_eq!(
        put(&mut store, &value(1, "n0", 2, 10), &far, &limits),
        Verdict::New
    );
    assert_eq!(
        put(&mut store, &value(3, "n0", 1, 10), &far, &limits),
        Verdict::New
    );
}

#[test]
fn a_sender_has_its_quota() {
    let limits = Limits {
        sender_records_max: 5,
        ..Limits::default()
    };
    let mut store = store();
    let (one, other) = (from(1, "9.8.7.6:1"), from(2, "9.9.7.6:1"));
    for n in 0..8 {
        let verdict = put(&mut store, &value(n, "a", 1, 10), &one, &limits);
        assert_eq!(verdict == Verdict::New, n < 5);
    }
    assert_eq!(
        put(&mut store, &value(20, "a", 1, 10), &other, &limits),
        Verdict::New
    );
}

#[test]
fn a_shared_key_cannot_be_filled_from_one_prefix() {
    let limits = Limits {
        key_records_max: 20,
        key_group_max: 8,
        ..Limits::default()
    };
    let mut store = store();
    for n in 0..40 {
        put(
            &mut store,
            &offer(n, 0, 1, 0),
            &from(1, "9.8.7.6:1"),
            &limits,
        );
    }
    assert_eq!(store.len(), 8);
    for n in 40..60 {
        put(
            &mut store,
            &offer(n, 0, 1, 0),
            &from(2, "9.8.6.6:1"),
            &limits,
        );
    }
    assert_eq!(store.len(), 16);
    // Others come in, in the place of those of the crowded prefixes.
    for n in 60..68 {
        let verdict = put(
            &mut store,
            &offer(n, 0, 1, 0),
            &from(n, &format!("9.{n}.1.1:1")),
            &limits,
        );
        assert_eq!(verdict, Verdict::New);
    }
    assert_eq!(store.len(), 20);
    let mut shares: Vec<usize> = Vec::new();
    for shelf in store.shelves.values() {
        let mut counts: BTreeMap<Option<Group>, usize> = BTreeMap::new();
        for held in shelf.records.values() {
            *counts.entry(held.group).or_default() += 1;
        }
        shares = counts.into_values().collect();
    }
    shares.sort_unstable();
    assert_eq!(shares, [1, 1, 1, 1, 1, 1, 1, 1, 6, 6]);
}

#[test]
fn when_all_is_full_the_furthest_key_makes_room() {
    let limits = Limits {
        records_max: 50,
        ..Limits::default()
    };
    let (mut store, far) = (store(), from(1, "9.8.7.6:1"));
    let records: Vec<_> = (1..=200).map(|n| value(n, "a", 1, 10)).collect();
    for record in &records {
        put(&mut store, record, &far, &limits);
    }
    let mut distances: Vec<Distance> = records
        .iter()
        .map(|(filed, _)| store.distance(&filed.key))
        .collect();
    distances.sort_unstable();
    let kept: Vec<Distance> = store.shelves.keys().copied().collect();
    assert_eq!(kept, distances[..50]);
    // Our own is kept wherever it belongs.
    let own = value(0, "own", 1, 10);
    assert_eq!(put(&mut store, &own, &far, &limits), Verdict::New);
    let more: Vec<_> = (300..500).map(|n| value(n, "a", 1, 10)).collect();
    for record in &more {
        put(&mut store, record, &far, &limits);
    }
    assert_eq!(store.records(&own.0.key, NOW).len(), 1);
    assert!(store.len() <= 50);
}

#[test]
fn bytes_are_bounded_too() {
    let limits = Limits {
        record_bytes_max: 20_000,
        ..Limits::default()
    };
    let (mut store, far) = (store(), from(1, "9.8.7.6:1"));
    for n in 0..100 {
        put(&mut store, &value(n, "a", 1, 900), &far, &limits);
        assert!(store.bytes() <= 20_000);
    }
    assert!(store.len() >= 15);
}

#[test]
fn an_advertisement_is_replaced_once_a_minute_and_three_hasty_ones_are_forgiven() {
    let (mut store, limits, far) = (store(), Limits::default(), from(1, "9.8.7.6:1"));
    assert_eq!(
        put(&mut store, &offer(1, 0, 1, 0), &far, &limits),
        Verdict::New
    );
    assert_eq!(
        put(&mut store, &offer(1, 1, 2, 1), &far, &limits),
        Verdict::New,
        "another slot"
    );
    for n in 0..4 {
        let hasty = offer(1, 0, 10 + n, 30);
        let mut is_flood = || {
            assert_eq!(put(&mut store, &hasty, &far, &limits), Verdict::Hasty);
            store.is_flood(&hasty.0, hasty.1.id(), NOW, &limits)
        };
        assert_eq!(is_flood(), n == 3);
        // Whoever puts the same again and again adds nothing to it.
        assert!((0..10).all(|_| !is_flood()));
    }
    assert_eq!(
        put(&mut store, &offer(1, 0, 20, 61), &far, &limits),
        Verdict::New
    );
    // The same content signed again is no haste.
    assert_eq!(
        put(&mut store, &offer(2, 0, 1, 0), &far, &limits),
        Verdict::New
    );
}

#[test]
fn what_expires_goes_and_what_nobody_puts_is_due() {
    let (mut store, limits, far) = (store(), Limits::default(), from(1, "9.8.7.6:1"));
    let (first, second) = (value(1, "a", 1, 10), value(2, "b", 500, 10));
    put(&mut store, &first, &far, &limits);
    put(&mut store, &second, &far, &limits);
    // A third of an hour's lifetime, less the jitter.
    let due = store.next_due().unwrap().as_millis();
    assert!((1_081_000..1_082_000).contains(&due), "{due}");
    let pace = Pace {
        now: Mono::from_millis(2_000_000),
        ..far.pace
    };
    store.refresh(&first.0, pace);
    let (key, envelopes) = store.take_due(pace).unwrap();
    assert_eq!((key, envelopes.len()), (second.0.key, 1));
    assert!(store.take_due(pace).is_none(), "put off");
    let gone = store.expire(first.0.expires, 10);
    assert_eq!(gone, [(first.0.key, first.0.author, 0)]);
    assert_eq!(store.len(), 1);
    assert_eq!(store.expire(Wall::MAX, 10).len(), 1);
    assert!(store.is_empty() && store.bytes() == 0 && store.next_due().is_none());
    assert!(store.shelves.is_empty() && store.quotas == Quotas::default());
}

#[test]
fn a_key_of_many_authors_is_read_page_by_page_and_around() {
    let (mut store, limits) = (store(), Limits::default());
    for n in 1..=50 {
        let far = from(1, &format!("9.{n}.7.6:1"));
        for slot in 0..2 {
            put(
                &mut store,
                &offer(n, slot, u64::from(slot) + 1, 0),
                &far,
                &limits,
            );
        }
    }
    let key = offer(1, 0, 1, 0).0.key;
    let decode = |list: &RecordList| -> Vec<NodeId> {
        let envelopes = list
            .iter()
            .map(|wire| Envelope::decode(wire.bytes().clone()).unwrap());
        envelopes.map(|envelope| envelope.author()).collect()
    };
    let (mut seen, mut from) = (Vec::new(), NodeId::from_bytes([0; 32]));
    while seen.len() < 100 {
        let (list, more) = store.page(key, from, 31, NOW);
        assert!(more);
        assert!(list.len() <= 30, "an author's records stay together");
        let authors = decode(&list);
        seen.extend(authors.iter().copied());
        let mut next = *authors.last().unwrap().as_bytes();
        next[31] = next[31].wrapping_add(1);
        from = NodeId::from_bytes(next);
    }
    let mut once = seen[..100].to_vec();
    once.sort_unstable();
    assert_eq!(once, seen[..100], "in order");
    once.dedup();
    assert_eq!(once.len(), 50);
    let (list, more) = store.page(key, NodeId::from_bytes([0; 32]), 1, NOW);
    assert_eq!((list.len(), more), (1, true));
    let (list, more) = store.page(key, NodeId::from_bytes([255; 32]), 2, NOW);
    assert_eq!((decode(&list)[0], more), (seen[0], true), "around");
    assert!(store.page(key, from, 10, Wall::MAX).0.is_empty(), "expired");
}

proptest! {
    #[test]
    fn the_sums_follow_whatever_happens(steps in prop::collection::vec((0..6_u64, 0..4_u8, 0..5_u64, 0..300_usize), 0..60)) {
        let limits = Limits { records_max: 8, record_bytes_max: 3_000, author_records_max: 3, ..Limits::default() };
        let mut store = store();
        for (author, name, counter, len) in steps {
            let record = value(author, &format!("{name}"), counter, len);
            put(&mut store, &record, &from(author, "9.8.7.6:1"), &limits);
            let held: Vec<&Held> = store.shelves.values().flat_map(|shelf| shelf.records.values()).collect();
            prop_assert_eq!(store.len(), held.len());
            prop_assert_eq!(store.due.len(), held.len());
            prop_assert_eq!(store.bytes(), held.iter().map(|held| held.len()).sum::<usize>());
            let own = held.iter().filter(|held| held.own).count();
            prop_assert!(held.len() <= 8.max(own) && (store.bytes() <= 3_000 || own == held.len()));
            prop_assert!(store.shelves.values().all(|shelf| !shelf.records.is_empty()));
        }
    }
}
