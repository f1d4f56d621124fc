//! Rating networks with planted fraudsters, attacked: what `repute trust import-ratings` computes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use repute_node::trust::{
    Judgement, Level, RatedSubject, RatingsConfig, RatingsLimits, RatingsParser,
};
use repute_tests::{RatingNetwork, RatingRow, Shape};

const SEEDS: std::ops::Range<u64> = 0..5;

type Judged = BTreeMap<u32, RatedSubject>;

fn judge(network: &RatingNetwork) -> (Judgement, Judged) {
    let mut parser = RatingsParser::new(RatingsLimits::default());
    parser.feed(network.csv().as_bytes()).unwrap();
    let ratings = parser.finish().unwrap();
    assert_eq!(ratings.people() as u64, people(network));
    let anchors: Vec<String> = network.anchors.iter().map(u32::to_string).collect();
    let anchors: Vec<&str> = anchors.iter().map(String::as_str).collect();
    let judgement = ratings.judge(&anchors, &RatingsConfig::default()).unwrap();
    let subjects = judgement.subjects.iter();
    let judged = subjects
        .map(|one| (one.id.parse().unwrap(), one.clone()))
        .collect();
    (judgement, judged)
}

fn people(network: &RatingNetwork) -> u64 {
    let rows = network.rows.iter();
    rows.flat_map(|row| [row.from, row.to])
        .collect::<BTreeSet<u32>>()
        .len() as u64
}

/// By trust, and by rank: both must hold.
fn aucs(network: &RatingNetwork, judged: &Judged) -> [f64; 2] {
    let trust = |one: u32| judged.get(&one).map_or(0.5, |one| one.trust.to_f64());
    let rank = |one: u32| judged.get(&one).map_or(f64::MIN, |one| -(one.rank as f64));
    [network.auc(trust), network.auc(rank)]
}

/// What simple adding up makes of it.
fn naive_auc(network: &RatingNetwork) -> f64 {
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    for row in &network.rows {
        *sums.entry(row.to).or_default() += f64::from(row.rating);
    }
    network.auc(|one| sums.get(&one).copied().unwrap_or(0.0))
}

#[test]
fn generated_networks_have_the_shape_of_published_ones() {
    for seed in SEEDS {
        let network = RatingNetwork::generate(seed, Shape::default());
        let pairs: BTreeSet<_> = network.rows.iter().map(|row| (row.from, row.to)).collect();
        assert_eq!(
            pairs.len(),
            network.rows.len(),
            "seed {seed}: a pair rated twice"
        );
        assert!(
            (34_500..35_500).contains(&pairs.len()),
            "seed {seed}: {}",
            pairs.len()
        );
        let returned = pairs.iter().filter(|(a, b)| pairs.contains(&(*b, *a)));
        let reciprocity = returned.count() as f64 / pairs.len() as f64;
        assert!(
            (0.70..0.80).contains(&reciprocity),
            "seed {seed}: {reciprocity}"
        );
        let negative = network.rows.iter().filter(|row| row.rating < 0);
        let negative = negative.count() as f64 / pairs.len() as f64;
        assert!((0.09..0.11).contains(&negative), "seed {seed}: {negative}");
        let users = people(&network);
        assert!((5_900..=6_000).contains(&users), "seed {seed}: {users}");
        for kind in [true, false] {
            let labelled = network.labels.iter().filter(|(_, honest)| *honest == kind);
            assert!((240..=300).contains(&labelled.count()), "seed {seed}");
        }
        let mut received: BTreeMap<u32, u32> = BTreeMap::new();
        for row in &network.rows {
            *received.entry(row.to).or_default() += 1;
        }
        // The best known are known to hundreds, half of all to a few.
        let most = received.values().max().copied().unwrap_or(0);
        assert!(most > 150, "seed {seed}: {most}");
    }
}

