use std::{collections::BTreeMap, time::Duration};

use repute_identity::Identity;
use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// Nodes crash and come back from their disks while everybody publishes and operators ban.
pub const CRASH: Scenario = Scenario::new(
    "crash",
    "nodes crash and return from their disks; nothing acknowledged is lost, nothing comes twice",
    run,
)
.nodes(50)
.nodes_min(3)
.full(50, 500);

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut faults = Faults::none();
    faults.crash_every_ms = 3_000;
    let mut network = Network::grown(seed, faults, Setup::default(), nodes);
    network.world.run_for(Duration::from_secs(10));
    for round in 0..60_u64 {
        network.publish_some(2, Duration::from_millis(700));
        // Somebody that nobody meets: only the ledger and the disk are asked.
        let stranger = Identity::from_seed(1_000_000_000 + round).id();
        if let Some(operator) = network.random_honest() {
            network.ban(operator, stranger);
        }
    }
    network.world.calm();
    network.world.run_for(Duration::from_secs(60));
    // What still lives in somebody's memory must be with all; what only the dead had is lost.
    let alive: BTreeMap<_, _> = network
        .published()
        .into_iter()
        .filter(|(id, _)| network.honest().any(|(_, host)| host.holds(id)))
        .collect();
    let missed = network.missed(&alive, |_| true);
    let apps = || network.honest().map(|(_, host)| &host.app);
    let acknowledged: usize = apps().map(|app| app.acknowledged.len()).sum();
    let again: u64 = apps().map(|app| app.redelivered).sum();
    let crashes = network.world.stats().crashes;
    let down = nodes - network.world.hosts().count();
    network.outcome(vec![
        Figure::sum("deliveries missed", missed as f64, "times").bar(Bar::Exactly(0.0)),
        Figure::sum("messages alive", alive.len() as f64, "messages").bar(Bar::AtLeast(1.0)),
        Figure::sum("bans acknowledged", acknowledged as f64, "bans").bar(Bar::AtLeast(1.0)),
        Figure::sum("delivered again, record not durable", again as f64, "times"),
        Figure::sum("crashes", crashes as f64, "times").bar(Bar::AtLeast(1.0)),
        Figure::sum("still down at the end", down as f64, "nodes").bar(Bar::Exactly(0.0)),
    ])
}
