use std::{net::SocketAddr, time::Duration};

use tokio::time::{Instant, sleep};

use super::super::Scenario;
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Plan, play},
};

/// R07: whole nodes cut apart both ways, one way, and again and again.
pub const STACK_PARTITION: Scenario = Scenario::new(
    "stack-partition",
    "R07: whole nodes cut apart, both ways, one way and flapping; all reaches all within 60 s",
    run,
)
.nodes(16)
.nodes_min(4)
.seeds(2)
.full(50, 20);

/// From this many nodes on, cuts last as long as R07 says.
const FULL: usize = 50;
/// How long everything may take after healing.
const BOUND: Duration = Duration::from_secs(60);
/// Between two messages.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a message may take on its own side of a cut that has lasted a while.
const INSIDE: Duration = Duration::from_secs(30);
/// How long links over a cut live on, and everything with them.
const TURMOIL: Duration = Duration::from_secs(60);

fn run(seed: u64, nodes: usize) -> Outcome {
    play(scene(seed, nodes))
}

async fn scene(seed: u64, nodes: usize) -> Outcome {
    let settle = Duration::from_secs(10);
    let mut cluster = Cluster::grown(seed, Plan::default(), nodes, settle).await;
    let lasts = Duration::from_secs(if nodes >= FULL { 600 } else { 150 });
    let mut members: Vec<usize> = (0..nodes).collect();
    cluster.rng.shuffle(&mut members);
    let (left, right) = members.split_at(nodes / 2);
    let addresses = cluster.addresses();
    let at = |side: &[usize]| -> Vec<SocketAddr> {
        let found = side.iter().filter_map(|index| addresses.get(*index));
        found.copied().collect()
    };
    let (left_at, right_at) = (at(left), at(right));

    let began = Instant::now();
    cluster.net.cut(&left_at, &right_at);
    publish_for(&mut cluster, lasts).await;
    let across = cluster.missed(Duration::MAX);
    let ended = Instant::now();
    let inside = cluster.missed_where(INSIDE, |passage| {
        let same = left.contains(&passage.by) == left.contains(&passage.to);
        same && passage.sent > began + TURMOIL && passage.sent + INSIDE < ended
    });
    cluster.net.heal();
    let two_way = cluster.time_to_all(BOUND).await;
    sleep(BOUND).await;

    cluster.net.cut_one_way(&left_at, &right_at);
    publish_for(&mut cluster, lasts).await;
    cluster.net.heal();
    let one_way = cluster.time_to_all(BOUND).await;
    sleep(BOUND).await;

    let flaps = flap(&mut cluster, &addresses).await;
    cluster.net.heal();
    let flapping = cluster.time_to_all(BOUND).await;

    let missed = cluster.missed(Duration::MAX);
    let cut_off = cluster.net.counts().cut_off;
    let bound = Bar::AtMost(BOUND.as_secs_f64());
    let time = |what, took: Duration| Figure::max(what, took.as_secs_f64(), "s").bar(bound);
    let happened = Bar::AtLeast(1.0);
    cluster
        .outcome(vec![
            time("R07 until all had all, cut both ways", two_way),
            time("R07 until all had all, cut one way", one_way),
            time("R07 until all had all, flapping", flapping),
            Figure::sum("R07 missed in the end", missed as f64, "times").bar(Bar::Exactly(0.0)),
            Figure::sum("R07 late on one side of a cut", inside as f64, "times")
                .bar(Bar::Exactly(0.0)),
            Figure::min("missed across while cut", across as f64, "times").bar(happened),
            Figure::sum("flaps", f64::from(flaps), "times").bar(happened),
            Figure::sum("cut off", cut_off as f64, "datagrams").bar(happened),
        ])
        .await
}

async fn publish_for(cluster: &mut Cluster, time: Duration) {
    let count = time.as_millis() / PAUSE.as_millis();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    cluster.publish_some(count, 256, PAUSE).await;
}

/// Cuts apart other halves again and again, each for some seconds; how often.
async fn flap(cluster: &mut Cluster, addresses: &[SocketAddr]) -> u32 {
    let mut flaps = 0;
    let end = Instant::now() + Duration::from_secs(120);
    let mut mixed = addresses.to_vec();
    while Instant::now() < end {
        cluster.rng.shuffle(&mut mixed);
        let (some, others) = mixed.split_at(mixed.len() / 2);
        cluster.net.cut(some, others);
        flaps += 1;
        let cut_s = cluster.rng.range(1..8);
        publish_for(cluster, Duration::from_secs(cut_s)).await;
        sleep(Duration::from_millis(500)).await;
        cluster.net.heal();
        let open_s = cluster.rng.range(0..5);
        publish_for(cluster, Duration::from_secs(open_s)).await;
        sleep(Duration::from_millis(500)).await;
    }
    flaps
}
