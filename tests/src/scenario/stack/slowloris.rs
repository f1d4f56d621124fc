use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{super::Scenario, dialler::Diallers};
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Plan, RawClient, play},
};

/// R14: attackers that begin connections and never go on, each again as soon as it is cut off.
pub const STACK_SLOWLORIS: Scenario = Scenario::new(
    "stack-slowloris",
    "R14: idle half-open attackers (16 an address, as many as nodes); honest ones get in at once",
    run,
)
.nodes(2_800)
.nodes_min(200)
.seeds(1)
.full(5_000, 5);

/// Attackers at one address: as many as a node lets in from there.
const PER_ADDRESS: usize = 16;
/// How long the attack lasts.
const ATTACK: Duration = Duration::from_secs(20);
/// Before an attacker begins again.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two honest diallers.
const DIALS: Duration = Duration::from_millis(200);

fn run(seed: u64, attackers: usize) -> Outcome {
    play(scene(seed, attackers))
}

async fn scene(seed: u64, attackers: usize) -> Outcome {
    let cluster = Cluster::grown(seed, Plan::default(), 4, Duration::from_secs(5)).await;
    let victim = cluster.addresses().first().copied().expect("four nodes");
    let ends = Instant::now() + ATTACK;
    for place in 0..attackers.div_ceil(PER_ADDRESS) {
        let [.., a, b] = place.to_be_bytes();
        let address = SocketAddr::from(([10, 99, a, b], 4_000));
        let client = RawClient::new(&cluster.net, seed << 16 | place as u64, address, false);
        let client = Arc::new(client);
        if place % 3 == 0 {
            // These never hear what is answered: they stop after their first packet.
            cluster.net.cut_one_way(&[victim], &[address]);
        }
        for number in 0..PER_ADDRESS {
            let first = Duration::from_millis((place * 7 + number * 61) as u64 % 1_000);
            let idle = idle(Arc::clone(&client), victim, number % 2 == 0, ends);
            tokio::spawn(async move {
                sleep(first).await;
                idle.await;
            });
        }
    }
    // The attack stands before anybody honest comes.
    sleep(Duration::from_secs(3)).await;
    let diallers = Diallers::default();
    let (mut number, mut half_open) = (0, 0);
    while Instant::now() < ends {
        number += 1;
        let node = cluster.node(0);
        diallers.send(&cluster.net, number, node.id(), victim).await;
        sleep(DIALS).await;
        let status = node.status().await.expect("the node runs");
        half_open = half_open.max(status.transport.half_open);
    }
    sleep(Duration::from_secs(25)).await;
    let (ended, p99, longest) = diallers.times();
    let stats = cluster
        .node(0)
        .status()
        .await
        .expect("the node runs")
        .transport;
    let honest_missing = number as f64 - ended as f64;
    cluster
        .outcome(vec![
            Figure::max("R14 honest connects, p99", p99, "s").bar(Bar::Below(1.0)),
            Figure::max("honest connects, longest", longest, "s"),
            Figure::sum("honest connects", ended as f64, "links").bar(Bar::AtLeast(50.0)),
            Figure::sum("R14 honest never answered", honest_missing, "links")
                .bar(Bar::Exactly(0.0)),
            Figure::max("R14 half-open at once", half_open as f64, "connections")
                .bar(Bar::AtMost(1_024.0)),
            Figure::max(
                "R14 half-open when it was over",
                stats.half_open as f64,
                "connections",
            )
            .bar(Bar::Exactly(0.0)),
            Figure::sum("attackers", attackers as f64, "attackers"),
            Figure::sum(
                "handshakes that came to nothing",
                stats.handshakes_failed as f64,
                "times",
            )
            .bar(Bar::AtLeast(attackers as f64 / 4.0)),
            Figure::sum("told to prove their address", stats.retried as f64, "times"),
            Figure::sum("put out for others", stats.put_out as f64, "times"),
            Figure::sum("refused", stats.refused as f64, "times"),
        ])
        .await
}

/// Connects, says nothing or half a word, waits to be cut off, and begins again.
async fn idle(client: Arc<RawClient>, victim: SocketAddr, half_a_word: bool, ends: Instant) {
    while Instant::now() < ends {
        if let Some(connecting) = client.connect(victim)
            && let Ok(Ok(connection)) = timeout(Duration::from_secs(11), connecting).await
        {
            if half_a_word && let Ok(mut stream) = connection.open_uni().await {
                let word = client.handshake();
                let half = word.get(..word.len() / 2).unwrap_or_default();
                // Whoever is cut off meanwhile learns of it below.
                let _ = stream.write_all(half).await;
                connection.closed().await;
            } else {
                connection.closed().await;
            }
        }
        sleep(PAUSE).await;
    }
}
