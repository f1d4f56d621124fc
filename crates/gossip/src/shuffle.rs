//! Shuffles: random walks that mix the passive views.

use alloc::vec::Vec;

use repute_base::BoundedVec;
use repute_identity::NodeId;
use repute_protocol::{GossipFrame, PeerHint, limits::HINTS_MAX};

use crate::Gossip;

impl Gossip {
    pub(crate) fn on_shuffle(
        &mut self,
        from: NodeId,
        mut origin: PeerHint,
        ttl: u8,
        peers: BoundedVec<PeerHint, HINTS_MAX>,
    ) {
        if origin.id == self.me || !self.links.contains_key(&from) {
            return;
        }
        if origin.id == from {
            // Nobody knows its own address; the first neighbour of the walk does.
            origin = self.hint_of(&from).unwrap_or(origin);
        }
        let ttl = ttl.min(self.config.active_walk);
        if let (1.., Some(next)) = (ttl, self.random_active(&[from, origin.id])) {
            let onward = GossipFrame::Shuffle {
                origin,
                ttl: ttl - 1,
                peers,
            };
            return self.send_control(next, onward);
        }
        // A walk ends far away, mostly at a node without a link to the origin: then the exchange
        // is one-sided, and evens out because others' walks end at the origin.
        if self.links.contains_key(&origin.id) {
            let answer = self.passive.sample(peers.len(), &mut self.rng);
            let peers = BoundedVec::truncated(answer);
            self.send_control(origin.id, GossipFrame::ShuffleReply { peers });
        }
        self.remember(&origin);
        peers.iter().for_each(|hint| self.remember(hint));
    }

    pub(crate) fn on_shuffle_reply(&mut self, peers: BoundedVec<PeerHint, HINTS_MAX>) {
        peers.iter().for_each(|hint| self.remember(hint));
    }

    /// Starts the random walk of a part of our views.
    pub(crate) fn shuffle(&mut self) {
        let Some(next) = self.random_link() else {
            return;
        };
        let active = self
            .rng
            .sample(&self.active, usize::from(self.config.shuffle_active));
        let mut hints: Vec<PeerHint> = active.iter().filter_map(|id| self.hint_of(id)).collect();
        hints.extend(
            self.passive
                .sample(usize::from(self.config.shuffle_passive), &mut self.rng),
        );
        let origin = PeerHint {
            id: self.me,
            addresses: BoundedVec::new(),
        };
        let (ttl, peers) = (self.config.active_walk, BoundedVec::truncated(hints));
        self.send_control(next, GossipFrame::Shuffle { origin, ttl, peers });
    }
}
