//! Endpoints against peers that break rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support is no #[test] function, so clippy does not see it as a test"
)]

mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use repute_base::codec;
use repute_identity::Identity;
use repute_protocol::{
    ALPN, Disconnect, DisconnectReason, Frame, FrameKind, Misbehaviour, NetworkId,
};
use repute_transport::{Config, DialFailure, Event, LinkDown, Priority, Probe};
use support::{
    Node, config,
    memory::MemoryNetwork,
    node, node_with, nonce_of, numbered, ping,
    raw::{self, Client},
};
use tokio::time::{Instant, timeout};

fn frame(kind: u8, body: &[u8]) -> Bytes {
    let len = (body.len() as u32 + 1).to_be_bytes();
    [&len[..], &[kind], body].concat().into()
}

/// The reason with which the node closed a raw connection.
async fn close_reason(connection: &quinn::Connection) -> DisconnectReason {
    match timeout(support::PATIENCE, connection.closed())
        .await
        .expect("a close")
    {
        quinn::ConnectionError::ApplicationClosed(close) => {
            codec::decode::<Disconnect>(&close.reason)
                .expect("a reason")
                .reason
        }
        other => panic!("{other:?}"),
    }
}

async fn still_serves(node: &mut Node) {
    let mut honest = self::node(77).await;
    honest.dial(node);
    assert_eq!(honest.up().await, node.id);
    assert_eq!(node.up().await, honest.id);
}

#[tokio::test]
async fn a_certificate_instead_of_a_raw_key_is_refused() {
    let mut a = node(1).await;
    let client = Client {
        x509: true,
        ..Client::of(&Identity::from_seed(2))
    };
    if let Ok(connection) = client.connect(&a).await {
        connection.closed().await;
    }
    assert_eq!(a.endpoint.stats().links, 0);
    still_serves(&mut a).await;
}

#[tokio::test]
async fn another_protocol_is_refused() {
    assert_eq!(ALPN, b"repute/1");
    let mut a = node(1).await;
    let client = Client {
        alpn: b"repute/0",
        ..Client::of(&Identity::from_seed(2))
    };
    assert!(client.connect(&a).await.is_err());
    still_serves(&mut a).await;
}

#[tokio::test]
async fn a_weak_or_misshapen_key_is_refused() {
    let mut a = node(1).await;
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let neutral = std::array::from_fn::<u8, 32, _>(|at| u8::from(at == 0));
    let weak = [&prefix[..], &neutral].concat();
    for spki in [weak, prefix.to_vec(), vec![0; 44], vec![0; 4_000]] {
        let client = Client {
            spki: Some(spki),
            ..Client::of(&Identity::from_seed(2))
        };
        if let Ok(connection) = client.connect(&a).await {
            connection.closed().await;
        }
    }
    assert_eq!(a.endpoint.stats().links, 0);
    still_serves(&mut a).await;
}

#[tokio::test]
async fn somebody_elses_inception_record_is_refused() {
    let mut a = node(1).await;
    let (thief, victim) = (Identity::from_seed(2), Identity::from_seed(3));
    let (connection, mut send) = raw::open(&thief, &a).await;
    let stolen = Frame::Handshake(raw::handshake(&victim)).encode();
    send.write_all(&stolen).await.unwrap();
    assert_eq!(
        close_reason(&connection).await,
        DisconnectReason::WrongIdentity
    );
    still_serves(&mut a).await;
}

#[tokio::test]
async fn another_network_and_an_unknown_version_are_told_why() {
    let a = node(1).await;
    let identity = Identity::from_seed(2);
    let mut elsewhere = raw::handshake(&identity);
    elsewhere.network = NetworkId::from_name("elsewhere");
    let mut newer = raw::handshake(&identity);
    (newer.version_min, newer.version_max) = (7, 9);
    for (handshake, reason) in [
        (elsewhere, DisconnectReason::WrongNetwork),
        (newer, DisconnectReason::WrongVersion),
    ] {
        let (connection, mut send) = raw::open(&identity, &a).await;
        send.write_all(&Frame::Handshake(handshake).encode())
            .await
            .unwrap();
        assert_eq!(close_reason(&connection).await, reason);
    }
    assert_eq!(a.endpoint.stats().handshakes_failed, 2);
}

