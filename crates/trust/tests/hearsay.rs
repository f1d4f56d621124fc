//! What recommendations move, how far, and that taking a source out leaves no trace.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use repute_base::{BoundedBytes, BoundedString, Fixed, Machine, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    Circle, Config, Context, Evidence, Fault, Footing, HearsayRecord, Input, Ledger, Level, Limits,
    News, NotHeard, Opinion, Output, Write,
};

const START: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn id(n: u32) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    NodeId::from_bytes(bytes)
}

/// An identity that cost something, ranked as the average.
const GOOD: Footing = Footing {
    class: 2,
    rank: Fixed::ONE,
    cluster: 0,
};
const STRANGER: Footing = Footing {
    class: 0,
    rank: Fixed::ONE,
    cluster: 0,
};
const SUBJECT: u32 = 1_000_000;

/// A ledger, its clock, and the rows that it asked to store.
struct Bench {
    ledger: Ledger,
    ms: u64,
    heard: BTreeMap<u64, HearsayRecord>,
    records: Vec<repute_trust::Record>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default(), Limits::default())
    }

    fn with(config: Config, limits: Limits) -> Self {
        Self {
            ledger: Ledger::new(config, limits).unwrap(),
            ms: 0,
            heard: BTreeMap::new(),
            records: Vec::new(),
        }
    }

    fn wall(&self) -> Wall {
        Wall::from_millis(START + self.ms)
    }

    fn apply(&mut self, input: Input) {
        let now = Timestamp::from_millis(self.ms, START + self.ms);
        self.ledger.handle(now, input);
        while let Some(output) = self.ledger.poll_output() {
            match output {
                Output::Persist(Write::Heard(record)) => {
                    self.heard.insert(record.number, record);
                }
                Output::Persist(Write::SourceCheckpoint(record)) => {
                    self.heard
                        .retain(|n, row| row.source != record.source || *n > record.number);
                    self.heard.insert(record.number, record);
                }
                Output::Persist(Write::ForgetSource(source)) => {
                    self.heard.retain(|_, row| row.source != source);
                }
                Output::Persist(Write::Record(record)) => self.records.push(record),
                _ => {}
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        self.apply(Input::Tick);
    }

    fn opinion(&self, subject: u32, value: i8) -> Opinion {
        Opinion {
            subject: id(subject),
            context: Context::Network,
            value,
            receipt: None,
            issued: self.wall(),
            expires: self.wall() + Duration::from_secs(7 * 86_400),
        }
    }

    fn hear(&mut self, source: u32, subject: u32, value: i8, footing: Footing) {
        let opinion = self.opinion(subject, value);
        let source = id(source);
        self.apply(Input::Recommended {
            source,
            opinion,
            footing,
        });
    }

    fn observe(&mut self, subject: u32, evidence: Evidence) {
        self.apply(Input::Observe {
            subject: id(subject),
            context: Context::Network,
            evidence,
            fault: Fault::Theirs,
        });
    }

    /// Enough useful hours that less than half is unknown.
    fn know_well(&mut self, subject: u32) {
        for _ in 0..60 {
            self.pass(HOUR);
            for _ in 0..20 {
                self.observe(subject, Evidence::Useful);
            }
        }
    }

    fn prior(&self, subject: u32) -> f64 {
        let prior = self
            .ledger
            .prior_of(id(subject), Context::Network, self.wall());
        prior.to_f64()
    }

    fn trust(&self, subject: u32) -> f64 {
        self.ledger
            .standing(id(subject), self.wall())
            .trust
            .to_f64()
    }

    /// Another ledger, folded from the rows alone.
    fn reborn(&self) -> Ledger {
        let mut ledger = Ledger::new(self.ledger.config().clone(), *self.ledger.limits()).unwrap();
        for record in &self.records {
            ledger.restore(record);
        }
        for record in self.heard.values() {
            let stored = HearsayRecord::from_bytes(&record.to_bytes()).unwrap();
            assert_eq!(stored, *record, "a stored record reads as it was written");
            ledger.restore_hearsay(&stored);
        }
        ledger
    }
}

fn near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 0.000_5,
        "{found} where {expected} was expected"
    );
}

