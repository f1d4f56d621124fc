//! Discovery on the local network by multicast DNS.

use repute_base::Address;
use repute_identity::{Inception, NodeId};
use swarm_discovery::{Discoverer, DropGuard};
use tokio::sync::mpsc;

use super::ask::Ask;
use crate::Command;

/// The name of the service.
const SERVICE: &str = "repute";

/// Announces this node and reports the others, until what it gives is dropped. A local network
/// without multicast is no error: the node goes on without.
pub(crate) fn spawn(
    inception: &Inception,
    addresses: &[Address],
    asks: &mpsc::Sender<Ask>,
) -> Option<DropGuard> {
    // A node whose last handle is dropped stops, and discovery must not be a handle.
    let asks = asks.downgrade();
    let me = inception.node_id();
    let mut discoverer =
        Discoverer::new(SERVICE.into(), me.to_string()).with_callback(move |peer, found| {
            let Ok(peer) = peer.parse::<NodeId>() else {
                return;
            };
            let addresses: Vec<Address> = found
                .addrs()
                .iter()
                .map(|(ip, port)| Address::new((*ip, *port).into()))
                .collect();
            if let Some(asks) = asks.upgrade()
                && peer != me
                && !addresses.is_empty()
            {
                // A full queue loses a sighting; the next one comes soon.
                drop(asks.try_send(Ask::Command(Command::Found { peer, addresses })));
            }
        });
    for address in addresses {
        discoverer = discoverer.with_addrs(address.port(), [address.ip()]);
    }
    discoverer
        .spawn(&tokio::runtime::Handle::current())
        .inspect_err(|error| tracing::warn!(%error, "no discovery on the local network"))
        .ok()
}
