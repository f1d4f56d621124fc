//! Whole networks of this engine in virtual time.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use repute_base::{Address, BoundedString, BoundedVec, Machine, Mono, Rng, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_peers::{
    Config, DialFailure, Event, Input, Limits, LinkDown, LinkId, Output, PeerEvidence, PeerState,
    Peers,
};
use repute_protocol::{
    Disconnect, EnvelopeKind, Frame, FromPeer, Handshake, NetworkId, Payload, Seq, Unsigned,
    VERSION,
};
use repute_sim::{Faults, Host, HostEvent, LinkEnd, Outbox, Seat, World, for_each_seed};

#[derive(Clone)]
enum Packet {
    Hello(Box<Handshake>),
    Frame(Frame),
}

#[derive(Default)]
struct Link {
    id: u64,
    remote: Option<Address>,
    inbound: bool,
    up: bool,
    farewell: Option<Disconnect>,
}

struct Node {
    engine: Peers,
    identity: Identity,
    address: Address,
    tickets: Vec<(NodeId, Address)>,
    links: BTreeMap<NodeId, Link>,
    dials: BTreeMap<Address, NodeId>,
    next: u64,
    suspected: Vec<(NodeId, Mono)>,
    timeouts: Vec<NodeId>,
    /// Takes links and answers nothing.
    mute: bool,
}

fn network() -> NetworkId {
    NetworkId::from_name("test")
}

impl Node {
    fn new(
        seat: Seat,
        identity: Identity,
        config: Config,
        tickets: Vec<(NodeId, Address)>,
    ) -> Self {
        let mut rng = seat.rng;
        let engine = Peers::new(config, Limits::default(), seat.id, rng.fork()).expect("config");
        Self {
            engine,
            identity,
            address: seat.address,
            tickets,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            next: 0,
            suspected: Vec::new(),
            timeouts: Vec::new(),
            mute: false,
        }
    }

    fn handshake(&self) -> Handshake {
        Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network: network(),
            inception: *self.identity.inception(),
            capabilities: BoundedVec::new(),
            listen: BoundedVec::truncated([self.address]),
            wall: 0,
            agent: BoundedString::truncated("test"),
        }
    }

    fn give(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Packet>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.engine.handle(now, input);
            while let Some(output) = self.engine.poll_output() {
                self.perform(now, output, &mut inputs, out);
            }
        }
    }

    fn perform(
        &mut self,
        now: Timestamp,
        output: Output,
        inputs: &mut VecDeque<Input>,
        out: &mut Outbox<Packet>,
    ) {
        match output {
            Output::Dial { peer, addresses } => {
                self.dials.insert(addresses[0], peer);
                out.dial(addresses[0], Some(peer));
            }
            Output::Send { peer, frame } => out.send(peer, Packet::Frame(frame)),
            Output::Close {
                peer, disconnect, ..
            } => {
                out.send(peer, Packet::Frame(Frame::Disconnect(disconnect)));
                out.close(peer);
            }
            Output::Verify { from, envelope } => inputs.push_back(match envelope.verify() {
                Ok(envelope) => Input::RecordVerified(envelope),
                Err(_) => Input::RecordForged { from },
            }),
            Output::SignRecord(record) => {
                self.next += 1;
                let unsigned = Unsigned {
                    network: network(),
                    kind: EnvelopeKind::AddressRecord,
                    seq: Seq {
                        start: now.wall.as_millis(),
                        counter: self.next,
                    },
                    sent: now.wall,
                    payload: Payload::AddressRecord(record).encode(),
                };
                inputs.push_back(Input::OwnRecord(unsigned.sign(&self.identity)));
            }
            Output::Evidence {
                peer,
                evidence: PeerEvidence::Timeout,
            } => self.timeouts.push(peer),
            Output::Misbehaviour { peer, kind } => out.accuse(peer, kind),
            Output::Event(Event::Suspected { peer }) => self.suspected.push((peer, now.mono)),
            _ => {}
        }
    }

    fn active(&self) -> usize {
        self.engine.active().count()
    }
}

