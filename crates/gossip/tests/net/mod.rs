//! A gossip engine with the little shell that a simulated node needs.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use repute_base::{BoundedBytes, Machine, Mono, Timestamp};
use repute_gossip::{Config, Event, Gossip, Input, Limits, Output, SeenAuthor};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    EnvelopeKind, Frame, FrameHeader, FromPeer, MessageId, NetworkId, Seq, Topic, Unsigned,
};
use repute_sim::{Faults, Host, HostEvent, Outbox, Seat, World};

pub(crate) fn network() -> NetworkId {
    NetworkId::from_name("test")
}

pub(crate) fn topic() -> Topic {
    Topic::new("news").unwrap()
}

pub(crate) fn identity(index: usize) -> Identity {
    Identity::from_seed(index as u64)
}

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) rows: BTreeMap<NodeId, SeenAuthor>,
    pub(crate) delivered: BTreeMap<MessageId, u32>,
}

pub(crate) struct Node {
    pub(crate) engine: Gossip,
    identity: Identity,
    start: u64,
    counter: u64,
    tokens: u64,
    pub(crate) disk: Disk,
    pub(crate) published: Vec<MessageId>,
    /// How long each delivery took since it was sent, ms; true only where no clock is off.
    pub(crate) delays_ms: Vec<u64>,
    pub(crate) links: BTreeMap<NodeId, Mono>,
    /// Whom to join through; dialled again until there is a link, as whoever starts a node does.
    pub(crate) contact: Option<repute_base::Address>,
    links_max: usize,
    /// Passes nothing on.
    pub(crate) mute: bool,
    /// Every broadcast frame that came, if they are to be kept.
    pub(crate) heard: Option<Vec<(NodeId, Bytes)>>,
}

impl Node {
    pub(crate) fn new(seat: Seat, config: Config, disk: Disk) -> Self {
        let identity = identity(seat.index);
        let mut engine = Gossip::new(
            config,
            Limits::default(),
            identity.id(),
            network(),
            seat.rng,
        )
        .unwrap();
        disk.rows.values().for_each(|row| engine.restore_seen(*row));
        engine.handle(
            seat.now,
            Input::Subscribe {
                topic: topic(),
                causal: false,
            },
        );
        Self {
            engine,
            identity,
            start: seat.now.wall.as_millis(),
            counter: 0,
            tokens: 0,
            disk,
            published: Vec::new(),
            delays_ms: Vec::new(),
            links: BTreeMap::new(),
            contact: None,
            links_max: 12,
            mute: false,
            heard: None,
        }
    }

    pub(crate) fn publish(&mut self, now: Timestamp, data: &[u8], out: &mut Outbox<Bytes>) {
        self.tokens += 1;
        let publish = Input::Publish {
            topic: topic(),
            kind: 0,
            data: BoundedBytes::new(data.to_vec()).unwrap(),
            causal: false,
            token: self.tokens,
        };
        self.drive(now, publish, out);
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
            Output::Send { peer, frame, .. } => {
                inputs.push(Input::LinkQueue {
                    peer,
                    bytes: frame.len(),
                });
                if !self.mute {
                    out.send(peer, frame);
                }
            }
            Output::Verify { from, envelope } => inputs.push(match envelope.verify() {
                Ok(envelope) => Input::Verified { from, envelope },
                Err(envelope) => Input::Forged { from, envelope },
            }),
            Output::Sign { token, payload } => {
                let seq = Seq {
                    start: self.start,
                    counter: self.counter,
                };
                self.counter += 1;
                let envelope = Unsigned {
                    network: network(),
                    kind: EnvelopeKind::Message,
                    seq,
                    sent: now.wall,
                    payload: payload.encode(),
                }
                .sign(&self.identity);
                inputs.push(Input::Signed { envelope, token });
            }
            Output::Deliver { envelope, .. } => {
                *self.disk.delivered.entry(envelope.id()).or_default() += 1;
                self.delays_ms
                    .push(now.wall.since(envelope.sent()).as_millis() as u64);
            }
            Output::Want { peer, addresses } => {
                if let Some(address) = addresses.first() {
                    out.dial(*address, Some(peer));
                }
            }
            Output::Persist { rows } => {
                self.disk
                    .rows
                    .extend(rows.into_iter().map(|row| (row.author, row)));
            }
            Output::Misbehaviour { peer, kind } => out.accuse(peer, kind),
            Output::Event(Event::Published { id, .. }) => self.published.push(id),
            _ => {}
        }
    }

    /// What the peers engine does in a whole node: superfluous links are closed.
    fn close_superfluous(&mut self, now: Timestamp, out: &mut Outbox<Bytes>) {
        let active: BTreeSet<NodeId> = self.engine.active_view().into_iter().collect();
        let spare = self.links.iter().find(|(peer, since)| {
            !active.contains(peer) && now.mono.since(**since).as_secs() >= 10
        });
        if self.links.len() > self.links_max
            && let Some((peer, _)) = spare
        {
            out.close(*peer);
        }
    }
}

