//! What the application and the operator ask for.

use alloc::vec::Vec;

use repute_base::{Address, BoundedBytes, BoundedVec, Timestamp};
use repute_dht::Input as DhtInput;
use repute_protocol::{
    AddressRecord, DisconnectReason, Envelope, EnvelopeKind, Frame, Payload, Verified,
};
use repute_trust::ReceiptsInput;

use super::{Command, Core, Event, Output, PersistId, Priority, route_peers::OWN_RECORD};

impl Core {
    pub(super) fn command(&mut self, now: Timestamp, command: Command) {
        match command {
            Command::Join { peer, addresses } => {
                self.tell_peers(repute_peers::Input::Join { peer, addresses });
            }
            Command::Found { peer, addresses } => {
                self.tell_peers_of(now, peer);
                self.tell_peers(repute_peers::Input::Found { peer, addresses });
            }
            Command::Publish {
                token,
                topic,
                kind,
                causal,
                data,
            } => match BoundedBytes::new(data) {
                Ok(data) => self.tell_gossip(repute_gossip::Input::Publish {
                    topic,
                    kind,
                    data,
                    causal,
                    token,
                }),
                Err(_) => self.event(Event::PublishRefused {
                    token,
                    reason: "the message is longer than 64 KiB: share it as a file",
                }),
            },
            Command::Subscribe { topic, causal } => {
                self.tell_gossip(repute_gossip::Input::Subscribe { topic, causal });
            }
            // The node itself listens there.
            Command::Unsubscribe { topic }
                if self.is_hearing(&topic)
                    || self.is_browsing(&topic)
                    || self.is_announcing(&topic) => {}
            Command::Unsubscribe { topic } => {
                self.tell_gossip(repute_gossip::Input::Unsubscribe { topic });
            }
            Command::SendCustom { peer, data } => {
                let frame = Frame::CustomData(data).encode();
                self.output(Output::Send {
                    peer,
                    frame,
                    priority: Priority::Bulk,
                });
            }
            command @ (Command::Ban { .. }
            | Command::Unban { .. }
            | Command::Blacklist { .. }
            | Command::Appeal { .. }
            | Command::Dismiss { .. }) => self.policy_command(now, command),
            Command::Sample {
                subject,
                sample,
                fault,
            } => self.tell_history(repute_trust::ChronicleInput::Sample {
                subject,
                sample,
                fault,
            }),
            // Frames, links and signatures come from the shell alone.
            Command::Receipts(
                input @ (ReceiptsInput::Served { .. }
                | ReceiptsInput::Open { .. }
                | ReceiptsInput::Failed { .. }
                | ReceiptsInput::Ask { .. }
                | ReceiptsInput::Own(_)),
            ) => self.tell_receipts(input),
            Command::Receipts(_) => {}
            Command::Recommend {
                token,
                subject,
                value,
                reason,
            } => self.recommend(now, token, (subject, value), reason),
            Command::Withdraw {
                token,
                source,
                readmit,
            } => self.withdraw(now, token, source, readmit),
            Command::SignRecord { token, addresses } => {
                self.sign_listening(now, token, addresses);
            }
            // Links, frames and verdicts come from the shell alone.
            Command::Dht(
                input @ (DhtInput::Lookup { .. }
                | DhtInput::Find { .. }
                | DhtInput::Publish { .. }
                | DhtInput::Retract { .. }
                | DhtInput::Put { .. }),
            ) => self.tell_dht(input),
            Command::Dht(_) => {}
            Command::Directory(input) => self.directory_command(now, input),
            Command::Disconnect { peer } => {
                let reason = DisconnectReason::Requested;
                self.tell_peers(repute_peers::Input::Drop { peer, reason });
            }
        }
    }

    /// This node's word where it listens, for others to keep.
    fn sign_listening(&mut self, now: Timestamp, token: u64, addresses: Vec<Address>) {
        let addresses = BoundedVec::truncated(addresses);
        let payload = Payload::AddressRecord(AddressRecord { addresses });
        self.records_wanted.insert(token);
        self.sign(now, EnvelopeKind::AddressRecord, token, &payload);
    }

    pub(super) fn signed(&mut self, now: Timestamp, token: u64, envelope: Verified<Envelope>) {
        if token == OWN_RECORD {
            self.tell_peers(repute_peers::Input::OwnRecord(envelope));
        } else if self.records_wanted.remove(&token) {
            self.event(Event::RecordSigned { token, envelope });
        } else if self.record_signed(token, &envelope) {
            // The engine that wanted it has it.
        } else if self.hearing.is_own(token) {
            self.recommendation_signed(now, token, &envelope);
        } else {
            self.tell_gossip(repute_gossip::Input::Signed { token, envelope });
        }
        self.settle(now);
    }

    /// Acknowledged means durable: the command in hand is done when this write is.
    pub(super) fn acknowledge_with(&mut self, id: PersistId) {
        if let Some(token) = self.awaiting {
            self.unacknowledged.insert(id, token);
            self.awaiting_write = true;
        }
    }

    /// A command that had nothing to write is done at once.
    pub(super) fn finish_without_write(&mut self) {
        if let Some(token) = self.awaiting.take()
            && !core::mem::take(&mut self.awaiting_write)
        {
            self.event(Event::Done { token });
        }
    }

    pub(super) fn persisted(&mut self, id: PersistId) {
        self.receipts_persisted(id, true);
        if let Some(token) = self.unacknowledged.remove(&id)
            // The last write of a command acknowledges it.
            && !self.unacknowledged.values().any(|waiting| *waiting == token)
        {
            self.event(Event::Done { token });
        }
    }

    pub(super) fn not_persisted(&mut self, id: PersistId) {
        self.receipts_persisted(id, false);
        if let Some(token) = self.unacknowledged.remove(&id) {
            self.unacknowledged.retain(|_, waiting| *waiting != token);
            self.event(Event::NotDurable { token });
        }
    }
}
