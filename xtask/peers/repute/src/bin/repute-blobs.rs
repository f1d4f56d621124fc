//! Files between our own nodes: real sockets, whole nodes, stores on a disk, every group proven by
//! who fetches and durable at the end.
//! `--what disk|sources|serving|sparse --mib 256 --runs 1 --seed 11 --dir FOLDER`
//!
//! - `disk`: one node shares a copy of a file, another fetches it into its store.
//! - `sources`: four nodes whose uploads are bounded to 40, 40, 40 and 4 MiB/s, and one that fetches
//!   from all.
//! - `serving`: `--takers 100` nodes fetch from one at once, which serves all of them at once; that
//!   one is a process of its own, whose memory is what is told. The takers' stores may lie in
//!   memory (`--takers-dir`).
//! - `sparse`: a file of `--mib` that is nearly all holes is shared by reference and verified.
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use driver::{Args, Delta, XorShift, delta, peak_rss_mib, reset_peak_rss, rss_mib, snap};
use repute_anchors::{config, on_two_threads, stores};
use repute_node::{
    FetchOrder, Node, NodeConfig, ShareOptions, TransferEvent, TransferOutcome, blobs,
};
use repute_protocol::BlobTicket;
use tokio::task::JoinSet;

const MIB: u64 = 1 << 20;
/// What the four sources may send, in MiB/s.
const CAPS: [u64; 4] = [40, 40, 40, 4];
/// How long links may take to come up.
const LINKING: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    on_two_threads(run())
}

async fn run() -> Result<()> {
    let args = Args::of_process();
    for run in 0..args.val("runs", 1_u64) {
        let seed = args.val("seed", 11_u64) + run;
        match args.str("what", "disk").as_str() {
            "disk" => disk(&args, seed).await?,
            "sources" => sources(&args, seed).await?,
            "serving" => serving(&args, seed).await?,
            "sparse" => sparse(&args, seed).await?,
            "server" => server(&args, seed).await?,
            other => bail!("--what {other:?} is not known"),
        }
    }
    std::process::exit(0)
}

/// A file that does not compress, durable.
fn file(path: &Path, mib: u64, seed: u64) -> Result<()> {
    let mut random = XorShift::seeded(seed);
    let mut file = File::create(path)?;
    let mut block = vec![0; MIB as usize];
    for _ in 0..mib {
        random.fill(&mut block);
        file.write_all(&block)?;
    }
    file.sync_all()?;
    Ok(())
}

fn result(phase: &str, mib: u64, cost: &Delta, more: &str) {
    println!(
        "RESULT phase={phase} mib={mib} fetch_mib_s={:.1} cpu_s={:.3} cpu_cores={:.2} wire_x={:.3} peak_rss_mib={:.0} other_load={:.2} {more}",
        mib as f64 / cost.wall,
        cost.cpu,
        cost.cpu / cost.wall,
        cost.lo as f64 / (mib * MIB) as f64,
        peak_rss_mib(),
        cost.other
    );
}

/// Fetches into the store of a node, and waits for the end.
async fn fetch(node: &Node, ticket: BlobTicket) -> Result<TransferOutcome> {
    let mut transfer = node.fetch(FetchOrder::new(ticket)).await?;
    while let Some(event) = transfer.next().await {
        match event {
            TransferEvent::Finished(outcome) => return Ok(*outcome),
            TransferEvent::Failed { error } => bail!("the transfer failed: {error}"),
            TransferEvent::Paused { trouble } => bail!("the transfer paused: {trouble:?}"),
            _ => {}
        }
    }
    bail!("the transfer ended without an end")
}

