//! One test for each policy, on an engine driven by hand.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

use std::time::Duration;

use proptest::prelude::*;
use repute_base::{Address, BoundedString, BoundedVec, Fixed, Machine, Rng, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_peers::{
    Config, DialFailure, Input, Limits, LinkDown, LinkId, Output, PeerState, Peers, Stored, Write,
};
use repute_protocol::{
    AddressRecord, Disconnect, DisconnectReason, EnvelopeKind, Frame, FromPeer, Handshake,
    HandshakeAck, Heartbeat, Misbehaviour, NetworkId, Payload, PeerAnnouncement, PeerDiscovery,
    PeerHint, Seq, Unsigned, VERSION,
};

fn identity(n: u64) -> Identity {
    Identity::from_seed(n)
}

fn id(n: u64) -> NodeId {
    identity(n).id()
}

/// A routable address in a prefix of its own.
fn at(n: u64) -> Address {
    format!("{}.{}.0.1:700", 11 + n % 80, n / 80 % 250)
        .parse()
        .expect("address")
}

fn handshake(n: u64) -> Handshake {
    Handshake {
        version_min: VERSION,
        version_max: VERSION,
        network: NetworkId::from_name("test"),
        inception: *identity(n).inception(),
        capabilities: BoundedVec::new(),
        listen: BoundedVec::new(),
        wall: 0,
        agent: BoundedString::default(),
    }
}

struct Bench {
    engine: Peers,
    now_ms: u64,
    links: u64,
}

const WALL: u64 = 1_700_000_000_000;

impl Bench {
    fn new(config: Config) -> Self {
        Self::with(config, Limits::default())
    }

    fn with(config: Config, limits: Limits) -> Self {
        let engine = Peers::new(config, limits, id(0), Rng::from_u64(1)).expect("config");
        let mut bench = Self {
            engine,
            now_ms: 1_000,
            links: 0,
        };
        bench.give(Input::Start);
        bench
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        let now = Timestamp::from_millis(self.now_ms, WALL + self.now_ms);
        self.engine.handle(now, input);
        core::iter::from_fn(|| self.engine.poll_output()).collect()
    }

    /// Lets time pass, with every timer served.
    fn pass(&mut self, ms: u64) -> Vec<Output> {
        let end = self.now_ms + ms;
        let mut all = Vec::new();
        while let Some(next) = self
            .engine
            .next_deadline()
            .filter(|at| at.as_millis() <= end)
        {
            self.now_ms = self.now_ms.max(next.as_millis());
            all.extend(self.give(Input::Tick));
        }
        self.now_ms = end;
        all
    }

    fn up_from(&mut self, n: u64, remote: Address, inbound: bool) -> Vec<Output> {
        self.links += 1;
        self.give(Input::LinkUp {
            peer: id(n),
            link: LinkId(self.links),
            handshake: handshake(n),
            remote,
            inbound,
        })
    }

    fn up(&mut self, n: u64, inbound: bool) -> Vec<Output> {
        self.up_from(n, at(n), inbound)
    }

    fn frame(&mut self, n: u64, frame: Frame) -> Vec<Output> {
        self.give(Input::Frame(FromPeer::authenticated(id(n), frame)))
    }

    fn ack(&mut self, n: u64, peers: Vec<PeerHint>) -> Vec<Output> {
        let peers = BoundedVec::truncated(peers);
        self.frame(
            n,
            Frame::HandshakeAck(HandshakeAck {
                observed: at(0),
                peers,
            }),
        )
    }

    fn connect(&mut self, n: u64, inbound: bool) -> Vec<Output> {
        let mut all = self.up(n, inbound);
        all.extend(self.ack(n, vec![]));
        assert_eq!(self.engine.state(id(n)), Some(PeerState::Active), "{all:?}");
        all
    }

    fn stand(&mut self, n: u64, trust: Fixed, gate_open: bool, useful: bool) -> Vec<Output> {
        self.give(Input::Standing {
            peer: id(n),
            trust,
            gate_open,
            useful,
        })
    }
}

fn closed(outputs: &[Output]) -> Vec<(NodeId, DisconnectReason)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Close {
                peer, disconnect, ..
            } => Some((*peer, disconnect.reason)),
            _ => None,
        })
        .collect()
}

fn dialled(outputs: &[Output]) -> Vec<NodeId> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Dial { peer, .. } => Some(*peer),
            _ => None,
        })
        .collect()
}

fn accused(outputs: &[Output]) -> Vec<Misbehaviour> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Misbehaviour { kind, .. } => Some(*kind),
            _ => None,
        })
        .collect()
}

fn hint(n: u64) -> PeerHint {
    PeerHint {
        id: id(n),
        addresses: BoundedVec::truncated([at(n)]),
    }
}

