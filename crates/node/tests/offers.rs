//! What a node offers, over restarts and with a real store.
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
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::Duration,
};

use repute_base::{Address, BoundedBytes, BoundedVec, Fixed, Wall};
use repute_identity::NodeId;
use repute_node::{
    Demands, Node, NodeConfig, NodeError,
    dht::{DirectoryError, Filter},
    trust::IdentityClass,
};
use repute_protocol::{Advertisement, ServiceName};
use repute_storage::{ItemRow, Options, Shelf, SqliteStore, Store, Write};
use support::{config, eventually, join, start};

const HOUR: Duration = Duration::from_secs(3_600);

fn relay(key: u8) -> Advertisement {
    Advertisement {
        services: BoundedVec::truncated([ServiceName::new("relay").unwrap()]),
        key: BoundedBytes::new(vec![key; usize::from(key > 0)]).unwrap(),
        amount_min: 0,
        amount_max: u64::MAX,
        addresses: BoundedVec::new(),
        criteria: BoundedVec::new(),
        metadata: BoundedBytes::default(),
    }
}

/// When what `asker` knows of this author was signed, and where it says that it is.
async fn known(asker: &Node, author: NodeId) -> Option<(Wall, Vec<Address>)> {
    let mut filter = Filter::of("relay").unwrap();
    filter.author = Some(author);
    let found = asker.find_services(filter, true).await.unwrap();
    let entry = &found.offers.first()?.entry;
    Some((entry.sent, entry.advertisement.addresses.to_vec()))
}

/// The port, once the node that had it has let go of it.
async fn taken(port: SocketAddr) -> UdpSocket {
    eventually("the port is free", || async {
        UdpSocket::bind(port).is_ok()
    })
    .await;
    UdpSocket::bind(port).unwrap()
}

async fn start_at(dir: &Path, listen: SocketAddr) -> Node {
    drop(taken(listen).await);
    let config = NodeConfig::in_dir(dir).listen(listen);
    Node::start(config).await.unwrap()
}

