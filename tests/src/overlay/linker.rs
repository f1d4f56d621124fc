use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use repute_base::{
    Address, BoundedBytes, BoundedString, BoundedVec, Machine, Mono, Rng, Timestamp, Wall,
};
use repute_identity::{Identity, NodeId};
use repute_node::peers::{
    Config, DialFailure, Event, Input, Limits, LinkDown, LinkId, Output, PeerEvidence, Peers,
    Stored, Write,
};
use repute_protocol::{
    Disconnect, EnvelopeKind, Frame, FromPeer, Handshake, HandshakeAck, NetworkId, Payload,
    PeerAnnouncement, PeerHint, Seq, Unsigned, VERSION,
    limits::{HINTS_MAX, RECORDS_MAX},
};
use repute_sim::{Host, HostEvent, LinkEnd, Outbox, Seat};

use crate::verdicts::Verdicts;

/// How often a hostile node knocks at its victim's door.
const KNOCK: Duration = Duration::from_secs(2);

/// What travels between the nodes: the words of the engine, unencoded.
#[derive(Clone)]
pub enum Word {
    /// The first on each link, from both ends.
    Hello(Box<Handshake>),
    /// Any other.
    Frame(Box<Frame>),
}

/// Nodes that work together against one.
#[derive(Default)]
pub(crate) struct Gang {
    pub(crate) members: Vec<(NodeId, Address)>,
    records: BTreeMap<NodeId, Bytes>,
    pub(crate) victim: Option<(NodeId, Address)>,
}

/// What the store keeps of the engine, through a crash.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    peers: BTreeMap<NodeId, Stored>,
    anchors: Vec<NodeId>,
}

/// What a life of a node is made of.
#[derive(Clone)]
pub(crate) struct Role {
    pub(crate) who: u64,
    pub(crate) config: Config,
    pub(crate) tickets: Vec<(NodeId, Address)>,
    pub(crate) shelf: Shelf,
    pub(crate) verdicts: Verdicts,
    /// Whom a hostile node works for.
    pub(crate) gang: Option<Rc<RefCell<Gang>>>,
}

/// What the engine said, and when.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) suspected: Vec<(NodeId, Wall)>,
    /// Closed because they were silent.
    pub(crate) silent: Vec<NodeId>,
    /// Silent through their own fault, in the engine's judgement: evidence for the trust engine.
    pub(crate) reported: Vec<NodeId>,
}

struct Link {
    id: LinkId,
    remote: Address,
    inbound: bool,
    up: bool,
    farewell: Option<Disconnect>,
}

/// One node: the peers engine with the shell that this simulation gives it.
pub struct Linker {
    engine: Peers,
    pub(crate) role: Role,
    pub(crate) notes: Notes,
    identity: Identity,
    address: Address,
    rng: Rng,
    links: BTreeMap<NodeId, Link>,
    dials: BTreeMap<Address, NodeId>,
    numbers: u64,
    knock: Mono,
    /// What comes and goes while the node is starved: its timers run, its links do not.
    starved: Option<Starved>,
}

#[derive(Default)]
struct Starved {
    inward: VecDeque<(NodeId, Word)>,
    outward: VecDeque<(NodeId, Word)>,
}

impl Linker {
    pub(crate) fn new(seat: Seat, role: Role) -> Self {
        let mut rng = seat.rng;
        let limits = Limits::default();
        let mut engine = Peers::new(role.config.clone(), limits, seat.id, rng.fork())
            .expect("the configuration is sound");
        for peer in role.shelf.peers.values() {
            engine.restore(peer.clone());
        }
        engine.restore_anchors(role.shelf.anchors.clone());
        Self {
            engine,
            identity: Identity::from_seed(role.who),
            role,
            notes: Notes::default(),
            address: seat.address,
            rng,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            numbers: 0,
            knock: Mono::ZERO,
            starved: None,
        }
    }

    /// The next life, from what the store kept. Tickets were named to the first life.
    pub(crate) fn reborn(self, seat: Seat) -> Self {
        let role = Role {
            tickets: Vec::new(),
            ..self.role
        };
        Self::new(seat, role)
    }