#[test]
fn a_link_is_active_only_when_both_ends_admitted_it() {
    let mut bench = Bench::new(Config::default());
    let outputs = bench.up(1, true);
    assert!(
        matches!(&outputs[0], Output::Send { frame: Frame::HandshakeAck(ack), .. }
        if ack.observed == at(1))
    );
    assert_eq!(bench.engine.state(id(1)), Some(PeerState::Connecting));
    let outputs = bench.ack(1, vec![]);
    assert!(
        outputs
            .iter()
            .any(|o| matches!(o, Output::PeerUp { peer, .. } if *peer == id(1)))
    );
    assert_eq!(bench.engine.active().collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn the_banned_and_the_distrusted_are_refused_however_they_come() {
    let mut bench = Bench::new(Config::default());
    bench.stand(1, Fixed::HALF, false, false);
    for inbound in [true, false] {
        assert_eq!(
            closed(&bench.up(1, inbound)),
            [(id(1), DisconnectReason::Banned)]
        );
    }
    bench.connect(2, true);
    assert_eq!(
        closed(&bench.stand(2, Fixed::ratio(2, 10), true, true)),
        [(id(2), DisconnectReason::LowTrust)]
    );
    bench.connect(3, true);
    assert_eq!(
        closed(&bench.stand(3, Fixed::HALF, false, true)),
        [(id(3), DisconnectReason::Banned)]
    );
    assert!(dialled(&bench.pass(3_600_000)).is_empty());
}

#[test]
fn a_link_to_oneself_is_refused() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(
        closed(&bench.up(0, true)),
        [(id(0), DisconnectReason::Duplicate)]
    );
}

#[test]
fn hints_are_believed_only_as_addresses_and_only_a_bounded_number() {
    let mut bench = Bench::new(Config {
        min_peers: 1,
        outbound_slots: 1,
        ..Config::default()
    });
    bench.up(1, false);
    let mut bad = hint(3);
    bad.addresses = BoundedVec::truncated(["127.0.0.1:9".parse().expect("address")]);
    bench.ack(1, vec![hint(2), bad, hint(0)]);
    assert_eq!(bench.engine.state(id(2)), Some(PeerState::Known));
    assert_eq!(
        bench.engine.state(id(3)),
        None,
        "nobody far away points us at our own machine"
    );
    assert_eq!(bench.engine.state(id(0)), None);
}

#[test]
fn a_named_peer_that_answers_first_leaves_links_for_what_the_other_tells() {
    let mut bench = Bench::new(Config::default());
    for n in [1, 2] {
        bench.give(Input::Join {
            peer: id(n),
            addresses: vec![at(n)],
        });
    }
    bench.up(1, false);
    let told = |range: std::ops::Range<u64>| range.map(hint).collect::<Vec<_>>();
    bench.ack(1, told(10..26));
    let mut chosen = dialled(&bench.pass(1_000));
    assert_eq!(chosen.len(), 6, "eight with the two that were named");
    // Whom it told of tells of more, and gossip wants links to all of them.
    for n in 10..26 {
        if chosen.contains(&id(n)) {
            bench.up(n, false);
            bench.ack(n, told(10 + 16 * (n - 9)..26 + 16 * (n - 9)));
        }
    }
    for n in 10..300 {
        chosen.extend(dialled(&bench.give(Input::Wanted { peer: id(n) })));
    }
    assert_eq!(
        chosen.len() + 2,
        16 - 3,
        "three slots are kept for the other"
    );

    bench.up(2, false);
    bench.ack(2, told(400..416));
    let late = dialled(&bench.pass(10_000));
    let of_other = late
        .iter()
        .filter(|peer| (400..416).any(|n| id(n) == **peer));
    assert_eq!(of_other.count(), 3, "{late:?}");
}

#[test]
fn half_of_the_slots_at_most_are_kept_for_what_named_peers_tell_however_many_are_named() {
    let config = Config {
        min_peers: 5,
        ..Config::default()
    };
    let mut bench = Bench::new(config);
    for n in 1..=5 {
        bench.give(Input::Join {
            peer: id(n),
            addresses: vec![at(n)],
        });
        bench.connect(n, false);
    }
    // Each is owed two more links, ten together, and they tell of nobody.
    let mut chosen = Vec::new();
    for n in 10..30 {
        chosen.extend(dialled(&bench.give(Input::Found {
            peer: id(n),
            addresses: vec![at(n)],
        })));
    }
    chosen.extend(dialled(&bench.pass(10_000)));
    assert_eq!(chosen.len(), 16 - 5 - 8, "{chosen:?}");
}

#[test]
fn a_dead_entry_is_tried_again_ever_more_rarely_and_never_in_a_flood() {
    let mut bench = Bench::new(Config::default());
    let mut dials = dialled(&bench.give(Input::Join {
        peer: id(1),
        addresses: vec![at(1)],
    }))
    .len();
    assert_eq!(dials, 1);
    for _ in 0..600 {
        if bench.engine.state(id(1)) == Some(PeerState::Connecting) {
            bench.give(Input::DialFailed {
                peer: id(1),
                cause: DialFailure::Unreachable,
            });
        }
        dials += dialled(&bench.pass(1_000)).len();
    }
    assert!((8..40).contains(&dials), "{dials} dials in ten minutes");
}

#[test]
fn a_remote_pause_is_honoured_up_to_a_bound() {
    let mut bench = Bench::new(Config::default());
    bench.give(Input::Join {
        peer: id(1),
        addresses: vec![at(1)],
    });
    let disconnect = Disconnect {
        reason: DisconnectReason::Full,
        retry_ms: u64::MAX,
        detail: BoundedString::default(),
    };
    let cause = DialFailure::Refused(disconnect);
    bench.give(Input::DialFailed { peer: id(1), cause });
    assert!(dialled(&bench.pass(20 * 3_600_000)).is_empty());
    assert_eq!(dialled(&bench.pass(12 * 3_600_000)).first(), Some(&id(1)));
}

#[test]
fn an_honest_reconnector_is_never_accused_and_a_flood_is() {
    let mut bench = Bench::new(Config::default());
    for _ in 0..100 {
        let outputs = bench.up(1, true);
        assert!(accused(&outputs).is_empty());
        let link = LinkId(bench.links);
        bench.give(Input::LinkDown {
            peer: id(1),
            link,
            cause: LinkDown::Lost,
        });
        bench.pass(1_000);
    }
    let mut accusations = Vec::new();
    for _ in 0..300 {
        accusations.extend(accused(&bench.up(2, true)));
    }
    assert!(accusations.len() > 100);
    assert!(
        accusations
            .iter()
            .all(|kind| *kind == Misbehaviour::ConnectionFlood)
    );
}

#[test]
fn one_prefix_holds_a_bounded_number_of_links_but_loopback_ports_do_not_count_together() {
    let mut bench = Bench::new(Config {
        prefix_links_max: 3,
        ..Config::default()
    });
    let mut refused = 0;
    for n in 1..=10 {
        let remote = format!("9.9.{n}.1:70").parse().expect("address");
        refused += closed(&bench.up_from(n, remote, true)).len();
    }
    assert_eq!(refused, 7);
    for n in 11..=20 {
        let remote = format!("127.0.0.1:{n}").parse().expect("address");
        assert!(closed(&bench.up_from(n, remote, true)).is_empty());
    }
}

#[test]
fn half_open_links_are_bounded_and_expire() {
    let limits = Limits {
        half_open_max: 4,
        ..Limits::default()
    };
    let mut bench = Bench::with(Config::default(), limits);
    let refused: usize = (1..=10).map(|n| closed(&bench.up(n, true)).len()).sum();
    assert_eq!(refused, 6);
    let late = closed(&bench.pass(11_000));
    assert_eq!(late.len(), 4);
    assert!(
        late.iter()
            .all(|(_, reason)| *reason == DisconnectReason::Unresponsive)
    );
    assert!(closed(&bench.up(20, true)).is_empty());
}

#[test]
fn whoever_finds_no_room_learns_of_others_before_it_is_turned_away() {
    let config = Config {
        min_peers: 1,
        max_peers: 8,
        outbound_slots: 6,
        ..Config::default()
    };
    let mut bench = Bench::new(config);
    bench.connect(1, true);
    bench.connect(2, true);
    let outputs = bench.up(3, true);
    assert_eq!(closed(&outputs), [(id(3), DisconnectReason::Full)]);
    let [
        Output::Send {
            peer,
            frame: Frame::HandshakeAck(ack),
        },
        Output::Close { .. },
        ..,
    ] = &outputs[..]
    else {
        panic!("no list before the goodbye: {outputs:?}");
    };
    let mut shown: Vec<NodeId> = ack.peers.iter().map(|hint| hint.id).collect();
    shown.sort_unstable();
    let mut others = vec![id(1), id(2)];
    others.sort_unstable();
    assert_eq!((*peer, shown), (id(3), others));
    bench.stand(4, Fixed::ZERO, false, false);
    let outputs = bench.up(4, true);
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Send { .. })),
        "the banned learn nothing"
    );
}

