use repute_base::{Fixed, Rng};
use repute_identity::NodeId;
use repute_node::trust::{Rank, RankConfig, RankLimits, Share};

use super::peer;

/// Honest peers that have served each other, as the first of them sees it; and whoever comes.
pub(super) struct Village {
    pub(super) honest: usize,
    pub(super) anchors: usize,
    edges: Vec<(usize, usize, i64)>,
}

/// Peers that each honest one had good of.
const SERVED_BY: usize = 8;
/// Days on which it had, at most.
const DAYS: u64 = 30;

impl Village {
    pub(super) fn new(rng: &mut Rng, honest: usize, anchors: usize) -> Self {
        let mut edges = Vec::new();
        for from in 0..honest {
            for _ in 0..SERVED_BY {
                let to = rng.below(honest as u64) as usize;
                if to != from {
                    edges.push((from, to, rng.range(1..DAYS + 1) as i64));
                }
            }
        }
        Self {
            honest,
            anchors,
            edges,
        }
    }

    /// The number of the first who comes.
    pub(super) const fn first(&self) -> usize {
        self.honest
    }

    /// An honest peer that is not the observer and no anchor.
    pub(super) fn someone(&self, rng: &mut Rng) -> usize {
        rng.range(self.anchors as u64 + 1..self.honest as u64) as usize
    }

    /// Ranks with these edges besides those of the honest.
    pub(super) fn rank(&self, more: &[(usize, usize, i64)]) -> Rank {
        let mut rank = Rank::new(peer(0), RankConfig::default(), RankLimits::default())
            .expect("a policy that can be meant");
        rank.set_anchors((1..=self.anchors).map(peer))
            .expect("few anchors");
        for (from, to, days) in self.edges.iter().chain(more) {
            rank.set_edge(peer(*from), peer(*to), Fixed::from_int(*days));
        }
        rank.refresh_cold();
        rank
    }

    /// The ranks of the honest, in order.
    pub(super) fn ranks(&self, rank: &Rank) -> Vec<Share> {
        (0..self.honest).map(|one| rank.of(peer(one))).collect()
    }

    /// What flows over edges from honest peers to others: of each, the part of its rank that goes
    /// that way.
    pub(super) fn inflow(&self, rank: &Rank, more: &[(usize, usize, i64)]) -> f64 {
        let out = |from: usize| -> i64 {
            let mut last = std::collections::BTreeMap::new();
            for (by, to, days) in self.edges.iter().chain(more) {
                if *by == from {
                    last.insert(to, *days);
                }
            }
            last.values().sum()
        };
        more.iter()
            .filter(|(from, _, _)| *from < self.honest)
            .map(|(from, _, days)| {
                rank.of(peer(*from)).to_f64() * *days as f64 / out(*from).max(1) as f64
            })
            .sum()
    }
}

/// All that these have of the whole.
pub(super) fn mass(rank: &Rank, of: impl Iterator<Item = NodeId>) -> f64 {
    of.map(|id| rank.of(id).to_f64()).sum()
}

/// Each of these with a few others and with the next, on as many days as there are.
pub(super) fn ring(rng: &mut Rng, first: usize, count: usize) -> Vec<(usize, usize, i64)> {
    let mut edges = Vec::new();
    for member in 0..count {
        edges.push((first + member, first + (member + 1) % count, DAYS as i64));
        for _ in 0..5 {
            let other = rng.below(count as u64) as usize;
            if other != member {
                edges.push((first + member, first + other, DAYS as i64));
            }
        }
    }
    edges
}
