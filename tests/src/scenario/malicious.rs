use std::{collections::BTreeMap, time::Duration};

use repute_base::Mono;
use repute_sim::Faults;

use super::Scenario;
use crate::{
    Bar, Figure, Network, Outcome, Setup,
    attack::{self, Known},
};

/// One third of the nodes is hostile, in five ways at once, and all of these recommend each other.
pub const MALICIOUS: Scenario = Scenario::new(
    "malicious",
    "a third forges, garbles, drops, delays and lies, and recommends each other: nothing is missed",
    third,
)
.nodes(150)
.nodes_min(12)
.seeds(2)
.full(1_000, 20);

/// The same at other shares, to see where it breaks. Nothing is asked of it.
pub const MALICIOUS_SWEEP: Scenario = Scenario::new(
    "malicious-sweep",
    "10 to 60 % hostile nodes: where delivery breaks",
    sweep,
)
.nodes(90)
.nodes_min(12)
.seeds(2)
.full(1_000, 3);

/// Messages in one run.
const MESSAGES: usize = 100;

/// What came of one run.
struct Found {
    messages: usize,
    missed: usize,
    wanted: usize,
    /// Of deliveries, in ms, sorted.
    late: Vec<f64>,
    /// Percent of the places in honest active views that hostile nodes have.
    hostile_places: f64,
    /// Percent of the links of honest nodes that are with hostile ones.
    hostile_links: f64,
    accused: usize,
    network: Network,
}

/// A network of which so many of a thousand are hostile from the start.
fn infested(seed: u64, nodes: usize, permille: usize) -> Found {
    let setup = Setup {
        durable: false,
        ..Setup::default()
    };
    let mut network = Network::new(seed, Faults::none(), setup);
    let mut kinds = attack::ALL.iter().cycle().peekable();
    for index in 0..nodes {
        // Spread evenly over the order of arrival; the first, whom all know, is honest.
        let due = index * permille / 1_000 > index.saturating_sub(1) * permille / 1_000;
        match kinds.next_if(|_: &&Known| due) {
            Some(kind) => network.add_hostile((kind.make)(Mono::ZERO)),
            None => network.add(),
        };
        network.world.run_for(Duration::from_millis(20));
    }
    network.world.run_for(Duration::from_secs(40));
    network.publish_some(MESSAGES, Duration::from_millis(300));
    network.world.run_for(Duration::from_secs(60));
    found(network)
}

fn found(network: Network) -> Found {
    let messages: BTreeMap<_, _> = network
        .published()
        .into_iter()
        .filter(|(_, from)| !network.is_hostile_index(from.by))
        .collect();
    let mut late = Vec::new();
    let (mut places, mut taken, mut links, mut bad) = (0, 0, 0, 0);
    for (_, host) in network.honest() {
        let of = |(id, at): (&_, &crate::Delivery)| {
            let from = messages.get(id)?;
            Some(at.at.since(from.at).as_millis() as f64)
        };
        late.extend(host.app.deliveries.iter().filter_map(of));
        let view = host.core().gossip().active_view();
        places += view.len();
        taken += view.iter().filter(|id| network.is_hostile(id)).count();
        let peers: Vec<_> = host.core().peers().active().collect();
        links += peers.len();
        bad += peers.iter().filter(|id| network.is_hostile(id)).count();
    }
    late.sort_by(f64::total_cmp);
    let percent = |part: usize, whole: usize| 100.0 * part as f64 / (whole as f64).max(1.0);
    Found {
        messages: messages.len(),
        missed: network.missed(&messages, |_| true),
        wanted: messages.len() * network.honest().count().saturating_sub(1),
        late,
        hostile_places: percent(taken, places),
        hostile_links: percent(bad, links),
        accused: network.world.false_accusations().len(),
        network,
    }
}

impl Found {
    fn delivered(&self) -> f64 {
        100.0 * (1.0 - self.missed as f64 / (self.wanted as f64).max(1.0))
    }

    fn at(&self, permille: usize) -> f64 {
        let last = self.late.len().saturating_sub(1);
        let place = (self.late.len() * permille / 1_000).min(last);
        self.late.get(place).copied().unwrap_or(f64::INFINITY)
    }
}

fn third(seed: u64, nodes: usize) -> Outcome {
    let found = infested(seed, nodes, 334);
    let none = Bar::Exactly(0.0);
    let deed = |what: &'static str, figure: &'static str| {
        let times = found.network.deeds(what) as f64;
        Figure::sum(figure, times, "times").bar(Bar::AtLeast(1.0))
    };
    let figures = vec![
        Figure::min("honest messages", found.messages as f64, "messages")
            .bar(Bar::AtLeast(MESSAGES as f64)),
        Figure::sum("honest messages missed", found.missed as f64, "times").bar(none),
        Figure::sum("honest accused", found.accused as f64, "times").bar(none),
        Figure::mean("latency, median", found.at(500), "ms"),
        Figure::max("latency, 99 %", found.at(990), "ms"),
        Figure::max("latency, max", found.at(1_000), "ms"),
        Figure::mean("hostile in active views", found.hostile_places, "%"),
        Figure::mean("hostile among links", found.hostile_links, "%"),
        deed("forged", "messages forged"),
        deed("garbled", "frames garbled"),
        deed("dropped", "messages dropped"),
        deed("delayed", "frames delayed"),
        deed("announced nothing", "announcements of nothing"),
        deed("asked in vain", "requests that liars ignored"),
        deed("recommended accomplices", "accomplices recommended"),
    ];
    found.network.outcome(figures)
}

/// The names of the figures at each share: delivered, 99 %, hostile links.
macro_rules! at {
    ($percent:literal) => {
        (
            $percent * 10,
            [
                concat!($percent, " % hostile: delivered"),
                concat!($percent, " % hostile: latency, 99 %"),
                concat!($percent, " % hostile: hostile in active views"),
                concat!($percent, " % hostile: honest accused"),
            ],
        )
    };
}

const SHARES: [(usize, [&str; 4]); 6] = [at!(10), at!(20), at!(30), at!(40), at!(50), at!(60)];

fn sweep(seed: u64, nodes: usize) -> Outcome {
    SHARES
        .iter()
        .map(|(permille, [delivered, p99, places, accused])| {
            let found = infested(seed, nodes, *permille);
            let figures = vec![
                Figure::min(delivered, found.delivered(), "%"),
                Figure::max(p99, found.at(990), "ms"),
                Figure::mean(places, found.hostile_places, "%"),
                Figure::sum(accused, found.accused as f64, "times").bar(Bar::Exactly(0.0)),
            ];
            found.network.outcome(figures)
        })
        .reduce(Outcome::and)
        .expect("there are shares")
}
