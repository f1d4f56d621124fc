//! The directory's outputs, and what they mean to the others.

use alloc::{boxed::Box, vec, vec::Vec};

use repute_base::{Address, BoundedBytes, Fixed, Machine, Timestamp};
use repute_dht::{
    Directory, DirectoryInput, DirectoryOutput, DirectoryWrite, Input as DhtInput, Want,
};
use repute_identity::NodeId;
use repute_protocol::{
    DhtFrame, Envelope, EnvelopeKind, Frame, Message, RecordKind, RecordList, Topic, Unsigned,
    Verified,
};

use super::{Core, Event, Output, Priority, Step, Write, route_dht::NOBODY};

/// Lookups and publications of the directory in the DHT: those of the application are far below.
pub(super) const DIRECTORY_TOKENS: u64 = 1 << 60;
/// Signatures of records: those of publishes are far below, of recommendations above.
const SIGNATURE_TOKENS: u64 = 1 << 61;

/// Who waits for the signature of a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signer {
    Dht(u64),
    Directory(u64),
}

impl Core {
    /// What others offer; none if this node takes no part in the DHT.
    pub fn directory(&self) -> Option<&Directory> {
        self.directory.as_deref()
    }

    pub(super) fn tell_directory(&mut self, input: DirectoryInput) {
        if self.directory.is_some() {
            self.inbox.push_back(Step::Directory(input));
        }
    }

    pub(super) fn settle_directory(&mut self, now: Timestamp, input: DirectoryInput) {
        let Some(directory) = &mut self.directory else {
            return;
        };
        directory.handle(now, input);
        while let Some(output) = self.directory.as_mut().and_then(|one| one.poll_output()) {
            self.route_directory(now, output);
        }
    }

    pub(super) fn start_directory(&mut self) {
        if self.directory.is_some()
            && let Ok(topic) = Topic::new(Directory::TOPIC)
        {
            self.tell_gossip(repute_gossip::Input::Subscribe {
                topic,
                causal: false,
            });
        }
    }

    /// What the application wants. Links, frames and verdicts come from the shell alone. What is
    /// offered or taken back is done once it is durable.
    pub(super) fn directory_command(&mut self, now: Timestamp, input: DirectoryInput) {
        match &input {
            DirectoryInput::Advertise { token, .. } | DirectoryInput::Retract { token, .. } => {
                self.awaiting = Some(*token);
                self.tell_directory(input);
                self.settle(now);
                self.finish_without_write();
            }
            DirectoryInput::Find { .. }
            | DirectoryInput::Watch { .. }
            | DirectoryInput::Unwatch { .. } => self.tell_directory(input),
            _ => {}
        }
    }

    pub(super) fn directory_listening(&mut self, addresses: Vec<Address>) {
        self.tell_directory(DirectoryInput::Listening { addresses });
    }

    /// Whether this node itself listens to a topic, for advertisements.
    pub(super) fn is_browsing(&self, topic: &Topic) -> bool {
        self.directory.is_some() && topic.as_str() == Directory::TOPIC
    }

    pub(super) fn advertised_by_gossip(&mut self, author: NodeId, message: &Message) {
        let data = message.data.bytes().clone();
        self.tell_directory(DirectoryInput::Gossiped { author, data });
    }

    pub(super) fn offered(&mut self, peer: NodeId, records: RecordList) {
        self.tell_directory(DirectoryInput::Offered { peer, records });
    }

    pub(super) fn directory_link_up(&mut self, peer: NodeId, remote: Address) {
        self.tell_directory(DirectoryInput::LinkUp { peer, remote });
    }

    pub(super) fn tell_directory_standing(&mut self, peer: NodeId, trust: Fixed, closed: bool) {
        self.tell_directory(DirectoryInput::Standing {
            peer,
            trust,
            closed,
        });
    }

    pub(super) fn looked_up(&mut self, token: u64, envelope: Verified<Envelope>) {
        let token = token - DIRECTORY_TOKENS;
        self.tell_directory(DirectoryInput::LookedUp { token, envelope });
    }

    pub(super) fn lookup_ended(&mut self, token: u64) {
        let token = token - DIRECTORY_TOKENS;
        self.tell_directory(DirectoryInput::LookupEnded { token });
    }

