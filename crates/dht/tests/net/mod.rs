//! A DHT engine with the little shell that a simulated node needs, and nodes that mean harm.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod crowd;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedVec, Machine, Mono, Rng, Timestamp, codec};
use repute_dht::{Config, Dht, Draft, Event, FoundRecord, Input, Limits, Outcome, Output, Write};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Contact, DhtAnswer, DhtAsk, DhtFrame, Envelope, EnvelopeKind, FromPeer, NetworkId, RecordKey,
    RecordKind, RecordList, Seq, Stored, Unsigned, Verified,
};
use repute_sim::{DialError, Faults, Host, HostEvent, Outbox, Seat, World};

pub(crate) fn network() -> NetworkId {
    NetworkId::from_name("test")
}

pub(crate) fn identity(index: usize) -> Identity {
    Identity::from_seed(index as u64)
}

/// What a hostile node does with the requests of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malice {
    /// Says nothing.
    Drop,
    /// Names nodes closest to the target that do not exist.
    Invent,
    /// Names its friends, gives records that are forged, and keeps none.
    Poison,
}

pub(crate) struct Node {
    pub(crate) engine: Dht,
    pub(crate) identity: Identity,
    start: u64,
    counter: u64,
    tokens: u64,
    address: Address,
    pub(crate) server: bool,
    /// Who is a server cannot be told from a simulated link: the world's own list.
    pub(crate) clients: Vec<NodeId>,
    pub(crate) malice: Option<Malice>,
    pub(crate) friends: Vec<Contact>,
    rng: Rng,
    dials: BTreeMap<Address, NodeId>,
    pub(crate) found: Vec<(u64, FoundRecord)>,
    pub(crate) finished: BTreeMap<u64, Outcome>,
    pub(crate) published: BTreeMap<u64, usize>,
    pub(crate) refused: Vec<u64>,
    pub(crate) traced: usize,
    pub(crate) disk: BTreeMap<(RecordKey, NodeId, u8), Bytes>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) evidence: (u64, u64),
    /// Bytes of all frames sent.
    pub(crate) sent_bytes: usize,
}

impl Node {
    pub(crate) fn new(seat: Seat, config: Config) -> Self {
        let identity = identity(seat.index);
        let mut rng = seat.rng;
        let engine = Dht::new(
            config,
            Limits::default(),
            identity.id(),
            network(),
            rng.fork(),
        );
        Self {
            engine: engine.unwrap(),
            identity,
            start: seat.now.wall.as_millis(),
            counter: 0,
            tokens: 0,
            address: seat.address,
            server: true,
            clients: Vec::new(),
            malice: None,
            friends: Vec::new(),
            rng,
            dials: BTreeMap::new(),
            found: Vec::new(),
            finished: BTreeMap::new(),
            published: BTreeMap::new(),
            refused: Vec::new(),
            traced: 0,
            disk: BTreeMap::new(),
            contacts: Vec::new(),
            evidence: (0, 0),
            sent_bytes: 0,
        }
    }

