//! A server of the DHT that lies, and an offerer that forges or floods: refused, and worse off.
#![cfg(feature = "runtime")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod support;

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedVec, Fixed, Wall};
use repute_identity::{Identity, NodeId};
use repute_node::{
    Config, Node,
    dht::{Filter, Want},
};
use repute_protocol::{
    Advertisement, Capability, DhtAnswer, DhtAsk, DhtFrame, Envelope, EnvelopeKind, Frame,
    HandshakeAck, Record, RecordKey, RecordKind, RecordList, Seq, ServiceName, Stored, Unsigned,
};
use repute_transport::{Endpoint, Event, Events, HandshakeTemplate, Priority};
use support::{eventually, start};

const NAME: &[u8] = b"greeting";

/// A node of the DHT that answers every search with the same record.
struct Mallory {
    endpoint: Endpoint,
    identity: Identity,
}

impl Mallory {
    /// Links to a node, and serves it.
    async fn link(to: &Node, lie: Option<Envelope>) -> Self {
        let identity = Identity::from_seed(66);
        let mut config = repute_transport::Config::new(([127, 0, 0, 1], 0).into());
        config.seed = Some([6; 32]);
        let mut handshake = HandshakeTemplate::new(network());
        handshake.capabilities = BoundedVec::truncated([Capability::DHT]);
        let bound = Endpoint::bind(config, &identity, handshake).await;
        let (endpoint, events) = bound.unwrap();
        endpoint.set_listen_addresses(vec![Address::new(endpoint.local_addr())]);
        endpoint.dial(to.id(), to.addresses().to_vec());
        tokio::spawn(serve(endpoint.clone(), events, lie));
        let mallory = Self { endpoint, identity };
        eventually("linked", || support::is_linked(to, mallory.id())).await;
        mallory
    }

    fn id(&self) -> NodeId {
        self.identity.id()
    }

    fn offer(&self, to: &Node, envelope: &Envelope) {
        let mut records = RecordList::default();
        assert!(records.push(envelope));
        let frame = Frame::Dht(Box::new(DhtFrame::Offer { records })).encode();
        // The link may be closed by now.
        let _late = self.endpoint.send(to.id(), frame, Priority::Control);
    }
}

async fn serve(endpoint: Endpoint, mut events: Events, lie: Option<Envelope>) {
    while let Some(event) = events.next().await {
        match event {
            Event::LinkUp { peer, remote, .. } => {
                let ack = HandshakeAck {
                    observed: remote,
                    peers: BoundedVec::default(),
                };
                let frame = Frame::HandshakeAck(ack).encode();
                let _late = endpoint.send(peer, frame, Priority::Control);
            }
            Event::Frames { peer, frames } => {
                for frame in frames {
                    if let Frame::Dht(inner) = frame.into_value()
                        && let DhtFrame::Request { number, ask } = *inner
                    {
                        let answer = answer(ask, lie.as_ref());
                        let frame = DhtFrame::Answer { number, answer };
                        let frame = Frame::Dht(Box::new(frame)).encode();
                        let _late = endpoint.send(peer, frame, Priority::Control);
                    }
                }
            }
            _ => {}
        }
    }
}

fn answer(ask: DhtAsk, lie: Option<&Envelope>) -> DhtAnswer {
    let contacts = BoundedVec::default();
    match ask {
        DhtAsk::Contacts { .. } => DhtAnswer::Contacts { contacts },
        DhtAsk::Records { .. } => {
            let mut records = RecordList::default();
            if let Some(lie) = lie {
                assert!(records.push(lie));
            }
            DhtAnswer::Records {
                records,
                more: false,
                contacts,
            }
        }
        DhtAsk::Store { records } => DhtAnswer::Stored {
            outcomes: BoundedVec::truncated(records.iter().map(|_| Stored::Kept)),
        },
    }
}

fn network() -> repute_protocol::NetworkId {
    Config::on_network("repute").network
}

fn now_ms() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

fn signed(author: &Identity, kind: RecordKind, name: &[u8], value: &[u8], nth: u64) -> Envelope {
    let record = Record {
        kind: kind.number(),
        slot: 0,
        expires: now_ms() + 3_600_000,
        name: BoundedBytes::new(name.to_vec()).unwrap(),
        value: BoundedBytes::new(value.to_vec()).unwrap(),
    };
    let unsigned = Unsigned {
        network: network(),
        kind: EnvelopeKind::Record,
        seq: Seq {
            start: now_ms(),
            counter: nth,
        },
        sent: Wall::from_millis(now_ms()),
        payload: record.encode(),
    };
    unsigned.sign(author).into_inner()
}

