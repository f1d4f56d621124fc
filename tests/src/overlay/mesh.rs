use std::{cell::Ref, rc::Rc, time::Duration};

use repute_base::{Mono, Rng};
use repute_identity::Identity;
use repute_node::gossip::{Config, Limits};
use repute_sim::{Faults, World};

use super::{Counts, Graph, Ledger, Member, Told, member::Shared};
use crate::Tally;

/// Between two nodes that join.
const JOIN_PAUSE: Duration = Duration::from_millis(2);
/// Nodes from which shortest paths are measured.
const SOURCES: usize = 200;

/// How a network of members is set up.
#[derive(Clone)]
pub struct Plan {
    /// Policy of the engine.
    pub config: Config,
    /// Its bounds.
    pub limits: Limits,
    /// What the network does.
    pub faults: Faults,
    /// Links that a node keeps, the active view included.
    pub links_kept: usize,
}

impl Default for Plan {
    /// The policy that ships; bounds that let ten thousand nodes fit into memory; 1 to 10 ms from
    /// node to node; a dead node noticed when something is sent to it.
    fn default() -> Self {
        let limits = Limits {
            ids_max: 2_048,
            retained_count_max: 2_048,
            authors_max: 64,
            topic_authors_max: 64,
            ..Limits::default()
        };
        let mut faults = Faults::none();
        (faults.delay_ms_min, faults.delay_ms_max) = (1, 10);
        faults.jitter_ms_max = 1;
        faults.link_timeout_ms = 24 * 3_600_000;
        faults.refused_when_down = true;
        Self {
            config: Config::default(),
            limits,
            faults,
            links_kept: 8,
        }
    }
}

/// A network of members: grown one by one, each through a random earlier one.
pub struct Mesh {
    /// Where they live.
    pub world: World<Member>,
    /// The choices of the scenario: who publishes, who fails.
    pub rng: Rng,
    shared: Rc<Shared>,
    /// When this network parted from the one it was forked from, and what had happened by then.
    origin: Origin,
}

#[derive(Clone, Copy, Default)]
struct Origin {
    at: Mono,
    published: usize,
    crashes: u64,
}

impl Mesh {
    /// A network of `nodes` that have all joined.
    pub fn grown(seed: u64, nodes: usize, plan: &Plan) -> Self {
        let mut mesh = Self {
            world: World::new(seed, plan.faults.clone()),
            rng: Rng::from_u64(seed ^ 0x9e37_79b9_7f4a_7c15),
            shared: Rc::new(Shared::new(plan.links_kept)),
            origin: Origin::default(),
        };
        for n in 0..nodes {
            let who = seed.wrapping_mul(1_000_003) + n as u64;
            let shared = Rc::clone(&mesh.shared);
            let index = mesh.world.add(Identity::from_seed(who).id(), |seat| {
                Member::new(seat, who, plan.config.clone(), plan.limits.clone(), shared)
            });
            let contact = mesh.rng.below(n as u64) as usize;
            if let Some(contact) = mesh.world.address(contact).filter(|_| n > 0) {
                mesh.world
                    .act(index, |member, _, out| member.join(contact, out));
            }
            mesh.world.run_for(JOIN_PAUSE);
        }
        mesh
    }

    /// The same network a second time, to try something else on it. What it publishes is noted
    /// in the same ledger, under numbers of its own.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            world: self.world.fork(),
            rng: self.rng.clone(),
            shared: Rc::clone(&self.shared),
            origin: Origin {
                at: self.world.now(),
                published: self.published(),
                crashes: self.world.stats().crashes,
            },
        }
    }

    /// How many nodes are up.
    pub fn alive(&self) -> usize {
        self.world.hosts().count()
    }

    /// A random node that is up.
    pub fn random(&mut self) -> Option<usize> {
        let alive: Vec<usize> = self.world.hosts().map(|(index, _)| index).collect();
        self.rng.choose(&alive).copied()
    }

    /// A node publishes. Returns the number of the message, if the node is up.
    pub fn publish(&mut self, index: usize) -> Option<usize> {
        self.world
            .act(index, |member, now, out| member.publish(now, out))
    }

    /// `count` messages from random nodes that are up, one each `pause`.
    pub fn publish_some(&mut self, count: usize, pause: Duration) {
        let alive: Vec<usize> = self.world.hosts().map(|(index, _)| index).collect();
        for _ in 0..count {
            if let Some(index) = self.rng.choose(&alive).copied() {
                self.publish(index);
            }
            self.world.run_for(pause);
        }
    }

    /// Stops `count` random nodes dead, all at once.
    pub fn fail(&mut self, count: usize) {
        let alive: Vec<usize> = self.world.hosts().map(|(index, _)| index).collect();
        for index in self.rng.sample(&alive, count) {
            self.world.crash(index);
        }
    }

    /// Messages published so far: the number of the next.
    pub fn published(&self) -> usize {
        self.shared.ledger.borrow().len()
    }

    /// What became of the messages from a number on.
    pub(crate) fn told(&self, since: usize) -> Ref<'_, [Told]> {
        Ref::map(self.shared.ledger.borrow(), |ledger: &Ledger| {
            ledger.since(since)
        })
    }

    /// The share of the nodes now up, in per cent, that have each message from a number on.
    pub fn reliability(&self, since: usize) -> Vec<f64> {
        let alive: Vec<usize> = self.world.hosts().map(|(index, _)| index).collect();
        let share = |told: &Told| {
            let have = alive.iter().filter(|index| told.has(**index)).count();
            100.0 * have as f64 / (alive.len() as f64).max(1.0)
        };
        self.told(since).iter().map(share).collect()
    }

    /// What came over all links so far.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// The graph of the active views, as lists over the nodes that are up.
    pub fn graph(&self) -> Graph {
        let mut place = vec![usize::MAX; self.world.len()];
        for (at, (index, _)) in self.world.hosts().enumerate() {
            if let Some(place) = place.get_mut(index) {
                *place = at;
            }
        }
        let lists = self.world.hosts().map(|(_, member)| {
            let known = member.active().into_iter();
            let at = known.filter_map(|id| place.get(self.world.index_of(&id)?).copied());
            at.filter(|at| *at != usize::MAX).collect()
        });
        Graph::new(lists.collect())
    }

    /// Shortest paths over the active views.
    pub fn paths(&mut self) -> super::graph::Paths {
        self.graph().paths(SOURCES, &mut self.rng)
    }

    /// Broken promises so far: deliveries twice or of nothing, and accusations, all of which are
    /// false because everybody is honest.
    pub fn breaches(&self) -> Vec<String> {
        let mut breaches: Vec<String> = self
            .world
            .false_accusations()
            .iter()
            .map(|accusation| format!("honest accused: {accusation:?}"))
            .collect();
        let wrong = self.shared.ledger.borrow().breaches;
        if wrong > 0 {
            breaches.push(format!("{wrong} deliveries twice or of nothing published"));
        }
        breaches
    }

    /// How much was simulated, since it was forked. Asked before the next fork publishes.
    pub fn tally(&self) -> Tally {
        let told = self.told(self.origin.published);
        Tally {
            simulated: self.world.now().since(self.origin.at),
            crashes: self.world.stats().crashes - self.origin.crashes,
            deliveries: told.iter().map(|told| told.count).sum(),
        }
    }
}
