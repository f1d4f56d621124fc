use std::{collections::BTreeMap, time::Duration};

use repute_base::{Address, Mono, Rng};
use repute_identity::{Identity, NodeId};
use repute_node::{Command, Config, trust::ReceiptsInput};
use repute_protocol::{MessageId, Outcome as Failure, Service, Topic};
use repute_sim::{Faults, Seat, World};

use crate::{
    Adversary, CoreHost, Outcome,
    attack::{Gang, Hostile},
    canary::{Canary, Planted},
    disk::Disk,
    host::Plan,
    outcome::{Bar, Figure, Tally},
    verdicts::Verdicts,
};

/// What the nodes of a network have in common.
#[derive(Clone)]
pub struct Setup {
    /// Policy and bounds.
    pub config: Config,
    /// Whether disks keep what is written. Without it a network of a thousand fits into memory,
    /// and nothing may crash.
    pub durable: bool,
    /// Whether nodes keep every frame that they hear.
    pub record: bool,
    /// A bug that every node has, to see that it is found.
    pub canary: Option<Canary>,
    /// Whether nodes answer requests of the DHT.
    pub serves_dht: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: Config::on_network("simulated"),
            durable: true,
            record: false,
            canary: None,
            serves_dht: false,
        }
    }
}

/// A message and its origin.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// When, on the world's clock.
    pub at: Mono,
    /// Which node.
    pub by: usize,
}

/// What one more node is made of.
struct Newcomer {
    config: Config,
    tickets: Vec<(NodeId, Address)>,
    address: Option<Address>,
    adversary: Option<Box<dyn Adversary>>,
}

/// Whole nodes in one world, joined through the first.
pub struct Network {
    /// Where they live.
    pub world: World<CoreHost>,
    /// The choices of the scenario itself: who publishes, who crashes.
    pub rng: Rng,
    plan: Plan,
    durable: bool,
    identities: Vec<Identity>,
    hostile: Vec<usize>,
    gang: Gang,
    messages: u64,
}

impl Network {
    /// No nodes yet.
    pub fn new(seed: u64, faults: Faults, setup: Setup) -> Self {
        let mut world = World::new(seed, faults);
        world.restart_with(|seat, dead: CoreHost| dead.reborn(seat).expect("was alive before"));
        Self {
            world,
            rng: Rng::from_u64(seed ^ 0x9e37_79b9_7f4a_7c15),
            plan: Plan {
                identity: Identity::from_seed(0),
                config: setup.config,
                topic: Topic::new("news").expect("short"),
                tickets: Vec::new(),
                verdicts: Verdicts::default(),
                record: setup.record,
                serves_dht: setup.serves_dht,
                planted: Planted::new(setup.canary),
            },
            durable: setup.durable,
            identities: Vec::new(),
            hostile: Vec::new(),
            gang: Gang::default(),
            messages: 0,
        }
    }

    /// A network of `nodes`, one more each 20 ms, all joined through the first.
    pub fn grown(seed: u64, faults: Faults, setup: Setup, nodes: usize) -> Self {
        let mut network = Self::new(seed, faults, setup);
        for _ in 0..nodes {
            network.add();
            network.world.run_for(Duration::from_millis(20));
        }
        network
    }

    /// One more honest node. Returns its index.
    pub fn add(&mut self) -> usize {
        self.add_with(Newcomer {
            config: self.plan.config.clone(),
            tickets: self.ticket().into_iter().collect(),
            address: None,
            adversary: None,
        })
    }

    /// One more honest node, that was told of these.
    pub fn add_knowing(&mut self, known: &[usize]) -> usize {
        let tickets = self.tickets(known);
        self.add_with(Newcomer {
            config: self.plan.config.clone(),
            tickets,
            address: None,
            adversary: None,
        })
    }

    /// One more honest node, with a policy of its own.
    pub fn add_as(&mut self, config: Config) -> usize {
        self.add_with(Newcomer {
            config,
            tickets: self.ticket().into_iter().collect(),
            address: None,
            adversary: None,
        })
    }

    /// Who the node of this index is, or will be.
    pub fn id_of(&self, index: usize) -> NodeId {
        self.identity_of(index as u64).id()
    }

    fn identity_of(&self, n: u64) -> Identity {
        Identity::from_seed(self.world.seed().wrapping_mul(1_000_003) + n)
    }

    /// One more node, a hostile one, that joins as the others do.
    pub fn add_hostile(&mut self, adversary: Box<dyn Adversary>) -> usize {
        self.add_with(Newcomer {
            config: self.plan.config.clone(),
            tickets: self.ticket().into_iter().collect(),
            address: None,
            adversary: Some(adversary),
        })
    }

