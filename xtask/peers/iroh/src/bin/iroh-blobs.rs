//! iroh-blobs: one provider, one getter, 256 MiB blob on loopback; also connects per second.
//! --store mem|fs --mib 256 --runs 3 --cfg default|bigwin
use driver::*;
use iroh::address_lookup::memory::MemoryLookup;
use iroh::protocol::Router;
use iroh_blobs::BlobsProtocol;
use std::time::Instant;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let a = Args::of_process();
    let mib = a.val("mib", 256usize);
    let runs = a.val("runs", 3usize);
    let store = a.str("store", "mem");
    let cfg = a.str("cfg", "default");
    let dir = std::path::PathBuf::from(a.str("dir", "blobs-tmp"));
    let lookup = MemoryLookup::new();
    let tp = || {
        (cfg == "bigwin").then(|| {
            iroh::endpoint::QuicTransportConfig::builder()
                .stream_receive_window((64u32 << 20).into())
                .receive_window((64u32 << 20).into())
                .send_window(64 << 20)
                .build()
        })
    };
    if a.flag("connects") {
        // full connect + one bidi byte + close, sequential and 16 at a time
        let srv = iroh_anchors::endpoint(&lookup, None).await?;
        srv.set_alpns(vec![b"x".to_vec()]);
        let cli = iroh_anchors::endpoint(&lookup, None).await?;
        let s2 = srv.clone();
        tokio::spawn(async move {
            while let Some(inc) = s2.accept().await {
                tokio::spawn(async move {
                    if let Ok(c) = inc.await {
                        c.closed().await;
                    }
                });
            }
        });
        let id = srv.id();
        for (label, par, total) in [("seq", 1usize, 300usize), ("par16", 16, 1000)] {
            for _ in 0..runs {
                let (s0, t) = (snap(), Instant::now());
                let mut js = tokio::task::JoinSet::new();
                for k in 0..par {
                    let cli = cli.clone();
                    js.spawn(async move {
                        for _ in 0..(total / par + usize::from(k < total % par)) {
                            let c = cli.connect(id, b"x").await.unwrap();
                            c.close(0u32.into(), b"");
                        }
                    });
                }
                while js.join_next().await.is_some() {}
                let d = delta(s0, snap());
                println!(
                    "RESULT phase=iroh-connect-{label} per_s={:.1} cpu_us_each={:.1} lo_bytes_each={:.0} other_load={:.2}",
                    total as f64 / t.elapsed().as_secs_f64(),
                    d.cpu * 1e6 / total as f64,
                    d.lo as f64 / total as f64,
                    d.other
                );
            }
        }
        return Ok(());
    }
    let mut data = vec![0u8; mib << 20];
    for r in 0..runs {
        XorShift(99 + r as u64).fill(&mut data);
        let _ = std::fs::remove_dir_all(&dir);
        let (ps, gs): (iroh_blobs::api::Store, iroh_blobs::api::Store) = if store == "fs" {
            std::fs::create_dir_all(&dir)?;
            (
                (*iroh_blobs::store::fs::FsStore::load(dir.join("p")).await?).clone(),
                (*iroh_blobs::store::fs::FsStore::load(dir.join("g")).await?).clone(),
            )
        } else {
            (
                (*iroh_blobs::store::mem::MemStore::new()).clone(),
                (*iroh_blobs::store::mem::MemStore::new()).clone(),
            )
        };
        let pe = iroh_anchors::endpoint(&lookup, tp()).await?;
        let ge = iroh_anchors::endpoint(&lookup, tp()).await?;
        let t = Instant::now();
        let tag = ps.add_bytes(data.clone()).await?;
        let add_s = t.elapsed().as_secs_f64();
        let router = Router::builder(pe.clone())
            .accept(iroh_blobs::ALPN, BlobsProtocol::new(&ps, None))
            .spawn();
        let conn = ge
            .connect(pe.id(), iroh_blobs::ALPN)
            .await
            .map_err(|e| anyhow::anyhow!("{e}"))?;
        reset_peak_rss();
        let s0 = snap();
        let st = gs.remote().fetch(conn, tag.hash).await?;
        let d = delta(s0, snap());
        println!(
            "RESULT phase=iroh-blobs store={store} cfg={cfg} mib={mib} add_mib_s={:.1} fetch_mib_s={:.1} payload={} cpu_s={:.2} cpu_cores={:.2} wire_x={:.3} peak_rss_mib={:.0} other_load={:.2}",
            mib as f64 / add_s,
            mib as f64 / d.wall,
            st.payload_bytes_read,
            d.cpu,
            d.cpu / d.wall,
            d.lo as f64 / (mib << 20) as f64,
            peak_rss_mib(),
            d.other
        );
        router.shutdown().await.ok();
        ge.close().await;
        let _ = ps.shutdown().await;
        let _ = gs.shutdown().await;
    }
    let _ = std::fs::remove_dir_all(&dir);
    std::process::exit(0)
}