    pub(crate) fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    pub(crate) fn drive(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Bytes>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.engine.handle(now, input);
            while let Some(output) = self.engine.poll_output() {
                self.act(now, output, &mut inputs, out);
            }
        }
    }

    fn act(
        &mut self,
        now: Timestamp,
        output: Output,
        inputs: &mut Vec<Input>,
        out: &mut Outbox<Bytes>,
    ) {
        match output {
            Output::Link { peer, addresses } => match addresses.first() {
                Some(address) => {
                    self.dials.insert(*address, peer);
                    out.dial(*address, Some(peer));
                }
                None => inputs.push(Input::Unreachable { peer }),
            },
            Output::Unlink { peer } => out.close(peer),
            Output::Send { peer, frame } => {
                let bytes = codec::encode(&frame);
                self.sent_bytes += bytes.len();
                out.send(peer, bytes.into());
            }
            Output::Verify { from, envelope } => inputs.push(match envelope.verify() {
                Ok(envelope) => Input::Verified { from, envelope },
                Err(envelope) => Input::Forged { from, envelope },
            }),
            Output::Sign { token, payload } => {
                let envelope = self.sign(now, payload);
                inputs.push(Input::Signed { token, envelope });
            }
            Output::Persist(Write::Record {
                key,
                author,
                slot,
                wire,
                ..
            }) => drop(self.disk.insert((key, author, slot), wire)),
            Output::Persist(Write::Forget { key, author, slot }) => {
                self.disk.remove(&(key, author, slot));
            }
            Output::Persist(Write::Contacts(contacts)) => self.contacts = contacts,
            Output::Misbehaviour { peer, kind } => out.accuse(peer, kind),
            Output::Evidence { answered: true, .. } => self.evidence.0 += 1,
            Output::Evidence { .. } => self.evidence.1 += 1,
            Output::Event(event) => self.on_event(event),
            _ => {}
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Found { token, record } => self.found.push((token, record)),
            Event::Finished { token, outcome } => {
                let before = self.finished.insert(token, outcome);
                assert!(before.is_none(), "finished once");
            }
            Event::Published { token, copies, .. } => drop(self.published.insert(token, copies)),
            Event::Refused { token, .. } => self.refused.push(token),
            Event::Trace { .. } => self.traced += 1,
            _ => {}
        }
    }

    pub(crate) fn sign(&mut self, now: Timestamp, payload: Vec<u8>) -> Verified<Envelope> {
        self.counter += 1;
        Unsigned {
            network: network(),
            kind: EnvelopeKind::Record,
            seq: Seq {
                start: self.start,
                counter: self.counter,
            },
            sent: now.wall,
            payload,
        }
        .sign(&self.identity)
    }

    /// What a hostile node answers; nothing when it keeps silent.
    fn lie(&mut self, malice: Malice, ask: &DhtAsk) -> Option<DhtAnswer> {
        let target = match ask {
            DhtAsk::Contacts { target, .. } => *target,
            DhtAsk::Records { key, .. } => *key,
            DhtAsk::Store { records } => {
                let outcomes = records.iter().map(|_| Stored::Kept);
                return (malice != Malice::Drop).then(|| DhtAnswer::Stored {
                    outcomes: BoundedVec::truncated(outcomes),
                });
            }
        };
        let contacts = match malice {
            Malice::Drop => return None,
            Malice::Invent => (0..20).map(|_| self.invented(&target)).collect(),
            Malice::Poison => {
                let mut friends = self.friends.clone();
                friends.sort_by_key(|one| xor(&one.id, &target));
                friends
            }
        };
        let contacts = BoundedVec::truncated(contacts);
        Some(match ask {
            DhtAsk::Contacts { .. } => DhtAnswer::Contacts { contacts },
            _ => DhtAnswer::Records {
                records: RecordList::default(),
                more: false,
                contacts,
            },
        })
    }

    /// Nobody, very close to a place, somewhere on the internet.
    fn invented(&mut self, target: &RecordKey) -> Contact {
        let mut bytes = *target.as_bytes();
        let mut tail = [0; 28];
        self.rng.fill(&mut tail);
        bytes[4..].copy_from_slice(&tail);
        let [a, b, c] = [0; 3].map(|_: u8| self.rng.range(1..250));
        let address = format!("77.{a}.{b}.{c}:4100").parse().unwrap();
        Contact {
            id: NodeId::from_bytes(bytes),
            addresses: BoundedVec::truncated([address]),
        }
    }
}

pub(crate) fn xor(id: &NodeId, target: &RecordKey) -> [u8; 32] {
    std::array::from_fn(|i| id.as_bytes()[i] ^ target.as_bytes()[i])
}

impl Host for Node {
    type Packet = Bytes;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Bytes>, out: &mut Outbox<Bytes>) {
        let input = match event {
            HostEvent::Start => {
                let addresses = vec![self.address];
                self.drive(now, Input::Listening { addresses }, out);
                Input::Start
            }
            HostEvent::Tick => Input::Tick,
            HostEvent::DialFailed { address, error } => {
                let Some(peer) = self.dials.remove(&address) else {
                    return;
                };
                if error == DialError::AlreadyLinked {
                    return;
                }
                Input::Unreachable { peer }
            }
            HostEvent::LinkUp {
                peer,
                address,
                dialled,
            } => {
                self.dials.remove(&address);
                Input::LinkUp {
                    peer,
                    remote: address,
                    listen: vec![address],
                    server: !self.clients.contains(&peer),
                    inbound: !dialled,
                }
            }
            HostEvent::LinkDown { peer, .. } => Input::LinkDown { peer },
            HostEvent::Packet { from, packet } => {
                let frame: DhtFrame = codec::decode(&packet).unwrap();
                if let (Some(malice), DhtFrame::Request { number, ask }) = (self.malice, &frame) {
                    if let Some(answer) = self.lie(malice, ask) {
                        let number = *number;
                        out.send(
                            from,
                            codec::encode(&DhtFrame::Answer { number, answer }).into(),
                        );
                    }
                    return;
                }
                Input::Frame(FromPeer::authenticated(from, frame))
            }
            _ => return,
        };
        self.drive(now, input, out);
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.engine.next_deadline()
    }

    fn size(packet: &Bytes) -> usize {
        packet.len()
    }
}

