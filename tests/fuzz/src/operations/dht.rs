//! The DHT and the directory among honest and hostile peers, composed as the core does it.

use std::collections::VecDeque;

use repute_base::{BoundedBytes, BoundedString, BoundedVec, Fixed, Machine, Rng, Timestamp, Wall};
use repute_identity::NodeId;
use repute_node::dht::{
    Config, Dht, Directory, DirectoryConfig, DirectoryInput, DirectoryLimits, DirectoryOutput,
    Draft, Filter, Input, Limits, Output, Serve, Want,
};
use repute_protocol::{
    AddressRecord, Advertisement, Contact, DhtAnswer, DhtAsk, DhtFrame, Envelope, EnvelopeKind,
    Frame, FromPeer, Misbehaviour, Payload, Provider, Record, RecordKey, RecordKind, RecordList,
    Seq, ShortId, Stored, Unsigned, Verified,
};

use super::{
    cast::{ME, address, honest, hostile, id, identity, is_honest, network, peer},
    peers::assert_sound,
    reader::{Clock, OPERATIONS_MAX, Reader, Timers, drain},
};

/// What the shell holds of each kind; beyond, the oldest is never answered.
const HELD_MAX: usize = 32;

struct World {
    dht: Dht,
    directory: Directory,
    clock: Clock,
    linked: [bool; 8],
    /// Requests that honest peers have still to answer: to whom, and what.
    asked: VecDeque<(NodeId, u64, DhtAsk)>,
    dials: VecDeque<NodeId>,
    unanswered: VecDeque<(NodeId, Envelope)>,
    to_sign: VecDeque<(Signer, Vec<u8>)>,
    lookups: VecDeque<u64>,
    token: u64,
    signed: u64,
}

#[derive(Clone, Copy)]
enum Signer {
    Dht(u64),
    Directory(u64),
}

fn config() -> Config {
    Config {
        k: 4,
        paths: 2,
        confirm: 2,
        absent: 3,
        quorum: 2,
        readers: 2,
        serve: Serve::Always,
        ..Config::default()
    }
}

fn limits() -> Limits {
    Limits {
        lookups_max: 6,
        records_max: 12,
        author_records_max: 6,
        key_records_max: 4,
        key_group_max: 3,
        sender_records_max: 8,
        verifying_max: 8,
        verifying_per_peer_max: 4,
        publications_max: 8,
        ..Limits::default()
    }
}

fn directory_limits() -> DirectoryLimits {
    DirectoryLimits {
        entries_max: 8,
        group_max: 4,
        checks_max: 6,
        searches_max: 4,
        watches_max: 2,
        ..DirectoryLimits::default()
    }
}

pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let rng = Rng::from_u64(reader.number());
    let directory_config = DirectoryConfig::default();
    let mut world = World {
        dht: Dht::new(config(), limits(), id(ME), network(), rng).unwrap(),
        directory: Directory::new(id(ME), network(), directory_config, directory_limits()),
        clock: Clock::new(),
        linked: [false; 8],
        asked: VecDeque::new(),
        dials: VecDeque::new(),
        unanswered: VecDeque::new(),
        to_sign: VecDeque::new(),
        lookups: VecDeque::new(),
        token: 0,
        signed: 0,
    };
    world.give(world.clock.now(), Input::Start);
    for _ in 0..OPERATIONS_MAX {
        if reader.is_empty() {
            break;
        }
        let now = world.clock.step(&mut reader);
        world.operate(&mut reader, now);
        world.check();
    }
}

impl World {
    fn operate(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        match reader.byte() % 16 {
            0 | 1 => self.link_up(reader, now),
            2 => self.link_down(reader, now),
            3..=5 => self.honest_answer(reader, now),
            6 | 7 => self.honest_request(reader, now),
            8..=10 => self.hostile(reader, now),
            11 | 12 => self.answer(reader, now),
            13 => self.wish(reader, now),
            14 => self.stand(reader, now),
            _ => self.serve_timers(reader),
        }
    }

    fn link_up(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let n = match self.dials.pop_front() {
            Some(dialled) if reader.flag() => (0..8).find(|n| id(*n) == dialled),
            _ => Some(peer(reader)),
        };
        let Some(n) = n else { return };
        self.linked[usize::from(n)] = true;
        let up = Input::LinkUp {
            peer: id(n),
            remote: address(n),
            listen: vec![address(n)],
            server: !reader.byte().is_multiple_of(4),
            inbound: reader.flag(),
        };
        let (peer, remote) = (id(n), address(n));
        self.tell(now, DirectoryInput::LinkUp { peer, remote });
        self.give(now, up);
    }

