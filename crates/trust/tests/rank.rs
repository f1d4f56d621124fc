//! The global rank: against an independent implementation, and what must hold for every graph.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;

use eigentrust::{EigenTrustOptions, PreTrust, TrustEdge, eigentrust_with_options};
use proptest::prelude::*;
use repute_base::{Fixed, Rng};
use repute_identity::NodeId;
use repute_trust::{Rank, RankConfig, RankLimits, Share};

type Edge = (usize, usize, i64);

/// Peer 0 is the observer.
fn id(number: usize) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    // Ids in no order that follows the numbers.
    bytes[8] = (number as u8).wrapping_mul(37);
    bytes.reverse();
    NodeId::from_bytes(bytes)
}

fn rank_of(edges: &[Edge], anchors: &[usize]) -> Rank {
    let mut rank = Rank::new(id(0), RankConfig::default(), RankLimits::default()).unwrap();
    rank.set_anchors(anchors.iter().map(|anchor| id(*anchor)))
        .unwrap();
    for (from, to, weight) in edges {
        assert!(rank.set_edge(id(*from), id(*to), Fixed::from_int(*weight)));
    }
    rank
}

/// Some peers with many edges, some with none, in cliques and chains.
fn random_edges(seed: u64, peers: usize, count: usize) -> Vec<Edge> {
    let mut rng = Rng::from_u64(seed);
    let mut edges = BTreeMap::new();
    for _ in 0..count {
        let from = rng.below(peers as u64 * 3 / 4) as usize;
        // The minimum of two draws: some are known better than others.
        let to = rng.below(peers as u64).min(rng.below(peers as u64)) as usize;
        if from != to {
            edges.insert((from, to), 1 + rng.below(50) as i64);
        }
    }
    edges
        .into_iter()
        .map(|((a, b), weight)| (a, b, weight))
        .collect()
}

fn all(rank: &Rank) -> BTreeMap<NodeId, Share> {
    rank.ranks().collect()
}

fn distance(a: &Rank, b: &Rank) -> f64 {
    let differences = a
        .ranks()
        .map(|(id, share)| share.raw().abs_diff(b.of(id).raw()));
    differences.sum::<u64>() as f64 / Share::ONE.raw() as f64
}

#[test]
fn ranks_are_those_of_an_independent_implementation() {
    for seed in 0..12 {
        let (peers, anchors) = (300, [5, 9, 14, 200]);
        let anchors = &anchors[..(seed % 5) as usize];
        let edges = random_edges(seed, peers, 1_500);
        let mut rank = rank_of(&edges, anchors);
        let settled = rank.refresh();
        assert!(settled.iterations <= 62, "seed {seed}: {settled:?}");

        let weights = edges
            .iter()
            .map(|(a, b, weight)| TrustEdge::new(*a, *b, *weight as f64));
        let own = if anchors.is_empty() { 1.0 } else { 0.5 };
        let each = 0.5 / anchors.len().max(1) as f64;
        let sources = anchors.iter().map(|anchor| PreTrust::new(*anchor, each));
        let sources = sources.chain([PreTrust::new(0, own)]);
        let options = EigenTrustOptions::default()
            .with_alpha(0.2)
            .with_epsilon(1e-12);
        let oracle = eigentrust_with_options(weights, sources, &options).unwrap();

        // What is left to move at a change below 1e-6: at most 0.8/0.2 of it.
        let ours = |peer: usize| rank.of(id(peer)).to_f64();
        let scores = oracle.scores().iter().enumerate();
        let off: f64 = scores.map(|(peer, score)| (ours(peer) - score).abs()).sum();
        assert!(off < 4.1e-6, "seed {seed}: {off}");
        let spread = oracle
            .scores()
            .iter()
            .filter(|score| **score > 1e-4)
            .count();
        assert!(spread > 100, "seed {seed}: the graph ranks only {spread}");
    }
}