impl Host for Node {
    type Packet = Packet;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Packet>, out: &mut Outbox<Packet>) {
        if self.mute && !matches!(event, HostEvent::Start) {
            return;
        }
        match event {
            HostEvent::Start => {
                self.give(
                    now,
                    Input::Listening {
                        addresses: vec![self.address],
                    },
                    out,
                );
                for (peer, address) in self.tickets.clone() {
                    self.give(
                        now,
                        Input::Join {
                            peer,
                            addresses: vec![address],
                        },
                        out,
                    );
                }
                self.give(now, Input::Start, out);
            }
            HostEvent::Tick => self.give(now, Input::Tick, out),
            HostEvent::LinkUp {
                peer,
                address,
                dialled,
            } => {
                self.next += 1;
                let link = Link {
                    id: self.next,
                    remote: Some(address),
                    inbound: !dialled,
                    ..Link::default()
                };
                self.links.insert(peer, link);
                out.send(peer, Packet::Hello(Box::new(self.handshake())));
            }
            HostEvent::LinkDown { peer, end } => {
                let Some(link) = self.links.remove(&peer) else {
                    return;
                };
                let cause = match (link.farewell, end) {
                    (Some(disconnect), _) => LinkDown::Closed(disconnect),
                    (None, LinkEnd::Here) => LinkDown::Local,
                    _ => LinkDown::Lost,
                };
                if link.up {
                    let link = LinkId(link.id);
                    self.give(now, Input::LinkDown { peer, link, cause }, out);
                } else if !link.inbound {
                    let cause = DialFailure::Unreachable;
                    self.give(now, Input::DialFailed { peer, cause }, out);
                }
            }
            HostEvent::DialFailed { address, .. } => {
                if let Some(peer) = self.dials.get(&address).copied() {
                    let cause = DialFailure::Unreachable;
                    self.give(now, Input::DialFailed { peer, cause }, out);
                }
            }
            HostEvent::Packet {
                from,
                packet: Packet::Hello(handshake),
            } => {
                let Some(link) = self.links.get_mut(&from) else {
                    return;
                };
                link.up = true;
                let input = Input::LinkUp {
                    peer: from,
                    link: LinkId(link.id),
                    handshake: *handshake,
                    remote: link.remote.expect("remote"),
                    inbound: link.inbound,
                };
                self.give(now, input, out);
            }
            HostEvent::Packet {
                from,
                packet: Packet::Frame(frame),
            } => {
                if let (Frame::Disconnect(last), Some(link)) = (&frame, self.links.get_mut(&from)) {
                    link.farewell = Some(last.clone());
                }
                let frame = FromPeer::authenticated(from, frame);
                self.give(now, Input::Frame(frame), out);
            }
            HostEvent::Datagram { .. } => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        if self.mute {
            None
        } else {
            self.engine.next_deadline()
        }
    }

    fn size(_: &Packet) -> usize {
        64
    }
}

/// Nodes that all start with the ticket of the first.
fn star(seed: u64, nodes: u64, faults: Faults, config: &Config) -> World<Node> {
    let mut world = World::new(seed, faults);
    let mut tickets = Vec::new();
    for n in 0..nodes {
        let identity = Identity::from_seed(seed * 10_000 + n);
        let known = tickets.clone();
        let index = world.add(identity.id(), |seat| {
            Node::new(seat, identity.clone(), config.clone(), known)
        });
        if n == 0 {
            tickets.push((identity.id(), world.address(index).expect("address")));
        }
    }
    world.restart_with(|seat, old| Node::new(seat, old.identity, Config::default(), old.tickets));
    world
}

/// Only this engine notices who is gone: the links themselves outlive the test.
fn patient() -> Faults {
    let mut faults = Faults::none();
    faults.link_timeout_ms = 600_000;
    faults
}

#[test]
fn nodes_that_know_one_peer_find_the_others() {
    for_each_seed("nodes_that_know_one_peer_find_the_others", 5, |seed| {
        let mut world = star(seed, 24, Faults::none(), &Config::default());
        let found = world.run_until_true(Duration::from_secs(120), |world| {
            world.hosts().all(|(_, node)| node.active() >= 8)
        });
        let active: Vec<usize> = world.hosts().map(|(_, node)| node.active()).collect();
        assert!(found, "links: {active:?}");
        let known = |world: &World<Node>| {
            world
                .hosts()
                .all(|(_, node)| node.engine.iter().count() >= 20)
        };
        assert!(world.run_until_true(Duration::from_secs(1_800), known));
        assert!(world.false_accusations().is_empty());
    });
}

#[test]
fn dead_and_mute_bootstrap_entries_stop_nothing() {
    let mut world = World::new(3, Faults::none());
    let config = Config::default();
    let [good, mute, dead, newcomer] = [1, 2, 3, 4].map(Identity::from_seed);
    let good_at = world.add(good.id(), |s| {
        Node::new(s, good.clone(), config.clone(), vec![])
    });
    let mute_at = world.add(mute.id(), |s| {
        let mut node = Node::new(s, mute.clone(), config.clone(), vec![]);
        node.mute = true;
        node
    });
    let tickets = vec![
        (dead.id(), "44.1.2.3:9".parse().expect("address")),
        (mute.id(), world.address(mute_at).expect("address")),
        // The address of somebody else.
        (
            Identity::from_seed(5).id(),
            world.address(good_at).expect("address"),
        ),
        (good.id(), world.address(good_at).expect("address")),
    ];
    let index = world.add(newcomer.id(), |s| {
        Node::new(s, newcomer.clone(), config.clone(), tickets)
    });
    world.run_for(Duration::from_secs(20));
    let node = world.host(index).expect("up");
    assert_eq!(node.engine.state(good.id()), Some(PeerState::Active));
    assert_ne!(node.engine.state(mute.id()), Some(PeerState::Active));
    assert!(world.false_accusations().is_empty());
}