    /// The verdict on the signature of a record: whoever asked for it knows it again.
    pub(super) fn record_verified(&mut self, from: NodeId, envelope: Verified<Envelope>) {
        self.tell_directory(DirectoryInput::Verified {
            envelope: envelope.clone(),
        });
        self.tell_dht(DhtInput::Verified { from, envelope });
    }

    pub(super) fn record_forged(&mut self, from: NodeId, envelope: Envelope) {
        self.tell_directory(DirectoryInput::Forged {
            envelope: envelope.clone(),
        });
        self.tell_dht(DhtInput::Forged { from, envelope });
    }

    pub(super) fn record_unchecked(&mut self, from: NodeId, envelope: Envelope) {
        self.tell_directory(DirectoryInput::Unchecked {
            envelope: envelope.clone(),
        });
        self.tell_dht(DhtInput::Unchecked { from, envelope });
    }

    /// Asks the shell to sign a record as this node, under its next number.
    pub(super) fn sign_record(&mut self, now: Timestamp, signer: Signer, payload: Vec<u8>) {
        let token = SIGNATURE_TOKENS + self.seq.counter;
        self.record_signers.insert(token, signer);
        let unsigned = Unsigned {
            network: self.config.network,
            kind: EnvelopeKind::Record,
            seq: self.seq,
            sent: now.wall,
            payload,
        };
        self.seq.counter += 1;
        self.output(Output::Sign { token, unsigned });
    }

    /// A signed record; false if nobody waits for it.
    pub(super) fn record_signed(&mut self, token: u64, envelope: &Verified<Envelope>) -> bool {
        let envelope = envelope.clone();
        match self.record_signers.remove(&token) {
            Some(Signer::Dht(token)) => self.tell_dht(DhtInput::Signed { token, envelope }),
            Some(Signer::Directory(token)) => {
                self.tell_directory(DirectoryInput::Signed { token, envelope });
            }
            None => return false,
        }
        true
    }

    fn route_directory(&mut self, now: Timestamp, output: DirectoryOutput) {
        let token = NOBODY;
        match output {
            DirectoryOutput::Publish(draft) => self.tell_dht(DhtInput::Publish { token, draft }),
            DirectoryOutput::Retract { slot, name } => self.tell_dht(DhtInput::Retract {
                kind: RecordKind::Advertisement,
                name,
                slot,
            }),
            DirectoryOutput::Put(envelope) => self.tell_dht(DhtInput::Put { token, envelope }),
            DirectoryOutput::Sign { token, record } => {
                self.sign_record(now, Signer::Directory(token), record.encode());
            }
            DirectoryOutput::Gossip { data } => self.advertise_by_gossip(data),
            DirectoryOutput::Offer { peer, records } => {
                let frame = Frame::Dht(Box::new(DhtFrame::Offer { records })).encode();
                self.output(Output::Send {
                    peer,
                    frame,
                    priority: Priority::Bulk,
                });
            }
            DirectoryOutput::Verify { from, envelope } => {
                self.output(Output::Verify { from, envelope });
            }
            DirectoryOutput::Lookup { token, key, max } => self.tell_dht(DhtInput::Find {
                token: DIRECTORY_TOKENS + token,
                key,
                want: Want::All { max },
            }),
            DirectoryOutput::Persist(write) => {
                let write = match write {
                    DirectoryWrite::Offer { slot, said, bytes } => {
                        Write::Offer { slot, said, bytes }
                    }
                    DirectoryWrite::Forget { slot } => Write::ForgetOffer { slot },
                    _ => return,
                };
                let id = self.persist(vec![write]);
                self.acknowledge_with(id);
            }
            DirectoryOutput::Misbehaviour { peer, kind } => self.misbehaved(peer, kind),
            DirectoryOutput::Event(event) => self.event(Event::Directory(event)),
            _ => {}
        }
    }

    fn advertise_by_gossip(&mut self, data: bytes::Bytes) {
        if let (Ok(topic), Ok(data)) = (Topic::new(Directory::TOPIC), BoundedBytes::new(data)) {
            let token = self.hearing.token();
            self.tell_gossip(repute_gossip::Input::Publish {
                topic,
                kind: 0,
                data,
                causal: false,
                token,
            });
        }
    }
}