#[test]
fn r21_a_recommendation_counts_once_however_often_it_is_repeated() {
    let mut bench = Bench::new();
    bench.hear(1, SUBJECT, 100, GOOD);
    near(bench.prior(SUBJECT), 0.544_2);
    for _ in 0..10 {
        bench.hear(1, SUBJECT, 100, GOOD);
        near(bench.prior(SUBJECT), 0.544_2);
        bench.pass(DAY + 1);
        bench.hear(1, SUBJECT, 100, GOOD);
    }
    near(bench.prior(SUBJECT), 0.544_2);
}

#[test]
fn r21_ten_recommenders_move_a_prior_by_0_184_and_all_of_them_by_0_2() {
    let mut bench = Bench::new();
    for source in 0..10 {
        bench.hear(source, SUBJECT, 100, GOOD);
        bench.hear(source, SUBJECT + 1, -100, GOOD);
    }
    near(bench.prior(SUBJECT), 0.683_6);
    near(bench.prior(SUBJECT + 1), 0.316_4);
    for source in 0..500 {
        bench.hear(source, SUBJECT, 100, GOOD);
        bench.hear(source, SUBJECT + 1, -100, GOOD);
    }
    near(bench.prior(SUBJECT), 0.7);
    near(bench.prior(SUBJECT + 1), 0.3);
    assert!(bench.prior(SUBJECT) <= 0.7 && bench.prior(SUBJECT + 1) >= 0.3);
    assert_eq!(
        bench.ledger.standing(id(SUBJECT), bench.wall()).level,
        Level::Unknown
    );
}

#[test]
fn r21_slander_by_any_number_of_strangers_moves_no_score() {
    for circle in Circle::ALL {
        let mut config = Config::default();
        config.hearsay.listen = circle;
        let mut bench = Bench::with(config, Limits::default());
        bench.know_well(SUBJECT);
        let before = (bench.trust(SUBJECT), bench.trust(SUBJECT + 1));
        assert!(before.0 > 0.7);
        for source in 0..20_000 {
            bench.hear(source, SUBJECT, -100, STRANGER);
            bench.hear(source, SUBJECT + 1, -100, STRANGER);
        }
        assert_eq!((bench.trust(SUBJECT), bench.trust(SUBJECT + 1)), before);
        assert!(bench.heard.is_empty(), "and nothing is kept of it");
    }
}

#[test]
fn r21_a_peer_that_was_caught_gains_little_from_everyone_in_favour() {
    for (faults, most) in [(1, 0.56), (5, 0.312)] {
        let mut bench = Bench::new();
        for _ in 0..faults {
            bench.observe(SUBJECT, Evidence::Invalid(Misbehaviour::ForgedEnvelope));
            if bench
                .ledger
                .standing(id(SUBJECT), bench.wall())
                .gate
                .is_closed()
            {
                bench.apply(Input::Unban {
                    subject: id(SUBJECT),
                });
            }
        }
        let alone = bench.trust(SUBJECT);
        for source in 0..1_000 {
            bench.hear(source, SUBJECT, 100, GOOD);
        }
        let trust = bench.trust(SUBJECT);
        assert!(trust > alone, "{faults} faults: they were heard");
        assert!(trust <= most + 0.000_01, "{faults} faults: {trust}");
        assert!(trust > most - 0.002, "{faults} faults: {trust}");
    }
}

#[test]
fn spreading_over_more_subjects_thins_the_influence_on_each() {
    let mut bench = Bench::new();
    for subject in 0..5 {
        bench.hear(1, SUBJECT + subject, 100, GOOD);
    }
    near(bench.prior(SUBJECT), 0.544_2);
    for subject in 5..50 {
        bench.hear(1, SUBJECT + subject, 100, GOOD);
    }
    // A tenth of 0.05.
    near(bench.prior(SUBJECT), 0.504_9);
}

