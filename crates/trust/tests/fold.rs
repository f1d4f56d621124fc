//! A score is a fold over its records and nothing else: through restarts, compaction, eviction
//! and clocks that jump.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::{collections::BTreeMap, mem::size_of, time::Duration};

use proptest::prelude::*;
use repute_base::{BoundedString, Fixed, Machine, Rng, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    Ban, Config, Context, Evidence, Fault, Input, Ledger, Limits, Output, Record, Standing, Write,
};

const START: u64 = 1_700_000_000_000;
const HOUR: u64 = 3_600_000;
const YEAR: u64 = 8_766 * HOUR;

fn peer(number: u64) -> NodeId {
    let mut bytes = [0; 32];
    Rng::from_u64(number).fill(&mut bytes);
    NodeId::from_bytes(bytes)
}

fn observe(subject: NodeId, evidence: Evidence, fault: Fault) -> Input {
    Input::Observe {
        subject,
        context: Context::Network,
        evidence,
        fault,
    }
}

/// As many cases as asked for by `PROPTEST_CASES`, and no fewer than `cases`.
fn at_least(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(cases),
        ..config
    }
}

/// What a store does with the writes.
#[derive(Default)]
struct Store {
    records: BTreeMap<NodeId, BTreeMap<u64, Vec<u8>>>,
    bans: BTreeMap<NodeId, Vec<u8>>,
    checkpoints: usize,
}

impl Store {
    fn drain(&mut self, ledger: &mut Ledger) {
        while let Some(output) = ledger.poll_output() {
            let Output::Persist(write) = output else {
                continue;
            };
            match write {
                Write::Record(record) => self.put(&record),
                Write::Ban(ban) => drop(self.bans.insert(ban.subject, ban.to_bytes())),
                Write::Unban(subject) => drop(self.bans.remove(&subject)),
                Write::Checkpoint {
                    subject,
                    up_to,
                    record,
                } => {
                    self.checkpoints += 1;
                    let records = self.records.entry(subject).or_default();
                    *records = records.split_off(&(up_to + 1));
                    self.put(&record);
                }
                Write::Forget(subject) => drop(self.records.remove(&subject)),
                _ => panic!("a write this store does not know"),
            }
        }
    }

    fn put(&mut self, record: &Record) {
        let records = self.records.entry(record.subject).or_default();
        records.insert(record.number, record.to_bytes());
    }

    fn of(&self, subject: NodeId) -> Vec<Record> {
        let bytes = self
            .records
            .get(&subject)
            .into_iter()
            .flat_map(BTreeMap::values);
        bytes
            .map(|bytes| Record::from_bytes(bytes).unwrap())
            .collect()
    }

    fn reopen(&self, config: Config, limits: Limits) -> Ledger {
        let mut ledger = Ledger::new(config, limits).unwrap();
        let mut all: Vec<Record> = self.records.keys().flat_map(|id| self.of(*id)).collect();
        all.sort_by_key(|record| record.number);
        all.iter().for_each(|record| ledger.restore(record));
        for bytes in self.bans.values() {
            ledger.restore_ban(&Ban::from_bytes(bytes).unwrap());
        }
        ledger
    }
}

fn evidence(code: u8) -> Evidence {
    match code {
        0..=11 => Evidence::Useful,
        12 | 13 => Evidence::Timeout,
        code => {
            let kinds = Misbehaviour::ALL;
            Evidence::Invalid(kinds[usize::from(code) % kinds.len()])
        }
    }
}

fn fault(code: u8) -> Fault {
    [
        Fault::Theirs,
        Fault::Theirs,
        Fault::Theirs,
        Fault::Ours,
        Fault::Network,
    ][usize::from(code % 5)]
}