    fn link_down(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        if reader.flag()
            && let Some(peer) = self.dials.pop_front()
        {
            return self.give(now, Input::Unreachable { peer });
        }
        let n = peer(reader);
        self.linked[usize::from(n)] = false;
        let peer = id(n);
        self.asked.retain(|(asked, ..)| *asked != peer);
        self.tell(now, DirectoryInput::LinkDown { peer });
        self.give(now, Input::LinkDown { peer });
    }

    /// A record that holds together and was signed about now.
    fn record(&mut self, reader: &mut Reader<'_>, author: u8) -> Verified<Envelope> {
        let lifetime = 60_000 + reader.number() * 60_000;
        let back = reader.number() % 4 * 60_000;
        let sent = self.signing_time().saturating_sub(back);
        let addresses = || BoundedVec::truncated([address(author)]);
        let (kind, name, value): (_, &[u8], Vec<u8>) = match reader.byte() % 4 {
            0 => (RecordKind::Value, b"v", reader.take(20).to_vec()),
            1 => {
                let provider = Provider {
                    size: reader.wide(),
                    addresses: addresses(),
                };
                let bytes = repute_base::codec::encode(&provider);
                (RecordKind::Provider, &[7; 32], bytes)
            }
            2 => {
                let record = AddressRecord {
                    addresses: addresses(),
                };
                let bytes = Payload::AddressRecord(record).encode();
                (RecordKind::Identity, b"", bytes)
            }
            _ => {
                let names: [&[u8]; 3] = [b"all", b"signer", b"signer:spend"];
                let name = names[usize::from(reader.byte() % 3)];
                (RecordKind::Advertisement, name, offer(author).encode())
            }
        };
        self.signed += 1;
        let record = Record {
            kind: kind.number(),
            slot: reader.byte() % kind.slots(),
            expires: sent.saturating_add(lifetime),
            name: BoundedBytes::new(name.to_vec()).unwrap(),
            value: BoundedBytes::new(value).unwrap(),
        };
        sealed(author, sent, self.signed, record.encode())
    }

    /// What an author dates its record: at the end of time nothing can be signed for later.
    fn signing_time(&self) -> u64 {
        self.clock.wall.min(u64::MAX - 86_400_000)
    }

    /// An advertisement as its author spreads it by gossip.
    fn gossiped(&mut self, reader: &mut Reader<'_>, author: u8) -> Verified<Envelope> {
        self.signed += 1;
        let sent = self.signing_time();
        let record = Record {
            kind: RecordKind::Advertisement.number(),
            slot: reader.byte() % RecordKind::Advertisement.slots(),
            expires: sent.saturating_add(600_000),
            name: BoundedBytes::new(&b"all"[..]).unwrap(),
            value: BoundedBytes::new(offer(author).encode()).unwrap(),
        };
        sealed(author, sent, self.signed, record.encode())
    }

    fn contacts(reader: &mut Reader<'_>) -> BoundedVec<Contact, 20> {
        let named = reader.take(6).iter().map(|n| Contact {
            id: id(*n),
            addresses: BoundedVec::truncated([address(*n)]),
        });
        BoundedVec::truncated(named.collect::<Vec<_>>())
    }

    /// An honest peer answers what it was asked, with what it may have.
    fn honest_answer(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let Some((from, number, ask)) = self.asked.pop_front() else {
            return;
        };
        let contacts = Self::contacts(reader);
        let answer = match ask {
            _ if reader.byte() % 16 == 15 => DhtAnswer::Busy,
            DhtAsk::Contacts { .. } => DhtAnswer::Contacts { contacts },
            DhtAsk::Records { key, .. } => {
                let mut records = RecordList::default();
                for _ in 0..reader.byte() % 4 {
                    // Whose, is nothing to an honest holder; where it belongs, is.
                    let author = reader.byte() % ME;
                    let record = self.record(reader, author);
                    let filed = Record::file(&record, now.wall);
                    if filed.is_ok_and(|filed| filed.key == key) {
                        records.push(&record);
                    }
                }
                DhtAnswer::Records {
                    records,
                    more: reader.flag(),
                    contacts,
                }
            }
            DhtAsk::Store { records } => {
                let all = [Stored::Kept, Stored::Older, Stored::Full, Stored::Refused];
                let outcomes = records.iter().map(|_| all[usize::from(reader.byte() % 4)]);
                DhtAnswer::Stored {
                    outcomes: BoundedVec::truncated(outcomes.collect::<Vec<_>>()),
                }
            }
        };
        self.frame(now, from, DhtFrame::Answer { number, answer });
    }

