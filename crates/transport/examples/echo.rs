//! Two endpoints on loopback: one says something, the other sends it back.
//!
//! ```text
//! cargo run -p repute-transport --example echo
//! ```

use repute_base::BoundedBytes;
use repute_identity::Identity;
use repute_protocol::{CustomData, Disconnect, DisconnectReason, Frame, NetworkId};
use repute_transport::{Config, Endpoint, Event, Events, HandshakeTemplate, Priority};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let network = HandshakeTemplate::new(NetworkId::from_name("echo"));
    let listen = "127.0.0.1:0".parse()?;
    let (alice, bob) = (Identity::from_seed(1), Identity::from_seed(2));
    let (echo, echo_events) = Endpoint::bind(Config::new(listen), &bob, network.clone()).await?;
    let (endpoint, mut events) = Endpoint::bind(Config::new(listen), &alice, network).await?;
    let echoing = tokio::spawn(send_back(echo.clone(), echo_events));

    endpoint.dial(bob.id(), vec![echo.local_addr().into()]);
    while let Some(event) = events.next().await {
        match event {
            Event::LinkUp { peer, remote, .. } => {
                println!("linked to {} at {remote}", peer.short());
                let data = BoundedBytes::new(b"anybody there?".to_vec())?;
                let frame = Frame::CustomData(CustomData { kind: 1, data });
                endpoint.send(peer, frame.encode(), Priority::Control)?;
            }
            Event::Frames { peer, frames } => {
                for frame in frames {
                    if let Frame::CustomData(echo) = frame.value() {
                        println!(
                            "{} says {:?}",
                            peer.short(),
                            echo.data.escape_ascii().to_string()
                        );
                    }
                }
                break;
            }
            other => println!("{other:?}"),
        }
    }
    let goodbye = Disconnect {
        reason: DisconnectReason::Shutdown,
        retry_ms: 0,
        detail: Default::default(),
    };
    endpoint.shutdown(goodbye.clone()).await;
    echo.shutdown(goodbye).await;
    echoing.await?;
    Ok(())
}

async fn send_back(endpoint: Endpoint, mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::Frames { peer, frames } => {
                for frame in frames {
                    // A full queue loses the frame: an echo is not worth waiting for.
                    let _ = endpoint.send(peer, frame.value().encode(), Priority::Control);
                }
            }
            Event::LinkDown { peer, cause } => println!("{} left: {cause:?}", peer.short()),
            _ => {}
        }
    }
}
