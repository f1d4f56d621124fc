use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use core::net::Ipv4Addr;
use repute_base::{Address, Mono, Rng};
use repute_identity::{Identity, NodeId};
use repute_node::peers::Config;
use repute_sim::{Faults, Trace, TraceHash, World};

use super::Scenario;
use crate::{
    Bar, Figure, Outcome, Tally,
    overlay::{Gang, Linker, Role},
    verdicts::Verdicts,
};

/// R19: a fifth of all ids, in eight networks, wants to be all that one node sees.
pub const ECLIPSE: Scenario = Scenario::new(
    "eclipse",
    "R19: 20 % hostile ids in eight /24 networks around one node; honest outbound links stay",
    run,
)
.nodes(50)
.nodes_min(20)
.seeds(50)
.full(100, 1_000);

/// The networks of the hostile.
const NETWORKS: u8 = 8;
/// How long the network grows, and then a newcomer in it.
const GROWING: Duration = Duration::from_secs(30);
/// How long the attack goes on, before and after the restart.
const SIEGE: Duration = Duration::from_secs(180);
/// Honest links of its own choosing that the victim must keep.
const HONEST_MIN: usize = 2;

const KEPT: &str = "R19 two honest outbound links kept";
const BETRAYED: &str = "R19 kept with a hostile ticket of two";

struct Siege {
    world: World<Linker>,
    rng: Rng,
    hostile: BTreeSet<NodeId>,
    gang: Rc<RefCell<Gang>>,
    verdicts: Verdicts,
    seed: u64,
}

impl Siege {
    fn new(seed: u64) -> Self {
        let mut faults = Faults::none();
        faults.refused_when_down = true;
        Self {
            world: World::new(seed, faults),
            rng: Rng::from_u64(seed ^ 0x9e37_79b9_7f4a_7c15),
            hostile: BTreeSet::new(),
            gang: Rc::default(),
            verdicts: Verdicts::default(),
            seed,
        }
    }

    fn add(&mut self, hostile: bool, tickets: Vec<(NodeId, Address)>) -> usize {
        let n = self.world.len() as u64;
        let who = self.seed.wrapping_mul(1_000_003) + n;
        let id = Identity::from_seed(who).id();
        let mut role = Role {
            who,
            config: Config::default(),
            tickets,
            shelf: Default::default(),
            verdicts: self.verdicts.clone(),
            gang: None,
        };
        if !hostile {
            return self.world.add(id, |seat| Linker::new(seat, role));
        }
        // Eight /24 networks far apart, so that only their number holds them back.
        let network = (self.hostile.len() % usize::from(NETWORKS)) as u8;
        let host = (self.hostile.len() / usize::from(NETWORKS)) as u8;
        let ip = Ipv4Addr::new(20 + network, 30 + network, 40, host + 1);
        let address = Address::new((ip, 4_000).into());
        role.gang = Some(Rc::clone(&self.gang));
        let index = self
            .world
            .add_at(id, address, |seat| Linker::new(seat, role));
        self.world.mark_hostile(index);
        self.hostile.insert(id);
        self.gang.borrow_mut().members.push((id, address));
        index
    }

    fn ticket(&self, index: usize) -> Option<(NodeId, Address)> {
        Some((self.world.id(index)?, self.world.address(index)?))
    }

    /// The links that a node has chosen itself, honest and hostile, and the hostile among the rest.
    fn links(&self, index: usize) -> (usize, usize, usize) {
        let Some(host) = self.world.host(index) else {
            return (0, 0, 0);
        };
        let (mut honest, mut hostile, mut inbound_hostile) = (0, 0, 0);
        for (peer, inbound) in host.active() {
            match (inbound, self.hostile.contains(&peer)) {
                (false, false) => honest += 1,
                (false, true) => hostile += 1,
                (true, true) => inbound_hostile += 1,
                (true, false) => {}
            }
        }
        (honest, hostile, inbound_hostile)
    }

    /// The fewest honest links of its own that the victim had, second by second.
    fn watch(&mut self, victim: usize, time: Duration) -> usize {
        let mut fewest = usize::MAX;
        for _ in 0..time.as_secs() {
            self.world.run_for(Duration::from_secs(1));
            fewest = fewest.min(self.links(victim).0);
        }
        fewest
    }
}

/// What a siege came to.
struct Kept {
    /// The fewest honest links of its own choosing, before and after the restart.
    fewest: [usize; 2],
    /// At the end.
    honest: usize,
    chosen_hostile: usize,
    /// Links that the hostile got by knocking, before and after.
    knocked: [usize; 2],
    known: usize,
    breaches: Vec<String>,
    trace: TraceHash,
    tally: Tally,
}