async fn linked(node: &Node, count: usize) -> Result<()> {
    let begun = std::time::Instant::now();
    while node.status().await?.gossip.active < count {
        ensure!(begun.elapsed() < LINKING, "no links within {LINKING:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn disk(args: &Args, seed: u64) -> Result<()> {
    let mib = args.val("mib", 256_u64);
    let folder = stores(args, "repute-blobs")?;
    let source = folder.path().join("source");
    file(&source, mib, seed)?;
    let giver = Node::start(config(folder.path(), seed, 0)).await?;
    let begun = snap();
    let shared = giver.share(&source, ShareOptions::default()).await?;
    let added = delta(begun, snap());
    let taker = Node::start(config(folder.path(), seed, 1).join(giver.ticket())).await?;
    linked(&taker, 1).await?;
    reset_peak_rss();
    let begun = snap();
    let outcome = fetch(&taker, shared.ticket).await?;
    let cost = delta(begun, snap());
    ensure!(outcome.bytes == mib * MIB, "{} bytes came", outcome.bytes);
    let add = format!("add_mib_s={:.1}", mib as f64 / added.wall);
    result("repute-blobs-disk", mib, &cost, &add);
    for node in [giver, taker] {
        node.shutdown().await;
    }
    Ok(())
}

async fn sources(args: &Args, seed: u64) -> Result<()> {
    let mib = args.val("mib", 1_024_u64);
    let folder = stores(args, "repute-blobs")?;
    let source = folder.path().join("source");
    file(&source, mib, seed)?;
    let (mut givers, mut peers, mut ticket) = (Vec::new(), Vec::new(), None);
    for (place, cap) in CAPS.into_iter().enumerate() {
        let mut config = config(folder.path(), seed, place);
        config.core.blobs = Some(blobs::Config {
            upload_rate: Some(cap * MIB),
            ..blobs::Config::default()
        });
        if let Some(first) = givers.first().map(Node::ticket) {
            config = config.join(first);
        }
        let giver = Node::start(config).await?;
        let how = ShareOptions {
            reference: true,
            name: None,
        };
        let shared = giver.share(&source, how).await?;
        peers.extend(shared.ticket.peers.iter().cloned());
        ticket = Some(shared.ticket);
        givers.push(giver);
    }
    let mut ticket = ticket.context("nobody shares")?;
    ticket.peers = peers.try_into().ok().context("too many peers")?;
    let first = givers.first().context("nobody shares")?.ticket();
    let taker = Node::start(config(folder.path(), seed, CAPS.len()).join(first)).await?;
    linked(&taker, 1).await?;
    reset_peak_rss();
    let begun = snap();
    let outcome = fetch(&taker, ticket).await?;
    let cost = delta(begun, snap());
    ensure!(outcome.bytes == mib * MIB, "{} bytes came", outcome.bytes);
    let shares: Vec<String> = outcome
        .seeders
        .iter()
        .map(|(_, bytes)| (bytes / MIB).to_string())
        .collect();
    let more = format!(
        "capped_mib_s={} wasted_mib={:.1} shares={}",
        CAPS.iter().sum::<u64>(),
        outcome.wasted as f64 / MIB as f64,
        shares.join(",")
    );
    result("repute-blobs-sources", mib, &cost, &more);
    for node in givers.into_iter().chain([taker]) {
        node.shutdown().await;
    }
    Ok(())
}

/// A process of its own, ended with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = (self.0.kill(), self.0.wait());
    }
}

impl Server {
    /// The most memory that it held, in MiB.
    fn peak_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        Ok(kib.context("no peak of memory is told")? / 1024.0)
    }
}

/// A policy that lets so many be linked and served at once.
fn wide(mut config: NodeConfig, takers: usize) -> NodeConfig {
    config.core.peers.max_peers = takers + 16;
    config.core.blobs = Some(blobs::Config {
        upload_slots: takers + 16,
        ..blobs::Config::default()
    });
    config
}

/// Shares a file, says how to get it, and serves until it is killed.
async fn server(args: &Args, seed: u64) -> Result<()> {
    let folder = PathBuf::from(args.str("dir", "."));
    let source = folder.join("source");
    let node = wide(config(&folder, seed, 0), args.val("takers", 100));
    let node = Node::start(node).await?;
    let shared = node.share(&source, ShareOptions::default()).await?;
    println!("RESULT phase=ready rss_mib={:.1}", rss_mib());
    println!("{}", node.ticket());
    println!("{}", shared.ticket);
    std::future::pending::<()>().await;
    Ok(())
}