#[test]
fn one_cluster_counts_as_one_recommender() {
    let mut bench = Bench::new();
    for source in 0..100 {
        let cluster = 7;
        bench.hear(source, SUBJECT, 100, Footing { cluster, ..GOOD });
    }
    near(bench.prior(SUBJECT), 0.544_2);
    bench.hear(100, SUBJECT, 100, GOOD);
    near(bench.prior(SUBJECT), 0.578_7);
}

#[test]
fn class_and_rank_weigh_a_recommender() {
    let mut bench = Bench::new();
    bench.hear(1, SUBJECT, 100, Footing { class: 1, ..GOOD });
    near(bench.prior(SUBJECT), 0.512_1);
    let half = Fixed::HALF;
    bench.apply(Input::Footing {
        source: id(1),
        footing: Footing { rank: half, ..GOOD },
    });
    near(bench.prior(SUBJECT), 0.523_502);
    bench.apply(Input::Footing {
        source: id(1),
        footing: Footing {
            rank: Fixed::ZERO,
            ..GOOD
        },
    });
    assert_eq!(bench.prior(SUBJECT), 0.5);
    assert_eq!(repute_trust::rank_in_averages(1 << 42, 1_024), Fixed::ONE);
}

#[test]
fn recommenders_are_believed_less_once_experience_proves_them_wrong() {
    let mut bench = Bench::new();
    for subject in 0..8 {
        bench.hear(1, SUBJECT + subject, -100, GOOD);
        bench.hear(2, SUBJECT + subject, 60, GOOD);
    }
    for subject in 0..2 {
        bench.know_well(SUBJECT + subject);
    }
    let view = |bench: &Bench, source| {
        let views = bench.ledger.sources(bench.wall());
        let found = views.into_iter().find(|view| view.source == id(source));
        found.unwrap()
    };
    // Two are known well before the opinions expire.
    let (liar, honest) = (view(&bench, 1), view(&bench, 2));
    assert!(liar.wrong == 2 && liar.right == 0, "{liar:?}");
    assert!(honest.right == 2 && honest.wrong == 0, "{honest:?}");
    assert!(liar.trust < Fixed::ratio(45, 100), "{liar:?}");
    assert!(honest.trust > Fixed::HALF, "{honest:?}");
    // Whoever repeats what is known gains nothing by it.
    bench.hear(3, SUBJECT + 1, 60, GOOD);
    bench.know_well(SUBJECT + 1);
    assert_eq!(view(&bench, 3).right, 0);
}

#[test]
fn opinions_end_when_they_expire_whatever_their_author_asks_for() {
    let mut bench = Bench::new();
    let mut opinion = bench.opinion(SUBJECT, 100);
    opinion.expires = Wall::MAX;
    bench.apply(Input::Recommended {
        source: id(1),
        opinion,
        footing: GOOD,
    });
    bench.pass(7 * DAY - 1);
    near(bench.prior(SUBJECT), 0.544_2);
    bench.pass(1);
    assert_eq!(bench.prior(SUBJECT), 0.5);
    bench.pass(HOUR);
    assert!(bench.heard.is_empty(), "nothing is left in the store");
    let future = Opinion {
        issued: bench.wall() + Duration::from_secs(3_600),
        ..bench.opinion(SUBJECT, 100)
    };
    let verdict = bench
        .ledger
        .would_hear(id(1), &future, Some(GOOD), bench.wall());
    assert_eq!(verdict, Err(NotHeard::NotHolding));
}

