//! What the nodes that a lookup asked have to say.

use alloc::vec::Vec;
use core::time::Duration;

use repute_identity::NodeId;
use repute_protocol::{Contact, DhtAnswer, Envelope, Filed, Record, RecordList, Verified};

use crate::{
    Dht, Event, FoundRecord, Output, Step, Want,
    diversity::{Group, fits},
    lookup::{Aim, candidate::State, findings::Findings},
    request::{Purpose, Reply},
    verify::Waiter,
};

impl Dht {
    pub(crate) fn on_lookup_reply(&mut self, id: u64, peer: NodeId, reply: Reply) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        match reply {
            Reply::Slow => {
                let asked = lookup.find_mut(&peer);
                if let Some(one) = asked.filter(|one| one.state == State::Asked) {
                    one.state = State::Slow;
                    self.trace(id, peer, Step::Slow);
                }
            }
            Reply::Failed => {
                lookup.settle(&peer, State::Failed);
                self.trace(id, peer, Step::Failed);
            }
            Reply::Busy => {
                if let Some(one) = lookup.find_mut(&peer) {
                    one.state = State::Failed;
                }
                self.trace(id, peer, Step::Busy);
            }
            Reply::Answer { answer, took } => self.on_lookup_answer(id, peer, answer, took),
        }
        self.pump(id);
    }

    fn on_lookup_answer(&mut self, id: u64, peer: NodeId, answer: DhtAnswer, took: Duration) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let wants_records = matches!(lookup.aim, Aim::Records(_));
        let (contacts, records, more) = match answer {
            DhtAnswer::Contacts { contacts } if !wants_records => (contacts, None, false),
            DhtAnswer::Records {
                records,
                more,
                contacts,
            } if wants_records => (contacts, Some(records), more),
            // Not what was asked for: as good as none.
            _ => return lookup.settle(&peer, State::Failed),
        };
        lookup.answers += 1;
        lookup.settle(&peer, State::Answered);
        let (new, closer) = self.on_contacts(id, peer, contacts.into_vec());
        let given = records.as_ref().map_or(0, RecordList::len);
        let step = Step::Answered {
            contacts: new,
            closer,
            records: given,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        self.trace(id, peer, step);
        if let Some(records) = records {
            let last = self.on_records(id, peer, &records);
            if let Some(last) = last.filter(|_| more) {
                self.ask_for_more(id, peer, last);
            }
        }
    }

    fn on_contacts(&mut self, id: u64, peer: NodeId, contacts: Vec<Contact>) -> (usize, usize) {
        let remote = self.links.get(&peer).map(|link| link.remote);
        let (me, strict) = (self.me, self.config.loopback_strict);
        let usable: Vec<(Contact, Group)> = contacts
            .into_iter()
            .filter(|contact| !self.is_closed(&contact.id))
            .filter_map(|contact| {
                let sound = |address| remote.is_none_or(|remote| fits(address, &remote));
                let first = contact.addresses.first()?;
                let group = Group::of(first, strict);
                contact
                    .addresses
                    .iter()
                    .all(sound)
                    .then_some((contact, group))
            })
            .collect();
        let group_max = self.config.table_prefix_max;
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return (0, 0);
        };
        let told = lookup.told(&me, &peer, &usable, &self.limits, group_max);
        // Whom this node knows better than the teller.
        for (contact, _) in &usable {
            let Some(entry) = self.table.find(&contact.id) else {
                continue;
            };
            if let Some(one) = lookup.find_mut(&contact.id).filter(|one| !one.known) {
                one.known = true;
                one.proven = entry.is_fresh(self.now.mono);
                one.addresses.clone_from(&entry.addresses);
            }
        }
        told
    }

    /// Takes in records; gives the author of the last.
    fn on_records(&mut self, id: u64, peer: NodeId, records: &RecordList) -> Option<NodeId> {
        let welcome = match self.lookups.get(&id).map(|lookup| &lookup.aim) {
            Some(Aim::Records(findings)) => usize::from(findings.count()),
            _ => return None,
        };
        let mut last = None;
        for wire in records.iter().take(welcome) {
            // What is merely out of date leaves the rest as good as it was.
            let Some((envelope, filed)) = self.judge(peer, wire.bytes()) else {
                continue;
            };
            last = Some(envelope.author());
            if !self.on_record(id, peer, envelope, filed) {
                return None;
            }
        }
        last
    }

    /// False if the peer broke a rule.
    fn on_record(&mut self, id: u64, peer: NodeId, envelope: Envelope, filed: Filed) -> bool {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return false;
        };
        if filed.key != lookup.target {
            lookup.settle(&peer, State::Failed);
            self.refuse_record(peer, repute_protocol::RecordError::WrongKey);
            return false;
        }
        let Aim::Records(findings) = &mut lookup.aim else {
            return false;
        };
        let place = (filed.author, filed.record.slot);
        if findings.has(place, &envelope.id(), &envelope.authenticator()) {
            findings.give(peer, place, &envelope);
            return true;
        }
        if let Some(proven) = self.store.same(&filed, &envelope) {
            let record = FoundRecord {
                filed,
                envelope: proven,
                from: peer,
            };
            self.found(id, record);
            return true;
        }
        let waiter = Waiter::Lookup { id, peer };
        if self.verify(peer, envelope, filed, waiter)
            && let Some(Aim::Records(findings)) = self.aim_mut(id)
        {
            findings.verifying += 1;
        }
        true
    }

    fn aim_mut(&mut self, id: u64) -> Option<&mut Aim> {
        self.lookups.get_mut(&id).map(|lookup| &mut lookup.aim)
    }

    /// The verdict on a record that a lookup waits for; none if there was no room to check it.
    pub(crate) fn on_lookup_verdict(
        &mut self,
        id: u64,
        peer: NodeId,
        verdict: Option<(&Verified<Envelope>, &Filed)>,
        forged: bool,
    ) {
        let Some(Aim::Records(findings)) = self.aim_mut(id) else {
            return;
        };
        findings.verifying = findings.verifying.saturating_sub(1);
        if let Some((envelope, filed)) = verdict {
            let record = FoundRecord {
                filed: filed.clone(),
                envelope: envelope.clone(),
                from: peer,
            };
            self.found(id, record);
        } else if forged && let Some(lookup) = self.lookups.get_mut(&id) {
            lookup.settle(&peer, State::Failed);
        }
        self.pump(id);
    }

    fn found(&mut self, id: u64, record: FoundRecord) {
        let Some(Aim::Records(findings)) = self.aim_mut(id) else {
            return;
        };
        let first = findings.is_first() && !findings.newest.is_empty();
        let at_once = !matches!(findings.want, Want::Newest) && !first;
        let token = findings.token;
        if findings.take(record.clone()) && at_once {
            self.emit(Output::Event(Event::Found { token, record }));
        }
    }

    /// The next page of a holder that has more than fits one answer.
    fn ask_for_more(&mut self, id: u64, peer: NodeId, last: NodeId) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let Aim::Records(findings) = &mut lookup.aim else {
            return;
        };
        let wants_all = matches!(findings.want, Want::All { .. });
        let Some(from) = successor(&last).filter(|_| wants_all) else {
            return;
        };
        let first = (0, NodeId::from_bytes([0; 32]));
        let (pages, asked_from) = findings.pages.entry(peer).or_insert(first);
        // Authors come in order, and begin anew after the last.
        if *pages >= Findings::PAGES_MAX || last < *asked_from {
            return;
        }
        *pages += 1;
        *asked_from = from;
        let (ask, addresses) = (lookup.ask_of(&peer, Some(from)), lookup.addresses(&peer));
        if self.ask(peer, &addresses, ask, Purpose::Lookup(id))
            && let Some(lookup) = self.lookups.get_mut(&id)
        {
            lookup.requests += 1;
            lookup.settle(&peer, State::Asked);
        }
    }

    /// Judges the bytes of a record that a peer gave us, all but the signature.
    pub(crate) fn judge(&mut self, peer: NodeId, wire: &bytes::Bytes) -> Option<(Envelope, Filed)> {
        let envelope = match Envelope::decode(wire.clone()) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.refuse_bytes(peer, &error);
                return None;
            }
        };
        if envelope.network() != self.network {
            self.refuse_foreign(peer);
            return None;
        }
        match Record::file(&envelope, self.now.wall) {
            Ok(filed) => Some((envelope, filed)),
            Err(error) => {
                self.refuse_record(peer, error);
                None
            }
        }
    }
}

impl Findings {
    /// How many records to ask for at once. Whoever asks for one is told of no other nodes when
    /// there is one.
    pub(crate) fn count(&self) -> u8 {
        match self.want {
            Want::First => 1,
            Want::Newest => 2,
            Want::All { max } => u8::try_from(max.clamp(2, 32)).unwrap_or(32),
        }
    }
}

/// The id after this one; none after the last.
fn successor(id: &NodeId) -> Option<NodeId> {
    let mut bytes = *id.as_bytes();
    for byte in bytes.iter_mut().rev() {
        let (next, carried) = byte.overflowing_add(1);
        *byte = next;
        if !carried {
            return Some(NodeId::from_bytes(bytes));
        }
    }
    None
}
