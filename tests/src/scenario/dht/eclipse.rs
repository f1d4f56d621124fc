use std::{collections::BTreeSet, time::Duration};

use core::net::Ipv4Addr;
use repute_base::Address;
use repute_identity::{Identity, NodeId};
use repute_node::dht::{Config, Want};
use repute_protocol::RecordKey;
use repute_sim::Trace;

use super::{
    super::Scenario,
    field::{Asked, Field, percent},
    kad::Kad,
    liar::Conduct,
    stock::id_near,
};
use crate::{Bar, Figure, Outcome, Tally};

/// R19, as far as the DHT's table is concerned: a fifth of all ids, in eight networks, wants to be
/// all that one node knows; then thousands of ids of one network do.
pub const DHT_ECLIPSE: Scenario = Scenario::new(
    "dht-eclipse",
    "R19: 20 % hostile ids in eight /24 networks around one table; thousands of ids of one prefix",
    run,
)
.nodes(50)
.nodes_min(20)
.seeds(20)
.full(100, 1_000);

/// The networks of the hostile.
const NETWORKS: usize = 8;
/// How often each hostile node knocks.
const KNOCK: Duration = Duration::from_secs(2);
/// How long a newcomer has to find its place.
const GROWING: Duration = Duration::from_secs(30);
/// How long the attack goes on, before and after the restart; contacts are stored meanwhile.
const SIEGE: Duration = Duration::from_secs(330);
/// How often the table is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Honest entries that the victim must keep.
const HONEST_MIN: usize = 2;
/// Ids of one prefix for each node.
const SWARM_OF_A_NODE: usize = 40;
/// How long they come.
const SWARMING: Duration = Duration::from_secs(60);

const KEPT: &str = "R19 two honest entries kept";
const BETRAYED: &str = "R19 kept with a hostile ticket of two";

/// What a siege came to.
struct Kept {
    /// The fewest honest entries, before and after the restart.
    fewest: [usize; 2],
    honest: usize,
    hostile: usize,
    /// Links of hostile nodes with the victim, at the end.
    knocked: usize,
    /// Lookups of the victim that found an honest node by its id, in per cent.
    reached: f64,
    restored: usize,
    field: Field,
}

impl Kept {
    fn holds(&self) -> bool {
        self.fewest.iter().all(|fewest| *fewest >= HONEST_MIN)
    }
}

/// Who is hostile, by id.
fn hostile_ids(field: &Field) -> BTreeSet<NodeId> {
    let gang = field.gang();
    let members = gang.borrow();
    members.members.iter().map(|(id, _)| *id).collect()
}

/// Honest and hostile entries of a table.
fn entries(field: &Field, index: usize) -> (usize, usize) {
    let hostile = hostile_ids(field);
    let contacts = field.world.host(index).and_then(Kad::dht);
    let contacts = contacts.map(|dht| dht.contacts()).unwrap_or_default();
    let bad = contacts.iter().filter(|one| hostile.contains(&one.id));
    let bad = bad.count();
    (contacts.len() - bad, bad)
}

/// The fewest honest entries that a table had meanwhile.
fn watch(field: &mut Field, victim: usize, time: Duration) -> usize {
    let mut fewest = usize::MAX;
    for _ in 0..time.as_secs() / LOOK.as_secs() {
        field.world.run_for(LOOK);
        fewest = fewest.min(entries(field, victim).0);
    }
    fewest
}

/// An id that the node of this place in the world will have.
fn id_of(seed: u64, index: usize) -> NodeId {
    Identity::from_seed(seed.wrapping_mul(1_000_003) + index as u64).id()
}

