//! A network of real nodes in this process: their own keys, SQLite stores and QUIC endpoints on
//! loopback, every message signed by its author and checked by every node.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use repute_identity::Identity;
use repute_node::{Node, NodeConfig, Status};
use repute_protocol::NetworkId;
use tokio::time::{Instant, sleep};

use super::{
    Plan, cost,
    disk::Folder,
    load::{self, Board, Figures, Load, Offer, TOPIC},
};
use crate::report::{Count, Report, Row};

/// Threads of the runtime, for all nodes together: what the machines of the record have.
const THREADS: usize = 2;
/// Between two phases, so that the tail of one does not count in the next.
const REST: Duration = Duration::from_millis(1_500);
/// How long the network may take to form.
const FORMING: Duration = Duration::from_secs(60);
/// How long it then settles.
const SETTLING: Duration = Duration::from_secs(5);

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    let rows = runtime.block_on(measure(plan))?;
    Ok(Report::new("gossip", Count::Runs(1), rows))
}

/// The phases, in the order in which other networks are measured as well.
fn phases(plan: &Plan) -> Vec<(&'static str, Load)> {
    let nodes = usize::from(plan.nodes);
    let (paced, burst, millis) = if plan.quick {
        (60, 500, 1_000)
    } else {
        (600, 2_000, 4_000)
    };
    let closed = Offer::Closed {
        window: 64,
        time: Duration::from_millis(millis),
    };
    let burst = Offer::Burst { count: burst };
    let paced = Offer::Paced {
        count: paced,
        per_second: 10.0,
    };
    let load = |offer, publishers| Load { offer, publishers };
    [
        ("paced", load(paced, 1)),
        ("burst1", load(burst, 1)),
        ("burstall", load(burst, nodes)),
        ("closed1", load(closed, 1)),
        ("closedall", load(closed, nodes)),
    ]
    .into_iter()
    .filter(|(name, _)| plan.wants(name))
    .collect()
}

async fn measure(plan: &Plan) -> Result<Vec<Row>> {
    let folder = plan.stores()?;
    let network = Network::start(&folder, usize::from(plan.nodes)).await?;
    eprintln!("{} nodes are linked; settling", plan.nodes);
    sleep(SETTLING).await;
    let begin = cost::Moment::now();
    let mut rows = Vec::new();
    if plan.wants("idle") {
        rows.push(network.idle(plan.quick).await?);
    }
    for (number, (name, load)) in phases(plan).into_iter().enumerate() {
        let before = network.counts().await?;
        let phase = u32::try_from(number)? + 1;
        let figures = load::run(phase, &network.nodes, &network.board, load).await?;
        let counts = network.counts().await?.since(&before);
        eprintln!(
            "{name}: {} deliveries; {} grafts, {} prunes, {} put off, {} lost to slow subscribers",
            figures.deliveries, counts.grafts, counts.prunes, counts.put_off, counts.lagged
        );
        rows.extend(rows_of(name, &figures, &counts));
        sleep(REST).await;
    }
    rows.push(Row::plain("peak memory", cost::peak_mib(), "MiB"));
    let accused = network.counts().await?.accused;
    rows.push(Row::exactly("honest accused", accused as f64, "", 0.0));
    let others = begin.others_until(cost::Moment::now());
    rows.push(Row::plain(
        "used by other programs meanwhile",
        others,
        "cores",
    ));
    rows.push(folder.row());
    network.stop().await;
    Ok(rows)
}

fn rows_of(name: &str, figures: &Figures, counts: &Counts) -> Vec<Row> {
    let what = |what: &str| format!("{name} {what}");
    let ms = |title: &str, value| Row::plain(&what(title), value, "ms");
    let [each_p50, each_p99] = figures.to_each;
    let [last_p50, last_p99] = figures.to_last;
    vec![
        Row::plain(&what("deliveries"), figures.per_second, "1/s"),
        Row::plain(&what("CPU per delivery"), figures.cpu_us_per_delivery, "µs"),
        ms("latency to each p50", each_p50),
        ms("latency to each p99", each_p99),
        ms("latency to the last p50", last_p50),
        ms("latency to the last p99", last_p99),
        Row::plain(
            &what("copies per unique"),
            counts.copies_per_unique(),
            "copies",
        ),
        Row::plain(
            &what("bytes on streams per payload byte"),
            counts.bytes as f64 / (counts.received as f64 * 1_024.0),
            "bytes",
        ),
        Row::exactly(&what("lost deliveries"), figures.lost as f64, "", 0.0),
        Row::exactly(
            &what("application duplicates"),
            figures.twice as f64,
            "",
            0.0,
        ),
    ]
}

