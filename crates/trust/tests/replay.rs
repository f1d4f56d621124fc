//! The same evidence under other parameters, and a recomputation that finds what was changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use repute_base::{BoundedString, Fixed, Machine, Rng, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    Ban, BanReason, Config, Context, Evidence, Evidenced, Fault, Input, Ledger, Level, Limits,
    Output, Record, Replay, Write,
};

const START: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

#[derive(Default)]
struct Store {
    records: Vec<Record>,
    bans: Vec<Ban>,
}

impl Store {
    fn apply(&mut self, write: Write) {
        match write {
            Write::Record(record) => self.records.push(record),
            Write::Checkpoint {
                subject,
                up_to,
                record,
            } => {
                let place = self.records.iter().position(|known| known.number == up_to);
                if let Some(place) = place {
                    self.records[place] = record;
                }
                self.records
                    .retain(|known| known.subject != subject || known.number >= up_to);
            }
            Write::Ban(ban) => {
                self.bans.retain(|known| known.subject != ban.subject);
                self.bans.push(ban);
            }
            Write::Unban(subject) => self.bans.retain(|known| known.subject != subject),
            Write::Forget(subject) => self.records.retain(|known| known.subject != subject),
            _ => {}
        }
    }

    fn evidence(&self) -> Evidenced<'_> {
        Evidenced {
            records: &self.records,
            hearsay: &[],
            bans: &self.bans,
        }
    }
}

