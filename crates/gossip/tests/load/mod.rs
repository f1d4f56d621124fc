//! Engines that share the cores of one busy machine, in virtual time: what reaches a node waits in
//! its inbox until the node gets a core, signatures are checked in batches beside it, and timers
//! fire late, as in a real node. Counted in microseconds, replayable from a seed.
#![allow(dead_code, reason = "each test uses a part")]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use repute_base::{BoundedBytes, Machine, Rng, Timestamp};
use repute_gossip::{Config, Event, Gossip, Input, Limits, Output, Stats};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Envelope, EnvelopeKind, Frame, FrameHeader, FromPeer, MessageId, NetworkId, Seq, Topic,
    Unsigned, Verified,
};

/// Microseconds of a core. The sum is near what a real node was seen to use for a delivery.
const FRAME_IN_US: u64 = 6;
const FRAME_OUT_US: u64 = 6;
const CHECK_US: u64 = 14;
const SIGN_US: u64 = 25;
const TURN_US: u64 = 20;
/// From one node's socket to another's inbox.
const WIRE_US: u64 = 150;
/// As in the node's driver.
const BATCH: usize = 64;
const TURN_FRAMES: usize = 128;
const CHECKS_BEHIND: usize = 512;
/// Bytes of one link that fit between the writer and a reader that is not reading.
const WINDOW: usize = 512 << 10;
const WALL_MS: u64 = 1_800_000_000_000;
const START_MS: u64 = 1_000;

/// Publishes that a phase offers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Offer {
    /// All at once, as fast as they are accepted.
    Burst { count: usize },
    /// So many under way, for a time.
    Closed { window: usize, millis: u64 },
    /// One after the other, at this pause.
    Paced { count: usize, pause_ms: u64 },
}

/// What a phase showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) deliveries: u64,
    pub(crate) lost: u64,
    /// Copies received per unique message.
    pub(crate) copies: f64,
    pub(crate) grafts: u64,
    pub(crate) prunes: u64,
    pub(crate) requested: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) last_p50_ms: f64,
    pub(crate) last_p99_ms: f64,
    pub(crate) per_second: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Driver(usize),
    Checker(usize),
}

enum Happening {
    /// A frame has come to a node's socket.
    Arrive {
        to: usize,
        from: usize,
        frame: Frame,
        bytes: usize,
    },
    /// A core is free again, and what the task did takes effect.
    Done {
        task: Task,
        effects: Vec<Effect>,
    },
    Timer {
        node: usize,
    },
    Publish {
        node: usize,
    },
}

enum Effect {
    Send {
        from: usize,
        to: usize,
        frame: bytes::Bytes,
    },
    Delivered {
        node: usize,
        id: MessageId,
    },
    Published {
        id: MessageId,
        asked_us: u64,
    },
    Link {
        a: usize,
        b: usize,
    },
    Verdicts {
        node: usize,
        verdicts: Vec<(NodeId, Envelope)>,
    },
}

struct Node {
    engine: Gossip,
    identity: Identity,
    counter: u64,
    inbox: VecDeque<(usize, Frame, usize)>,
    /// Bytes in the inbox and on the wire, by sender; credit that waits until they are read.
    held: BTreeMap<usize, (usize, VecDeque<usize>)>,
    links: Vec<NodeId>,
    inputs: VecDeque<Input>,
    checks: VecDeque<(NodeId, Envelope)>,
    away: Vec<(NodeId, Envelope)>,
    verdicts: VecDeque<(NodeId, Envelope)>,
    /// When publishes were asked for that have not been taken yet.
    publishes: VecDeque<u64>,
    timer_us: Option<u64>,
    queued: bool,
    running: bool,
    wants_run: bool,
    tokens: BTreeMap<u64, u64>,
}

