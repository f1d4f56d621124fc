//! Single-stream bulk transfer ceilings on loopback: TCP, quinn, quinn + BLAKE3 at the receiver; BLAKE3 rates.
//! --mib 256 --runs 5 [--only tcp,quinn-default,...]
use driver::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run())
}

fn out(name: &str, mib: usize, d: Delta) {
    println!(
        "RESULT name={name} mib_s={:.1} cpu_s={:.3} cpu_cores={:.2} wire_x={:.3} other_load={:.2}",
        mib as f64 / d.wall,
        d.cpu,
        d.cpu / d.wall,
        d.lo as f64 / (mib << 20) as f64,
        d.other
    );
}

async fn run() -> anyhow::Result<()> {
    let a = Args::of_process();
    let mib = a.val("mib", 256usize);
    let runs = a.val("runs", 5usize);
    let only = a.str("only", "");
    let want = |n: &str| only.is_empty() || only.split(',').any(|o| o == n);
    let mut data = vec![0u8; mib << 20];
    XorShift(3).fill(&mut data);
    let data: &'static [u8] = Box::leak(data.into_boxed_slice());
    let want_hash = blake3::hash(data);
    for _ in 0..runs {
        if want("tcp") {
            let l = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let addr = l.local_addr()?;
            let h = tokio::spawn(async move {
                let (mut s, _) = l.accept().await.unwrap();
                let mut b = vec![0u8; 64 << 10];
                let mut n = 0;
                while let Ok(k) = s.read(&mut b).await {
                    if k == 0 {
                        break;
                    }
                    n += k;
                }
                n
            });
            let mut s = tokio::net::TcpStream::connect(addr).await?;
            let s0 = snap();
            for c in data.chunks(64 << 10) {
                s.write_all(c).await?;
            }
            s.shutdown().await?;
            assert_eq!(h.await?, data.len());
            out("tcp-64k", mib, delta(s0, snap()));
        }
        for (cfg, hash) in [
            ("default", ""),
            ("default", "inline"),
            ("bigwin", ""),
            ("bigwin", "thread"),
            ("bigwin", "inline"),
            ("mtu9k", ""),
            ("mtu64k", ""),
        ] {
            let name = format!(
                "quinn-{cfg}{}",
                match hash {
                    "thread" => "-blake3",
                    "inline" => "-blake3-inline",
                    _ => "",
                }
            );
            // the large-datagram variants stall on loopback here (MTU black-hole detection): only on demand
            if !want(&name) || (only.is_empty() && cfg.starts_with("mtu")) {
                continue;
            }
            let (srv, cli) = xfer::endpoint_pair(true, cfg)?;
            let addr = srv.local_addr()?;
            let s2 = srv.clone();
            let h = tokio::spawn(async move {
                let c = s2.accept().await.unwrap().await.unwrap();
                let mut r = c.accept_uni().await.unwrap();
                let mut n = 0;
                let mut hs = blake3::Hasher::new();
                if hash == "inline" {
                    // gather 64 KiB, hash in the receiving task
                    let mut buf = Vec::with_capacity(1 << 17);
                    while let Some(c) = r.read_chunk(1 << 16, true).await.unwrap() {
                        n += c.bytes.len();
                        buf.extend_from_slice(&c.bytes);
                        if buf.len() >= 1 << 16 {
                            hs.update(&buf);
                            buf.clear();
                        }
                    }
                    hs.update(&buf);
                    assert_eq!(hs.finalize(), want_hash);
                } else if hash == "thread" {
                    // hash beside the receive path, as a verifying receiver would
                    let (tx, mut rx) = tokio::sync::mpsc::channel::<bytes::Bytes>(256);
                    let j = tokio::task::spawn_blocking(move || {
                        let mut buf = Vec::with_capacity(1 << 18);
                        while let Some(b) = rx.blocking_recv() {
                            buf.extend_from_slice(&b);
                            if buf.len() >= 1 << 17 {
                                hs.update(&buf);
                                buf.clear();
                            }
                        }
                        hs.update(&buf);
                        hs.finalize()
                    });
                    while let Some(c) = r.read_chunk(1 << 20, true).await.unwrap() {
                        n += c.bytes.len();
                        tx.send(c.bytes).await.unwrap();
                    }
                    drop(tx);
                    j.await.unwrap();
                } else {
                    while let Some(c) = r.read_chunk(1 << 20, true).await.unwrap() {
                        n += c.bytes.len();
                    }
                }
                let mut ok = c.open_uni().await.unwrap();
                ok.write_all(b"k").await.unwrap();
                ok.finish().unwrap();
                c.closed().await;
                n
            });
            let c = cli.connect(addr, "node")?.await?;
            let mut s = c.open_uni().await?;
            let s0 = snap();
            for ch in data.chunks(1 << 20) {
                s.write_chunk(bytes::Bytes::from_static(ch)).await?;
            }
            s.finish()?;
            let mut r = c.accept_uni().await?;
            r.read_to_end(8).await?;
            let d = delta(s0, snap());
            c.close(0u32.into(), b"");
            assert_eq!(h.await?, data.len());
            out(&name, mib, d);
            let st = c.stats();
            println!(
                "# {name}: mtu={} sent={} lost={} cong={}",
                st.path.current_mtu,
                st.path.sent_packets,
                st.path.lost_packets,
                st.path.congestion_events
            );
        }
        if want("blake3") {
            for (n, sz) in [
                ("blake3-1core-64KiB-chunks", 64usize << 10),
                ("blake3-1core-whole", data.len()),
            ] {
                let s0 = snap();
                let mut h = blake3::Hasher::new();
                for c in data.chunks(sz) {
                    h.update(c);
                }
                std::hint::black_box(h.finalize());
                out(n, mib, delta(s0, snap()));
            }
            let s0 = snap();
            let mut h = blake3::Hasher::new();
            h.update_rayon(data);
            std::hint::black_box(h.finalize());
            out("blake3-rayon-2core", mib, delta(s0, snap()));
            let s0 = snap();
            let mut h = <sha2::Sha256 as sha2::Digest>::new();
            sha2::Digest::update(&mut h, data);
            std::hint::black_box(sha2::Digest::finalize(h));
            out("sha2-crate-sha256", mib, delta(s0, snap()));
        }
        if want("sha256sum") {
            let p = std::env::temp_dir().join("anchor-256.bin");
            std::fs::write(&p, data)?;
            let t = std::time::Instant::now();
            let o = std::process::Command::new("sha256sum").arg(&p).output()?;
            anyhow::ensure!(o.status.success());
            println!(
                "RESULT name=sha256sum-tool mib_s={:.1}",
                mib as f64 / t.elapsed().as_secs_f64()
            );
            std::fs::remove_file(&p)?;
        }
    }
    Ok(())
}
