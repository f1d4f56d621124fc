//! How much one node holds in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use repute_base::{Address, BoundedString, BoundedVec, Mono, Rng, Timestamp, Wall};
use repute_identity::{Identity, NodeId};
use repute_node::{
    Config, Core, Input, Snapshot,
    gossip::SeenAuthor,
    peers::Stored,
    trust::{Context, Evidence, Fault, Record},
};
use repute_protocol::{Frame, FromPeer, Handshake, HandshakeAck, Seq, VERSION};

const PEERS: u64 = 1_000;
const LINKS: u64 = 64;
const WALL: u64 = 1_800_000_000_000;

fn address(n: u64) -> Address {
    let text = format!("{}.{}.7.1:4000", 11 + n % 80, n / 80);
    text.parse().unwrap()
}

/// What the store has after a while: everybody met, judged and heard.
fn history(identities: &[Identity]) -> Snapshot {
    let mut snapshot = Snapshot {
        start: WALL,
        ..Snapshot::default()
    };
    let wall = Wall::from_millis(WALL - 1_000);
    for (n, identity) in (0..).zip(identities) {
        snapshot.peers.push(Stored {
            id: identity.id(),
            inception: Some(*identity.inception()),
            addresses: BoundedVec::truncated([address(n), address(n + 5_000)]),
            last_seen: wall,
            last_connected: Some(wall),
            failures: 0,
            capabilities: Some(BoundedVec::new()),
            record_seq: Some(Seq {
                start: WALL - 2_000,
                counter: 1,
            }),
            joined: false,
        });
        snapshot.records.push(Record {
            number: n + 1,
            subject: identity.id(),
            context: Context::Network,
            evidence: Evidence::Useful,
            fault: Fault::Theirs,
            wall,
        });
        snapshot.seen.push(SeenAuthor {
            author: identity.id(),
            start: WALL - 2_000,
            highest: 0,
            bitmap: SeenAuthor::bitmap_from_bytes(&[1; SeenAuthor::BITMAP_LEN]),
            updated: wall,
        });
    }
    snapshot
}

fn drain(core: &mut Core) {
    while core.poll_output().is_some() {}
}

/// A core that knows a thousand peers and has links with as many as it may.
fn core(snapshot: Snapshot, identities: &[Identity], me: NodeId) -> Core {
    let config = Config::on_network("memory");
    let network = config.network;
    let mut core = Core::new(me, config, snapshot, None, Rng::from_u64(1)).unwrap();
    let now = |ms| Timestamp {
        mono: Mono::from_millis(ms),
        wall: Wall::from_millis(WALL + ms),
    };
    core.handle(now(0), Input::Start);
    drain(&mut core);
    for (n, identity) in (0..LINKS).zip(identities) {
        let handshake = Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network,
            inception: *identity.inception(),
            capabilities: BoundedVec::new(),
            listen: BoundedVec::truncated([address(n)]),
            wall: WALL,
            agent: BoundedString::truncated("repute 0.1.0"),
        };
        let up = Input::LinkUp {
            peer: identity.id(),
            handshake,
            remote: address(n),
            inbound: n % 4 != 0,
        };
        core.handle(now(10 + n), up);
        drain(&mut core);
        let ack = Frame::HandshakeAck(HandshakeAck {
            observed: address(9_000),
            peers: BoundedVec::new(),
        });
        let ack = FromPeer::authenticated(identity.id(), ack);
        core.handle(now(10 + n), Input::Frame(ack));
        drain(&mut core);
    }
    for second in 1..120 {
        core.handle(now(second * 1_000), Input::Tick);
        drain(&mut core);
    }
    core
}

/// The bytes that such a core holds.
fn held(identities: &[Identity], heard: bool) -> u64 {
    let me = Identity::from_seed(0).id();
    let mut built = None;
    let used = allocation_counter::measure(|| {
        let mut snapshot = history(identities);
        if !heard {
            snapshot.seen = Vec::new();
        }
        built = Some(core(snapshot, identities, me));
    });
    let core = built.unwrap();
    assert_eq!(core.peers().iter().count(), identities.len());
    assert!(core.peers().active().count() >= 48);
    assert_eq!(core.trust().subjects().len(), identities.len());
    u64::try_from(used.bytes_current).unwrap()
}

#[test]
fn one_core_with_a_thousand_known_peers_holds_at_most_1_mib() {
    let identities: Vec<Identity> = (1..=PEERS).map(Identity::from_seed).collect();
    let known = held(&identities, false);
    // The record of which of their messages were seen comes on top, if all of them are authors.
    let heard = held(&identities, true);
    eprintln!("{known} bytes held, {heard} with the record of messages");
    assert!(known <= 1 << 20, "{known} bytes");
    assert!(heard <= 5 << 18, "{heard} bytes");
}
