use std::{collections::BTreeSet, time::Duration};

use repute_base::{Rng, Wall};
use repute_identity::{Identity, NodeId};
use repute_node::peers::Config;
use repute_sim::{Faults, Trace, World};

use super::Scenario;
use crate::{
    Bar, Figure, Network, Outcome, Setup, Tally,
    overlay::{Linker, Role},
    verdicts::Verdicts,
};

/// How soon somebody suspects a node that crashed: SWIM's first detection, e/(e−1) = 1.58 probe
/// periods whatever the size; and how many are suspected wrongly where some nodes get no time, as
/// in Lifeguard's measurements.
pub const DETECTION: Scenario = Scenario::new(
    "detection",
    "SWIM: first suspicion of a crash after 1.58 probe periods at any size; Lifeguard: false reports",
    run,
)
.nodes(256)
.nodes_min(4)
.seeds(SEEDS)
.full(1_024, 20);

/// Seeds by default: figures of chance are judged over as many.
const SEEDS: u64 = 4;
/// Sizes of which each has its row, if the run is as large.
const SIZES: &[(usize, &str, &str)] = &[
    (16, "first suspicion, 16 nodes", "never suspected, 16 nodes"),
    (32, "first suspicion, 32 nodes", "never suspected, 32 nodes"),
    (64, "first suspicion, 64 nodes", "never suspected, 64 nodes"),
    (
        256,
        "first suspicion, 256 nodes",
        "never suspected, 256 nodes",
    ),
    (
        1_024,
        "first suspicion, 1,024 nodes",
        "never suspected, 1,024 nodes",
    ),
];
/// Links of a node, unless the network is smaller.
const DEGREE: usize = 16;
/// Nodes that crash in one run of one size, at most as many at once as a 64th of them.
const CRASHES: usize = 128;
/// Whole cores in a complete mesh, and how many of them crash in one run.
const CORES: usize = 32;
const CORE_CRASHES: usize = 6;
/// Lifeguard's agents, the share of them that is slow at times, and for how long that goes on.
const AGENTS: usize = 128;
const SLOW_ONE_IN: usize = 8;
const SLOW_FOR: Duration = Duration::from_secs(300);

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut sum = Sum::new(seed);
    in_cores(seed, nodes.min(CORES), &mut sum);
    let smallest = SIZES.first().map_or(0, |size| size.0);
    for (size, what, unseen) in SIZES {
        if *size <= nodes.max(smallest) {
            let size = (*size).min(nodes);
            first_suspicion(seed, size, what, unseen, &mut sum);
        }
    }
    lifeguard(seed, nodes.min(AGENTS), &mut sum);
    let found = Figure::sum("broken promises", sum.breaches.len() as f64, "times");
    sum.figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures: sum.figures,
        breaches: sum.breaches,
        trace: sum.trace.hash(),
        tally: sum.tally,
    }
}

/// What all parts of a run come to.
struct Sum {
    figures: Vec<Figure>,
    breaches: Vec<String>,
    trace: Trace,
    tally: Tally,
}

impl Sum {
    fn new(seed: u64) -> Self {
        Self {
            figures: Vec::new(),
            breaches: Vec::new(),
            trace: Trace::new(seed),
            tally: Tally::default(),
        }
    }

    fn end(&mut self, world: &World<Linker>) {
        let accused = world.false_accusations();
        let accused = accused.iter().map(|one| format!("honest accused: {one:?}"));
        self.breaches.extend(accused);
        self.trace.join(&world.trace_hash());
        self.tally.simulated += world.now().since(repute_base::Mono::ZERO);
        self.tally.crashes += world.stats().crashes;
    }
}

/// Engines alone, linked at random, so that no size is too large.
struct Links {
    world: World<Linker>,
    rng: Rng,
    /// Who has dialled whom.
    edges: BTreeSet<(usize, usize)>,
}

