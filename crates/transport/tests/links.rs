//! Honest endpoints on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support is no #[test] function, so clippy does not see it as a test"
)]

mod support;

use std::{collections::BTreeSet, time::Duration};

use repute_base::BoundedBytes;
use repute_identity::{Identity, NodeId};
use repute_protocol::{CustomData, DisconnectReason, Frame};
use repute_transport::{
    DialFailure, Endpoint, Event, HandshakeTemplate, LinkDown, Priority, SendError,
};
use support::{
    Node, config, goodbye, link, node, node_in, node_with, nonce_of, numbered, pair, ping,
};
use tokio::time::timeout;

#[tokio::test]
async fn two_endpoints_connect_and_exchange_frames() {
    let (mut a, mut b) = (node(1).await, node(2).await);
    let listen = "192.0.2.1:9000".parse().unwrap();
    a.endpoint.set_listen_addresses(vec![listen]);
    a.dial(&b);
    let Event::LinkUp {
        peer,
        inbound,
        remote,
        ..
    } = a.news().await
    else {
        panic!("no link")
    };
    assert_eq!((peer, inbound), (b.id, false));
    assert_eq!(remote, b.endpoint.local_addr().into());
    let Event::LinkUp {
        peer,
        inbound,
        handshake,
        ..
    } = b.news().await
    else {
        panic!("no link")
    };
    assert_eq!((peer, inbound), (a.id, true));
    assert_eq!(handshake.listen.first(), Some(&listen));
    assert_eq!(handshake.inception.node_id(), a.id);

    a.endpoint
        .send(b.id, ping(1).encode(), Priority::Control)
        .unwrap();
    b.endpoint
        .send(a.id, ping(2).encode(), Priority::Broadcast)
        .unwrap();
    assert_eq!(nonce_of(&b.frames(1).await[0]), 1);
    assert_eq!(nonce_of(&a.frames(1).await[0]), 2);
    assert_eq!(a.endpoint.stats().links, 1);
    assert_eq!(a.endpoint.stats().panics, 0);
}

