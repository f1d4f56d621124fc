use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, Machine, Mono, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_node::gossip::{Config, Gossip, Input, Limits, Output, Stats};
use repute_protocol::{
    EnvelopeKind, Frame, FrameKind, FromPeer, GossipFrame, NetworkId, Seq, Topic, Unsigned,
};
use repute_sim::{DialError, Host, HostEvent, Outbox, Seat};

use super::Ledger;
use crate::{host::decode, verdicts::Verdicts};

/// Written bytes are reported to the engine in portions of a sixteenth of a link's credit.
const REPORT_BYTES: usize = 16 << 10;
/// A link that the active view does not use is kept for so long.
const SPARE_MS: u64 = 10_000;

/// What the members of a network have in common.
pub(crate) struct Shared {
    pub(crate) network: NetworkId,
    pub(crate) topic: Topic,
    /// Links that a node keeps.
    pub(crate) links_kept: usize,
    pub(crate) verdicts: Verdicts,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) counts: RefCell<Counts>,
    /// Room for the inputs that an input brings about, so that no node needs its own.
    scratch: RefCell<VecDeque<Input>>,
}

impl Shared {
    pub(crate) fn new(links_kept: usize) -> Self {
        Self {
            network: NetworkId::from_name("overlay"),
            topic: Topic::new("news").expect("short"),
            links_kept,
            verdicts: Verdicts::default(),
            ledger: RefCell::default(),
            counts: RefCell::default(),
            scratch: RefCell::default(),
        }
    }
}

/// What came over the links of a network, all nodes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs that engines handled.
    pub steps: u64,
    /// Frames that carried a message.
    pub payloads: u64,
    /// Messages announced, grafts, prunes and requests: what a broadcast costs besides payload.
    pub controls: u64,
    /// Frames of every kind.
    pub frames: u64,
    /// Bytes of these.
    pub bytes: u64,
}

impl Counts {
    /// What was added since `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            steps: self.steps - before.steps,
            payloads: self.payloads - before.payloads,
            controls: self.controls - before.controls,
            frames: self.frames - before.frames,
            bytes: self.bytes - before.bytes,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Link {
    since: Mono,
    /// Bytes written and not yet reported.
    written: usize,
}

/// One node: the gossip engine with the shell that this simulation gives it.
#[derive(Clone)]
pub struct Member {
    engine: Gossip,
    shared: Rc<Shared>,
    index: usize,
    /// The seed of the identity, which is made again when there is something to sign.
    who: u64,
    start: u64,
    published: u64,
    links: BTreeMap<NodeId, Link>,
    /// Whom dials are for.
    dials: BTreeMap<Address, NodeId>,
    /// Whom to join through, until there is a link.
    contact: Option<Address>,
    /// How the broadcast frame at hand came: links crossed, and whether it was asked for.
    arrival: (u8, bool),
}

impl Member {
    pub(crate) fn new(
        seat: Seat,
        who: u64,
        config: Config,
        limits: Limits,
        shared: Rc<Shared>,
    ) -> Self {
        let mut engine = Gossip::new(config, limits, seat.id, shared.network, seat.rng)
            .expect("the configuration is sound");
        let topic = shared.topic.clone();
        engine.handle(
            seat.now,
            Input::Subscribe {
                topic,
                causal: false,
            },
        );
        Self {
            engine,
            shared,
            index: seat.index,
            who,
            start: seat.now.wall.as_millis(),
            published: 0,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            contact: None,
            arrival: (0, false),
        }
    }

    /// Counters and sizes of the engine.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// The neighbours of the node.
    pub fn active(&self) -> Vec<NodeId> {
        self.engine.active_view()
    }

    /// Its links.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    pub(crate) fn join(&mut self, contact: Address, out: &mut Outbox<Bytes>) {
        self.contact = Some(contact);
        out.dial(contact, None);
    }

    /// Publishes a message. Returns its number in the ledger.
    pub(crate) fn publish(&mut self, now: Timestamp, out: &mut Outbox<Bytes>) -> usize {
        let number = self
            .shared
            .ledger
            .borrow_mut()
            .publish(self.index, now.wall);
        let data = BoundedBytes::new((number as u64).to_le_bytes().to_vec()).expect("short");
        let publish = Input::Publish {
            topic: self.shared.topic.clone(),
            kind: 0,
            data,
            causal: false,
            token: number as u64,
        };
        self.drive(now, publish, out);
        number
    }

    /// Feeds an input and all that follows from it.
    fn drive(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Bytes>) {
        let shared = Rc::clone(&self.shared);
        let mut inputs = shared.scratch.take();
        inputs.push_back(input);
        let mut steps = 0;
        while let Some(input) = inputs.pop_front() {
            self.engine.handle(now, input);
            steps += 1;
            while let Some(output) = self.engine.poll_output() {
                self.perform(now, output, &mut inputs, out);
            }
        }
        shared.counts.borrow_mut().steps += steps;
        shared.scratch.replace(inputs);
    }

