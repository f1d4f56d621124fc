//! R23: a panic in a task of a link ends that link, is counted, and the node lives.
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

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use repute_base::Fixed;
use repute_node::{Node, NodeConfig};
use support::{config, eventually, heard, join, linked, start};

/// A node whose task of this name panics once, when it is armed.
fn fragile(config: NodeConfig, task: &'static str) -> (NodeConfig, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let probe = move |running: &'static str, _| {
        if running == task && trigger.swap(false, Ordering::SeqCst) {
            panic!("injected into the {running}");
        }
    };
    let mut config = config;
    config.link_probe = Some(repute_transport::Probe(Arc::new(probe)));
    (config, armed)
}

#[tokio::test(flavor = "multi_thread")]
async fn r23_a_panic_in_a_task_of_a_link_ends_that_link_and_the_node_lives() {
    for task in ["reader", "writer"] {
        let dirs: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let [ours, bobs, carols] = &dirs;
        let (config, armed) = fragile(config(ours.path()), task);
        let alice = Node::start(config).await.unwrap();
        let (bob, carol) = (start(bobs.path()).await, start(carols.path()).await);
        join(&bob, &alice).await;
        join(&carol, &alice).await;
        let mut news = carol.subscribe("news").await.unwrap();

        armed.store(true, Ordering::SeqCst);
        eventually("the panic is counted", || async {
            alice.status().await.unwrap().panics == 1
        })
        .await;
        assert!(!armed.load(Ordering::SeqCst), "{task}: it did panic");

        // The node answers, what it lost comes back, and messages go on.
        linked(&alice, &bob).await;
        linked(&alice, &carol).await;
        alice.publish("news", "still here").await.unwrap();
        assert_eq!(heard(&mut news).await, "still here");
        // It was no fault of anybody else.
        for peer in [&bob, &carol] {
            let standing = alice.standing(peer.id()).await.unwrap();
            assert!(standing.trust >= Fixed::HALF, "{task}: {standing:?}");
            assert!(!peer.standing(alice.id()).await.unwrap().gate.is_closed());
            assert_eq!(peer.status().await.unwrap().panics, 0);
        }
        let status = alice.status().await.unwrap();
        assert_eq!((status.panics, status.bans), (1, 0));
    }
}