#[test]
fn a_thousand_identities_without_an_honest_edge_change_no_rank_by_a_bit() {
    for seed in 0..6 {
        let edges = random_edges(seed, 400, 2_400);
        let (mut clean, mut flooded) = (rank_of(&edges, &[3, 4]), rank_of(&edges, &[3, 4]));
        clean.refresh();
        flooded.refresh();
        let before = all(&clean);
        let mut rng = Rng::from_u64(seed);
        for fake in 0..1_000 {
            let fake = 10_000 + fake;
            for _ in 0..20 {
                // They vouch for one another, for honest peers and for the anchors.
                let to = [10_000 + rng.below(1_000), rng.below(400)][rng.below(2) as usize];
                flooded.set_edge(id(fake), id(to as usize), Fixed::from_int(1_000));
            }
        }
        assert!(
            flooded.len() >= clean.len() + 1_000,
            "seed {seed}: {}",
            flooded.len()
        );
        // Both from where they were, and from nothing.
        for cold in [false, true] {
            for rank in [&mut clean, &mut flooded] {
                let _settled = if cold {
                    rank.refresh_cold()
                } else {
                    rank.refresh()
                };
            }
            for (id, share) in all(&flooded) {
                let honest = before.contains_key(&id);
                let expected = if honest { clean.of(id) } else { Share::ZERO };
                assert_eq!(share, expected, "seed {seed}, cold {cold}");
                let weigh = |rank: &Rank| rank.credibility(id, Fixed::ONE, Fixed::from_int(3));
                let expected = if honest { weigh(&clean) } else { Fixed::ZERO };
                assert_eq!(weigh(&flooded), expected, "seed {seed}, cold {cold}");
            }
        }
    }
}

#[test]
fn who_loses_the_last_honest_edge_falls_to_nothing_at_once() {
    // 1 and 2 vouch for each other, so rank would go round between them for ever.
    let mut rank = rank_of(&[(0, 1, 1), (1, 2, 1), (2, 1, 1), (0, 3, 1)], &[]);
    rank.refresh();
    assert!(rank.of(id(2)) > Share::ZERO);
    rank.set_edge(id(0), id(1), Fixed::ZERO);
    rank.refresh();
    assert_eq!([1, 2].map(|peer| rank.of(id(peer))), [Share::ZERO; 2]);
    assert!(rank.of(id(3)) > Share::ZERO);
}

#[test]
fn a_withdrawn_source_leaves_no_trace() {
    for seed in 0..6 {
        let edges = random_edges(seed, 200, 1_200);
        let others: Vec<Edge> = edges.iter().copied().filter(|edge| edge.0 != 7).collect();
        assert!(others.len() < edges.len(), "seed {seed}");
        let (mut with, mut without) = (rank_of(&edges, &[]), rank_of(&others, &[]));
        with.refresh();
        with.withdraw(&id(7));
        with.refresh_cold();
        without.refresh_cold();
        assert_eq!(with.edges(), without.edges(), "seed {seed}");
        for (id, share) in with.ranks() {
            assert_eq!(share, without.of(id), "seed {seed}");
        }
    }
}

#[test]
fn a_forgotten_peer_takes_the_edges_to_it_along() {
    let mut rank = rank_of(&[(0, 1, 1), (0, 2, 1), (1, 2, 1), (2, 1, 1)], &[2]);
    rank.forget(&id(1));
    rank.refresh();
    assert_eq!((rank.len(), rank.edges()), (2, 1));
    assert_eq!(rank.of(id(1)), Share::ZERO);
    // The observer and the anchors stay.
    rank.forget(&id(0));
    rank.forget(&id(2));
    assert_eq!(rank.len(), 2);
    // Whoever comes back begins anew.
    rank.set_edge(id(1), id(2), Fixed::ONE);
    rank.refresh();
    assert_eq!(rank.of(id(1)), Share::ZERO);
}

#[test]
fn credibility_is_relative_rank_within_a_budget() {
    let mut rank = rank_of(&[(0, 1, 3), (0, 2, 1)], &[]);
    rank.refresh();
    let weigh = |peer, class, out| {
        let class = Fixed::ratio(class, 4);
        rank.credibility(id(peer), class, Fixed::from_int(out))
            .to_f64()
    };
    // Three are ranked: 5/9 the observer, 1/3 the one, 1/9 the other.
    assert!((weigh(2, 4, 1) - 1.0 / 3.0).abs() < 1e-5);
    assert!((weigh(2, 1, 1) - 1.0 / 12.0).abs() < 1e-5);
    assert!((weigh(2, 4, 50) - 1.0 / 30.0).abs() < 1e-5);
    assert_eq!(weigh(0, 4, 1), 1.0);
    assert_eq!(weigh(0, 0, 1), 0.0);
    assert_eq!(weigh(9, 4, 1), 0.0);
}

