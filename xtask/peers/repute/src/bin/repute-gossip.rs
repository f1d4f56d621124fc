//! Our own nodes: real sockets, real stores on a disk, every message signed by its author and
//! checked by every node.
//! `--n 16 --seed 7 --burst on|off --dir FOLDER --phases ...`
//!
//! `--burst off` signs every message by itself instead of those together that wait together.
//! Each node joins through the one before it and one random earlier node. The folder of the stores
//! must be on a disk; it is made inside `--dir` and removed at the end.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use driver::{Args, Publisher, Record, XorShift, delta, rss_mib, snap, standard_phases};
use repute_anchors::{config, on_two_threads, stores};
use repute_node::{Node, Status};

const TOPIC: &str = "anchor";
/// How long the network may take to form.
const FORMING: Duration = Duration::from_secs(60);
/// How long it then settles, as the others do.
const SETTLING: Duration = Duration::from_secs(8);

struct Network {
    nodes: Vec<Node>,
}

impl Publisher for Network {
    async fn publish(&self, node: usize, data: Vec<u8>) {
        // Accepted is enough, as with the others; whether it arrives is counted.
        match self.nodes[node].queue(TOPIC, data).await {
            Ok(publishing) => drop(publishing),
            Err(error) => eprintln!("publish: {error}"),
        }
    }

    async fn raw_unique(&self) -> Option<(u64, u64)> {
        let all = self.statuses().await.ok()?;
        let unique: u64 = all.iter().map(|status| status.gossip.received).sum();
        let twice: u64 = all.iter().map(|status| status.gossip.duplicates).sum();
        Some((unique + twice, unique))
    }
}

impl Network {
    async fn statuses(&self) -> Result<Vec<Status>> {
        let mut all = Vec::new();
        for node in &self.nodes {
            all.push(node.status().await?);
        }
        Ok(all)
    }

    async fn neighbours(&self) -> Result<Vec<usize>> {
        let all = self.statuses().await?;
        Ok(all.iter().map(|status| status.gossip.active).collect())
    }

    /// Until each node has neighbours, and then a little longer.
    async fn settle(&self) -> Result<()> {
        let wanted = (self.nodes.len() - 1).min(3);
        let begun = Instant::now();
        while self
            .neighbours()
            .await?
            .iter()
            .any(|active| *active < wanted)
        {
            ensure!(
                begun.elapsed() < FORMING,
                "the network did not form within {FORMING:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(SETTLING).await;
        Ok(())
    }
}

fn main() -> Result<()> {
    on_two_threads(run())
}

async fn run() -> Result<()> {
    let args = Args::of_process();
    let n = args.val("n", 16_usize);
    let seed = args.val("seed", 7_u64);
    let bursts = match args.str("burst", "on").as_str() {
        "on" => true,
        "off" => false,
        other => bail!("--burst {other:?} is neither on nor off"),
    };
    let folder = stores(&args, "repute-gossip")?;
    let record = Record::new(n, args.val("cap", 60_000_usize));
    let mut random = XorShift::seeded(seed);
    let begin = snap();
    let mut nodes: Vec<Node> = Vec::new();
    for place in 0..n {
        let mut config = config(folder.path(), seed, place);
        if !bursts {
            config.core.burst_max = 1;
        }
        if let Some(before) = nodes.last() {
            let earlier = &nodes[random.below(nodes.len())];
            config = config.join(before.ticket()).join(earlier.ticket());
        }
        let node = Node::start(config).await?;
        let mut messages = node.subscribe(TOPIC).await?;
        let record = Arc::clone(&record);
        tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                record.on_recv(place, message.data());
            }
        });
        nodes.push(node);
    }
    let network = Arc::new(Network { nodes });
    network.settle().await?;
    let neighbours = network.neighbours().await?;
    println!(
        "RESULT phase=setup impl=repute n={n} bursts={bursts} neighbours={:.1} min_neighbours={} setup_cpu={:.2} rss_mib={:.1}",
        neighbours.iter().sum::<usize>() as f64 / n as f64,
        neighbours.iter().min().copied().unwrap_or(0),
        delta(begin, snap()).cpu,
        rss_mib()
    );
    standard_phases(&record, &network, &args).await;
    print_end(&network.statuses().await?);
    for node in &network.nodes {
        node.clone().shutdown().await;
    }
    drop(folder);
    std::process::exit(0)
}

/// What must be zero, and what repair did.
fn print_end(all: &[Status]) {
    let sum = |of: fn(&Status) -> u64| all.iter().map(of).sum::<u64>();
    println!(
        "RESULT phase=end lagged={} accused={} grafts={} prunes={} unsent={} panics={}",
        sum(|status| status.lost_deliveries),
        sum(|status| status.gossip.forged + status.transport.violations),
        sum(|status| status.gossip.grafts),
        sum(|status| status.gossip.prunes),
        sum(|status| status.unsent),
        sum(|status| status.panics),
    );
}
