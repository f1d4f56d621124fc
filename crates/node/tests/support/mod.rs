//! Real nodes on loopback, and waiting for what must become true.

use std::{future::Future, path::Path, time::Duration};

use repute_identity::NodeId;
use repute_node::{Event, EventStream, Node, NodeConfig, Subscription};

/// How long anything may take on a machine with much else to do: a peer that was named is dialled
/// again within a minute. Nothing waits this long unless it is going to fail.
const PATIENCE: Duration = Duration::from_secs(90);

pub fn config(dir: &Path) -> NodeConfig {
    NodeConfig::in_dir(dir).listen(([127, 0, 0, 1], 0).into())
}

pub async fn start(dir: &Path) -> Node {
    Node::start(config(dir)).await.unwrap()
}

/// Waits until `holds` does.
#[track_caller]
pub fn eventually<F: Future<Output = bool>>(
    what: &str,
    mut holds: impl FnMut() -> F,
) -> impl Future<Output = ()> {
    let what = format!("{what}, asked for at {}", std::panic::Location::caller());
    async move {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "never: {what}");
    }
}

/// Waits for an event.
pub async fn event(events: &mut EventStream, mut is: impl FnMut(&Event) -> bool) -> Event {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = events.next().await.expect("the node runs");
            if is(&event) {
                return event;
            }
        }
    });
    waited.await.expect("the event comes")
}

/// The next message, as text.
pub async fn heard(subscription: &mut Subscription) -> String {
    let next = tokio::time::timeout(PATIENCE, subscription.next());
    let message = next.await.expect("a message comes").expect("the node runs");
    String::from_utf8(message.data().to_vec()).unwrap()
}

pub async fn is_linked(node: &Node, peer: NodeId) -> bool {
    let found = node.peer(peer).await.unwrap();
    found.is_some_and(|peer| peer.is_active())
}

/// Joins `from` to `to`, and waits until both ends say so.
pub async fn join(from: &Node, to: &Node) {
    from.join(to.ticket()).await.unwrap();
    linked(from, to).await;
}

pub async fn linked(one: &Node, other: &Node) {
    eventually("linked", || async {
        is_linked(one, other.id()).await && is_linked(other, one.id()).await
    })
    .await;
}