    fn honest_request(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let n = honest(reader);
        if !self.linked[usize::from(n)] {
            return;
        }
        let known: Vec<ShortId> = reader
            .take(4)
            .iter()
            .map(|n| ShortId::of(&id(*n)))
            .collect();
        let known = BoundedVec::truncated(known);
        let key = key(reader);
        let ask = match reader.byte() % 3 {
            0 => DhtAsk::Contacts { target: key, known },
            1 => DhtAsk::Records {
                key,
                from: id(reader.byte()),
                count: reader.byte(),
                known,
            },
            _ => {
                let author = reader.byte() % ME;
                let mut records = RecordList::default();
                records.push(&self.record(reader, author));
                DhtAsk::Store { records }
            }
        };
        let number = reader.wide();
        self.frame(now, id(n), DhtFrame::Request { number, ask });
    }

    /// What no honest peer sends: forged, foreign, contradictory or misplaced records, answers to
    /// nothing, names without end.
    fn hostile(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let n = hostile(reader);
        let mut records = RecordList::default();
        for _ in 0..reader.byte() % 4 {
            if let Some(envelope) = self.bad_record(reader, n) {
                records.push(&envelope);
            }
        }
        let contacts = Self::contacts(reader);
        let number = match self.asked.front() {
            Some((_, number, _)) if reader.flag() => *number,
            _ => reader.wide(),
        };
        let more = true;
        let frame = match reader.byte() % 5 {
            0 => DhtFrame::Offer { records },
            1 => DhtFrame::Request {
                number,
                ask: DhtAsk::Store { records },
            },
            2 => DhtFrame::Answer {
                number,
                answer: DhtAnswer::Contacts { contacts },
            },
            3 => DhtFrame::Answer {
                number,
                answer: DhtAnswer::Stored {
                    outcomes: BoundedVec::truncated(vec![Stored::Kept; 32]),
                },
            },
            _ => DhtFrame::Answer {
                number,
                answer: DhtAnswer::Records {
                    records,
                    more,
                    contacts,
                },
            },
        };
        self.frame(now, id(n), frame);
    }

    fn bad_record(&mut self, reader: &mut Reader<'_>, author: u8) -> Option<Envelope> {
        let good = self.record(reader, author);
        let how = reader.byte();
        match how % 5 {
            0 => Some(good.into_inner()),
            1 => {
                let mut wire = good.wire().to_vec();
                let at = wire.len().checked_sub(20 + usize::from(how % 40))?;
                wire[at] ^= 1 + how % 7;
                Envelope::decode(wire.into()).ok()
            }
            2 => {
                let noise = reader.take(60).to_vec();
                Some(sealed(author, self.clock.wall, 7, noise).into_inner())
            }
            3 => {
                let Ok(Payload::Record(mut record)) =
                    Payload::decode(EnvelopeKind::Record, &good.payload())
                else {
                    return None;
                };
                record.slot = how;
                record.expires = reader.wide();
                let sent = reader.wide();
                Some(sealed(author, sent, 8, record.encode()).into_inner())
            }
            _ => {
                let message = Unsigned {
                    network: repute_protocol::NetworkId::from_name("elsewhere"),
                    kind: EnvelopeKind::Record,
                    seq: Seq::default(),
                    sent: Wall::from_millis(self.clock.wall),
                    payload: good.payload().to_vec(),
                };
                Some(message.sign(identity(author)).into_inner())
            }
        }
    }

    fn frame(&mut self, now: Timestamp, from: NodeId, frame: DhtFrame) {
        match frame {
            DhtFrame::Offer { records } => {
                let peer = from;
                self.tell(now, DirectoryInput::Offered { peer, records });
            }
            other => self.give(now, Input::Frame(FromPeer::authenticated(from, other))),
        }
    }

