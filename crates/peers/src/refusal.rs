//! Who turned us away, why, and when to try again: what an operator asks first.

use alloc::collections::BTreeMap;

use repute_base::{BoundedString, Wall};
use repute_identity::NodeId;
use repute_protocol::{Disconnect, DisconnectReason, limits::TEXT_MAX};

use crate::{Event, Peers};

/// Refusals remembered; the oldest goes.
const REFUSALS_MAX: usize = 64;

/// A peer turned us away, in its own words. One that took us in since is no longer listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who.
    pub peer: NodeId,
    /// Why, for machines.
    pub reason: DisconnectReason,
    /// More, for people; escape before showing.
    pub detail: BoundedString<TEXT_MAX>,
    /// When.
    pub at: Wall,
    /// When trying again makes sense.
    pub retry_at: Wall,
}

/// The latest refusal of each peer.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<NodeId, Refusal>);

impl Refusals {
    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.0.remove(peer);
    }

    fn note(&mut self, refusal: Refusal) {
        if !self.0.contains_key(&refusal.peer) && self.0.len() >= REFUSALS_MAX {
            let oldest = self.0.values().map(|known| (known.at, known.peer)).min();
            if let Some((_, oldest)) = oldest {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(refusal.peer, refusal);
    }
}

impl Peers {
    /// The peers that turned us away and have not taken us in since, by id.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.0.values()
    }

    /// Notes a goodbye that says more than that a link is not needed.
    pub(crate) fn refused_by(&mut self, peer: NodeId, goodbye: &Disconnect) {
        let harmless = matches!(
            goodbye.reason,
            DisconnectReason::Shutdown | DisconnectReason::Duplicate | DisconnectReason::Appeal
        );
        if harmless {
            return;
        }
        let at = self.now.wall;
        let refusal = Refusal {
            peer,
            reason: goodbye.reason,
            detail: goodbye.detail.clone(),
            at,
            retry_at: at + goodbye.retry(),
        };
        self.refusals.note(refusal.clone());
        self.event(Event::RefusedBy(refusal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_refusals_are_remembered_and_no_more() {
        let mut refusals = Refusals::default();
        for n in 0..200u8 {
            refusals.note(Refusal {
                peer: NodeId::from_bytes([n; 32]),
                reason: DisconnectReason::Full,
                detail: BoundedString::default(),
                at: Wall::from_millis(n.into()),
                retry_at: Wall::MAX,
            });
        }
        assert_eq!(refusals.0.len(), REFUSALS_MAX);
        assert!(refusals.0.contains_key(&NodeId::from_bytes([199; 32])));
        assert!(!refusals.0.contains_key(&NodeId::from_bytes([0; 32])));
    }
}
