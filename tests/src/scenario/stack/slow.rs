use std::{collections::BTreeSet, time::Duration};

use tokio::time::sleep;

use super::super::Scenario;
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Plan, play},
};

/// R11: one honest node in ten takes 1 KiB/s, or nothing at all, while the others publish.
pub const STACK_SLOW: Scenario = Scenario::new(
    "stack-slow",
    "R11: 1 whole node in 10 takes 1 KiB/s or nothing; its queues are bounded, others unharmed",
    run,
)
.nodes(10)
.nodes_min(10)
.seeds(2)
.full(50, 20);

/// Before anybody is slow.
const BEFORE: Duration = Duration::from_secs(5);
/// How soon a slow node must be demoted.
const DEMOTED: Duration = Duration::from_secs(30);
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(50);
const BYTES: usize = 4 * 1024;
/// What may wait for one peer: the credit of a link, and the message that used it up.
const QUEUE_KIB: f64 = 256.0 + 8.0;
/// What goes on to a node that is demoted: probes, announcements, dials, at most so much of what
/// all neighbours together would send to one that keeps up.
const REST: f64 = 0.1;

fn run(seed: u64, nodes: usize) -> Outcome {
    // The same seed without slow ones: what the others' latency is compared with.
    let calm = play(latency(seed, nodes));
    play(scene(seed, nodes, calm))
}

/// Every tenth node, from the fifth.
fn slow_ones(nodes: usize) -> BTreeSet<usize> {
    (5..nodes).step_by(10).collect()
}

async fn begin(seed: u64, nodes: usize) -> Cluster {
    let settle = Duration::from_secs(10);
    Cluster::grown(seed, Plan::default(), nodes, settle).await
}

/// Publishes from the fast nodes in turn.
async fn talk(cluster: &mut Cluster, slow: &BTreeSet<usize>, time: Duration) {
    let fast: Vec<usize> = (0..cluster.len())
        .filter(|index| !slow.contains(index))
        .collect();
    for _ in 0..time.as_millis() / PAUSE.as_millis() {
        if let Some(by) = cluster.rng.choose(&fast).copied() {
            cluster.publish(by, BYTES);
        }
        sleep(PAUSE).await;
    }
}

/// The 99th percentile over fast nodes of what is sent from now on.
async fn latency(seed: u64, nodes: usize) -> f64 {
    let mut cluster = begin(seed, nodes).await;
    let slow = slow_ones(nodes);
    talk(&mut cluster, &slow, BEFORE + DEMOTED + DEMOTED).await;
    sleep(Duration::from_secs(60)).await;
    p99_ms(&cluster, &slow)
}

fn p99_ms(cluster: &Cluster, slow: &BTreeSet<usize>) -> f64 {
    let passages = cluster.passages().into_iter();
    let mut delays: Vec<_> = passages
        .filter(|passage| !slow.contains(&passage.to))
        .map(|passage| passage.delay.unwrap_or(Duration::MAX))
        .collect();
    delays.sort_unstable();
    let place = delays.len() * 99 / 100;
    delays
        .get(place)
        .map_or(f64::INFINITY, |delay| delay.as_secs_f64() * 1e3)
}

async fn scene(seed: u64, nodes: usize, calm_ms: f64) -> Outcome {
    let mut cluster = begin(seed, nodes).await;
    let slow = slow_ones(nodes);
    let addresses = cluster.addresses();
    let hosts: Vec<_> = slow
        .iter()
        .filter_map(|index| addresses.get(*index))
        .map(|address| address.ip())
        .collect();
    // A pipe that holds nothing up tells how much is sent to one that keeps up.
    for host in &hosts {
        cluster.net.narrow(*host, 1 << 30, 1 << 30);
    }
    let offered =
        |cluster: &Cluster| -> u64 { hosts.iter().map(|host| cluster.net.offered(*host)).sum() };
    talk(&mut cluster, &slow, BEFORE).await;
    let usual = offered(&cluster) as f64 / BEFORE.as_secs_f64();
    for (place, host) in hosts.iter().enumerate() {
        // By turns 1 KiB/s, and a hole that swallows everything.
        let rate = if place % 2 == 0 { 1_024 } else { 1 };
        cluster.net.narrow(*host, rate, 64 * rate);
    }
    talk(&mut cluster, &slow, DEMOTED).await;
    let demoted_at = offered(&cluster);
    talk(&mut cluster, &slow, DEMOTED).await;
    let after = (offered(&cluster) - demoted_at) as f64 / DEMOTED.as_secs_f64();
    sleep(Duration::from_secs(60)).await;
    let slow_ms = p99_ms(&cluster, &slow);
    let missed = cluster.missed_where(Duration::from_secs(60), |passage| {
        !slow.contains(&passage.to)
    });
    let statuses = cluster.statuses().await;
    let queue = statuses.iter().map(|one| one.transport.queue_peak).max();
    let squeezed = cluster.net.counts().squeezed;
    cluster
        .outcome(vec![
            Figure::max(
                "R11 bytes queued for one peer at most",
                queue.unwrap_or(0) as f64 / 1024.0,
                "KiB",
            )
            .bar(Bar::AtMost(QUEUE_KIB)),
            Figure::max("R11 p99 of the others, to calm", slow_ms / calm_ms, "times")
                .bar(Bar::AtMost(1.1))
                .known(1.9),
            Figure::mean("p99 of the others", slow_ms, "ms"),
            Figure::mean("p99 without slow ones", calm_ms, "ms"),
            Figure::max(
                "R11 still sent to slow ones after 30 s",
                after / usual.max(1.0),
                "of usual",
            )
            .bar(Bar::AtMost(REST)),
            Figure::mean("usually sent to them", usual / 1024.0, "KiB/s").bar(Bar::AtLeast(1.0)),
            Figure::sum("R11 missed by the others", missed as f64, "times").bar(Bar::Exactly(0.0)),
            Figure::sum("squeezed", squeezed as f64, "datagrams").bar(Bar::AtLeast(1.0)),
        ])
        .await
}
