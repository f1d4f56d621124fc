//! Ways to find where a peer listens: one contract, held by each of them.
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

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use repute_base::{Address, BoundedVec};
use repute_identity::{NodeId, SecretKey, Ticket};
use repute_node::{DataDir, Desk, Discovery, Known, Node, NodeConfig, Running};
use support::{config, eventually, is_linked, linked};

/// A port of this machine at which nobody listens.
fn dead() -> Address {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().into()
}

/// The ticket of a node that has moved since: none of its addresses answers.
fn stale(node: &Node) -> Ticket {
    Ticket {
        addresses: BoundedVec::truncated([dead()]),
        ..node.ticket()
    }
}

async fn start(dir: &Path, way: impl Discovery + 'static) -> Node {
    Node::start(config(dir).discover(way)).await.unwrap()
}

/// The contract: whoever has a ticket whose addresses are dead finds the peer, and nobody else is
/// taken for it.
async fn a_stale_ticket_leads_to_the_peer(alice: &Node, bob: &Node) {
    assert!(!is_linked(bob, alice.id()).await);
    bob.join(stale(alice)).await.unwrap();
    linked(bob, alice).await;
    let peers = bob.peers().await.unwrap();
    assert!(peers.iter().all(|peer| peer.view.id == alice.id()));
}

/// A way of an application's own: a board that both look at.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<BTreeMap<NodeId, Vec<Address>>>>);

