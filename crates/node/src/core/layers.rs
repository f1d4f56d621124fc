//! The eight layers that everything inbound passes, as one pipeline.
//!
//! | layer | asked by | what it costs |
//! | --- | --- | --- |
//! | transport | the shell's links | a header |
//! | standing | the shell's links, then [`Core::may_speak`] | a look in a set, before any decoding |
//! | content | the shell's links (form), then each engine (network, kind, time) | decoding |
//! | link quota | each engine, by the link that the frame came on | a token |
//! | cryptography | the shell, fairly between links | a signature |
//! | identity quota | each engine, by the author, once the signature holds | a token of the author's |
//! | identity | each engine: whether this author's word counts | a look at what is known of it |
//! | application | each engine, then the application | whatever it does |
//!
//! A layer counts what it was asked about: a frame without a signature goes from the link quota to
//! the application, and one with several signed things is counted once a thing from cryptography
//! on. Copies of what is known already are refused by nobody; they end behind the link quota.
//!
//! What is dear or spends something is done in this order. A look that is free may come early, and
//! then refuses under its own name: an author whose quota is spent is refused before its next
//! signature is checked. No quota of an author is spent by what that author did not sign.
//!
//! **A further engine** (the DHT, the directory) plugs in here. Its frames pass `Core::frame`, and
//! so standing and the form of content, before it sees them; its signatures are checked through
//! `Output::Verify` and counted when the answer comes. What it decides itself (content, link quota,
//! identity quota, identity) it counts in a [`Layers`] of its own, with one call where it decides:
//! `layers.pass(Layer::IdentityQuota)` or `layers.refuse(Layer::IdentityQuota, "one a minute")`.
//! [`Core::layers`] adds it to the others. What it tells as misbehaviour is counted by the core,
//! unless it counts that itself ([`layer_of`]).

use repute_base::{Layer, Layers};
use repute_dht::DirectoryRefusal;
use repute_identity::NodeId;
use repute_protocol::{Misbehaviour, RecordError};

use super::{Core, Output};

/// Peers that are shut out at the link; beyond it, those who are banned are still turned away when
/// their handshake is judged. Twice what the peers engine remembers of closed gates.
const SHUT_OUT_MAX: usize = 4_096;

impl Core {
    /// What each layer let through and refused, all engines together. The shell adds what its
    /// links, which stand before this core, let through and refused.
    pub fn layers(&self) -> Layers {
        let mut all = self.layers.clone();
        all.add(self.peers.layers());
        all.add(self.gossip.layers());
        self.add_dht(&mut all);
        self.add_blobs(&mut all);
        all
    }

    /// The second layer, for what was read before a gate closed: nothing more of that peer is looked
    /// at.
    pub(super) fn may_speak(&mut self, peer: &NodeId) -> bool {
        let shut_out = self.shut_out.contains(peer);
        if shut_out {
            self.layers
                .refuse(Layer::Standing, "its gate closed while this waited");
        }
        !shut_out
    }

    /// Keeps the second layer of the shell's links in step with the gates.
    pub(super) fn gate(&mut self, peer: NodeId, closed: bool) {
        let changed = if closed {
            self.shut_out.len() < SHUT_OUT_MAX && self.shut_out.insert(peer)
        } else {
            self.shut_out.remove(&peer)
        };
        if changed {
            self.output(Output::ShutOut {
                peer,
                shut_out: closed,
            });
        }
    }

    /// Counts a rule broken, under the layer that found it.
    pub(super) fn count_misbehaviour(&mut self, kind: Misbehaviour) {
        if let Some(layer) = layer_of(kind) {
            self.layers.refuse(layer, kind.name());
        }
    }

    fn add_dht(&self, all: &mut Layers) {
        if let Some(dht) = self.dht() {
            let stats = dht.stats();
            all.refuse_many(Layer::Content, "of another network", stats.refused_foreign);
            for error in RecordError::ALL {
                all.refuse_many(Layer::Content, error.name(), stats.refused_for(error));
            }
            all.refuse_many(
                Layer::LinkQuota,
                "requests beyond the budget",
                stats.over_budget,
            );
            all.refuse_many(
                Layer::IdentityQuota,
                "advertised too soon",
                stats.refused_hasty,
            );
            all.refuse_many(
                Layer::Application,
                "older than what is kept",
                stats.refused_older,
            );
            all.refuse_many(Layer::Application, "no room", stats.refused_full);
            all.pass_many(Layer::Application, stats.stored);
        }
        if let Some(directory) = self.directory() {
            let counters = directory.counters();
            for reason in DirectoryRefusal::ALL {
                let layer = match reason {
                    DirectoryRefusal::Invalid
                    | DirectoryRefusal::Foreign
                    | DirectoryRefusal::Untimely => Layer::Content,
                    DirectoryRefusal::Pace | DirectoryRefusal::Flood => Layer::IdentityQuota,
                    DirectoryRefusal::Barred => Layer::Identity,
                    // Counted where the answer about the signature comes in.
                    DirectoryRefusal::Forged => continue,
                    _ => Layer::Application,
                };
                all.refuse_many(layer, reason.name(), counters.refused(reason));
            }
            all.pass_many(Layer::Application, counters.taken);
        }
    }
}

/// Which layer finds out; none where whoever tells of it counts it each time.
pub(super) const fn layer_of(kind: Misbehaviour) -> Option<Layer> {
    match kind {
        Misbehaviour::ConnectionFlood => Some(Layer::Transport),
        Misbehaviour::MalformedFrame
        | Misbehaviour::OversizedFrame
        | Misbehaviour::UnexpectedFrame
        | Misbehaviour::MalformedReconcile
        | Misbehaviour::FromTheFuture
        | Misbehaviour::WrongNetwork => Some(Layer::Content),
        Misbehaviour::ForgedReceipt => Some(Layer::Cryptography),
        Misbehaviour::ForeignRecord | Misbehaviour::Equivocation => Some(Layer::Identity),
        Misbehaviour::MalformedPayload => Some(Layer::Application),
        _ => None,
    }
}
