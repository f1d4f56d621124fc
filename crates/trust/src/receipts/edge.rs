use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use super::Receipts;
use crate::IdentityClass;

/// What one did for another, for the global graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptEdge {
    /// Who was served, and says so.
    pub from: NodeId,
    /// Who served.
    pub to: NodeId,
    /// At most one for each day on which the pair had something to sign.
    pub weight: Fixed,
}

impl Receipts {
    /// The graph of who served whom, in the order of the pairs' last receipts, our own first.
    ///
    /// An end of class 0 makes an edge worth nothing, unless it is this node; so does a proven
    /// fault of either end.
    pub fn edges(&self, now: Wall) -> impl Iterator<Item = ReceiptEdge> + '_ {
        self.every_pair().filter_map(move |(&(from, to), pair)| {
            let counts = |id: &NodeId| self.counts(id, now);
            let weight = pair.weight();
            (weight > Fixed::ZERO && counts(&from) && counts(&to)).then_some(ReceiptEdge {
                from,
                to,
                weight,
            })
        })
    }

    /// Whether an end of a receipt can make it count.
    pub(super) fn counts(&self, id: &NodeId, now: Wall) -> bool {
        let paid = *id == self.id || self.classes.class(id, now) >= IdentityClass::Vouched;
        paid && !self.faults.contains(id)
    }
}
