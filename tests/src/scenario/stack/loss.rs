use std::time::Duration;

use tokio::time::sleep;

use super::super::Scenario;
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Plan, Requests, Weather, play},
};

/// R08: whole nodes lose 30 % of all datagrams, evenly or in bursts, and get others twice or late.
pub const STACK_LOSS: Scenario = Scenario::new(
    "stack-loss",
    "R08: whole nodes under 30 % loss, even or in bursts, 5 % copies, 5 to 80 ms of delay",
    run,
)
.nodes(50)
.nodes_min(4)
.seeds(2)
.full(50, 20);

/// How long the weather is bad.
const STORM: Duration = Duration::from_secs(60);
/// Between two messages, and between two requests.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a message may take to everybody.
const GOSSIP: Duration = Duration::from_secs(60);

fn run(seed: u64, nodes: usize) -> Outcome {
    play(scene(seed, nodes))
}

async fn scene(seed: u64, nodes: usize) -> Outcome {
    let settle = Duration::from_secs(10);
    let mut cluster = Cluster::grown(seed, Plan::default(), nodes, settle).await;
    let even = seed.is_multiple_of(2);
    cluster.net.weather(if even {
        Weather::storm()
    } else {
        Weather::squalls()
    });
    let mut requests = Requests::default();
    for turn in 0..STORM.as_millis() / PAUSE.as_millis() {
        let by = cluster.rng.below(nodes as u64);
        cluster.publish(usize::try_from(by).unwrap_or(0), 1_024);
        for asked in 0..nodes.div_ceil(10) {
            let by = (usize::try_from(turn).unwrap_or(0) * 7 + asked * 10) % nodes;
            cluster.ask(by, &mut requests);
        }
        sleep(PAUSE).await;
    }
    // The weather stays as it is while what is under way arrives.
    sleep(GOSSIP).await;
    let late = cluster.missed(Duration::from_secs(30));
    let missed = cluster.missed(GOSSIP);
    let (asked, unanswered) = cluster.unanswered(&requests, REQUEST);
    let (_, again) = cluster.unanswered(&requests, Duration::from_secs(5));
    let deliveries = cluster.passages().len();
    let share = |bad: usize, of: usize| 100.0 * (1.0 - bad as f64 / of.max(1) as f64);
    let counts = cluster.net.counts();
    let happened = Bar::AtLeast(1.0);
    let as_drawn = even == (counts.bursts == 0);
    let lost = counts.lost + counts.lost_in_bursts;
    let loss = 100.0 * lost as f64 / counts.sent.max(1) as f64;
    cluster
        .outcome(vec![
            Figure::min(
                "R08 requests answered within 30 s",
                share(unanswered, asked),
                "%",
            )
            .bar(Bar::AtLeast(99.9)),
            Figure::min(
                "R08 messages at a node within 30 s",
                share(late, deliveries),
                "%",
            )
            .bar(Bar::AtLeast(99.9)),
            Figure::sum("R08 deliveries missed after 60 s", missed as f64, "times")
                .bar(Bar::Exactly(0.0)),
            Figure::sum("requests", asked as f64, "requests").bar(happened),
            Figure::mean("answered by who was asked first", share(again, asked), "%"),
            Figure::sum("messages", cluster.messages() as f64, "messages").bar(happened),
            Figure::sum("datagrams", counts.sent as f64, "datagrams"),
            Figure::mean("lost", loss, "%").bar(Bar::AtLeast(20.0)),
            Figure::sum("bursts of loss", counts.bursts as f64, "times"),
            Figure::min("bursts where drawn, only there", f64::from(as_drawn), "yes").bar(happened),
            Figure::sum("duplicated", counts.duplicated as f64, "datagrams").bar(happened),
            Figure::sum("overtaken", counts.overtaken as f64, "datagrams").bar(happened),
        ])
        .await
}