/// The same with other words in it, under the signature that it had.
fn changed(envelope: &Envelope, from: &[u8], to: &[u8]) -> Envelope {
    assert_eq!(from.len(), to.len());
    let mut wire = envelope.wire().to_vec();
    let at = wire.windows(from.len()).position(|bytes| bytes == from);
    let at = at.expect("the words");
    wire.splice(at..at + from.len(), to.iter().copied());
    Envelope::decode(Bytes::from(wire)).expect("it parses")
}

fn offered(nth: u64) -> Vec<u8> {
    let advertisement = Advertisement {
        services: BoundedVec::truncated([ServiceName::new("seeder").unwrap()]),
        key: BoundedBytes::default(),
        amount_min: nth,
        amount_max: u64::MAX,
        addresses: BoundedVec::new(),
        criteria: BoundedVec::new(),
        metadata: BoundedBytes::default(),
    };
    advertisement.encode()
}

async fn trust(node: &Node, peer: NodeId) -> Fixed {
    node.standing(peer).await.unwrap().trust
}

async fn known(node: &Node) -> usize {
    let filter = Filter::of("seeder").unwrap();
    let found = node.find_services(filter, true).await.unwrap();
    found.offers.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_copy_is_refused_and_its_server_loses_standing() {
    let dir = tempfile::tempdir().unwrap();
    let alice = start(dir.path()).await;
    let victim = Identity::from_seed(7);
    let truth = signed(&victim, RecordKind::Value, NAME, b"truth", 0);
    let lie = changed(&truth, b"truth", b"a lie");
    let mallory = Mallory::link(&alice, Some(lie)).await;
    let key = RecordKey::of(RecordKind::Value, &victim.id(), NAME);
    let found = alice.dht_find(key, Want::Newest).await.unwrap();
    assert!(found.outcome.answers > 0, "it was asked");
    assert!(found.records.is_empty(), "the lie was believed");
    eventually("its server loses standing", || async {
        trust(&alice, mallory.id()).await < Fixed::ratio(45, 100)
    })
    .await;
    // A stranger that goes on is out at the third, the tenth at the latest.
    eventually("banned", || async {
        alice.dht_find(key, Want::Newest).await.unwrap();
        let standing = alice.standing(mallory.id()).await.unwrap();
        standing.gate.is_closed()
    })
    .await;
    assert_eq!(
        trust(&alice, victim.id()).await,
        Fixed::HALF,
        "not its fault"
    );
    alice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_offers_ban_their_link_and_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let alice = start(dir.path()).await;
    let mallory = Mallory::link(&alice, None).await;
    let mut sent = 0;
    while !alice.standing(mallory.id()).await.unwrap().gate.is_closed() {
        let own = signed(
            &mallory.identity,
            RecordKind::Advertisement,
            b"all",
            &offered(1),
            sent,
        );
        mallory.offer(&alice, &changed(&own, b"seeder", b"seller"));
        sent += 1;
        let refused = || async {
            let counters = alice.directory_counters().await.unwrap().unwrap();
            counters.refused(repute_node::dht::DirectoryRefusal::Forged) == sent
        };
        eventually("refused", refused).await;
    }
    assert!((1..=10).contains(&sent), "{sent}");
    assert_eq!(known(&alice).await, 0);
    alice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_advertises_too_often_is_worse_off_and_what_it_said_in_time_stands() {
    let dir = tempfile::tempdir().unwrap();
    let alice = start(dir.path()).await;
    let mallory = Mallory::link(&alice, None).await;
    for nth in 0..8 {
        let value = offered(nth);
        let own = signed(
            &mallory.identity,
            RecordKind::Advertisement,
            b"all",
            &value,
            nth,
        );
        mallory.offer(&alice, &own);
    }
    eventually("refused", || async {
        let counters = alice.directory_counters().await.unwrap().unwrap();
        counters.refused(repute_node::dht::DirectoryRefusal::Flood) == 4
    })
    .await;
    eventually("its standing falls", || async {
        trust(&alice, mallory.id()).await < Fixed::HALF
    })
    .await;
    assert_eq!(
        known(&alice).await,
        1,
        "one and three hasty ones were forgiven"
    );
    assert!(
        !alice.standing(mallory.id()).await.unwrap().gate.is_closed(),
        "a burst is one"
    );
    alice.shutdown().await;
}