proptest! {
    #![proptest_config(at_least(256))]

    #[test]
    fn a_score_is_recomputed_from_its_records_to_the_last_bit(
        events in prop::collection::vec((0u64..4, 0u8..25, 0u8..5, 0u64..3 * HOUR), 1..400),
        records_max in 8u32..64,
        restart_after in 0usize..400,
    ) {
        let limits = Limits { records: records_max, ..Limits::default() };
        let config = Config::default();
        let mut ledger = Ledger::new(config.clone(), limits).unwrap();
        let mut store = Store::default();
        let mut time = 0;
        for (place, (subject, code, whose, wait)) in events.into_iter().enumerate() {
            if place == restart_after {
                ledger = store.reopen(config.clone(), limits);
                store.drain(&mut ledger);
            }
            time += wait;
            let now = Timestamp::from_millis(time, START + time);
            let input = match code {
                24 => Input::Unban { subject: peer(subject) },
                _ => observe(peer(subject), evidence(code), fault(whose)),
            };
            ledger.handle(now, input);
            store.drain(&mut ledger);
        }
        let wall = Wall::from_millis(START + time);
        let again = store.reopen(config, limits);
        for subject in (0..4).map(peer) {
            let records = store.of(subject);
            prop_assert!(records.len() <= records_max as usize);
            let explanation = ledger.explain(subject, &records, wall);
            prop_assert!(explanation.matches, "{explanation:?}");
            prop_assert_eq!(explanation.standing, ledger.standing(subject, wall));
            prop_assert_eq!(again.standing(subject, wall), ledger.standing(subject, wall));
            prop_assert!(again.explain(subject, &records, wall).matches);
        }
    }

    #[test]
    fn stored_records_come_back_as_they_were(
        number in any::<u64>(), id in any::<u64>(), code in 0u8..25, whose in 0u8..5, wall in any::<u64>(),
    ) {
        let record = Record {
            number,
            subject: peer(id),
            context: Context::Network,
            evidence: evidence(code),
            fault: fault(whose),
            wall: Wall::from_millis(wall),
        };
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn stored_bytes_are_refused_or_canonical(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(record) = Record::from_bytes(&bytes) {
            prop_assert_eq!(record.to_bytes(), bytes.clone());
        }
        if let Ok(ban) = Ban::from_bytes(&bytes) {
            prop_assert_eq!(ban.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_refused_or_folded_without_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..8),
    ) {
        let mut bytes = checkpoint().to_bytes();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        let Ok(record) = Record::from_bytes(&bytes) else { return Ok(()) };
        let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
        ledger.restore(&record);
        for wall in [0, START, u64::MAX] {
            let standing = ledger.standing(record.subject, Wall::from_millis(wall));
            prop_assert!(standing.trust >= Fixed::ZERO && standing.trust <= Fixed::ONE);
        }
        let input = observe(record.subject, evidence(20), Fault::Theirs);
        ledger.handle(Timestamp::from_millis(u64::MAX, u64::MAX), input);
    }
}

fn checkpoint() -> Record {
    let mut ledger = Ledger::new(
        Config::default(),
        Limits {
            records: 8,
            ..Limits::default()
        },
    )
    .unwrap();
    for hour in 0.. {
        ledger.handle(
            Timestamp::from_millis(hour * HOUR, START + hour * HOUR),
            observe(peer(0), Evidence::Useful, Fault::Theirs),
        );
        while let Some(output) = ledger.poll_output() {
            if let Output::Persist(Write::Checkpoint { record, .. }) = output {
                return record;
            }
        }
    }
    unreachable!()
}

proptest! {
    #![proptest_config(at_least(1_000))]

    #[test]
    fn r06_clock_jumps_neither_panic_nor_expire_nor_rewind(
        steps in prop::collection::vec(
            (prop_oneof![Just(0u64), 0..10_000u64, 0..2 * HOUR], jump(), 0u8..25, 0u64..3), 1..60,
        ),
    ) {
        let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
        let banned = peer(99);
        let veteran = peer(98);
        let (mut mono, mut wall) = (0u64, START + 20 * YEAR);
        ledger.handle(Timestamp::from_millis(mono, wall), Input::Ban {
            subject: banned,
            duration: Some(Duration::from_millis(24 * HOUR)),
            reason: BoundedString::default(),
        });
        while ledger.poll_output().is_some() {}
        for _ in 0..20 {
            let useful = observe(veteran, Evidence::Useful, Fault::Theirs);
            ledger.handle(Timestamp::from_millis(mono, wall), useful);
            while ledger.poll_output().is_some() {}
        }
        let first = ledger.time(Wall::ZERO).as_millis();
        let mut last = first;
        for (elapsed, jump, code, subject) in steps {
            mono += elapsed;
            wall = match jump {
                Jump::None => wall + elapsed,
                Jump::Frozen => wall,
                Jump::By(ms) => wall.saturating_add(elapsed).saturating_add_signed(ms),
            };
            let now = Timestamp::from_millis(mono, wall);
            ledger.handle(now, observe(peer(subject), evidence(code), Fault::Theirs));
            while ledger.poll_output().is_some() {}
            let time = ledger.time(Wall::ZERO).as_millis();
            prop_assert!(time >= last, "ledger time went back");
            prop_assert!(time - first <= 2 * mono, "ledger time ran faster than twice real time");
            prop_assert!(time - first + 1 >= mono / 2, "ledger time ran slower than half real time");
            last = time;
            if mono < 12 * HOUR - HOUR {
                prop_assert!(ledger.standing(banned, now.wall).gate.is_closed(), "expired early");
            }
            // No mass fading: at most what twice the time, and the reader's interval, take.
            let intervals = 2 * mono / HOUR + 2;
            let left = (0..intervals).fold(20.0, |left, _| left * 0.99);
            let belief = ledger.standing(veteran, now.wall).belief.to_f64();
            prop_assert!(belief >= left / (499.0 + left) - 1e-4);
        }
    }

    #[test]
    fn r06_time_that_is_not_monotonic_never_panics(
        steps in prop::collection::vec((any::<u64>(), any::<u64>(), 0u8..25, 0u64..3), 1..40),
    ) {
        let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
        for (mono, wall, code, subject) in steps {
            let now = Timestamp::from_millis(mono, wall);
            ledger.handle(now, observe(peer(subject), evidence(code), Fault::Theirs));
            while ledger.poll_output().is_some() {}
            let Standing { trust, .. } = ledger.standing(peer(subject), Wall::from_millis(mono));
            prop_assert!(trust >= Fixed::ZERO && trust <= Fixed::ONE);
            let _ = ledger.next_deadline();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Jump {
    None,
    Frozen,
    By(i64),
}

fn jump() -> impl Strategy<Value = Jump> {
    let years = 10 * YEAR as i64;
    prop_oneof![
        4 => Just(Jump::None),
        1 => Just(Jump::Frozen),
        1 => Just(Jump::By(-(HOUR as i64))),
        1 => Just(Jump::By(600_000)),
        2 => (-years..years).prop_map(Jump::By),
    ]
}

#[test]
fn a_flood_of_new_identities_evicts_itself() {
    let limits = Limits {
        subjects: 200,
        ..Limits::default()
    };
    let mut ledger = Ledger::new(Config::default(), limits).unwrap();
    let mut store = Store::default();
    for hour in 0..3u64 {
        for known in 0..200 {
            let now = Timestamp::from_millis(hour * HOUR, START + hour * HOUR);
            ledger.handle(now, observe(peer(known), Evidence::Useful, Fault::Theirs));
            store.drain(&mut ledger);
        }
    }
    for stranger in 1_000..6_000u64 {
        let time = 2 * HOUR + stranger;
        let evidence = match stranger % 3 {
            0 => Evidence::Useful,
            1 => Evidence::Timeout,
            _ => Evidence::Invalid(Misbehaviour::ForgedEnvelope),
        };
        let now = Timestamp::from_millis(time, START + time);
        ledger.handle(now, observe(peer(stranger), evidence, Fault::Theirs));
        store.drain(&mut ledger);
        assert!(ledger.subjects().count() <= 200);
    }
    let kept = (0..200)
        .filter(|known| ledger.subjects().any(|id| id == peer(*known)))
        .count();
    assert!(kept >= 199, "{kept} of 200 known peers are left");
    // What memory forgot, the store forgot.
    assert_eq!(store.records.len(), ledger.subjects().count());
}

#[test]
fn a_banned_subject_is_the_last_to_be_evicted() {
    let limits = Limits {
        subjects: 20,
        ..Limits::default()
    };
    let mut ledger = Ledger::new(Config::default(), limits).unwrap();
    let now = Timestamp::from_millis(0, START);
    for _ in 0..10 {
        let bad = Evidence::Invalid(Misbehaviour::ForgedEnvelope);
        ledger.handle(now, observe(peer(0), bad, Fault::Theirs));
        while ledger.poll_output().is_some() {}
    }
    for stranger in 1..2_000 {
        ledger.handle(
            now,
            observe(peer(stranger), Evidence::Useful, Fault::Theirs),
        );
        while ledger.poll_output().is_some() {}
    }
    assert!(ledger.subjects().any(|id| id == peer(0)));
    assert!(ledger.standing(peer(0), now.wall).gate.is_closed());
}

#[test]
fn bans_are_bounded_and_no_rule_displaces_the_operator() {
    let limits = Limits {
        bans: 10,
        ..Limits::default()
    };
    let mut ledger = Ledger::new(Config::default(), limits).unwrap();
    let now = Timestamp::from_millis(0, START);
    for subject in (0..5).map(peer) {
        let reason = BoundedString::new("mine").unwrap();
        ledger.handle(
            now,
            Input::Ban {
                subject,
                duration: None,
                reason,
            },
        );
        while ledger.poll_output().is_some() {}
    }
    for subject in (100..300).map(peer) {
        for _ in 0..10 {
            let bad = Evidence::Invalid(Misbehaviour::ForgedEnvelope);
            ledger.handle(now, observe(subject, bad, Fault::Theirs));
            while ledger.poll_output().is_some() {}
        }
        assert!(ledger.bans(now.wall).count() <= 10);
    }
    assert!((0..5).all(|id| ledger.standing(peer(id), now.wall).gate.is_closed()));
    for subject in (500..600).map(peer) {
        let reason = BoundedString::new("mine").unwrap();
        ledger.handle(
            now,
            Input::Ban {
                subject,
                duration: None,
                reason,
            },
        );
        while ledger.poll_output().is_some() {}
        assert_eq!(ledger.bans(now.wall).count(), 10);
    }
}

#[test]
fn records_of_a_busy_peer_are_compacted() {
    let limits = Limits {
        records: 32,
        ..Limits::default()
    };
    let mut ledger = Ledger::new(Config::default(), limits).unwrap();
    let mut store = Store::default();
    let mut last = Timestamp::default();
    for step in 0..2_000u64 {
        last = Timestamp::from_millis(step * 300_000, START + step * 300_000);
        ledger.handle(last, observe(peer(0), Evidence::Useful, Fault::Theirs));
        store.drain(&mut ledger);
        let stored = store.of(peer(0)).len();
        assert!(stored <= 32 && (step < 16 || stored >= 16), "{stored}");
    }
    assert!(store.checkpoints > 50);
    let explanation = ledger.explain(peer(0), &store.of(peer(0)), last.wall);
    assert!(explanation.matches);
    // The lines add up to the evidence, but for rounding.
    let sum = explanation
        .lines
        .iter()
        .fold(Fixed::ZERO, |sum, line| sum + line.weight_today);
    assert!(
        (sum - explanation.useful).abs() < Fixed::ratio(1, 100),
        "{sum} {explanation:?}"
    );
}

#[test]
fn an_explanation_says_when_records_are_missing() {
    let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
    let mut store = Store::default();
    let now = Timestamp::from_millis(0, START);
    for _ in 0..5 {
        ledger.handle(now, observe(peer(0), Evidence::Useful, Fault::Theirs));
        store.drain(&mut ledger);
    }
    let records = store.of(peer(0));
    assert!(ledger.explain(peer(0), &records, now.wall).matches);
    assert!(!ledger.explain(peer(0), &records[1..], now.wall).matches);
    assert!(
        ledger.explain(peer(1), &[], now.wall).matches,
        "nothing comes to nothing"
    );
}

#[test]
fn a_flood_of_useful_messages_writes_twenty_records_an_interval() {
    let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
    let mut store = Store::default();
    for ms in 0..10_000 {
        let now = Timestamp::from_millis(ms, START / HOUR * HOUR + ms);
        ledger.handle(now, observe(peer(0), Evidence::Useful, Fault::Theirs));
        store.drain(&mut ledger);
    }
    assert_eq!(store.of(peer(0)).len(), 20);
    assert_eq!(ledger.recent(peer(0)).len(), Limits::default().recent);
}

#[test]
fn reading_changes_nothing() {
    let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
    let now = Timestamp::from_millis(0, START);
    ledger.handle(now, observe(peer(0), Evidence::Useful, Fault::Theirs));
    while ledger.poll_output().is_some() {}
    let before = format!("{ledger:?}");
    let _ = ledger.standing(peer(0), Wall::MAX);
    let _ = ledger.explain(peer(0), &ledger.recent(peer(0)), Wall::MAX);
    let _ = ledger.bans(Wall::MAX).count();
    assert_eq!(format!("{ledger:?}"), before);
}

#[test]
fn a_record_is_small() {
    assert!(size_of::<Record>() <= 192);
    let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
    ledger.handle(
        Timestamp::from_millis(0, START),
        observe(peer(0), Evidence::Useful, Fault::Theirs),
    );
    let Some(Output::Persist(Write::Record(record))) = ledger.poll_output() else {
        panic!()
    };
    assert!(record.to_bytes().len() <= 64);
    assert!(checkpoint().to_bytes().len() <= 160);
}
