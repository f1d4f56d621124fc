//! Links for one conversation: beyond the slots, to nodes that the address book need not know.

use alloc::{collections::BTreeSet, vec::Vec};

use repute_base::Address;
use repute_identity::NodeId;
use repute_protocol::DisconnectReason;

use crate::{Output, Peers};

/// Peers that are dialled, or linked by a dial of ours, for a conversation alone.
#[derive(Debug, Default)]
pub(crate) struct Visits(BTreeSet<NodeId>);

impl Visits {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, peer: &NodeId) -> bool {
        self.0.contains(peer)
    }
}

impl Peers {
    /// Dials for a conversation. The address book learns of the peer only if it answers, so that
    /// whoever makes nodes up cannot fill the book.
    pub(crate) fn visit(&mut self, peer: NodeId, addresses: &[Address]) {
        if self.links.contains_key(&peer) {
            return;
        }
        if self.dialling.is_under_way(&peer) {
            self.visits.0.insert(peer);
            return;
        }
        let resting = self
            .book
            .get(&peer)
            .is_some_and(|entry| entry.failures > 0 && entry.not_before > self.now.mono);
        let open = addresses
            .iter()
            .copied()
            .filter(|address| crate::reach::dialable(address) && !self.is_barred(address));
        let addresses: Vec<Address> = open.take(crate::Limits::ADDRESSES_KEPT).collect();
        let full = self.visits.len() >= self.limits.visits_max;
        let welcome = self.is_running() && peer != self.me && self.standing(&peer).is_ok();
        if full || resting || addresses.is_empty() || !welcome {
            return self.emit(Output::VisitFailed { peer });
        }
        self.visits.0.insert(peer);
        self.dial_at(peer, addresses, false);
    }

    /// The conversation is over: its link closes, unless the broadcast tree has come to use it.
    pub(crate) fn leave(&mut self, peer: NodeId) {
        if !self.links.contains_key(&peer) || !self.visits.contains(&peer) {
            return;
        }
        if self.protected.contains(&peer) {
            self.visits.0.remove(&peer);
        } else {
            self.close(peer, DisconnectReason::Idle);
        }
    }

    /// A link that the peer dialled is no visit of ours, whatever was under way.
    pub(crate) fn visited_by(&mut self, peer: &NodeId) {
        self.visits.0.remove(peer);
    }

    /// While links are short, whoever is visited may as well stay.
    pub(crate) fn keep_visits(&mut self) {
        while self.is_short() {
            let kept = self.visits.0.iter().copied().find(|peer| {
                let link = self.links.get(peer);
                link.is_some_and(|link| link.admitted)
            });
            let Some(peer) = kept else { return };
            self.visits.0.remove(&peer);
        }
    }

    /// What was dialled for a conversation is gone, before there was one or after.
    pub(crate) fn visit_over(&mut self, peer: NodeId, failed: bool) {
        if self.visits.0.remove(&peer) && failed {
            self.emit(Output::VisitFailed { peer });
        }
    }
}