/// What all nodes together have counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    received: u64,
    duplicates: u64,
    grafts: u64,
    prunes: u64,
    bytes: u64,
    /// Pushes that found no room and were announced, asked for again or sent later.
    put_off: u64,
    lagged: u64,
    accused: u64,
}

impl Counts {
    fn add(mut self, status: &Status) -> Self {
        let gossip = &status.gossip;
        self.received += gossip.received;
        self.duplicates += gossip.duplicates;
        self.grafts += gossip.grafts;
        self.prunes += gossip.prunes;
        self.bytes += status.transport.bytes_out;
        self.put_off += gossip.dropped_by_queue
            + gossip.dropped_by_pending
            + gossip.dropped_by_link
            + gossip.dropped_by_origin
            + status.unsent;
        self.lagged += status.lost_deliveries;
        self.accused += gossip.forged + status.transport.violations;
        self
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            received: self.received - before.received,
            duplicates: self.duplicates - before.duplicates,
            grafts: self.grafts - before.grafts,
            prunes: self.prunes - before.prunes,
            bytes: self.bytes - before.bytes,
            put_off: self.put_off - before.put_off,
            lagged: self.lagged - before.lagged,
            accused: self.accused - before.accused,
        }
    }

    fn copies_per_unique(&self) -> f64 {
        (self.received + self.duplicates) as f64 / self.received as f64
    }
}

struct Network {
    nodes: Vec<Node>,
    board: Arc<Board>,
}

impl Network {
    /// Starts the nodes, each joining through the one before it and one earlier, and waits until
    /// each has neighbours.
    async fn start(folder: &Folder, count: usize) -> Result<Self> {
        let board = Board::new(count);
        let mut nodes: Vec<Node> = Vec::new();
        for place in 0..count {
            let mut config = NodeConfig::in_dir(folder.path().join(format!("node-{place}")))
                .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
                .with_identity(Identity::from_seed(place as u64));
            config.core.network = NetworkId::from_name("repute-bench");
            config.seed = Some(place as u64);
            for other in [
                place.checked_sub(1),
                place.checked_sub(2).map(|_| place / 3),
            ] {
                if let Some(other) = other.and_then(|other| nodes.get(other)) {
                    config = config.join(other.ticket());
                }
            }
            let node = Node::start(config).await?;
            let mut messages = node.subscribe(TOPIC).await?;
            let board = Arc::clone(&board);
            tokio::spawn(async move {
                while let Some(message) = messages.next().await {
                    board.arrived(place, message.data());
                }
            });
            nodes.push(node);
        }
        let network = Self { nodes, board };
        let wanted = (count - 1).min(3);
        let begun = Instant::now();
        while network.fewest_neighbours().await? < wanted {
            if begun.elapsed() > FORMING {
                bail!("the network did not form within {FORMING:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(network)
    }

    async fn fewest_neighbours(&self) -> Result<usize> {
        let mut fewest = usize::MAX;
        for node in &self.nodes {
            fewest = fewest.min(node.status().await?.gossip.active);
        }
        Ok(fewest)
    }

    async fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        for node in &self.nodes {
            counts = counts.add(&node.status().await?);
        }
        Ok(counts)
    }

    /// What the network costs while nobody publishes.
    async fn idle(&self, quick: bool) -> Result<Row> {
        let begin = cost::Moment::now();
        sleep(Duration::from_secs(if quick { 2 } else { 5 })).await;
        let (wall, cpu) = begin.until(cost::Moment::now());
        Ok(Row::plain("idle CPU", cpu / wall * 100.0, "% of a core"))
    }

    async fn stop(self) {
        for node in self.nodes {
            node.shutdown().await;
        }
    }
}