#[test]
fn newcomers_displace_newcomers_and_never_the_useful_or_the_protected() {
    let config = Config {
        min_peers: 1,
        max_peers: 8,
        outbound_slots: 2,
        suspicion_periods: 100,
        probe_period: Duration::from_secs(60),
        ..Config::default()
    };
    let mut bench = Bench::new(config);
    for n in 1..=6 {
        bench.connect(n, true);
        bench.stand(n, Fixed::HALF, true, n <= 3);
    }
    bench.give(Input::Protected { peers: vec![id(6)] });
    assert_eq!(
        closed(&bench.up(10, true)),
        [(id(10), DisconnectReason::Full)],
        "too young"
    );
    for _ in 0..35 {
        bench.pass(1_000);
        (1..=6).for_each(|n| drop(bench.give(Input::Heard { peer: id(n) })));
    }
    let evicted = closed(&bench.up(11, true));
    assert_eq!(evicted.len(), 1);
    assert!(
        [id(4), id(5)].contains(&evicted[0].0),
        "a newcomer makes room for a newcomer"
    );
    assert_eq!(evicted[0].1, DisconnectReason::Evicted);
    bench.ack(11, vec![]);
    assert_eq!(closed(&bench.up(12, true)).len(), 1);
    bench.ack(12, vec![]);
    assert_eq!(
        closed(&bench.up(13, true)),
        [(id(13), DisconnectReason::Full)]
    );
    assert!(
        (1..=3)
            .chain([6])
            .all(|n| bench.engine.state(id(n)) == Some(PeerState::Active))
    );
    assert!(
        closed(&bench.up(14, false)).is_empty(),
        "inbound links never take our own slots"
    );
}

