//! Our own nodes' DHT: real sockets, real stores on a disk, every record signed by its author and
//! checked by whoever keeps or finds it.
//! `--n 64 --ops 300 --par 16 --seed 11 --dir FOLDER`
//!
//! The phases and figures of `kad`: put one at a time, get to the first record, closest; then so
//! many at once. Each node joins through the first and one random earlier node. The folder of the
//! stores must be on a disk; it is made inside `--dir` and removed at the end.
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use driver::{Args, XorShift, delta, pct, peak_rss_mib, reset_peak_rss, rss_mib, snap, sorted};
use repute_anchors::{config, on_two_threads, stores};
use repute_node::{DhtStatus, Node, dht::Want};
use repute_protocol::RecordKey;
use tokio::task::JoinSet;

/// How long the network may take to form, and how many nodes a table holds then at least.
const FORMING: Duration = Duration::from_secs(60);
const TABLE: f64 = 16.0;
/// How long it then settles, as the others do.
const SETTLING: Duration = Duration::from_secs(3);
/// Lookups of each node before anything is measured.
const WARM_UP: usize = 16;
const LIFETIME: Duration = Duration::from_secs(3_600);

/// What one operation came to.
#[derive(Clone, Copy, Default)]
struct Done {
    ms: f64,
    requests: f64,
    ok: bool,
    local: bool,
}

/// The operations, in the order in which they are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Put,
    Get,
    Closest,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Closest => "closest",
        }
    }
}

struct Network {
    nodes: Vec<Node>,
    /// Where the records of the last phase of puts are.
    keys: Mutex<Vec<RecordKey>>,
    names: Vec<[u8; 32]>,
    value: Vec<u8>,
}

impl Network {
    async fn statuses(&self) -> Result<Vec<DhtStatus>> {
        let mut all = Vec::new();
        for node in &self.nodes {
            all.push(node.dht_status().await?.context("a node without a DHT")?);
        }
        Ok(all)
    }

    async fn table(&self) -> Result<f64> {
        let all = self.statuses().await?;
        let sum: usize = all.iter().map(|one| one.stats.contacts).sum();
        Ok(sum as f64 / all.len() as f64)
    }

    async fn requests(&self) -> Result<u64> {
        let all = self.statuses().await?;
        Ok(all.iter().map(|one| one.stats.requests_sent).sum())
    }