impl Links {
    fn grown(seed: u64, nodes: usize, self_doubt: bool) -> Self {
        let config = Config {
            // Nobody is looked for: the links are given.
            min_peers: 1,
            max_peers: 64,
            outbound_slots: 32,
            prefix_links_max: 64,
            prefix_outbound_max: 64,
            discovery_interval: Duration::from_secs(3_600),
            feeler_interval: Duration::from_secs(24 * 3_600),
            // SWIM's and Lifeguard's figures are of a pace that never changes.
            calm_factor: 1,
            self_doubt,
            ..Config::default()
        };
        let mut faults = Faults::none();
        // The engines notice, not the links.
        faults.link_timeout_ms = 24 * 3_600_000;
        let mut links = Self {
            world: World::new(seed, faults),
            rng: Rng::from_u64(seed ^ 0x9e37_79b9_7f4a_7c15),
            edges: BTreeSet::new(),
        };
        let verdicts = Verdicts::default();
        for n in 0..nodes {
            let who = seed.wrapping_mul(1_000_003) + n as u64;
            let role = Role {
                who,
                config: config.clone(),
                tickets: Vec::new(),
                shelf: Default::default(),
                verdicts: verdicts.clone(),
                gang: None,
            };
            links.world.add(Identity::from_seed(who).id(), |seat| {
                Linker::new(seat, role)
            });
        }
        links.draw_edges(nodes);
        // The engine of a node takes 64 half-open links at once.
        links.mend();
        links.world.run_for(Duration::from_secs(60));
        links
    }

    fn draw_edges(&mut self, nodes: usize) {
        let all: Vec<usize> = (0..nodes).collect();
        for node in 0..nodes {
            if nodes <= DEGREE + 1 {
                self.edges.extend((0..node).map(|other| (node, other)));
                continue;
            }
            for other in self.rng.sample(&all, DEGREE / 2 + 1) {
                if other != node && !self.edges.contains(&(other, node)) {
                    self.edges.insert((node, other));
                }
            }
        }
    }

    /// Dials the links that should be and are not.
    fn mend(&mut self) {
        for (from, to) in self.edges.clone() {
            let up = self.world.host(from).is_some() && self.world.host(to).is_some();
            let (Some(peer), Some(address)) = (self.world.id(to), self.world.address(to)) else {
                continue;
            };
            if up && !self.world.are_linked(from, to) {
                self.world
                    .act(from, |_, _, out| out.dial(address, Some(peer)));
            }
        }
    }

    /// When the first of the nodes suspected `subject`, from a moment on.
    fn first_suspicion(&self, subject: NodeId, since: Wall) -> Option<Wall> {
        let notes = self
            .world
            .hosts()
            .flat_map(|(_, host)| &host.notes.suspected);
        notes
            .filter(|(peer, at)| *peer == subject && *at >= since)
            .map(|(_, at)| *at)
            .min()
    }
}

fn first_suspicion(
    seed: u64,
    size: usize,
    what: &'static str,
    unseen_name: &'static str,
    sum: &mut Sum,
) {
    let mut links = Links::grown(seed, size, true);
    let period = Config::default().probe_period.as_secs_f64();
    let at_once = (size / 64).max(1);
    let everybody: Vec<usize> = (0..size).collect();
    let (mut took, mut seen, mut unseen) = (0.0, 0, 0);
    for _ in 0..CRASHES / at_once {
        // At any moment of a round.
        let pause = Duration::from_millis(20_000 + links.rng.below(1_000));
        links.world.run_for(pause);
        let victims = links.rng.sample(&everybody, at_once);
        let since = links.world.clock(victims.first().copied().unwrap_or(0));
        let since = since.unwrap_or_default().wall;
        let dead: Vec<(usize, Option<Linker>)> = victims
            .iter()
            .map(|victim| (*victim, links.world.crash(*victim)))
            .collect();
        links.world.run_for(Duration::from_secs(10));
        for (victim, host) in dead {
            let id = links.world.id(victim);
            match id.and_then(|id| links.first_suspicion(id, since)) {
                Some(at) => {
                    took += at.since(since).as_secs_f64() / period;
                    seen += 1;
                }
                None => unseen += 1,
            }
            if let Some(host) = host {
                links.world.restart(victim, |seat| host.reborn(seat));
            }
        }
        links.mend();
    }
    sum.figures.extend([
        // A standard error of 0.09 periods for one seed: judged over all of them.
        Figure::mean(what, took / f64::from(seen.max(1)), "periods")
            .weighing(f64::from(seen))
            .bar(Bar::AtMost(1.68))
            .over_seeds(SEEDS),
        Figure::sum(unseen_name, f64::from(unseen), "crashes").bar(Bar::Exactly(0.0)),
    ]);
    sum.end(&links.world);
}

