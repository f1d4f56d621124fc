//! What one link carries on loopback, and how many links come up in a second.
//!
//! ```text
//! cargo run --release -p repute-transport --example bench_link
//! ```

use std::time::{Duration, Instant};

use repute_base::BoundedBytes;
use repute_identity::{Identity, NodeId};
use repute_protocol::{CustomData, Disconnect, DisconnectReason, Frame, NetworkId};
use repute_transport::{Config, Endpoint, Event, Events, HandshakeTemplate, Priority, SendError};

type Failure = Box<dyn std::error::Error>;

const RUN: Duration = Duration::from_secs(4);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    for payload in [1_024, 64] {
        let frames = frames_a_second(payload).await?;
        println!("frames of {payload} B: {frames:.0} a second over one link");
    }
    for at_once in [1, 16] {
        let links = links_a_second(at_once).await?;
        println!("links, {at_once} at once: {links:.0} a second");
    }
    Ok(())
}

async fn bind(seed: u64) -> Result<(Endpoint, Events, NodeId), Failure> {
    let mut config = Config::new("127.0.0.1:0".parse()?);
    // All links come from one address here.
    (config.accept_rate, config.accept_burst) = (1_000_000, 1_000_000);
    config.half_open_per_address_max = 256;
    let identity = Identity::from_seed(seed);
    let network = HandshakeTemplate::new(NetworkId::from_name("bench"));
    let (endpoint, events) = Endpoint::bind(config, &identity, network).await?;
    Ok((endpoint, events, identity.id()))
}

async fn frames_a_second(payload: usize) -> Result<f64, Failure> {
    let (sender, mut sender_events, _) = bind(1).await?;
    let (receiver, mut receiver_events, peer) = bind(2).await?;
    sender.dial(peer, vec![receiver.local_addr().into()]);
    let data = BoundedBytes::new(vec![7; payload])?;
    let wire = Frame::CustomData(CustomData { kind: 1, data }).encode();
    let counting = tokio::spawn(async move {
        let (mut count, mut started) = (0_u64, None);
        while let Some(event) = receiver_events.next().await {
            if let Event::Frames { frames, .. } = event {
                count += frames.len() as u64;
                if started.get_or_insert_with(Instant::now).elapsed() >= RUN {
                    break;
                }
            }
        }
        count as f64 / started.map_or(1.0, |started| started.elapsed().as_secs_f64())
    });
    while !counting.is_finished() {
        match sender.send(peer, wire.clone(), Priority::Broadcast) {
            Ok(()) => {}
            Err(SendError::Full { .. } | SendError::NotConnected) => {
                sender_events.next().await;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(counting.await?)
}

async fn links_a_second(at_once: u64) -> Result<f64, Failure> {
    let (server, mut server_events, id) = bind(1_000).await?;
    let address = server.local_addr();
    tokio::spawn(async move { while server_events.next().await.is_some() {} });
    let started = Instant::now();
    let mut dialling = Vec::new();
    for lane in 0..at_once {
        dialling.push(tokio::spawn(async move {
            let mut links = 0_u64;
            while started.elapsed() < RUN {
                // Endpoints count here as well: each dials once, as a stranger would.
                let seed = 10_000 + lane * 100_000 + links;
                let Ok((client, mut events, _)) = bind(seed).await else {
                    break;
                };
                client.dial(id, vec![address.into()]);
                match events.next().await {
                    Some(Event::LinkUp { .. }) => links += 1,
                    other => {
                        println!("no link: {other:?}");
                        break;
                    }
                }
                let goodbye = Disconnect {
                    reason: DisconnectReason::Shutdown,
                    retry_ms: 0,
                    detail: Default::default(),
                };
                client.close(id, goodbye);
            }
            links
        }));
    }
    let mut links = 0;
    for lane in dialling {
        links += lane.await?;
    }
    Ok(links as f64 / started.elapsed().as_secs_f64())
}
