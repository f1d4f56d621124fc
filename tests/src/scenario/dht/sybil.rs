use std::time::Duration;

use repute_node::dht::{Config, Want};
use repute_protocol::RecordKey;
use repute_sim::Trace;

use super::{
    super::Scenario,
    field::{Asked, Field, Published, mean, percent},
    kad::Kad,
    liar::Conduct,
    poison::Flaw,
};
use crate::{Bar, Figure, Outcome};

/// R18: a third of all nodes is hostile.
pub const DHT_SYBIL: Scenario = Scenario::new(
    "dht-sybil",
    "R18: a third of the DHT silent, inventing, colluding and poisoning; lookups reach the truth",
    run,
)
.nodes(600)
.nodes_min(60)
.seeds(2)
.full(1_000, 28);

/// Node lookups of a run; fewer where there are fewer nodes.
const LOOKUPS: usize = 200;
/// Records of a run, found three times each: the first copy, the newest, the newest of two.
const RECORDS: usize = 100;
/// How often each poisoner asks somebody to keep bad records, and how many at once.
const PAUSE: Duration = Duration::from_secs(2);
const DOSE: usize = 10;
/// How long the poisoners go on before anything is asked, and how far apart two versions are.
const POISONING: Duration = Duration::from_secs(60);

fn run(seed: u64, nodes: usize) -> Outcome {
    let with = Storm::rages(seed, nodes, Config::default());
    let config = Config {
        paths: 1,
        ..Config::default()
    };
    let without = Storm::rages(seed, nodes, config);
    let mut trace = Trace::new(seed);
    trace.join(&with.field.world.trace_hash());
    trace.join(&without.field.world.trace_hash());
    let mut breaches = with.field.breaches();
    breaches.extend(without.field.breaches());
    let mut tally = with.field.tally();
    tally += without.field.tally();
    let mut figures = with.figures();
    figures.extend([
        Figure::mean("one path: closest honest found", without.closest, "%"),
        Figure::mean("one path: records found", without.first, "%"),
        Figure::mean("one path: newest found", without.newest, "%"),
        Figure::mean(
            "one path: requests of a lookup",
            without.requests,
            "requests",
        ),
    ]);
    let found = Figure::sum("broken promises", breaches.len() as f64, "times");
    figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures,
        breaches,
        trace: trace.hash(),
        tally,
    }
}

/// A network under attack, and what was found in it.
struct Storm {
    field: Field,
    /// Shares in per cent.
    closest: f64,
    first: f64,
    newest: f64,
    requests: f64,
    /// Replaced versions that were taken for the newest.
    stale: usize,
    asked: usize,
}

impl Storm {
    fn rages(seed: u64, nodes: usize, config: Config) -> Self {
        let hostile = (nodes / 3, Some(PAUSE));
        let mut field = Field::stocked(seed, nodes, config, hostile);
        let honest = field.honest();
        let targets = honest
            .iter()
            .filter_map(|index| field.ticket(*index))
            .collect();
        {
            let gang = field.gang();
            let mut gang = gang.borrow_mut();
            gang.targets = targets;
            gang.dose = DOSE;
        }
        field.world.run_for(POISONING);
        let mut storm = Self {
            field,
            closest: 0.0,
            first: 0.0,
            newest: 0.0,
            requests: 0.0,
            stale: 0,
            asked: 0,
        };
        storm.looks_up(LOOKUPS.min(nodes / 2));
        storm.puts_and_finds(RECORDS.min(nodes / 4));
        storm
    }

    fn looks_up(&mut self, count: usize) {
        let field = &mut self.field;
        let asked: Vec<(Asked, RecordKey)> = (0..count)
            .map(|_| {
                let (node, target) = (field.random(), field.random_place());
                (field.lookup(node, target), target)
            })
            .collect();
        let all: Vec<Asked> = asked.iter().map(|(asked, _)| *asked).collect();
        field.wait(&all);
        let (mut right, mut requests) = (0, Vec::new());
        for (asked, target) in asked {
            let Some(outcome) = field.outcome(asked) else {
                continue;
            };
            requests.push(outcome.requests.into());
            let mut truth = field.closest(&target, 2);
            truth.retain(|index| *index != asked.node);
            let truth = truth.first().and_then(|index| field.world.id(*index));
            let named = |id| outcome.closest.iter().any(|one| one.id == id);
            right += usize::from(truth.is_some_and(named));
        }
        self.closest = percent(right, count);
        self.requests = mean(&requests);
        self.asked += count;
    }