/// Many nodes on few cores.
pub(crate) struct Busy {
    now_us: u64,
    nodes: Vec<Node>,
    by_id: BTreeMap<NodeId, usize>,
    proven: BTreeMap<MessageId, Verified<Envelope>>,
    run_queue: VecDeque<Task>,
    cores_free: usize,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    planned: BTreeMap<u64, Happening>,
    serial: u64,
    rng: Rng,
    /// One turn in so many takes `stall_us` longer: other programs, a slow disk.
    pub(crate) stall_chance: u64,
    pub(crate) stall_us: u64,
    /// One frame in so many is lost on the wire and holds its link up until it is sent again.
    pub(crate) loss_chance: u64,
    pub(crate) resend_us: u64,
    /// When the last frame of a link arrives: none overtakes it.
    wire: BTreeMap<(usize, usize), u64>,
    messages: BTreeMap<MessageId, (u64, usize, u64)>,
    delays_us: Vec<u64>,
    requested: u64,
    /// Turns that took longer, and frames sent again.
    pub(crate) stalls: u64,
    pub(crate) resends: u64,
    window: Option<(u64, usize)>,
    closed_next: usize,
    publishers: usize,
}

fn network() -> NetworkId {
    NetworkId::from_name("test")
}

fn topic() -> Topic {
    Topic::new("news").unwrap()
}

