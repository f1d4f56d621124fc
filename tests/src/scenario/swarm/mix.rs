use std::{collections::BTreeSet, time::Duration};

use repute_base::Rng;
use repute_sim::{Faults, Stats};

use crate::attack;

/// Kinds of faults that a run of the swarm may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Loss,
    Copies,
    Reordering,
    Delay,
    Cut,
    OneWay,
    Flap,
    Swizzle,
    Crash,
    Pause,
    Skew,
    Jump,
    Churn,
    Hostile,
}

pub(super) const KINDS: [Kind; 14] = [
    Kind::Loss,
    Kind::Copies,
    Kind::Reordering,
    Kind::Delay,
    Kind::Cut,
    Kind::OneWay,
    Kind::Flap,
    Kind::Swizzle,
    Kind::Crash,
    Kind::Pause,
    Kind::Skew,
    Kind::Jump,
    Kind::Churn,
    Kind::Hostile,
];

impl Kind {
    /// What is counted of it, in words.
    pub(super) const fn happened(self) -> &'static str {
        match self {
            Self::Loss => "packets lost",
            Self::Copies => "packets doubled",
            Self::Reordering => "packets overtaken",
            Self::Delay => "runs over slow links",
            Self::Cut => "cuts",
            Self::OneWay => "one-way cuts",
            Self::Flap => "flapping cuts",
            Self::Swizzle => "swizzles",
            Self::Crash => "crashes",
            Self::Pause => "pauses",
            Self::Skew => "runs with skewed clocks",
            Self::Jump => "clock jumps",
            Self::Churn => "nodes replaced",
            Self::Hostile => "hostile deeds",
        }
    }

    /// How often it fell, as far as the world counts it.
    pub(super) const fn count(self, stats: &Stats) -> u64 {
        match self {
            Self::Loss => stats.lost,
            Self::Copies => stats.duplicated,
            Self::Reordering => stats.reordered,
            Self::Cut => stats.partitions - stats.one_way,
            Self::OneWay => stats.one_way,
            Self::Flap => stats.flaps,
            Self::Swizzle => stats.swizzles,
            Self::Crash => stats.crashes,
            Self::Pause => stats.pauses,
            Self::Jump => stats.clock_jumps,
            Self::Delay | Self::Skew | Self::Churn | Self::Hostile => 0,
        }
    }
}

/// Which faults meet, one of three classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Alone,
    Some,
    All,
}

/// Seeds in a row that hold every kind alone, all together, and some drawn at random.
pub(super) const CYCLE: u64 = 20;

/// What one run meets, and at which size.
pub(super) struct Mix {
    pub(super) class: Class,
    pub(super) kinds: BTreeSet<Kind>,
    pub(super) nodes: usize,
    /// How long the faults last.
    pub(super) storm: Duration,
    pub(super) faults: Faults,
    /// A node leaves for good, and another one comes, about this often.
    pub(super) churn_every: Option<Duration>,
    /// Hostile nodes, by their place in [`attack::ALL`].
    pub(super) hostile: Vec<usize>,
}

impl Mix {
    /// The mix of a seed: the kinds follow from its place in the cycle or are drawn, the size and
    /// every intensity are drawn.
    pub(super) fn draw(seed: u64, nodes_min: usize, nodes_max: usize) -> Self {
        let mut rng = Rng::from_u64(seed ^ 0x5a7a_2e5d_0b0e_11c3);
        let place = (seed % CYCLE) as usize;
        let (class, kinds) = match KINDS.get(place) {
            Some(kind) => (Class::Alone, BTreeSet::from([*kind])),
            None if place < KINDS.len() + 2 => (Class::All, BTreeSet::from(KINDS)),
            None => {
                let drawn = KINDS.into_iter().filter(|_| rng.chance(1, 2));
                (Class::Some, drawn.collect())
            }
        };
        let nodes = rng.range(nodes_min as u64..nodes_max.max(nodes_min) as u64 + 1) as usize;
        let storm = Duration::from_secs(rng.range(40..100));
        let mut within = |kind, low: u64, high: u64| {
            // Drawn in any case: what one kind meets does not hang on another one.
            let drawn = rng.range(low..high + 1);
            if kinds.contains(&kind) { drawn } else { 0 }
        };
        let mut faults = Faults::none();
        faults.loss_permille = within(Kind::Loss, 10, 300);
        faults.duplicate_permille = within(Kind::Copies, 50, 500);
        faults.reorder_permille = within(Kind::Reordering, 10, 100);
        faults.reorder_ms_max = 2_000;
        faults.jitter_ms_max = faults.jitter_ms_max.max(within(Kind::Delay, 50, 500));
        faults.delay_ms_max += within(Kind::Delay, 50, 300);
        faults.partition_every_ms = within(Kind::Cut, 5_000, 15_000);
        faults.one_way_every_ms = within(Kind::OneWay, 5_000, 15_000);
        faults.flap_every_ms = within(Kind::Flap, 5_000, 15_000);
        faults.swizzle_every_ms = within(Kind::Swizzle, 5_000, 15_000);
        faults.crash_every_ms = within(Kind::Crash, 2_000, 10_000);
        faults.pause_every_ms = within(Kind::Pause, 2_000, 10_000);
        faults.clock_skew_ms_max = within(Kind::Skew, 1_000, 60_000);
        faults.jump_every_ms = within(Kind::Jump, 4_000, 15_000);
        // From seconds to years.
        faults.jump_ms_max = 1_000 << within(Kind::Jump, 0, 25);
        let churn = within(Kind::Churn, 3, 12);
        let most = (nodes as u64 / 5).max(1);
        let hostile = within(Kind::Hostile, 1, most);
        let first = rng.below(attack::ALL.len() as u64) as usize;
        Self {
            class,
            kinds,
            nodes,
            storm,
            faults,
            churn_every: (churn > 0).then(|| Duration::from_secs(churn)),
            hostile: (0..hostile as usize)
                .map(|n| (first + n) % attack::ALL.len())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_of_seeds_anywhere_holds_each_kind_alone_all_together_and_some() {
        for first in [0, 7, 1_234_567] {
            let mixes: Vec<_> = (first..first + CYCLE)
                .map(|seed| Mix::draw(seed, 6, 40))
                .collect();
            for kind in KINDS {
                let alone = |mix: &&Mix| mix.class == Class::Alone && mix.kinds.contains(&kind);
                assert_eq!(mixes.iter().filter(alone).count(), 1, "{kind:?}");
            }
            let all = mixes.iter().filter(|mix| mix.class == Class::All);
            assert_eq!(all.count(), 2);
            let some = mixes.iter().filter(|mix| mix.class == Class::Some);
            assert_eq!(some.count(), 4);
            let sizes: BTreeSet<_> = mixes.iter().map(|mix| mix.nodes).collect();
            assert!(sizes.len() > 5 && sizes.iter().all(|nodes| (6..=40).contains(nodes)));
        }
    }

    #[test]
    fn a_kind_that_was_not_drawn_leaves_no_trace_in_the_faults() {
        let quiet = Faults::none();
        for seed in 0..CYCLE {
            let mix = Mix::draw(seed, 6, 40);
            let crashes = mix.faults.crash_every_ms > 0;
            assert_eq!(crashes, mix.kinds.contains(&Kind::Crash));
            let slow = mix.faults.delay_ms_max > quiet.delay_ms_max;
            assert_eq!(slow, mix.kinds.contains(&Kind::Delay));
            assert_eq!(!mix.hostile.is_empty(), mix.kinds.contains(&Kind::Hostile));
        }
    }
}
