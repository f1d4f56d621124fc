use std::time::Duration;

use repute_base::Mono;
use repute_sim::Faults;

use super::Scenario;
use crate::{
    Bar, Figure, Network, Outcome, Setup,
    attack::{Forger, Garbler},
};

/// Two nodes that behave until they have links, then one forges and one garbles.
pub const LIARS: Scenario = Scenario::new(
    "liars",
    "a forger and a garbler among honest nodes: whom they attack bans them, and nobody else",
    run,
)
.nodes(32)
.nodes_min(4)
.full(32, 100);

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut network = Network::new(seed, Faults::none(), Setup::default());
    let begin = Mono::from_millis(30_000);
    let liars = [nodes / 3, nodes / 2];
    for index in 0..nodes {
        if index == liars[0] {
            network.add_hostile(Box::new(Forger::new(begin)));
        } else if index == liars[1] {
            network.add_hostile(Box::new(Garbler::new(begin)));
        } else {
            network.add();
        }
        network.world.run_for(Duration::from_millis(20));
    }
    network.world.run_for(Duration::from_secs(20));
    network.publish_some(300, Duration::from_millis(500));
    network.world.run_for(Duration::from_secs(60));

    let ids = liars.map(|liar| network.world.id(liar));
    let (mut attacked, mut unbanned, mut linked) = (0, 0, 0);
    for (index, host) in network.honest() {
        let wall = network.world.clock(index).map(|now| now.wall);
        let bans = host.core().trust().bans(wall.unwrap_or_default());
        for (&liar, id) in liars.iter().zip(ids.iter().flatten()) {
            let hit = host.app.provoked_by.contains(id);
            attacked += usize::from(hit);
            unbanned += usize::from(hit && !bans.iter().any(|ban| ban.subject == *id));
            linked += usize::from(network.world.are_linked(index, liar));
        }
    }
    let messages = network.published();
    let messages = messages
        .into_iter()
        .filter(|(_, from)| !liars.contains(&from.by))
        .collect();
    let missed = network.missed(&messages, |_| true);
    let none = Bar::Exactly(0.0);
    network.outcome(vec![
        Figure::min("attacks on honest nodes", attacked as f64, "nodes").bar(Bar::AtLeast(2.0)),
        Figure::sum("attacked that did not ban", unbanned as f64, "nodes").bar(none),
        Figure::sum("links of liars at the end", linked as f64, "links").bar(none),
        Figure::sum("deliveries missed", missed as f64, "times").bar(none),
    ])
}
