//! R06: whatever comes in, in whatever order and at whatever time, the engine stays alive and
//! within its bounds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use repute_base::{BoundedBytes, BoundedVec, Machine, Rng, Timestamp};
use repute_gossip::{Config, Gossip, Input, Limits, Output};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Announced, Broadcast, EnvelopeKind, Frame, FromPeer, GossipFrame, MessageId, NetworkId,
    PeerHint, Seq, Topic, Unsigned,
};

fn peer(n: u8) -> NodeId {
    NodeId::from_bytes([n % 8; 32])
}

fn id(n: u8) -> MessageId {
    MessageId::from_bytes([n; 32])
}

fn control(pick: u8, a: u8, bytes: &[u8]) -> GossipFrame {
    let hint = || PeerHint {
        id: peer(a),
        addresses: BoundedVec::new(),
    };
    let ids = || BoundedVec::truncated(bytes.iter().map(|n| id(*n)));
    let announced = bytes.iter().map(|n| Announced {
        id: id(*n),
        hops: a,
    });
    match pick % 12 {
        0 => GossipFrame::Join,
        1 => GossipFrame::ForwardJoin {
            peer: hint(),
            ttl: a,
        },
        2 => GossipFrame::Neighbor {
            urgent: a.is_multiple_of(2),
        },
        3 => GossipFrame::NeighborReply {
            accepted: a.is_multiple_of(2),
        },
        4 => GossipFrame::Shuffle {
            origin: hint(),
            ttl: a,
            peers: BoundedVec::new(),
        },
        5 => GossipFrame::ShuffleReply {
            peers: BoundedVec::truncated([hint()]),
        },
        6 => GossipFrame::Leave,
        7 => GossipFrame::Announce {
            messages: BoundedVec::truncated(announced),
        },
        8 => GossipFrame::Graft { messages: ids() },
        9 => GossipFrame::Prune,
        10 => GossipFrame::Want { messages: ids() },
        _ => GossipFrame::Reconcile {
            session: u64::from(a % 4),
            initiator: a.is_multiple_of(2),
            body: BoundedBytes::new([&[0; 8], &[0x61][..], bytes].concat()).unwrap(),
        },
    }
}

fn broadcast(a: u8, sent: u64) -> Frame {
    let envelope = Unsigned {
        network: NetworkId::from_name("test"),
        kind: EnvelopeKind::Message,
        seq: Seq {
            start: u64::from(a % 3),
            counter: u64::from(a) << (a % 50),
        },
        sent: repute_base::Wall::from_millis(sent),
        payload: vec![a; 8],
    }
    .sign(&Identity::from_seed(u64::from(a % 5)))
    .into_inner();
    Frame::Broadcast(Broadcast {
        hops: a,
        ttl: a,
        requested: a.is_multiple_of(2),
        envelope,
    })
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

    #[test]
    fn any_inputs_at_any_times_neither_panic_nor_break_a_bound(
        ops in prop::collection::vec(
            (any::<u8>(), any::<u8>(), any::<u8>(), any::<u64>(), any::<u64>(),
             prop::collection::vec(any::<u8>(), 0..60)),
            1..120,
        )
    ) {
        let limits = Limits { ids_max: 20, missing_max: 50, pending_max: 10, ..Limits::default() };
        let network = NetworkId::from_name("test");
        let me = Identity::from_seed(99).id();
        let mut engine =
            Gossip::new(Config::default(), limits, me, network, Rng::from_u64(1)).unwrap();
        for (kind, a, b, mono, wall, bytes) in ops {
            // Both clocks jump anywhere, also backwards and to their ends.
            let now = Timestamp::from_millis(mono >> (a % 64), wall >> (b % 64));
            let input = match kind % 10 {
                0 | 1 => Input::PeerUp { peer: peer(a), addresses: Vec::new() },
                2 => Input::PeerDown { peer: peer(a) },
                3 => Input::Tick,
                4 => Input::LinkQueue { peer: peer(a), bytes: wall as usize },
                5 => Input::Publish {
                    topic: Topic::new("t").unwrap(),
                    kind: 0,
                    data: BoundedBytes::new(bytes.clone()).unwrap(),
                    causal: b.is_multiple_of(2),
                    token: u64::from(b),
                },
                6 => Input::Frame(FromPeer::authenticated(
                    peer(a), broadcast(b, now.wall.as_millis()))),
                _ => Input::Frame(FromPeer::authenticated(
                    peer(a), Frame::Gossip(control(kind / 10, b, &bytes)))),
            };
            let mut inputs = vec![input];
            while let Some(input) = inputs.pop() {
                engine.handle(now, input);
                while let Some(output) = engine.poll_output() {
                    if let Output::Verify { from, envelope } = output {
                        inputs.push(match envelope.verify() {
                            Ok(envelope) => Input::Verified { from, envelope },
                            Err(envelope) => Input::Forged { from, envelope },
                        });
                    }
                }
            }
            let stats = engine.stats();
            prop_assert!(stats.ids <= 20 && stats.missing <= 50 && stats.pending <= 10);
            prop_assert!(stats.active <= 5 && stats.passive <= 30);
            prop_assert_eq!(engine.broken_invariant(), None);
        }
    }

    #[test]
    fn reconciliation_bytes_of_a_peer_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let network = NetworkId::from_name("test");
        let me = Identity::from_seed(99).id();
        let mut engine =
            Gossip::new(Config::default(), Limits::default(), me, network, Rng::from_u64(1))
                .unwrap();
        let now = Timestamp::from_millis(1, 1_800_000_000_000);
        engine.handle(now, Input::PeerUp { peer: peer(1), addresses: Vec::new() });
        while engine.poll_output().is_some() {}
        for prefix in [&[][..], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 0, 0x61]] {
            let body = BoundedBytes::new([prefix, &bytes].concat()).unwrap();
            let frame = GossipFrame::Reconcile { session: 1, initiator: true, body };
            let frame = FromPeer::authenticated(peer(1), Frame::Gossip(frame));
            engine.handle(now, Input::Frame(frame));
            while engine.poll_output().is_some() {}
        }
    }
}