#[test]
fn what_is_not_heard_is_refused_with_its_reason() {
    let mut bench = Bench::new();
    let would = |bench: &Bench, source, value, footing| {
        let opinion = bench.opinion(SUBJECT, value);
        bench
            .ledger
            .would_hear(id(source), &opinion, footing, bench.wall())
    };
    assert_eq!(
        would(&bench, 1, 100, Some(STRANGER)),
        Err(NotHeard::NotListened)
    );
    assert_eq!(
        would(&bench, SUBJECT, 100, Some(GOOD)),
        Err(NotHeard::Itself)
    );
    assert_eq!(would(&bench, 1, 100, Some(GOOD)), Ok(()));
    bench.hear(1, SUBJECT, 100, GOOD);
    assert_eq!(would(&bench, 1, -100, Some(GOOD)), Err(NotHeard::Older));
    bench.pass(HOUR);
    assert_eq!(would(&bench, 1, -100, Some(GOOD)), Err(NotHeard::TooSoon));
    bench.apply(Input::Withdraw { source: id(1) });
    bench.pass(DAY);
    assert_eq!(would(&bench, 1, -100, Some(GOOD)), Err(NotHeard::Withdrawn));
    bench.apply(Input::Readmit { source: id(1) });
    assert_eq!(would(&bench, 1, -100, Some(GOOD)), Ok(()));
}

#[test]
fn nobody_is_excluded_by_hearsay_alone() {
    let mut config = Config::default();
    config.trust_min = Fixed::ratio(45, 100);
    let mut bench = Bench::with(config.clone(), Limits::default());
    for source in 0..100 {
        bench.hear(source, SUBJECT, -100, GOOD);
    }
    let standing = bench.ledger.standing(id(SUBJECT), bench.wall());
    assert_eq!(standing.trust, config.trust_min);
    assert!(!standing.gate.is_closed());
}

#[test]
fn own_words_count_as_one_recommender_and_are_shown_with_their_reason() {
    let mut bench = Bench::new();
    let opinion = bench.opinion(SUBJECT, -100);
    bench.apply(Input::Recommend {
        me: id(0),
        opinion,
        reason: BoundedString::new("sells what is not his").unwrap(),
        signed: BoundedBytes::new(vec![1, 2, 3]).unwrap(),
    });
    near(bench.prior(SUBJECT), 0.455_8);
    let explanation = bench.ledger.explain(id(SUBJECT), &[], bench.wall());
    let [line] = explanation.influences.as_slice() else {
        panic!("{explanation:?}");
    };
    assert!(line.own && line.moves < Fixed::ZERO);
    assert_eq!(line.reason.as_str(), "sells what is not his");
    assert_eq!(explanation.standing.trust, explanation.prior);
    let own = bench.ledger.own_recommendations(bench.wall());
    assert_eq!(own, [(opinion, BoundedBytes::new(vec![1, 2, 3]).unwrap())]);
    let reborn = bench.reborn();
    assert_eq!(reborn.own_recommendations(bench.wall()), own);
}

#[test]
fn tables_are_bounded_and_the_weak_displace_nobody() {
    let limits = Limits {
        sources: 20,
        recommendations: 60,
        ..Limits::default()
    };
    let mut bench = Bench::with(Config::default(), limits);
    for source in 0..20 {
        bench.hear(source, SUBJECT, 100, GOOD);
    }
    let before = bench.prior(SUBJECT);
    let weak = Footing { class: 1, ..GOOD };
    for source in 100..1_000 {
        bench.hear(source, SUBJECT + source, 100, weak);
    }
    assert_eq!(bench.prior(SUBJECT), before);
    assert_eq!(bench.ledger.sources(bench.wall()).len(), 20);
    // One talker cannot take all the room either, and its own oldest go first.
    for subject in 0..200 {
        bench.ms += 1;
        bench.hear(3, SUBJECT + 10_000 + subject, 100, GOOD);
    }
    let views = bench.ledger.sources(bench.wall());
    let said: usize = views.iter().map(|view| view.influences.len()).sum();
    assert!(said <= 60, "{said}");
    assert_eq!(views.len(), 20);
    // Beyond so many about one subject, only who weighs more is heard.
    let mut bench = Bench::new();
    for source in 0..400 {
        bench.hear(source, SUBJECT, 100, weak);
    }
    assert_eq!(
        bench
            .ledger
            .influences(id(SUBJECT), Context::Network, bench.wall())
            .len(),
        128
    );
    bench.hear(1_000, SUBJECT, -100, GOOD);
    let lines = bench
        .ledger
        .influences(id(SUBJECT), Context::Network, bench.wall());
    assert_eq!(lines.len(), 128);
    assert_eq!(lines[0].source, id(1_000));
    // What was dropped is dropped after a restart too.
    let wall = bench.wall();
    let reborn = bench.reborn();
    assert_eq!(
        reborn.influences(id(SUBJECT), Context::Network, wall),
        lines
    );
}

