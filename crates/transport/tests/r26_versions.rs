//! R26: ends of other versions talk where their ranges meet, and part with the reason where not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support is no #[test] function, so clippy does not see it as a test"
)]

mod support;

use bytes::Bytes;
use repute_base::codec;
use repute_identity::Identity;
use repute_protocol::{
    Disconnect, DisconnectReason, Frame, FrameDecoder, FrameKind, Handshake, VERSION, VERSION_MIN,
};
use repute_transport::{DialFailure, Event, Priority};
use support::{Node, node, nonce_of, numbered, ping, raw};
use tokio::time::timeout;

/// Ranges of versions that meet ours.
const MEET: [(u16, u16); 3] = [(VERSION, VERSION), (0, VERSION), (VERSION_MIN, u16::MAX)];
/// Ranges that do not: an older program, a newer one, and one that speaks nonsense.
const PART: [(u16, u16); 4] = [
    (0, VERSION_MIN - 1),
    (VERSION + 1, VERSION + 8),
    (u16::MAX, u16::MAX),
    (VERSION + 1, 0),
];

fn of_versions(identity: &Identity, (min, max): (u16, u16)) -> Handshake {
    let mut handshake = raw::handshake(identity);
    (handshake.version_min, handshake.version_max) = (min, max);
    handshake
}

async fn reason_of(connection: &quinn::Connection) -> DisconnectReason {
    match timeout(support::PATIENCE, connection.closed()).await {
        Ok(quinn::ConnectionError::ApplicationClosed(close)) => {
            codec::decode::<Disconnect>(&close.reason).unwrap().reason
        }
        other => panic!("{other:?}"),
    }
}

/// Nobody is blamed: the only news of a node is what is expected.
async fn stays_calm(node: &mut Node) {
    let mut honest = self::node(77).await;
    honest.dial(node);
    assert_eq!(honest.up().await, node.id);
    assert_eq!(node.up().await, honest.id);
}

#[tokio::test]
async fn r26_who_dials_with_a_version_in_common_is_heard_and_anyone_else_told_why() {
    for range in MEET {
        let (mut a, identity) = (node(1).await, Identity::from_seed(2));
        let (_connection, mut send) = raw::open(&identity, &a).await;
        let first = Frame::Handshake(of_versions(&identity, range)).encode();
        // A newer one may send what only newer ones know, without blame.
        let unknown: Bytes = [&4_u32.to_be_bytes()[..], &[200, 1, 2, 3]].concat().into();
        for bytes in [first, unknown, ping(9).encode()] {
            send.write_all(&bytes).await.unwrap();
        }
        assert_eq!(a.up().await, identity.id(), "{range:?}");
        assert_eq!(nonce_of(&a.frames(1).await[0]), 9, "{range:?}");
    }
    let (mut a, identity) = (node(1).await, Identity::from_seed(2));
    for range in PART {
        let (connection, mut send) = raw::open(&identity, &a).await;
        let first = Frame::Handshake(of_versions(&identity, range)).encode();
        send.write_all(&first).await.unwrap();
        let told = reason_of(&connection).await;
        assert_eq!(told, DisconnectReason::WrongVersion, "{range:?}");
    }
    assert_eq!(a.endpoint.stats().handshakes_failed, PART.len() as u64);
    stays_calm(&mut a).await;
}

#[tokio::test]
async fn r26_who_is_dialled_with_a_version_in_common_is_heard_and_anyone_else_told_why() {
    let identity = Identity::from_seed(2);
    let server = raw::server(&identity);
    let address = server.local_addr().unwrap();
    for range in MEET.into_iter().chain(PART) {
        let mut a = node(1).await;
        a.endpoint.dial(identity.id(), vec![address.into()]);
        let connection = server.accept().await.unwrap().await.unwrap();
        let mut send = connection.open_uni().await.unwrap();
        let first = Frame::Handshake(of_versions(&identity, range)).encode();
        send.write_all(&first).await.unwrap();
        if MEET.contains(&range) {
            assert_eq!(a.up().await, identity.id(), "{range:?}");
            let frame = numbered(7);
            let sent = a
                .endpoint
                .send(identity.id(), frame.encode(), Priority::Control);
            sent.unwrap();
            let mut recv = connection.accept_uni().await.unwrap();
            let mut decoder = FrameDecoder::new();
            let mut kinds = Vec::new();
            while !kinds.contains(&frame.kind()) {
                let chunk = recv.read_chunk(usize::MAX, true).await.unwrap().unwrap();
                decoder.push(chunk.bytes);
                for raw in decoder.by_ref() {
                    kinds.extend(raw.unwrap().kind);
                }
            }
            assert_eq!(kinds.first(), Some(&FrameKind::Handshake), "{range:?}");
        } else {
            let told = reason_of(&connection).await;
            assert_eq!(told, DisconnectReason::WrongVersion, "{range:?}");
            match a.news().await {
                Event::DialFailed {
                    peer,
                    cause: DialFailure::Refused(disconnect),
                } => {
                    assert_eq!(peer, identity.id());
                    assert_eq!(
                        disconnect.reason,
                        DisconnectReason::WrongVersion,
                        "{range:?}"
                    );
                }
                other => panic!("{range:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn r26_an_end_that_is_refused_for_its_version_knows_it_too() {
    // An older or newer program refuses us in the same words, and we believe it.
    let identity = Identity::from_seed(2);
    let server = raw::server(&identity);
    let mut a = node(1).await;
    let address = server.local_addr().unwrap();
    a.endpoint.dial(identity.id(), vec![address.into()]);
    let connection = server.accept().await.unwrap().await.unwrap();
    let mut send = connection.open_uni().await.unwrap();
    let goodbye = Disconnect {
        reason: DisconnectReason::WrongVersion,
        detail: Default::default(),
        retry_ms: 0,
    };
    send.write_all(&Frame::Disconnect(goodbye).encode())
        .await
        .unwrap();
    match a.news().await {
        Event::DialFailed {
            cause: DialFailure::Refused(disconnect),
            ..
        } => assert_eq!(disconnect.reason, DisconnectReason::WrongVersion),
        other => panic!("{other:?}"),
    }
}
