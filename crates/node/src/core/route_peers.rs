//! The peers engine's outputs, and what they mean to the others.

use alloc::vec;

use repute_base::Timestamp;
use repute_identity::NodeId;
use repute_peers::{
    DialFailure, Event as PeersEvent, Output as Peers, PeerEvidence, Write as PeersWrite,
};
use repute_protocol::{EnvelopeKind, Payload};
use repute_trust::{Evidence, Fault, Level};

use super::{Core, Event, Output, Priority, Write};

/// The token of our own address record; tokens of publishes count from the other end.
pub(super) const OWN_RECORD: u64 = u64::MAX;

impl Core {
    pub(super) fn route_peers(&mut self, now: Timestamp, output: Peers) {
        match output {
            Peers::Dial { peer, addresses } => self.output(Output::Dial { peer, addresses }),
            Peers::Send { peer, frame } => {
                let frame = frame.encode();
                self.output(Output::Send {
                    peer,
                    frame,
                    priority: Priority::Control,
                });
            }
            // A link that a newer one replaced is gone already.
            Peers::Close {
                peer,
                link,
                disconnect,
            } if self
                .links
                .get(&peer)
                .is_some_and(|(known, _)| *known == link) =>
            {
                let disconnect = self.reasoned(now, peer, disconnect);
                self.output(Output::Close { peer, disconnect });
            }
            Peers::PeerUp {
                peer,
                addresses,
                inbound,
                capabilities,
                ..
            } => {
                self.dht_link_up(now, peer, addresses.clone(), inbound, &capabilities);
                self.tell_gossip(repute_gossip::Input::PeerUp { peer, addresses });
                if !inbound {
                    self.tell_gossip(repute_gossip::Input::Dialled { peer });
                    self.probed(peer, true, Fault::Theirs);
                }
                self.tell_gossip_of(now, peer);
                self.receipts_link_up(peer);
                self.blobs_link_up(now, peer);
                self.ask_for_recommendations(now, peer);
                self.event(Event::Connected { peer });
            }
            Peers::VisitFailed { peer } => {
                self.tell_dht(repute_dht::Input::Unreachable { peer });
                self.tell_whereabouts(repute_blobs::WhereaboutsInput::VisitFailed { peer });
            }
            Peers::PeerDown { peer } => {
                self.tell_dht(repute_dht::Input::LinkDown { peer });
                self.tell_directory(repute_dht::DirectoryInput::LinkDown { peer });
                self.blobs_link_down(peer);
                self.tell_gossip(repute_gossip::Input::PeerDown { peer });
            }
            Peers::Verify { from, envelope } => self.output(Output::Verify { from, envelope }),
            Peers::SignRecord(record) => {
                let payload = Payload::AddressRecord(record);
                self.sign(now, EnvelopeKind::AddressRecord, OWN_RECORD, &payload);
            }
            Peers::Persist(write) => {
                let write = match write {
                    PeersWrite::Peer(peer) => Write::Peer(peer),
                    PeersWrite::Forget(peer) => Write::ForgetPeer(peer),
                    PeersWrite::Anchors(peers) => Write::Anchors(peers),
                    _ => return,
                };
                self.persist(vec![write]);
            }
            Peers::Evidence { peer, evidence } => match evidence {
                PeerEvidence::Timeout => self.observe(peer, Evidence::Timeout, Fault::Theirs),
                PeerEvidence::AnsweredRequest => {
                    self.observe(peer, Evidence::Useful, Fault::Theirs);
                }
                _ => {}
            },
            Peers::Misbehaviour { peer, kind } => self.misbehaved(peer, kind),
            Peers::Appealing(appealing) => self.output(Output::Appealing(appealing)),
            Peers::Event(event) => self.peers_event(now, event),
            _ => {}
        }
    }

    fn peers_event(&mut self, now: Timestamp, event: PeersEvent) {
        match event {
            PeersEvent::Disconnected { peer, reason } => {
                self.event(Event::Disconnected { peer, reason });
            }
            PeersEvent::DialFailed {
                peer,
                cause: DialFailure::Unreachable | DialFailure::WrongIdentity,
            } => {
                self.dial_missed(peer);
                self.tell_gossip(repute_gossip::Input::Unreachable { peer });
            }
            PeersEvent::Discovered { peer, .. } => self.event(Event::Discovered { peer }),
            PeersEvent::Silent { peer, blamed } => {
                let fault = if blamed {
                    Fault::Theirs
                } else {
                    Fault::Network
                };
                self.probed(peer, false, fault);
                self.event(Event::Silent { peer });
            }
            other => self.policy_event(now, other),
        }
    }

    /// Gossip learns a score because the core hands it over.
    pub(super) fn tell_gossip_of(&mut self, now: Timestamp, peer: NodeId) {
        let standing = self.trust.standing(peer, now.wall);
        let distrusted = standing.level == Level::Distrusted;
        self.tell_gossip(repute_gossip::Input::Trust {
            peer,
            trust: standing.trust,
            distrusted,
        });
    }
}
