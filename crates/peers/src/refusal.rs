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

impl Refusal {
    /// Whether it says that we send too much, or too often.
    fn is_of_pace(&self) -> bool {
        let codes = ["banned: budget-exceeded", "banned: attempts"];
        let detail = self.detail.as_str();
        match self.reason {
            DisconnectReason::Overload => true,
            DisconnectReason::Banned => codes.iter().any(|code| detail.starts_with(code)),
            _ => false,
        }
    }
}

/// Times that probes become rarer when peers say they are too many, and at most.
const PACE_STEP: u32 = 4;
const PACE_MAX: u32 = 16;
/// So many peers must say so: one alone could blind us.
const COMPLAINTS_MIN: usize = 2;

/// The latest refusal of each peer.
#[derive(Debug)]
pub(crate) struct Refusals {
    by_peer: BTreeMap<NodeId, Refusal>,
    /// How many times rarer than configured this node probes, having been told that it asks too
    /// much; until it restarts.
    pace: u32,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            by_peer: BTreeMap::new(),
            pace: 1,
        }
    }
}

impl Refusals {
    pub(crate) fn pace(&self) -> u32 {
        self.pace
    }

    /// Slows down when as many peers say that we ask too much as still have a link with us.
    fn heed(&mut self, links: usize) {
        let complaints = self.by_peer.values().filter(|known| known.is_of_pace());
        if complaints.count() >= links.max(COMPLAINTS_MIN) {
            self.pace = self.pace.saturating_mul(PACE_STEP).min(PACE_MAX);
        }
    }

    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.by_peer.remove(peer);
    }

    fn note(&mut self, refusal: Refusal) {
        if !self.by_peer.contains_key(&refusal.peer) && self.by_peer.len() >= REFUSALS_MAX {
            let oldest = self
                .by_peer
                .values()
                .map(|known| (known.at, known.peer))
                .min();
            if let Some((_, oldest)) = oldest {
                self.by_peer.remove(&oldest);
            }
        }
        self.by_peer.insert(refusal.peer, refusal);
    }
}

impl Peers {
    /// The peers that turned us away and have not taken us in since, by id.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.by_peer.values()
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
        let complains = refusal.is_of_pace();
        self.refusals.note(refusal.clone());
        if complains {
            self.refusals.heed(self.links.len());
        }
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
        assert_eq!(refusals.by_peer.len(), REFUSALS_MAX);
        assert!(
            refusals
                .by_peer
                .contains_key(&NodeId::from_bytes([199; 32]))
        );
        assert!(!refusals.by_peer.contains_key(&NodeId::from_bytes([0; 32])));
    }

    #[test]
    fn one_peer_alone_cannot_slow_us_down_and_most_of_them_can_only_so_far() {
        let mut refusals = Refusals::default();
        let mut told = |n: u8, links: usize| {
            refusals.note(Refusal {
                peer: NodeId::from_bytes([n; 32]),
                reason: DisconnectReason::Banned,
                detail: BoundedString::truncated("banned: budget-exceeded"),
                at: Wall::ZERO,
                retry_at: Wall::ZERO,
            });
            refusals.heed(links);
            refusals.pace()
        };
        assert_eq!(told(1, 0), 1);
        assert_eq!(told(2, 3), 1, "three others keep us");
        assert_eq!(told(3, 3), 4);
        assert_eq!(told(4, 0), 16);
        assert_eq!(told(5, 0), 16);
    }
}
