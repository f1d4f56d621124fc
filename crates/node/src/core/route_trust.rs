//! The ledger's outputs, and what they mean to the others.

use alloc::vec;

use repute_base::{Fixed, Timestamp};
use repute_identity::NodeId;
use repute_trust::{Event as TrustEvent, Level, Output as Trust, Standing, Write as TrustWrite};

use super::{Core, Event, Write};

impl Core {
    pub(super) fn route_trust(&mut self, now: Timestamp, output: Trust) {
        match output {
            Trust::Persist(write) => {
                self.tell_history_of(&write);
                let write = match write {
                    TrustWrite::Record(record) => Write::Record(record),
                    TrustWrite::Checkpoint { up_to, record, .. } => {
                        Write::Checkpoint { up_to, record }
                    }
                    TrustWrite::Forget(subject) => Write::ForgetRecords(subject),
                    TrustWrite::Ban(ban) => Write::Ban(ban),
                    TrustWrite::Unban(subject) => Write::Unban(subject),
                    TrustWrite::Heard(record) => Write::Heard(record),
                    TrustWrite::SourceCheckpoint(record) => Write::SourceCheckpoint(record),
                    TrustWrite::ForgetSource(source) => Write::ForgetSource(source),
                    _ => return,
                };
                let id = self.persist(vec![write]);
                self.acknowledge_with(id);
            }
            Trust::Standing { subject, standing } => {
                self.tell_history(repute_trust::ChronicleInput::Standing { subject, standing });
                self.gate(subject, standing.gate.is_closed());
                self.tell_peers(standing_input(subject, &standing));
                self.tell_dht_standing(subject, standing.trust, standing.gate.is_closed());
                self.tell_blobs_standing(subject, &standing);
                let distrusted = standing.level == Level::Distrusted;
                self.tell_gossip(repute_gossip::Input::Trust {
                    peer: subject,
                    trust: standing.trust,
                    distrusted,
                });
            }
            Trust::Event(event) => self.trust_event(now, event),
            _ => {}
        }
    }

    fn trust_event(&mut self, now: Timestamp, event: TrustEvent) {
        match event {
            TrustEvent::LevelChanged { subject, from, to } => {
                self.event(Event::LevelChanged {
                    peer: subject,
                    from,
                    to,
                });
            }
            TrustEvent::Warned { subject, kind } => {
                self.event(Event::Warned {
                    peer: subject,
                    kind,
                });
            }
            TrustEvent::Recommended {
                source,
                subject,
                value,
            } => self.event(Event::Recommended {
                by: source,
                peer: subject,
                value,
            }),
            TrustEvent::SourceWithdrawn { source } => {
                self.event(Event::SourceWithdrawn { source });
            }
            TrustEvent::Banned(ban) => self.event(Event::Banned(ban)),
            TrustEvent::Unbanned { subject } => {
                self.dismiss(subject);
                self.event(Event::Unbanned {
                    peer: subject,
                    at: now.wall,
                });
            }
            _ => {}
        }
    }
}

/// A standing, in the words of the peers engine.
pub(super) fn standing_input(peer: NodeId, standing: &Standing) -> repute_peers::Input {
    repute_peers::Input::Standing {
        peer,
        trust: standing.trust,
        gate_open: !standing.gate.is_closed(),
        useful: standing.belief > Fixed::ZERO,
    }
}
