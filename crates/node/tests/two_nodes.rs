//! Real nodes over loopback, in one process.
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
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use repute_base::Fixed;
use repute_identity::NodeId;
use repute_node::{Delivery, Event, Node, NodeError};
use repute_protocol::DisconnectReason;
use support::{config, event, eventually, heard, is_linked, join, linked, start};
use tempfile::TempDir;

fn dirs() -> (TempDir, TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

async fn pair() -> ((TempDir, TempDir), Node, Node) {
    let dirs = dirs();
    let (alice, bob) = (start(dirs.0.path()).await, start(dirs.1.path()).await);
    join(&bob, &alice).await;
    (dirs, alice, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_publishes_the_other_hears_exactly_once_and_in_whole() {
    let (_dirs, alice, bob) = pair().await;
    let mut news = alice.subscribe("news").await.unwrap();
    let mut other = alice.subscribe("other").await.unwrap();
    let id = bob.publish("news", "first").await.unwrap();
    let largest = vec![7; 64 * 1024];
    bob.publish_as("news", 9, false, largest.clone().into())
        .await
        .unwrap();
    bob.publish("other", "elsewhere").await.unwrap();

    let first = news.next().await.unwrap();
    assert_eq!((first.id(), first.author()), (id, bob.id()));
    assert_eq!(
        (first.topic().as_str(), first.kind(), first.data().as_ref()),
        ("news", 0, &b"first"[..])
    );
    // The proof can be shown to others.
    assert_eq!(first.envelope().author(), bob.id());
    let second = news.next().await.unwrap();
    assert_eq!((second.kind(), second.data().as_ref()), (9, &largest[..]));
    assert_eq!(heard(&mut other).await, "elsewhere");

    // Nothing more waits: what comes next is what is said next.
    bob.publish("news", "last").await.unwrap();
    assert_eq!(heard(&mut news).await, "last");
    let status = alice.status().await.unwrap();
    assert_eq!((status.gossip.delivered, status.panics), (4, 0));
    assert_eq!((status.lost_deliveries, status.failed_writes), (0, 0));
    assert_eq!(bob.status().await.unwrap().gossip.published, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_refused_and_harms_nothing() {
    let (_dirs, alice, bob) = pair().await;
    let mut news = alice.subscribe("news").await.unwrap();
    let long = vec![0; 64 * 1024 + 1];
    let refused = bob.publish("news", long.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("64 KiB"), "{refused}");
    let topic = "x".repeat(65);
    for result in [
        bob.publish(&topic, "x").await.map(drop),
        bob.subscribe(&topic).await.map(drop),
        bob.send_custom(alice.id(), 1, long).await,
        bob.ban(alice.id(), None, &"x".repeat(129)).await,
    ] {
        assert!(matches!(result, Err(NodeError::TooLong(_))), "{result:?}");
    }
    bob.publish("news", "fits").await.unwrap();
    assert_eq!(heard(&mut news).await, "fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_hear_their_kind_only() {
    let (_dirs, alice, bob) = pair().await;
    let counts: [Arc<AtomicUsize>; 2] = Default::default();
    let [messages, frames] = counts.clone();
    let count = move |_: &_| {
        messages.fetch_add(1, Ordering::SeqCst);
    };
    alice.on_kind(7, count).await.unwrap();
    let bob_id = bob.id();
    alice
        .on_custom(3, move |frame| {
            assert_eq!(frame.peer(), bob_id);
            assert_eq!(frame.value().data.bytes().as_ref(), b"direct");
            frames.fetch_add(1, Ordering::SeqCst);
        })
        .await
        .unwrap();
    let mut news = alice.subscribe("news").await.unwrap();
    for kind in [7, 8, 7] {
        bob.publish_as("news", kind, false, "x".into())
            .await
            .unwrap();
        heard(&mut news).await;
    }
    for kind in [3, 4] {
        bob.send_custom(alice.id(), kind, "direct").await.unwrap();
    }
    let [messages, frames] = &counts;
    eventually("the frame", || async { frames.load(Ordering::SeqCst) == 1 }).await;
    assert_eq!(messages.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_causal_subscriber_hears_the_question_before_the_answer() {
    let (_dirs, alice, bob) = pair().await;
    let mut asked = bob.subscribe_causal("talk").await.unwrap();
    let mut talk = alice.subscribe_causal("talk").await.unwrap();
    for round in 0..5 {
        let question = format!("question {round}");
        alice
            .publish_as("talk", 0, true, question.clone().into())
            .await
            .unwrap();
        assert_eq!(heard(&mut asked).await, question);
        let answer = format!("answer {round}");
        bob.publish_as("talk", 0, true, answer.clone().into())
            .await
            .unwrap();
        assert_eq!(heard(&mut talk).await, answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_read_learns_what_it_lost_and_stops_nobody() {
    let (_dirs, alice, bob) = pair().await;
    let mut slow = alice.subscribe("news").await.unwrap();
    // One more than wait for a subscriber, and then some.
    const MESSAGES: u64 = 8_192 + 50;
    for number in 0..MESSAGES {
        bob.publish("news", number.to_string()).await.unwrap();
    }
    eventually("50 lost", || async {
        alice.status().await.unwrap().lost_deliveries == 50
    })
    .await;
    // Nothing was read that could not be checked, and had to come a second time.
    let status = alice.status().await.unwrap();
    assert_eq!(status.gossip.dropped_by_pending, 0);
    // Another one is not held up.
    let mut quick = alice.subscribe("news").await.unwrap();
    bob.publish("news", "now").await.unwrap();
    assert_eq!(heard(&mut quick).await, "now");
    let (mut messages, mut lost) = (0, 0);
    // "now" was lost, too: there was no room for it.
    while messages < 8_192 {
        match slow.next_delivery().await.unwrap() {
            Delivery::Message(_) => messages += 1,
            Delivery::Lagged(count) => lost += count,
        }
    }
    bob.publish("news", "and now").await.unwrap();
    match slow.next_delivery().await.unwrap() {
        Delivery::Lagged(count) => lost += count,
        Delivery::Message(message) => panic!("{message:?} before the notice of loss"),
    }
    assert_eq!(lost, 51);
    assert_eq!(heard(&mut slow).await, "and now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_identity_standing_and_peers() {
    let (dirs, alice, bob) = pair().await;
    let mut news = alice.subscribe("news").await.unwrap();
    for number in 0..5 {
        bob.publish("news", format!("message {number}"))
            .await
            .unwrap();
        heard(&mut news).await;
    }
    let before = alice.standing(bob.id()).await.unwrap();
    assert!(before.trust > Fixed::HALF && before.belief > Fixed::ZERO);
    let why = alice.explain(bob.id()).await.unwrap();
    assert!(why.matches && why.lines.len() >= 5, "{why:?}");
    let id = alice.id();
    alice.shutdown().await;

    // Nobody tells it where the others are.
    let again = start(dirs.0.path()).await;
    assert_eq!(again.id(), id);
    let after = again.standing(bob.id()).await.unwrap();
    assert_eq!(after.level, before.level);
    // An hour may have struck in between, and a hundredth faded.
    let lost = before.belief.to_f64() - after.belief.to_f64();
    assert!((0.0..=0.000_2).contains(&lost), "{before:?} {after:?}");
    let explained = again.explain(bob.id()).await.unwrap();
    assert!(explained.matches);
    assert_eq!(
        explained.lines.len(),
        why.lines.len(),
        "{why:#?} {explained:#?}"
    );
    linked(&again, &bob).await;
    let mut news = again.subscribe("news").await.unwrap();
    bob.publish("news", "welcome back").await.unwrap();
    assert_eq!(heard(&mut news).await, "welcome back");
    // What was heard before is not heard again, and what it says itself is new to others.
    let mut theirs = bob.subscribe("news").await.unwrap();
    again.publish("news", "thanks").await.unwrap();
    assert_eq!(heard(&mut theirs).await, "thanks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_is_durable_and_refuses_the_link_however_it_comes_in() {
    let (dirs, alice, bob) = pair().await;
    let mut told = bob.events();
    alice.ban(bob.id(), None, "sold me a bridge").await.unwrap();
    // Done means durable: the node may die at once.
    let banned = |reason: &Option<DisconnectReason>| *reason == Some(DisconnectReason::Banned);
    event(
        &mut told,
        |event| matches!(event, Event::Disconnected { reason, .. } if banned(reason)),
    )
    .await;
    alice.shutdown().await;

    let alice = start(dirs.0.path()).await;
    let bans = alice.bans().await.unwrap();
    let ban = bans.first().expect("the ban is there");
    assert_eq!((ban.subject, ban.until), (bob.id(), None));
    assert!(ban.reason.to_string().contains("sold me a bridge"));
    assert!(alice.standing(bob.id()).await.unwrap().gate.is_closed());

    // Bob dials; Alice does not let him in, nor does she dial him herself.
    let failures = |node: Node, peer: NodeId| async move {
        let view = node.peer(peer).await.unwrap();
        view.map_or(0, |peer| peer.view.failures)
    };
    let so_far = failures(bob.clone(), alice.id()).await;
    bob.join(alice.ticket()).await.unwrap();
    eventually("refused", || async {
        assert!(!is_linked(&alice, bob.id()).await);
        failures(bob.clone(), alice.id()).await > so_far
    })
    .await;
    alice.join(bob.ticket()).await.unwrap();
    let mut theirs = bob.subscribe("news").await.unwrap();
    alice.publish("news", "not for Bob").await.unwrap();
    assert!(!is_linked(&alice, bob.id()).await);

    alice.unban(bob.id()).await.unwrap();
    assert!(alice.bans().await.unwrap().is_empty());
    alice.join(bob.ticket()).await.unwrap();
    linked(&alice, &bob).await;
    alice.publish("news", "for Bob").await.unwrap();
    let mut said = heard(&mut theirs).await;
    if said == "not for Bob" {
        // It was published while he was out; the catch-up brings it now.
        said = heard(&mut theirs).await;
    }
    assert_eq!(said, "for Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_for_a_while_has_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let peer = NodeId::from_bytes([7; 32]);
    let hour = Duration::from_secs(3_600);
    node.ban(peer, Some(hour), "").await.unwrap();
    let now = node.status().await.unwrap().wall;
    let until = node.bans().await.unwrap().first().unwrap().until.unwrap();
    let left = until.since(now);
    assert!(left <= hour && left > hour / 2, "{left:?}");
    // A second ban takes the place of the first.
    node.ban(peer, None, "").await.unwrap();
    assert_eq!(node.bans().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_or_foreign_ticket_stops_nothing() {
    let (ours, theirs) = dirs();
    let alice = start(ours.path()).await;
    let gone = {
        let dir = tempfile::tempdir().unwrap();
        let node = start(dir.path()).await;
        node.shutdown().await;
        node.ticket()
    };
    // The right address under the wrong name.
    let mut wrong = alice.ticket();
    wrong.inception = *repute_identity::Identity::from_seed(9).inception();
    let joining = config(theirs.path())
        .join(gone)
        .join(wrong.clone())
        .join(alice.ticket());
    let bob = Node::start(joining).await.unwrap();
    linked(&bob, &alice).await;
    assert!(!is_linked(&bob, wrong.node_id()).await);
    let status = alice.status().await.unwrap();
    assert_eq!((status.bans, status.panics), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_different_networks_do_not_link() {
    let (ours, theirs) = dirs();
    let alice = start(ours.path()).await;
    let mut elsewhere = config(theirs.path()).join(alice.ticket());
    elsewhere.core = repute_node::Config::on_network("elsewhere");
    let bob = Node::start(elsewhere).await.unwrap();
    eventually("refused", || async {
        let alice = bob.peer(alice.id()).await.unwrap();
        alice.is_some_and(|peer| peer.view.failures > 0)
    })
    .await;
    assert!(!is_linked(&alice, bob.id()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_says_so_and_tells_its_peers() {
    let (_dirs, alice, bob) = pair().await;
    let mut told = bob.events();
    let mut news = alice.subscribe("news").await.unwrap();
    let mut events = alice.events();
    alice.shutdown().await;
    let left = event(&mut told, |event| {
        matches!(event, Event::Disconnected { .. })
    });
    assert!(matches!(
        left.await,
        Event::Disconnected { peer, reason: Some(DisconnectReason::Shutdown) }
            if peer == alice.id()
    ));
    assert!(news.next().await.is_none());
    while events.next().await.is_some() {}
    let stopped = |result: Result<(), NodeError>| matches!(result, Err(NodeError::Stopped));
    assert!(stopped(alice.publish("news", "x").await.map(drop)));
    assert!(stopped(alice.subscribe("news").await.map(drop)));
    assert!(stopped(alice.status().await.map(drop)));
    assert!(stopped(alice.ban(bob.id(), None, "").await));
    // Twice is once.
    alice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_last_handle_is_dropped_stops_in_order() {
    let (dirs, alice, bob) = pair().await;
    let mut told = bob.events();
    let id = alice.id();
    drop(alice);
    event(&mut told, |event| {
        matches!(
            event,
            Event::Disconnected { peer, reason: Some(DisconnectReason::Shutdown) } if *peer == id
        )
    })
    .await;
    // The store is closed: the directory is free again.
    eventually("the directory is free", || async {
        Node::start(config(dirs.0.path())).await.is_ok()
    })
    .await;
}