/// A world of nodes, each joined through a random earlier one, `gap` after it.
pub(crate) fn grown(
    seed: u64,
    faults: Faults,
    nodes: usize,
    config: &Config,
    settle: Duration,
) -> World<Node> {
    let mut world = World::new(seed, faults);
    let mut rng = Rng::from_u64(seed ^ 0x9e37_79b9);
    for index in 0..nodes {
        add(&mut world, index, config);
        if index > 0 {
            join(&mut world, index, rng.below(index as u64) as usize);
        }
        world.run_for(Duration::from_millis(200));
    }
    world.run_for(settle);
    world
}

pub(crate) fn add(world: &mut World<Node>, index: usize, config: &Config) {
    let config = config.clone();
    world.add(identity(index).id(), |seat| Node::new(seat, config));
}

pub(crate) fn join(world: &mut World<Node>, index: usize, contact: usize) {
    let (address, id) = (world.address(contact).unwrap(), world.id(contact).unwrap());
    world.act(index, |_, _, out| out.dial(address, Some(id)));
}

pub(crate) fn link_all(world: &mut World<Node>) {
    for a in 0..world.len() {
        for b in a + 1..world.len() {
            if !world.are_linked(a, b) {
                join(world, a, b);
            }
        }
        world.run_for(Duration::from_millis(50));
    }
}

/// Runs one request of a node to its end.
pub(crate) fn lookup(world: &mut World<Node>, index: usize, target: RecordKey) -> Option<Outcome> {
    let token = world.act(index, |node, now, out| {
        let token = node.token();
        let trace = false;
        node.drive(
            now,
            Input::Lookup {
                token,
                target,
                trace,
            },
            out,
        );
        token
    })?;
    finish(world, index, token)
}

pub(crate) fn find(
    world: &mut World<Node>,
    index: usize,
    key: RecordKey,
    want: repute_dht::Want,
) -> (Vec<FoundRecord>, Option<Outcome>) {
    let token = world.act(index, |node, now, out| {
        let token = node.token();
        node.drive(now, Input::Find { token, key, want }, out);
        token
    });
    let outcome = token.and_then(|token| finish(world, index, token));
    let found = world.host(index).map_or(Vec::new(), |node| {
        let ours = |(one, _): &&(u64, FoundRecord)| Some(*one) == token;
        node.found
            .iter()
            .filter(ours)
            .map(|(_, found)| found.clone())
            .collect()
    });
    (found, outcome)
}

fn finish(world: &mut World<Node>, index: usize, token: u64) -> Option<Outcome> {
    let ended = |world: &World<Node>| {
        let node = world.host(index);
        node.is_some_and(|node| node.finished.contains_key(&token))
    };
    world.run_until_true(Duration::from_secs(90), ended);
    world.host(index)?.finished.get(&token).cloned()
}

pub(crate) fn value(name: &str, value: &str, lifetime: Duration) -> Draft {
    Draft {
        kind: RecordKind::Value,
        slot: 0,
        name: BoundedBytes::new(name.as_bytes().to_vec()).unwrap(),
        value: BoundedBytes::new(value.as_bytes().to_vec()).unwrap(),
        lifetime,
    }
}

pub(crate) fn publish(world: &mut World<Node>, index: usize, draft: Draft) -> (RecordKey, usize) {
    let author = world.id(index).unwrap();
    let key = RecordKey::of(draft.kind, &author, &draft.name);
    let token = world
        .act(index, |node, now, out| {
            let token = node.token();
            node.drive(now, Input::Publish { token, draft }, out);
            token
        })
        .unwrap();
    let done = |world: &World<Node>| {
        let node = world.host(index);
        node.is_some_and(|node| node.published.contains_key(&token))
    };
    assert!(
        world.run_until_true(Duration::from_secs(120), done),
        "published"
    );
    (key, world.host(index).unwrap().published[&token])
}

/// Who keeps a record of this key now.
pub(crate) fn holders(world: &World<Node>, key: RecordKey) -> Vec<usize> {
    let keeps = |node: &Node| node.malice.is_none() && !node.engine.records(key).is_empty();
    world
        .hosts()
        .filter(|(_, node)| keeps(node))
        .map(|(index, _)| index)
        .collect()
}

/// The nodes that are truly closest to a place, `asker` aside.
pub(crate) fn truly_closest(world: &World<Node>, target: &RecordKey, asker: usize) -> Vec<NodeId> {
    let others = world.hosts().filter(|(index, _)| *index != asker);
    let mut ids: Vec<NodeId> = others.map(|(index, _)| world.id(index).unwrap()).collect();
    ids.sort_by_key(|id| xor(id, target));
    ids
}

pub(crate) fn place(rng: &mut Rng) -> RecordKey {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    RecordKey::from_bytes(bytes)
}