/// A newcomer joins through the node that everybody knows and, if `betrayed`, was given a hostile
/// ticket besides.
fn besiege(seed: u64, nodes: usize, betrayed: bool) -> Kept {
    let mut field = Field::new(seed, Config::default());
    let mut left = nodes / 5;
    let mut order: Vec<bool> = (1..nodes - 1).map(|n| n <= nodes / 5).collect();
    field.rng.shuffle(&mut order);
    let target = id_of(seed, nodes - 1);
    // The first is honest; everybody joins through it.
    field.join(0);
    for hostile in order {
        if hostile {
            left -= 1;
            // Half of them chose ids next to the victim's.
            let bits = if left.is_multiple_of(2) {
                0
            } else {
                4 + left % 16
            };
            let id = id_near(target.as_bytes(), bits, &mut field.rng);
            let address = address_of(left % NETWORKS, left / NETWORKS);
            let known = field.honest();
            let known = field.rng.sample(&known, 8);
            let conduct = (Conduct::Colludes, Some(KNOCK));
            field.add_liar(id, Some(address), conduct, &known);
        } else {
            field.join_by(&[0]);
        }
        field.world.run_for(Duration::from_millis(100));
    }
    field.world.run_for(GROWING);

    let liar = (0..field.world.len()).find(|index| field.is_hostile(*index));
    let tickets: Vec<usize> = [0].into_iter().chain(liar.filter(|_| betrayed)).collect();
    let victim = field.join_by(&tickets);
    let ticket = field.ticket(victim);
    field.gang().borrow_mut().victim = ticket;
    field.world.run_for(GROWING);
    let before = watch(&mut field, victim, SIEGE);

    // It dies at any moment and comes back from its store, while the hostile stand at the door.
    let pause = Duration::from_millis(field.rng.below(60_000));
    field.world.run_for(pause);
    let mut restored = 0;
    let dead = field.world.crash(victim);
    field.world.run_for(Duration::from_secs(5));
    if let Some(dead) = dead {
        restored = dead.role.shelf.len();
        field.world.restart(victim, |seat| dead.reborn(seat));
    }
    let after = watch(&mut field, victim, GROWING + SIEGE);
    let (honest, hostile) = entries(&field, victim);
    let reached = reached(&mut field, victim);
    let liars: Vec<usize> = (0..field.world.len())
        .filter(|index| field.is_hostile(*index))
        .collect();
    let knocked = liars
        .into_iter()
        .filter(|liar| field.world.are_linked(victim, *liar))
        .count();
    Kept {
        fewest: [before, after],
        honest,
        hostile,
        knocked,
        reached,
        restored,
        field,
    }
}

/// Eight /24 networks far apart, so that only their number holds them back.
fn address_of(network: usize, host: usize) -> Address {
    let network = u8::try_from(network).unwrap_or(0);
    let [high, low] = u16::try_from(host).unwrap_or(0).to_be_bytes();
    let ip = Ipv4Addr::new(20 + network, 30 + network, 40, low.max(1));
    Address::new((ip, 4_000 + u16::from(high)).into())
}

/// How many honest nodes a node finds by their ids.
fn reached(field: &mut Field, from: usize) -> f64 {
    let honest = field.honest();
    let wanted: Vec<usize> = field.rng.sample(&honest, 20);
    let asked: Vec<(Asked, NodeId)> = wanted
        .into_iter()
        .filter(|index| *index != from)
        .filter_map(|index| {
            let id = field.world.id(index)?;
            Some((field.lookup(from, RecordKey::of_node(&id)), id))
        })
        .collect();
    let all: Vec<Asked> = asked.iter().map(|(asked, _)| *asked).collect();
    field.wait(&all);
    let found = asked.iter().filter(|(asked, id)| {
        let outcome = field.outcome(*asked);
        outcome.is_some_and(|outcome| outcome.closest.iter().any(|one| one.id == *id))
    });
    percent(found.count(), asked.len())
}

/// What a swarm of ids of one prefix came to.
struct Swarm {
    ids: usize,
    linked: usize,
    entries: usize,
    fullest: usize,
    honest: usize,
    /// Records whose key the swarm sits around that are found, in per cent.
    found: f64,
    field: Field,
}

/// Thousands of ids of one /24: half of them next to one node, half next to one record.
fn swarm(seed: u64, nodes: usize) -> Swarm {
    let mut field = Field::grown(seed ^ 1, nodes, Config::default());
    let (victim, author) = (field.random(), field.random());
    let published = field.publish(author, 0, 0);
    field.wait(&[published.asked]);
    let target = field.world.id(victim);
    let ids = nodes * SWARM_OF_A_NODE;
    for nth in 0..ids {
        let near_record = nth % 2 == 1;
        let place = match target.filter(|_| !near_record) {
            Some(id) => *id.as_bytes(),
            None => *published.key.as_bytes(),
        };
        let id = id_near(&place, nth % 24, &mut field.rng);
        let known = if near_record {
            let around = field.closest(&published.key, 20);
            field.rng.sample(&around, 4)
        } else {
            vec![victim]
        };
        let conduct = (Conduct::Colludes, None);
        field.add_liar(id, Some(address_of(0, nth)), conduct, &known);
        field
            .world
            .run_for(SWARMING / u32::try_from(ids).unwrap_or(1));
    }
    field.world.run_for(GROWING);
    let honest = field.honest();
    let asked: Vec<Asked> = honest
        .iter()
        .map(|node| field.find(*node, published.key, Want::First))
        .collect();
    field.wait(&asked);
    let found = asked
        .iter()
        .filter(|one| field.found(**one).next().is_some());
    let found = percent(found.count(), asked.len());
    let (honest, entries) = entries(&field, victim);
    let linked = (0..field.world.len()).filter(|index| field.is_hostile(*index));
    let linked = linked
        .filter(|liar| field.world.are_linked(victim, *liar))
        .count();
    Swarm {
        ids,
        linked,
        entries,
        fullest: fullest(&field, victim),
        honest,
        found,
        field,
    }
}