async fn serving(args: &Args, seed: u64) -> Result<()> {
    let (mib, takers) = (args.val("mib", 8_u64), args.val("takers", 100_usize));
    let folder = stores(args, "repute-blobs")?;
    file(&folder.path().join("source"), mib, seed)?;
    let mut server = Command::new(std::env::current_exe()?)
        .args(["--what", "server", "--takers", &takers.to_string()])
        .args(["--seed", &seed.to_string(), "--dir"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .map(Server)?;
    let told = server.0.stdout.take().context("the server says nothing")?;
    let mut lines = BufReader::new(told).lines();
    let mut line = || lines.next().context("the server ended early");
    line()??;
    let (node_ticket, ticket): (_, BlobTicket) = (line()??.parse()?, line()??.parse()?);
    let taker_stores = match args.str("takers-dir", "").as_str() {
        "" => tempfile::tempdir_in(folder.path())?,
        memory => tempfile::tempdir_in(memory)?,
    };
    let mut nodes = Vec::new();
    for place in 1..=takers {
        let mut config = config(taker_stores.path(), seed, place).join(Clone::clone(&node_ticket));
        // They are many in one process, and fetch from one.
        config.core.peers.min_peers = 1;
        config.core.peers.outbound_slots = 2;
        nodes.push(Node::start(config).await?);
    }
    for node in &nodes {
        linked(node, 1).await?;
    }
    let before = server.peak_mib()?;
    let begun = snap();
    let mut fetching = JoinSet::new();
    for node in &nodes {
        let (node, mut ticket) = (node.clone(), ticket.clone());
        // From the one server only, not from each other.
        let peers: Vec<_> = ticket.peers.iter().take(1).cloned().collect();
        let only = peers.iter().map(|peer| peer.id).collect();
        ticket.peers = peers.try_into().ok().context("too many peers")?;
        fetching.spawn(async move {
            let mut order = FetchOrder::new(ticket);
            order.choice.only = only;
            let mut transfer = node.fetch(order).await?;
            while let Some(event) = transfer.next().await {
                match event {
                    TransferEvent::Finished(_) => return Ok(()),
                    TransferEvent::Failed { error } => bail!("the transfer failed: {error}"),
                    _ => {}
                }
            }
            bail!("the transfer ended without an end")
        });
    }
    while let Some(done) = fetching.join_next().await {
        done??;
    }
    let cost = delta(begun, snap());
    println!(
        "RESULT phase=repute-blobs-serving mib={mib} takers={takers} server_before_mib={before:.1} server_peak_mib={:.1} all_mib_s={:.1} other_load={:.2}",
        server.peak_mib()?,
        (mib * takers as u64) as f64 / cost.wall,
        cost.other
    );
    Ok(())
}

async fn sparse(args: &Args, seed: u64) -> Result<()> {
    let mib = args.val("mib", 100 * 1_024_u64);
    let folder = stores(args, "repute-blobs")?;
    let source = folder.path().join("source");
    let mut holes = File::create(&source)?;
    holes.write_all(b"not zero")?;
    holes.set_len(mib * MIB + 5)?;
    holes.sync_all()?;
    let node = Node::start(config(folder.path(), seed, 0)).await?;
    reset_peak_rss();
    let before = rss_mib();
    let how = ShareOptions {
        reference: true,
        name: None,
    };
    let begun = snap();
    let shared = node.share(&source, how).await?;
    let shared_in = delta(begun, snap());
    let begun = snap();
    let report = node.verify(Some(shared.hash), |_| {}).await?;
    let verified_in = delta(begun, snap());
    ensure!(report.is_sound(), "it does not verify: {:?}", report.wrong);
    ensure!(report.bytes == mib * MIB + 5, "{} bytes", report.bytes);
    println!(
        "RESULT phase=repute-blobs-sparse mib={mib} rss_before_mib={before:.1} peak_rss_mib={:.1} share_mib_s={:.0} verify_mib_s={:.0} other_load={:.2}",
        peak_rss_mib(),
        mib as f64 / shared_in.wall,
        mib as f64 / verified_in.wall,
        verified_in.other
    );
    node.shutdown().await;
    Ok(())
}