fn write(dir: &Path, rows: Vec<Write>) {
    let (store, _) = SqliteStore::open(dir, Options::default()).unwrap();
    let (done, answer) = std::sync::mpsc::sync_channel(1);
    store.write(rows, Box::new(move |result| done.send(result).unwrap()));
    answer.recv().unwrap().unwrap();
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_outlives_a_restart_until_it_is_retracted() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (asker, offerer) = (start(ours.path()).await, start(theirs.path()).await);
    join(&offerer, &asker).await;
    let (id, here) = (offerer.id(), offerer.addresses().to_vec());
    offerer.advertise(relay(0), HOUR).await.unwrap();
    offerer.advertise(relay(1), HOUR).await.unwrap();
    eventually("heard", || async { known(&asker, id).await.is_some() }).await;
    let (sent, at) = known(&asker, id).await.unwrap();
    assert_eq!(at, here);
    assert_eq!(offerer.retract(Some(relay(1).key)).await.unwrap(), 1);
    offerer.shutdown().await;

    // A row that is no offer, and one that is no row of offers, stop nothing.
    let item = |key: Vec<u8>| {
        Write::Item(ItemRow {
            shelf: Shelf::Offers,
            key,
            wall: sent,
            body: vec![1, 2, 3],
        })
    };
    write(theirs.path(), vec![item(vec![4]), item(vec![0, 1])]);
    let port = SocketAddr::from(([127, 0, 0, 1], here.first().unwrap().port()));
    let offerer = start_at(theirs.path(), port).await;
    assert_eq!(offerer.id(), id);
    let own = offerer.offers().await.unwrap();
    assert_eq!((own.len(), own.first().unwrap().slot), (1, 0));
    assert_eq!(own.first().unwrap().lifetime, HOUR);
    let counters = offerer.directory_counters().await.unwrap().unwrap();
    assert_eq!(counters.unreadable, 1);
    eventually("heard again", || async {
        known(&asker, id)
            .await
            .is_some_and(|(again, _)| again > sent)
    })
    .await;
    // In the DHT, too: whoever was not there finds it when its author is gone.
    eventually("put", || async {
        let status = offerer.dht_status().await.unwrap().unwrap();
        status.stats.publications >= 3
    })
    .await;

    assert_eq!(
        offerer.advertise(relay(0), HOUR).await.unwrap().0,
        0,
        "the same"
    );
    let soon = offerer.advertise(relay(0), 2 * HOUR).await;
    assert!(
        matches!(
            soon,
            Err(NodeError::Directory(DirectoryError::TooSoon { .. }))
        ),
        "one a minute: {soon:?}"
    );
    assert_eq!(offerer.retract(None).await.unwrap(), 1);
    offerer.shutdown().await;
    let offerer = start_at(theirs.path(), port).await;
    assert!(offerer.offers().await.unwrap().is_empty());
    let counters = offerer.directory_counters().await.unwrap().unwrap();
    assert_eq!(
        counters.unreadable, 0,
        "what could not be read was forgotten"
    );
    offerer.shutdown().await;
    asker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_on_another_port_does_not_offer_the_old_one() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (asker, offerer) = (start(ours.path()).await, start(theirs.path()).await);
    join(&offerer, &asker).await;
    let id = offerer.id();
    let mut given = relay(1);
    let elsewhere: Address = "198.51.100.9:9".parse().unwrap();
    given.addresses = BoundedVec::truncated([elsewhere]);
    offerer.advertise(relay(0), HOUR).await.unwrap();
    offerer.advertise(given, HOUR).await.unwrap();
    let old = offerer.addresses().to_vec();
    offerer.shutdown().await;

    // Somebody else has the port now.
    let port = SocketAddr::from(([127, 0, 0, 1], old.first().unwrap().port()));
    let _taken = taken(port).await;
    let offerer = start(theirs.path()).await;
    assert_ne!(offerer.addresses(), old);
    let newcomer = start(tempfile::tempdir().unwrap().path()).await;
    join(&newcomer, &offerer).await;
    // The one whose address the operator gave is offered at once; the other, which says something
    // new, once a minute has passed since it said the old.
    eventually("heard", || async { known(&newcomer, id).await.is_some() }).await;
    let (_, at) = known(&newcomer, id).await.unwrap();
    assert_eq!(at, [elsewhere]);
    let own = offerer.offers().await.unwrap();
    let signed: BTreeMap<u8, bool> = own
        .iter()
        .map(|one| (one.slot, one.expires.is_some()))
        .collect();
    assert_eq!(signed, BTreeMap::from([(0, false), (1, true)]));
    for node in [newcomer, offerer, asker] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_worth_too_little_take_no_place() {
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut offerers = Vec::new();
    for dir in dirs.iter().skip(1) {
        offerers.push(start(dir.path()).await);
    }
    let mut config = config(dirs.first().unwrap().path());
    let anchor = offerers.last().unwrap().id();
    config.core.receipts.anchors.push(anchor);
    let asker = Node::start(config).await.unwrap();
    for offerer in &offerers {
        join(&asker, offerer).await;
        offerer.advertise(relay(0), HOUR).await.unwrap();
    }
    let find = |max, demands: Demands| {
        let mut filter = Filter::of("relay").unwrap();
        filter.max = max;
        asker.find_services_by(filter, demands, true)
    };
    eventually("both heard", || async {
        find(9, Demands::default()).await.unwrap().offers.len() == 2
    })
    .await;
    let class = |class| Demands {
        class,
        ..Demands::default()
    };
    let found = find(1, class(IdentityClass::Burned)).await.unwrap().offers;
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.entry.author, one.class))
        .collect();
    assert_eq!(found, [(anchor, IdentityClass::Burned)]);
    assert_eq!(
        find(9, class(IdentityClass::Free))
            .await
            .unwrap()
            .offers
            .len(),
        2
    );
    let score = |model: &str, least| Demands {
        scores: BTreeMap::from([(model.to_owned(), least)]),
        ..Demands::default()
    };
    let most = asker.score_max("signing").unwrap();
    let half = find(9, score("signing", most.mul(Fixed::HALF)))
        .await
        .unwrap();
    assert_eq!(half.offers.first().unwrap().scores.len(), 1);
    assert_eq!(
        find(9, score("signing", most)).await.unwrap().offers.len(),
        0
    );
    let unknown = find(9, score("speed", Fixed::ZERO)).await;
    assert!(matches!(unknown, Err(NodeError::NoModel(known)) if known.contains("transfer")));
    let entry = Arc::clone(&half.offers.first().unwrap().entry);
    let judged = asker.judge_service(entry, Some(Fixed::ONE), Demands::default());
    assert!(judged.await.unwrap().is_none(), "nobody is trusted wholly");
    for node in offerers.into_iter().chain([asker]) {
        node.shutdown().await;
    }
}