/// The most hostile entries of one bucket.
fn fullest(field: &Field, index: usize) -> usize {
    let hostile = hostile_ids(field);
    let Some((me, dht)) = field
        .world
        .id(index)
        .zip(field.world.host(index).and_then(Kad::dht))
    else {
        return 0;
    };
    let mut buckets = std::collections::BTreeMap::<u32, usize>::new();
    for one in dht
        .contacts()
        .iter()
        .filter(|one| hostile.contains(&one.id))
    {
        let xor = super::stock::distance(&one.id, me.as_bytes());
        let bits: u32 = match xor.iter().position(|byte| *byte != 0) {
            Some(at) => {
                let byte = xor.get(at).copied().unwrap_or(0);
                u32::try_from(at).unwrap_or(32) * 8 + byte.leading_zeros()
            }
            None => 256,
        };
        *buckets.entry(bits).or_default() += 1;
    }
    buckets.into_values().max().unwrap_or(0)
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let kept = besiege(seed, nodes, false);
    let betrayed = besiege(seed, nodes, true);
    let swarm = swarm(seed, nodes);
    let (mut trace, mut tally) = (Trace::new(seed), Tally::default());
    let mut breaches = Vec::new();
    for field in [&kept.field, &betrayed.field, &swarm.field] {
        trace.join(&field.world.trace_hash());
        tally += field.tally();
        breaches.extend(field.breaches());
    }
    let found = Figure::sum("broken promises", breaches.len() as f64, "times");
    let mut figures = siege_figures(&kept, &betrayed);
    figures.extend(swarm_figures(&swarm));
    figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures,
        breaches,
        trace: trace.hash(),
        tally,
    }
}

fn siege_figures(kept: &Kept, betrayed: &Kept) -> Vec<Figure> {
    let share = |kept: &Kept| 100.0 * f64::from(kept.holds());
    let [before, after] = kept.fewest.map(|fewest| fewest as f64);
    let [late, later] = betrayed.fewest.map(|fewest| fewest as f64);
    let happened = Bar::AtLeast(1.0);
    let (knocked, restored) = (kept.knocked as f64, kept.restored as f64);
    vec![
        Figure::mean(KEPT, share(kept), "% of seeds").bar(Bar::AtLeast(99.9)),
        Figure::min("fewest honest entries", before, "nodes"),
        Figure::min("fewest after the restart", after, "nodes"),
        Figure::mean("honest entries at the end", kept.honest as f64, "nodes"),
        Figure::mean("hostile entries at the end", kept.hostile as f64, "nodes"),
        Figure::min("hostile links with the victim", knocked, "links").bar(happened),
        Figure::min("contacts that outlived the crash", restored, "nodes").bar(happened),
        Figure::mean("honest nodes found by id", kept.reached, "%"),
        Figure::mean(BETRAYED, share(betrayed), "% of seeds").bar(Bar::AtLeast(99.9)),
        Figure::min("fewest with a hostile ticket", late, "nodes"),
        Figure::min("fewest with it, after the restart", later, "nodes"),
        Figure::mean("found by id, with a hostile ticket", betrayed.reached, "%"),
    ]
}

fn swarm_figures(swarm: &Swarm) -> Vec<Figure> {
    let config = Config::default();
    let (table, bucket) = (
        config.table_prefix_max as f64,
        config.bucket_prefix_max as f64,
    );
    let (ids, linked) = (swarm.ids as f64, swarm.linked as f64);
    let honest = Bar::AtLeast(HONEST_MIN as f64);
    vec![
        Figure::min("one prefix: ids", ids, "nodes"),
        Figure::min(
            "one prefix: of these linked with the victim",
            linked,
            "links",
        )
        .bar(Bar::AtLeast(ids / 4.0)),
        Figure::max(
            "one prefix: entries of its table",
            swarm.entries as f64,
            "nodes",
        )
        .bar(Bar::AtMost(table)),
        Figure::max(
            "one prefix: entries of one bucket",
            swarm.fullest as f64,
            "nodes",
        )
        .bar(Bar::AtMost(bucket)),
        Figure::min(
            "one prefix: honest entries left",
            swarm.honest as f64,
            "nodes",
        )
        .bar(honest),
        Figure::mean("one prefix: record found", swarm.found, "%").bar(Bar::AtLeast(99.0)),
    ]
}