#[test]
fn anchors_are_written_and_dialled_first_after_a_restart() {
    let config = Config {
        min_peers: 3,
        outbound_slots: 3,
        ..Config::default()
    };
    let mut bench = Bench::new(config.clone());
    (1..=3).for_each(|n| drop(bench.connect(n, false)));
    let outputs = bench.give(Input::Shutdown);
    let anchors = outputs.iter().find_map(|output| match output {
        Output::Persist(Write::Anchors(anchors)) => Some(anchors.clone()),
        _ => None,
    });
    let anchors = anchors.expect("anchors are written");
    assert_eq!(anchors.len(), 3);
    assert!(
        closed(&outputs)
            .iter()
            .all(|(_, reason)| *reason == DisconnectReason::Shutdown)
    );
    assert_eq!(bench.engine.next_deadline(), None);

    let mut again = Peers::new(config, Limits::default(), id(0), Rng::from_u64(2)).expect("config");
    for n in 1..=40 {
        let stored = Stored {
            id: id(n),
            inception: None,
            addresses: BoundedVec::truncated([at(n)]),
            last_seen: repute_base::Wall::from_millis(WALL),
            last_connected: None,
            failures: 0,
            capabilities: None,
            record_seq: None,
            joined: false,
        };
        assert_eq!(Stored::decode(&stored.encode()), Ok(stored.clone()));
        again.restore(stored);
    }
    again.restore_anchors(anchors.clone());
    again.handle(Timestamp::from_millis(0, WALL), Input::Start);
    let outputs: Vec<Output> = core::iter::from_fn(|| again.poll_output()).collect();
    let mut first = dialled(&outputs);
    first.sort_unstable();
    assert_eq!(first, anchors);
}

#[test]
fn feelers_try_unknown_addresses_and_keep_no_link() {
    let mut bench = Bench::new(Config {
        min_peers: 1,
        ..Config::default()
    });
    bench.connect(1, false);
    bench.pass(10);
    // Hints arrive while links suffice, so only a feeler tries them.
    let link = LinkId(bench.links);
    bench.give(Input::LinkDown {
        peer: id(1),
        link,
        cause: LinkDown::Local,
    });
    bench.up(1, false);
    bench.ack(1, vec![hint(2)]);
    let mut dials = Vec::new();
    for _ in 0..300 {
        dials.extend(dialled(&bench.pass(1_000)));
        bench.give(Input::Heard { peer: id(1) });
    }
    assert_eq!(dials.first(), Some(&id(2)));
}

fn record(n: u64, counter: u64) -> bytes::Bytes {
    let unsigned = Unsigned {
        network: NetworkId::from_name("test"),
        kind: EnvelopeKind::AddressRecord,
        seq: Seq { start: 1, counter },
        sent: repute_base::Wall::from_millis(WALL),
        payload: Payload::AddressRecord(AddressRecord {
            addresses: BoundedVec::truncated([at(n)]),
        })
        .encode(),
    };
    unsigned.sign(&identity(n)).wire().clone()
}

fn announcement(records: &[bytes::Bytes]) -> Frame {
    let records = records
        .iter()
        .map(|wire| repute_base::BoundedBytes::new(wire.clone()).expect("fits"));
    Frame::PeerAnnouncement(PeerAnnouncement {
        records: BoundedVec::truncated(records),
    })
}

