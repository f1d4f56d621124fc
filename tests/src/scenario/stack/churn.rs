use std::time::Duration;

use repute_node::Status;
use tokio::time::{Instant, sleep};

use super::super::Scenario;
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Plan, play},
};

/// R25: nodes leave for ever and others come in their place, hour after hour.
pub const STACK_CHURN: Scenario = Scenario::new(
    "stack-churn",
    "R25: nodes are replaced hour after hour; what each keeps levels off",
    run,
)
.nodes(8)
.nodes_min(4)
.seeds(1)
.full(50, 1);

/// From this many nodes on, a run takes 24 h with a fifth of the nodes replaced in each.
const FULL: usize = 50;
const HOUR: Duration = Duration::from_secs(3_600);
/// Between two messages.
const PAUSE: Duration = Duration::from_secs(20);

fn run(seed: u64, nodes: usize) -> Outcome {
    play(scene(seed, nodes))
}

async fn scene(seed: u64, nodes: usize) -> Outcome {
    let settle = Duration::from_secs(10);
    let mut cluster = Cluster::grown(seed, Plan::default(), nodes, settle).await;
    let (lasts, between) = if nodes >= FULL {
        (HOUR * 24, HOUR * 5 / u32::try_from(nodes).unwrap_or(1))
    } else {
        (HOUR * 3 / 2, HOUR / 20)
    };
    let began = Instant::now();
    let (mut next, mut replaced, mut kept) = (began + between, 0_usize, Vec::new());
    let mut sample = began;
    while began.elapsed() < lasts {
        let by = cluster.rng.below(nodes as u64);
        cluster.publish(usize::try_from(by).unwrap_or(0), 1_024);
        sleep(PAUSE).await;
        if Instant::now() >= next {
            next += between;
            // Never the same place twice in a row, so that each node lives a while.
            cluster.replace(replaced * 3 % nodes).await;
            replaced += 1;
        }
        if Instant::now() >= sample {
            sample += lasts / 12;
            let statuses = cluster.statuses().await;
            let total: usize = statuses.iter().map(kept_bytes).sum();
            kept.push(total / nodes);
        }
    }
    sleep(Duration::from_secs(60)).await;
    // A message sent while its author leaves may leave with it; R25 asks what stays behind.
    let statuses = cluster.statuses().await;
    let total: usize = statuses.iter().map(kept_bytes).sum();
    kept.push(total / nodes);
    let half = kept.len() / 2;
    let mean = |part: &[usize]| part.iter().sum::<usize>() as f64 / part.len().max(1) as f64;
    let (former, latter) = (kept.get(half / 2..half), kept.get(half..));
    let growth = mean(latter.unwrap_or_default()) - mean(former.unwrap_or_default());
    let hours = lasts.as_secs_f64() / 3_600.0 / 2.0;
    let slope = growth / f64::from(1 << 20) / hours;
    let largest = kept.iter().max().copied().unwrap_or(0);
    let unfinished = statuses
        .iter()
        .map(|one| one.gossip.missing + one.gossip.pending);
    cluster
        .outcome(vec![
            Figure::max("R25 growth of what a node keeps", slope, "MiB/h").bar(Bar::AtMost(1.0)),
            Figure::max("R25 kept by a node at most", largest as f64 / 1024.0, "KiB"),
            Figure::max(
                "R25 left unfinished",
                unfinished.max().unwrap_or(0) as f64,
                "messages",
            )
            .bar(Bar::AtMost(16.0)),
            Figure::sum("replaced", replaced as f64, "nodes").bar(Bar::AtLeast(3.0)),
            Figure::sum("messages", cluster.messages() as f64, "messages"),
            Figure::sum("R25 virtual hours", lasts.as_secs_f64() / 3_600.0, "h"),
        ])
        .await
}

/// What a node keeps, reckoned by what its tables hold.
fn kept_bytes(status: &Status) -> usize {
    let gossip = &status.gossip;
    let entries = [
        (status.peers_known, 400),
        (status.subjects, 400),
        (status.bans, 200),
        (gossip.retained, 200),
        (gossip.ids, 64),
        (gossip.missing, 400),
        (gossip.pending, 1_000),
        (gossip.held, 1_000),
        (gossip.passive, 200),
    ];
    let tables: usize = entries.iter().map(|(count, bytes)| count * bytes).sum();
    gossip.retained_bytes + tables
}