#[test]
fn dividing_a_rank_among_many_identities_makes_no_rater_weigh_more() {
    let honest = random_edges(5, 300, 1_800);
    let mut clean = rank_of(&honest, &[]);
    clean.refresh_cold();
    let mut divided = rank_of(&honest, &[]);
    divided.set_edge(id(17), id(1_000), Fixed::ONE);
    for fake in 1_001..21_000 {
        divided.set_edge(id(1_000 + fake % 900), id(fake), Fixed::ONE);
        divided.set_edge(id(1_000), id(1_000 + fake % 900), Fixed::ONE);
    }
    divided.refresh_cold();
    let ranked = divided
        .ranks()
        .filter(|(_, share)| *share > Share::ZERO)
        .count();
    assert!(ranked > 20_000, "{ranked}");
    let weigh = |rank: &Rank, peer| rank.credibility(id(peer), Fixed::ONE, Fixed::ONE).to_f64();
    for peer in 0..300 {
        let (before, after) = (weigh(&clean, peer), weigh(&divided, peer));
        // The fakes' mere number would make it seventy times as much.
        assert!(after <= before * 1.1 + 1e-5, "{peer}: {before} {after}");
    }
    let fakes: f64 = (1_000..21_000).map(|fake| weigh(&divided, fake)).sum();
    assert!(fakes < 2.0, "{fakes}");
}

#[test]
fn a_flood_of_unknown_identities_displaces_itself_only() {
    let limits = RankLimits {
        nodes: 200,
        edges: 400,
        out: 8,
        ..RankLimits::default()
    };
    let mut rank = Rank::new(id(0), RankConfig::default(), limits).unwrap();
    let honest: Vec<Edge> = (0..100)
        .flat_map(|peer| [(peer, peer + 1, 2), (peer, (peer * 7) % 101, 1)])
        .filter(|(from, to, _)| from != to)
        .collect();
    for (from, to, weight) in &honest {
        assert!(rank.set_edge(id(*from), id(*to), Fixed::from_int(*weight)));
    }
    rank.refresh();
    let before = all(&rank);
    let mut rng = Rng::from_u64(1);
    for step in 0..30_000_usize {
        let to = 1_000 + rng.below(40_000) as usize;
        rank.set_edge(id(1_000 + step), id(to), Fixed::from_int(9));
        rank.set_edge(id(1_000 + step), id(step % 101), Fixed::from_int(9));
        if step % 7_000 == 0 {
            rank.refresh();
        }
        assert!(rank.len() <= 200 && rank.edges() <= 400, "step {step}");
    }
    rank.refresh_cold();
    assert_eq!(rank.len(), 200);
    let mut clean = rank_of(&honest, &[]);
    clean.refresh_cold();
    for id in before.keys() {
        assert_eq!(rank.of(*id), clean.of(*id));
    }
    // For one that somebody with rank vouches for there is room, and it stays.
    assert!(rank.set_edge(id(0), id(500), Fixed::from_int(50)));
    for step in 0..1_000 {
        rank.set_edge(id(90_000 + step), id(91_000 + step), Fixed::ONE);
    }
    rank.refresh();
    assert!(rank.of(id(500)) > Share::of(1, 10));
}

