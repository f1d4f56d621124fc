//! Through whom we have heard of a peer, back to somebody whom we did not choose by hearsay.
//!
//! Whoever answers first would else choose all links: the hints of one hostile ticket lead to more
//! of its kind, who all hint at each other. So what is told by whom a named peer told of counts as
//! told by that named peer, and each named peer is owed some links of its telling.

use alloc::collections::BTreeMap;

use repute_identity::NodeId;

use crate::{
    Peers,
    book::{Entry, source_of},
};

/// The root of peers that came to our door by themselves, and of all that they tell of.
const CAME: u32 = 1;
/// The least share of a named peer, in links, its own included.
const SHARE_MIN: usize = 3;

/// Dials that failed in a row, after which a named peer is owed nothing.
const FAILURES_MAX: u16 = 3;

/// How many links of its telling a named peer lacks, by its root.
pub(crate) type Owed = BTreeMap<u32, usize>;

impl Peers {
    /// The root of what this peer tells: itself if it is named, else the root of its own entry.
    pub(crate) fn root_through(&self, informer: NodeId) -> u32 {
        let entry = self.book.get(&informer);
        entry.map_or(CAME, |entry| root_of(&informer, entry))
    }

    /// Notes through whom a peer that is new was heard of; without an informer, it came by itself.
    pub(crate) fn trace(&mut self, peer: NodeId, informer: Option<NodeId>) {
        let root = informer.map_or(CAME, |informer| self.root_through(informer));
        if let Some(entry) = self.book.get_mut(&peer) {
            entry.root = root;
        }
    }

    /// The named peers that have fewer outbound links of their telling than their share, dials
    /// under way included. Their own link counts whoever dialled it; who cannot be reached again
    /// and again is owed nothing.
    pub(crate) fn owed(&self) -> Owed {
        let alive = |id: &NodeId, entry: &Entry| {
            entry.joined && (entry.failures < FAILURES_MAX || self.links.contains_key(id))
        };
        let named = self.book.iter().filter(|(id, entry)| alive(id, entry));
        let mut owed: Owed = named.map(|(id, _)| (source_of(*id), 0)).collect();
        let many = owed.len().max(2);
        let slots = self.config.outbound_slots;
        let share = (self.config.min_peers.min(slots) / many)
            .max(SHARE_MIN)
            .min(slots / many);
        owed.values_mut().for_each(|lacks| *lacks = share);
        let linked = self.links.iter().map(|(id, link)| (id, link.inbound));
        let dialled = self.dialling.peers().map(|id| (id, false));
        for (id, inbound) in linked.chain(dialled) {
            let Some(entry) = self.book.get(id) else {
                continue;
            };
            if inbound && !entry.joined {
                continue;
            }
            if let Some(lacks) = owed.get_mut(&root_of(id, entry)) {
                *lacks = lacks.saturating_sub(1);
            }
        }
        owed.retain(|_, lacks| *lacks > 0);
        owed
    }

    /// Slots that are kept from others for what named peers are owed. Half at most: if they all tell
    /// of the same nodes, these count for the first that told, and what the others are owed never
    /// comes. Gossip must get the links it wants nevertheless.
    pub(crate) fn kept_for(&self, owed: &Owed) -> usize {
        let lacking: usize = owed.values().sum();
        lacking.min(self.config.outbound_slots / 2)
    }
}

/// Through whom a peer was heard of at first; a named one through itself.
pub(crate) fn root_of(id: &NodeId, entry: &Entry) -> u32 {
    if entry.joined {
        source_of(*id)
    } else {
        entry.root
    }
}
