//! What every model promises, whatever was observed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use proptest::prelude::*;
use repute_base::{Fixed, Rng, Wall};
use repute_identity::NodeId;
use repute_trust::{
    Candidate, Choice, Dossier, Gate, IdentityClass, Level, Mean, Metrics, Models, Obstacle,
    Reason, RelayMetrics, ScoringModel, Signing, Stakes, Standing, Steadiness, Tally, Uptime,
    best_peers, composite_score, select,
};

fn standing(trust: Fixed, belief: Fixed, level: Level) -> Standing {
    Standing {
        trust,
        belief,
        uncertainty: Fixed::ONE - belief,
        level,
        gate: Gate::Open,
    }
}

fn stranger() -> Standing {
    standing(Fixed::HALF, Fixed::ZERO, Level::Unknown)
}

fn id(n: u16) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn candidate(n: u16, dossier: Dossier) -> Candidate {
    Candidate {
        id: id(n),
        class: IdentityClass::Free,
        rank: Fixed::ZERO,
        encrypted: None,
        dossier,
    }
}

/// A year of good service, one answer in twenty late, slowly and from a crowded prefix.
fn old_and_honest() -> Dossier {
    let with = |ok: u32, failed| Tally::new(ok, failed);
    Dossier {
        metrics: Metrics {
            useful: Fixed::from_int(1_900),
            timeouts: Fixed::from_int(100),
            steadiness: Steadiness::of(Fixed::ratio(45, 100), Fixed::ratio(1, 1_000)),
            transfers: with(950, 50),
            latency: Mean::new(Fixed::from_int(900), 500),
            download: Mean::new(Fixed::from_int(100), 500),
            upload: Mean::new(Fixed::from_int(100), 500),
            uptime: Uptime::of(190, 10),
            signing: Signing {
                completed: Fixed::from_int(380),
                timeouts: Fixed::from_int(20),
                seconds: Mean::new(Fixed::from_int(12), 380),
                ..Signing::default()
            },
            relay: RelayMetrics {
                circuits: with(950, 50),
                reservations: with(95, 5),
                ..RelayMetrics::default()
            },
            ..Metrics::default()
        },
        // Where one timeout in twenty answers comes to rest.
        standing: standing(Fixed::ratio(449, 1_000), Fixed::ratio(3, 10), Level::Medium),
        crowding: Fixed::HALF,
    }
}

fn count() -> impl Strategy<Value = Fixed> {
    prop_oneof![
        Just(Fixed::ZERO),
        (0i64..1_000).prop_map(Fixed::from_int),
        any::<i64>().prop_map(Fixed::from_raw),
    ]
}

fn tally() -> impl Strategy<Value = Tally> {
    (count(), count()).prop_map(|(ok, failed)| Tally { ok, failed })
}

fn mean() -> impl Strategy<Value = Mean> {
    (count(), count()).prop_map(|(value, count)| Mean { value, count })
}

fn metrics() -> impl Strategy<Value = Metrics> {
    let signing = (tally(), tally(), count(), mean(), count());
    (
        (tally(), tally(), tally(), tally(), tally()),
        (mean(), mean(), mean()),
        (count(), count()),
        (any::<u8>(), any::<u8>()),
        signing,
        count(),
    )
        .prop_map(
            |(tallies, means, (mean, variance), (answered, missed), signing, mib)| {
                let (messages, transfers, circuits, reservations, custom) = tallies;
                let (done, left, aborts, seconds, pool) = signing;
                Metrics {
                    useful: messages.ok,
                    invalid: messages.failed,
                    timeouts: custom.failed,
                    steadiness: Steadiness::of(mean, variance),
                    transfers,
                    latency: means.0,
                    download: means.1,
                    upload: means.2,
                    uptime: Uptime::of(answered, missed),
                    signing: Signing {
                        completed: done.ok,
                        timeouts: done.failed,
                        disconnects: left.ok,
                        invalid: left.failed,
                        aborts,
                        seconds,
                        pool,
                    },
                    relay: RelayMetrics {
                        circuits,
                        reservations,
                        mib,
                        ..RelayMetrics::default()
                    },
                    custom: [custom; 4],
                    ..Metrics::default()
                }
            },
        )
}

fn every_model(check: impl Fn(&(dyn ScoringModel + Send + Sync), Stakes)) {
    let models = Models::default();
    assert_eq!(models.names().count(), 5);
    for name in models.names() {
        for stakes in [Stakes::Ordinary, Stakes::High] {
            check(models.of(name).expect("a name has its model"), stakes);
        }
    }
}

