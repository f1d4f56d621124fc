//! Discovery on the local network by multicast DNS.

use repute_base::Address;
use repute_identity::NodeId;
use swarm_discovery::Discoverer;

use super::discovery::{Desk, Discovery, Running};

/// The name of the service.
const SERVICE: &str = "repute";

/// Announces this node and reports the others. A local network without multicast is no error: the
/// node goes on without.
pub(crate) struct Lan;

impl Discovery for Lan {
    fn name(&self) -> &'static str {
        "lan"
    }

    fn run(self: Box<Self>, desk: Desk) -> Running {
        Box::pin(async move {
            let me = desk.inception().node_id().to_string();
            let addresses = desk.addresses().to_vec();
            let callback = move |peer: &str, found: &swarm_discovery::Peer| {
                let Ok(peer) = peer.parse::<NodeId>() else {
                    return;
                };
                let addresses: Vec<Address> = found
                    .addrs()
                    .iter()
                    .map(|(ip, port)| Address::new((*ip, *port).into()))
                    .collect();
                desk.saw(peer, addresses);
            };
            let mut discoverer = Discoverer::new(SERVICE.into(), me).with_callback(callback);
            for address in addresses {
                discoverer = discoverer.with_addrs(address.port(), [address.ip()]);
            }
            match discoverer.spawn(&tokio::runtime::Handle::current()) {
                // It announces until this is dropped.
                Ok(announced) => {
                    let _announced = announced;
                    std::future::pending().await
                }
                Err(error) => tracing::warn!(%error, "no discovery on the local network"),
            }
        })
    }
}