    /// One more node, a hostile one with a policy of its own that dials these victims itself;
    /// at an address, or anywhere.
    pub fn add_sybil(
        &mut self,
        adversary: Box<dyn Adversary>,
        config: Config,
        victims: &[usize],
        address: Option<Address>,
    ) -> usize {
        let tickets = self.tickets(victims);
        self.add_with(Newcomer {
            config,
            tickets,
            address,
            adversary: Some(adversary),
        })
    }

    fn add_with(&mut self, newcomer: Newcomer) -> usize {
        let n = self.world.len() as u64;
        let identity = self.identity_of(n);
        let id = identity.id();
        self.identities.push(identity.clone());
        let Newcomer {
            config,
            tickets,
            address,
            adversary,
        } = newcomer;
        let network = config.network;
        let plan = Plan {
            identity: identity.clone(),
            config,
            tickets,
            ..self.plan.clone()
        };
        let disk = if self.durable && adversary.is_none() {
            Disk::default().planted(plan.planted.clone())
        } else {
            Disk::forgetful()
        };
        let is_hostile = adversary.is_some();
        let gang = self.gang.clone();
        let make = |seat: Seat| {
            let (address, now) = (seat.address, seat.now);
            let host = CoreHost::new(seat, plan, disk).expect("the configuration is sound");
            let Some(adversary) = adversary else {
                return host;
            };
            gang.enlist(&identity, address, network, now);
            host.possessed(Hostile::new(adversary, gang))
        };
        let index = match address {
            Some(address) => self.world.add_at(id, address, make),
            None => self.world.add(id, make),
        };
        if is_hostile {
            self.world.mark_hostile(index);
            self.hostile.push(index);
        }
        index
    }

    fn tickets(&self, known: &[usize]) -> Vec<(NodeId, Address)> {
        let ticket = |index: &usize| Some((self.world.id(*index)?, self.world.address(*index)?));
        known.iter().filter_map(ticket).collect()
    }

    fn ticket(&self) -> Option<(NodeId, Address)> {
        Some((self.world.id(0)?, self.world.address(0)?))
    }

    /// Stops a node dead and starts it again after `down`, from its disk alone.
    pub fn crash_for(&mut self, index: usize, down: Duration) {
        let dead = self.world.crash(index);
        self.world.run_for(down);
        if let Some(dead) = dead {
            self.world
                .restart(index, |seat| dead.reborn(seat).expect("was alive before"));
        }
    }

    /// A node publishes a new message. `false` if it is down.
    pub fn publish(&mut self, index: usize) -> bool {
        self.publish_sized(index, 0)
    }

    /// A node publishes a new message of at least so many bytes. `false` if it is down.
    pub fn publish_sized(&mut self, index: usize, bytes: usize) -> bool {
        self.messages += 1;
        let mut data = format!("message {}", self.messages).into_bytes();
        data.resize(data.len().max(bytes), b'.');
        self.world
            .act(index, |host, now, out| host.publish(now, data.into(), out))
            .is_some()
    }

    /// `count` messages from random honest nodes that are up, one each `pause`.
    pub fn publish_some(&mut self, count: usize, pause: Duration) {
        for _ in 0..count {
            if let Some(index) = self.random_honest() {
                self.publish(index);
            }
            self.world.run_for(pause);
        }
    }

    /// The operator of a node bans somebody for ever.
    pub fn ban(&mut self, index: usize, subject: NodeId) {
        self.world
            .act(index, |host, now, out| host.ban(now, subject, out));
    }

    /// The operator of a node recommends somebody, from −100 (warn) to 100.
    pub fn recommend(&mut self, index: usize, subject: NodeId, value: i8) {
        self.world.act(index, |host, now, out| {
            host.recommend(now, (subject, value), out);
        });
    }

    /// The operator of a node withdraws a source of recommendations.
    pub fn withdraw(&mut self, index: usize, source: NodeId) {
        self.world
            .act(index, |host, now, out| host.withdraw(now, source, out));
    }

    /// What a node thinks of somebody, from 0 to 1; nothing while it is down.
    pub fn trust(&self, index: usize, subject: NodeId) -> Option<f64> {
        let mut honest = self.honest();
        let found = honest.find(|(at, _)| *at == index);
        found.map(|(_, host)| host.trust_in(subject))
    }

    /// The application of a node says that a peer failed it.
    pub fn complain(&mut self, index: usize, peer: NodeId, service: Service, kind: Failure) {
        let failed = ReceiptsInput::Failed {
            peer,
            service,
            kind,
        };
        self.tell_receipts(index, failed);
    }