    /// The shell answers one of what it was asked, truly.
    fn answer(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        if reader.flag()
            && let Some((signer, payload)) = self.to_sign.pop_front()
        {
            self.signed += 1;
            let envelope = sealed(ME, now.wall.as_millis(), self.signed, payload);
            return match signer {
                Signer::Dht(token) => self.give(now, Input::Signed { token, envelope }),
                Signer::Directory(token) => {
                    self.tell(now, DirectoryInput::Signed { token, envelope });
                }
            };
        }
        let at = reader.number() as usize % self.unanswered.len().max(1);
        let Some((from, envelope)) = self.unanswered.remove(at) else {
            return;
        };
        if reader.byte() % 8 == 7 {
            let copy = envelope.clone();
            self.tell(now, DirectoryInput::Unchecked { envelope: copy });
            return self.give(now, Input::Unchecked { from, envelope });
        }
        match envelope.verify() {
            Ok(envelope) => {
                let copy = envelope.clone();
                self.tell(now, DirectoryInput::Verified { envelope: copy });
                self.give(now, Input::Verified { from, envelope });
            }
            Err(envelope) => {
                let copy = envelope.clone();
                self.tell(now, DirectoryInput::Forged { envelope: copy });
                self.give(now, Input::Forged { from, envelope });
            }
        }
    }

    /// What the application wants.
    fn wish(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        self.token += 1;
        let token = self.token;
        let key = key(reader);
        let name = BoundedBytes::new(reader.take(4).to_vec()).unwrap();
        match reader.byte() % 10 {
            0 => self.give(
                now,
                Input::Lookup {
                    token,
                    target: key,
                    trace: reader.flag(),
                },
            ),
            1..=3 => {
                let want = [Want::First, Want::Newest, Want::All { max: 5 }];
                let want = want[usize::from(reader.byte() % 3)];
                self.give(now, Input::Find { token, key, want });
            }
            4 => {
                let draft = Draft {
                    kind: RecordKind::Value,
                    slot: reader.byte() % 2,
                    name,
                    value: BoundedBytes::new(reader.take(30).to_vec()).unwrap(),
                    lifetime: std::time::Duration::from_secs(reader.wide()),
                };
                self.give(now, Input::Publish { token, draft });
            }
            5 => {
                let kind = RecordKind::Value;
                let slot = 0;
                self.give(now, Input::Retract { kind, name, slot });
            }
            6 => {
                let input = DirectoryInput::Advertise {
                    token,
                    advertisement: offer(ME),
                    lifetime: std::time::Duration::from_secs(600 + reader.number()),
                };
                self.tell(now, input);
            }
            7 => self.tell(now, DirectoryInput::Retract { token, key: None }),
            8 => {
                let filter = Filter::of(["all", "signer"][usize::from(reader.flag())]).unwrap();
                let local = reader.flag();
                let find = DirectoryInput::Find {
                    token,
                    filter,
                    local,
                };
                self.tell(now, find);
            }
            _ => {
                let author = reader.byte() % ME;
                let record = match is_honest(&id(author)) {
                    true => self.gossiped(reader, author),
                    false => self.record(reader, author),
                };
                let (author, data) = (id(author), record.wire().clone());
                self.tell(now, DirectoryInput::Gossiped { author, data });
            }
        }
    }

    fn stand(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let peer = id(peer(reader));
        let trust = Fixed::from_raw(Fixed::ONE.raw() / 255 * i64::from(reader.byte()));
        let closed = reader.byte().is_multiple_of(4);
        let standing = DirectoryInput::Standing {
            peer,
            trust,
            closed,
        };
        self.tell(now, standing);
        self.give(
            now,
            Input::Standing {
                peer,
                trust,
                closed,
            },
        );
    }

