//! The DHT's outputs, and what they mean to the others.

use alloc::{boxed::Box, vec, vec::Vec};

use repute_base::{Address, BoundedBytes, BoundedVec, Fixed, Machine, Rng, Timestamp, codec};
use repute_dht::{
    Dht, Directory, Draft, Event as DhtEvent, Input, Output as Dhts, Write as DhtWrite,
};
use repute_identity::NodeId;
use repute_protocol::{AddressRecord, Capability, DhtFrame, Frame, FromPeer, RecordKind};
use repute_trust::Fault;

use super::{
    Config, ConfigError, Core, Event, Output, Priority, Snapshot, Step, Write,
    route_directory::{DIRECTORY_TOKENS, Signer},
};

/// The token of what nobody waits for.
pub(super) const NOBODY: u64 = (1 << 60) - 1;

/// The engines of a node that takes part in the DHT.
type Engines = (Option<Box<Dht>>, Option<Box<Directory>>);

impl Core {
    /// The DHT and the directory of a node that takes part, restored from what the store had.
    pub(super) fn dht_of(
        me: NodeId,
        config: &Config,
        snapshot: &Snapshot,
        rng: &mut Rng,
    ) -> Result<Engines, ConfigError> {
        let Some(policy) = &config.dht else {
            return Ok((None, None));
        };
        let limits = config.limits.dht.clone();
        let (policy, network) = (policy.clone(), config.network);
        let mut dht =
            Dht::new(policy, limits, me, network, rng.fork()).map_err(ConfigError::dht)?;
        dht.restore_contacts(snapshot.contacts.iter().cloned());
        for record in &snapshot.dht_records {
            dht.restore_record(record.clone());
        }
        let (policy, limits) = (config.directory, config.limits.directory);
        let mut directory = Directory::new(me, network, policy, limits);
        for (slot, bytes) in &snapshot.offers {
            directory.restore(*slot, bytes);
        }
        Ok((Some(Box::new(dht)), Some(Box::new(directory))))
    }

    /// The DHT; none if this node takes no part.
    pub fn dht(&self) -> Option<&Dht> {
        self.dht.as_deref()
    }

    pub(super) fn tell_dht(&mut self, input: Input) {
        if self.dht.is_some() {
            self.inbox.push_back(Step::Dht(input));
        }
    }

    pub(super) fn settle_dht(&mut self, now: Timestamp, input: Input) {
        let Some(dht) = &mut self.dht else { return };
        dht.handle(now, input);
        while let Some(output) = self.dht.as_mut().and_then(|dht| dht.poll_output()) {
            self.route_dht(now, output);
        }
    }

    pub(super) fn dht_frame(&mut self, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        let Frame::Dht(inner) = frame.into_value() else {
            return;
        };
        match *inner {
            DhtFrame::Offer { records } => self.offered(peer, records),
            other => self.tell_dht(Input::Frame(FromPeer::authenticated(peer, other))),
        }
    }

    /// A link is admitted by both ends.
    pub(super) fn dht_link_up(
        &mut self,
        now: Timestamp,
        peer: NodeId,
        listen: Vec<Address>,
        inbound: bool,
        capabilities: &[Capability],
    ) {
        let Some((_, remote)) = self.links.get(&peer).copied() else {
            return;
        };
        let standing = self.trust.standing(peer, now.wall);
        self.tell_dht_standing(peer, standing.trust, standing.gate.is_closed());
        let server = capabilities.contains(&Capability::DHT);
        self.directory_link_up(peer, remote);
        self.tell_dht(Input::LinkUp {
            peer,
            remote,
            listen,
            server,
            inbound,
        });
    }

    pub(super) fn tell_dht_standing(&mut self, peer: NodeId, trust: Fixed, closed: bool) {
        self.tell_dht(Input::Standing {
            peer,
            trust,
            closed,
        });
        self.tell_directory_standing(peer, trust, closed);
    }

    /// Tells the DHT where this node is: as a contact, and as a record that its id leads to. What
    /// the directory offers says so too.
    pub(super) fn dht_listening(&mut self, addresses: Vec<Address>) {
        self.directory_listening(addresses.clone());
        self.tell_dht(Input::Listening {
            addresses: addresses.clone(),
        });
        let record = AddressRecord {
            addresses: BoundedVec::truncated(addresses),
        };
        let Ok(value) = BoundedBytes::new(codec::encode(&record)) else {
            return;
        };
        let draft = Draft {
            kind: RecordKind::Identity,
            slot: 0,
            name: BoundedBytes::default(),
            value,
            lifetime: RecordKind::Identity.lifetime_max(),
        };
        let token = NOBODY;
        self.tell_dht(Input::Publish { token, draft });
    }

    fn route_dht(&mut self, now: Timestamp, output: Dhts) {
        match output {
            Dhts::Link { peer, addresses } => {
                self.tell_peers_of(now, peer);
                self.tell_peers(repute_peers::Input::Visit { peer, addresses });
            }
            Dhts::Unlink { peer } => self.leave(peer),
            Dhts::Send { peer, frame } => {
                let frame = Frame::Dht(Box::new(frame)).encode();
                self.output(Output::Send {
                    peer,
                    frame,
                    priority: Priority::Control,
                });
            }
            Dhts::Verify { from, envelope } => self.output(Output::Verify { from, envelope }),
            Dhts::Sign { token, payload } => self.sign_record(now, Signer::Dht(token), payload),
            Dhts::Persist(write) => {
                let write = match write {
                    DhtWrite::Record {
                        key,
                        author,
                        slot,
                        expires,
                        wire,
                    } => Write::DhtRecord {
                        place: (key, author, slot),
                        expires,
                        wire,
                    },
                    DhtWrite::Forget { key, author, slot } => Write::ForgetDhtRecord {
                        place: (key, author, slot),
                    },
                    DhtWrite::Contacts(contacts) => Write::Contacts(contacts),
                    _ => return,
                };
                self.persist(vec![write]);
            }
            Dhts::Misbehaviour { peer, kind } => self.misbehaved(peer, kind),
            // Loss and a slow network look the same from here: no evidence, but worth remembering.
            Dhts::Evidence { peer, answered } => {
                let fault = match answered {
                    true => Fault::Theirs,
                    false => Fault::Network,
                };
                self.probed(peer, answered, fault);
            }
            Dhts::Event(event) => self.dht_event(event),
            _ => {}
        }
    }

    fn dht_event(&mut self, event: DhtEvent) {
        let Some(event) = self.blob_lookup(event) else {
            return;
        };
        match event {
            DhtEvent::Serving(serving) => self.output(Output::Serving(serving)),
            DhtEvent::Found { token, record } if token >= DIRECTORY_TOKENS => {
                self.looked_up(token, record.envelope);
            }
            DhtEvent::Finished { token, .. } | DhtEvent::Refused { token, .. }
                if token >= DIRECTORY_TOKENS =>
            {
                self.lookup_ended(token);
            }
            DhtEvent::Published { token, .. } | DhtEvent::Refused { token, .. }
                if token == NOBODY => {}
            other => self.event(Event::Dht(other)),
        }
    }
}
