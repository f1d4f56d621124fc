//! What a running node still looks at of those it has banned: nothing.
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
use repute_base::{BoundedBytes, Layer};
use repute_identity::{Identity, NodeId};
use repute_node::{Change, Config, Node, trust::Target};
use repute_protocol::{CustomData, Frame, FrameKind};
use repute_transport::{Endpoint, Event, Events, HandshakeTemplate, Priority};
use support::{eventually, start};

/// A peer that keeps to no rule but those of the link.
struct Mallory {
    endpoint: Endpoint,
    events: Events,
    id: NodeId,
}

impl Mallory {
    async fn new() -> Self {
        let identity = Identity::from_seed(66);
        let mut config = repute_transport::Config::new(([127, 0, 0, 1], 0).into());
        config.seed = Some([6; 32]);
        let handshake = HandshakeTemplate::new(Config::on_network("repute").network);
        let bound = Endpoint::bind(config, &identity, handshake).await;
        let (endpoint, events) = bound.unwrap();
        let id = identity.id();
        Self {
            endpoint,
            events,
            id,
        }
    }

    /// Comes once more and says something at once; whether it got as far as a link.
    async fn intrude(&mut self, at: &Node) -> bool {
        self.endpoint.dial(at.id(), at.addresses().to_vec());
        loop {
            match self.events.next().await.expect("an endpoint") {
                Event::LinkUp { .. } => break,
                Event::DialFailed { .. } => return false,
                _ => {}
            }
        }
        for bytes in [garbage(), well_formed()] {
            // The link may be closed by now.
            let _late = self.endpoint.send(at.id(), bytes, Priority::Control);
        }
        while !matches!(self.events.next().await, Some(Event::LinkDown { .. })) {}
        true
    }
}

/// A frame whose body is none.
fn garbage() -> Bytes {
    let body = [0xff; 9];
    let len = (body.len() as u32 + 1).to_be_bytes();
    [&len[..], &[FrameKind::Gossip.number()], &body]
        .concat()
        .into()
}

fn well_formed() -> Bytes {
    let data = BoundedBytes::new(vec![1]).unwrap();
    Frame::CustomData(CustomData { kind: 1, data }).encode()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_banned_peer_that_comes_again_and_again_nothing_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let alice = start(dir.path()).await;
    let mut mallory = Mallory::new().await;
    alice.ban(mallory.id, None, "spam").await.unwrap();
    let mut dropped = 0;
    // Each time its frames race with the goodbye; some come before it.
    for _ in 0..50 {
        assert!(mallory.intrude(&alice).await, "not even told why");
        dropped = alice.status().await.unwrap().transport.frames_shut_out;
        if dropped > 0 {
            break;
        }
    }
    let status = alice.status().await.unwrap();
    assert!(dropped > 0, "no frame ever came before the goodbye");
    assert_eq!(
        (status.transport.violations, status.transport.frames_in),
        (0, 0)
    );
    assert_eq!(status.layers.refused(Layer::Standing), dropped);
    assert_eq!(status.layers.passed(Layer::Content), 0);
    // A ban that has begun is no worse for what came since.
    let standing = alice.standing(mallory.id).await.unwrap();
    assert!(standing.gate.is_closed());

    alice.unban(mallory.id).await.unwrap();
    mallory
        .endpoint
        .dial(alice.id(), alice.addresses().to_vec());
    eventually("heard again", || async {
        let _full = mallory
            .endpoint
            .send(alice.id(), well_formed(), Priority::Control);
        alice.status().await.unwrap().transport.frames_in > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barred_address_is_turned_away_before_its_handshake() {
    let dir = tempfile::tempdir().unwrap();
    let alice = start(dir.path()).await;
    let put = Change::Put {
        target: Target::Addresses("127.0.0.0/8".parse().unwrap()),
        duration: None,
        reason: Default::default(),
    };
    alice.change_blacklist(vec![put]).await.unwrap();
    let mut mallory = Mallory::new().await;
    let mut came = 0;
    for _ in 0..20 {
        came += usize::from(mallory.intrude(&alice).await);
    }
    let status = alice.status().await.unwrap();
    // Once it is told why; the minute is not over so soon on any machine that runs this.
    assert!(came >= 1 && status.transport.barred > 0, "{came}");
    assert_eq!(came as u64 + status.transport.barred, 20);
    let counted = status.layers.reasons(Layer::Standing);
    let counted: Vec<_> = counted.collect();
    assert!(
        counted.contains(&("connections from barred addresses", status.transport.barred)),
        "{counted:?}"
    );
}
