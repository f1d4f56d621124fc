//! Asking connected peers for others, and answering with records their subjects signed.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedVec, Layer, Mono};
use repute_identity::NodeId;
use repute_protocol::{
    AddressRecord, DecodeError, Envelope, EnvelopeKind, Frame, MessageId, Misbehaviour, Payload,
    PeerAnnouncement, PeerDiscovery, Verified,
    limits::{FUTURE_MAX, RECORD_MAX, RECORDS_MAX},
};

use crate::{
    Event, Output, PeerEvidence, Peers,
    book::{Entered, now_ms, source_of},
    reach::{dialable, fits},
};

/// How often our own record is signed anew, so that others see that we still listen.
const REFRESH: Duration = Duration::from_secs(3_600);
/// A record is passed on for this long after it came.
const RECORD_AGE: Duration = Duration::from_secs(24 * 3_600);
/// A request without an answer is given up after this.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);
/// Peers asked at once when links are short.
const ASKED_SHORT: usize = 3;
/// Records asked for when the last round brought nothing new: enough to notice that there is news.
const FEW: usize = 4;
/// While links are short and there is news, rounds come this many times as often.
const HASTE: u32 = 6;

/// A record as its subject signed it.
#[derive(Debug)]
struct Record {
    wire: Bytes,
    addresses: Vec<Address>,
    at: Mono,
    /// Grows with each record taken in, so that no link is told one twice.
    number: u64,
}

/// A record whose signature is being checked.
#[derive(Debug)]
struct Pending {
    id: MessageId,
    from: NodeId,
    remote: Address,
}

#[derive(Debug, Default)]
pub(crate) struct Discovery {
    records: BTreeMap<NodeId, Record>,
    own: Option<Record>,
    listening: Vec<Address>,
    pending: VecDeque<Pending>,
    ask_at: Mono,
    sign_at: Mono,
    number: u64,
    /// Rounds since somebody new was found or a link was lost.
    barren: u32,
}

impl Discovery {
    pub(crate) fn start(&mut self, now: Mono) {
        self.ask_at = now;
        self.sign_at = Mono::MAX;
    }

    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.records.remove(peer);
    }

    pub(crate) fn deadline(&self) -> Mono {
        self.ask_at.min(self.sign_at)
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn keep(&mut self, subject: NodeId, record: Record, max: usize) {
        self.records.insert(subject, record);
        if self.records.len() > max {
            let oldest = self
                .records
                .iter()
                .min_by_key(|(id, record)| (record.at, **id));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.records.remove(&oldest);
            }
        }
    }
}

impl Peers {
    /// Asks some connected peer for others; while links are short more of them and, until that
    /// brings nothing new, more often.
    pub(crate) fn discover(&mut self) {
        let mono = self.now.mono;
        if mono >= self.discovery.sign_at {
            self.refresh_own_record();
        }
        if mono < self.discovery.ask_at {
            return;
        }
        let interval = self.config.discovery_interval;
        let short = self.is_short();
        let pause = if short {
            let doubled = 1_u32.checked_shl(self.discovery.barren).unwrap_or(u32::MAX);
            self.hasty_pause().saturating_mul(doubled).min(interval)
        } else {
            interval
        };
        let barren = self.discovery.barren > 0;
        let active: Vec<NodeId> = self.active().collect();
        // Where nobody is asked, nothing new says nothing.
        if !active.is_empty() {
            self.discovery.barren = self.discovery.barren.saturating_add(1);
        }
        self.discovery.ask_at = mono + self.rng.jitter(pause, 20);
        let asked = if short && !barren { ASKED_SHORT } else { 1 };
        for peer in self.rng.sample(&active, asked) {
            self.ask(peer, if barren { FEW } else { RECORDS_MAX });
        }
    }

    fn hasty_pause(&self) -> Duration {
        (self.config.discovery_interval / HASTE).max(Duration::from_secs(1))
    }

    /// Something changed among the peers: asking is worth it again.
    pub(crate) fn look_around(&mut self) {
        self.discovery.barren = 0;
        if self.is_short() {
            let soon = self.now.mono + self.hasty_pause();
            self.discovery.ask_at = self.discovery.ask_at.min(soon);
        }
    }

    /// Asks a peer that has just come, for few records if all others had nothing new.
    pub(crate) fn ask_newcomer(&mut self, peer: NodeId) {
        let barren = self.discovery.barren > 1;
        self.ask(peer, if barren { FEW } else { RECORDS_MAX });
    }