proptest! {
    #[test]
    fn every_score_is_within_its_range_whatever_was_observed(
        metrics in metrics(), trust in 0i64..=1 << 20, belief in 0i64..=1 << 20, crowding: i64,
    ) {
        let dossier = Dossier {
            metrics,
            standing: standing(Fixed::from_raw(trust), Fixed::from_raw(belief), Level::Medium),
            crowding: Fixed::from_raw(crowding),
        };
        every_model(|model, stakes| {
            let score = model.assess(&dossier, stakes).score;
            let name = model.name();
            assert!(score >= Fixed::ZERO && score <= model.score_max(), "{name}: {score:?}");
        });
        let at = dossier.metrics.at(Wall::from_millis(1_700_000_000_000));
        let later = composite_score(&at);
        prop_assert!(later >= Fixed::ZERO && later <= Fixed::ONE);
    }

    #[test]
    fn high_stakes_never_flatter(
        ok in 0u32..1_000, failed in 0u32..1_000, latency in 0i64..5_000, trust in 0i64..=1 << 20,
    ) {
        let tally = Tally::new(ok, failed);
        let dossier = Dossier {
            metrics: Metrics {
                useful: tally.ok,
                timeouts: tally.failed,
                transfers: tally,
                latency: Mean::new(Fixed::from_int(latency), ok + failed),
                relay: RelayMetrics {
                    circuits: tally,
                    reservations: tally,
                    ..RelayMetrics::default()
                },
                signing: Signing {
                    completed: tally.ok,
                    timeouts: tally.failed,
                    seconds: Mean::new(Fixed::from_int(latency), ok),
                    ..Signing::default()
                },
                ..Metrics::default()
            },
            standing: standing(Fixed::from_raw(trust), Fixed::from_raw(trust / 2), Level::Low),
            crowding: Fixed::ZERO,
        };
        let models = Models::default();
        for name in models.names() {
            let model = models.of(name).expect("a name has its model");
            let high = model.assess(&dossier, Stakes::High).score;
            // A few units of rounding.
            let ordinary = model.assess(&dossier, Stakes::Ordinary).score + Fixed::from_raw(500);
            prop_assert!(high <= ordinary, "{name}: {high} above {ordinary}");
        }
    }

    #[test]
    fn doing_better_never_scores_worse(
        ok in 4u32..2_000, failed in 0u32..2_000, ms in 1i64..60_000, rate in 0i64..100_000,
    ) {
        let unit = Fixed::from_raw(16);
        let base = Metrics {
            transfers: Tally::new(ok, failed),
            useful: Fixed::from_int(ok.into()),
            timeouts: Fixed::from_int(failed.into()),
            latency: Mean::new(Fixed::from_int(ms), ok),
            download: Mean::new(Fixed::from_int(rate), ok),
            uptime: Uptime::of(20, 10),
            relay: RelayMetrics { circuits: Tally::new(ok, failed), ..RelayMetrics::default() },
            signing: Signing {
                completed: Fixed::from_int(ok.into()),
                timeouts: Fixed::from_int(failed.into()),
                seconds: Mean::new(Fixed::from_int(2), ok),
                ..Signing::default()
            },
            ..Metrics::default()
        };
        let more = Fixed::ONE;
        let mut better = Vec::new();
        let mut change = |edit: &dyn Fn(&mut Metrics)| {
            let mut metrics = base.clone();
            edit(&mut metrics);
            better.push(metrics);
        };
        change(&|m| m.transfers.ok += more);
        change(&|m| m.useful += more);
        change(&|m| m.latency.value -= more);
        change(&|m| m.download.value += more);
        change(&|m| m.uptime = Uptime::of(21, 10));
        change(&|m| m.relay.circuits.ok += more);
        change(&|m| m.relay.mib += more);
        change(&|m| m.signing.completed += more);
        change(&|m| m.signing.timeouts -= m.signing.timeouts.min(more));
        let dossier = |metrics: &Metrics| Dossier {
            metrics: metrics.clone(),
            standing: standing(Fixed::HALF, Fixed::ratio(1, 4), Level::Medium),
            crowding: Fixed::ZERO,
        };
        let models = Models::default();
        for (place, metrics) in better.iter().enumerate() {
            for name in models.names() {
                let model = models.of(name).expect("a name has its model");
                let score = |metrics| model.assess(&dossier(metrics), Stakes::Ordinary).score;
                let (was, is) = (score(&base), score(metrics));
                let slack = match name { "signing" => Fixed::from_raw(500), _ => unit };
                prop_assert!(is + slack >= was, "{name}, change {place}: {was} to {is}");
            }
        }
    }

    #[test]
    fn a_fresh_identity_never_comes_before_an_old_honest_one(
        latency_ms in 1i64..5_000, measured in 0u32..100, transfers in 0u32..100, seed: u64,
    ) {
        let fresh = Dossier {
            metrics: Metrics {
                transfers: Tally::new(transfers, 0),
                useful: Fixed::from_int(transfers.into()),
                latency: Mean::new(Fixed::from_int(latency_ms), measured),
                download: Mean::new(Fixed::from_int(1_000_000), transfers),
                uptime: Uptime::of(24, 0),
                relay: RelayMetrics {
                    circuits: Tally::new(transfers, 0),
                    ..RelayMetrics::default()
                },
                ..Metrics::default()
            },
            ..Dossier::of_stranger(stranger())
        };
        let old = old_and_honest();
        let candidates = [candidate(1, fresh.clone()), candidate(2, fresh), candidate(3, old)];
        let models = Models::default();
        for name in models.names() {
            let model = models.of(name).expect("a name has its model");
            let ranked = best_peers(model, &candidates, 3).expect("all pass");
            prop_assert_eq!(ranked[0].id, id(3), "{}", name);
            let choice = Choice { stakes: Stakes::High, ..Choice::default() };
            let mut rng = Rng::from_u64(seed);
            let ranked = select(model, &candidates, &choice, &mut rng).expect("all pass").chosen;
            prop_assert_eq!(ranked[0].id, id(3), "{} with high stakes", name);
        }
    }
}