#[test]
fn a_peer_has_so_many_edges_and_the_lightest_gives_way() {
    let limits = RankLimits {
        out: 3,
        ..RankLimits::default()
    };
    let mut rank = Rank::new(id(0), RankConfig::default(), limits).unwrap();
    for (to, weight, held) in [(1, 2, true), (2, 5, true), (3, 4, true), (4, 2, false)] {
        assert_eq!(rank.set_edge(id(0), id(to), Fixed::from_int(weight)), held);
    }
    assert!(rank.set_edge(id(0), id(5), Fixed::from_int(3)));
    rank.refresh();
    let ranked = (1..6).filter(|peer| rank.of(id(*peer)) > Share::ZERO);
    assert_eq!(ranked.collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(rank.edges(), 3);
}

#[test]
fn ranks_of_a_table_that_is_full_of_ranked_peers_are_safe_from_strangers() {
    let limits = RankLimits {
        nodes: 4,
        anchors: 2,
        ..RankLimits::default()
    };
    let mut rank = Rank::new(id(0), RankConfig::default(), limits).unwrap();
    for to in 1..4 {
        assert!(rank.set_edge(id(0), id(to), Fixed::ONE));
    }
    rank.refresh();
    assert!(!rank.set_edge(id(8), id(9), Fixed::from_int(60_000)));
    assert!(!rank.set_edge(id(8), id(0), Fixed::from_int(60_000)));
    assert_eq!(rank.len(), 4);
    // An anchor finds room always.
    rank.set_anchors([id(9)]).unwrap();
    rank.refresh();
    assert_eq!(rank.len(), 4);
    assert!(rank.of(id(9)) > Share::of(1, 4));
    assert!(rank.set_anchors((10..13).map(id)).is_err());
}

#[test]
fn unsound_parameters_are_refused_with_the_reason() {
    let new = |config, limits| Rank::new(id(0), config, limits).map(|_| ());
    let mut config = RankConfig::default();
    config.restart = Share::ZERO;
    let error = new(config, RankLimits::default()).unwrap_err();
    assert!(error.to_string().contains("oscillate"), "{error}");
    let limits = RankLimits {
        nodes: 10,
        anchors: 10,
        ..RankLimits::default()
    };
    assert!(new(RankConfig::default(), limits).is_err());
}

#[test]
fn restored_ranks_of_any_size_end_where_a_cold_start_does() {
    let edges = random_edges(3, 200, 1_000);
    let (mut restored, mut cold) = (rank_of(&edges, &[]), rank_of(&edges, &[]));
    restored.restore(all(&cold).into_keys().map(|id| (id, Share::ONE)));
    restored.refresh();
    cold.refresh_cold();
    assert!(distance(&restored, &cold) < 8e-6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_whole_is_shared_out_and_the_order_of_edges_and_ids_changes_no_bit(
        seed in any::<u64>(), peers in 2usize..60, shift in 1usize..1_000,
    ) {
        let edges = random_edges(seed, peers, peers * 4);
        let mut first = rank_of(&edges, &[1]);
        first.refresh_cold();
        let sum: u64 = first.ranks().map(|(_, share)| share.raw()).sum();
        // Two sources, each given its part rounded down.
        prop_assert!(sum <= Share::ONE.raw() && sum >= Share::ONE.raw() - 2, "{sum}");

        let mut shuffled = edges.clone();
        Rng::from_u64(seed).shuffle(&mut shuffled);
        let mut second = rank_of(&shuffled, &[1]);
        second.refresh_cold();
        prop_assert_eq!(all(&first), all(&second));

        // Other names for all but the observer.
        let name = |peer: usize| if peer == 0 { 0 } else { peer + shift };
        let renamed: Vec<Edge> = edges.iter().map(|(a, b, w)| (name(*a), name(*b), *w)).collect();
        let mut third = rank_of(&renamed, &[name(1)]);
        third.refresh_cold();
        for peer in 0..peers {
            prop_assert_eq!(first.of(id(peer)), third.of(id(name(peer))));
        }
    }

    #[test]
    fn a_warm_start_ends_where_a_cold_one_does(seed in any::<u64>(), changes in 1usize..40) {
        let mut edges = random_edges(seed, 120, 700);
        let mut warm = rank_of(&edges, &[2]);
        warm.refresh();
        let mut rng = Rng::from_u64(!seed);
        for _ in 0..changes {
            let at = rng.below(edges.len() as u64) as usize;
            let (from, to, _) = edges.swap_remove(at);
            let weight = rng.below(4) as i64;
            warm.set_edge(id(from), id(to), Fixed::from_int(weight));
            if weight > 0 {
                edges.push((from, to, weight));
            }
        }
        let after = warm.refresh();
        let mut cold = rank_of(&edges, &[2]);
        let anew = cold.refresh_cold();
        prop_assert!(after.iterations <= anew.iterations + 1, "{after:?} {anew:?}");
        prop_assert!(distance(&warm, &cold) < 8.2e-6, "{}", distance(&warm, &cold));
    }
}
