//! The global rank: personalised EigenTrust over positive evidence, in integers.

mod config;
mod flow;
mod graph;
mod share;

use alloc::{collections::BTreeSet, format, string::ToString, vec, vec::Vec};
use core::cmp::Reverse;

use repute_base::Fixed;
use repute_identity::NodeId;

pub(crate) use self::flow::Flow;
use self::graph::Graph;
pub use self::{
    config::{RankConfig, RankLimits},
    flow::Settled,
    share::Share,
};
use crate::ConfigError;

/// How well each peer is vouched for, seen from the observer and its anchors.
///
/// An edge says that one peer had good of another: the capped weight of the receipts between
/// them. Rank flows from the sources (the observer and the operator's anchors) along the edges,
/// and a part of it returns to the sources in every iteration. So whom no path leads to has no
/// rank and changes nobody's, however many they are. It weighs raters and orders strangers; it
/// never closes a gate.
///
/// ```
/// use repute_base::Fixed;
/// use repute_identity::NodeId;
/// use repute_trust::{Rank, RankConfig, RankLimits, Share};
///
/// let [me, friend, stranger] = [1, 2, 3].map(|byte| NodeId::from_bytes([byte; 32]));
/// let mut rank = Rank::new(me, RankConfig::default(), RankLimits::default()).unwrap();
/// rank.set_edge(me, friend, Fixed::ONE);
/// rank.refresh();
/// assert!(rank.of(friend) > Share::of(4, 10));
/// assert_eq!(rank.of(stranger), Share::ZERO);
/// assert_eq!(rank.credibility(friend, Fixed::ONE, Fixed::ONE).to_string(), "0.889");
/// ```
#[derive(Debug)]
pub struct Rank {
    own: NodeId,
    anchors: BTreeSet<NodeId>,
    config: RankConfig,
    limits: RankLimits,
    graph: Graph,
    /// The N of N·t, see [`ranked`].
    ranked: u64,
}

impl Rank {
    /// An empty graph, seen from `own`.
    ///
    /// # Errors
    /// [`ConfigError`] when `config` or `limits` cannot be meant.
    pub fn new(own: NodeId, config: RankConfig, limits: RankLimits) -> Result<Self, ConfigError> {
        config.check()?;
        limits.check()?;
        let mut rank = Self {
            own,
            anchors: BTreeSet::new(),
            config,
            limits,
            graph: Graph::default(),
            ranked: 0,
        };
        rank.pin_sources();
        Ok(rank)
    }

    /// Replaces the anchors: peers that the operator trusts as much as this node.
    ///
    /// # Errors
    /// [`ConfigError`] when there are more than the limit. Nothing was changed.
    pub fn set_anchors(
        &mut self,
        anchors: impl IntoIterator<Item = NodeId>,
    ) -> Result<(), ConfigError> {
        let anchors: BTreeSet<NodeId> = anchors.into_iter().collect();
        if anchors.len() > self.limits.anchors {
            return Err(ConfigError {
                field: "anchors",
                value: anchors.len().to_string(),
                limit: format!("the most are {}", self.limits.anchors),
                remedy: "name fewer, or raise rank.limits.anchors",
            });
        }
        self.anchors = anchors;
        self.pin_sources();
        Ok(())
    }

    fn pin_sources(&mut self) {
        self.graph.unpin_all();
        for (id, part) in self.sources() {
            self.graph.pin(&self.limits, id, part);
        }
    }

    /// Where rank comes from. The parts add up to the whole.
    fn sources(&self) -> Vec<(NodeId, Share)> {
        let count = self.anchors.len() as u64;
        let others = self.config.own_part.rest().raw();
        let Some(each) = others.checked_div(count) else {
            return vec![(self.own, Share::ONE)];
        };
        let given = each.saturating_mul(count);
        let own = (self.own, Share::from_raw(given).rest());
        let anchors = self.anchors.iter().map(|id| (*id, Share::from_raw(each)));
        core::iter::once(own).chain(anchors).collect()
    }

    /// Sets how much good `from` had of `to`, in all; zero for none. What was set before is
    /// replaced, so that a receipt that arrives twice counts once.
    ///
    /// Weights are kept in units of 2⁻¹⁶ up to 65,536. Says whether the edge is as asked: when
    /// the graph is full, it may not displace a peer of more standing.
    pub fn set_edge(&mut self, from: NodeId, to: NodeId, weight: Fixed) -> bool {
        self.graph.tidy(&self.limits);
        let positive = weight.max(Fixed::ZERO).raw();
        let coarse = positive >> (Fixed::FRACTION_BITS - WEIGHT_BITS);
        let weight = u32::try_from(coarse).unwrap_or(u32::MAX);
        let kept = self.config.restart.rest();
        self.graph.set_edge(&self.limits, kept, (from, to), weight)
    }

    /// Takes back all that `from` said, as if it never had; a following
    /// [`refresh_cold`](Self::refresh_cold) leaves no trace of it.
    pub fn withdraw(&mut self, from: &NodeId) {
        self.graph.withdraw(from);
    }