#[test]
fn a_fast_cheat_is_stopped_at_the_gate() {
    let superb = Metrics {
        transfers: Tally::new(10_000, 0),
        latency: Mean::new(Fixed::ONE, 10_000),
        download: Mean::new(Fixed::from_int(1_000_000), 10_000),
        uptime: Uptime::of(240, 0),
        ..Metrics::default()
    };
    let mut cheat = Dossier {
        metrics: superb,
        standing: standing(Fixed::ratio(1, 10), Fixed::ZERO, Level::Distrusted),
        crowding: Fixed::ZERO,
    };
    let models = Models::default();
    let model = models.of("transfer").expect("a model");
    assert!(model.assess(&cheat, Stakes::Ordinary).score > Fixed::ratio(95, 100));
    let honest = old_and_honest();
    let candidates = [candidate(1, cheat.clone()), candidate(2, honest.clone())];
    let ranked = best_peers(model, &candidates, 1).expect("one passes");
    assert_eq!(ranked.iter().map(|one| one.id).collect::<Vec<_>>(), [id(2)]);

    let refused = best_peers(model, &candidates, 2).expect_err("only one passes");
    assert_eq!(
        (refused.passed, refused.candidates, refused.required),
        (1, 2, 2)
    );
    assert_eq!(refused.refused[0].obstacle, Obstacle::Distrusted);

    cheat.standing = Standing {
        level: Level::Trusted,
        gate: Gate::Banned { until: None },
        ..cheat.standing
    };
    let candidates = [candidate(1, cheat), candidate(2, honest)];
    let refused = best_peers(model, &candidates, 2).expect_err("only one passes");
    assert_eq!(refused.refused[0].obstacle, Obstacle::Gate);
}

#[test]
fn a_tenth_of_the_places_goes_to_the_unknown_of_class_one() {
    let models = Models::default();
    let model = models.of("transfer").expect("a model");
    let mut candidates: Vec<Candidate> = (0..20).map(|n| candidate(n, old_and_honest())).collect();
    for n in 20..40 {
        let mut unknown = candidate(n, Dossier::of_stranger(stranger()));
        if n >= 30 {
            unknown.class = IdentityClass::Vouched;
        }
        candidates.push(unknown);
    }
    let choice = Choice {
        count: 10,
        ..Choice::default()
    };
    let mut explored = 0;
    for seed in 0..400 {
        let mut rng = Rng::from_u64(seed);
        let selection = select(model, &candidates, &choice, &mut rng).expect("all pass");
        assert_eq!(selection.chosen.len(), 10);
        for (place, one) in (1..).zip(&selection.chosen) {
            assert_eq!(one.place, place);
            let free = id(20) <= one.id && one.id < id(30);
            assert!(!free, "seed {seed}: a free identity was explored");
            if one.reason == Reason::Explored {
                explored += 1;
                assert!(one.id >= id(30));
            }
        }
    }
    assert!(
        (330..=470).contains(&explored),
        "{explored} of 4,000 places"
    );
}

