//! Two nodes in one process: start, subscribe, handle a kind, publish, read trust.
//!
//! `cargo run -p repute-node --example ten_lines`

use std::net::SocketAddr;

use repute_node::{Event, Node, NodeConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let (ours, theirs) = (tempfile::tempdir()?, tempfile::tempdir()?);

    let alice = Node::start(NodeConfig::in_dir(ours.path()).listen(loopback)).await?;
    let mut events = alice.events();
    let invited = NodeConfig::in_dir(theirs.path())
        .listen(loopback)
        .join(alice.ticket());
    let bob = Node::start(invited).await?;
    while let Some(event) = events.next().await {
        if matches!(event, Event::Connected { peer } if peer == bob.id()) {
            break;
        }
    }

    // An application numbers its own kinds of message; here 7 is a greeting.
    alice
        .on_kind(7, |greeting| {
            println!("a greeting of {} bytes", greeting.data().len());
        })
        .await?;
    let mut news = alice.subscribe("news").await?;
    bob.publish_as("news", 7, false, "hello".into()).await?;

    if let Some(message) = news.next().await {
        let standing = alice.standing(message.author()).await?;
        println!(
            "{} said {:?}; trust {}, level {}",
            message.author().short(),
            String::from_utf8_lossy(message.data()),
            standing.trust,
            standing.level
        );
    }
    bob.shutdown().await;
    alice.shutdown().await;
    Ok(())
}