#[test]
fn signed_records_spread_and_a_replay_or_a_forgery_changes_nothing() {
    let mut bench = Bench::new(Config::default());
    let outputs = bench.connect(1, true);
    let asked = |outputs: &[Output]| {
        outputs.iter().any(|o| {
            matches!(
                o,
                Output::Send {
                    frame: Frame::PeerDiscovery(_),
                    ..
                }
            )
        })
    };
    assert!(asked(&outputs), "short of links: ask at once");
    let outputs = bench.frame(1, announcement(&[record(2, 5)]));
    let envelope = outputs.iter().find_map(|output| match output {
        Output::Verify { envelope, .. } => Some(envelope.clone()),
        _ => None,
    });
    let proven = envelope.expect("to verify").verify().expect("genuine");
    let outputs = bench.give(Input::RecordVerified(proven.clone()));
    assert!(
        outputs
            .iter()
            .any(|o| matches!(o, Output::Evidence { peer, .. } if *peer == id(1)))
    );
    assert_eq!(
        bench.engine.state(id(2)),
        Some(PeerState::Connecting),
        "dialled at once"
    );
    // Unasked, replayed, or older: nothing to verify, nobody to blame.
    assert!(bench.frame(1, announcement(&[record(2, 9)])).is_empty());
    bench.give(Input::RecordVerified(proven));
    // Asked and passed on as signed.
    let outputs = bench.frame(1, Frame::PeerDiscovery(PeerDiscovery { count: 16 }));
    assert!(outputs.iter().any(|o| matches!(
        o,
        Output::Send {
            frame: Frame::PeerAnnouncement(_),
            ..
        }
    )));
    assert_eq!(
        accused(&bench.give(Input::RecordForged { from: id(1) })),
        [Misbehaviour::ForgedEnvelope]
    );
}

#[test]
fn kept_records_and_running_checks_are_bounded() {
    let limits = Limits {
        records_max: 4,
        verifying_max: 6,
        ..Limits::default()
    };
    let mut bench = Bench::with(Config::default(), limits);
    bench.connect(1, true);
    let records: Vec<_> = (100..116).map(|n| record(n, 1)).collect();
    let outputs = bench.frame(1, announcement(&records));
    let mut taken = 0;
    for output in outputs {
        let Output::Verify { envelope, .. } = output else {
            continue;
        };
        let proven = envelope.verify().expect("genuine");
        taken += usize::from(!bench.give(Input::RecordVerified(proven)).is_empty());
    }
    assert_eq!(taken, 6, "the newest six checks were still awaited");
    let outputs = bench.frame(1, Frame::PeerDiscovery(PeerDiscovery { count: 255 }));
    let passed_on = outputs.iter().find_map(|output| match output {
        Output::Send {
            frame: Frame::PeerAnnouncement(answer),
            ..
        } => Some(answer.records.len()),
        _ => None,
    });
    assert_eq!(passed_on, Some(4));
}

