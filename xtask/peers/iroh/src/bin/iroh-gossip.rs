//! iroh-gossip: N real endpoints in one process on loopback, relay disabled.
//! --n 16 --cfg default|tuned --signed --phases ...
//! --signed adds an application-level Ed25519 origin signature: sign at publish, verify once per unique
//! delivery, as gossipsub gives (iroh-gossip itself authenticates only the hop).
use driver::*;
use futures::StreamExt;
use iroh::address_lookup::memory::MemoryLookup;
use iroh::protocol::Router;
use iroh::{PublicKey, SecretKey, Signature};
use iroh_gossip::api::{Event, GossipSender, JoinOptions};
use iroh_gossip::proto::{HyparviewConfig, PlumtreeConfig};
use iroh_gossip::{Gossip, TopicId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

struct Net {
    tx: Vec<GossipSender>,
    gs: Vec<Gossip>,
    keys: Option<Vec<SecretKey>>,
    rec: Arc<Record>,
    uniq: Arc<AtomicU64>,
}
impl Publisher for Net {
    async fn publish(&self, node: usize, mut data: Vec<u8>) {
        if let Some(k) = &self.keys {
            let s = k[node].sign(&data);
            data.extend_from_slice(k[node].public().as_bytes());
            data.extend_from_slice(&s.to_bytes());
        }
        if let Err(e) = self.tx[node].broadcast(data.into()).await {
            eprintln!("broadcast: {e}");
        }
    }
    async fn raw_unique(&self) -> Option<(u64, u64)> {
        let r = self
            .gs
            .iter()
            .map(|g| g.metrics().msgs_data_recv.get())
            .sum();
        let _ = &self.rec;
        Some((r, self.uniq.load(Relaxed)))
    }
}

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let a = Args::of_process();
    let n = a.val("n", 16usize);
    let cfg = a.str("cfg", "default");
    let signed = a.flag("signed");
    let rec = Record::new(n, a.val("cap", 60_000usize));
    let lookup = MemoryLookup::new();
    let topic = TopicId::from_bytes([7; 32]);
    let s0 = snap();
    let mut eps = Vec::new();
    let mut gs = Vec::new();
    let mut routers = Vec::new();
    for _ in 0..n {
        let ep = iroh_anchors::endpoint(&lookup, None).await?;
        let mut b = Gossip::builder();
        if cfg == "tuned" {
            // load on one machine delays messages far beyond 80 ms: do not mistake that for loss
            let mut p = PlumtreeConfig::default();
            p.graft_timeout_1 = Duration::from_millis(800);
            p.graft_timeout_2 = Duration::from_millis(400);
            p.dispatch_timeout = Duration::from_millis(20);
            let m = HyparviewConfig::default();
            b = b.broadcast_config(p).membership_config(m);
        }
        let g = b.spawn(ep.clone());
        routers.push(
            Router::builder(ep.clone())
                .accept(iroh_gossip::ALPN, g.clone())
                .spawn(),
        );
        gs.push(g);
        eps.push(ep);
    }
    let cap = if cfg == "tuned" { 65_536 } else { 2048 };
    let uniq = Arc::new(AtomicU64::new(0));
    let lagged = Arc::new(AtomicU64::new(0));
    let mut rng = XorShift(a.val("seed", 7u64).wrapping_mul(0x9E3779B97F4A7C15) | 1);
    let (mut tx, mut nb) = (Vec::new(), Vec::new());
    for i in 0..n {
        let mut boot = vec![];
        if i > 0 {
            boot.push(eps[i - 1].id());
            boot.push(eps[rng.below(i)].id());
        }
        let mut o = JoinOptions::with_bootstrap(boot);
        o.subscription_capacity = cap;
        let (s, mut r) = gs[i].subscribe_with_opts(topic, o).await?.split();
        tx.push(s);
        if i > 0 {
            tokio::time::timeout(Duration::from_secs(20), r.joined()).await??;
        }
        let (rec, uniq, lagged) = (rec.clone(), uniq.clone(), lagged.clone());
        let cnt = Arc::new(AtomicU64::new(0));
        nb.push(cnt.clone());
        cnt.store(r.neighbors().count() as u64, Relaxed);
        tokio::spawn(async move {
            while let Some(e) = r.next().await {
                match e {
                    Ok(Event::Received(m)) => {
                        uniq.fetch_add(1, Relaxed);
                        let c = &m.content;
                        if signed {
                            let k = c.len() - 96;
                            let pk =
                                PublicKey::from_bytes(c[k..k + 32].try_into().unwrap()).unwrap();
                            let sig = Signature::from_bytes(c[k + 32..].try_into().unwrap());
                            if pk.verify(&c[..k], &sig).is_ok() {
                                rec.on_recv(i, &c[..k]);
                            }
                        } else {
                            rec.on_recv(i, c);
                        }
                    }
                    Ok(Event::Lagged) => {
                        lagged.fetch_add(1, Relaxed);
                        eprintln!("node {i} lagged");
                    }
                    Ok(Event::NeighborUp(_)) => {
                        cnt.fetch_add(1, Relaxed);
                    }
                    Ok(Event::NeighborDown(_)) => {
                        cnt.fetch_sub(1, Relaxed);
                    }
                    Err(e) => {
                        eprintln!("node {i}: {e}");
                        break;
                    }
                }
            }
            eprintln!("node {i}: receiver ended");
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    let d = delta(s0, snap());
    let avg = nb.iter().map(|c| c.load(Relaxed)).sum::<u64>() as f64 / n as f64;
    println!(
        "RESULT phase=setup impl=iroh-gossip cfg={cfg} signed={signed} n={n} neighbours={avg:.1} min_neighbours={} setup_cpu={:.2} rss_mib={:.1}",
        nb.iter().map(|c| c.load(Relaxed)).min().unwrap(),
        d.cpu,
        rss_mib()
    );
    let keys = signed.then(|| eps.iter().map(|e| e.secret_key().clone()).collect());
    let net = Arc::new(Net {
        tx,
        gs,
        keys,
        rec: rec.clone(),
        uniq,
    });
    standard_phases(&rec, &net, &a).await;
    println!("RESULT phase=end lagged={}", lagged.load(Relaxed));
    std::process::exit(0)
}
