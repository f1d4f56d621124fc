//! Peers that are to be linked: where they were looked for.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Address, Mono, RecentMap};
use repute_identity::NodeId;

use super::{WhereaboutsLimits, WhereaboutsOutput};

/// Peers that are to be linked; as many as the engine dials at once.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    wanted: BTreeMap<NodeId, Wanted>,
    looked_up: RecentMap<NodeId, Mono>,
}

#[derive(Clone, Debug, Default)]
struct Wanted {
    tried: Vec<Address>,
    /// What the DHT says, once it was asked.
    learned: Vec<Address>,
}

impl Reach {
    pub(super) fn new(limits: &WhereaboutsLimits) -> Self {
        Self {
            wanted: BTreeMap::new(),
            looked_up: RecentMap::new(limits.located_max),
        }
    }

    pub(super) fn begin(&mut self, peer: NodeId, addresses: &[Address]) {
        let wanted = Wanted {
            tried: Vec::from(addresses),
            learned: Vec::new(),
        };
        self.wanted.insert(peer, wanted);
    }

    pub(super) fn end(&mut self, peer: &NodeId) {
        self.wanted.remove(peer);
    }

    pub(super) fn is_wanted(&self, peer: &NodeId) -> bool {
        self.wanted.contains_key(peer)
    }

    /// Whether the DHT may be asked for it now. It is remembered that it was.
    pub(super) fn may_look_up(&mut self, peer: &NodeId, now: Mono, pause: Duration) -> bool {
        let last = self.looked_up.get(peer);
        let may = last.is_none_or(|last| now.since(*last) >= pause);
        if may {
            self.looked_up.insert(*peer, now);
        }
        may
    }

    pub(super) fn learned(&mut self, peer: &NodeId, addresses: Vec<Address>) {
        if let Some(wanted) = self.wanted.get_mut(peer) {
            wanted.learned = addresses;
        }
    }

    /// The DHT was asked: a visit where it says, if that is anywhere new.
    pub(super) fn looked_up(&mut self, peer: NodeId) -> Option<WhereaboutsOutput> {
        let wanted = self.wanted.get_mut(&peer)?;
        let mut addresses = core::mem::take(&mut wanted.learned);
        addresses.retain(|address| !wanted.tried.contains(address));
        if addresses.is_empty() {
            self.wanted.remove(&peer);
            return Some(WhereaboutsOutput::Unreachable { peer });
        }
        wanted.tried.extend_from_slice(&addresses);
        Some(WhereaboutsOutput::Visit { peer, addresses })
    }
}
