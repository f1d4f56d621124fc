use repute_base::{Address, Layer, Layers, Wall};
use repute_identity::NodeId;
use repute_peers::{PeerState, PeerView};
use repute_trust::{Entry, Standing};

use crate::Core;

/// How a node is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Who it is.
    pub id: NodeId,
    /// Where it listens.
    pub listen: Vec<Address>,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Its wall clock.
    pub wall: Wall,
    /// Peers in the address book.
    pub peers_known: usize,
    /// Links admitted by both ends.
    pub peers_active: usize,
    /// Subjects in the ledger.
    pub subjects: usize,
    /// Gates that are closed.
    pub bans: usize,
    /// What gossip counts.
    pub gossip: repute_gossip::Stats,
    /// What the links count.
    pub transport: repute_transport::Stats,
    /// How the store is.
    pub store: repute_storage::Health,
    /// What each of the eight layers let through and refused.
    pub layers: Layers,
    /// What became of discovery.
    pub discovery: super::DiscoveryStats,
    /// Messages that slow subscribers lost.
    pub lost_deliveries: u64,
    /// Frames that found no link or a full queue.
    pub unsent: u64,
    /// Writes that the store refused.
    pub failed_writes: u64,
    /// Signature checks put off because their sender had too many waiting.
    pub unchecked: u64,
    /// Tasks of links that panicked; zero unless this program has a defect.
    pub panics: u64,
}

/// What the links, which stand before the core, let through and refused, added to the core's own.
pub(super) fn layers(core: &Core, links: &repute_transport::Stats, lost: u64) -> Layers {
    let mut all = core.layers();
    let whole = links.frames_in + links.frames_unknown + links.frames_shut_out;
    let late = all.refused(Layer::Standing);
    let heard = (links.frames_in + links.frames_unknown).saturating_sub(late);
    for (layer, count) in [(Layer::Transport, whole), (Layer::Standing, heard)] {
        all.pass_many(layer, count);
    }
    for (layer, reason, count) in [
        (
            Layer::Transport,
            "connections beyond a limit",
            links.refused,
        ),
        (
            Layer::Transport,
            "connections without a handshake",
            links.handshakes_failed,
        ),
        (Layer::Transport, "broken framing", links.framing_broken),
        (
            Layer::Transport,
            "datagrams beyond a limit",
            links.datagrams_dropped,
        ),
        (
            Layer::Standing,
            "connections from barred addresses",
            links.barred,
        ),
        (
            Layer::Standing,
            "frames of the banned, not decoded",
            links.frames_shut_out,
        ),
        (Layer::Content, "malformed-frame", links.frames_malformed),
        (Layer::Content, "unexpected-frame", links.frames_unexpected),
        (
            Layer::Content,
            "of a kind not known here",
            links.frames_unknown,
        ),
        (Layer::Application, "a subscriber was too slow", lost),
    ] {
        all.refuse_many(layer, reason, count);
    }
    all
}

/// A peer, and what is thought of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStatus {
    /// What the address book and the link say.
    pub view: PeerView,
    /// What the ledger says.
    pub standing: Standing,
    /// What filters and sorts look at.
    pub entry: Entry,
}

impl PeerStatus {
    pub(super) fn of(core: &Core, view: PeerView, wall: Wall) -> Self {
        Self {
            standing: core.trust().standing(view.id, wall),
            entry: super::insight::entry(core, view.id, wall),
            view,
        }
    }

    /// Whether both ends have admitted a link.
    pub fn is_active(&self) -> bool {
        self.view.state == PeerState::Active
    }
}
