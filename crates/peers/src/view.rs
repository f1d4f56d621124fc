use alloc::vec::Vec;

use repute_base::{Address, BoundedString, Fixed, Wall};
use repute_identity::{Inception, NodeId};
use repute_protocol::{Capability, Support, limits::TEXT_MAX};

use crate::{Peers, book::Entry, reach::Group};

/// How far a peer is. It is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerState {
    /// Heard of, without a link.
    Known,
    /// Being dialled, or the link waits for one end's admission.
    Connecting,
    /// Both ends admitted the link.
    Active,
}

/// What is known about a peer, for display and the control interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Who.
    pub id: NodeId,
    /// How far.
    pub state: PeerState,
    /// Where to dial, best first.
    pub addresses: Vec<Address>,
    /// The record behind the id, if it has been seen.
    pub inception: Option<Inception>,
    /// The trust last reported; one half for strangers.
    pub trust: Fixed,
    /// When there was last a sign of life.
    pub last_seen: Wall,
    /// When a link last stood.
    pub last_connected: Option<Wall>,
    /// Failed attempts since then.
    pub failures: u16,
    /// What it can do; `None` until it shook hands.
    pub capabilities: Option<Vec<Capability>>,
    /// Whether the operator named it.
    pub joined: bool,
    /// Whether it is dialled first after a restart.
    pub anchor: bool,
    /// Its link, if there is one.
    pub link: Option<LinkView>,
}

/// What is known about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// Where the other end is seen.
    pub remote: Address,
    /// Whether the other end dialled.
    pub inbound: bool,
    /// When it came up.
    pub since: Wall,
    /// The last round trip of a probe, in ms.
    pub latency_ms: Option<u64>,
    /// Whether it missed probes and has not been heard since.
    pub suspected: bool,
    /// The other end's software; escape before showing.
    pub agent: BoundedString<TEXT_MAX>,
}

impl PeerView {
    /// Whether the peer has `capability`, as far as is known.
    pub fn support(&self, capability: Capability) -> Support {
        match &self.capabilities {
            None => Support::Unknown,
            Some(list) if list.contains(&capability) => Support::Supported,
            Some(_) => Support::NotSupported,
        }
    }
}

impl Peers {
    /// How far a peer is; `None` if it is unknown.
    pub fn state(&self, peer: NodeId) -> Option<PeerState> {
        self.book.get(&peer)?;
        Some(match self.links.get(&peer) {
            Some(link) if link.admitted => PeerState::Active,
            Some(_) => PeerState::Connecting,
            None if self.dialling.is_under_way(&peer) => PeerState::Connecting,
            None => PeerState::Known,
        })
    }

    /// All known peers, by id.
    pub fn iter(&self) -> impl Iterator<Item = PeerView> {
        self.book.iter().map(|(id, entry)| self.view_of(*id, entry))
    }

    /// What is known about one peer.
    pub fn view(&self, peer: NodeId) -> Option<PeerView> {
        self.book.get(&peer).map(|entry| self.view_of(peer, entry))
    }

    /// What the layers let through and refused here. Broken rules are told as
    /// [`Output::Misbehaviour`](crate::Output::Misbehaviour) and counted by whoever hears it, but
    /// for exceeded budgets, which are told rarely and counted here each time.
    pub fn layers(&self) -> &repute_base::Layers {
        &self.layers
    }

    /// The active peers, by id.
    pub fn active(&self) -> impl Iterator<Item = NodeId> {
        self.links
            .iter()
            .filter(|(_, link)| link.admitted)
            .map(|(id, _)| *id)
    }

    /// The share of active links that go to the address prefix group that `peer` is in; zero when
    /// no address of it is known.
    pub fn crowding(&self, peer: NodeId) -> Fixed {
        let strict = self.config.loopback_strict;
        let link = self.links.get(&peer).map(|link| link.remote);
        let known = || self.book.get(&peer)?.addresses.first().copied();
        let Some(group) = link.or_else(known).map(|at| Group::of(&at, strict)) else {
            return Fixed::ZERO;
        };
        let (mut all, mut together) = (0, 0);
        for link in self.links.values().filter(|link| link.admitted) {
            all += 1;
            together += i64::from(Group::of(&link.remote, strict) == group);
        }
        Fixed::ratio(together, all)
    }

    fn view_of(&self, id: NodeId, entry: &Entry) -> PeerView {
        PeerView {
            id,
            state: self.state(id).unwrap_or(PeerState::Known),
            addresses: entry.addresses.clone(),
            inception: entry.inception,
            trust: entry.trust,
            last_seen: entry.last_seen,
            last_connected: entry.last_connected,
            failures: entry.failures,
            capabilities: entry.capabilities.as_ref().map(|list| list.to_vec()),
            joined: entry.joined,
            anchor: entry.anchor,
            link: self.links.get(&id).map(|link| LinkView {
                remote: link.remote,
                inbound: link.inbound,
                since: link.since_wall,
                latency_ms: link.latency_ms,
                suspected: self.detector.suspects(&id),
                agent: link.agent.clone(),
            }),
        }
    }
}