    fn perform(
        &mut self,
        now: Timestamp,
        output: Output,
        inputs: &mut VecDeque<Input>,
        out: &mut Outbox<Bytes>,
    ) {
        match output {
            Output::Send { peer, frame, .. } => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.written += frame.len();
                    if link.written >= REPORT_BYTES {
                        let bytes = core::mem::take(&mut link.written);
                        inputs.push_back(Input::LinkQueue { peer, bytes });
                    }
                }
                out.send(peer, frame);
            }
            Output::Verify { from, envelope } => {
                inputs.push_back(match self.shared.verdicts.verify(envelope) {
                    Ok(envelope) => Input::Verified { from, envelope },
                    Err(envelope) => Input::Forged { from, envelope },
                });
            }
            Output::Sign { token, payload } => {
                let seq = Seq {
                    start: self.start,
                    counter: self.published,
                };
                self.published += 1;
                let envelope = Unsigned {
                    network: self.shared.network,
                    kind: EnvelopeKind::Message,
                    seq,
                    sent: now.wall,
                    payload: payload.encode(),
                }
                .sign(&Identity::from_seed(self.who));
                inputs.push_back(Input::Signed { envelope, token });
            }
            Output::Deliver { message, .. } => {
                let number = <[u8; 8]>::try_from(&message.data[..]).map(u64::from_le_bytes);
                let number = number.map_or(usize::MAX, |number| number as usize);
                let (hops, asked) = self.arrival;
                let mut ledger = self.shared.ledger.borrow_mut();
                ledger.deliver(number, self.index, now.wall, hops, asked);
            }
            Output::Want { peer, addresses } => {
                if let Some(address) = addresses.first() {
                    self.dials.insert(*address, peer);
                    out.dial(*address, Some(peer));
                }
            }
            Output::Misbehaviour { peer, kind } => out.accuse(peer, kind),
            _ => {}
        }
    }

    /// What the peers engine does in a whole node: a link that nobody uses is closed.
    fn close_spare(&self, now: Timestamp, out: &mut Outbox<Bytes>) {
        if self.links.len() <= self.shared.links_kept {
            return;
        }
        let active = self.engine.active_view();
        let spare = self.links.iter().find(|(peer, link)| {
            active.binary_search(peer).is_err()
                && now.mono.since(link.since).as_millis() >= u128::from(SPARE_MS)
        });
        if let Some((peer, _)) = spare {
            out.close(*peer);
        }
    }

    fn packet(&mut self, now: Timestamp, from: NodeId, packet: Bytes, out: &mut Outbox<Bytes>) {
        let bytes = packet.len() as u64;
        let Some(frame) = decode(&packet) else {
            return out.accuse(from, repute_protocol::Misbehaviour::MalformedFrame);
        };
        let mut counts = self.shared.counts.borrow_mut();
        counts.frames += 1;
        counts.bytes += bytes;
        match &frame {
            Frame::Broadcast(broadcast) => {
                counts.payloads += 1;
                self.arrival = (broadcast.hops, broadcast.requested);
            }
            Frame::Gossip(GossipFrame::Announce { messages }) => {
                counts.controls += messages.len() as u64;
            }
            Frame::Gossip(
                GossipFrame::Graft { .. } | GossipFrame::Prune | GossipFrame::Want { .. },
            ) => counts.controls += 1,
            _ => {}
        }
        drop(counts);
        debug_assert!(matches!(
            frame.kind(),
            FrameKind::Broadcast | FrameKind::Gossip
        ));
        self.drive(now, Input::Frame(FromPeer::authenticated(from, frame)), out);
    }
}

impl Host for Member {
    type Packet = Bytes;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Bytes>, out: &mut Outbox<Bytes>) {
        let input = match event {
            HostEvent::Tick => {
                self.close_spare(now, out);
                Input::Tick
            }
            HostEvent::LinkUp { peer, address, .. } => {
                if self.contact == Some(address) {
                    self.contact = None;
                }
                self.dials.remove(&address);
                let link = Link {
                    since: now.mono,
                    written: 0,
                };
                self.links.insert(peer, link);
                Input::PeerUp {
                    peer,
                    addresses: vec![address],
                }
            }
            HostEvent::LinkDown { peer, .. } => {
                self.links.remove(&peer);
                Input::PeerDown { peer }
            }
            HostEvent::DialFailed { address, error } => {
                if self.contact == Some(address) {
                    out.dial(address, None);
                }
                match (self.dials.remove(&address), error) {
                    (None, _) | (_, DialError::AlreadyLinked | DialError::Oneself) => return,
                    (Some(peer), _) => Input::Unreachable { peer },
                }
            }
            HostEvent::Packet { from, packet } => return self.packet(now, from, packet, out),
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
