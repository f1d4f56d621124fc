use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use repute_base::Mono;
use repute_identity::Identity;
use repute_protocol::MessageId;

use super::Scenario;
use crate::{Bar, Canary, CoreHost, Figure, Network, Outcome, Setup, attack, network::Published};

mod mix;

use mix::{CYCLE, Class, KINDS, Kind, Mix};

/// Each seed draws its own size, kinds of faults and their strength: first a storm, then calm, in
/// which the network must converge.
pub const SWARM: Scenario = Scenario::new(
    "swarm",
    "R07, R09, R10, R27: each seed draws its own size, faults and attackers; rules hold after every \
     step, and in the calm after the storm all is well within a minute",
    run,
)
.nodes(32)
.nodes_min(NODES_MIN)
.seeds(40)
.full(64, 1_000);

const NODES_MIN: usize = 6;
/// How long the network may take to converge once all faults have ended.
const CALM: Duration = Duration::from_secs(60);
/// When hostile nodes begin.
const ATTACKS_BEGIN: Mono = Mono::from_millis(20_000);

fn run(seed: u64, nodes: usize) -> Outcome {
    run_with(seed, nodes, None)
}

/// One run of the swarm, with a planted bug or none.
pub fn run_with(seed: u64, nodes: usize, canary: Option<Canary>) -> Outcome {
    let mix = Mix::draw(seed, NODES_MIN, nodes);
    let setup = Setup {
        canary,
        ..Setup::default()
    };
    // Clocks and distances are there from the beginning, all else comes with the storm.
    let mut network = Network::new(seed, mix.faults.calmed(), setup);
    let mut run = Run {
        replaced: 0,
        doubtful: BTreeSet::new(),
        strangers: 0,
    };
    run.grow(&mut network, &mix);
    network.world.run_for(Duration::from_secs(20));
    network.world.set_faults(mix.faults.clone());
    run.storm(&mut network, &mix);
    let storm = *network.world.stats();
    network.world.calm();
    let took = run.converge(&mut network);
    run.outcome(&network, &mix, &storm, took)
}

/// What a run keeps in mind.
struct Run {
    replaced: u64,
    /// Messages of authors whose clock was wrong: others may rightly refuse them.
    doubtful: BTreeSet<(usize, Mono)>,
    strangers: u64,
}

impl Run {
    fn grow(&self, network: &mut Network, mix: &Mix) {
        // Anywhere but first, where everybody joins.
        let mut places: Vec<usize> = (1..mix.nodes).collect();
        network.rng.shuffle(&mut places);
        let hostile: BTreeMap<usize, usize> = places
            .into_iter()
            .zip(mix.hostile.iter().copied())
            .collect();
        for index in 0..mix.nodes {
            match hostile
                .get(&index)
                .and_then(|place| attack::ALL.get(*place))
            {
                Some(known) => network.add_hostile((known.make)(ATTACKS_BEGIN)),
                None => network.add(),
            };
            network.world.run_for(Duration::from_millis(20));
        }
    }

    fn storm(&mut self, network: &mut Network, mix: &Mix) {
        let end = network.world.now() + mix.storm;
        let mut churn_at = mix.churn_every.map(|every| network.world.now() + every);
        while network.world.now() < end {
            let pause = network.rng.range(50..1_500);
            network.world.run_for(Duration::from_millis(pause));
            self.publish(network);
            if network.rng.chance(1, 2) {
                self.ban_somebody(network);
            }
            if let (Some(every), Some(at)) = (mix.churn_every, &mut churn_at)
                && *at <= network.world.now()
            {
                *at = network.world.now() + every;
                self.replace_one(network);
            }
        }
    }

    fn publish(&mut self, network: &mut Network) {
        let Some(by) = network.random_honest() else {
            return;
        };
        if network.world.has_jumped(by) {
            self.doubtful.insert((by, network.world.now()));
        }
        network.publish(by);
    }

    /// Somebody that nobody meets: only the ledger and the disk are asked.
    fn ban_somebody(&mut self, network: &mut Network) {
        self.strangers += 1;
        let stranger = Identity::from_seed(1_000_000_000 + self.strangers).id();
        if let Some(operator) = network.random_honest() {
            network.ban(operator, stranger);
        }
    }

    /// One node leaves without a word and for good, and a new one joins.
    fn replace_one(&mut self, network: &mut Network) {
        if let Some(index) = network.random_honest()
            && index > 0
            && network.world.crash(index).is_some()
        {
            self.replaced += 1;
        }
        network.add();
    }