impl Busy {
    pub(crate) fn new(seed: u64, nodes: usize, cores: usize) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut machine = Self {
            now_us: START_MS * 1_000,
            nodes: Vec::new(),
            by_id: BTreeMap::new(),
            proven: BTreeMap::new(),
            run_queue: VecDeque::new(),
            cores_free: cores,
            heap: BinaryHeap::new(),
            planned: BTreeMap::new(),
            serial: 0,
            rng: rng.fork(),
            stall_chance: 500,
            stall_us: 10_000,
            loss_chance: 2_000,
            resend_us: 30_000,
            wire: BTreeMap::new(),
            messages: BTreeMap::new(),
            delays_us: Vec::new(),
            requested: 0,
            stalls: 0,
            resends: 0,
            window: None,
            closed_next: 0,
            publishers: 0,
        };
        for index in 0..nodes {
            let identity = Identity::from_seed(index as u64);
            let (config, limits) = (Config::default(), Limits::default());
            let mut engine =
                Gossip::new(config, limits, identity.id(), network(), rng.fork()).unwrap();
            let (topic, causal) = (topic(), false);
            engine.handle(machine.time(), Input::Subscribe { topic, causal });
            machine.by_id.insert(identity.id(), index);
            machine.nodes.push(Node {
                engine,
                identity,
                counter: 0,
                inbox: VecDeque::new(),
                held: BTreeMap::new(),
                links: Vec::new(),
                inputs: VecDeque::new(),
                checks: VecDeque::new(),
                away: Vec::new(),
                verdicts: VecDeque::new(),
                publishes: VecDeque::new(),
                timer_us: None,
                queued: false,
                running: false,
                wants_run: false,
                tokens: BTreeMap::new(),
            });
        }
        for index in 1..nodes {
            machine.link(index, index - 1);
            machine.link(index, index / 3);
            machine.run_for(20);
        }
        machine.run_for(10_000);
        machine
    }

    fn time(&self) -> Timestamp {
        let ms = self.now_us / 1_000;
        Timestamp::from_millis(ms, WALL_MS + ms)
    }

    fn plan(&mut self, at_us: u64, happening: Happening) {
        self.serial += 1;
        self.heap.push(Reverse((at_us, self.serial)));
        self.planned.insert(self.serial, happening);
    }

    fn link(&mut self, a: usize, b: usize) {
        if a == b || self.nodes[a].links.contains(&self.nodes[b].identity.id()) {
            return;
        }
        for (here, there) in [(a, b), (b, a)] {
            let peer = self.nodes[there].identity.id();
            self.nodes[here].links.push(peer);
            let addresses = vec![address(there)];
            self.nodes[here]
                .inputs
                .push_back(Input::PeerUp { peer, addresses });
            self.wake(here);
        }
    }

    /// Puts a node's driver into the queue for a core.
    fn wake(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        if place.running {
            place.wants_run = true;
        } else if !place.queued {
            place.queued = true;
            self.enqueue(Task::Driver(node));
        }
    }

    /// Mostly the end of the queue: schedulers steal and reorder a little.
    fn enqueue(&mut self, task: Task) {
        let length = self.run_queue.len() as u64;
        if length > 0 && self.rng.chance(1, 3) {
            let place = self.rng.below(length) as usize;
            self.run_queue.insert(place, task);
        } else {
            self.run_queue.push_back(task);
        }
    }

    pub(crate) fn run_for(&mut self, millis: u64) {
        let until = self.now_us + millis * 1_000;
        self.run_until(until, |_| false);
    }

    fn run_until(&mut self, until_us: u64, done: impl Fn(&Self) -> bool) {
        loop {
            while self.cores_free > 0
                && let Some(task) = self.run_queue.pop_front()
            {
                self.start(task);
            }
            if done(self) {
                return;
            }
            let Some(Reverse((at, serial))) = self
                .heap
                .peek()
                .copied()
                .filter(|Reverse((at, _))| *at <= until_us)
            else {
                break;
            };
            self.heap.pop();
            self.now_us = self.now_us.max(at);
            let happening = self.planned.remove(&serial).unwrap();
            self.happen(happening);
        }
        self.now_us = self.now_us.max(until_us);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive {
                to,
                from,
                frame,
                bytes,
            } => {
                if let Frame::Broadcast(broadcast) = &frame {
                    self.requested += u64::from(broadcast.requested);
                }
                self.nodes[to].inbox.push_back((from, frame, bytes));
                self.wake(to);
            }
            Happening::Done { task, effects } => {
                self.cores_free += 1;
                for effect in effects {
                    self.perform(effect);
                }
                if let Task::Driver(node) = task {
                    self.nodes[node].running = false;
                    if std::mem::take(&mut self.nodes[node].wants_run) || self.has_work(node) {
                        self.wake(node);
                    }
                    self.set_timer(node);
                }
            }
            Happening::Timer { node } => {
                if self.nodes[node]
                    .timer_us
                    .is_some_and(|at| at <= self.now_us)
                {
                    self.nodes[node].timer_us = None;
                    self.wake(node);
                }
            }
            Happening::Publish { node } => {
                let now = self.now_us;
                self.nodes[node].publishes.push_back(now);
                self.wake(node);
            }
        }
    }

    fn set_timer(&mut self, index: usize) {
        let Some(at) = self.nodes[index].engine.next_deadline() else {
            return;
        };
        let at = (at.as_millis() * 1_000).max(self.now_us + 1);
        if self.nodes[index].timer_us.is_none_or(|set| at < set) {
            self.nodes[index].timer_us = Some(at);
            self.plan(at, Happening::Timer { node: index });
        }
    }

    fn has_work(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        !node.verdicts.is_empty()
            || !node.inputs.is_empty()
            || (!node.inbox.is_empty() && node.checks.len() < CHECKS_BEHIND)
            || (!node.publishes.is_empty() && node.engine.is_ready())
    }

    fn start(&mut self, task: Task) {
        self.cores_free -= 1;
        let mut effects = Vec::new();
        let mut cost = match task {
            Task::Driver(node) => self.turn(node, &mut effects),
            Task::Checker(index) => {
                let verdicts = std::mem::take(&mut self.nodes[index].away);
                let cost = verdicts.len() as u64 * CHECK_US + TURN_US;
                effects.push(Effect::Verdicts {
                    node: index,
                    verdicts,
                });
                cost
            }
        };
        cost = cost / 2 + self.rng.below(cost + 1);
        if self.rng.chance(1, self.stall_chance) {
            cost += self.stall_us;
            self.stalls += 1;
        }
        let at = self.now_us + cost;
        self.plan(at, Happening::Done { task, effects });
    }

    /// One turn of a node's driver. What it does takes effect when it ends.
    fn turn(&mut self, index: usize, effects: &mut Vec<Effect>) -> u64 {
        let now = self.time();
        let mut cost = TURN_US;
        let node = &mut self.nodes[index];
        node.queued = false;
        node.running = true;
        while let Some(input) = self.nodes[index].inputs.pop_front() {
            cost += self.feed(index, now, input, effects);
        }
        while let Some((from, envelope)) = self.nodes[index].verdicts.pop_front() {
            let envelope = self.proven[&envelope.id()].clone();
            cost += self.feed(index, now, Input::Verified { from, envelope }, effects);
        }
        for _ in 0..TURN_FRAMES {
            let node = &mut self.nodes[index];
            if node.checks.len() >= CHECKS_BEHIND {
                break;
            }
            let Some((from, frame, bytes)) = node.inbox.pop_front() else {
                break;
            };
            let (held, credit) = node.held.entry(from).or_default();
            *held = held.saturating_sub(bytes);
            if *held < WINDOW
                && let Some(bytes) = credit.pop_front()
            {
                *held += bytes;
                let peer = self.nodes[index].identity.id();
                self.nodes[from]
                    .inputs
                    .push_back(Input::LinkQueue { peer, bytes });
                self.wake(from);
            }
            cost += FRAME_IN_US;
            let peer = self.nodes[from].identity.id();
            let frame = Input::Frame(FromPeer::authenticated(peer, frame));
            cost += self.feed(index, now, frame, effects);
        }
        if self.nodes[index].engine.is_ready()
            && let Some(asked_us) = self.nodes[index].publishes.pop_front()
        {
            cost += SIGN_US + self.publish(index, now, asked_us, effects);
        }
        let due = self.nodes[index].engine.next_deadline();
        if due.is_some_and(|at| at <= now.mono) {
            cost += self.feed(index, now, Input::Tick, effects);
        }
        let node = &mut self.nodes[index];
        if node.away.is_empty() && !node.checks.is_empty() {
            let count = node.checks.len().min(BATCH);
            node.away = node.checks.drain(..count).collect();
            self.enqueue(Task::Checker(index));
        }
        cost
    }

    fn publish(
        &mut self,
        index: usize,
        now: Timestamp,
        asked_us: u64,
        effects: &mut Vec<Effect>,
    ) -> u64 {
        let token = self.serial + 1_000_000_000 * (index as u64 + 1) + asked_us;
        let mut data = vec![7; 1_024];
        data[..8].copy_from_slice(&token.to_le_bytes());
        self.nodes[index].tokens.insert(token, asked_us);
        let publish = Input::Publish {
            topic: topic(),
            kind: 0,
            data: BoundedBytes::new(data).unwrap(),
            causal: false,
            token,
        };
        self.feed(index, now, publish, effects)
    }

    fn feed(
        &mut self,
        index: usize,
        now: Timestamp,
        input: Input,
        effects: &mut Vec<Effect>,
    ) -> u64 {
        let mut cost = 0;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.nodes[index].engine.handle(now, input);
            while let Some(output) = self.nodes[index].engine.poll_output() {
                let node = &mut self.nodes[index];
                match output {
                    Output::Send { peer, frame, .. } => {
                        cost += FRAME_OUT_US;
                        let to = self.by_id[&peer];
                        effects.push(Effect::Send {
                            from: index,
                            to,
                            frame,
                        });
                    }
                    Output::Verify { from, envelope } => node.checks.push_back((from, envelope)),
                    Output::Sign { token, payload } => {
                        let unsigned = Unsigned {
                            network: network(),
                            kind: EnvelopeKind::Message,
                            seq: Seq {
                                start: 1,
                                counter: node.counter,
                            },
                            sent: now.wall,
                            payload: payload.encode(),
                        };
                        node.counter += 1;
                        let envelope = unsigned.sign(&node.identity);
                        self.proven.insert(envelope.id(), envelope.clone());
                        let asked_us = node.tokens.remove(&token).unwrap();
                        let id = envelope.id();
                        effects.push(Effect::Published { id, asked_us });
                        inputs.push_back(Input::Signed { envelope, token });
                    }
                    Output::Deliver { envelope, .. } => {
                        effects.push(Effect::Delivered {
                            node: index,
                            id: envelope.id(),
                        });
                    }
                    Output::Want { peer, .. } => {
                        effects.push(Effect::Link {
                            a: index,
                            b: self.by_id[&peer],
                        });
                    }
                    Output::Misbehaviour { peer, kind } => panic!("{peer} accused: {kind}"),
                    Output::Event(Event::Refused { .. }) => panic!("refused although ready"),
                    _ => {}
                }
            }
        }
        cost
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send { from, to, frame } => {
                let bytes = frame.len();
                let peer = self.nodes[to].identity.id();
                let (held, credit) = self.nodes[to].held.entry(from).or_default();
                if *held < WINDOW {
                    *held += bytes;
                    self.nodes[from]
                        .inputs
                        .push_back(Input::LinkQueue { peer, bytes });
                    self.wake(from);
                } else {
                    credit.push_back(bytes);
                }
                let mut at = self.now_us + WIRE_US;
                if self.run_queue.len() > 2 && self.rng.chance(1, self.loss_chance) {
                    at += self.resend_us + self.rng.below(self.resend_us);
                    self.resends += 1;
                }
                let last = self.wire.entry((from, to)).or_default();
                at = at.max(*last);
                *last = at;
                let frame = decode(frame);
                self.plan(
                    at,
                    Happening::Arrive {
                        to,
                        from,
                        frame,
                        bytes,
                    },
                );
            }
            Effect::Published { id, asked_us } => {
                self.messages.insert(id, (asked_us, 0, 0));
            }
            Effect::Delivered { id, .. } => {
                let nodes = self.nodes.len();
                let Some((sent, reached, last)) = self.messages.get_mut(&id) else {
                    return;
                };
                *reached += 1;
                *last = self.now_us;
                self.delays_us.push(self.now_us - *sent);
                if *reached == nodes - 1
                    && let Some((until, _)) = self.window
                    && self.now_us < until
                {
                    self.closed_next += 1;
                    let node = self.closed_next % self.publishers;
                    let now = self.now_us;
                    self.plan(now, Happening::Publish { node });
                }
            }
            Effect::Link { a, b } => self.link(a, b),
            Effect::Verdicts { node, verdicts } => {
                self.nodes[node].verdicts.extend(verdicts);
                self.wake(node);
            }
        }
    }

    fn totals(&self) -> Stats {
        self.nodes.iter().fold(Stats::default(), |mut sum, node| {
            let stats = node.engine.stats();
            sum.received += stats.received;
            sum.duplicates += stats.duplicates;
            sum.grafts += stats.grafts;
            sum.prunes += stats.prunes;
            sum
        })
    }

    /// Offers a load from the first `publishers` nodes and waits until all is quiet.
    pub(crate) fn phase(&mut self, offer: Offer, publishers: usize) -> Figures {
        let before = self.totals();
        let began = self.now_us;
        self.messages.clear();
        self.delays_us.clear();
        self.requested = 0;
        self.publishers = publishers;
        self.window = None;
        let count = match offer {
            Offer::Burst { count } => {
                for n in 0..count {
                    self.plan(
                        began,
                        Happening::Publish {
                            node: n % publishers,
                        },
                    );
                }
                count
            }
            Offer::Closed { window, millis } => {
                self.window = Some((began + millis * 1_000, window));
                for n in 0..window {
                    self.plan(
                        began,
                        Happening::Publish {
                            node: n % publishers,
                        },
                    );
                }
                window
            }
            Offer::Paced { count, pause_ms } => {
                for n in 0..count {
                    let at = began + n as u64 * pause_ms * 1_000;
                    self.plan(
                        at,
                        Happening::Publish {
                            node: n * 7 % publishers,
                        },
                    );
                }
                count
            }
        };
        let span = match offer {
            Offer::Closed { millis, .. } => millis,
            Offer::Burst { .. } => 0,
            Offer::Paced { count, pause_ms } => count as u64 * pause_ms,
        };
        self.run_for(span);
        let limit = self.now_us + 60_000_000;
        let nodes = self.nodes.len();
        self.run_until(limit, |machine| {
            machine.messages.len() >= count
                && machine
                    .messages
                    .values()
                    .all(|(_, reached, _)| *reached == nodes - 1)
        });
        let ended = self
            .messages
            .values()
            .map(|(_, _, last)| *last)
            .max()
            .unwrap_or(began);
        self.run_for(3_000);
        self.figures(&before, began, ended)
    }

    fn figures(&self, before: &Stats, began: u64, ended: u64) -> Figures {
        let after = self.totals();
        let mut each = self.delays_us.clone();
        each.sort_unstable();
        let mut lasts: Vec<u64> = self
            .messages
            .values()
            .map(|(sent, _, last)| last - sent)
            .collect();
        lasts.sort_unstable();
        let at = |delays: &[u64], share: usize| {
            delays
                .get(delays.len().saturating_sub(1) * share / 100)
                .copied()
                .unwrap_or(0) as f64
                / 1_000.0
        };
        let expected = self.messages.len() as u64 * (self.nodes.len() as u64 - 1);
        let received = after.received - before.received;
        let duplicates = after.duplicates - before.duplicates;
        Figures {
            deliveries: each.len() as u64,
            lost: expected - each.len() as u64,
            copies: (received + duplicates) as f64 / received as f64,
            grafts: after.grafts - before.grafts,
            prunes: after.prunes - before.prunes,
            requested: self.requested,
            p50_ms: at(&each, 50),
            p99_ms: at(&each, 99),
            last_p50_ms: at(&lasts, 50),
            last_p99_ms: at(&lasts, 99),
            per_second: each.len() as f64 / ((ended - began).max(1) as f64 / 1e6),
        }
    }

    /// Closes the link between two neighbours; both learn it.
    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        for (here, there) in [(a, b), (b, a)] {
            let peer = self.nodes[there].identity.id();
            self.nodes[here].links.retain(|linked| *linked != peer);
            self.nodes[here].inputs.push_back(Input::PeerDown { peer });
            self.wake(here);
        }
    }

    pub(crate) fn engine(&self, index: usize) -> &Gossip {
        &self.nodes[index].engine
    }
}

fn address(index: usize) -> repute_base::Address {
    let [high, low] = (index as u16 + 1).to_be_bytes();
    repute_base::Address::new(std::net::SocketAddr::from(([9, 9, high, low], 4_000)))
}

fn decode(packet: bytes::Bytes) -> Frame {
    let header = FrameHeader::parse(packet[..FrameHeader::LEN].try_into().unwrap()).unwrap();
    Frame::decode(header.kind.unwrap(), packet.slice(FrameHeader::LEN..)).unwrap()
}

/// One line for people.
pub(crate) fn line(name: &str, figures: &Figures) -> String {
    format!(
        "{name:10} copies {:.3} grafts {:5} prunes {:5} requested {:6} each {:6.1}/{:6.1} last {:6.1}/{:6.1} ms rate {:.0} lost {}",
        figures.copies,
        figures.grafts,
        figures.prunes,
        figures.requested,
        figures.p50_ms,
        figures.p99_ms,
        figures.last_p50_ms,
        figures.last_p99_ms,
        figures.per_second,
        figures.lost
    )
}
