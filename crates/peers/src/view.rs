use alloc::vec::Vec;

use repute_base::{Address, BoundedString, Fixed, Wall};
use repute_identity::{Inception, NodeId};
use repute_protocol::{Capability, Support, limits::TEXT_MAX};

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
