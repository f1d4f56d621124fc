//! Connections a second with mutual Ed25519 authentication over QUIC, without resumption.
//! `--runs 5 --total 1000 --par 16`
//!
//! | name | server | client | counted when |
//! | --- | --- | --- | --- |
//! | `x509`, `rpk` | quinn | quinn | the client's handshake is done |
//! | `accept-quinn` | quinn | quinn | the server has authenticated the client |
//! | `accept-repute` | our transport | the same | the same |
//! | `link-repute` | our transport | our transport | both ends have the link, handshake frames checked |
//!
//! The client of `accept-*` believes the server when the first byte of its stream arrives: a server
//! opens it once it has checked the client's key. Our transport sends its handshake frame there,
//! the plain server as many bytes of nothing.
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use driver::{Args, Snap, delta, snap};
use repute_identity::{Identity, NodeId};
use repute_protocol::{ALPN, Disconnect, DisconnectReason, NetworkId};
use repute_transport::{Config, Endpoint, Event, Events, HandshakeTemplate};
use tokio::task::JoinSet;

/// Bytes of a handshake frame of ours, about.
const HELLO: [u8; 192] = [0; 192];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let args = Args::of_process();
    let total = args.val("total", 1000_usize);
    let par = args.val("par", 16_usize);
    for run in 0..args.val("runs", 5_usize) {
        for par in [1, par] {
            plain("x509", false, total, par).await?;
            plain("rpk", true, total, par).await?;
            // Whoever goes first finds a colder machine: take turns.
            if run % 2 == 0 {
                accept_quinn(total, par).await?;
                accept_repute(total, par).await?;
            } else {
                accept_repute(total, par).await?;
                accept_quinn(total, par).await?;
            }
            link_repute(total.min(400), par).await?;
        }
    }
    Ok(())
}

fn print(name: &str, par: usize, total: usize, begin: Snap) {
    let cost = delta(begin, snap());
    let each = total as f64;
    println!(
        "RESULT name=handshake-{name}-par{par} per_s={:.0} cpu_us_each={:.1} lo_bytes_each={:.0} other_load={:.2}",
        each / cost.wall,
        cost.cpu * 1e6 / each,
        cost.lo as f64 / each,
        cost.other
    );
}

/// Connects `total` times from `par` tasks; with `heard`, each until the server's first bytes.
async fn connect(
    client: &quinn::Endpoint,
    to: SocketAddr,
    total: usize,
    par: usize,
    heard: bool,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    for lane in 0..par {
        let client = client.clone();
        tasks.spawn(async move {
            for _ in (lane..total).step_by(par) {
                let connection = client.connect(to, "node")?.await?;
                if heard {
                    let mut stream = connection.accept_uni().await?;
                    ensure!(
                        stream.read_chunk(usize::MAX, true).await?.is_some(),
                        "an empty stream"
                    );
                }
                connection.close(0_u32.into(), b"");
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Accepts for ever; with `hello`, opens a stream on each connection.
fn serve(server: quinn::Endpoint, hello: bool) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else {
                    return;
                };
                if hello && let Ok(mut stream) = connection.open_uni().await {
                    let _ = stream.write_all(&HELLO).await;
                    // Kept open until the client has gone.
                    connection.closed().await;
                }
                connection.closed().await;
            });
        }
    })
}

async fn plain(name: &str, raw: bool, total: usize, par: usize) -> Result<()> {
    let (server, client) = xfer::endpoint_pair(raw, "default")?;
    let accepting = serve(server.clone(), false);
    let begin = snap();
    connect(&client, server.local_addr()?, total, par, false).await?;
    print(name, par, total, begin);
    accepting.abort();
    Ok(())
}

async fn accept_quinn(total: usize, par: usize) -> Result<()> {
    let (server, client) = xfer::endpoint_pair(true, "default")?;
    let accepting = serve(server.clone(), true);
    let begin = snap();
    connect(&client, server.local_addr()?, total, par, true).await?;
    print("accept-quinn", par, total, begin);
    accepting.abort();
    Ok(())
}

async fn accept_repute(total: usize, par: usize) -> Result<()> {
    let (server, mut events, _) = bind(1).await?;
    let address = server.local_addr();
    let draining = tokio::spawn(async move { while events.next().await.is_some() {} });
    let (_, client) = xfer::endpoint_pair_for(true, "default", ALPN)?;
    let begin = snap();
    connect(&client, address, total, par, true).await?;
    print("accept-repute", par, total, begin);
    let stats = server.stats();
    ensure!(
        stats.refused + stats.retried == 0,
        "the server held connections back: {stats:?}"
    );
    draining.abort();
    Ok(())
}

/// Each link is one stranger's: made before the clock starts, it dials once.
async fn link_repute(total: usize, par: usize) -> Result<()> {
    let (server, mut events, peer) = bind(1).await?;
    let address = server.local_addr();
    let draining = tokio::spawn(async move { while events.next().await.is_some() {} });
    let mut lanes: Vec<Vec<(Endpoint, Events)>> = (0..par).map(|_| Vec::new()).collect();
    for number in 0..total {
        let (client, events, _) = bind(1_000 + number as u64)
            .await
            .context("too many sockets?")?;
        lanes[number % par].push((client, events));
    }
    let begin = snap();
    let mut tasks = JoinSet::new();
    for lane in lanes {
        tasks.spawn(async move {
            for (client, mut events) in lane {
                client.dial(peer, vec![address.into()]);
                let event = events.next().await;
                ensure!(
                    matches!(event, Some(Event::LinkUp { .. })),
                    "no link: {event:?}"
                );
                let reason = DisconnectReason::Shutdown;
                client.close(
                    peer,
                    Disconnect {
                        reason,
                        retry_ms: 0,
                        detail: Default::default(),
                    },
                );
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    print("link-repute", par, total, begin);
    draining.abort();
    Ok(())
}

async fn bind(seed: u64) -> Result<(Endpoint, Events, NodeId)> {
    let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    // All connections come from one address here.
    (config.accept_rate, config.accept_burst) = (1_000_000, 1_000_000);
    config.half_open_per_address_max = 1_000;
    config.half_open_max = 4_096;
    config.validate_above = 4_096;
    let identity = Identity::from_seed(seed);
    let network = HandshakeTemplate::new(NetworkId::from_name("anchor"));
    let (endpoint, events) = Endpoint::bind(config, &identity, network).await?;
    Ok((endpoint, events, identity.id()))
}
