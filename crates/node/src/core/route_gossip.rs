//! Gossip's outputs, and what they mean to the others.

use alloc::vec;

use repute_base::Timestamp;
use repute_gossip::{Event as GossipEvent, Output as Gossip};
use repute_protocol::EnvelopeKind;
use repute_trust::{Context, Evidence, Fault};

use super::{Core, Event, Output, Priority, Write, route_hearsay::is_hearsay};

impl Core {
    pub(super) fn route_gossip(&mut self, now: Timestamp, output: Gossip) {
        match output {
            Gossip::Send {
                peer,
                frame,
                urgent,
            } => {
                let priority = match urgent {
                    true => Priority::Control,
                    false => Priority::Bulk,
                };
                self.output(Output::Send {
                    peer,
                    frame,
                    priority,
                });
            }
            Gossip::Verify { from, envelope } => self.output(Output::Verify { from, envelope }),
            Gossip::Sign { token, payload } => {
                self.sign(now, EnvelopeKind::Message, token, &payload);
            }
            Gossip::Deliver {
                envelope, message, ..
            } if self.is_hearing(&message.topic) => {
                self.recommendation_by_gossip(now, envelope.author(), &message);
            }
            Gossip::Deliver {
                envelope, message, ..
            } if self.is_browsing(&message.topic) => {
                self.advertised_by_gossip(envelope.author(), &message);
            }
            Gossip::Deliver {
                envelope, message, ..
            } if self.is_announcing(&message.topic) => {
                self.announced_by_gossip(envelope.author(), &message);
            }
            Gossip::Deliver {
                envelope, message, ..
            } => {
                self.event(Event::Message { envelope, message });
            }
            Gossip::Want { peer, addresses } => {
                self.tell_peers(repute_peers::Input::Found { peer, addresses });
                self.tell_peers(repute_peers::Input::Wanted { peer });
            }
            Gossip::Active { peers } => self.tell_peers(repute_peers::Input::Protected { peers }),
            Gossip::Persist { rows } => {
                self.persist(vec![Write::Seen(rows)]);
            }
            Gossip::Hold { peers } => self.output(Output::Hold { peers }),
            Gossip::Useful { peer } => {
                self.message_served(now, peer);
                self.observe(peer, Evidence::Useful, Fault::Theirs);
            }
            Gossip::Misbehaviour { peer, kind } => self.misbehaved(peer, kind),
            Gossip::Event(event) => self.gossip_event(event),
            _ => {}
        }
    }

    fn gossip_event(&mut self, event: GossipEvent) {
        match event {
            // Nobody waits for these.
            GossipEvent::Published { token, .. } | GossipEvent::Refused { token }
                if is_hearsay(token) => {}
            GossipEvent::Published { token, id } => self.event(Event::Published { token, id }),
            GossipEvent::Refused { token } => {
                self.event(Event::PublishRefused {
                    token,
                    reason: "too many messages wait to leave",
                });
            }
            GossipEvent::Ready => self.event(Event::PublishReady),
            _ => {}
        }
    }

    pub(super) fn observe(
        &mut self,
        subject: repute_identity::NodeId,
        evidence: Evidence,
        fault: Fault,
    ) {
        self.observe_as(Context::Network, subject, evidence, fault);
    }

    /// The same of what a peer did in another role.
    pub(super) fn observe_as(
        &mut self,
        context: Context,
        subject: repute_identity::NodeId,
        evidence: Evidence,
        fault: Fault,
    ) {
        self.tell_trust(repute_trust::Input::Observe {
            subject,
            context,
            evidence,
            fault,
        });
    }

    /// A rule was broken by the peer itself: evidence, and news for the application.
    pub(super) fn misbehaved(
        &mut self,
        peer: repute_identity::NodeId,
        kind: repute_protocol::Misbehaviour,
    ) {
        self.count_misbehaviour(kind);
        self.accuse(peer, kind);
    }

    /// The same of what the shell's links found, and counted.
    pub(super) fn accuse(
        &mut self,
        peer: repute_identity::NodeId,
        kind: repute_protocol::Misbehaviour,
    ) {
        self.event(Event::Misbehaved { peer, kind });
        self.observe(peer, Evidence::Invalid(kind), Fault::Theirs);
    }
}