/// Mean time to the first suspicion of a crashed node, in probe periods: `crashes` in each of
/// `seeds` complete meshes.
fn first_detection(nodes: usize, seeds: u64, crashes: usize) -> f64 {
    let period = Duration::from_secs(1);
    let config = Config {
        min_peers: nodes - 1,
        max_peers: 2 * nodes,
        outbound_slots: nodes,
        prefix_links_max: nodes,
        prefix_outbound_max: nodes,
        probe_period: period,
        calm_factor: 1,
        ..Config::default()
    };
    let mut total = 0.0;
    for seed in 1..=seeds {
        let mut world = star(seed, nodes as u64, patient(), &config);
        let full = world.run_until_true(Duration::from_secs(300), |world| {
            world.hosts().all(|(_, node)| node.active() == nodes - 1)
        });
        assert!(full, "seed {seed}: the mesh is not complete");
        let mut rng = Rng::from_u64(seed);
        // Everybody has noticed and closed the last one: a round of probes and the suspicion.
        let pause_ms = 1_000 * (nodes as u64 + 30);
        for index in 1..=crashes {
            world.run_for(Duration::from_millis(pause_ms + rng.below(1_000)));
            let victim = world.id(index).expect("node");
            let crashed = world.now();
            assert!(world.crash(index).is_some());
            let seen = |world: &World<Node>| {
                let suspected = world.hosts().flat_map(|(_, node)| node.suspected.iter());
                let of_victim = suspected.filter(|(peer, at)| *peer == victim && *at >= crashed);
                of_victim.map(|(_, at)| *at).min()
            };
            world.run_until_true(Duration::from_secs(60), |world| seen(world).is_some());
            let at = seen(&world).expect("suspected within a minute");
            total += at.since(crashed).as_secs_f64() / period.as_secs_f64();
        }
    }
    total / (seeds as f64 * crashes as f64)
}

#[test]
fn a_crashed_peer_is_first_suspected_after_1_58_periods_whatever_the_size() {
    for (nodes, seeds, crashes) in [(16, 30, 4), (64, 1, 24)] {
        let mean = first_detection(nodes, seeds, crashes);
        eprintln!("{nodes} nodes: first suspicion after {mean:.3} periods");
        // One detection varies by about a period: a tenth, and two standard errors.
        let tolerance = 0.1 + 2.0 / (seeds as f64 * crashes as f64).sqrt();
        assert!(
            (mean - 1.58).abs() < tolerance,
            "{nodes} nodes: {mean:.2} periods"
        );
    }
}

#[test]
fn under_30_percent_loss_nobody_honest_is_accused_or_closed_as_silent() {
    for_each_seed("under_30_percent_loss", 5, |seed| {
        let mut faults = Faults::none();
        faults.loss_permille = 300;
        let mut world = star(seed, 16, faults, &Config::default());
        world.run_for(Duration::from_secs(300));
        assert!(world.stats().lost > 0);
        assert!(
            world.false_accusations().is_empty(),
            "{:?}",
            world.false_accusations()
        );
        let timeouts: usize = world.hosts().map(|(_, node)| node.timeouts.len()).sum();
        assert_eq!(timeouts, 0, "no evidence against a living peer");
        assert!(world.hosts().all(|(_, node)| node.active() >= 8));
    });
}

#[test]
fn a_silent_peer_is_closed_and_blamed_while_others_answer() {
    let faults = patient();
    let mut world = star(7, 8, faults, &Config::default());
    world.run_for(Duration::from_secs(30));
    let victim = world.id(3).expect("node");
    assert!(world.crash(3).is_some());
    world.run_for(Duration::from_secs(60));
    let mut blamed = 0;
    for (_, node) in world.hosts() {
        assert_ne!(node.engine.state(victim), Some(PeerState::Active));
        blamed += usize::from(node.timeouts.contains(&victim));
        assert!(node.timeouts.iter().all(|peer| *peer == victim));
    }
    assert!(blamed >= 6, "{blamed} of 7 raised evidence");
    assert!(world.false_accusations().is_empty());
}

#[test]
fn honest_nodes_never_accuse_each_other_under_any_fault() {
    for_each_seed(
        "honest_nodes_never_accuse_each_other_under_any_fault",
        20,
        |seed| {
            let mut world = star(seed, 12, Faults::random(seed), &Config::default());
            world.run_for(Duration::from_secs(300));
            assert!(
                world.false_accusations().is_empty(),
                "{:?}",
                world.false_accusations()
            );
            world.calm();
            world.heal();
            let healed = world.run_until_true(Duration::from_secs(600), |world| {
                world.hosts().all(|(_, node)| node.active() >= 6)
            });
            let active: Vec<usize> = world.hosts().map(|(_, node)| node.active()).collect();
            assert!(healed, "links after healing: {active:?}");
            assert!(world.false_accusations().is_empty());
        },
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        let mut world = star(seed, 10, Faults::rough(), &Config::default());
        world.run_for(Duration::from_secs(60));
        world.trace_hash()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
