//! What the tests of this crate share: endpoints in one line, waits that are bounded, a network in
//! memory, and a raw QUIC client that breaks rules.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod memory;
pub mod raw;

use std::time::Duration;

use repute_base::{BoundedBytes, BoundedString};
use repute_identity::{Identity, NodeId};
use repute_protocol::{CustomData, Disconnect, DisconnectReason, Frame, Heartbeat, NetworkId};
use repute_transport::{Config, Endpoint, Event, Events, HandshakeTemplate};
use tokio::time::timeout;

/// Far more than any test needs; only a failing one waits so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Node {
    pub id: NodeId,
    pub endpoint: Endpoint,
    pub events: Events,
}

pub fn config() -> Config {
    Config::new("127.0.0.1:0".parse().unwrap())
}

pub fn template(network: &str) -> HandshakeTemplate {
    HandshakeTemplate::new(NetworkId::from_name(network))
}

pub async fn node(seed: u64) -> Node {
    node_with(seed, config()).await
}

pub async fn node_with(seed: u64, config: Config) -> Node {
    node_in(seed, config, "test").await
}

pub async fn node_in(seed: u64, config: Config, network: &str) -> Node {
    let identity = Identity::from_seed(seed);
    let (endpoint, events) = Endpoint::bind(config, &identity, template(network))
        .await
        .unwrap();
    Node {
        id: identity.id(),
        endpoint,
        events,
    }
}

impl Node {
    pub fn dial(&self, other: &Node) {
        self.endpoint
            .dial(other.id, vec![other.endpoint.local_addr().into()]);
    }

    pub async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.next())
            .await
            .expect("an event")
            .expect("an open endpoint")
    }

    /// The next event that is not about drained bytes.
    pub async fn news(&mut self) -> Event {
        loop {
            let event = self.event().await;
            if !matches!(event, Event::Drained { .. }) {
                return event;
            }
        }
    }

    pub async fn up(&mut self) -> NodeId {
        match self.news().await {
            Event::LinkUp { peer, .. } => peer,
            other => panic!("no link but {other:?}"),
        }
    }

    pub async fn frames(&mut self, count: usize) -> Vec<Frame> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.news().await {
                Event::Frames { frames, .. } => {
                    all.extend(frames.into_iter().map(|frame| frame.into_value()));
                }
                other => panic!("no frames but {other:?}"),
            }
        }
        all
    }
}

/// Two linked nodes; the first dialled.
pub async fn pair() -> (Node, Node) {
    let (mut a, mut b) = (node(1).await, node(2).await);
    link(&mut a, &mut b).await;
    (a, b)
}

pub async fn link(a: &mut Node, b: &mut Node) {
    a.dial(b);
    assert_eq!(a.up().await, b.id);
    assert_eq!(b.up().await, a.id);
}

pub fn ping(nonce: u64) -> Frame {
    Frame::Heartbeat(Heartbeat::Ping { nonce })
}

/// A small frame for the stream: pings may travel as datagrams.
pub fn numbered(nonce: u64) -> Frame {
    let data = BoundedBytes::new(nonce.to_be_bytes().to_vec()).unwrap();
    Frame::CustomData(CustomData { kind: 2, data })
}

pub fn nonce_of(frame: &Frame) -> u64 {
    match frame {
        Frame::CustomData(CustomData { kind: 2, data }) => {
            u64::from_be_bytes(data[..].try_into().unwrap())
        }
        Frame::Heartbeat(Heartbeat::Ping { nonce }) => *nonce,
        other => panic!("no number but {other:?}"),
    }
}

pub fn goodbye(reason: DisconnectReason) -> Disconnect {
    Disconnect {
        reason,
        retry_ms: 7_000,
        detail: BoundedString::truncated("bye \u{1b}[31m"),
    }
}