    /// Removes a peer with all edges from it and to it. The observer and the anchors stay.
    pub fn forget(&mut self, id: &NodeId) {
        self.graph.forget(id);
    }

    /// Computes all ranks anew, beginning from the last ones: quick when little has changed.
    pub fn refresh(&mut self) -> Settled {
        let (flow, sources) = self.graph.flow(&self.sources());
        let mut ranks = self.graph.by_place();
        let sum: u128 = ranks.iter().map(|rank| u128::from(rank.raw())).sum();
        // Restored ranks may be of anything.
        if sum > u128::from(Share::ONE.raw()) {
            ranks = flow.cold(&sources);
        }
        flow.keep_reached(&sources, &mut ranks);
        self.settle(&flow, &sources, ranks)
    }

    /// Computes all ranks anew from nothing but the edges: the same bits on every machine,
    /// whatever was computed before.
    pub fn refresh_cold(&mut self) -> Settled {
        let (flow, sources) = self.graph.flow(&self.sources());
        let ranks = flow.cold(&sources);
        self.settle(&flow, &sources, ranks)
    }

    fn settle(&mut self, flow: &Flow, sources: &[(u32, Share)], mut ranks: Vec<Share>) -> Settled {
        let settled = flow.settle(&self.config, sources, &mut ranks);
        self.ranked = ranked(&ranks);
        self.graph.settle(ranks);
        settled
    }

    /// The rank of a peer at the last refresh; nothing for one that nobody ranked vouches for.
    pub fn of(&self, id: NodeId) -> Share {
        self.graph.rank(&id)
    }

    /// The rank of a peer in averages, N·t: 1 is what each of the ranked would have if all had the
    /// same.
    pub fn averages(&self, id: NodeId) -> Fixed {
        crate::rank_in_averages(self.of(id).raw(), self.ranked)
    }

    /// All peers of the graph with their ranks, by id: what a replay needs to begin from.
    pub fn ranks(&self) -> impl Iterator<Item = (NodeId, Share)> + '_ {
        self.graph.ranks()
    }

    /// Takes the ranks that peers of the graph had, for the next [`refresh`](Self::refresh) to
    /// begin from.
    pub fn restore(&mut self, ranks: impl IntoIterator<Item = (NodeId, Share)>) {
        for (id, rank) in ranks {
            self.graph.restore(&id, rank);
        }
        self.ranked = ranked(&self.graph.by_place());
    }

    /// How many peers the graph has.
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether nobody vouches for anybody.
    pub fn is_empty(&self) -> bool {
        self.graph.edges() == 0
    }

    /// How many edges the graph has, those to peers that have just been displaced included.
    pub fn edges(&self) -> usize {
        self.graph.edges()
    }

    /// How much the opinion of `rater` weighs, between 0 and 1:
    /// m = κ · min(1, N·t · min(1, budget/out)).
    ///
    /// κ is the weight of its identity class, t its rank, N how many peers share the rank, so that
    /// N·t = 1 is average; `out` is the strength of all its live opinions together. Who spreads
    /// over more subjects weighs less on each.
    pub fn credibility(&self, rater: NodeId, class_weight: Fixed, out: Fixed) -> Fixed {
        let raw = |value: Fixed| u64::try_from(value.raw()).unwrap_or(0);
        let (out, budget) = (raw(out), raw(self.config.budget));
        credibility(self.ranked, self.of(rater), out, budget)
            .to_fixed()
            .mul(class_weight.clamp(Fixed::ZERO, Fixed::ONE))
    }
}

/// Bits behind the point of an edge's weight.
const WEIGHT_BITS: u32 = 16;
/// One hundredth of the average is the least rank that counts as rank.
const AVERAGE_PART: u128 = 100;

/// min(1, N·t · min(1, budget/out)); `out` and `budget` in the same unit.
pub(crate) fn credibility(ranked: u64, rank: Share, out: u64, budget: u64) -> Share {
    let relative = u128::from(rank.raw()).saturating_mul(ranked.into());
    let held = if out > budget {
        relative.saturating_mul(budget.into()) / u128::from(out)
    } else {
        relative
    };
    Share::from_raw(u64::try_from(held).unwrap_or(u64::MAX))
}

/// The N of N·t: the largest number of peers of whom each has at least a hundredth of what were
/// average among so many.
///
/// All who have rank would be the plain choice, and a hole: whoever has one edge could share its
/// rank among a million identities, and by their number multiply what everybody weighs.
pub(crate) fn ranked(ranks: &[Share]) -> u64 {
    let mut held: Vec<u64> = ranks
        .iter()
        .map(|rank| rank.raw())
        .filter(|raw| *raw > 0)
        .collect();
    held.sort_unstable_by_key(|raw| Reverse(*raw));
    let enough = |(count, raw): &(u128, u64)| {
        count * u128::from(*raw) * AVERAGE_PART >= u128::from(Share::ONE.raw())
    };
    (1..)
        .zip(held)
        .filter(enough)
        .last()
        .map_or(0, |(count, _)| count as u64)
}
