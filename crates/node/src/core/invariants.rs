//! What holds between two inputs, in each engine and between them.

use repute_blobs::Blobs;

use super::Core;

impl Core {
    /// The first rule that does not hold, in words; asked between two inputs, outputs drained, by
    /// simulations and tests, never by a node that runs. The price grows with the number of links
    /// alone.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        if !self.inbox.is_empty() {
            return Some("something is still on its way between two engines");
        }
        self.peers
            .broken_invariant()
            .or_else(|| self.gossip.broken_invariant())
            .or_else(|| self.broken_agreement())
    }

    /// The shell's links, the peers engine's, and those of gossip and of blobs: each a part of the
    /// one before.
    fn broken_agreement(&self) -> Option<&'static str> {
        let mut active = self.peers.active();
        if active.any(|peer| !self.links.contains_key(&peer)) {
            return Some("an active peer has no link of the shell");
        }
        let of_peers = |peer| {
            let view = self.peers.state(peer);
            view == Some(repute_peers::PeerState::Active)
        };
        if !self.gossip.active_view().into_iter().all(of_peers) {
            return Some("gossip has a neighbour that is no active peer");
        }
        let mut linked = self.blobs().into_iter().flat_map(Blobs::linked).copied();
        let strangers = !linked.all(of_peers);
        strangers.then_some("blobs have a link to one that is no active peer")
    }
}