    fn serve_timers(&mut self, reader: &mut Reader<'_>) {
        let mut timers = Timers::new(&self.clock, reader);
        loop {
            let deadlines = [self.dht.next_deadline(), self.directory.next_deadline()];
            let next = deadlines.into_iter().flatten().min();
            if !timers.advance(&mut self.clock, next.map(|at| at.as_millis())) {
                return;
            }
            let now = self.clock.now();
            self.give(now, Input::Tick);
            self.tell(now, DirectoryInput::Tick);
        }
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        self.dht.handle(now, input);
        for output in drain(&mut self.dht) {
            match output {
                Output::Misbehaviour { peer, kind } => blame(peer, kind),
                Output::Link { peer, addresses } => {
                    assert!(!addresses.is_empty() && peer != id(ME));
                    self.dials.push_back(peer);
                    self.dials.truncate(HELD_MAX);
                }
                Output::Send { peer, frame } => {
                    assert_ne!(peer, id(ME));
                    if let DhtFrame::Request { number, ask } = &frame
                        && is_honest(&peer)
                    {
                        self.asked.push_back((peer, *number, ask.clone()));
                        self.asked.truncate(HELD_MAX);
                    }
                    assert_sound(&Frame::Dht(Box::new(frame)));
                }
                Output::Verify { from, envelope } => self.hold(from, envelope),
                Output::Sign { token, payload } => {
                    self.to_sign.push_back((Signer::Dht(token), payload));
                    self.to_sign.truncate(HELD_MAX);
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, now: Timestamp, input: DirectoryInput) {
        self.directory.handle(now, input);
        let mut for_dht = Vec::new();
        for output in drain(&mut self.directory) {
            match output {
                DirectoryOutput::Misbehaviour { peer, kind } => blame(peer, kind),
                DirectoryOutput::Publish(draft) => {
                    for_dht.push(Input::Publish { token: 0, draft });
                }
                DirectoryOutput::Retract { slot, name } => {
                    let kind = RecordKind::Advertisement;
                    for_dht.push(Input::Retract { kind, name, slot });
                }
                DirectoryOutput::Put(envelope) => {
                    for_dht.push(Input::Put { token: 0, envelope });
                }
                DirectoryOutput::Sign { token, record } => {
                    let signer = Signer::Directory(token);
                    self.to_sign.push_back((signer, record.encode()));
                    self.to_sign.truncate(HELD_MAX);
                }
                DirectoryOutput::Offer { peer, records } => {
                    assert_ne!(peer, id(ME));
                    assert_sound(&Frame::Dht(Box::new(DhtFrame::Offer { records })));
                }
                DirectoryOutput::Verify { from, envelope } => self.hold(from, envelope),
                DirectoryOutput::Lookup { token, .. } => {
                    self.lookups.push_back(token);
                    self.lookups.truncate(HELD_MAX);
                }
                _ => {}
            }
        }
        for input in for_dht {
            self.give(now, input);
        }
        if self.lookups.len() > 2
            && let Some(token) = self.lookups.pop_front()
        {
            self.tell(now, DirectoryInput::LookupEnded { token });
        }
    }

    fn hold(&mut self, from: NodeId, envelope: Envelope) {
        if self.unanswered.len() >= HELD_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((from, envelope));
    }

    fn check(&self) {
        let stats = self.dht.stats();
        let records: usize = stats.records.iter().map(|(_, count)| count).sum();
        assert!(records <= limits().records_max, "{records} records");
        assert!(stats.verifying <= limits().verifying_max);
        assert!(
            stats.lookups <= limits().lookups_max + 8,
            "{}",
            stats.lookups
        );
        assert!(stats.publications <= limits().publications_max);
        let entries = self.directory.counters().entries;
        assert!(
            entries <= directory_limits().entries_max,
            "{entries} entries"
        );
    }
}

/// An advertisement flood is what its author signed: no fault of a clock that this world sets at
/// will for all authors alike. Everything else is a hostile peer's.
fn blame(peer: NodeId, kind: Misbehaviour) {
    let signed = kind == Misbehaviour::AdvertisementFlood;
    assert!(
        signed || !is_honest(&peer),
        "an honest peer is accused of {kind}"
    );
}

fn key(reader: &mut Reader<'_>) -> RecordKey {
    let author = id(reader.byte() % ME);
    match reader.byte() % 5 {
        0 => RecordKey::of(RecordKind::Value, &author, b"v"),
        1 => RecordKey::of_providers(&[7; 32]),
        2 => RecordKey::of_identity(&author),
        3 => {
            RecordKey::of_service(["all", "signer", "signer:spend"][usize::from(reader.byte() % 3)])
        }
        _ => RecordKey::of_node(&author),
    }
}

fn offer(author: u8) -> Advertisement {
    Advertisement {
        services: BoundedVec::truncated([BoundedString::new("signer:spend").unwrap()]),
        key: BoundedBytes::default(),
        amount_min: 0,
        amount_max: u64::MAX,
        addresses: BoundedVec::truncated([address(author)]),
        criteria: BoundedVec::new(),
        metadata: BoundedBytes::default(),
    }
}

fn sealed(author: u8, sent: u64, counter: u64, payload: Vec<u8>) -> Verified<Envelope> {
    Unsigned {
        network: network(),
        kind: EnvelopeKind::Record,
        seq: Seq {
            start: 1_600_000_000_000,
            counter,
        },
        sent: Wall::from_millis(sent),
        payload,
    }
    .sign(identity(author))
}