    /// What all must have in the end: whatever an honest node that is up can give to others.
    fn owed(&self, network: &Network) -> BTreeMap<MessageId, Published> {
        let mut owed = network.published();
        owed.retain(|id, from| {
            !self.doubtful.contains(&(from.by, from.at))
                && network.honest().any(|(_, host)| host.holds(id))
        });
        owed
    }

    /// The calm after the storm. How long it took until all had all, if it came to that.
    fn converge(&self, network: &mut Network) -> Option<Duration> {
        let began = network.world.now();
        network.publish_some(5, Duration::from_secs(1));
        let owed = self.owed(network);
        loop {
            let took = network.world.now().since(began);
            if lacking(network, &owed).is_empty() {
                return Some(took);
            }
            if took >= CALM {
                return None;
            }
            network.world.run_for(Duration::from_secs(1));
        }
    }

    fn outcome(
        &self,
        network: &Network,
        mix: &Mix,
        storm: &repute_sim::Stats,
        took: Option<Duration>,
    ) -> Outcome {
        let owed = self.owed(network);
        let lacking = lacking(network, &owed);
        let forgotten = network.missed(&owed, |_| true) - lacking.len();
        let alone = network.honest().filter(|(_, host)| host.links() == 0);
        let differs = network
            .honest()
            .filter_map(|(index, host)| Some((index, host.differs_from_disk()?)));
        let differs: Vec<String> = differs
            .map(|(index, what)| format!("node {index}: {what}"))
            .collect();
        let again: u64 = network.honest().map(|(_, host)| host.app.redelivered).sum();
        let (none, some) = (Bar::Exactly(0.0), Bar::AtLeast(1.0));
        let seconds = took.unwrap_or(CALM + Duration::from_secs(1)).as_secs_f64();
        let mut figures = vec![
            Figure::mean("size, mean", mix.nodes as f64, "nodes"),
            Figure::sum("missed in the calm", lacking.len() as f64, "times").bar(none),
            Figure::sum("of earlier lives, not owed", forgotten as f64, "times"),
            Figure::max("time until all had all", seconds, "s")
                .bar(Bar::AtMost(CALM.as_secs_f64())),
            Figure::sum("without a link in the calm", alone.count() as f64, "nodes").bar(none),
            Figure::sum("unlike their disks", differs.len() as f64, "nodes").bar(none),
            Figure::sum("messages owed to all", owed.len() as f64, "messages").bar(some),
            Figure::sum("delivered again, record not durable", again as f64, "times"),
            Figure::sum(
                "steps examined",
                network.world.stats().examined as f64,
                "steps",
            )
            .bar(some),
        ];
        for (class, what) in [
            (Class::Alone, "runs with one kind alone"),
            (Class::Some, "runs with some kinds"),
            (Class::All, "runs with all kinds"),
        ] {
            let drawn = f64::from(mix.class == class);
            figures.push(
                Figure::total(what, drawn, "runs")
                    .bar(some)
                    .over_seeds(CYCLE),
            );
        }
        for kind in KINDS {
            let count = match kind {
                Kind::Delay | Kind::Skew => u64::from(mix.kinds.contains(&kind)),
                Kind::Churn => self.replaced,
                Kind::Hostile => network.hostile().map(|(_, host)| host.deeds_in_all()).sum(),
                counted => counted.count(storm),
            };
            let fell = Figure::total(kind.happened(), count as f64, "times");
            figures.push(fell.bar(some).over_seeds(CYCLE));
        }
        let mut outcome = network.outcome(figures);
        outcome.breaches.extend(differs);
        outcome.breaches.extend(lacking.into_iter().take(5));
        outcome
    }
}

/// What somebody lacks that it is owed, in words.
fn lacking(network: &Network, owed: &BTreeMap<MessageId, Published>) -> Vec<String> {
    let began = |index| network.world.host(index).map(CoreHost::began);
    let mut lacking = Vec::new();
    for (index, host) in network.honest() {
        for (id, from) in owed {
            if from.by == index || host.app.deliveries.contains_key(id) {
                continue;
            }
            // A node that restarts knows of each author what it saw of its latest life. Of the
            // lives before, it cannot tell what is new from what is played again.
            let restarted = |node| began(node).is_some_and(|began| began > from.at);
            if host.life() > 0 && restarted(index) && restarted(from.by) {
                continue;
            }
            lacking.push(format!(
                "node {index} (life {} from {} ms) lacks what node {} said at {} ms",
                host.life(),
                host.began().as_millis(),
                from.by,
                from.at.as_millis()
            ));
        }
    }
    lacking
}