    /// A node asks another for what it has about a third.
    pub fn ask_about(&mut self, index: usize, peer: NodeId, subject: NodeId) {
        self.tell_receipts(index, ReceiptsInput::Ask { peer, subject });
    }

    fn tell_receipts(&mut self, index: usize, input: ReceiptsInput) {
        self.world.act(index, |host, now, out| {
            host.command(now, Command::Receipts(input), out);
        });
    }

    /// Any honest node that is up.
    pub fn random_honest(&mut self) -> Option<usize> {
        let honest: Vec<_> = self.honest().map(|(index, _)| index).collect();
        self.rng.choose(&honest).copied()
    }

    /// The honest nodes that are up.
    pub fn honest(&self) -> impl Iterator<Item = (usize, &CoreHost)> {
        self.world
            .hosts()
            .filter(|(index, _)| self.hostile.binary_search(index).is_err())
    }

    /// The hostile nodes that are up.
    pub fn hostile(&self) -> impl Iterator<Item = (usize, &CoreHost)> {
        let up = |index: &usize| Some((*index, self.world.host(*index)?));
        self.hostile.iter().filter_map(up)
    }

    /// Whether a node is hostile.
    pub fn is_hostile(&self, id: &NodeId) -> bool {
        let index = self.world.index_of(id);
        index.is_some_and(|index| self.is_hostile_index(index))
    }

    /// Whether the node with this index is hostile.
    pub fn is_hostile_index(&self, index: usize) -> bool {
        self.hostile.binary_search(&index).is_ok()
    }

    /// How often hostile nodes did something.
    pub fn deeds(&self, what: &str) -> u64 {
        self.hostile().map(|(_, host)| host.deeds(what)).sum()
    }

    /// Everything that nodes now up have published.
    pub fn published(&self) -> BTreeMap<MessageId, Published> {
        let of = |(by, host): (usize, &CoreHost)| {
            let messages = host.app.published.clone();
            messages
                .into_iter()
                .map(move |(id, at)| (id, Published { at, by }))
        };
        self.world.hosts().flat_map(of).collect()
    }

    /// How often one of `messages` has not reached one of the honest nodes that `wanted` names.
    pub fn missed(
        &self,
        messages: &BTreeMap<MessageId, Published>,
        wanted: impl Fn(usize) -> bool,
    ) -> usize {
        self.honest()
            .filter(|(index, _)| wanted(*index))
            .map(|(index, host)| {
                let lacks = |(id, from): &(&MessageId, &Published)| {
                    from.by != index && !host.app.deliveries.contains_key(*id)
                };
                messages.iter().filter(lacks).count()
            })
            .sum()
    }

    /// Payload frames that honest nodes got, and messages that were new to them.
    pub fn copies(&self) -> (u64, u64) {
        self.honest().fold((0, 0), |(frames, firsts), (_, host)| {
            (
                frames + host.app.payload_frames,
                firsts + host.app.deliveries.len() as u64,
            )
        })
    }

    /// The oracle of every simulation: what must not happen under any fault, in words.
    pub fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for accusation in self.world.false_accusations() {
            breaches.push(format!(
                "at {} ms honest {} accused honest {} of {}",
                accusation.at.as_millis(),
                accusation.by.short(),
                accusation.of.short(),
                accusation.kind
            ));
        }
        for violation in self.world.violations() {
            let (at, node) = (violation.at.as_millis(), violation.node);
            breaches.push(format!("at {at} ms node {node}: {}", violation.rule));
        }
        for (index, host) in self.honest() {
            let honest = |id: &&NodeId| self.world.index_of(id).is_some() && !self.is_hostile(id);
            for banned in host.app.banned.iter().filter(honest) {
                breaches.push(format!("node {index} banned honest {}", banned.short()));
            }
            breaches.extend(
                host.app
                    .breaches
                    .iter()
                    .map(|breach| format!("node {index} {breach}")),
            );
        }
        breaches
    }

    /// Ends a scenario.
    pub fn outcome(&self, mut figures: Vec<Figure>) -> Outcome {
        let breaches = self.breaches();
        let found = Figure::sum("broken promises", breaches.len() as f64, "times");
        figures.push(found.bar(Bar::Exactly(0.0)));
        Outcome {
            figures,
            breaches,
            trace: self.world.trace_hash(),
            tally: Tally {
                simulated: self.world.now().since(Mono::ZERO),
                crashes: self.world.stats().crashes,
                deliveries: self
                    .world
                    .hosts()
                    .map(|(_, host)| host.app.deliveries.len() as u64)
                    .sum(),
            },
        }
    }
}