    fn ask(&mut self, peer: NodeId, records: usize) {
        let mono = self.now.mono;
        let Some(link) = self.links.get_mut(&peer).filter(|link| link.admitted) else {
            return;
        };
        if link.asked.is_some_and(|at| mono.since(at) < ASK_TIMEOUT) {
            return;
        }
        link.asked = Some(mono);
        let count = u8::try_from(records).unwrap_or(u8::MAX);
        self.send(peer, Frame::PeerDiscovery(PeerDiscovery { count }));
    }

    /// Answers with our own record and some of others, all as signed, none twice on one link.
    pub(crate) fn answer_discovery(&mut self, peer: NodeId, request: PeerDiscovery) {
        let Some(link) = self.links.get(&peer).filter(|link| link.admitted) else {
            return;
        };
        let (remote, told) = (link.remote, &link.told);
        let mono = self.now.mono;
        let useful = |record: &Record| {
            let fitting = |address| fits(address, &remote);
            !told.contains(&record.number) && record.addresses.iter().any(fitting)
        };
        let mut subjects: Vec<NodeId> = self
            .discovery
            .records
            .iter()
            .filter(|(id, record)| {
                **id != peer
                    && mono.since(record.at) < RECORD_AGE
                    && useful(record)
                    && self.standing(id).is_ok()
            })
            .map(|(id, _)| *id)
            .collect();
        self.rng.shuffle(&mut subjects);
        let others = subjects
            .iter()
            .filter_map(|id| self.discovery.records.get(id));
        let chosen: Vec<&Record> = self
            .discovery
            .own
            .iter()
            .filter(|record| useful(record))
            .chain(others)
            .take(usize::from(request.count).min(RECORDS_MAX))
            .collect();
        let wires = chosen
            .iter()
            .filter_map(|record| BoundedBytes::<RECORD_MAX>::new(record.wire.clone()).ok());
        let records = BoundedVec::truncated(wires);
        let numbers: Vec<u64> = chosen.iter().map(|record| record.number).collect();
        self.note_told(peer, numbers);
        self.send(peer, Frame::PeerAnnouncement(PeerAnnouncement { records }));
    }

