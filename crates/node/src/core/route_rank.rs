//! From receipts to ranks, and from ranks to what a recommender is worth.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Fixed, Mono, Timestamp};
use repute_identity::NodeId;
use repute_trust::{Input, Rank, RankConfig, RankLimits};

use super::Core;

/// Between two computations of all ranks: receipts grow by no more than a unit a day.
const RANK_INTERVAL: Duration = Duration::from_secs(3_600);
/// Parts of an average in which ranks are told, so that small changes write nothing.
const STEPS: i64 = 64;
/// Averages beyond which rank earns nothing more: as much as all that one source can say needs.
const AVERAGES_MAX: i64 = 16;

/// The ranks, and when they are computed next.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    rank: Option<Rank>,
    due: Option<Mono>,
}

impl Core {
    /// When the ranks are computed next.
    pub(super) fn ranks_due(&self) -> Option<Mono> {
        self.ranks.due
    }

    /// The rank of a peer in averages, in steps.
    pub(crate) fn averages(&self, peer: NodeId) -> Fixed {
        let rank = self.ranks.rank.as_ref();
        let averages = rank.map_or(Fixed::ZERO, |rank| rank.averages(peer));
        let step = Fixed::ratio(1, STEPS).raw();
        let stepped = Fixed::from_raw(averages.raw().div_euclid(step).saturating_mul(step));
        let least = match self.config.receipts.anchors.contains(&peer) {
            // The walk begins at the anchors: none of them is below average.
            true => Fixed::ONE,
            false => Fixed::ZERO,
        };
        stepped.clamp(least, Fixed::from_int(AVERAGES_MAX))
    }

    /// Ranks all peers by the receipts there are, anew, so that the same receipts give the same
    /// ranks whatever was before; and tells the ledger what its sources are worth.
    pub(super) fn rank(&mut self, now: Timestamp) {
        self.ranks.due = Some(now.mono + RANK_INTERVAL);
        let Some(receipts) = &self.receipts else {
            return;
        };
        // The defaults are sound, and as many anchors as the configuration takes fit.
        let rank = Rank::new(self.me, RankConfig::default(), RankLimits::default());
        if let Ok(mut rank) = rank
            && rank
                .set_anchors(self.config.receipts.anchors.iter().copied())
                .is_ok()
        {
            for edge in receipts.edges(now.wall) {
                rank.set_edge(edge.from, edge.to, edge.weight);
            }
            rank.refresh_cold();
            self.ranks.rank = Some(rank);
        }
        for source in self.trust.source_ids() {
            if source != self.me {
                let footing = self.footing(now, source);
                self.tell_trust(Input::Footing { source, footing });
            }
        }
        let links: Vec<NodeId> = self.peers.active().collect();
        for peer in links {
            self.ask_for_recommendations(now, peer);
        }
    }
}
