//! What links bring, and who must hear of it.

use repute_base::{Address, Layer, Timestamp};
use repute_identity::NodeId;
use repute_peers::LinkId;
use repute_protocol::{Envelope, EnvelopeKind, Frame, FromPeer, Misbehaviour, Verified};

use super::{Core, Event, Input, route_trust::standing_input};

impl Core {
    pub(super) fn link_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::LinkUp {
                peer,
                handshake,
                remote,
                inbound,
            } => {
                self.records.insert(peer, handshake.inception);
                self.tell_peers_of(now, peer);
                let link = self.name_link(peer, remote);
                self.tell_peers(repute_peers::Input::LinkUp {
                    peer,
                    link,
                    handshake,
                    remote,
                    inbound,
                });
            }
            Input::LinkDown { peer, cause } => {
                self.records.remove(&peer);
                self.hearing.link_down(&peer);
                if let Some((link, _)) = self.links.remove(&peer) {
                    self.tell_peers(repute_peers::Input::LinkDown { peer, link, cause });
                }
            }
            Input::DialFailed { peer, cause } => {
                self.tell_peers(repute_peers::Input::DialFailed { peer, cause });
            }
            Input::Frame(frame) => self.frame(now, frame),
            Input::Violation { peer, kind } => self.accuse(peer, kind),
            Input::Drained { peer, bytes } => {
                self.tell_gossip(repute_gossip::Input::LinkQueue { peer, bytes });
            }
            Input::Verified { from, envelope } => self.verified(now, from, envelope),
            Input::Forged { from, envelope } => self.forged(from, envelope),
            Input::Listening { addresses } => {
                self.dht_listening(addresses.clone());
                self.tell_whereabouts(repute_blobs::WhereaboutsInput::Listening {
                    addresses: addresses.clone(),
                });
                self.tell_peers(repute_peers::Input::Listening { addresses });
            }
            Input::Unchecked { from, envelope } if envelope.kind() == EnvelopeKind::Record => {
                self.record_unchecked(from, envelope);
            }
            // Peers forget a record that is never answered for, and nobody waits for a
            // recommendation.
            Input::Unchecked { from, envelope }
                if !matches!(
                    envelope.kind(),
                    EnvelopeKind::AddressRecord | EnvelopeKind::Recommendation
                ) =>
            {
                self.tell_gossip(repute_gossip::Input::Unchecked { from, envelope });
            }
            Input::Shutdown => {
                self.tell_history(repute_trust::ChronicleInput::Save);
                self.tell_blobs(repute_blobs::Input::Shutdown);
                self.tell_dht(repute_dht::Input::Shutdown);
                self.tell_gossip(repute_gossip::Input::Shutdown);
                self.tell_peers(repute_peers::Input::Shutdown);
            }
            _ => {}
        }
    }

    fn verified(&mut self, now: Timestamp, from: NodeId, envelope: Verified<Envelope>) {
        self.layers.pass(Layer::Cryptography);
        match envelope.kind() {
            EnvelopeKind::AddressRecord => {
                self.tell_peers(repute_peers::Input::RecordVerified(envelope));
            }
            EnvelopeKind::Recommendation => self.recommendation_verified(now, &envelope),
            EnvelopeKind::Record => self.record_verified(from, envelope),
            _ => self.tell_gossip(repute_gossip::Input::Verified { from, envelope }),
        }
    }

    fn forged(&mut self, from: NodeId, envelope: Envelope) {
        self.layers
            .refuse(Layer::Cryptography, "the signature does not hold");
        match envelope.kind() {
            EnvelopeKind::AddressRecord => {
                self.tell_peers(repute_peers::Input::RecordForged { from });
            }
            EnvelopeKind::Recommendation => {
                self.misbehaved(from, Misbehaviour::ForgedEnvelope);
            }
            EnvelopeKind::Record => self.record_forged(from, envelope),
            _ => self.tell_gossip(repute_gossip::Input::Forged { from, envelope }),
        }
    }

    /// The shell has one link to a peer at most; each new one gets its own number.
    fn name_link(&mut self, peer: NodeId, remote: Address) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(peer, (link, remote));
        link
    }

    fn frame(&mut self, now: Timestamp, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        if !self.may_speak(&peer) {
            return;
        }
        // Gossip looks at more than the form.
        if !matches!(frame.value(), Frame::Broadcast(_) | Frame::Gossip(_)) {
            self.layers.pass(Layer::Content);
        }
        match frame.value() {
            Frame::Broadcast(_) | Frame::Gossip(_) => {
                self.tell_peers(repute_peers::Input::Heard { peer });
                self.tell_gossip(repute_gossip::Input::Frame(frame));
            }
            Frame::Receipt(_) => {
                self.tell_peers(repute_peers::Input::Heard { peer });
                self.receipt_frame(frame);
            }
            Frame::Dht(_) => {
                self.tell_peers(repute_peers::Input::Heard { peer });
                self.dht_frame(frame);
            }
            Frame::Blob(_) => {
                self.tell_peers(repute_peers::Input::Heard { peer });
                self.blob_frame(frame);
            }
            Frame::CustomData(_) => {
                self.tell_peers(repute_peers::Input::Heard { peer });
                self.custom(frame);
            }
            Frame::TrustedPeersRequest(_)
            | Frame::TrustedPeersResponse(_)
            | Frame::TrustUpdate(_) => {
                self.tell_peers(repute_peers::Input::Heard { peer });
                self.hearsay_frame(now, frame);
            }
            _ => self.tell_peers(repute_peers::Input::Frame(frame)),
        }
    }

    fn custom(&mut self, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        if let Frame::CustomData(data) = frame.into_value() {
            self.layers.pass(Layer::Application);
            self.event(Event::Custom(FromPeer::authenticated(peer, data)));
        }
    }

    /// The peers engine must know a standing before it judges a link.
    pub(super) fn tell_peers_of(&mut self, now: Timestamp, peer: NodeId) {
        let standing = self.trust.standing(peer, now.wall);
        self.tell_peers(standing_input(peer, &standing));
    }
}