/// What was said of nodes that were well all the time.
#[derive(Clone, Copy, Default)]
struct False {
    reports: usize,
    /// Of these, by nodes that were well themselves.
    by_healthy: usize,
    closed: usize,
    starvations: usize,
}

/// Some nodes get no time for their links, again and again, while their timers go on.
fn lifeguard(seed: u64, nodes: usize, sum: &mut Sum) {
    let plain = false_reports(seed, nodes, false, sum);
    let damped = false_reports(seed, nodes, true, sum);
    let share = |of: usize, all: usize| 100.0 * of as f64 / (all as f64).max(1.0);
    let enough = Bar::AtLeast(1.0);
    // Over all seeds together: when one slow node wakes up, all its links fall at once, and in a
    // small network that burst is a large part of all.
    let of_plain = |what, of: usize, all: usize| {
        Figure::mean(what, share(of, all), "%")
            .weighing(all as f64)
            .bar(Bar::AtMost(2.0))
            .over_seeds(SEEDS)
    };
    sum.figures.extend([
        Figure::sum(
            "times that a slow node was starved",
            damped.starvations as f64,
            "times",
        )
        .bar(enough),
        Figure::sum("false reports, plain SWIM", plain.reports as f64, "reports").bar(enough),
        Figure::sum("false reports, damped", damped.reports as f64, "reports"),
        of_plain(
            "false reports, damped of plain (Lifeguard 1.53)",
            damped.reports,
            plain.reports,
        ),
        Figure::sum(
            "false reports by the healthy, plain SWIM",
            plain.by_healthy as f64,
            "reports",
        ),
        Figure::sum(
            "false reports by the healthy, damped",
            damped.by_healthy as f64,
            "reports",
        ),
        Figure::sum(
            "healthy closed as silent, plain SWIM",
            plain.closed as f64,
            "links",
        ),
        of_plain(
            "healthy closed as silent, damped of plain",
            damped.closed,
            plain.closed,
        ),
    ]);
}

fn false_reports(seed: u64, nodes: usize, self_doubt: bool, sum: &mut Sum) -> False {
    let mut links = Links::grown(seed, nodes, self_doubt);
    let everybody: Vec<usize> = (0..nodes).collect();
    let slow = links.rng.sample(&everybody, (nodes / SLOW_ONE_IN).max(1));
    // Until when each is starved, or gets time, and which of the two.
    let mut states: Vec<(usize, u64, bool)> = slow.iter().map(|index| (*index, 0, false)).collect();
    let mut counted = False::default();
    let end = links.world.now() + SLOW_FOR;
    while links.world.now() < end {
        let now_ms = links.world.now().as_millis();
        for (index, until_ms, starved) in &mut states {
            if *until_ms > now_ms {
                continue;
            }
            *starved = !*starved;
            let lasts = if *starved { 12_000..24_000 } else { 500..4_000 };
            *until_ms = now_ms + links.rng.range(lasts);
            counted.starvations += usize::from(*starved);
            let starved = *starved;
            links.world.act(*index, |host, now, out| {
                if starved {
                    host.starve();
                } else {
                    host.feed(now, out);
                }
            });
        }
        if now_ms.is_multiple_of(5_000) {
            links.mend();
        }
        links.world.run_for(Duration::from_millis(100));
    }
    let is_slow = |id: &NodeId| {
        let index = links.world.index_of(id);
        index.is_none_or(|index| slow.contains(&index))
    };
    for (index, host) in links.world.hosts() {
        let healthy = |ids: &[NodeId]| ids.iter().filter(|id| !is_slow(id)).count();
        let reports = healthy(&host.notes.reported);
        counted.reports += reports;
        counted.closed += healthy(&host.notes.silent);
        if !slow.contains(&index) {
            counted.by_healthy += reports;
        }
    }
    sum.end(&links.world);
    counted
}