fn peer(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn observe(subject: NodeId, evidence: Evidence, fault: Fault) -> Input {
    Input::Observe {
        subject,
        context: Context::Network,
        evidence,
        fault,
    }
}

fn give(ledger: &mut Ledger, store: &mut Store, ms: u64, input: Input) {
    ledger.handle(Timestamp::from_millis(ms, START + ms), input);
    while let Some(output) = ledger.poll_output() {
        if let Output::Persist(write) = output {
            store.apply(write);
        }
    }
}

/// Peer 1 serves well with an odd timeout, 2 forges twice, 3 forges until it is banned, 4 is
/// banned by hand.
fn story() -> (Ledger, Store, Wall) {
    let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
    let mut store = Store::default();
    let forged = Evidence::Invalid(Misbehaviour::ForgedEnvelope);
    for hour in 0..72 {
        for _ in 0..20 {
            let input = observe(peer(1), Evidence::Useful, Fault::Theirs);
            give(&mut ledger, &mut store, hour * HOUR, input);
        }
    }
    for (n, faults) in [(2, 2), (3, 3)] {
        for fault in 0..faults {
            let input = observe(peer(n), forged, Fault::Theirs);
            give(&mut ledger, &mut store, 72 * HOUR + fault * 5_000, input);
        }
    }
    let input = observe(peer(1), Evidence::Timeout, Fault::Theirs);
    give(&mut ledger, &mut store, 72 * HOUR + 20_000, input);
    let by_hand = Input::Ban {
        subject: peer(4),
        duration: None,
        reason: BoundedString::truncated("known to us"),
    };
    give(&mut ledger, &mut store, 72 * HOUR + 30_000, by_hand);
    (ledger, store, Wall::from_millis(START + 73 * HOUR))
}

#[test]
fn the_same_parameters_change_nothing_and_agree_with_the_ledger() {
    let (ledger, store, at) = story();
    let config = Config::default();
    let replay = Replay::new(store.evidence(), (&config, &config), Limits::default(), at).unwrap();
    assert!(replay.changed.is_empty() && replay.banned.is_empty() && replay.freed.is_empty());
    assert_eq!(replay.subjects, 4);
    assert_eq!(ledger.bans(at).count(), 2, "the story is told");
}

#[test]
fn a_replay_says_whose_score_moves_who_would_be_banned_and_who_freed() {
    let (_, store, at) = story();
    let before = Config::default();
    let replay = |after: &Config| {
        Replay::new(store.evidence(), (&before, after), Limits::default(), at).unwrap()
    };
    let mut strict = before.clone();
    strict.hard_weight = Fixed::from_int(400);
    let found = replay(&strict);
    assert_eq!(found.banned.len(), 1, "{found:?}");
    assert_eq!(found.banned[0].subject, peer(2));
    assert!(matches!(found.banned[0].reason, BanReason::Rule { .. }));
    assert!(found.freed.is_empty());
    assert!(
        found
            .changed
            .iter()
            .all(|change| change.after.trust <= change.before.trust)
    );
    assert!(found.changed.iter().all(|change| change.subject != peer(1)));

    let mut mild = before.clone();
    mild.hard_weight = Fixed::from_int(60);
    let found = replay(&mild);
    assert!(found.banned.is_empty());
    let freed: Vec<NodeId> = found.freed.iter().map(|ban| ban.subject).collect();
    assert_eq!(freed, [peer(3)], "the operator's ban stays");
    let first = found.changed[0];
    assert!(first.after.trust > first.before.trust);

    let mut proud = before.clone();
    proud.bands.trusted = Fixed::ratio(9, 10);
    let found = replay(&proud);
    let levels: Vec<(NodeId, Level, Level)> = found
        .changed
        .iter()
        .map(|change| (change.subject, change.before.level, change.after.level))
        .collect();
    assert_eq!(levels, [(peer(1), Level::Trusted, Level::High)]);

    let mut unsound = before.clone();
    unsound.hard_weight = -unsound.hard_weight;
    assert!(Replay::new(store.evidence(), (&before, &unsound), Limits::default(), at).is_err());
}

/// How many histories: `REPUTE_HISTORIES=100000` for the bar, fewer in every day's run.
fn histories() -> u64 {
    let asked = std::env::var("REPUTE_HISTORIES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

#[test]
fn a_score_recomputed_from_any_history_is_the_cached_one_and_a_changed_event_is_found() {
    let limits = Limits {
        records: 32,
        ..Limits::default()
    };
    let (mut mutated, mut found) = (0u64, 0u64);
    for seed in 0..histories() {
        let mut rng = Rng::from_u64(seed);
        let mut ledger = Ledger::new(Config::default(), limits).unwrap();
        let mut store = Store::default();
        let mut ms = 0;
        for _ in 0..rng.range(1..61) {
            ms += rng.below(2 * HOUR);
            let fault = [
                Fault::Theirs,
                Fault::Theirs,
                Fault::Theirs,
                Fault::Ours,
                Fault::Network,
            ];
            let fault = *rng.choose(&fault).unwrap();
            let evidence = match rng.below(20) {
                0..=13 => Evidence::Useful,
                14..=16 => Evidence::Timeout,
                17 => Evidence::Pardon,
                _ => Evidence::Invalid(*rng.choose(&Misbehaviour::ALL).unwrap()),
            };
            give(
                &mut ledger,
                &mut store,
                ms,
                observe(peer(1), evidence, fault),
            );
        }
        let at = Wall::from_millis(START + ms);
        let why = ledger.explain(peer(1), &store.records, at);
        assert!(why.matches, "seed {seed}: {why:?}");
        assert_eq!(why.standing, ledger.standing(peer(1), at), "seed {seed}");

        // One event of the peer's own that weighs something becomes another.
        let weighty: Vec<usize> = (0..store.records.len())
            .filter(|place| {
                let record = &store.records[*place];
                record.fault == Fault::Theirs
                    && matches!(record.evidence, Evidence::Useful | Evidence::Timeout)
            })
            .collect();
        let Some(place) = rng.choose(&weighty).copied() else {
            continue;
        };
        let record = &mut store.records[place];
        record.evidence = match record.evidence {
            Evidence::Useful => Evidence::Invalid(Misbehaviour::ForgedEnvelope),
            _ => Evidence::Useful,
        };
        mutated += 1;
        let why = ledger.explain(peer(1), &store.records, at);
        found += u64::from(!why.matches);
        assert!(!why.matches, "seed {seed}: a changed event went unnoticed");
        assert!(why.mismatch.is_some(), "seed {seed}: it says what differs");
    }
    assert!(mutated > 0 && mutated == found);
}
