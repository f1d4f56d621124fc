//! libp2p Kademlia over QUIC (+ identify): N server nodes in one process on loopback.
//! --n 64 --ops 300 --par 16 --idle-s 3600 --quorum one|all
use driver::*;
use futures::StreamExt;
use libp2p::kad::{
    self, GetRecordOk, QueryId, QueryResult, Quorum, Record, RecordKey, store::MemoryStore,
};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, identity::Keypair};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

#[derive(NetworkBehaviour)]
struct B {
    kad: kad::Behaviour<MemoryStore>,
    id: identify::Behaviour,
}

#[derive(Debug, Clone, Copy, Default)]
struct Done {
    ms: f64,
    reqs: u32,
    ok: bool,
    local: bool,
}
enum Cmd {
    Add(PeerId, Multiaddr),
    Bootstrap(oneshot::Sender<Done>),
    Put(Vec<u8>, Vec<u8>, Quorum, oneshot::Sender<Done>),
    Get(Vec<u8>, oneshot::Sender<Done>),
    Closest(Vec<u8>, oneshot::Sender<Done>),
    Table(oneshot::Sender<(usize, usize)>),
}

async fn node(mut sw: Swarm<B>, mut rx: mpsc::Receiver<Cmd>) {
    let mut q: HashMap<QueryId, (Instant, Option<oneshot::Sender<Done>>, Done)> = HashMap::new();
    loop {
        tokio::select! {
            c = rx.recv() => {
                let t = Instant::now();
                let k = &mut sw.behaviour_mut().kad;
                match c {
                    None => break,
                    Some(Cmd::Add(p, a)) => { k.add_address(&p, a); }
                    Some(Cmd::Bootstrap(tx)) => { let id = k.bootstrap().unwrap(); q.insert(id, (t, Some(tx), Done::default())); }
                    Some(Cmd::Put(key, v, quorum, tx)) => {
                        let id = k.put_record(Record::new(RecordKey::new(&key), v), quorum).unwrap();
                        q.insert(id, (t, Some(tx), Done::default()));
                    }
                    Some(Cmd::Get(key, tx)) => { let id = k.get_record(RecordKey::new(&key)); q.insert(id, (t, Some(tx), Done::default())); }
                    Some(Cmd::Closest(key, tx)) => { let id = k.get_closest_peers(key); q.insert(id, (t, Some(tx), Done::default())); }
                    Some(Cmd::Table(tx)) => {
                        let n = k.kbuckets().map(|b| b.num_entries()).sum();
                        let c = sw.connected_peers().count();
                        let _ = tx.send((n, c));
                    }
                }
            }
            ev = sw.select_next_some() => match ev {
                SwarmEvent::Behaviour(BEvent::Id(identify::Event::Received { peer_id, info, .. })) => {
                    for a in info.listen_addrs { sw.behaviour_mut().kad.add_address(&peer_id, a); }
                }
                SwarmEvent::Behaviour(BEvent::Kad(kad::Event::OutboundQueryProgressed { id, result, stats, step })) => {
                    let Some(e) = q.get_mut(&id) else { continue };
                    e.2.reqs = stats.num_requests();
                    let mut finish = false;
                    match &result {
                        QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(r))) if !e.2.ok => {
                            e.2.ok = true;
                            e.2.local = r.peer.is_none();
                            e.2.ms = e.0.elapsed().as_secs_f64() * 1e3;
                            finish = true;
                        }
                        QueryResult::GetRecord(_) => {}
                        QueryResult::PutRecord(r) => { e.2.ok = r.is_ok(); e.2.ms = e.0.elapsed().as_secs_f64() * 1e3; }
                        QueryResult::GetClosestPeers(r) => { e.2.ok = r.as_ref().is_ok_and(|x| !x.peers.is_empty()); e.2.ms = e.0.elapsed().as_secs_f64() * 1e3; }
                        QueryResult::Bootstrap(_) => { e.2.ok = true; e.2.ms = e.0.elapsed().as_secs_f64() * 1e3; }
                        _ => {}
                    }
                    if finish && let Some(mut m) = sw.behaviour_mut().kad.query_mut(&id) { m.finish(); }
                    // a get answers its caller with the first record
                    if (finish || step.last) && let Some(tx) = e.1.take() { let _ = tx.send(e.2); }
                    if step.last { q.remove(&id); }
                }
                _ => {}
            },
        }
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
    let n = a.val("n", 64usize);
    let ops = a.val("ops", 300usize);
    let par = a.val("par", 16usize);
    let idle = Duration::from_secs_f64(a.val("idle-s", 3600.0));
    let quorum = if a.str("quorum", "one") == "all" {
        Quorum::All
    } else {
        Quorum::One
    };
    let s0 = snap();
    let mut tx: Vec<mpsc::Sender<Cmd>> = vec![];
    let mut ids: Vec<(PeerId, Multiaddr)> = vec![];
    for _ in 0..n {
        let kp = Keypair::generate_ed25519();
        let id = PeerId::from(kp.public());
        let mut sw = SwarmBuilder::with_existing_identity(kp.clone())
            .with_tokio()
            .with_quic()
            .with_behaviour(|k| {
                let mut kb = kad::Behaviour::with_config(
                    id,
                    MemoryStore::new(id),
                    kad::Config::new(kad::PROTOCOL_NAME),
                );
                kb.set_mode(Some(kad::Mode::Server));
                B {
                    kad: kb,
                    id: identify::Behaviour::new(identify::Config::new(
                        "/anchor/1".into(),
                        k.public(),
                    )),
                }
            })?
            .with_swarm_config(|c| c.with_idle_connection_timeout(idle))
            .build();
        sw.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse()?)?;
        let addr = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = sw.select_next_some().await {
                break address;
            }
        };
        ids.push((id, addr));
        let (t, r) = mpsc::channel(256);
        tx.push(t);
        tokio::spawn(node(sw, r));
    }
    let mut x = XorShift(a.val("seed", 11u64));
    let call = |t: mpsc::Sender<Cmd>, f: Box<dyn FnOnce(oneshot::Sender<Done>) -> Cmd + Send>| async move {
        let (o, r) = oneshot::channel();
        t.send(f(o)).await.ok();
        r.await.unwrap_or_default()
    };
    for i in 1..n {
        for j in [0, x.below(i)] {
            tx[i].send(Cmd::Add(ids[j].0, ids[j].1.clone())).await?;
        }
        call(tx[i].clone(), Box::new(Cmd::Bootstrap)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for t in &tx {
        call(t.clone(), Box::new(Cmd::Bootstrap)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut tab = vec![];
    for t in &tx {
        let (o, r) = oneshot::channel();
        t.send(Cmd::Table(o)).await?;
        tab.push(r.await?);
    }
    println!(
        "RESULT phase=setup impl=kad n={n} idle_s={} table={:.1} conns={:.1} setup_s={:.1} setup_cpu={:.2} rss_mib={:.1}",
        idle.as_secs_f64(),
        tab.iter().map(|t| t.0).sum::<usize>() as f64 / n as f64,
        tab.iter().map(|t| t.1).sum::<usize>() as f64 / n as f64,
        s0.t.elapsed().as_secs_f64(),
        delta(s0, snap()).cpu,
        rss_mib()
    );

    let keys: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..ops)
            .map(|_| {
                let mut k = vec![0; 32];
                x.fill(&mut k);
                k
            })
            .collect(),
    );
    let mut v = vec![0u8; 256];
    x.fill(&mut v);
    for (label, p) in [("seq", 1usize), ("par", par)] {
        for kind in ["put", "get", "closest"] {
            if idle.as_secs() < 60 {
                tokio::time::sleep(idle + Duration::from_secs(2)).await;
            }
            reset_peak_rss();
            let s0 = snap();
            let next = Arc::new(AtomicUsize::new(0));
            let mut js = tokio::task::JoinSet::new();
            let lim = if p == 1 { ops / 3 } else { ops };
            for w in 0..p {
                let (tx, keys, next, v, q) =
                    (tx.clone(), keys.clone(), next.clone(), v.clone(), quorum);
                let kind = kind.to_string();
                let mut r = XorShift(
                    (1000
                        + w as u64
                        + if p == 1 { 0 } else { 77 }
                        + kind.len() as u64 * 131
                        + kind.as_bytes()[0] as u64 * 7)
                        .wrapping_mul(0x9E3779B97F4A7C15),
                );
                js.spawn(async move {
                    let mut out = vec![];
                    loop {
                        let i = next.fetch_add(1, Relaxed);
                        if i >= lim {
                            break;
                        }
                        let t = tx[r.below(tx.len())].clone();
                        let (o, rx) = oneshot::channel();
                        let key = keys[i].clone();
                        let c = match &kind[..] {
                            "put" => Cmd::Put(key, v.clone(), q, o),
                            "get" => Cmd::Get(key, o),
                            _ => {
                                let mut k = vec![0; 32];
                                r.fill(&mut k);
                                Cmd::Closest(k, o)
                            }
                        };
                        t.send(c).await.unwrap();
                        out.push(rx.await.unwrap_or_default());
                    }
                    out
                });
            }
            let mut all = vec![];
            while let Some(o) = js.join_next().await {
                all.extend(o?);
            }
            let d = delta(s0, snap());
            let net: Vec<_> = all.iter().filter(|d| d.ok && !d.local).collect();
            let ms = sorted(net.iter().map(|d| d.ms).collect());
            let rq = sorted(net.iter().map(|d| d.reqs as f64).collect());
            println!(
                "RESULT phase=kad-{kind}-{label} n={n} idle_s={} par={p} quorum={} ops={} ok={} local={} per_s={:.0} lat_p50={:.2} lat_p99={:.2} reqs_p50={:.0} reqs_mean={:.1} cpu_us_each={:.0} lo_bytes_each={:.0} peak_rss_mib={:.1} other_load={:.2}",
                idle.as_secs_f64(),
                a.str("quorum", "one"),
                all.len(),
                all.iter().filter(|d| d.ok).count(),
                all.iter().filter(|d| d.local).count(),
                all.len() as f64 / d.wall,
                pct(&ms, 50.0),
                pct(&ms, 99.0),
                pct(&rq, 50.0),
                rq.iter().sum::<f64>() / rq.len().max(1) as f64,
                d.cpu * 1e6 / all.len() as f64,
                d.lo as f64 / all.len() as f64,
                peak_rss_mib(),
                d.other
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    std::process::exit(0)
}
