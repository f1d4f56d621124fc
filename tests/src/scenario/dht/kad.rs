use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use repute_base::{Address, Machine, Mono, Rng, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_node::dht::{Config, Dht, Event, FoundRecord, Input, Limits, Outcome, Output, Write};
use repute_protocol::{
    Contact, DhtFrame, EnvelopeKind, Frame, FrameHeader, FromPeer, MessageId, NetworkId, RecordKey,
    Seq, Unsigned,
};
use repute_sim::{DialError, Host, HostEvent, Outbox, Seat};

use super::{
    liar::{Gang, Liar},
    stock::Stock,
};
use crate::verdicts::Verdicts;

/// What travels between the nodes.
#[derive(Clone)]
pub(super) enum Word {
    /// The first on each link, from both ends.
    Hello {
        /// Whether it serves others.
        serves: bool,
    },
    /// A frame of the wire, encoded.
    Frame(Bytes),
}

/// What all nodes of a world share.
#[derive(Clone, Default)]
pub(super) struct Ground {
    pub(super) verdicts: Verdicts,
    /// What tables are filled from, where they are not grown.
    pub(super) stock: Rc<RefCell<Stock>>,
    pub(super) gang: Rc<RefCell<Gang>>,
}

/// What a life of a node is made of.
#[derive(Clone)]
pub(super) struct Role {
    pub(super) who: u64,
    pub(super) config: Config,
    pub(super) limits: Limits,
    /// Whom the shell dials at first, as the peers engine does.
    pub(super) tickets: Vec<(NodeId, Address)>,
    /// What an earlier life left in the store.
    pub(super) shelf: Vec<Contact>,
    pub(super) ground: Ground,
}

#[derive(Clone)]
enum Mind {
    /// Nobody has spoken to it yet: its table is filled when somebody does, so that a world may
    /// have far more nodes than are ever asked.
    Asleep,
    Awake(Box<Dht>),
    Hostile(Box<Liar>),
}

/// What the engine told its application.
#[derive(Clone, Default)]
pub(super) struct Notes {
    pub(super) found: Vec<(u64, FoundRecord)>,
    pub(super) ended: BTreeMap<u64, Outcome>,
    /// Copies, by token.
    pub(super) published: BTreeMap<u64, usize>,
    pub(super) refused: usize,
    /// Bad records that it took for good: kept, or handed to the application; and such as it kept
    /// in place of newer ones.
    pub(super) fooled: Vec<MessageId>,
    /// The newest number kept of each record.
    kept: BTreeMap<(RecordKey, NodeId, u8), Seq>,
}

/// One node: the engine with the shell that this simulation gives it.
#[derive(Clone)]
pub(super) struct Kad {
    mind: Mind,
    id: NodeId,
    address: Address,
    pub(super) role: Role,
    rng: Rng,
    identity: Option<Identity>,
    /// With whom there is a link, where, dialled by whom, and whether both ends have greeted.
    links: BTreeMap<NodeId, Link>,
    dials: BTreeMap<Address, NodeId>,
    signed: u64,
    pub(super) notes: Notes,
}

#[derive(Clone, Copy)]
struct Link {
    remote: Address,
    inbound: bool,
    up: bool,
}

impl Kad {
    pub(super) fn network() -> NetworkId {
        NetworkId::from_name("field")
    }

    /// An honest node, which joins by its tickets.
    pub(super) fn new(seat: Seat, role: Role) -> Self {
        let mut kad = Self::asleep(seat, role);
        kad.wake_with(Vec::new());
        kad
    }

    /// An honest node of a network that has stood for long.
    pub(super) fn asleep(seat: Seat, role: Role) -> Self {
        Self {
            mind: Mind::Asleep,
            id: seat.id,
            address: seat.address,
            role,
            rng: seat.rng,
            identity: None,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            signed: 0,
            notes: Notes::default(),
        }
    }

    pub(super) fn hostile(seat: Seat, role: Role, liar: Liar) -> Self {
        let mut kad = Self::asleep(seat, role);
        kad.mind = Mind::Hostile(Box::new(liar));
        kad
    }

    /// The next life of a node that crashed: what it had stored is what it knows.
    pub(super) fn reborn(self, seat: Seat) -> Self {
        let mut kad = Self::asleep(seat, self.role);
        kad.wake_with(kad.role.shelf.clone());
        kad
    }

    fn wake_with(&mut self, contacts: Vec<Contact>) {
        let Role { config, limits, .. } = self.role.clone();
        let rng = self.rng.fork();
        let mut dht = Dht::new(config, limits, self.id, Self::network(), rng)
            .expect("the configuration is sound");
        dht.restore_contacts(contacts);
        self.mind = Mind::Awake(Box::new(dht));
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<Word>) {
        if matches!(self.mind, Mind::Asleep) {
            let stock = Rc::clone(&self.role.ground.stock);
            let k = self.role.config.k;
            let table = stock.borrow().table(&self.id, k, &mut self.rng);
            self.wake_with(table);
            // It has looked around long ago: no Start, which would wake everybody.
            self.listen(now, out);
        }
    }

    fn listen(&mut self, now: Timestamp, out: &mut Outbox<Word>) {
        let addresses = vec![self.address];
        self.tell(now, Input::Listening { addresses }, out);
    }

    pub(super) fn dht(&self) -> Option<&Dht> {
        match &self.mind {
            Mind::Awake(dht) => Some(dht),
            _ => None,
        }
    }

    /// What the application asks.
    pub(super) fn ask(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Word>) {
        self.wake(now, out);
        self.tell(now, input, out);
    }

    fn tell(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Word>) {
        let mut inbox = VecDeque::from([input]);
        while let Some(input) = inbox.pop_front() {
            let Mind::Awake(dht) = &mut self.mind else {
                return;
            };
            dht.handle(now, input);
            let mut outputs = VecDeque::new();
            while let Some(output) = dht.poll_output() {
                outputs.push_back(output);
            }
            for output in outputs {
                inbox.extend(self.obey(now, output, out));
            }
        }
    }

    /// Does what the engine wants; gives what the engine hears of it at once.
    fn obey(&mut self, now: Timestamp, output: Output, out: &mut Outbox<Word>) -> Option<Input> {
        match output {
            Output::Link { peer, addresses } => {
                if self.links.contains_key(&peer) {
                    return None;
                }
                let Some(address) = addresses.first() else {
                    return Some(Input::Unreachable { peer });
                };
                self.dials.insert(*address, peer);
                out.dial(*address, Some(peer));
            }
            Output::Unlink { peer } => out.close(peer),
            Output::Send { peer, frame } => {
                let frame = Frame::Dht(Box::new(frame)).encode();
                out.send(peer, Word::Frame(frame));
            }
            Output::Verify { from, envelope } => {
                return Some(match self.role.ground.verdicts.verify(envelope) {
                    Ok(envelope) => Input::Verified { from, envelope },
                    Err(envelope) => Input::Forged { from, envelope },
                });
            }
            Output::Sign { token, payload } => {
                let unsigned = Unsigned {
                    network: Self::network(),
                    kind: EnvelopeKind::Record,
                    seq: self.next_seq(now),
                    sent: now.wall,
                    payload,
                };
                let who = self.role.who;
                let identity = self
                    .identity
                    .get_or_insert_with(|| Identity::from_seed(who));
                let envelope = unsigned.sign(identity);
                return Some(Input::Signed { token, envelope });
            }
            Output::Persist(Write::Contacts(contacts)) => self.role.shelf = contacts,
            Output::Misbehaviour { peer, kind } => out.accuse(peer, kind),
            Output::Event(event) => self.note(event),
            _ => {}
        }
        None
    }

    fn next_seq(&mut self, now: Timestamp) -> Seq {
        let boot = now.mono.since(Mono::ZERO).as_millis();
        let start = now.wall.as_millis();
        let start = start.saturating_sub(u64::try_from(boot).unwrap_or(0));
        self.signed += 1;
        Seq {
            start,
            counter: self.signed,
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Found { token, record } => {
                self.suspect(record.envelope.id());
                self.notes.found.push((token, record));
            }
            Event::Finished { token, outcome } => {
                self.notes.ended.insert(token, outcome);
            }
            Event::Published { token, copies, .. } => {
                self.notes.published.insert(token, copies);
            }
            Event::Refused { .. } => self.notes.refused += 1,
            Event::Stored {
                key, author, slot, ..
            } => {
                let kept = self.dht().map(|dht| dht.records(key)).unwrap_or_default();
                let stored = |one: &&FoundRecord| {
                    one.filed.author == author && one.filed.record.slot == slot
                };
                if let Some(record) = kept.iter().find(stored) {
                    let (id, seq) = (record.envelope.id(), record.envelope.seq());
                    self.suspect(id);
                    let newest = self.notes.kept.entry((key, author, slot)).or_insert(seq);
                    if seq < *newest {
                        self.notes.fooled.push(id);
                    }
                    *newest = seq.max(*newest);
                }
            }
            _ => {}
        }
    }

    /// A record was taken for good: was it one of the bad ones?
    fn suspect(&mut self, record: MessageId) {
        if self.role.ground.gang.borrow().is_bad(&record) {
            self.notes.fooled.push(record);
        }
    }

    fn link_up(
        &mut self,
        now: Timestamp,
        (peer, remote): (NodeId, Address),
        dialled: bool,
        out: &mut Outbox<Word>,
    ) {
        self.wake(now, out);
        self.dials.retain(|_, expected| *expected != peer);
        let link = Link {
            remote,
            inbound: !dialled,
            up: false,
        };
        self.links.insert(peer, link);
        let serves = self.dht().is_none_or(Dht::is_serving);
        out.send(peer, Word::Hello { serves });
    }

    fn greeted(&mut self, now: Timestamp, peer: NodeId, serves: bool, out: &mut Outbox<Word>) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.up = true;
        let link = *link;
        if let Mind::Hostile(liar) = &mut self.mind {
            liar.links.insert(peer);
            return;
        }
        let input = Input::LinkUp {
            peer,
            remote: link.remote,
            listen: vec![link.remote],
            server: serves,
            inbound: link.inbound,
        };
        self.tell(now, input, out);
    }

    fn link_down(&mut self, now: Timestamp, peer: NodeId, out: &mut Outbox<Word>) {
        let was_up = self.links.remove(&peer).is_some_and(|link| link.up);
        if let Mind::Hostile(liar) = &mut self.mind {
            liar.links.remove(&peer);
        } else if was_up {
            self.tell(now, Input::LinkDown { peer }, out);
        }
    }

    fn dial_failed(
        &mut self,
        now: Timestamp,
        address: Address,
        error: DialError,
        out: &mut Outbox<Word>,
    ) {
        let Some(peer) = self.dials.remove(&address) else {
            return;
        };
        // The other side's link comes up, or is up already.
        if error == DialError::AlreadyLinked && self.links.contains_key(&peer) {
            return;
        }
        self.tell(now, Input::Unreachable { peer }, out);
    }

    fn frame(&mut self, now: Timestamp, peer: NodeId, packet: &Bytes, out: &mut Outbox<Word>) {
        let Some(frame) = decode(packet) else {
            return;
        };
        if let Mind::Hostile(liar) = &mut self.mind {
            liar.hear(now, peer, frame, &self.role.ground.gang, out);
            return;
        }
        if self.links.get(&peer).is_some_and(|link| link.up) {
            let frame = FromPeer::authenticated(peer, frame);
            self.tell(now, Input::Frame(frame), out);
        }
    }
}

