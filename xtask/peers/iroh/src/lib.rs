//! What the programs around iroh share.
use iroh::address_lookup::memory::MemoryLookup;
use iroh::endpoint::{Endpoint, QuicTransportConfig, RelayMode, presets};

/// Loopback-only endpoint: no relay, no DNS, addresses found in one shared in-memory table.
pub async fn endpoint(
    lookup: &MemoryLookup,
    tp: Option<QuicTransportConfig>,
) -> anyhow::Result<Endpoint> {
    let mut b = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .portmapper_config(iroh::endpoint::PortmapperConfig::Disabled)
        .address_lookup(lookup.clone())
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?;
    if let Some(t) = tp {
        b = b.transport_config(t);
    }
    let ep = b.bind().await.map_err(|e| anyhow::anyhow!("{e}"))?;
    let sock = ep.bound_sockets()[0];
    lookup.add_endpoint_info(iroh::EndpointAddr::new(ep.id()).with_ip_addr(sock));
    Ok(ep)
}