#[tokio::test]
async fn a_first_frame_that_is_no_handshake_ends_the_connection() {
    let a = node(1).await;
    for bytes in [
        ping(1).encode(),
        frame(1, b"rubbish"),
        frame(200, b""),
        Bytes::from(vec![0xff; 64]),
    ] {
        let (connection, mut send) = raw::open(&Identity::from_seed(2), &a).await;
        send.write_all(&bytes).await.unwrap();
        assert_eq!(
            close_reason(&connection).await,
            DisconnectReason::Misbehaviour
        );
    }
    assert_eq!(a.endpoint.stats().links, 0);
}

#[tokio::test]
async fn an_oversized_frame_is_refused_before_it_is_read_and_ends_the_link() {
    let mut a = node(1).await;
    for prefix in [1_u32 << 16, 1 << 31, u32::MAX] {
        let liar = Identity::from_seed(u64::from(prefix));
        let (connection, mut send) = raw::admitted(&liar, &mut a).await;
        let mut header = prefix.to_be_bytes().to_vec();
        header.push(FrameKind::Heartbeat as u8);
        send.write_all(&header).await.unwrap();
        match a.news().await {
            Event::Violation { peer, kind } => {
                assert_eq!((peer, kind), (liar.id(), Misbehaviour::OversizedFrame));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            a.news().await,
            Event::LinkDown {
                cause: LinkDown::Local,
                ..
            }
        ));
        // The stream was stopped: nothing that follows is read.
        assert_eq!(
            close_reason(&connection).await,
            DisconnectReason::Misbehaviour
        );
    }
    still_serves(&mut a).await;
}