    async fn settle(&self) -> Result<()> {
        let wanted = TABLE.min(self.nodes.len() as f64 / 2.0);
        let begun = Instant::now();
        while self.table().await? < wanted {
            ensure!(
                begun.elapsed() < FORMING,
                "tables hold {:.1} nodes after {FORMING:?}",
                self.table().await?
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::sleep(SETTLING).await;
        Ok(())
    }

    /// Every node looks around until it is linked with nearly all, as those of `kad` are.
    async fn warm_up(&self, random: &mut XorShift) -> Result<()> {
        for node in &self.nodes {
            for _ in 0..WARM_UP {
                let mut place = [0; 32];
                random.fill(&mut place);
                node.dht_lookup(RecordKey::from_bytes(place)).await?;
            }
        }
        tokio::time::sleep(SETTLING).await;
        Ok(())
    }

    fn key(&self, nth: usize) -> RecordKey {
        let keys = self.keys.lock();
        keys.map_or(RecordKey::from_bytes([0; 32]), |keys| keys[nth])
    }

    fn keep(&self, nth: usize, key: RecordKey) {
        if let Ok(mut keys) = self.keys.lock() {
            keys[nth] = key;
        }
    }

    /// Does one operation on a node.
    async fn does(&self, kind: Kind, node: &Node, nth: usize, random: &mut XorShift) -> Done {
        let begun = Instant::now();
        let mut done = Done::default();
        match kind {
            Kind::Put => {
                let put = node.dht_put(&self.names[nth], &self.value, LIFETIME).await;
                done.ok = put.as_ref().is_ok_and(|(_, copies)| *copies > 1);
                if let Ok((key, _)) = put {
                    self.keep(nth, key);
                }
            }
            Kind::Get => {
                let key = self.key(nth);
                if let Ok(found) = node.dht_find(key, Want::First).await {
                    done.requests = f64::from(found.outcome.requests);
                    done.ok = !found.records.is_empty();
                    done.local = found.records.iter().any(|one| one.from == node.id());
                }
            }
            Kind::Closest => {
                let mut place = [0; 32];
                random.fill(&mut place);
                let place = RecordKey::from_bytes(place);
                if let Ok(outcome) = node.dht_lookup(place).await {
                    done.requests = f64::from(outcome.requests);
                    done.ok = outcome.closest.len() == 20;
                }
            }
        }
        done.ms = begun.elapsed().as_secs_f64() * 1e3;
        done
    }

    /// One phase: so many operations, so many of them at once, each on a random node.
    async fn phase(self: &Arc<Self>, kind: Kind, ops: usize, par: usize) -> Result<()> {
        reset_peak_rss();
        let (before, begun) = (self.requests().await?, snap());
        let next = Arc::new(AtomicUsize::new(0));
        let mut lanes = JoinSet::new();
        for lane in 0..par {
            let (network, next) = (Arc::clone(self), Arc::clone(&next));
            // Each phase chooses other nodes.
            let salt = 1_000 + lane as u64 + (kind as u64 + 1) * 7_919;
            let salt = salt + if par == 1 { 0 } else { 77 };
            let mut random = XorShift::seeded(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            lanes.spawn(async move {
                let mut all = Vec::new();
                loop {
                    let nth = next.fetch_add(1, Relaxed);
                    if nth >= ops {
                        return all;
                    }
                    let node = network.nodes[random.below(network.nodes.len())].clone();
                    all.push(network.does(kind, &node, nth, &mut random).await);
                }
            });
        }
        let mut all: Vec<Done> = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            all.extend(lane?);
        }
        let cost = delta(begun, snap());
        let sent = (self.requests().await? - before) as f64 / ops as f64;
        let away: Vec<&Done> = all.iter().filter(|one| one.ok && !one.local).collect();
        let ms = sorted(away.iter().map(|one| one.ms).collect());
        let mut requests = away.iter().map(|one| one.requests).sum::<f64>() / away.len() as f64;
        if kind == Kind::Put {
            // What all nodes sent meanwhile; whatever else they did is counted too.
            requests = sent;
        }
        let label = if par == 1 { "seq" } else { "par" };
        println!(
            "RESULT phase=kad-{}-{label} n={} par={par} ops={} ok={} local={} per_s={:.0} lat_p50={:.2} lat_p99={:.2} reqs_mean={requests:.1} reqs_all={sent:.1} cpu_us_each={:.0} lo_bytes_each={:.0} peak_rss_mib={:.1} other_load={:.2}",
            kind.name(),
            self.nodes.len(),
            all.len(),
            all.iter().filter(|one| one.ok).count(),
            all.iter().filter(|one| one.local).count(),
            all.len() as f64 / cost.wall,
            pct(&ms, 50.0),
            pct(&ms, 99.0),
            cost.cpu * 1e6 / all.len() as f64,
            cost.lo as f64 / all.len() as f64,
            peak_rss_mib(),
            cost.other
        );
        Ok(())
    }
}

fn main() -> Result<()> {
    on_two_threads(run())
}

async fn run() -> Result<()> {
    let args = Args::of_process();
    let (n, ops) = (args.val("n", 64_usize), args.val("ops", 300_usize));
    let (par, seed) = (args.val("par", 16_usize), args.val("seed", 11_u64));
    let folder = stores(&args, "repute-kad")?;
    let mut random = XorShift::seeded(seed);
    let begin = snap();
    let mut nodes: Vec<Node> = Vec::new();
    for place in 0..n {
        let mut config = config(folder.path(), seed, place);
        if let Some(first) = nodes.first() {
            let earlier = &nodes[random.below(nodes.len())];
            config = config.join(first.ticket()).join(earlier.ticket());
        }
        nodes.push(Node::start(config).await?);
    }
    let mut names = vec![[0; 32]; ops];
    names.iter_mut().for_each(|name| random.fill(name));
    let mut value = vec![0; 256];
    random.fill(&mut value);
    let network = Arc::new(Network {
        nodes,
        keys: Mutex::new(vec![RecordKey::from_bytes([0; 32]); ops]),
        names,
        value,
    });
    network.settle().await?;
    network.warm_up(&mut random).await?;
    let links: usize = network
        .statuses()
        .await?
        .iter()
        .map(|one| one.stats.links)
        .sum();
    println!(
        "RESULT phase=setup impl=repute n={n} table={:.1} conns={:.1} setup_s={:.1} setup_cpu={:.2} rss_mib={:.1}",
        network.table().await?,
        links as f64 / n as f64,
        begin.t.elapsed().as_secs_f64(),
        delta(begin, snap()).cpu,
        rss_mib()
    );
    let idle = snap();
    tokio::time::sleep(SETTLING).await;
    let idle = delta(idle, snap());
    println!(
        "RESULT phase=idle cpu_cores={:.3} lo_bytes_per_s={:.0}",
        idle.cpu / idle.wall,
        idle.lo as f64 / idle.wall
    );
    for lanes in [1, par] {
        let ops = if lanes == 1 { ops / 3 } else { ops };
        for kind in [Kind::Put, Kind::Get, Kind::Closest] {
            network.phase(kind, ops, lanes).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    for node in &network.nodes {
        node.clone().shutdown().await;
    }
    drop(folder);
    std::process::exit(0)
}
