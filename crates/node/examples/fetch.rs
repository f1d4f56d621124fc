//! A file from one node to another, with news of how it goes: who is chosen, how fast it comes.
//!
//! `cargo run --release -p repute-node --example fetch -- [MIB] [FOLDER]`

use std::{env, fs, io::Write, net::SocketAddr, path::PathBuf, time::Instant};

use repute_node::{FetchOrder, Node, NodeConfig, ShareOptions, TransferEvent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = env::args().nth(1).map_or(Ok(16), |text| text.parse())?;
    let folder = env::args().nth(2).map_or_else(env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let source = folder.path().join("source");
    let mut file = fs::File::create(&source)?;
    for number in 0..mib {
        let block: Vec<u8> = (0..1 << 20_u64)
            .map(|at| (at * 31 + (at >> 9) + number) as u8)
            .collect();
        file.write_all(&block)?;
    }
    file.sync_all()?;

    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = |name| NodeConfig::in_dir(folder.path().join(name)).listen(loopback);
    let alice = Node::start(config("alice")).await?;
    let bob = Node::start(config("bob").join(alice.ticket())).await?;

    let how = ShareOptions {
        reference: true,
        ..ShareOptions::default()
    };
    let shared = alice.share(&source, how).await?;
    println!("bob gets {} with {}", shared.name, shared.ticket);

    let begun = Instant::now();
    let order = FetchOrder::new(shared.ticket).to(folder.path().join("target"));
    let mut transfer = bob.fetch(order).await?;
    while let Some(event) = transfer.next().await {
        match event {
            TransferEvent::Plan { rows } => {
                for row in rows {
                    println!("{} {} {}", row.peer.short(), row.score, row.verdict.name());
                }
            }
            TransferEvent::Progress(progress) => {
                let (bytes, rate) = (progress.bytes >> 20, progress.rate >> 20);
                println!("{bytes} MiB, {rate} MiB/s, left {:?}", progress.left);
            }
            TransferEvent::Paused { trouble } => println!("paused: {trouble:?}"),
            TransferEvent::Finished(outcome) => {
                let rate = mib as f64 / begun.elapsed().as_secs_f64();
                println!(
                    "{} bytes in {:?}, {rate:.0} MiB/s disk to disk",
                    outcome.bytes, outcome.took
                );
            }
            TransferEvent::Failed { error } => return Err(error.into()),
            _ => {}
        }
    }
    bob.shutdown().await;
    alice.shutdown().await;
    Ok(())
}
