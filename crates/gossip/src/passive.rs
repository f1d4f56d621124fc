use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Address, BoundedVec, Mono, Rng};
use repute_identity::NodeId;
use repute_protocol::PeerHint;

use crate::{Gossip, Output};

/// How long a passive peer that we asked a link to is left alone.
const WANT_PAUSE: Duration = Duration::from_secs(30);

/// HyParView's passive view: replacements, known only by hearsay.
#[derive(Clone, Debug)]
pub(crate) struct Passive {
    peers: BTreeMap<NodeId, Candidate>,
    max: usize,
    /// Whether anybody was added since the last shuffle.
    pub(crate) news: bool,
}

#[derive(Clone, Debug)]
struct Candidate {
    addresses: Vec<Address>,
    wanted: Option<Mono>,
}

impl Passive {
    pub(crate) const fn new(max: usize) -> Self {
        Self {
            peers: BTreeMap::new(),
            max,
            news: true,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn contains(&self, id: &NodeId) -> bool {
        self.peers.contains_key(id)
    }

    /// Adds a peer; when full, a random one goes for it.
    pub(crate) fn add(&mut self, id: NodeId, addresses: Vec<Address>, rng: &mut Rng) {
        if let Some(known) = self.peers.get_mut(&id) {
            if !addresses.is_empty() {
                known.addresses = addresses;
            }
            return;
        }
        while self.peers.len() >= self.max.max(1) {
            let victim = rng.below(self.peers.len() as u64) as usize;
            let Some(victim) = self.peers.keys().nth(victim).copied() else {
                break;
            };
            self.peers.remove(&victim);
        }
        self.news = true;
        self.peers.insert(
            id,
            Candidate {
                addresses,
                wanted: None,
            },
        );
    }

    pub(crate) fn sample(&self, count: usize, rng: &mut Rng) -> Vec<PeerHint> {
        let ids: Vec<NodeId> = self.peers.keys().copied().collect();
        rng.sample(&ids, count)
            .into_iter()
            .filter_map(|id| self.hint(&id))
            .collect()
    }

    fn hint(&self, id: &NodeId) -> Option<PeerHint> {
        let addresses = &self.peers.get(id)?.addresses;
        Some(PeerHint {
            id: *id,
            addresses: BoundedVec::truncated(addresses.iter().copied()),
        })
    }

    pub(crate) fn remove(&mut self, id: &NodeId) {
        self.peers.remove(id);
    }

    /// A link to it was asked for, or has just ended.
    pub(crate) fn note_wanted(&mut self, id: &NodeId, now: Mono) {
        if let Some(candidate) = self.peers.get_mut(id) {
            candidate.wanted = Some(now);
        }
    }

    /// Those to whom no link was asked for lately.
    pub(crate) fn rested(&self, now: Mono) -> Vec<NodeId> {
        let rested = |peer: &Candidate| peer.wanted.is_none_or(|at| now.since(at) >= WANT_PAUSE);
        let peers = self.peers.iter().filter(|(_, peer)| rested(peer));
        peers.map(|(id, _)| *id).collect()
    }
}

impl Gossip {
    /// Hearsay that leads nowhere goes, and the next is tried at once, one for one: where most have
    /// died, a view full of the dead would hide the living for minutes.
    pub(crate) fn on_unreachable(&mut self, peer: NodeId) {
        let gone = self.passive.peers.remove(&peer);
        let wanted = gone.is_some_and(|candidate| candidate.wanted.is_some());
        if wanted && self.links.len() < 2 * self.config.active_size() {
            self.look_outside();
        }
    }

    pub(crate) fn want(&mut self, peer: NodeId) {
        let now = self.now.mono;
        if let Some(candidate) = self.passive.peers.get_mut(&peer) {
            candidate.wanted = Some(now);
            let addresses = candidate.addresses.clone();
            self.emit(Output::Want { peer, addresses });
        }
    }

    pub(crate) fn remember(&mut self, hint: &PeerHint) {
        if hint.id != self.me && !self.links.contains_key(&hint.id) {
            self.passive
                .add(hint.id, hint.addresses.to_vec(), &mut self.rng);
        }
    }

    /// Asks for a link beyond the active view: neighbours that know only each other are content,
    /// and would never look at whom else they have heard of.
    pub(crate) fn look_outside(&mut self) {
        let ready = self.passive.rested(self.now.mono);
        if let Some(peer) = self.rng.choose(&ready).copied() {
            self.want(peer);
        }
    }
}