#[test]
fn probes_for_others_are_bounded_and_declined_beyond() {
    let mut bench = Bench::with(
        Config::default(),
        Limits {
            relays_max: 2,
            ..Limits::default()
        },
    );
    bench.connect(1, true);
    bench.connect(2, true);
    let mut counts = (0, 0);
    for nonce in 0..5 {
        let request = Heartbeat::ProbeRequest {
            nonce,
            target: id(2),
        };
        for output in bench.frame(1, Frame::Heartbeat(request)) {
            match output {
                Output::Send {
                    peer,
                    frame: Frame::Heartbeat(Heartbeat::Ping { .. }),
                } => {
                    assert_eq!(peer, id(2));
                    counts.0 += 1;
                }
                Output::Send {
                    frame: Frame::Heartbeat(Heartbeat::ProbeReply { alive, .. }),
                    ..
                } => {
                    assert!(!alive);
                    counts.1 += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(counts, (2, 3));
}

fn pinged(outputs: &[Output]) -> Vec<NodeId> {
    let pinged = outputs.iter().filter_map(|output| match output {
        Output::Send {
            peer,
            frame: Frame::Heartbeat(Heartbeat::Ping { .. }),
        } => Some(*peer),
        _ => None,
    });
    pinged.collect()
}

/// Answers every ping in `outputs` but those to `silent`.
fn answer(bench: &mut Bench, outputs: &[Output], silent: &[u64]) {
    for output in outputs {
        let Output::Send {
            peer,
            frame: Frame::Heartbeat(Heartbeat::Ping { nonce }),
        } = output
        else {
            continue;
        };
        let from = (1..10).find(|n| id(*n) == *peer).expect("linked");
        if !silent.contains(&from) {
            bench.frame(from, Frame::Heartbeat(Heartbeat::Pong { nonce: *nonce }));
        }
    }
}

#[test]
fn probes_are_rare_while_all_answer_and_frequent_once_one_is_missed() {
    let mut bench = Bench::new(Config::default());
    for n in 1..=4 {
        bench.connect(n, true);
    }
    let pings_in = |bench: &mut Bench, secs: u64, silent: &[u64]| {
        let mut sum = 0;
        for _ in 0..secs * 10 {
            let outputs = bench.pass(100);
            sum += pinged(&outputs).len();
            answer(bench, &outputs, silent);
        }
        sum
    };
    pings_in(&mut bench, 10, &[]);
    assert_eq!(pings_in(&mut bench, 100, &[]), 20, "one in five periods");
    // A round of four later the silent one was probed.
    let alarmed = pings_in(&mut bench, 25, &[4]);
    assert!(alarmed > 10, "{alarmed} probes");
    assert_eq!(bench.engine.state(id(4)), Some(PeerState::Known), "closed");
    // Nobody is silent any more, and after a while calm and self-confidence are back.
    pings_in(&mut bench, 200, &[]);
    assert_eq!(pings_in(&mut bench, 100, &[]), 20);
}

#[test]
fn whoever_has_just_been_heard_is_not_probed() {
    let mut bench = Bench::new(Config::default());
    for n in 1..=3 {
        bench.connect(n, true);
    }
    for _ in 0..1_000 {
        for n in [1, 2] {
            bench.give(Input::Heard { peer: id(n) });
        }
        let outputs = bench.pass(100);
        assert!(
            pinged(&outputs).iter().all(|peer| *peer == id(3)),
            "the others have just been heard"
        );
        answer(&mut bench, &outputs, &[]);
    }
}

#[test]
fn whoever_misses_a_peer_for_another_looks_for_itself() {
    let mut bench = Bench::new(Config::default());
    for n in 1..=3 {
        bench.connect(n, true);
    }
    let request = Heartbeat::ProbeRequest {
        nonce: 9,
        target: id(3),
    };
    let outputs = bench.frame(1, Frame::Heartbeat(request));
    assert_eq!(pinged(&outputs), [id(3)], "for the other");
    let outputs = bench.pass(1_200);
    assert_eq!(pinged(&outputs)[..1], [id(3)], "within a period for itself");
    let outputs = [outputs, bench.pass(1_200)].concat();
    let asked = outputs.iter().any(|output| {
        matches!(output, Output::Send { frame: Frame::Heartbeat(Heartbeat::ProbeRequest { target, .. }), .. }
            if *target == id(3))
    });
    assert!(asked, "and asks others in turn: {outputs:?}");
}

#[test]
fn no_link_is_told_of_a_record_twice() {
    let mut bench = Bench::new(Config::default());
    bench.connect(1, true);
    for output in bench.frame(1, announcement(&[record(8, 1), record(9, 1)])) {
        if let Output::Verify { envelope, .. } = output {
            bench.give(Input::RecordVerified(envelope.verify().expect("genuine")));
        }
    }
    let told = |bench: &mut Bench, n: u64| {
        let request = Frame::PeerDiscovery(PeerDiscovery { count: 16 });
        let outputs = bench.frame(n, request);
        let answer = outputs.iter().find_map(|output| match output {
            Output::Send {
                frame: Frame::PeerAnnouncement(answer),
                ..
            } => Some(answer.records.len()),
            _ => None,
        });
        answer.expect("an answer")
    };
    bench.connect(2, true);
    assert_eq!((told(&mut bench, 2), told(&mut bench, 2)), (2, 0));
    // What changed is news again, and another link has heard nothing yet.
    bench.pass(120_000);
    bench.connect(3, true);
    assert_eq!(told(&mut bench, 3), 2);
}

#[test]
fn a_node_that_is_short_of_links_asks_ever_less_while_nothing_new_comes() {
    let mut bench = Bench::new(Config::default());
    bench.connect(1, true);
    let mut asked = Vec::new();
    for minute in 0..4 {
        let mut count = 0;
        for _ in 0..60 {
            let outputs = bench.pass(1_000);
            answer(&mut bench, &outputs, &[]);
            let asks = outputs.iter().filter(|output| {
                let discovery = |frame: &Frame| matches!(frame, Frame::PeerDiscovery(_));
                matches!(output, Output::Send { frame, .. } if discovery(frame))
            });
            count += asks.count();
            bench.frame(1, announcement(&[]));
        }
        asked.push((minute, count));
    }
    assert!(asked[0].1 >= 3 && asked[3].1 <= 3, "{asked:?}");
    // A new one is news.
    bench.frame(1, announcement(&[]));
    bench.connect(2, true);
    bench.give(Input::LinkDown {
        peer: id(2),
        link: LinkId(bench.links),
        cause: LinkDown::Lost,
    });
    let outputs = bench.pass(6_100);
    assert!(
        outputs.iter().any(|output| matches!(
            output,
            Output::Send {
                frame: Frame::PeerDiscovery(_),
                ..
            }
        )),
        "asked again at once after a loss"
    );
}

#[test]
fn heartbeats_that_overtake_the_acknowledgement_or_come_late_accuse_nobody() {
    let mut bench = Bench::new(Config::default());
    let ping = |nonce| Frame::Heartbeat(Heartbeat::Ping { nonce });
    let answered = |outputs: &[Output], nonce: u64| {
        outputs.iter().any(|output| {
            matches!(output, Output::Send { peer, frame: Frame::Heartbeat(Heartbeat::Pong { nonce: n }) }
                if *peer == id(1) && *n == nonce)
        })
    };
    // They travel beside the stream: one may be here before the link, or before the peer's ack.
    assert!(bench.frame(1, ping(1)).is_empty());
    bench.up(1, true);
    let outputs = bench.frame(1, ping(2));
    assert!(answered(&outputs, 2) && accused(&outputs).is_empty());
    for other in [
        Heartbeat::Pong { nonce: 3 },
        Heartbeat::ProbeRequest {
            nonce: 4,
            target: id(2),
        },
        Heartbeat::ProbeReply {
            nonce: 5,
            target: id(2),
            alive: true,
        },
    ] {
        assert!(accused(&bench.frame(1, Frame::Heartbeat(other))).is_empty());
    }
    assert_eq!(bench.engine.state(id(1)), Some(PeerState::Connecting));
    bench.ack(1, vec![]);
    assert_eq!(bench.engine.state(id(1)), Some(PeerState::Active));
    assert!(answered(&bench.frame(1, ping(6)), 6));
    // And one may be here after the link.
    bench.give(Input::LinkDown {
        peer: id(1),
        link: LinkId(bench.links),
        cause: LinkDown::Lost,
    });
    assert!(bench.frame(1, ping(7)).is_empty());
}

#[test]
fn a_heartbeat_flood_is_over_budget_and_reported_once_a_second() {
    let mut bench = Bench::new(Config::default());
    bench.connect(1, true);
    let mut reports = Vec::new();
    for nonce in 0..10_000 {
        reports.extend(accused(
            &bench.frame(1, Frame::Heartbeat(Heartbeat::Ping { nonce })),
        ));
    }
    assert_eq!(reports, [Misbehaviour::BudgetExceeded]);
}

#[test]
fn a_full_address_book_stays_at_its_limit() {
    let limits = Limits {
        book_max: 120,
        book_source_max: 500,
        ..Limits::default()
    };
    let mut bench = Bench::with(
        Config {
            min_peers: 1,
            outbound_slots: 1,
            ..Config::default()
        },
        limits,
    );
    for round in 0..30 {
        bench.up(1, true);
        bench.ack(1, (0..16).map(|n| hint(100 + round * 16 + n)).collect());
        let link = LinkId(bench.links);
        bench.give(Input::LinkDown {
            peer: id(1),
            link,
            cause: LinkDown::Lost,
        });
        bench.pass(2_000);
    }
    assert_eq!(bench.engine.iter().count(), 120);
    assert!(bench.engine.state(id(1)).is_some(), "the reached one stays");
}

#[test]
fn a_long_sleep_closes_nobody() {
    let mut bench = Bench::new(Config::default());
    (1..=8).for_each(|n| drop(bench.connect(n, true)));
    bench.pass(500);
    bench.now_ms += 600_000;
    let outputs = bench.give(Input::Tick);
    assert!(closed(&outputs).is_empty());
    let outputs = bench.pass(1_500);
    assert!(closed(&outputs).is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Up(u64, bool),
    Down(u64, u64),
    Ack(u64, u64),
    Beat(u64, u8, u64),
    Fail(u64),
    Stand(u64, i64, bool),
    Other(u8, u64),
    Clock(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..24u64;
    prop_oneof![
        4 => (n.clone(), any::<bool>()).prop_map(|(n, inbound)| Step::Up(n, inbound)),
        2 => (n.clone(), 0..40u64).prop_map(|(n, link)| Step::Down(n, link)),
        4 => (n.clone(), n.clone()).prop_map(|(n, m)| Step::Ack(n, m)),
        3 => (n.clone(), 0..4u8, n.clone()).prop_map(|(n, kind, m)| Step::Beat(n, kind, m)),
        2 => n.clone().prop_map(Step::Fail),
        2 => (n.clone(), -1..3i64, any::<bool>()).prop_map(|(n, t, g)| Step::Stand(n, t, g)),
        3 => (0..7u8, n).prop_map(|(kind, n)| Step::Other(kind, n)),
        // Small steps mostly; sometimes any reading at all, backwards included.
        6 => (0..5_000u64, 0..5_000u64).prop_map(|(m, w)| Step::Clock(m, w)),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(m, w)| Step::Clock(m, w)),
    ]
}

fn apply(bench: &mut Bench, wall: &mut u64, step: Step) -> Input {
    match step {
        Step::Up(n, inbound) => {
            bench.links += 1;
            let link = LinkId(bench.links);
            Input::LinkUp {
                peer: id(n),
                link,
                handshake: handshake(n),
                remote: at(n),
                inbound,
            }
        }
        Step::Down(n, link) => Input::LinkDown {
            peer: id(n),
            link: LinkId(link),
            cause: LinkDown::Lost,
        },
        Step::Ack(n, m) => {
            let peers = BoundedVec::truncated([hint(m), hint(m + 100)]);
            let ack = HandshakeAck {
                observed: at(0),
                peers,
            };
            Input::Frame(FromPeer::authenticated(id(n), Frame::HandshakeAck(ack)))
        }
        Step::Beat(n, kind, m) => {
            let (nonce, target) = (m, id(m));
            let beat = match kind {
                0 => Heartbeat::Ping { nonce },
                1 => Heartbeat::Pong { nonce },
                2 => Heartbeat::ProbeRequest { nonce, target },
                _ => Heartbeat::ProbeReply {
                    nonce,
                    target,
                    alive: m % 2 == 0,
                },
            };
            Input::Frame(FromPeer::authenticated(id(n), Frame::Heartbeat(beat)))
        }
        Step::Fail(n) => Input::DialFailed {
            peer: id(n),
            cause: DialFailure::WrongIdentity,
        },
        Step::Stand(n, trust, gate_open) => {
            let trust = Fixed::from_int(trust);
            Input::Standing {
                peer: id(n),
                trust,
                gate_open,
                useful: gate_open,
            }
        }
        Step::Other(kind, n) => match kind {
            0 => Input::Join {
                peer: id(n),
                addresses: vec![at(n)],
            },
            1 => Input::Wanted { peer: id(n) },
            2 => Input::Heard { peer: id(n) },
            3 => Input::Drop {
                peer: id(n),
                reason: DisconnectReason::Requested,
            },
            4 => Input::Listening {
                addresses: vec![at(n)],
            },
            5 => Input::Found {
                peer: id(n),
                addresses: vec![at(n)],
            },
            _ => Input::Frame(FromPeer::authenticated(id(n), announcement(&[]))),
        },
        Step::Clock(mono, wall_by) => {
            bench.now_ms = if mono < 5_000 {
                bench.now_ms.saturating_add(mono)
            } else {
                mono
            };
            *wall = if wall_by < 5_000 {
                wall.saturating_add(wall_by)
            } else {
                wall_by
            };
            Input::Tick
        }
    }
}

/// As many cases as asked for by `PROPTEST_CASES`, and no fewer than `cases`.
fn at_least(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(cases),
        ..config
    }
}

proptest! {
    #![proptest_config(at_least(1_000))]

    /// Whatever comes in whatever order, with clocks that jump any way: no panic, every bound
    /// holds, links up and down alternate, and each peer is in one state.
    #[test]
    fn any_sequence_of_inputs_keeps_every_invariant(steps in prop::collection::vec(step(), 1..120)) {
        let config = Config { min_peers: 4, max_peers: 10, outbound_slots: 4, ..Config::default() };
        let limits = Limits { book_max: 40, dials_max: 6, half_open_max: 5, ..Limits::default() };
        let mut bench = Bench::with(config, limits);
        let mut wall = WALL;
        let mut active = std::collections::BTreeSet::new();
        for step in steps {
            let input = apply(&mut bench, &mut wall, step);
            bench.engine.handle(Timestamp::from_millis(bench.now_ms, wall), input);
            while let Some(output) = bench.engine.poll_output() {
                match output {
                    Output::PeerUp { peer, .. } => prop_assert!(active.insert(peer)),
                    Output::PeerDown { peer } => prop_assert!(active.remove(&peer)),
                    _ => {}
                }
            }
            prop_assert!(bench.engine.active().eq(active.iter().copied()));
            prop_assert!(bench.engine.iter().count() <= 40);
            let linked = bench.engine.iter().filter(|view| view.link.is_some());
            prop_assert!(linked.count() <= 10);
            for view in bench.engine.iter() {
                prop_assert_eq!(view.state == PeerState::Active, active.contains(&view.id));
                prop_assert!(view.addresses.len() <= Limits::ADDRESSES_KEPT);
            }
        }
    }
}

#[test]
fn unsound_configurations_are_refused_by_name() {
    let refused = |config: Config| {
        let error = Peers::new(config, Limits::default(), id(0), Rng::from_u64(1));
        error.expect_err("refused").to_string()
    };
    let text = refused(Config {
        min_peers: 100,
        ..Config::default()
    });
    assert!(
        text.contains("min_peers is 100") && text.contains("64"),
        "{text}"
    );
    let text = refused(Config {
        min_trust: Fixed::ratio(8, 10),
        ..Config::default()
    });
    assert!(text.contains("min_trust"), "{text}");
}