    /// Notes what a link was told of, as long as it is kept at all.
    fn note_told(&mut self, peer: NodeId, numbers: Vec<u64>) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.told.extend(numbers);
        if link.told.len() > self.limits.records_max {
            let kept: BTreeSet<u64> = self
                .discovery
                .own
                .iter()
                .chain(self.discovery.records.values())
                .map(|record| record.number)
                .collect();
            link.told.retain(|number| kept.contains(number));
        }
    }

    /// Takes an answer in, if we asked. The signatures are checked outside.
    pub(crate) fn announced(&mut self, peer: NodeId, announcement: PeerAnnouncement) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.asked.take().is_none() {
            // Unasked, or a duplicate of the answer: worth nothing, proves nothing.
            return self.layers.refuse(Layer::LinkQuota, "not asked for");
        }
        let (network, remote) = (link.network, link.remote);
        for wire in announcement.records {
            let envelope = match Envelope::decode(wire.into_bytes()) {
                Ok(envelope) => envelope,
                // A form that this build does not know yet.
                Err(DecodeError::Invalid(_)) => continue,
                Err(_) => return self.accuse(peer, Misbehaviour::MalformedFrame),
            };
            match envelope.kind() {
                EnvelopeKind::AddressRecord => {}
                EnvelopeKind::Unknown(_) => continue,
                _ => return self.accuse(peer, Misbehaviour::MalformedFrame),
            }
            if envelope.network() != network {
                return self.accuse(peer, Misbehaviour::WrongNetwork);
            }
            if self.is_news(&envelope) {
                self.verify(peer, remote, envelope);
            }
        }
    }

    /// Whether a record is worth a signature check: not ours, not known, not from far ahead. A
    /// clock that is wrong is nobody's fault here.
    fn is_news(&self, envelope: &Envelope) -> bool {
        let author = envelope.author();
        let known = self.book.get(&author).and_then(|entry| entry.record_seq);
        author != self.me
            && envelope.sent() <= self.now.wall + FUTURE_MAX
            && !self.book.is_gated(&author)
            && known.is_none_or(|seq| envelope.seq() > seq)
    }

    fn verify(&mut self, from: NodeId, remote: Address, envelope: Envelope) {
        let pending = &mut self.discovery.pending;
        // One in flight for each copy: a forged one cannot censor the original.
        if pending
            .iter()
            .any(|other| other.id == envelope.id() && other.from == from)
        {
            return;
        }
        if pending.len() >= self.limits.verifying_max {
            pending.pop_front();
        }
        pending.push_back(Pending {
            id: envelope.id(),
            from,
            remote,
        });
        self.emit(Output::Verify { from, envelope });
    }

    pub(crate) fn record_forged(&mut self, from: NodeId) {
        let at = self
            .discovery
            .pending
            .iter()
            .position(|pending| pending.from == from);
        if let Some(at) = at {
            self.discovery.pending.remove(at);
        }
        self.accuse(from, Misbehaviour::ForgedEnvelope);
    }

    pub(crate) fn record_verified(&mut self, envelope: &Verified<Envelope>) {
        let id = envelope.id();
        let at = self
            .discovery
            .pending
            .iter()
            .position(|pending| pending.id == id);
        let Some(pending) = at.and_then(|at| self.discovery.pending.remove(at)) else {
            return;
        };
        if !self.is_news(envelope) {
            return;
        }
        let subject = envelope.author();
        let addresses = match Payload::decode(envelope.kind(), &envelope.payload()) {
            Ok(Payload::AddressRecord(record)) => record.addresses,
            _ => return self.accuse(subject, Misbehaviour::MalformedPayload),
        };
        let usable: Vec<Address> = addresses
            .iter()
            .copied()
            .filter(|address| fits(address, &pending.remote))
            .collect();
        if self.note_record(pending.from, envelope, &usable) {
            let evidence = PeerEvidence::AnsweredRequest;
            self.emit(Output::Evidence {
                peer: pending.from,
                evidence,
            });
        }
    }

    /// Writes what a subject signed into its entry; true if that was news of another peer.
    fn note_record(&mut self, from: NodeId, envelope: &Envelope, usable: &[Address]) -> bool {
        let subject = envelope.author();
        let source = if from == subject { 0 } else { source_of(from) };
        let entered = match self.book.get(&subject) {
            None if usable.is_empty() => return false,
            _ => self.learn(subject, usable, source),
        };
        let (mono, wall, linked) = (
            self.now.mono,
            self.now.wall,
            self.links.contains_key(&subject),
        );
        let Some(entry) = self.book.get_mut(&subject) else {
            return false;
        };
        entry.record_seq = Some(envelope.seq());
        entry.inception = entry.inception.or_else(|| envelope.inception().ok());
        // The address of a standing link is better than any promise.
        if !usable.is_empty() && !linked {
            entry.addresses.clear();
            entry.prefer(usable);
        }
        // A subject's own word about when it lived, never later than now.
        let sent = envelope.sent().min(wall);
        if sent > entry.last_seen {
            let age = i64::try_from(wall.since(sent).as_millis()).unwrap_or(i64::MAX);
            entry.last_seen = sent;
            entry.seen_ms = entry.seen_ms.max(now_ms(mono).saturating_sub(age));
        }
        let record = Record {
            wire: envelope.wire().clone(),
            addresses: usable.to_vec(),
            at: mono,
            number: self.discovery.next_number(),
        };
        self.discovery
            .keep(subject, record, self.limits.records_max);
        self.persist(subject);
        if entered == Entered::Already {
            return false;
        }
        self.trace(subject, Some(from));
        self.event(Event::Discovered {
            peer: subject,
            by: Some(from),
        });
        self.look_around();
        self.dialling.soon(mono);
        self.fill();
        from != subject
    }

    pub(crate) fn listening(&mut self, addresses: &[Address]) {
        let addresses: Vec<Address> = addresses
            .iter()
            .copied()
            .filter(dialable)
            .take(BoundedVec::<Address, { repute_protocol::limits::ADDRESSES_MAX }>::MAX)
            .collect();
        if addresses != self.discovery.listening {
            self.discovery.listening = addresses;
            self.refresh_own_record();
        }
    }

    pub(crate) fn refresh_own_record(&mut self) {
        if !self.is_running() || self.discovery.listening.is_empty() {
            return;
        }
        self.discovery.sign_at = self.now.mono + REFRESH;
        let addresses = BoundedVec::truncated(self.discovery.listening.iter().copied());
        self.emit(Output::SignRecord(AddressRecord { addresses }));
    }

    pub(crate) fn own_record(&mut self, envelope: Envelope) {
        if envelope.author() != self.me {
            return;
        }
        let addresses = self.discovery.listening.clone();
        let wire = envelope.wire().clone();
        self.discovery.own = Some(Record {
            wire,
            addresses,
            at: self.now.mono,
            number: self.discovery.next_number(),
        });
    }
}
