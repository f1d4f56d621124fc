//! libp2p gossipsub over QUIC: N real nodes in one process on loopback.
//! --n 16 --topo full|rand:<k> --cfg default|tuned|nosig|default-noflood --metrics --phases ...
use driver::*;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, gossipsub, identity::Keypair, swarm::SwarmEvent,
};
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

enum Cmd {
    Publish(Vec<u8>),
    Dial(Multiaddr),
    Subscribe,
    Info(oneshot::Sender<(usize, usize, usize)>), // connected, mesh, topic peers
}

struct Net {
    tx: Vec<mpsc::Sender<Cmd>>,
    regs: Option<Vec<Arc<Mutex<Registry>>>>,
}

impl Publisher for Net {
    async fn publish(&self, node: usize, data: Vec<u8>) {
        let _ = self.tx[node].send(Cmd::Publish(data)).await;
    }
    async fn raw_unique(&self) -> Option<(u64, u64)> {
        let regs = self.regs.as_ref()?;
        let (mut r, mut u) = (0, 0);
        for g in regs {
            let mut s = String::new();
            prometheus_client::encoding::text::encode(&mut s, &g.lock().unwrap()).ok()?;
            for l in s.lines() {
                let v = || {
                    l.rsplit(' ')
                        .next()
                        .and_then(|v| v.parse::<f64>().ok())
                        .unwrap_or(0.0) as u64
                };
                if l.starts_with("topic_msg_recv_counts_unfiltered_total") {
                    r += v();
                } else if l.starts_with("topic_msg_recv_counts_total") {
                    u += v();
                }
            }
        }
        Some((r, u))
    }
}

fn config(which: &str) -> gossipsub::Config {
    let mut b = gossipsub::ConfigBuilder::default();
    match which {
        "default" => {}
        "default-noflood" => {
            b.flood_publish(false);
        }
        // less redundancy, long queues, announce early: the best throughput found by hand
        "tuned" => {
            b.flood_publish(false)
                .mesh_n(4)
                .mesh_n_low(3)
                .mesh_n_high(6)
                .mesh_outbound_min(1)
                .gossip_lazy(3)
                .idontwant_on_publish(false)
                .connection_handler_queue_len(20_000)
                .publish_queue_duration(Duration::from_secs(30))
                .forward_queue_duration(Duration::from_secs(30))
                .message_id_fn(|m| {
                    let mut v = m.source.map(|p| p.to_bytes()).unwrap_or_default();
                    v.extend_from_slice(&m.sequence_number.unwrap_or(0).to_be_bytes());
                    gossipsub::MessageId::from(v)
                });
        }
        // as default, without origin signatures (message id = first bytes of the payload)
        "nosig" => {
            b.validation_mode(gossipsub::ValidationMode::Anonymous)
                .message_id_fn(|m| {
                    gossipsub::MessageId::from(m.data[..32.min(m.data.len())].to_vec())
                });
        }
        x => panic!("unknown cfg {x}"),
    }
    b.build().unwrap()
}

fn make(kp: Keypair, cfg: &str, reg: Option<&Mutex<Registry>>) -> Swarm<gossipsub::Behaviour> {
    let auth = if cfg == "nosig" {
        gossipsub::MessageAuthenticity::Anonymous
    } else {
        gossipsub::MessageAuthenticity::Signed(kp.clone())
    };
    let mut b: gossipsub::Behaviour = gossipsub::Behaviour::new(auth, config(cfg)).unwrap();
    if let Some(r) = reg {
        b = b.with_metrics(&mut r.lock().unwrap(), Default::default());
    }
    SwarmBuilder::with_existing_identity(kp)
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| b)
        .unwrap()
        .with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build()
}