    /// The peers with an admitted link, and whether they dialled it.
    pub(crate) fn active(&self) -> impl Iterator<Item = (NodeId, bool)> + '_ {
        self.engine.active().map(|peer| {
            let inbound = self.links.get(&peer).is_none_or(|link| link.inbound);
            (peer, inbound)
        })
    }

    /// How many peers the engine has heard of.
    pub(crate) fn known(&self) -> usize {
        self.engine.iter().count()
    }

    /// From here on timers run and links stand still, as in a process that gets no time for them.
    pub(crate) fn starve(&mut self) {
        self.starved.get_or_insert_default();
    }

    /// Ends that: what came is handled, and what was to go goes.
    pub(crate) fn feed(&mut self, now: Timestamp, out: &mut Outbox<Word>) {
        let Some(starved) = self.starved.take() else {
            return;
        };
        for (to, word) in starved.outward {
            out.send(to, word);
        }
        for (from, word) in starved.inward {
            self.hear(now, from, word, out);
        }
    }

    fn drive(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Word>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.engine.handle(now, input);
            while let Some(output) = self.engine.poll_output() {
                self.perform(now, output, &mut inputs, out);
            }
        }
    }

    fn say(&mut self, to: NodeId, word: Word, out: &mut Outbox<Word>) {
        match &mut self.starved {
            Some(starved) => starved.outward.push_back((to, word)),
            None => out.send(to, word),
        }
    }

    fn perform(
        &mut self,
        now: Timestamp,
        output: Output,
        inputs: &mut VecDeque<Input>,
        out: &mut Outbox<Word>,
    ) {
        match output {
            Output::Dial { peer, addresses } => match addresses.first() {
                Some(address) => {
                    self.dials.insert(*address, peer);
                    out.dial(*address, Some(peer));
                }
                None => inputs.push_back(unreachable(peer)),
            },
            Output::Send { peer, frame } => {
                let frame = self.twist(frame);
                self.say(peer, Word::Frame(Box::new(frame)), out);
            }
            Output::Close {
                peer, disconnect, ..
            } => {
                self.say(
                    peer,
                    Word::Frame(Box::new(Frame::Disconnect(disconnect))),
                    out,
                );
                out.close(peer);
            }
            Output::Verify { from, envelope } => {
                inputs.push_back(match self.role.verdicts.verify(envelope) {
                    Ok(envelope) => Input::RecordVerified(envelope),
                    Err(_) => Input::RecordForged { from },
                });
            }
            Output::SignRecord(record) => {
                self.numbers += 1;
                let envelope = Unsigned {
                    network: network(),
                    kind: EnvelopeKind::AddressRecord,
                    seq: Seq {
                        start: now.wall.as_millis(),
                        counter: self.numbers,
                    },
                    sent: now.wall,
                    payload: Payload::AddressRecord(record).encode(),
                }
                .sign(&self.identity);
                if let Some(gang) = &self.role.gang {
                    let wire = envelope.wire().clone();
                    gang.borrow_mut().records.insert(self.identity.id(), wire);
                }
                inputs.push_back(Input::OwnRecord(envelope));
            }
            Output::Persist(write) => self.keep(write),
            Output::Evidence {
                peer,
                evidence: PeerEvidence::Timeout,
            } => self.notes.reported.push(peer),
            Output::Misbehaviour { peer, kind } => out.accuse(peer, kind),
            Output::Event(Event::Suspected { peer }) => self.notes.suspected.push((peer, now.wall)),
            Output::Event(Event::Silent { peer, .. }) => self.notes.silent.push(peer),
            _ => {}
        }
    }

    fn keep(&mut self, write: Write) {
        let shelf = &mut self.role.shelf;
        match write {
            Write::Peer(peer) => drop(shelf.peers.insert(peer.id, peer)),
            Write::Forget(peer) => drop(shelf.peers.remove(&peer)),
            Write::Anchors(anchors) => shelf.anchors = anchors,
            _ => {}
        }
    }

    /// Where a hostile node would tell of peers, it tells of its own kind alone.
    fn twist(&mut self, frame: Frame) -> Frame {
        let Some(gang) = &self.role.gang else {
            return frame;
        };
        let gang = gang.borrow();
        match frame {
            Frame::HandshakeAck(ack) => {
                let some = self.rng.sample(&gang.members, HINTS_MAX);
                let hint = |(id, address): (NodeId, Address)| PeerHint {
                    id,
                    addresses: BoundedVec::truncated([address]),
                };
                Frame::HandshakeAck(HandshakeAck {
                    peers: BoundedVec::truncated(some.into_iter().map(hint)),
                    ..ack
                })
            }
            Frame::PeerAnnouncement(_) => {
                let all: Vec<Bytes> = gang.records.values().cloned().collect();
                let some = self.rng.sample(&all, RECORDS_MAX).into_iter();
                let records = some.filter_map(|wire| BoundedBytes::new(wire).ok());
                Frame::PeerAnnouncement(PeerAnnouncement {
                    records: BoundedVec::truncated(records),
                })
            }
            other => other,
        }
    }

    /// A hostile node without a link to the victim asks for one, again and again.
    fn knock(&mut self, now: Timestamp, out: &mut Outbox<Word>) {
        let Some(gang) = &self.role.gang else { return };
        if now.mono < self.knock {
            return;
        }
        self.knock = now.mono + self.rng.jitter(KNOCK, 50);
        if let Some((victim, address)) = gang.borrow().victim
            && !self.links.contains_key(&victim)
        {
            out.dial(address, Some(victim));
        }
    }

    fn greeting(&self) -> Word {
        Word::Hello(Box::new(Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network: network(),
            inception: *self.identity.inception(),
            capabilities: BoundedVec::new(),
            listen: BoundedVec::truncated([self.address]),
            wall: 0,
            agent: BoundedString::truncated("simulated"),
        }))
    }

    fn hear(&mut self, now: Timestamp, from: NodeId, word: Word, out: &mut Outbox<Word>) {
        let Some(link) = self.links.get_mut(&from) else {
            return;
        };
        let input = match word {
            Word::Hello(handshake) => {
                link.up = true;
                Input::LinkUp {
                    peer: from,
                    link: link.id,
                    handshake: *handshake,
                    remote: link.remote,
                    inbound: link.inbound,
                }
            }
            Word::Frame(frame) => {
                if let Frame::Disconnect(last) = &*frame {
                    link.farewell = Some(last.clone());
                }
                Input::Frame(FromPeer::authenticated(from, *frame))
            }
        };
        self.drive(now, input, out);
    }

    fn link_down(&mut self, now: Timestamp, peer: NodeId, end: LinkEnd, out: &mut Outbox<Word>) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        let cause = match (link.farewell, end) {
            (Some(disconnect), _) => LinkDown::Closed(disconnect),
            (None, LinkEnd::Here) => LinkDown::Local,
            _ => LinkDown::Lost,
        };
        if link.up {
            let link = link.id;
            self.drive(now, Input::LinkDown { peer, link, cause }, out);
        } else if !link.inbound {
            self.drive(now, unreachable(peer), out);
        }
    }
}