fn decode(packet: &Bytes) -> Option<DhtFrame> {
    let header = FrameHeader::parse(*packet.first_chunk()?).ok()?;
    let body = packet.slice(FrameHeader::LEN..);
    match Frame::decode(header.kind?, body).ok()? {
        Frame::Dht(frame) => Some(*frame),
        _ => None,
    }
}

impl Host for Kad {
    type Packet = Word;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Word>, out: &mut Outbox<Word>) {
        match event {
            HostEvent::Start => {
                for (id, address) in self.role.tickets.clone() {
                    self.dials.insert(address, id);
                    out.dial(address, Some(id));
                }
                if self.dht().is_some() {
                    self.listen(now, out);
                    self.tell(now, Input::Start, out);
                }
            }
            HostEvent::Tick => match &mut self.mind {
                Mind::Asleep => {}
                Mind::Awake(_) => self.tell(now, Input::Tick, out),
                Mind::Hostile(liar) => liar.act(now, &self.role.ground.gang, out),
            },
            HostEvent::LinkUp {
                peer,
                address,
                dialled,
            } => self.link_up(now, (peer, address), dialled, out),
            HostEvent::LinkDown { peer, .. } => self.link_down(now, peer, out),
            HostEvent::DialFailed { address, error } => {
                self.dial_failed(now, address, error, out);
            }
            HostEvent::Packet { from, packet } => match packet {
                Word::Hello { serves } => self.greeted(now, from, serves, out),
                Word::Frame(frame) => self.frame(now, from, &frame, out),
            },
            HostEvent::Datagram { .. } => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        match &self.mind {
            Mind::Asleep => None,
            Mind::Awake(dht) => dht.next_deadline(),
            Mind::Hostile(liar) => liar.next_deadline(),
        }
    }

    fn size(packet: &Word) -> usize {
        match packet {
            Word::Hello { .. } => 1,
            Word::Frame(frame) => frame.len(),
        }
    }
}