#[test]
fn random_bytes_are_no_record_and_break_nothing() {
    let mut rng = repute_base::Rng::from_u64(11);
    for len in 0..300 {
        let bytes: Vec<u8> = (0..len).map(|_| rng.below(256) as u8).collect();
        assert!(HearsayRecord::from_bytes(&bytes).is_err());
    }
}

#[test]
fn unsound_policies_are_refused_with_the_reason() {
    let refused = |change: fn(&mut repute_trust::HearsayConfig)| {
        let mut config = Config::default();
        change(&mut config.hearsay);
        let error = config.check().unwrap_err();
        assert!(!error.limit.is_empty() && !error.remedy.is_empty());
        error.field
    };
    let percent = |part| Fixed::ratio(part, 100);
    assert_eq!(percent(20), Config::default().hearsay.reach);
    // More than a fifth would let others decide about strangers.
    let field = refused(|hearsay| hearsay.reach = Fixed::ratio(21, 100));
    assert_eq!(field, "hearsay.reach");
    let field = refused(|hearsay| hearsay.class_weights[0] = Fixed::ratio(13, 100));
    assert_eq!(field, "hearsay.class_weights of class 0");
    let field = refused(|hearsay| hearsay.class_weights[1] = Fixed::from_int(2));
    assert_eq!(field, "hearsay.class_weights of class 1");
    let field = refused(|hearsay| hearsay.subjects_full = 0);
    assert_eq!(field, "hearsay.subjects_full");
    let field = refused(|hearsay| hearsay.lifetime_max = Duration::from_secs(8 * 86_400));
    assert_eq!(field, "hearsay.lifetime_max");
    let field = refused(|hearsay| hearsay.wrong_weight = -Fixed::ONE);
    assert_eq!(field, "hearsay.wrong_weight");
}

#[derive(Clone, Debug)]
enum Step {
    Hear(u32, u32, i8, Footing),
    Footing(u32, Footing),
    Observe(u32, bool),
    Pass(u64),
}