impl Host for Node {
    type Packet = Bytes;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Bytes>, out: &mut Outbox<Bytes>) {
        let input = match event {
            HostEvent::Tick => {
                self.close_superfluous(now, out);
                Input::Tick
            }
            HostEvent::DialFailed { address, .. } => {
                if self.contact == Some(address) {
                    out.dial(address, None);
                }
                return;
            }
            HostEvent::LinkUp { peer, address, .. } => {
                if self.contact == Some(address) {
                    self.contact = None;
                }
                self.links.insert(peer, now.mono);
                Input::PeerUp {
                    peer,
                    addresses: vec![address],
                }
            }
            HostEvent::LinkDown { peer, .. } => {
                self.links.remove(&peer);
                Input::PeerDown { peer }
            }
            HostEvent::Packet { from, packet } => {
                if let Some(heard) = &mut self.heard {
                    heard.push((from, packet.clone()));
                }
                Input::Frame(FromPeer::authenticated(from, decode(packet)))
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

pub(crate) fn decode(packet: Bytes) -> Frame {
    let header = FrameHeader::parse(packet[..FrameHeader::LEN].try_into().unwrap()).unwrap();
    Frame::decode(header.kind.unwrap(), packet.slice(FrameHeader::LEN..)).unwrap()
}

/// A world of `nodes` nodes, each joined through a random earlier one, after `settle` seconds.
pub(crate) fn grown(
    seed: u64,
    faults: Faults,
    nodes: usize,
    config: &Config,
    settle: u64,
) -> World<Node> {
    let mut world = World::new(seed, faults);
    for index in 0..nodes {
        let config = config.clone();
        world.add(identity(index).id(), |seat| {
            Node::new(seat, config, Disk::default())
        });
    }
    join(&mut world, seed);
    world.run_for(std::time::Duration::from_secs(settle));
    world
}

pub(crate) fn join(world: &mut World<Node>, seed: u64) {
    let mut rng = repute_base::Rng::from_u64(seed ^ 0x9e37_79b9);
    for index in 1..world.len() {
        let contact = world.address(rng.below(index as u64) as usize).unwrap();
        world.act(index, |node, _, out| {
            node.contact = Some(contact);
            out.dial(contact, None);
        });
        world.run_for(std::time::Duration::from_millis(20));
    }
}

/// How many nodes have every one of `messages` exactly once, their own aside.
pub(crate) fn reached(world: &World<Node>, messages: &BTreeSet<MessageId>) -> usize {
    world
        .hosts()
        .filter(|(_, node)| {
            messages.iter().all(|id| {
                let times = node.disk.delivered.get(id).copied().unwrap_or(0);
                times == u32::from(!node.published.contains(id))
            })
        })
        .count()
}