#[tokio::test]
async fn a_malformed_frame_is_reported_and_the_link_goes_on_until_there_are_too_many() {
    let mut a = node(1).await;
    let liar = Identity::from_seed(2);
    let (connection, mut send) = raw::admitted(&liar, &mut a).await;
    let bad = frame(FrameKind::Heartbeat as u8, &[0xee; 3]);
    send.write_all(&bad).await.unwrap();
    send.write_all(&ping(4).encode()).await.unwrap();
    let violation = a.news().await;
    assert!(
        matches!(violation, Event::Violation { kind: Misbehaviour::MalformedFrame, peer } if peer == liar.id())
    );
    assert_eq!(nonce_of(&a.frames(1).await[0]), 4);
    for _ in 0..9 {
        send.write_all(&bad).await.unwrap();
    }
    let mut violations = 0;
    loop {
        match a.news().await {
            Event::Violation {
                kind: Misbehaviour::MalformedFrame,
                ..
            } => violations += 1,
            Event::LinkDown {
                cause: LinkDown::Local,
                ..
            } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(violations, 9);
    assert_eq!(
        close_reason(&connection).await,
        DisconnectReason::Misbehaviour
    );
}

#[tokio::test]
async fn a_second_handshake_is_unexpected_and_unknown_kinds_are_passed_over() {
    let mut a = node(1).await;
    let identity = Identity::from_seed(2);
    let (_connection, mut send) = raw::admitted(&identity, &mut a).await;
    send.write_all(&frame(250, b"from the future"))
        .await
        .unwrap();
    send.write_all(&Frame::Handshake(raw::handshake(&identity)).encode())
        .await
        .unwrap();
    send.write_all(&ping(4).encode()).await.unwrap();
    let violation = a.news().await;
    assert!(matches!(
        violation,
        Event::Violation {
            kind: Misbehaviour::UnexpectedFrame,
            ..
        }
    ));
    assert_eq!(nonce_of(&a.frames(1).await[0]), 4);
    assert_eq!(a.endpoint.stats().frames_unknown, 1);
}

#[tokio::test]
async fn of_whoever_is_shut_out_nothing_is_decoded_but_its_goodbye() {
    let mut a = node(1).await;
    let mallory = Identity::from_seed(2);
    let (connection, mut send) = raw::admitted(&mallory, &mut a).await;
    // Heard so far.
    send.write_all(&numbered(1).encode()).await.unwrap();
    assert_eq!(numbers(a.news().await), [1]);
    a.endpoint.shut_out(mallory.id(), true);
    // Each of these would be a violation, or a frame, if it were looked at.
    let garbage = frame(FrameKind::Broadcast.number(), &[0xff; 9]);
    for bytes in [&garbage, &numbered(2).encode(), &frame(250, b"of tomorrow")] {
        send.write_all(bytes).await.unwrap();
    }
    connection
        .send_datagram(frame(FrameKind::Broadcast.number(), &[0]))
        .unwrap();
    until(|| a.endpoint.stats().frames_shut_out == 4).await;
    let stats = a.endpoint.stats();
    let looked_at = (
        stats.violations,
        stats.frames_malformed,
        stats.frames_unknown,
    );
    assert_eq!((looked_at, stats.frames_in), ((0, 0, 0), 1));
    // Its last word is heard.
    let goodbye = Disconnect::because(DisconnectReason::Appeal, "let me back in");
    send.write_all(&Frame::Disconnect(goodbye.clone()).encode())
        .await
        .unwrap();
    match a.news().await {
        Event::LinkDown { cause, .. } => assert_eq!(cause, LinkDown::Closed(goodbye)),
        other => panic!("{other:?}"),
    }
    // The next link is as deaf from its first frame on, and one after the pardon is not.
    let (_connection, mut send) = raw::admitted(&mallory, &mut a).await;
    send.write_all(&garbage).await.unwrap();
    until(|| a.endpoint.stats().frames_shut_out == 5).await;
    a.endpoint.shut_out(mallory.id(), false);
    // Also on the link that stands, since what follows may build on what was passed over.
    send.write_all(&numbered(3).encode()).await.unwrap();
    until(|| a.endpoint.stats().frames_shut_out == 6).await;
    drop(send);
    a.endpoint.close(
        mallory.id(),
        Disconnect::because(DisconnectReason::Banned, ""),
    );
    assert!(matches!(a.news().await, Event::LinkDown { .. }));
    let (_connection, mut send) = raw::admitted(&mallory, &mut a).await;
    send.write_all(&numbered(4).encode()).await.unwrap();
    assert_eq!(numbers(a.news().await), [4]);
    still_serves(&mut a).await;
}

#[tokio::test]
async fn a_barred_address_is_refused_at_the_door() {
    let mut config = config();
    config.validate_above = 0;
    let mut a = node_with(1, config).await;
    a.endpoint.bar(vec!["127.0.0.0/8".parse().unwrap()]);
    let mallory = Identity::from_seed(2);
    // Once, to be told why.
    let (_connection, _send) = raw::admitted(&mallory, &mut a).await;
    for _ in 0..10 {
        assert!(Client::of(&mallory).connect(&a).await.is_err());
    }
    let stats = a.endpoint.stats();
    assert_eq!((stats.barred, stats.accepted), (10, 1));
    a.endpoint.bar(Vec::new());
    still_serves(&mut a).await;
}

#[tokio::test]
async fn a_datagram_that_is_no_heartbeat_is_reported_and_too_many_end_the_link() {
    let mut a = node(1).await;
    let liar = Identity::from_seed(2);
    let (connection, _send) = raw::admitted(&liar, &mut a).await;
    let custom = frame(FrameKind::CustomData as u8, &[0, 0]);
    let cases = [
        (Bytes::new(), Misbehaviour::MalformedFrame),
        (ping(1).encode().slice(..6), Misbehaviour::MalformedFrame),
        (
            Bytes::from([ping(1).encode(), ping(2).encode()].concat()),
            Misbehaviour::MalformedFrame,
        ),
        (
            frame(FrameKind::Heartbeat as u8, &[0xee; 3]),
            Misbehaviour::MalformedFrame,
        ),
        (Bytes::from_static(&[0xff; 5]), Misbehaviour::MalformedFrame),
        (custom, Misbehaviour::UnexpectedFrame),
        (
            Frame::Handshake(raw::handshake(&liar)).encode(),
            Misbehaviour::UnexpectedFrame,
        ),
    ];
    let bad = cases.len();
    for (datagram, expected) in cases {
        connection.send_datagram(datagram).unwrap();
        match a.news().await {
            Event::Violation { peer, kind } => assert_eq!((peer, kind), (liar.id(), expected)),
            other => panic!("{other:?}"),
        }
    }
    // Of a kind that is not known yet: passed over. A good one comes through.
    connection
        .send_datagram(frame(250, b"from the future"))
        .unwrap();
    connection.send_datagram(ping(4).encode()).unwrap();
    assert_eq!(nonce_of(&a.frames(1).await[0]), 4);
    assert_eq!(a.endpoint.stats().frames_unknown, 1);
    for _ in bad..10 {
        connection.send_datagram(Bytes::new()).unwrap();
    }
    for _ in bad..10 {
        assert!(matches!(a.news().await, Event::Violation { .. }));
    }
    assert!(matches!(
        a.news().await,
        Event::LinkDown {
            cause: LinkDown::Local,
            ..
        }
    ));
    assert_eq!(
        close_reason(&connection).await,
        DisconnectReason::Misbehaviour
    );
    still_serves(&mut a).await;
}

#[tokio::test]
async fn datagrams_before_the_handshake_are_dropped_without_blame() {
    let mut a = node(1).await;
    let identity = Identity::from_seed(2);
    let (connection, mut send) = raw::open(&identity, &a).await;
    for nonce in 0..200 {
        connection.send_datagram(ping(nonce).encode()).unwrap();
        connection.send_datagram(Bytes::new()).unwrap();
        tokio::task::yield_now().await;
    }
    // Acknowledged means received: the handshake goes out behind them.
    until(|| connection.datagram_send_buffer_space() > 1_000_000).await;
    send.write_all(&Frame::Handshake(raw::handshake(&identity)).encode())
        .await
        .unwrap();
    assert_eq!(a.up().await, identity.id());
    connection.send_datagram(ping(999).encode()).unwrap();
    loop {
        let nonce = nonce_of(&a.frames(1).await[0]);
        if nonce == 999 {
            break;
        }
    }
    assert_eq!(a.endpoint.stats().violations, 0);
}

#[tokio::test]
async fn a_peer_that_takes_no_datagrams_gets_its_heartbeats_on_the_stream() {
    let mut a = node(1).await;
    let identity = Identity::from_seed(2);
    let mut client = Client::of(&identity);
    client.datagrams = false;
    let connection = client.connect(&a).await.unwrap();
    let mut send = connection.open_uni().await.unwrap();
    send.write_all(&Frame::Handshake(raw::handshake(&identity)).encode())
        .await
        .unwrap();
    assert_eq!(a.up().await, identity.id());
    let wire = ping(7).encode();
    a.endpoint
        .send(identity.id(), wire.clone(), Priority::Control)
        .unwrap();
    let mut recv = connection.accept_uni().await.unwrap();
    let mut came = Vec::new();
    while !came.ends_with(&wire) {
        let chunk = recv.read_chunk(usize::MAX, true).await.unwrap().unwrap();
        came.extend_from_slice(&chunk.bytes);
    }
    assert_eq!(a.endpoint.stats().datagrams_out, 0);
}

#[tokio::test]
async fn a_peer_gets_one_stream_for_frames_and_as_many_others_as_are_allowed() {
    let mut a = node(1).await;
    let wait = Duration::from_millis(100);
    let stranger = Client::of(&Identity::from_seed(3)).connect(&a).await;
    let stranger = stranger.expect("a connection");
    assert!(
        timeout(wait, stranger.open_bi()).await.is_err(),
        "not known"
    );
    let (connection, _send) = raw::admitted(&Identity::from_seed(2), &mut a).await;
    assert!(timeout(wait, connection.open_uni()).await.is_err());
    let mut open = Vec::new();
    while let Ok(stream) = timeout(wait, connection.open_bi()).await {
        open.push(stream.expect("a stream"));
    }
    let config = config();
    assert_eq!(open.len(), config.streams_max as usize);
}

#[tokio::test]
async fn whoever_does_not_read_is_cut_off_in_bounded_time_when_we_close() {
    let mut config = config();
    config.flush_time = Duration::from_millis(200);
    let mut a = node_with(1, config).await;
    let sleeper = Identity::from_seed(2);
    let (connection, _send) = raw::admitted(&sleeper, &mut a).await;
    let data = repute_base::BoundedBytes::new(vec![7; 60_000]).unwrap();
    let wire = Frame::CustomData(repute_protocol::CustomData { kind: 1, data }).encode();
    while a
        .endpoint
        .send(sleeper.id(), wire.clone(), Priority::Broadcast)
        .is_ok()
    {}
    a.endpoint.close(
        sleeper.id(),
        support::goodbye(DisconnectReason::Unresponsive),
    );
    timeout(support::PATIENCE, connection.closed())
        .await
        .expect("the connection ends");
}

// ── with a paused clock, over a network in memory ──

fn at(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 9))
}