async fn node(
    i: usize,
    mut sw: Swarm<gossipsub::Behaviour>,
    mut rx: mpsc::Receiver<Cmd>,
    rec: Arc<Record>,
) {
    let topic = gossipsub::IdentTopic::new("anchor");
    let mut held: Option<Vec<u8>> = None;
    loop {
        tokio::select! {
            c = rx.recv(), if held.is_none() => match c {
                None => break,
                Some(Cmd::Publish(d)) => held = Some(d),
                Some(Cmd::Dial(a)) => { sw.dial(a).unwrap(); }
                Some(Cmd::Subscribe) => { sw.behaviour_mut().subscribe(&topic).unwrap(); }
                Some(Cmd::Info(tx)) => {
                    let th = topic.hash();
                    let b = sw.behaviour();
                    let _ = tx.send((sw.connected_peers().count(), b.mesh_peers(&th).count(), b.all_peers().filter(|(_, t)| t.contains(&&th)).count()));
                }
            },
            ev = sw.select_next_some() => if let SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) = ev {
                rec.on_recv(i, &message.data);
            },
        }
        if let Some(d) = held.take() {
            match sw.behaviour_mut().publish(topic.clone(), d.clone()) {
                Ok(_) => {}
                Err(gossipsub::PublishError::AllQueuesFull(_)) => held = Some(d),
                Err(e) => eprintln!("publish: {e}"),
            }
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
    let n = a.val("n", 16usize);
    let cfg = a.str("cfg", "default");
    let topo = a.str("topo", "full");
    let rec = Record::new(n, a.val("cap", 60_000usize));
    let regs: Option<Vec<_>> = a.flag("metrics").then(|| {
        (0..n)
            .map(|_| Arc::new(Mutex::new(Registry::default())))
            .collect()
    });
    let mut rng = XorShift(a.val("seed", 7u64).wrapping_mul(0x9E3779B97F4A7C15) | 1);
    let s0 = snap();
    let mut tx = Vec::new();
    let mut addrs: Vec<Multiaddr> = Vec::new();
    for i in 0..n {
        let kp = Keypair::generate_ed25519();
        let id = PeerId::from(kp.public());
        let mut sw = make(kp, &cfg, regs.as_ref().map(|r| &*r[i]));
        sw.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse()?)?;
        let addr = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = sw.select_next_some().await {
                break address;
            }
        };
        addrs.push(addr.with_p2p(id).unwrap());
        let (t, r) = mpsc::channel(64);
        tx.push(t);
        tokio::spawn(node(i, sw, r, rec.clone()));
    }
    for t in &tx {
        t.send(Cmd::Subscribe).await?;
    }
    let mut dials = 0;
    for i in 0..n {
        let targets: Vec<usize> = match topo.strip_prefix("rand:") {
            Some(k) => {
                // a ring edge keeps the graph connected, the rest random
                let mut t = vec![(i + 1) % n];
                while t.len() < k.parse::<usize>()? {
                    let x = rng.below(n);
                    if x != i && !t.contains(&x) {
                        t.push(x);
                    }
                }
                t
            }
            None => (i + 1..n).collect(),
        };
        for x in targets {
            tx[i].send(Cmd::Dial(addrs[x].clone())).await?;
            dials += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // heartbeat_initial_delay is 5 s; let the meshes settle
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut info = Vec::new();
    for t in &tx {
        let (o, r) = oneshot::channel();
        t.send(Cmd::Info(o)).await?;
        info.push(r.await?);
    }
    let avg = |f: fn(&(usize, usize, usize)) -> usize| {
        info.iter().map(f).sum::<usize>() as f64 / n as f64
    };
    let d = delta(s0, snap());
    println!(
        "RESULT phase=setup impl=gossipsub cfg={cfg} topo={topo} n={n} dials={dials} conns={:.1} mesh={:.1} min_mesh={} topic_peers={:.1} setup_cpu={:.2} rss_mib={:.1}",
        avg(|x| x.0),
        avg(|x| x.1),
        info.iter().map(|x| x.1).min().unwrap(),
        avg(|x| x.2),
        d.cpu,
        rss_mib()
    );
    let net = Arc::new(Net { tx, regs });
    standard_phases(&rec, &net, &a).await;
    std::process::exit(0)
}