#[test]
fn a_choice_is_decided_by_its_seed_and_not_by_the_order_of_the_candidates() {
    let models = Models::default();
    let model = models.of("peer").expect("a model");
    let mut candidates: Vec<Candidate> = (0..30)
        .map(|n| {
            let mut one = candidate(n, Dossier::of_stranger(stranger()));
            one.class = IdentityClass::Vouched;
            one
        })
        .collect();
    let choice = Choice {
        count: 5,
        explore_percent: 50,
        ..Choice::default()
    };
    let chosen = |candidates: &[Candidate], seed| {
        let mut rng = Rng::from_u64(seed);
        select(model, candidates, &choice, &mut rng).expect("all pass")
    };
    let first = chosen(&candidates, 7);
    candidates.reverse();
    candidates.push(candidates[3].clone());
    assert_eq!(chosen(&candidates, 7), first);
    let others = (0..20).filter(|seed| chosen(&candidates, *seed) != first);
    assert!(
        others.count() >= 19,
        "equals do not always stand in one order"
    );
}

#[test]
fn who_is_filtered_out_is_told_why() {
    let models = Models::default();
    let model = models.of("signing").expect("a model");
    let mut open = candidate(1, old_and_honest());
    open.encrypted = Some(true);
    let plain = candidate(2, old_and_honest());
    let mut weak = candidate(3, old_and_honest());
    weak.encrypted = Some(true);
    weak.dossier.metrics.signing.invalid = Fixed::from_int(400);
    let choice = Choice {
        encrypted: true,
        score_min: Fixed::from_int(60),
        ..Choice::default()
    };
    let mut rng = Rng::from_u64(1);
    let selection = select(model, &[open, plain, weak], &choice, &mut rng).expect("no minimum");
    assert_eq!(selection.chosen.len(), 1);
    let why: Vec<_> = selection
        .refused
        .iter()
        .map(|one| (one.id, one.obstacle))
        .collect();
    assert_eq!(
        why,
        [(id(2), Obstacle::Encryption), (id(3), Obstacle::Score)]
    );
}

/// Somebody who was met a few times, and what became of it.
fn met(n: u16, ok: u32, failed: u32, rank: Fixed) -> Candidate {
    let mut dossier = Dossier::of_stranger(stranger());
    dossier.metrics.transfers = Tally::new(ok, failed);
    if failed > 0 {
        // A hard fault makes it known, but for nothing good.
        let quarter = Fixed::ratio(1, 4);
        dossier.standing = Standing {
            trust: Fixed::ratio(4, 10),
            uncertainty: Fixed::ONE - quarter + Fixed::ratio(1, 20),
            level: Level::Low,
            ..stranger()
        };
    }
    Candidate {
        class: IdentityClass::Vouched,
        rank,
        ..candidate(n, dossier)
    }
}

#[test]
fn a_first_fault_brings_nobody_before_strangers() {
    let candidates = [
        met(1, 0, 1, Fixed::ZERO),
        met(2, 0, 0, Fixed::ZERO),
        met(3, 3, 0, Fixed::ZERO),
        met(4, 0, 0, Fixed::ONE),
    ];
    let model = repute_trust::TransferModel;
    let order: Vec<NodeId> = best_peers(&model, &candidates, 0)
        .unwrap()
        .into_iter()
        .map(|ranked| ranked.id)
        .collect();
    // Who served, whom others vouch for, nobody, who failed.
    assert_eq!(order, [3, 4, 2, 1].map(id));
}

#[test]
fn whoever_brings_the_most_names_takes_no_more_than_half_of_the_trials() {
    let fakes = (100..200).map(|n| met(n, 0, 0, Fixed::ZERO));
    let newcomers = (1..4).map(|n| met(n, 0, 0, Fixed::HALF));
    let candidates: Vec<Candidate> = fakes.chain(newcomers).collect();
    let choice = Choice {
        count: 1,
        ..Choice::default()
    };
    let model = repute_trust::TransferModel;
    let (mut tried, mut fake) = (0, 0);
    for seed in 0..2_000 {
        let selection = select(&model, &candidates, &choice, &mut Rng::from_u64(seed)).unwrap();
        let one = &selection.chosen[0];
        tried += u32::from(one.reason == Reason::Explored);
        fake += u32::from(
            candidates
                .iter()
                .any(|c| c.id == one.id && c.rank == Fixed::ZERO),
        );
    }
    assert!((140..260).contains(&tried), "{tried} of 2,000 were tried");
    assert!((60..140).contains(&fake), "{fake} fakes were chosen");
}