#[tokio::test]
async fn whoever_is_not_the_node_dialled_is_refused_before_any_other_frame() {
    let (mut a, mut b) = (node(1).await, node(2).await);
    let someone_else = Identity::from_seed(3).id();
    a.endpoint
        .dial(someone_else, vec![b.endpoint.local_addr().into()]);
    match a.news().await {
        Event::DialFailed {
            peer,
            cause: DialFailure::WrongIdentity,
        } => {
            assert_eq!(peer, someone_else);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(a.endpoint.stats().frames_out, 0);
    // The node that answered sees a link come and go at most, and no frame.
    loop {
        match b.news().await {
            Event::LinkUp { .. } => {}
            Event::LinkDown {
                cause: LinkDown::Closed(disconnect),
                ..
            } => {
                assert_eq!(disconnect.reason, DisconnectReason::WrongIdentity);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_node_of_another_network_is_refused() {
    let (mut a, b) = (node(1).await, node_in(2, config(), "elsewhere").await);
    a.dial(&b);
    match a.news().await {
        Event::DialFailed {
            cause: DialFailure::Refused(disconnect),
            ..
        } => {
            assert_eq!(disconnect.reason, DisconnectReason::WrongNetwork);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(b.endpoint.stats().links, 0);
}

#[tokio::test]
async fn a_dial_tries_every_address_and_says_when_none_answers() {
    let (mut a, mut b) = (node(1).await, node(2).await);
    let v6_only_elsewhere = "[::1]:1".parse().unwrap();
    a.endpoint.dial(
        b.id,
        vec![v6_only_elsewhere, b.endpoint.local_addr().into()],
    );
    assert_eq!(a.up().await, b.id);
    assert_eq!(b.up().await, a.id);
    let nobody = Identity::from_seed(9).id();
    a.endpoint.dial(nobody, vec![]);
    let event = a.news().await;
    assert!(
        matches!(event, Event::DialFailed { peer, cause: DialFailure::Unreachable } if peer == nobody)
    );
}

#[tokio::test]
async fn a_node_that_dials_itself_is_told() {
    let mut a = node(1).await;
    a.endpoint.dial(a.id, vec![a.endpoint.local_addr().into()]);
    assert!(matches!(
        a.news().await,
        Event::DialFailed { cause: DialFailure::Refused(d), .. }
            if d.reason == DisconnectReason::Duplicate
    ));
}

#[tokio::test]
async fn a_goodbye_comes_with_its_reason_behind_what_was_queued() {
    let (mut a, mut b) = pair().await;
    for nonce in 0..100 {
        a.endpoint
            .send(b.id, numbered(nonce).encode(), Priority::Control)
            .unwrap();
    }
    a.endpoint.close(b.id, goodbye(DisconnectReason::LowTrust));
    assert!(matches!(
        a.news().await,
        Event::LinkDown {
            cause: LinkDown::Local,
            ..
        }
    ));
    assert_eq!(
        a.endpoint.send(b.id, ping(0).encode(), Priority::Control),
        Err(SendError::NotConnected)
    );
    assert_eq!(b.frames(100).await.len(), 100);
    match b.news().await {
        Event::LinkDown {
            peer,
            cause: LinkDown::Closed(disconnect),
        } => {
            assert_eq!(peer, a.id);
            assert_eq!(disconnect, goodbye(DisconnectReason::LowTrust));
        }
        other => panic!("{other:?}"),
    }
    // The way is free for another link at once.
    link(&mut b, &mut a).await;
}

#[tokio::test]
async fn shutdown_says_goodbye_to_all_and_ends_the_events() {
    let (mut a, mut b) = pair().await;
    let mut c = node(3).await;
    link(&mut c, &mut a).await;
    a.endpoint
        .shutdown(goodbye(DisconnectReason::Shutdown))
        .await;
    for peer in [&mut b, &mut c] {
        match peer.news().await {
            Event::LinkDown {
                cause: LinkDown::Closed(disconnect),
                ..
            } => {
                assert_eq!(disconnect.reason, DisconnectReason::Shutdown);
            }
            other => panic!("{other:?}"),
        }
    }
    let rest = async { while a.events.next().await.is_some() {} };
    timeout(support::PATIENCE, rest)
        .await
        .expect("the events end");
}

#[tokio::test]
async fn a_dropped_endpoint_leaves_nothing_behind() {
    let (a, mut b) = pair().await;
    drop(a);
    assert!(matches!(
        b.news().await,
        Event::LinkDown {
            cause: LinkDown::Lost(_),
            ..
        }
    ));
}

#[tokio::test]
async fn ten_thousand_frames_arrive_once_and_in_order_with_credit_for_all_bytes() {
    let (mut a, mut b) = pair().await;
    let data = BoundedBytes::new(vec![7; 1_000]).unwrap();
    let wire = Frame::CustomData(CustomData { kind: 1, data }).encode();
    let (mut sent, mut arrived, mut drained, mut full) = (0, 0, 0, 0);
    let peer = b.id;
    while arrived < 10_000 || drained < 10_000 * wire.len() {
        while sent < 10_000 {
            match a.endpoint.send(peer, wire.clone(), Priority::Broadcast) {
                Ok(()) => sent += 1,
                Err(SendError::Full { queued, max }) => {
                    assert!(queued <= max);
                    full += 1;
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        let event = tokio::select! {
            biased;
            event = a.event() => event,
            event = b.event() => event,
        };
        match event {
            Event::Drained { bytes, .. } => drained += bytes,
            Event::Frames { frames, .. } => arrived += frames.len(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((arrived, drained), (10_000, 10_000 * wire.len()));
    assert_eq!(a.endpoint.stats().queue_full, full);
}

#[tokio::test]
async fn small_frames_are_packed_and_come_out_together() {
    let (a, mut b) = pair().await;
    for nonce in 0..5_000 {
        a.endpoint
            .send(b.id, numbered(nonce).encode(), Priority::Control)
            .unwrap();
    }
    let frames = b.frames(5_000).await;
    assert!(frames.iter().map(nonce_of).eq(0..5_000));
}

#[tokio::test]
async fn control_frames_overtake_broadcasts_that_wait() {
    let (a, mut b) = pair().await;
    let data = BoundedBytes::new(vec![7; 60_000]).unwrap();
    let large = Frame::CustomData(CustomData { kind: 1, data }).encode();
    for _ in 0..4 {
        a.endpoint
            .send(b.id, large.clone(), Priority::Broadcast)
            .unwrap();
    }
    // Nothing ran in between: one thread, and no await.
    a.endpoint
        .send(b.id, numbered(1).encode(), Priority::Control)
        .unwrap();
    assert_eq!(nonce_of(&b.frames(1).await[0]), 1);
}

#[tokio::test]
async fn when_nobody_reads_the_queue_fills_and_a_frame_is_refused() {
    let (mut a, mut b) = pair().await;
    let data = BoundedBytes::new(vec![7; 10_000]).unwrap();
    let wire = Frame::CustomData(CustomData { kind: 1, data }).encode();
    let mut accepted = 0;
    // Until nothing drains any more: the peer's application sleeps.
    let stuck = loop {
        match a.endpoint.send(b.id, wire.clone(), Priority::Broadcast) {
            Ok(()) => accepted += 1,
            Err(full @ SendError::Full { .. }) => {
                let wait = Duration::from_millis(300);
                if timeout(wait, a.events.next()).await.is_err() {
                    break full;
                }
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert!(matches!(stuck, SendError::Full { max: 262_144, .. }));
    // Bounded by the queue, one write, both windows, and the inbox of the sleeping peer.
    let bytes = accepted * wire.len();
    assert!(bytes < 2 * 1024 * 1024, "{bytes} bytes were taken");
    // The peer wakes up, and nothing was lost.
    assert_eq!(b.frames(accepted).await.len(), accepted);
}

#[tokio::test]
async fn a_held_peer_is_not_read_until_it_is_wanted_again() {
    let (mut a, mut b) = pair().await;
    b.endpoint.hold(&[a.id]);
    let data = BoundedBytes::new(vec![7; 10_000]).unwrap();
    let wire = Frame::CustomData(CustomData { kind: 1, data }).encode();
    let mut accepted = 0;
    loop {
        match a.endpoint.send(b.id, wire.clone(), Priority::Broadcast) {
            Ok(()) => accepted += 1,
            Err(_) => {
                let wait = Duration::from_millis(300);
                if timeout(wait, a.events.next()).await.is_err() {
                    break;
                }
            }
        }
    }
    let mut early = 0;
    while let Some(event) = b.events.try_next() {
        if let Event::Frames { frames, .. } = event {
            early += frames.len();
        }
    }
    // What was being read when it was held still comes.
    assert!(early * 2 < accepted, "{early} of {accepted}");
    b.endpoint.hold(&[]);
    assert_eq!(b.frames(accepted - early).await.len(), accepted - early);
}

#[tokio::test]
async fn one_peer_that_floods_does_not_keep_others_out() {
    let (a, mut b) = pair().await;
    let data = BoundedBytes::new(vec![7; 60_000]).unwrap();
    let wire = Frame::CustomData(CustomData { kind: 1, data }).encode();
    while a
        .endpoint
        .send(b.id, wire.clone(), Priority::Broadcast)
        .is_ok()
    {}
    let mut c = node(3).await;
    c.dial(&b);
    assert_eq!(c.up().await, b.id);
    c.endpoint
        .send(b.id, ping(5).encode(), Priority::Control)
        .unwrap();
    loop {
        match b.event().await {
            Event::Frames { peer, frames } if peer == c.id => {
                assert_eq!(nonce_of(frames[0].value()), 5);
                break;
            }
            _ => {}
        }
    }
}

/// Dials both ways at once, sends a numbered frame each way as soon as a link is up, and checks
/// that each end saw exactly one link and every frame.
async fn meet(a: &mut Node, b: &mut Node) {
    a.dial(b);
    b.dial(a);
    let (ea, eb, ida, idb) = (a.endpoint.clone(), b.endpoint.clone(), a.id, b.id);
    let (one, two) = tokio::join!(one_link(a, idb, ea), one_link(b, ida, eb));
    assert_eq!((one.len(), two.len()), (200, 200));
}

async fn one_link(node: &mut Node, peer: NodeId, endpoint: Endpoint) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    let mut links = 0;
    while seen.len() < 200 {
        match node.event().await {
            Event::LinkUp { peer: up, .. } => {
                assert_eq!(up, peer);
                links += 1;
                for nonce in 0..200 {
                    endpoint
                        .send(peer, numbered(nonce).encode(), Priority::Control)
                        .unwrap();
                }
            }
            Event::Frames { frames, .. } => {
                for frame in &frames {
                    assert!(seen.insert(nonce_of(frame.value())), "a frame came twice");
                }
            }
            Event::Drained { .. } => {}
            other => panic!("the link flapped: {other:?}"),
        }
    }
    assert_eq!(links, 1);
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_dials_that_meet_make_one_link_and_lose_nothing() {
    for round in 0..20 {
        let (mut a, mut b) = (node(100 + round).await, node(200 + round).await);
        meet(&mut a, &mut b).await;
        assert_eq!((a.endpoint.stats().links, b.endpoint.stats().links), (1, 1));
        assert_eq!(
            a.endpoint.stats().violations + b.endpoint.stats().violations,
            0
        );
    }
}

#[tokio::test]
async fn a_peer_that_restarts_gets_a_new_link_and_the_old_one_is_down_first() {
    let (mut a, b) = pair().await;
    let (id, first_port) = (b.id, b.endpoint.local_addr());
    // It dies without a word: its socket stays open, so that nothing tells the others.
    let mut again = node(2).await;
    assert_ne!(again.endpoint.local_addr(), first_port);
    b.endpoint.close(a.id, goodbye(DisconnectReason::Shutdown));
    again.dial(&a);
    assert_eq!(again.up().await, a.id);
    assert!(matches!(a.news().await, Event::LinkDown { peer, .. } if peer == id));
    assert_eq!(a.up().await, id);
    again
        .endpoint
        .send(a.id, ping(3).encode(), Priority::Control)
        .unwrap();
    assert_eq!(nonce_of(&a.frames(1).await[0]), 3);
}

#[tokio::test]
async fn a_peer_that_restarts_right_after_a_meeting_is_linked_again_soon() {
    // Whichever id is the smaller: the dead connection is kept, or the new one takes its place.
    for seeds in [(1, 2), (2, 1)] {
        let mut config = config();
        config.handshake_time = Duration::from_secs(1);
        let (mut a, mut b) = (
            node_with(seeds.0, config.clone()).await,
            node(seeds.1).await,
        );
        link(&mut a, &mut b).await;
        // It dies without a word: its socket stays open, so that nothing tells the others.
        let mut again = node(seeds.1).await;
        again.dial(&a);
        assert_eq!(again.up().await, a.id);
        assert!(matches!(a.news().await, Event::LinkDown { peer, .. } if peer == again.id));
        assert!(matches!(again.news().await, Event::LinkDown { peer, .. } if peer == a.id));
        again.dial(&a);
        assert_eq!(again.up().await, a.id);
        assert_eq!(a.up().await, again.id);
        again
            .endpoint
            .send(a.id, numbered(3).encode(), Priority::Control)
            .unwrap();
        assert_eq!(nonce_of(&a.frames(1).await[0]), 3);
    }
}

#[tokio::test]
async fn no_more_links_than_configured() {
    let mut config = config();
    config.links_max = 1;
    let (mut a, mut b, mut c) = (node_with(1, config).await, node(2).await, node(3).await);
    link(&mut b, &mut a).await;
    c.dial(&a);
    match c.news().await {
        Event::DialFailed {
            cause: DialFailure::Refused(_),
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(a.endpoint.stats().links, 1);
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error() {
    let a = node(1).await;
    let taken = repute_transport::Config::new(a.endpoint.local_addr());
    let template = HandshakeTemplate::new(repute_protocol::NetworkId::from_name("test"));
    let error = Endpoint::bind(taken, &Identity::from_seed(2), template)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&a.endpoint.local_addr().to_string()),
        "{error}"
    );
}

/// Reads `node`'s events until the stream brings the frame of this number; the pings on the way.
async fn pings_until(node: &mut Node, number: u64) -> BTreeSet<u64> {
    let mut pings = BTreeSet::new();
    loop {
        for frame in node.frames(1).await {
            match frame {
                Frame::Heartbeat(_) => assert!(pings.insert(nonce_of(&frame)), "a ping came twice"),
                other if nonce_of(&other) == number => return pings,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn heartbeats_of_high_priority_travel_as_datagrams_with_credit_for_their_bytes() {
    let (mut a, mut b) = pair().await;
    let wire = ping(0).encode();
    for nonce in 0..20 {
        let ping = ping(1_000 + nonce).encode();
        assert!(ping.len() <= 16);
        a.endpoint.send(b.id, ping, Priority::Control).unwrap();
        assert_eq!(nonce_of(&b.frames(1).await[0]), 1_000 + nonce);
    }
    let (sent, came) = (a.endpoint.stats(), b.endpoint.stats());
    assert_eq!((sent.datagrams_out, sent.frames_out), (20, 20));
    assert_eq!((came.datagrams_in, came.frames_in), (20, 20));
    assert_eq!(sent.bytes_out, came.bytes_in);
    assert!(wire.len() as u64 * 20 <= sent.bytes_out);
    let mut credited = 0;
    while credited < sent.bytes_out {
        match a.event().await {
            Event::Drained { peer, bytes } if peer == b.id => credited += bytes as u64,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(credited, sent.bytes_out);
    // Of low priority, or of another kind, they keep their place in the stream.
    a.endpoint
        .send(b.id, ping(1).encode(), Priority::Broadcast)
        .unwrap();
    a.endpoint
        .send(b.id, numbered(2).encode(), Priority::Control)
        .unwrap();
    b.frames(2).await;
    assert_eq!(b.endpoint.stats().datagrams_in, 20);
}

#[tokio::test]
async fn a_heartbeat_waits_behind_nothing_that_the_peer_does_not_read() {
    let (a, mut b) = pair().await;
    let data = BoundedBytes::new(vec![7; 10_000]).unwrap();
    let large = Frame::CustomData(CustomData { kind: 1, data }).encode();
    while a
        .endpoint
        .send(b.id, large.clone(), Priority::Broadcast)
        .is_ok()
    {}
    a.endpoint
        .send(b.id, ping(5).encode(), Priority::Control)
        .unwrap();
    let mut before = 0;
    while !matches!(b.frames(1).await.last(), Some(Frame::Heartbeat(_))) {
        before += 1;
    }
    // In the stream it would have come last: behind 256 KiB of the queue at least.
    assert!(before * 10_000 < 256 * 1024, "{before} frames came first");
}

#[tokio::test]
async fn when_nobody_takes_the_heartbeats_only_the_first_few_wait() {
    let (a, mut b) = pair().await;
    for nonce in 0..500 {
        a.endpoint
            .send(b.id, ping(nonce).encode(), Priority::Control)
            .unwrap();
        // Room in QUIC's own small buffer, so that what is dropped is dropped at the other end.
        tokio::task::yield_now().await;
    }
    a.endpoint
        .send(b.id, numbered(9_999).encode(), Priority::Control)
        .unwrap();
    // The stream's frame comes behind them all.
    let wait = async {
        while b.endpoint.stats().frames_in == b.endpoint.stats().datagrams_in {
            tokio::task::yield_now().await;
        }
    };
    timeout(support::PATIENCE, wait).await.expect("the frame");
    assert!(b.endpoint.stats().datagrams_dropped > 0);
    let pings = pings_until(&mut b, 9_999).await;
    assert!((1..=32).contains(&pings.len()), "{} waited", pings.len());
    // Whoever takes them again gets them again.
    a.endpoint
        .send(b.id, ping(700).encode(), Priority::Control)
        .unwrap();
    assert_eq!(nonce_of(&b.frames(1).await[0]), 700);
}