/// The same with whole cores, in a complete mesh, at the pace of calm.
fn in_cores(seed: u64, nodes: usize, sum: &mut Sum) {
    let mut setup = Setup::default();
    let peers = &mut setup.config.peers;
    peers.min_peers = nodes - 1;
    peers.max_peers = 2 * nodes;
    peers.outbound_slots = nodes;
    peers.prefix_links_max = nodes;
    peers.prefix_outbound_max = nodes;
    let period = peers.probe_period * peers.calm_factor;
    let mut faults = Faults::none();
    faults.link_timeout_ms = 600_000;
    let mut network = Network::grown(seed, faults, setup, nodes);
    let meshed = network
        .world
        .run_until_true(Duration::from_secs(300), |world| {
            world.hosts().all(|(_, host)| host.links() == nodes - 1)
        });
    let mut total = 0.0;
    let mut unseen = 0;
    let crashes = CORE_CRASHES.min(nodes - 2);
    for victim in 1..=crashes {
        // A whole round of probes, and the last victim is forgotten everywhere.
        let pause = 1_000 * (5 * nodes as u64 + 30) + network.rng.below(5_000);
        network.world.run_for(Duration::from_millis(pause));
        let Some(id) = network.world.id(victim) else {
            continue;
        };
        network.world.crash(victim);
        let crashed = network.world.now();
        let suspected = |network: &Network| {
            network.honest().any(|(_, host)| {
                let view = host.core().peers().view(id).and_then(|view| view.link);
                view.is_some_and(|link| link.suspected)
            })
        };
        while !suspected(&network) && network.world.now().since(crashed).as_secs() < 60 {
            network.world.run_for(Duration::from_millis(10));
        }
        unseen += usize::from(!suspected(&network));
        let took = network.world.now().since(crashed);
        total += took.as_secs_f64() / period.as_secs_f64();
    }
    // A round of probes, and a suspicion that doubt has made thrice as long.
    network.world.run_for(Duration::from_secs(120));
    let blind = network
        .honest()
        .map(|(_, host)| {
            let ids = (1..=crashes).filter_map(|victim| network.world.id(victim));
            ids.filter(|id| !host.app.silent.contains(id)).count()
        })
        .sum::<usize>();
    let none = Bar::Exactly(0.0);
    let outcome = network.outcome(vec![
        // Few crashes a run: the mean of one run says little.
        Figure::mean(
            "first suspicion, whole cores in calm",
            total / crashes as f64,
            "periods",
        )
        .bar(Bar::AtMost(1.78))
        .over_seeds(SEEDS),
        Figure::sum("never suspected, whole cores", unseen as f64, "crashes").bar(none),
        Figure::sum("not closed as silent", blind as f64, "times").bar(none),
        Figure::sum("meshes incomplete", f64::from(!meshed), "times").bar(none),
    ]);
    // The oracle's own row stands at the end, for all parts.
    let own = outcome
        .figures
        .into_iter()
        .filter(|figure| figure.what != "broken promises");
    sum.figures.extend(own);
    sum.breaches.extend(outcome.breaches);
    sum.trace.join(&outcome.trace);
    sum.tally += outcome.tally;
}
