//! What a node makes of its peers: metrics, scores by model, selection, past, over restarts.
#![cfg(feature = "runtime")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::time::Duration;

use repute_identity::NodeId;
use repute_node::{
    Node, NodeError,
    trust::{Choice, Direction, Fault, Level, Reason, Sample, Transfer},
};
use support::{config, eventually, heard, join};

fn transfer(ok: bool) -> Sample {
    Sample::Transfer(Transfer {
        ok,
        direction: Direction::Down,
        bytes: 4 << 20,
        took: Duration::from_secs(2),
        latency: Some(Duration::from_millis(50)),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_scores_and_survives_a_restart() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = Node::start(config(ours.path())).await.unwrap();
    let bob = support::start(theirs.path()).await;
    join(&bob, &alice).await;
    let mut news = alice.subscribe("news").await.unwrap();
    bob.publish("news", "hello").await.unwrap();
    assert_eq!(heard(&mut news).await, "hello");

    let subject = bob.id();
    let before = alice.score(subject, "transfer").await.unwrap();
    for _ in 0..20 {
        alice
            .observe(subject, transfer(true), Fault::Theirs)
            .await
            .unwrap();
        alice
            .observe(subject, transfer(false), Fault::Ours)
            .await
            .unwrap();
    }
    let after = alice.score(subject, "transfer").await.unwrap();
    assert!(after.ordinary.score > before.ordinary.score);
    assert!(after.cautious.score < after.ordinary.score);

    let metrics = alice.metrics_of(subject).await.unwrap();
    assert_eq!(
        format!(
            "{:.0}/{:.0}",
            metrics.transfers.ok, metrics.transfers.failed
        ),
        "20/0"
    );
    assert_eq!(format!("{:.0}", metrics.download.value), "2048");
    assert!(
        metrics.interactions > 20,
        "the message counted too: {}",
        metrics.interactions
    );
    assert_eq!(alice.metrics().await.unwrap().len(), 1);
    let interactions = |history: &repute_node::trust::History| history.interactions().count();
    let past = alice.history(subject).await.unwrap().unwrap();
    assert!(interactions(&past) > 20);
    alice.shutdown().await;

    let alice = Node::start(config(ours.path())).await.unwrap();
    let again = alice.metrics_of(subject).await.unwrap();
    assert_eq!(
        (again.transfers, again.download),
        (metrics.transfers, metrics.download)
    );
    assert_eq!(again.interactions, metrics.interactions);
    let kept = alice.history(subject).await.unwrap().unwrap();
    assert_eq!(interactions(&kept), interactions(&past));
    alice.shutdown().await;
    bob.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_of_candidates_pass_the_gates_or_an_error_says_how_many_do() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path())).await.unwrap();
    let id = |n| NodeId::from_bytes([n; 32]);
    node.ban(id(3), None, "sold a bridge").await.unwrap();
    for _ in 0..5 {
        node.observe(id(2), transfer(true), Fault::Theirs)
            .await
            .unwrap();
    }
    let wanted = Choice {
        required: 2,
        ..Choice::default()
    };
    let ids = vec![id(1), id(2), id(3)];
    let found = node
        .select("transfer", ids.clone(), wanted, 1)
        .await
        .unwrap();
    let order: Vec<NodeId> = found.chosen.iter().map(|one| one.id).collect();
    assert_eq!(order, [id(2), id(1)]);
    assert!(found.chosen.iter().all(|one| one.reason == Reason::Unknown));
    assert_eq!(found.refused.len(), 1);

    let wanted = Choice {
        required: 3,
        ..wanted
    };
    let error = node.select("transfer", ids, wanted, 1).await.unwrap_err();
    let NodeError::TooFew(few) = error else {
        panic!("{error}");
    };
    assert_eq!((few.passed, few.candidates, few.required), (2, 3, 3));
    let error = node.score(id(1), "luck").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("peer, transfer, network, signing, relay"),
        "{error}"
    );
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_and_probes_come_from_what_the_node_does_anyway() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = support::start(ours.path()).await;
    let bob = support::start(theirs.path()).await;
    join(&alice, &bob).await;
    let node = alice.clone();
    // The dial was a probe that was answered.
    eventually("a probe is counted", || {
        let node = node.clone();
        async move {
            let all = node.metrics().await.unwrap();
            all.iter()
                .any(|(_, metrics)| metrics.uptime.tally().ok.to_f64() > 0.5)
        }
    })
    .await;
    let summary = alice.summary(5).await.unwrap();
    assert_eq!(summary.total, 1);
    let unknown = summary
        .levels
        .iter()
        .find(|(level, _)| *level == Level::Unknown);
    assert_eq!(unknown.unwrap().1, 1);
    assert!(
        summary.top.is_empty(),
        "nobody is known well enough to lead"
    );
    let peers = alice.peers().await.unwrap();
    assert_eq!(peers.first().unwrap().entry.id, bob.id());
    alice.shutdown().await;
    bob.shutdown().await;
}
