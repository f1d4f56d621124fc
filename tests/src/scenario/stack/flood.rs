use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{super::Scenario, ALONE, dialler::Diallers};
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Initials, Plan, RawClient, play, resident_bytes},
};

/// R15: connections begun by the thousand, half of them from addresses that hear no answer.
pub const STACK_FLOOD: Scenario = Scenario::new(
    "stack-flood",
    "R15: as many connection attempts a second as nodes, from 256 addresses; honest ones get in",
    run,
)
.nodes(1_000)
.nodes_min(300)
.seeds(1)
.full(10_000, 2);

const ADDRESSES: usize = 256;
/// From this rate on, the flood lasts a minute.
const FULL: usize = 10_000;
/// Of the attempts, one in so many comes from somebody who hears the answer and goes on.
const REAL: usize = 10;
/// The attempts come in volleys.
const VOLLEY: Duration = Duration::from_millis(10);

fn run(seed: u64, rate: usize) -> Outcome {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    play(scene(seed, rate))
}

fn address(number: usize) -> SocketAddr {
    let [.., b] = number.to_be_bytes();
    SocketAddr::from(([10, 99, 7, b], 4_000))
}

async fn scene(seed: u64, rate: usize) -> Outcome {
    let cluster = Cluster::grown(seed, Plan::default(), 4, Duration::from_secs(5)).await;
    let node = cluster.node(0);
    let victim = cluster.addresses().first().copied().expect("four nodes");
    let mut initials = Initials::new(seed);
    let clients: Vec<_> = (0..ADDRESSES)
        .map(|number| {
            let key = seed << 16 | number as u64;
            Arc::new(RawClient::new(&cluster.net, key, address(number), false))
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    let lasts = Duration::from_secs(if rate >= FULL { 60 } else { 8 });
    let volley = (rate / 100).max(1);
    let diallers = Diallers::default();
    let before = resident_bytes();
    let (mut peak, mut half_open, mut attempts, mut honest, mut turn) = (before, 0, 0_usize, 0, 0);
    let ends = Instant::now() + lasts;
    while Instant::now() < ends {
        for _ in 0..volley {
            attempts += 1;
            let from = attempts % ADDRESSES;
            match clients.get(from) {
                Some(client) if attempts.is_multiple_of(REAL) => {
                    let client = Arc::clone(client);
                    tokio::spawn(async move {
                        if let Some(connecting) = client.connect(victim) {
                            let _idle = timeout(Duration::from_secs(2), connecting).await;
                        }
                    });
                }
                _ => {
                    let packet = initials.packet(victim);
                    cluster.net.inject(deaf(from), victim, &packet);
                }
            }
        }
        turn += 1;
        if turn % 25 == 0 {
            honest += 1;
            diallers.send(&cluster.net, honest, node.id(), victim).await;
            let status = node.status().await.expect("the node runs");
            half_open = half_open.max(status.transport.half_open);
            peak = peak.max(resident_bytes());
        }
        sleep(VOLLEY).await;
    }
    sleep(Duration::from_secs(25)).await;
    let (ended, p99, longest) = diallers.times();
    let stats = node.status().await.expect("the node runs").transport;
    let mib = (peak - before) as f64 / f64::from(1 << 20);
    let lost = honest as f64 - ended as f64;
    cluster
        .outcome(vec![
            Figure::max("R15 honest connects, longest", longest, "s").bar(Bar::AtMost(3.0)),
            Figure::max("honest connects, p99", p99, "s"),
            Figure::sum("honest connects", ended as f64, "links").bar(Bar::AtLeast(10.0)),
            Figure::sum("R15 honest never answered", lost, "links").bar(Bar::Exactly(0.0)),
            Figure::max("R15 growth of memory", mib, "MiB").bar(Bar::AtMost(64.0)),
            Figure::sum("attempts", attempts as f64, "connections").bar(Bar::AtLeast(1_000.0)),
            Figure::max("half-open at once", half_open as f64, "connections")
                .bar(Bar::AtMost(1_024.0)),
            Figure::sum(
                "R15 told to prove their address",
                stats.retried as f64,
                "times",
            )
            .bar(Bar::AtLeast(1.0)),
            Figure::sum("refused", stats.refused as f64, "times"),
        ])
        .await
}

/// An address of the same hosts at which nobody listens.
fn deaf(number: usize) -> SocketAddr {
    let mut from = address(number);
    from.set_port(5_000);
    from
}