impl Kept {
    fn holds(&self) -> bool {
        self.fewest.iter().all(|fewest| *fewest >= HONEST_MIN)
    }
}

/// A newcomer joins through the node that everybody knows and, if `betrayed`, was given a hostile
/// ticket besides.
fn besiege(seed: u64, nodes: usize, betrayed: bool) -> Kept {
    let mut siege = Siege::new(seed);
    let hostile = nodes / 5;
    let mut order: Vec<bool> = (1..nodes - 1).map(|n| n <= hostile).collect();
    siege.rng.shuffle(&mut order);
    // The first is honest; everybody joins through it.
    siege.add(false, Vec::new());
    for hostile in order {
        let ticket = siege.ticket(0);
        siege.add(hostile, ticket.into_iter().collect());
        siege.world.run_for(Duration::from_millis(20));
    }
    siege.world.run_for(GROWING);

    let liar = siege.gang.borrow().members.first().copied();
    let liar = liar.filter(|_| betrayed);
    let tickets = siege.ticket(0).into_iter().chain(liar).collect();
    let victim = siege.add(false, tickets);
    siege.gang.borrow_mut().victim = siege.ticket(victim);
    siege.world.run_for(GROWING);
    let before = siege.watch(victim, SIEGE);
    let (_, _, knocked) = siege.links(victim);

    // It dies at any moment and comes back from its store, while the hostile stand at the door.
    let pause = Duration::from_millis(siege.rng.below(60_000));
    siege.world.run_for(pause);
    let dead = siege.world.crash(victim);
    siege.world.run_for(Duration::from_secs(5));
    if let Some(dead) = dead {
        siege.world.restart(victim, |seat| dead.reborn(seat));
    }
    siege.world.run_for(GROWING);
    let after = siege.watch(victim, SIEGE);
    let (honest, chosen_hostile, knocked_after) = siege.links(victim);
    let accusations = siege.world.false_accusations();
    Kept {
        fewest: [before, after],
        honest,
        chosen_hostile,
        knocked: [knocked, knocked_after],
        known: siege.world.host(victim).map_or(0, Linker::known),
        breaches: accusations
            .iter()
            .map(|one| format!("honest accused: {one:?}"))
            .collect(),
        trace: siege.world.trace_hash(),
        tally: Tally {
            simulated: siege.world.now().since(Mono::ZERO),
            crashes: siege.world.stats().crashes,
            deliveries: 0,
        },
    }
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let kept = besiege(seed, nodes, false);
    let betrayed = besiege(seed, nodes, true);
    let mut trace = Trace::new(seed);
    trace.join(&kept.trace);
    trace.join(&betrayed.trace);
    let mut tally = kept.tally;
    tally += betrayed.tally;
    let breaches: Vec<String> = kept
        .breaches
        .iter()
        .chain(&betrayed.breaches)
        .cloned()
        .collect();
    let found = Figure::sum("broken promises", breaches.len() as f64, "times");
    let [before, after] = kept.fewest.map(|links| links as f64);
    let [late, later] = betrayed.fewest.map(|links| links as f64);
    let [knocked, knocked_after] = kept.knocked.map(|links| links as f64);
    let share = |kept: &Kept| 100.0 * f64::from(kept.holds());
    let happened = Bar::AtLeast(1.0);
    Outcome {
        figures: vec![
            Figure::mean(KEPT, share(&kept), "% of seeds").bar(Bar::AtLeast(99.9)),
            Figure::min("fewest honest outbound links", before, "links"),
            Figure::min("fewest after the restart", after, "links"),
            Figure::mean(
                "honest outbound links at the end",
                kept.honest as f64,
                "links",
            ),
            Figure::mean(
                "hostile outbound links at the end",
                kept.chosen_hostile as f64,
                "links",
            ),
            Figure::min("hostile inbound links, before", knocked, "links").bar(happened),
            Figure::min("hostile inbound links, after", knocked_after, "links").bar(happened),
            Figure::mean("known to the victim", kept.known as f64, "nodes"),
            Figure::mean(BETRAYED, share(&betrayed), "% of seeds").bar(Bar::AtLeast(99.9)),
            Figure::min("fewest with a hostile ticket", late, "links"),
            Figure::min("fewest with it, after the restart", later, "links"),
            found.bar(Bar::Exactly(0.0)),
        ],
        breaches,
        trace: trace.hash(),
        tally,
    }
}