impl Discovery for Board {
    fn name(&self) -> &'static str {
        "board"
    }

    fn open(&mut self) -> std::io::Result<Known> {
        let key = SecretKey::from_entropy([9; 32]).public();
        Ok(Known {
            tickets: Vec::new(),
            key: Some(key),
        })
    }

    fn run(self: Box<Self>, mut desk: Desk) -> Running {
        Box::pin(async move {
            let me = desk.inception().node_id();
            self.0.lock().unwrap().insert(me, desk.addresses().to_vec());
            while desk.sought_changed().await.is_ok() {
                for sought in desk.sought() {
                    let found = self.0.lock().unwrap().get(&sought.peer).cloned();
                    let Some(addresses) = found else { continue };
                    if desk.found(sought.peer, addresses).await.is_err() {
                        return;
                    }
                }
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applications_own_way_finds_a_peer_that_has_moved() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let board = Board::default();
    let alice = start(ours.path(), board.clone()).await;
    let bob = start(theirs.path(), board.clone()).await;
    eventually("both are on the board", || async {
        board.0.lock().unwrap().len() == 2
    })
    .await;
    a_stale_ticket_leads_to_the_peer(&alice, &bob).await;
}

/// Panics at once.
struct Broken;

impl Discovery for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn run(self: Box<Self>, _: Desk) -> Running {
        Box::pin(async { panic!("as planned") })
    }
}

/// Cannot be opened.
struct Missing;

impl Discovery for Missing {
    fn name(&self) -> &'static str {
        "missing"
    }

    fn open(&mut self) -> std::io::Result<Known> {
        Err(std::io::Error::other("the board is gone"))
    }

    fn run(self: Box<Self>, _: Desk) -> Running {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_panics_costs_only_itself_and_one_that_cannot_open_stops_the_start() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = start(ours.path(), Broken).await;
    let bob = support::start(theirs.path()).await;
    support::join(&bob, &alice).await;
    bob.shutdown().await;
    let refused = Node::start(config(theirs.path()).discover(Missing)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("step 7 of 8, bootstrap: the board is gone"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_publishes_nowhere_has_tickets_that_every_build_reads() {
    let ours = tempfile::tempdir().unwrap();
    let alice = support::start(ours.path()).await;
    assert_eq!(alice.ticket().discovery, None);
    assert!(!DataDir::new(ours.path()).discovery().exists());
}

#[cfg(feature = "mainline")]
mod over_mainline {
    use std::time::Duration;

    use mainline::{Dht, MutableItem, SigningKey, Testnet};
    use repute_identity::keystore;
    use repute_node::Mainline;

    use super::*;

    /// The published vector is what this build publishes. `UPDATE_VECTORS=1` rewrites it.
    #[test]
    fn the_published_vector_is_what_is_published() {
        use repute_protocol::{AddressRecord, EnvelopeKind, NetworkId, Payload, Seq, Unsigned};
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let recovery = SecretKey::from_entropy([0xfd; 32]).public();
        let secret = SecretKey::from_entropy([2; 32]);
        let identity = repute_identity::Identity::new(secret, &recovery);
        let addresses = BoundedVec::truncated(["192.0.2.1:7000".parse().unwrap()]);
        let envelope = Unsigned {
            network: NetworkId::from_name("repute"),
            kind: EnvelopeKind::AddressRecord,
            seq: Seq {
                start: 1_800_000_000_000,
                counter: 7,
            },
            sent: repute_base::Wall::from_millis(1_800_000_000_000),
            payload: Payload::AddressRecord(AddressRecord { addresses }).encode(),
        };
        let value = envelope.sign(&identity).wire().clone();
        let discovery = SecretKey::from_entropy([4; 32]);
        let signing = SigningKey::from_bytes(discovery.expose());
        let seq = 1_800_000_000_001;
        let item = MutableItem::new(signing, &value, seq, Some(b"repute"));
        let vector = serde_json::json!({
            "identity_secret_key": hex(&[2; 32]),
            "node_id_hex": hex(identity.id().as_bytes()),
            "discovery_secret_key": hex(discovery.expose()),
            "discovery_key": hex(discovery.public().as_bytes()),
            "salt": hex(b"repute"),
            "sequence": seq,
            "value": hex(item.value()),
            "target": hex(item.target().as_bytes()),
            "signature": hex(item.signature()),
        });
        let text = serde_json::to_string_pretty(&vector).unwrap() + "\n";
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = here.join("../../docs/spec/vectors/discovery.json");
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    /// On loopback alone: the builder binds nothing else.
    fn testnet() -> Testnet {
        Testnet::builder(10).build().unwrap()
    }

    fn published(dir: &Path, net: &Testnet) -> NodeConfig {
        let mainline = Mainline::in_dir(&DataDir::new(dir)).through(net.bootstrap.clone());
        config(dir).mainline(mainline.every(Duration::from_secs(1)))
    }

    /// What is stored under the discovery key of this ticket.
    async fn stored(net: &Testnet, ticket: &Ticket) -> Option<MutableItem> {
        let mut builder = Dht::builder();
        builder.bootstrap(&net.bootstrap).port(0);
        builder.bind_address(std::net::Ipv4Addr::LOCALHOST);
        let client = builder.build().unwrap().as_async();
        let key = *ticket.discovery.unwrap().as_bytes();
        client.get_mutable_most_recent(&key, Some(b"repute")).await
    }

    async fn until_stored(net: &Testnet, node: &Node) -> MutableItem {
        let ticket = node.ticket();
        eventually("published", || async {
            stored(net, &ticket).await.is_some()
        })
        .await;
        stored(net, &ticket).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ticket_with_a_discovery_key_finds_a_node_that_came_back_at_another_port() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let net = testnet();
        let alice = Node::start(published(ours.path(), &net)).await.unwrap();
        let first = until_stored(&net, &alice).await;
        assert!(first.value().len() < 1_000, "{}", first.value().len());
        let ticket = alice.ticket();
        alice.shutdown().await;

        let alice = Node::start(published(ours.path(), &net)).await.unwrap();
        // The key outlives a restart, so the old ticket still says where to look.
        assert_eq!(alice.ticket().discovery, ticket.discovery);
        eventually("published anew", || async {
            let now = stored(&net, &ticket).await;
            now.is_some_and(|item| item.seq() > first.seq() && item.value() != first.value())
        })
        .await;
        let bob = Node::start(published(theirs.path(), &net)).await.unwrap();
        a_stale_ticket_leads_to_the_peer(&alice, &bob).await;
    }

    /// Both had stopped, and one has moved: neither the address book nor a ticket at hand says where.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_peer_joined_by_ticket_is_sought_again_after_a_restart() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let net = testnet();
        let alice = Node::start(published(ours.path(), &net)).await.unwrap();
        let bob = Node::start(published(theirs.path(), &net)).await.unwrap();
        support::join(&bob, &alice).await;
        let first = until_stored(&net, &alice).await;
        let (id, ticket, port) = (alice.id(), alice.ticket(), alice.addresses().to_vec());
        bob.shutdown().await;
        alice.shutdown().await;

        let alice = Node::start(published(ours.path(), &net)).await.unwrap();
        assert_ne!(alice.addresses(), port);
        // Alice must not be the one that dials: Bob listens elsewhere, too, and she does not seek.
        eventually("published anew", || async {
            let now = stored(&net, &ticket).await;
            now.is_some_and(|item| item.seq() > first.seq() && item.value() != first.value())
        })
        .await;
        let bob = Node::start(published(theirs.path(), &net)).await.unwrap();
        eventually("linked again", || async { is_linked(&bob, id).await }).await;
        let discovery = bob.status().await.unwrap().discovery;
        assert!(discovery.found > 0, "{discovery:?}");
        for node in [bob, alice] {
            node.shutdown().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_holds_a_discovery_key_cannot_send_others_elsewhere() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let net = testnet();
        let alice = Node::start(published(ours.path(), &net)).await.unwrap();
        let genuine = until_stored(&net, &alice).await;
        let ticket = alice.ticket();
        let secret = keystore::discovery(&DataDir::new(ours.path()).discovery()).unwrap();
        alice.shutdown().await;

        // A thief of the discovery key publishes a node of its own as the newest, properly signed
        // by that node's identity and by the discovery key.
        let thief = repute_identity::Identity::from_seed(66);
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addresses = BoundedVec::truncated([socket.local_addr().unwrap().into()]);
        let record = repute_protocol::AddressRecord { addresses };
        let envelope = repute_protocol::Unsigned {
            network: repute_node::Config::on_network("repute").network,
            kind: repute_protocol::EnvelopeKind::AddressRecord,
            seq: repute_protocol::Seq {
                start: 1,
                counter: 1,
            },
            sent: repute_base::Wall::from_millis(u64::try_from(genuine.seq()).unwrap()),
            payload: repute_protocol::Payload::AddressRecord(record).encode(),
        };
        let value = envelope.sign(&thief).wire().clone();
        let mut builder = Dht::builder();
        builder.bootstrap(&net.bootstrap).port(0);
        builder.bind_address(std::net::Ipv4Addr::LOCALHOST);
        let client = builder.build().unwrap().as_async();
        let signing = SigningKey::from_bytes(secret.expose());
        let seq = genuine.seq() + 1_000_000;
        let item = MutableItem::new(signing, &value, seq, Some(b"repute"));
        client.put_mutable(item, None).await.unwrap();
        assert_eq!(stored(&net, &ticket).await.unwrap().value(), &value[..]);

        let bob = Node::start(published(theirs.path(), &net)).await.unwrap();
        let misled = Ticket {
            addresses: BoundedVec::truncated([dead()]),
            ..ticket.clone()
        };
        bob.join(misled).await.unwrap();
        eventually("looked for, and the find refused", || async {
            bob.status().await.unwrap().discovery.refused >= 2
        })
        .await;
        let mut packet = [0; 2_048];
        assert!(
            socket.try_recv(&mut packet).is_err(),
            "the thief was called"
        );
        assert_eq!(bob.status().await.unwrap().discovery.found, 0);

        // The owner comes back, publishes over it, and is found.
        let alice = Node::start(published(ours.path(), &net)).await.unwrap();
        eventually("published over it", || async {
            let now = stored(&net, &ticket).await;
            now.is_some_and(|item| item.seq() > seq)
        })
        .await;
        linked(&bob, &alice).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_network_that_is_down_stops_nothing() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let nobody = vec![dead().to_string()];
        let alone = |dir: &Path| {
            let mainline = Mainline::with_key(SecretKey::from_entropy([3; 32]));
            config(dir).mainline(mainline.through(nobody.clone()))
        };
        let alice = Node::start(alone(ours.path())).await.unwrap();
        let bob = Node::start(alone(theirs.path())).await.unwrap();
        support::join(&bob, &alice).await;
        alice.shutdown().await;
    }
}