fn footings() -> impl Strategy<Value = Footing> {
    (0u8..3, 0i64..3_000_000, 0u64..3).prop_map(|(class, rank, cluster)| Footing {
        class,
        rank: Fixed::from_raw(rank),
        cluster,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hear = (0u32..4, 0u32..4, -100i8..=100, footings())
        .prop_map(|(source, subject, value, footing)| Step::Hear(source, subject, value, footing));
    let step = prop_oneof![
        6 => hear,
        4 => (0u32..4, footings()).prop_map(|(source, footing)| Step::Footing(source, footing)),
        6 => (0u32..4, prop::bool::weighted(0.1)).prop_map(|(s, bad)| Step::Observe(s, bad)),
        2 => (1u64..40 * HOUR).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..500)
}

/// Plays a history; the source `without` says nothing in it.
fn play(steps: &[Step], without: Option<u32>) -> Bench {
    // A prior of little weight, so that experience often outgrows it and judges.
    let mut config = Config::default();
    config.prior_weight = Fixed::from_int(60);
    config.soft_weight = Fixed::from_int(7);
    let mut bench = Bench::with(config, Limits::default());
    for step in steps {
        match step {
            Step::Hear(source, ..) | Step::Footing(source, _) if Some(*source) == without => {}
            Step::Hear(source, subject, value, footing) => {
                bench.hear(*source, SUBJECT + subject, *value, *footing);
            }
            Step::Footing(source, footing) => bench.apply(Input::Footing {
                source: id(*source),
                footing: *footing,
            }),
            Step::Observe(subject, true) => bench.observe(SUBJECT + subject, Evidence::Timeout),
            Step::Observe(subject, false) => {
                for _ in 0..20 {
                    bench.observe(SUBJECT + subject, Evidence::Useful);
                }
            }
            Step::Pass(ms) => bench.pass(*ms),
        }
    }
    bench
}

/// All that can be seen of recommendations, to the last bit.
fn picture(ledger: &Ledger, wall: Wall) -> String {
    let subjects: Vec<_> = (0..5)
        .map(|n| {
            let subject = id(SUBJECT + n);
            let standing = ledger.standing(subject, wall);
            let prior = ledger.prior_of(subject, Context::Network, wall);
            (standing, prior.raw())
        })
        .collect();
    let sources = ledger.sources(wall);
    let sources: Vec<_> = sources.iter().filter(|view| !view.withdrawn).collect();
    format!("{subjects:?} {sources:?}")
}

/// As many cases as `PROPTEST_CASES` asks for, and few if it does not: a history is long.
fn cases() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return ProptestConfig::default();
    }
    ProptestConfig::with_cases(64)
}

#[test]
fn the_random_histories_judge_compact_and_let_opinions_end() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut judged, mut carried, mut ended) = (0, 0, 0);
    for _ in 0..40 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let bench = play(&steps, None);
        let views = bench.ledger.sources(bench.wall());
        judged += views
            .iter()
            .map(|view| view.right + view.wrong)
            .sum::<u32>();
        let rows = bench.heard.values().map(|row| &row.news);
        carried += rows.filter(|news| matches!(news, News::Carried(_))).count();
        let spoke = views.iter().filter(|view| view.right + view.wrong > 0);
        ended += spoke.filter(|view| view.influences.is_empty()).count();
    }
    assert!(judged > 100, "{judged} judged");
    assert!(carried > 10, "{carried} compacted");
    assert!(ended > 0, "none ended");
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn r21_a_withdrawn_source_leaves_everything_as_if_it_had_never_been_heard(
        steps in steps(),
        source in 0u32..4,
    ) {
        let mut with = play(&steps, None);
        with.apply(Input::Withdraw { source: id(source) });
        let without = play(&steps, Some(source));
        let wall = with.wall();
        prop_assert_eq!(picture(&with.ledger, wall), picture(&without.ledger, wall));
        prop_assert_eq!(picture(&with.reborn(), wall), picture(&without.ledger, wall));
    }

    #[test]
    fn the_stored_rows_fold_to_the_same_priors_to_the_last_bit(steps in steps()) {
        let bench = play(&steps, None);
        let wall = bench.wall();
        prop_assert_eq!(picture(&bench.reborn(), wall), picture(&bench.ledger, wall));
        let rows: Vec<_> = bench.heard.values().cloned().collect();
        for subject in (0..5).map(|n| id(SUBJECT + n)) {
            let afresh = bench.ledger.recomputed_prior(&rows, subject, wall);
            let in_use = bench.ledger.prior_of(subject, Context::Network, wall);
            prop_assert_eq!(afresh, in_use);
        }
        for view in bench.ledger.sources(wall) {
            let rows = bench.heard.values().filter(|row| row.source == view.source).count();
            prop_assert!(rows <= 64 + 2 * 64 + 1, "{} rows", rows);
        }
    }

    #[test]
    fn a_prior_never_leaves_its_reach(steps in steps()) {
        let bench = play(&steps, None);
        for subject in 0..5 {
            let prior = bench.prior(SUBJECT + subject);
            prop_assert!((0.3..=0.7).contains(&prior), "{}", prior);
        }
    }
}
