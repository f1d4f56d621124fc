//! Ceiling for signed gossip: quinn, a fixed tree of --deg children, one bidi stream per edge, messages
//! batched per write, each checked once per node. No membership, no repair, no duplicates: an ideal.
//! --n 16 --verify none|single|batch --deg 4 --phases ...
use bytes::{Buf, Bytes, BytesMut};
use driver::*;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const ME: usize = usize::MAX;

struct Net {
    inbox: Vec<UnboundedSender<(usize, Bytes)>>,
    keys: Vec<SigningKey>,
    signed: bool,
}
impl Publisher for Net {
    async fn publish(&self, node: usize, data: Vec<u8>) {
        let mut f = BytesMut::with_capacity(data.len() + 100);
        let extra = if self.signed { 96 } else { 0 };
        f.extend_from_slice(&((data.len() + extra) as u32).to_le_bytes());
        f.extend_from_slice(&data);
        if self.signed {
            let k = &self.keys[node];
            f.extend_from_slice(k.verifying_key().as_bytes());
            f.extend_from_slice(&k.sign(&data).to_bytes());
        }
        let _ = self.inbox[node].send((ME, f.freeze()));
        tokio::task::yield_now().await;
    }
}

async fn writer(mut s: quinn::SendStream, mut rx: UnboundedReceiver<Bytes>) {
    let mut v = Vec::new();
    while rx.recv_many(&mut v, 64).await > 0 {
        if s.write_all_chunks(&mut v).await.is_err() {
            break;
        }
        v.clear();
    }
}

async fn reader(mut r: quinn::RecvStream, edge: usize, tx: UnboundedSender<(usize, Bytes)>) {
    let mut b = BytesMut::new();
    while let Ok(Some(c)) = r.read_chunk(1 << 16, true).await {
        b.extend_from_slice(&c.bytes);
        while b.len() >= 4 {
            let l = 4 + u32::from_le_bytes(b[..4].try_into().unwrap()) as usize;
            if b.len() < l {
                break;
            }
            // the frame goes on unchanged, length prefix included
            let _ = tx.send((edge, b.split_to(l).freeze()));
        }
    }
}

async fn node(
    i: usize,
    mut rx: UnboundedReceiver<(usize, Bytes)>,
    out: Vec<UnboundedSender<Bytes>>,
    rec: Arc<Record>,
    verify: String,
) {
    let mut keys: HashMap<[u8; 32], VerifyingKey> = HashMap::new();
    let mut v = Vec::new();
    while rx.recv_many(&mut v, 64).await > 0 {
        if verify != "none" {
            let (mut ms, mut sg, mut ks): (Vec<&[u8]>, Vec<Signature>, Vec<VerifyingKey>) =
                Default::default();
            for (e, f) in &v {
                if *e == ME {
                    continue;
                }
                let k = f.len() - 96;
                let pk: [u8; 32] = f[k..k + 32].try_into().unwrap();
                ks.push(
                    *keys
                        .entry(pk)
                        .or_insert_with(|| VerifyingKey::from_bytes(&pk).unwrap()),
                );
                sg.push(Signature::from_bytes(f[k + 32..].try_into().unwrap()));
                ms.push(&f[4..k]);
            }
            if verify == "batch" && ms.len() > 1 {
                ed25519_dalek::verify_batch(&ms, &sg, &ks).expect("bad batch");
            } else {
                for j in 0..ms.len() {
                    ks[j].verify_strict(ms[j], &sg[j]).expect("bad signature");
                }
            }
        }
        for (e, f) in v.drain(..) {
            for (k, o) in out.iter().enumerate() {
                if k != e {
                    let _ = o.send(f.clone());
                }
            }
            if e != ME {
                let mut p = f;
                p.advance(4);
                rec.on_recv(i, &p);
            }
        }
        tokio::task::yield_now().await;
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
    let (n, deg) = (a.val("n", 16usize), a.val("deg", 4usize));
    let verify = a.str("verify", "batch");
    let rec = Record::new(n, a.val("cap", 60_000usize));
    let mut eps = vec![];
    for _ in 0..n {
        eps.push(xfer::endpoint_pair(true, "default")?); // (server, client) sockets of one node
    }
    let chans: Vec<_> = (0..n).map(|_| unbounded_channel()).collect();
    let inbox: Vec<_> = chans.iter().map(|c| c.0.clone()).collect();
    let mut out: Vec<Vec<UnboundedSender<Bytes>>> = vec![vec![]; n];
    let mut keep = vec![];
    for c in 1..n {
        let p = (c - 1) / deg;
        let srv = eps[p].0.clone();
        let acc = tokio::spawn(async move {
            let conn = srv.accept().await.unwrap().await.unwrap();
            let mut s = conn.accept_bi().await.unwrap();
            let mut hello = [0u8; 1];
            s.1.read_exact(&mut hello).await.unwrap();
            (conn, s)
        });
        let conn = eps[c].1.connect(eps[p].0.local_addr()?, "node")?.await?;
        let (mut cs, cr) = conn.open_bi().await?;
        cs.write_all(b"h").await?;
        let (pconn, (ps, pr)) = acc.await?;
        for (node, s, r) in [(c, cs, cr), (p, ps, pr)] {
            let (tx, rx) = unbounded_channel();
            let edge = out[node].len();
            out[node].push(tx);
            tokio::spawn(writer(s, rx));
            tokio::spawn(reader(r, edge, inbox[node].clone()));
        }
        keep.push((conn, pconn));
    }
    for (i, ((_, rx), o)) in chans.into_iter().zip(out).enumerate() {
        tokio::spawn(node(i, rx, o, rec.clone(), verify.clone()));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!(
        "RESULT phase=setup impl=fanout n={n} deg={deg} verify={verify} rss_mib={:.1}",
        rss_mib()
    );
    let mut x = XorShift(5);
    let keys = (0..n)
        .map(|_| {
            let mut s = [0u8; 32];
            x.fill(&mut s);
            SigningKey::from_bytes(&s)
        })
        .collect();
    let net = Arc::new(Net {
        inbox,
        keys,
        signed: verify != "none",
    });
    standard_phases(&rec, &net, &a).await;
    std::process::exit(0)
}
