//! The ban ladder: what closes a gate, for how long, and what survives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use core::time::Duration;

use proptest::prelude::*;
use repute_base::{BoundedString, Machine, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::{Misbehaviour, Severity};
use repute_trust::{
    Ban, BanReason, By, Config, Context, Event, Evidence, Fault, Gate, Input, Ledger, Limits, Mode,
    Output, Record, Rung, Write,
};

const START: u64 = 1_700_000_000_000;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const PEER: NodeId = NodeId::from_bytes([1; 32]);

struct World {
    ledger: Ledger,
    time: u64,
    outputs: Vec<Output>,
}

impl World {
    /// Strikes alone decide: neither the score nor the criteria of the blacklist do.
    fn new() -> Self {
        let mut config = Config::default();
        config.ladder.hard_below_min = false;
        config.blacklist.mode = Mode::Manual;
        Self::with(config)
    }

    fn with(config: Config) -> Self {
        let ledger = Ledger::new(config, Limits::default()).unwrap();
        Self {
            ledger,
            time: 0,
            outputs: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.time, START + self.time)
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        self.ledger.handle(now, input);
        self.outputs
            .extend(core::iter::from_fn(|| self.ledger.poll_output()));
    }

    fn see(&mut self, evidence: Evidence, fault: Fault) {
        self.handle(Input::Observe {
            subject: PEER,
            context: Context::Network,
            evidence,
            fault,
        });
    }

    fn bad(&mut self, kind: Misbehaviour) {
        self.see(Evidence::Invalid(kind), Fault::Theirs);
    }

    fn wait(&mut self, ms: u64) {
        self.time += ms;
        self.handle(Input::Tick);
    }

    fn gate(&self) -> Gate {
        self.ledger.standing(PEER, self.now().wall).gate
    }

    fn bans(&self) -> Vec<Ban> {
        let ban = |output: &Output| match output {
            Output::Event(Event::Banned(ban)) => Some(ban.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(ban).collect()
    }

    fn warnings(&self) -> usize {
        let warned = |output: &&Output| matches!(output, Output::Event(Event::Warned { .. }));
        self.outputs.iter().filter(warned).count()
    }

    /// The same ledger, started again from what it stored.
    fn restarted(&self) -> World {
        let mut world = World {
            time: 0,
            ..World::new()
        };
        let mut records: Vec<Record> = Vec::new();
        let mut bans: Vec<Ban> = Vec::new();
        for output in &self.outputs {
            let Output::Persist(write) = output else {
                continue;
            };
            match write {
                Write::Record(record) => {
                    records.push(Record::from_bytes(&record.to_bytes()).unwrap());
                }
                Write::Ban(ban) => {
                    bans.retain(|other| other.subject != ban.subject);
                    bans.push(Ban::from_bytes(&ban.to_bytes()).unwrap());
                }
                Write::Unban(subject) => bans.retain(|ban| ban.subject != *subject),
                other => panic!("not expected here: {other:?}"),
            }
        }
        records
            .iter()
            .for_each(|record| world.ledger.restore(record));
        bans.iter().for_each(|ban| world.ledger.restore_ban(ban));
        world.time = self.time;
        world
    }
}

#[test]
fn the_first_invalid_signature_warns_and_the_tenth_bans_for_a_day() {
    let mut world = World::new();
    world.bad(Misbehaviour::ForgedEnvelope);
    assert_eq!((world.warnings(), world.gate()), (1, Gate::Warned));
    for _ in 0..8 {
        world.bad(Misbehaviour::ForgedEnvelope);
    }
    assert!(world.bans().is_empty());
    world.bad(Misbehaviour::ForgedEnvelope);
    let ban = world.bans().pop().unwrap();
    assert_eq!((ban.rung, ban.by), (Rung::Banned24h, By::Rule));
    assert_eq!(ban.until, Some(Wall::from_millis(START + DAY)));
    assert_eq!(
        ban.reason,
        BanReason::Rule {
            kind: Misbehaviour::ForgedEnvelope,
            strikes: 10
        },
    );
    assert!(world.gate().is_closed());
    assert_eq!(world.warnings(), 1);
}

#[test]
fn a_hard_fault_that_leaves_a_stranger_below_the_minimum_bans_at_once() {
    let mut world = World::with(Config::default());
    (0..2).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    assert!(world.bans().is_empty());
    world.bad(Misbehaviour::ForgedEnvelope);
    let ban = world.bans().pop().unwrap();
    assert_eq!((ban.rung, ban.by), (Rung::Banned24h, By::Rule));
    let trust = world.ledger.standing(PEER, ban.since).trust;
    assert!(trust < Config::default().trust_min, "{trust}");
}

#[test]
fn a_ban_is_stored_before_it_is_told() {
    let mut world = World::new();
    (0..10).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    let place = |wanted: fn(&Output) -> bool| world.outputs.iter().rposition(wanted).unwrap();
    let record = place(|output| matches!(output, Output::Persist(Write::Record(_))));
    let ban = place(|output| matches!(output, Output::Persist(Write::Ban(_))));
    let standing = place(|output| matches!(output, Output::Standing { .. }));
    let event = place(|output| matches!(output, Output::Event(Event::Banned(_))));
    assert!(record < ban && ban < standing && standing < event);
}

#[test]
fn a_handful_of_malformed_or_oversized_frames_bans() {
    for kind in [Misbehaviour::MalformedFrame, Misbehaviour::OversizedFrame] {
        let mut world = World::new();
        (0..3).for_each(|_| world.bad(kind));
        assert!(world.bans().is_empty());
        world.bad(kind);
        assert_eq!(world.bans().pop().unwrap().rung, Rung::Banned24h);
    }
}

#[test]
fn one_wrong_group_of_a_blob_bans_whoever_it_is() {
    let mut world = World::new();
    (0..100).for_each(|_| world.see(Evidence::Useful, Fault::Theirs));
    assert!(world.bans().is_empty());
    world.bad(Misbehaviour::CorruptBlob);
    assert_eq!(world.bans().pop().unwrap().rung, Rung::Banned24h);
    assert!(world.gate().is_closed());
}

#[test]
fn a_ban_lapses_and_a_repeat_offender_gets_thirty_days() {
    let mut world = World::new();
    (0..10).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    world.wait(DAY - 1);
    assert!(world.gate().is_closed());
    world.wait(1);
    assert_eq!(world.gate(), Gate::Open);
    assert!(
        world
            .outputs
            .contains(&Output::Event(Event::Unbanned { subject: PEER }))
    );
    assert!(world.outputs.contains(&Output::Persist(Write::Unban(PEER))));
    (0..10).for_each(|_| world.bad(Misbehaviour::ForeignRecord));
    let ban = world.bans().pop().unwrap();
    assert_eq!(ban.rung, Rung::Banned30d);
    assert_eq!(
        ban.until,
        Some(world.now().wall + Duration::from_millis(30 * DAY))
    );
    // Even then it is not for good, and not forgotten when it ends.
    world.wait(30 * DAY);
    (0..60).for_each(|_| world.wait(HOUR));
    assert!(!world.gate().is_closed());
    (0..10).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    assert_eq!(world.bans().pop().unwrap().rung, Rung::Banned30d);
}

#[test]
fn old_strikes_are_forgotten_after_a_quiet_day() {
    let mut world = World::new();
    (0..9).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    world.wait(DAY + 1);
    assert_eq!(world.gate(), Gate::Open);
    world.bad(Misbehaviour::ForgedEnvelope);
    assert_eq!((world.bans().len(), world.warnings()), (0, 2));
}

#[test]
fn soft_faults_climb_only_when_repeated_and_a_burst_is_one() {
    let mut world = World::new();
    for _ in 0..1_000 {
        world.bad(Misbehaviour::BudgetExceeded);
    }
    assert_eq!((world.gate(), world.warnings()), (Gate::Open, 0));
    for _ in 0..2 {
        world.wait(1_000);
        world.bad(Misbehaviour::BudgetExceeded);
    }
    assert_eq!((world.gate(), world.warnings()), (Gate::Warned, 1));
    for _ in 0..7 {
        world.wait(1_000);
        world.bad(Misbehaviour::BudgetExceeded);
    }
    let until = world.now().wall + Duration::from_millis(HOUR);
    assert_eq!(world.gate(), Gate::Grey { until });
    // The same again after that: a day.
    world.wait(HOUR);
    assert_eq!(world.gate(), Gate::Open);
    for _ in 0..10 {
        world.wait(1_000);
        world.bad(Misbehaviour::ConnectionFlood);
    }
    let rungs: Vec<Rung> = world.bans().iter().map(|ban| ban.rung).collect();
    assert_eq!(rungs, [Rung::Grey, Rung::Banned24h]);
}

/// The pace at which a directory looks at one author's advertisements: a burst, then one in six
/// seconds.
#[test]
fn an_author_that_advertises_too_often_is_grey_for_an_hour() {
    let mut world = World::with(Config::default());
    (0..16).for_each(|_| world.bad(Misbehaviour::AdvertisementFlood));
    assert_eq!(world.gate(), Gate::Open, "a burst is one fault");
    let mut minute = 0;
    while !world.gate().is_closed() {
        world.wait(6_000);
        world.bad(Misbehaviour::AdvertisementFlood);
        minute += 6_000;
    }
    assert_eq!(minute, 54_000, "within a minute");
    let ban = world.bans().pop().unwrap();
    assert_eq!((ban.rung, ban.by), (Rung::Grey, By::Rule));
    let until = world.now().wall + Duration::from_millis(HOUR);
    assert_eq!(world.gate(), Gate::Grey { until });
    world.wait(HOUR);
    assert!(!world.gate().is_closed());
}

#[test]
fn a_wrong_clock_never_climbs_beyond_grey() {
    let mut world = World::new();
    for _ in 0..5 {
        for _ in 0..10 {
            world.wait(1_000);
            world.bad(Misbehaviour::FromTheFuture);
        }
        world.wait(HOUR);
    }
    assert_eq!(world.bans().len(), 5);
    assert!(world.bans().iter().all(|ban| ban.rung == Rung::Grey));
}

#[test]
fn timeouts_never_close_a_gate() {
    let mut world = World::new();
    for _ in 0..2_000 {
        (0..20).for_each(|_| world.see(Evidence::Timeout, Fault::Theirs));
        world.wait(HOUR);
    }
    assert_eq!(
        (world.gate(), world.bans().len(), world.warnings()),
        (Gate::Open, 0, 0)
    );
}

#[test]
fn a_lone_timeout_keeps_a_stranger_above_the_minimum() {
    for config in [Config::default(), Config::high_security()] {
        let mut ledger = Ledger::new(config, Limits::default()).unwrap();
        let now = Timestamp::from_millis(0, START);
        let (context, evidence, fault) = (Context::Network, Evidence::Timeout, Fault::Theirs);
        ledger.handle(
            now,
            Input::Observe {
                subject: PEER,
                context,
                evidence,
                fault,
            },
        );
        assert!(ledger.standing(PEER, now.wall).trust >= ledger.config().trust_min);
    }
}

#[test]
fn evidence_behind_a_closed_gate_is_left_over_and_ignored() {
    let mut world = World::new();
    (0..2_500).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    world.see(Evidence::Useful, Fault::Theirs);
    let record = |output: &&Output| matches!(output, Output::Persist(Write::Record(_)));
    assert_eq!(world.outputs.iter().filter(record).count(), 10);
    assert_eq!(world.bans().len(), 1);
}

#[test]
fn only_the_operator_bans_for_good() {
    let mut world = World::new();
    let reason = BoundedString::new("a known scraper").unwrap();
    world.handle(Input::Ban {
        subject: PEER,
        duration: None,
        reason: reason.clone(),
    });
    let ban = world.bans().pop().unwrap();
    assert_eq!(
        (ban.rung, ban.until, ban.by),
        (Rung::Permanent, None, By::Operator)
    );
    assert_eq!(ban.reason, BanReason::Operator(reason));
    (0..100).for_each(|_| world.wait(30 * DAY));
    assert_eq!(world.gate(), Gate::Banned { until: None });
    world.handle(Input::Unban { subject: PEER });
    assert_eq!(world.gate(), Gate::Open);
}

#[test]
fn an_operators_ban_leaves_the_score_alone() {
    let mut world = World::new();
    (0..5).for_each(|_| world.see(Evidence::Useful, Fault::Theirs));
    let before = world.ledger.standing(PEER, world.now().wall);
    let duration = Some(Duration::MAX);
    world.handle(Input::Ban {
        subject: PEER,
        duration,
        reason: BoundedString::default(),
    });
    let after = world.ledger.standing(PEER, world.now().wall);
    assert_eq!((before.trust, before.level), (after.trust, after.level));
    assert_eq!(
        after.gate,
        Gate::Banned {
            until: Some(Wall::MAX)
        }
    );
}

#[test]
fn an_unban_starts_the_ladder_anew_also_after_a_restart() {
    let mut world = World::new();
    (0..10).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    let score = world.ledger.standing(PEER, world.now().wall).trust;
    world.handle(Input::Unban { subject: PEER });
    let mut world = world.restarted();
    assert_eq!(world.gate(), Gate::Open);
    assert_eq!(
        world.ledger.standing(PEER, world.now().wall).trust,
        score,
        "the score stays"
    );
    (0..10).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    assert_eq!(world.bans().pop().unwrap().rung, Rung::Banned24h);
}

#[test]
fn bans_and_strikes_survive_a_restart() {
    let mut world = World::new();
    (0..9).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    let mut world = {
        let again = world.restarted();
        world.outputs.clear();
        again
    };
    assert_eq!(world.gate(), Gate::Warned);
    world.bad(Misbehaviour::ForgedEnvelope);
    let ban = world.bans().pop().unwrap();
    assert_eq!(ban.rung, Rung::Banned24h);

    let mut whole = World::new();
    (0..10).for_each(|_| whole.bad(Misbehaviour::ForgedEnvelope));
    let again = whole.restarted();
    assert!(again.gate().is_closed(), "before any input");
    assert_eq!(
        again.ledger.bans(again.now().wall).collect::<Vec<_>>(),
        [&ban]
    );
}

#[test]
fn a_ban_that_was_not_yet_stored_is_found_again_among_the_records() {
    let mut world = World::new();
    (0..10).for_each(|_| world.bad(Misbehaviour::ForgedEnvelope));
    let ban = world.bans().pop().unwrap();
    world
        .outputs
        .retain(|output| !matches!(output, Output::Persist(Write::Ban(_))));
    let mut again = world.restarted();
    assert_eq!(
        again.ledger.bans(again.now().wall).collect::<Vec<_>>(),
        [&ban]
    );
    // Over since: nothing is told twice.
    again.time = DAY;
    again.handle(Input::Tick);
    assert_eq!(again.gate(), Gate::Open);
    assert!(again.outputs.is_empty());
}

#[test]
fn faults_of_ours_or_the_network_move_nothing() {
    let mut world = World::new();
    (0..5).for_each(|_| world.see(Evidence::Useful, Fault::Theirs));
    let before = world.ledger.standing(PEER, world.now().wall);
    let kinds = Misbehaviour::ALL.into_iter().map(Evidence::Invalid);
    for evidence in kinds.chain([Evidence::Timeout, Evidence::Useful]) {
        for fault in [Fault::Ours, Fault::Network] {
            (0..30).for_each(|_| world.see(evidence, fault));
        }
    }
    assert_eq!(world.ledger.standing(PEER, world.now().wall), before);
    let recent = world.ledger.recent(PEER);
    assert!(
        recent.iter().any(|record| record.fault == Fault::Ours),
        "recorded all the same"
    );
}

proptest! {
    #[test]
    fn only_proven_faults_of_the_peer_ever_close_a_gate(
        events in prop::collection::vec((0usize..14, 0u8..3, 0u64..7_200_000), 1..200),
    ) {
        let mut world = World::new();
        for (kind, fault, wait) in events {
            world.wait(wait);
            let fault = [Fault::Theirs, Fault::Ours, Fault::Network][usize::from(fault)];
            let evidence = match Misbehaviour::ALL.get(kind) {
                Some(kind) if fault != Fault::Theirs => Evidence::Invalid(*kind),
                Some(_) | None if kind % 2 == 0 => Evidence::Timeout,
                _ => Evidence::Useful,
            };
            world.see(evidence, fault);
        }
        prop_assert!(!world.gate().is_closed());
        prop_assert_eq!(world.warnings(), 0);
    }

    #[test]
    fn rules_never_ban_for_good(
        events in prop::collection::vec((0usize..11, 0u64..3_000), 1..300),
    ) {
        let mut world = World::new();
        for (kind, wait) in events {
            world.wait(wait);
            world.bad(Misbehaviour::ALL[kind]);
        }
        for ban in world.bans() {
            prop_assert!(ban.until.is_some() && ban.rung < Rung::Permanent);
            let BanReason::Rule { kind, strikes } = ban.reason else {
                return Err(TestCaseError::fail("an operator's reason"));
            };
            let needed = if kind.severity() == Severity::Hard { 10 } else { 9 };
            prop_assert!(strikes >= needed);
        }
    }
}