fn network() -> NetworkId {
    NetworkId::from_name("linkers")
}

const fn unreachable(peer: NodeId) -> Input {
    Input::DialFailed {
        peer,
        cause: DialFailure::Unreachable,
    }
}

impl Host for Linker {
    type Packet = Word;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Word>, out: &mut Outbox<Word>) {
        match event {
            HostEvent::Start => {
                let addresses = vec![self.address];
                self.drive(now, Input::Listening { addresses }, out);
                for (peer, address) in self.role.tickets.clone() {
                    let addresses = vec![address];
                    self.drive(now, Input::Join { peer, addresses }, out);
                }
                self.drive(now, Input::Start, out);
            }
            HostEvent::Tick => {
                self.knock(now, out);
                self.drive(now, Input::Tick, out);
            }
            HostEvent::LinkUp {
                peer,
                address,
                dialled,
            } => {
                self.numbers += 1;
                self.dials.remove(&address);
                let link = Link {
                    id: LinkId(self.numbers),
                    remote: address,
                    inbound: !dialled,
                    up: false,
                    farewell: None,
                };
                self.links.insert(peer, link);
                let greeting = self.greeting();
                self.say(peer, greeting, out);
            }
            HostEvent::LinkDown { peer, end } => self.link_down(now, peer, end, out),
            HostEvent::DialFailed { address, .. } => {
                if let Some(peer) = self.dials.remove(&address) {
                    self.drive(now, unreachable(peer), out);
                }
            }
            HostEvent::Packet { from, packet } => match &mut self.starved {
                Some(starved) => starved.inward.push_back((from, packet)),
                None => self.hear(now, from, packet, out),
            },
            HostEvent::Datagram { .. } => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        let engine = self.engine.next_deadline();
        if self.role.gang.is_none() {
            return engine;
        }
        Some(engine.map_or(self.knock, |at| at.min(self.knock)))
    }

    fn size(_: &Word) -> usize {
        64
    }
}