#[test]
fn a_thousand_free_identities_without_an_honest_edge_change_no_ranking_at_all() {
    for seed in SEEDS {
        let network = RatingNetwork::generate(seed, Shape::default());
        let attacked = network.with_free_identities(seed, 1_000);
        let (naive, fallen) = (naive_auc(&network), naive_auc(&attacked));
        assert!(
            fallen < naive - 0.8,
            "seed {seed}: no attack, {naive} {fallen}"
        );

        let (clean_view, clean) = judge(&network);
        let (view, judged) = judge(&attacked);
        assert_eq!(view.credible, clean_view.credible, "seed {seed}");
        for (subject, before) in &clean {
            let after = &judged[subject];
            let same = RatedSubject {
                ratings: before.ratings,
                ..after.clone()
            };
            assert_eq!(&same, before, "seed {seed}");
        }
        // Who is known only to them stays unknown.
        for (subject, after) in judged.iter().filter(|(one, _)| !clean.contains_key(one)) {
            assert_eq!(after.level, Level::Unknown, "seed {seed}: {subject}");
            assert_eq!(after.trust.to_f64(), 0.5, "seed {seed}: {subject}");
        }
        let order = |view: &Judgement| {
            let known = view.subjects.iter().filter(|one| {
                one.id
                    .parse()
                    .is_ok_and(|one: u32| clean.contains_key(&one))
            });
            known.map(|one| one.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(&view), order(&clean_view), "seed {seed}");
    }
}

#[test]
fn fakes_with_one_honest_edge_each_cost_little() {
    let (mut worst, mut least_naive) = (BTreeMap::new(), BTreeMap::new());
    for seed in SEEDS {
        let network = RatingNetwork::generate(seed, Shape::default());
        let clean = aucs(&network, &judge(&network).1);
        println!("seed {seed}: AUC {clean:?}");
        assert!(
            clean.iter().all(|auc| *auc > 0.94),
            "seed {seed}: {clean:?}"
        );
        for (fakes, bar) in [(10, 0.02), (50, 0.06), (200, 0.22)] {
            let attacked = network.with_fakes(seed, fakes);
            let (view, judged) = judge(&attacked);
            let heard = judged.keys().filter(|one| **one >= 1_000_000).count();
            assert_eq!(
                heard as u32, fakes,
                "seed {seed}: each fake has its honest edge"
            );
            assert!(view.credible > 4_000, "seed {seed}: {}", view.credible);
            let naive = naive_auc(&network) - naive_auc(&attacked);
            assert!(
                naive > 0.5,
                "seed {seed}: {fakes} fakes would cost no one else {naive}"
            );
            let least: &mut f64 = least_naive.entry(fakes).or_insert(naive);
            *least = least.min(naive);
            for (clean, after) in clean.iter().zip(aucs(&attacked, &judged)) {
                let drop = clean - after;
                assert!(
                    drop <= bar,
                    "seed {seed}, {fakes} fakes: AUC {clean} falls by {drop}"
                );
                let worst: &mut f64 = worst.entry(fakes).or_insert(drop);
                *worst = worst.max(drop);
            }
        }
    }
    println!("AUC falls by at most {worst:?}, of sums by at least {least_naive:?}");
}

#[test]
fn a_rank_divided_among_thousands_costs_no_more_than_undivided() {
    for seed in SEEDS.take(2) {
        let network = RatingNetwork::generate(seed, Shape::default());
        let [clean, _] = aucs(&network, &judge(&network).1);
        let mut attacked = network.clone();
        let mut rate = |from, to, rating| {
            let time = 1_500_000_000;
            attacked.rows.push(RatingRow {
                from,
                to,
                rating,
                time,
            });
        };
        let door = 1_000_000;
        rate(network.honest[seed as usize], door, 1);
        for fake in door + 1..=door + 20_000 {
            rate(door, fake, 10);
            for turn in 0..5 {
                let (subject, honest) =
                    network.labels[(fake * 5 + turn) as usize % network.labels.len()];
                rate(fake, subject, if honest { -10 } else { 10 });
            }
        }
        let (view, judged) = judge(&attacked);
        assert!(view.credible > 20_000, "seed {seed}: {}", view.credible);
        let drop = clean - aucs(&attacked, &judged)[0];
        assert!(drop <= 0.005, "seed {seed}: {drop}");
    }
}