    fn publishes(&mut self, authors: &[usize], version: u64) -> Vec<Published> {
        let named = authors.iter().zip(0..);
        let published: Vec<_> = named
            .map(|(author, name)| self.field.publish(*author, name, version))
            .collect();
        let asked: Vec<Asked> = published.iter().map(|one| one.asked).collect();
        self.field.wait(&asked);
        published
    }

    fn puts_and_finds(&mut self, count: usize) {
        let authors: Vec<usize> = (0..count).map(|_| self.field.random()).collect();
        let published = self.publishes(&authors, 1);
        self.first = self.finds(&published, Want::First).0;
        // The hostile keep what they were given, and offer it when there is a newer one.
        let gang = self.field.gang();
        for one in &published {
            let kept = self.field.world.host(one.author).and_then(Kad::dht);
            let kept = kept.map(|dht| dht.records(one.key)).unwrap_or_default();
            for record in kept {
                let envelope = record.envelope.into_inner();
                gang.borrow_mut().stale.insert(one.key, envelope);
            }
        }
        let published = self.publishes(&authors, 2);
        self.field.world.run_for(POISONING);
        (self.newest, self.stale) = self.finds(&published, Want::Newest);
    }

    /// How many are found as they were published last, and how many as they were before.
    fn finds(&mut self, published: &[Published], want: Want) -> (f64, usize) {
        let field = &mut self.field;
        let asked: Vec<Asked> = published
            .iter()
            .map(|one| {
                let node = field.random();
                field.find(node, one.key, want)
            })
            .collect();
        field.wait(&asked);
        let (mut right, mut stale) = (0, 0);
        let gang = field.gang();
        let gang = gang.borrow();
        for (one, asked) in published.iter().zip(&asked) {
            let replaced = gang.stale.get(&one.key).map(repute_protocol::Envelope::id);
            match field.found(*asked).last() {
                Some(record) if Some(record.envelope.id()) == replaced => stale += 1,
                Some(_) => right += 1,
                None => {}
            }
        }
        self.asked += asked.len();
        (percent(right, published.len()), stale)
    }

    fn figures(&self) -> Vec<Figure> {
        let field = &self.field;
        let gang = field.gang();
        let gang = gang.borrow();
        let honest = field.world.hosts().filter_map(|(_, kad)| kad.dht());
        let mut refused = 0;
        for dht in honest {
            let stats = dht.stats();
            refused += stats.refused.iter().sum::<u64>();
            refused += stats.refused_forged + stats.refused_foreign + stats.refused_older;
        }
        let fooled = field.world.hosts().map(|(_, kad)| kad.notes.fooled.len());
        let fooled = fooled.sum::<usize>();
        let ways = Flaw::ALL.iter().filter(|flaw| gang.sent.contains_key(flaw));
        let conducts = Conduct::ALL
            .iter()
            .filter(|one| gang.answers.contains_key(one));
        let (ways, conducts) = (ways.count() as f64, conducts.count() as f64);
        let accused = field.stats().accusations as f64;
        let false_ones = field.world.false_accusations().len() as f64;
        let most = Bar::AtLeast(99.0);
        vec![
            Figure::mean("closest honest found", self.closest, "%").bar(most),
            Figure::mean("records found", self.first, "%").bar(most),
            Figure::mean("newest found", self.newest, "%").bar(most),
            Figure::mean("requests of a lookup", self.requests, "requests"),
            Figure::sum("lookups", self.asked as f64, "lookups"),
            Figure::sum("replaced taken for newest", self.stale as f64, "records"),
            Figure::sum("R18 bad records sent", gang.sent_all() as f64, "records"),
            Figure::sum("R18 bad records refused", refused as f64, "records")
                .bar(Bar::AtLeast(1.0)),
            Figure::sum("R18 bad records accepted", fooled as f64, "records")
                .bar(Bar::Exactly(0.0)),
            Figure::min("ways to be bad", ways, "ways").bar(Bar::Exactly(Flaw::ALL.len() as f64)),
            Figure::min("ways to be hostile", conducts, "ways")
                .bar(Bar::Exactly(Conduct::ALL.len() as f64)),
            Figure::sum("accusations of the hostile", accused - false_ones, "times")
                .bar(Bar::AtLeast(1.0)),
            Figure::sum("honest accused", false_ones, "times").bar(Bar::Exactly(0.0)),
        ]
    }
}