async fn memory_node(network: &MemoryNetwork, seed: u64, change: impl FnOnce(&mut Config)) -> Node {
    let mut config = Config::new(at(seed as u8));
    config.socket = Some(network.socket(at(seed as u8)));
    config.seed = Some([seed as u8; 32]);
    change(&mut config);
    node_with(seed, config).await
}

#[tokio::test(start_paused = true)]
async fn endpoints_talk_over_a_network_in_memory_on_a_paused_clock() {
    let network = MemoryNetwork::default();
    let mut a = memory_node(&network, 1, |_| {}).await;
    let mut b = memory_node(&network, 2, |_| {}).await;
    support::link(&mut a, &mut b).await;
    a.endpoint
        .send(b.id, ping(9).encode(), Priority::Control)
        .unwrap();
    assert_eq!(nonce_of(&b.frames(1).await[0]), 9);
    network.unplug(at(1));
    let before = Instant::now();
    let lost = loop {
        if let Event::LinkDown { cause, .. } = b.events.next().await.unwrap() {
            break cause;
        }
    };
    assert_eq!(lost, LinkDown::Lost("nothing came for too long".into()));
    // Counted from the first packet that was not answered: the keep-alive.
    assert!(before.elapsed() <= Duration::from_secs(56));
}

#[tokio::test(start_paused = true)]
async fn a_dial_into_the_void_ends_at_its_deadline() {
    let network = MemoryNetwork::default();
    let mut a = memory_node(&network, 1, |_| {}).await;
    let before = Instant::now();
    let nobody = Identity::from_seed(9).id();
    a.endpoint
        .dial(nobody, (2..30).map(|host| at(host).into()).collect());
    match a.events.next().await.unwrap() {
        Event::DialFailed {
            cause: DialFailure::Timeout,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    assert!(before.elapsed() >= Duration::from_secs(20));
    assert!(before.elapsed() < Duration::from_secs(21));
}

#[tokio::test]
async fn a_connection_without_a_handshake_ends_and_frees_its_place() {
    let mut config = config();
    config.first_frame_time = Duration::from_millis(100);
    let a = node_with(1, config).await;
    let connection = Client::of(&Identity::from_seed(2))
        .connect(&a)
        .await
        .unwrap();
    assert_eq!(
        close_reason(&connection).await,
        DisconnectReason::Unresponsive
    );
    // Half a handshake is none.
    let (connection, mut send) = raw::open(&Identity::from_seed(2), &a).await;
    let whole = Frame::Handshake(raw::handshake(&Identity::from_seed(2))).encode();
    send.write_all(&whole[..20]).await.unwrap();
    assert_eq!(
        close_reason(&connection).await,
        DisconnectReason::Unresponsive
    );
    until(|| a.endpoint.stats().half_open == 0).await;
    let defaults = self::config();
    assert_eq!(defaults.first_frame_time, Duration::from_secs(5));
    assert_eq!(defaults.handshake_time, Duration::from_secs(10));
}

#[tokio::test]
async fn idle_attackers_fill_the_places_of_their_own_address_only() {
    let mut config = config();
    config.loopback_strict = true;
    config.accept_burst = 1_000;
    // However slow the machine, none of the places runs out meanwhile.
    config.first_frame_time = Duration::from_secs(600);
    config.handshake_time = Duration::from_secs(600);
    let mut a = node_with(1, config).await;
    let attacker = Client::of(&Identity::from_seed(2));
    let mut held = Vec::new();
    for _ in 0..40 {
        if let Ok(connection) = attacker.connect(&a).await {
            held.push(connection);
        }
    }
    let stats = a.endpoint.stats();
    assert_eq!(stats.half_open, 16, "{stats:?}");
    assert!(stats.retried >= 8 && stats.refused >= 24, "{stats:?}");
    assert_eq!(held.len(), 16);
    drop(held);
    until(|| a.endpoint.stats().half_open == 0).await;
    still_serves(&mut a).await;
}

#[tokio::test]
async fn past_the_threshold_whoever_connects_must_prove_its_address() {
    let mut config = config();
    config.validate_above = 0;
    let mut a = node_with(1, config).await;
    still_serves(&mut a).await;
    assert_eq!(a.endpoint.stats().retried, 1);
    assert_eq!(self::config().validate_above, 128);
}

#[tokio::test]
async fn an_address_that_connects_too_often_is_refused_for_a_while() {
    let mut config = config();
    config.loopback_strict = true;
    (config.accept_rate, config.accept_burst) = (0, 3);
    let a = node_with(1, config).await;
    let mut through = 0;
    for seed in 0..20 {
        let (mut other, peer) = (node(100 + seed).await, a.id);
        other
            .endpoint
            .dial(peer, vec![a.endpoint.local_addr().into()]);
        if matches!(other.news().await, Event::LinkUp { .. }) {
            through += 1;
        }
    }
    // Three before, three after proving the address.
    assert_eq!(through, 6);
}

// ── panics ──

#[tokio::test]
async fn a_panic_in_a_task_of_a_link_ends_that_link_only() {
    for task in ["reader", "writer"] {
        let victim = Identity::from_seed(2).id();
        let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let trigger = Arc::clone(&armed);
        let mut config = config();
        config.probe = Some(Probe(Arc::new(move |here, peer| {
            let fire = here == task && peer == victim;
            assert!(
                !(fire && trigger.load(std::sync::atomic::Ordering::Relaxed)),
                "injected"
            );
        })));
        let (mut a, mut b, mut c) = (node_with(1, config).await, node(2).await, node(3).await);
        support::link(&mut b, &mut a).await;
        support::link(&mut c, &mut a).await;
        armed.store(true, std::sync::atomic::Ordering::Relaxed);
        // Wakes both tasks.
        b.endpoint
            .send(a.id, numbered(1).encode(), Priority::Control)
            .unwrap();
        a.endpoint
            .send(b.id, numbered(1).encode(), Priority::Control)
            .unwrap();
        let mut panicked = false;
        loop {
            match a.news().await {
                Event::TaskPanicked { peer } => panicked = peer == victim,
                Event::LinkDown {
                    peer,
                    cause: LinkDown::Lost(_),
                } if peer == victim => break,
                Event::Frames { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(panicked, "{task}");
        assert_eq!(a.endpoint.stats().panics, 1);
        // The others go on, and so may the victim.
        c.endpoint
            .send(a.id, ping(5).encode(), Priority::Control)
            .unwrap();
        assert_eq!(nonce_of(&a.frames(1).await[0]), 5);
        armed.store(false, std::sync::atomic::Ordering::Relaxed);
        loop {
            if matches!(b.news().await, Event::LinkDown { .. }) {
                break;
            }
        }
        support::link(&mut b, &mut a).await;
    }
}

/// Yields until a counter says so.
fn numbers(event: Event) -> Vec<u64> {
    match event {
        Event::Frames { frames, .. } => {
            frames.iter().map(|frame| nonce_of(frame.value())).collect()
        }
        other => panic!("{other:?}"),
    }
}

async fn until(done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    timeout(support::PATIENCE, wait).await.expect("it happens");
}
