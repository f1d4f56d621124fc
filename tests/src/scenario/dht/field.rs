use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use repute_base::{Address, BoundedBytes, Mono, Rng};
use repute_identity::{Identity, NodeId};
use repute_node::dht::{Config, Draft, FoundRecord, Input, Limits, Outcome, Serve, Want};
use repute_protocol::{RecordKey, RecordKind};
use repute_sim::{Faults, Stats, World};

use super::{
    kad::{Ground, Kad, Role},
    liar::{Conduct, Gang, Liar},
    poison,
    stock::{Stock, distance},
};
use crate::Tally;

/// Longer than any lookup or put may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// Requests of applications that begin in each second.
const A_SECOND: usize = 50;

/// A world of nodes of the DHT, and what is asked of them.
pub(super) struct Field {
    pub(super) world: World<Kad>,
    pub(super) rng: Rng,
    pub(super) config: Config,
    pub(super) limits: Limits,
    pub(super) ground: Ground,
    hostile: BTreeSet<usize>,
    seed: u64,
    tokens: u64,
}

/// Something that was asked: by whom, under which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) node: usize,
    token: u64,
}

/// A record that a node publishes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Published {
    pub(super) author: usize,
    pub(super) key: RecordKey,
    pub(super) asked: Asked,
}

/// A fork goes its own way, but for what never changes: verdicts, and what tables are filled from.
impl Clone for Field {
    fn clone(&self) -> Self {
        Self {
            world: self.world.fork(),
            rng: self.rng.clone(),
            config: self.config.clone(),
            limits: self.limits.clone(),
            ground: self.ground.clone(),
            hostile: self.hostile.clone(),
            seed: self.seed,
            tokens: self.tokens,
        }
    }
}

impl Field {
    pub(super) fn new(seed: u64, config: Config) -> Self {
        Self {
            world: World::new(seed, Faults::none()),
            rng: Rng::from_u64(seed ^ 0x6b61_6465_6d6c_6961),
            config,
            limits: Limits::default(),
            ground: Ground::default(),
            hostile: BTreeSet::new(),
            seed,
            tokens: 0,
        }
    }

    /// A network that has stood for long: every table is as full as it can be.
    /// The hostile act by themselves this often.
    pub(super) fn stocked(
        seed: u64,
        nodes: usize,
        config: Config,
        (hostile, pause): (usize, Option<Duration>),
    ) -> Self {
        let mut field = Self::new(seed, config);
        // In no need of proof by time: they have been reached by everybody.
        field.config.serve = Serve::Always;
        let mut order: Vec<bool> = (0..nodes).map(|n| n < hostile).collect();
        field.rng.shuffle(&mut order);
        let mut conducts = Conduct::ALL.into_iter().cycle();
        for hostile in order {
            let role = field.role(Vec::new());
            let id = Identity::from_seed(role.who).id();
            if let Some(conduct) = hostile.then(|| conducts.next()).flatten() {
                field.add_liar(id, None, (conduct, pause), &[]);
            } else {
                field.world.add(id, |seat| Kad::asleep(seat, role));
            }
        }
        let all = (0..nodes).filter_map(|index| field.ticket(index));
        *field.ground.stock.borrow_mut() = Stock::new(all.collect());
        field
    }

    /// A network that grew by itself, each node by two random ones that were there.
    pub(super) fn grown(seed: u64, nodes: usize, config: Config) -> Self {
        let mut field = Self::new(seed, config);
        for _ in 0..nodes {
            field.join(2);
            field.world.run_for(Duration::from_millis(100));
        }
        field.world.run_for(Duration::from_secs(60));
        field
    }

    fn role(&self, tickets: Vec<(NodeId, Address)>) -> Role {
        Role {
            who: self.seed.wrapping_mul(1_000_003) + self.world.len() as u64,
            config: self.config.clone(),
            limits: self.limits.clone(),
            tickets,
            shelf: Vec::new(),
            ground: self.ground.clone(),
        }
    }

    /// An honest node comes, with tickets of random honest ones.
    pub(super) fn join(&mut self, tickets: usize) -> usize {
        let living = self.honest();
        let chosen = self.rng.sample(&living, tickets);
        self.join_by(&chosen)
    }

    pub(super) fn join_by(&mut self, tickets: &[usize]) -> usize {
        let tickets = tickets.iter().filter_map(|index| self.ticket(*index));
        let role = self.role(tickets.collect());
        let id = Identity::from_seed(role.who).id();
        self.world.add(id, |seat| Kad::new(seat, role))
    }

    /// A hostile node, at a chosen address or a random one, which makes itself known to some.
    pub(super) fn add_liar(
        &mut self,
        id: NodeId,
        address: Option<Address>,
        (conduct, pause): (Conduct, Option<Duration>),
        tickets: &[usize],
    ) -> usize {
        let tickets = tickets.iter().filter_map(|index| self.ticket(*index));
        let role = self.role(tickets.collect());
        let make = |seat: repute_sim::Seat| {
            let mut liar = Liar::new(conduct, role.who, &seat);
            if let Some(pause) = pause {
                liar = liar.acting(pause);
            }
            Kad::hostile(seat, role, liar)
        };
        let index = match address {
            Some(address) => self.world.add_at(id, address, make),
            None => self.world.add(id, make),
        };
        self.world.mark_hostile(index);
        self.hostile.insert(index);
        if let Some(member) = self.ticket(index) {
            self.gang().borrow_mut().members.push(member);
        }
        index
    }

    pub(super) fn gang(&self) -> Rc<RefCell<Gang>> {
        Rc::clone(&self.ground.gang)
    }

    pub(super) fn ticket(&self, index: usize) -> Option<(NodeId, Address)> {
        Some((self.world.id(index)?, self.world.address(index)?))
    }

    pub(super) fn is_hostile(&self, index: usize) -> bool {
        self.hostile.contains(&index)
    }

    /// The honest nodes that are up.
    pub(super) fn honest(&self) -> Vec<usize> {
        let up = self.world.hosts().map(|(index, _)| index);
        up.filter(|index| !self.is_hostile(*index)).collect()
    }

    pub(super) fn random(&mut self) -> usize {
        loop {
            let index = self.rng.below(self.world.len() as u64) as usize;
            if self.world.host(index).is_some() && !self.is_hostile(index) {
                return index;
            }
        }
    }

    pub(super) fn random_place(&mut self) -> RecordKey {
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        RecordKey::from_bytes(bytes)
    }

    /// The honest nodes that are up and closest to a place, closest first.
    pub(super) fn closest(&self, place: &RecordKey, count: usize) -> Vec<usize> {
        let mut all: Vec<([u8; 32], usize)> = self
            .honest()
            .into_iter()
            .filter_map(|index| Some((distance(&self.world.id(index)?, place.as_bytes()), index)))
            .collect();
        let count = count.min(all.len());
        if count > 0 && count < all.len() {
            all.select_nth_unstable(count - 1);
        }
        all.truncate(count);
        all.sort_unstable();
        all.into_iter().map(|(_, index)| index).collect()
    }

    /// The nodes that are up and keep a record of this key.
    pub(super) fn holders(&self, key: &RecordKey) -> Vec<usize> {
        let holds = |kad: &Kad| kad.dht().is_some_and(|dht| !dht.records(*key).is_empty());
        let all = self.world.hosts().filter(|(_, kad)| holds(kad));
        all.map(|(index, _)| index).collect()
    }

    fn ask(&mut self, node: usize, input: impl FnOnce(u64) -> Input) -> Asked {
        self.tokens += 1;
        let token = self.tokens;
        let input = input(token);
        self.world
            .act(node, |kad, now, out| kad.ask(now, input, out));
        // Many ask at once, but not all.
        if self.tokens.is_multiple_of(A_SECOND as u64) {
            self.world.run_for(Duration::from_secs(1));
        }
        Asked { node, token }
    }

    pub(super) fn lookup(&mut self, node: usize, target: RecordKey) -> Asked {
        self.ask(node, |token| Input::Lookup {
            token,
            target,
            trace: false,
        })
    }

    pub(super) fn find(&mut self, node: usize, key: RecordKey, want: Want) -> Asked {
        self.ask(node, |token| Input::Find { token, key, want })
    }

    /// A node publishes a value of its own under a name; a later one replaces an earlier one.
    pub(super) fn publish(&mut self, author: usize, name: u64, version: u64) -> Published {
        let name = name.to_le_bytes().to_vec();
        let mut value = vec![0; 256];
        value
            .iter_mut()
            .zip(version.to_le_bytes())
            .for_each(|(place, byte)| *place = byte);
        let who = self.world.host(author).map_or(0, |kad| kad.role.who);
        let key = poison::place(&Identity::from_seed(who), &name);
        let draft = Draft {
            kind: RecordKind::Value,
            slot: 0,
            name: BoundedBytes::new(name).expect("eight bytes"),
            value: BoundedBytes::new(value).expect("as many as a value may have"),
            lifetime: RecordKind::Value.lifetime_max(),
        };
        let asked = self.ask(author, |token| Input::Publish { token, draft });
        Published { author, key, asked }
    }

    /// Until all of these have ended, or nobody waits any longer.
    pub(super) fn wait(&mut self, asked: &[Asked]) {
        let all = asked.to_vec();
        self.world.run_until_true(PATIENCE, |world| {
            all.iter().all(|one| {
                world.host(one.node).is_none_or(|kad| {
                    kad.notes.ended.contains_key(&one.token)
                        || kad.notes.published.contains_key(&one.token)
                })
            })
        });
    }

    /// What a lookup came to; nothing if it has not ended.
    pub(super) fn outcome(&self, asked: Asked) -> Option<&Outcome> {
        self.world.host(asked.node)?.notes.ended.get(&asked.token)
    }

    /// How many keep what was published; nothing if that is not known yet.
    pub(super) fn copies(&self, asked: Asked) -> Option<usize> {
        let notes = &self.world.host(asked.node)?.notes;
        notes.published.get(&asked.token).copied()
    }

    pub(super) fn found(&self, asked: Asked) -> impl Iterator<Item = &FoundRecord> {
        let notes = self.world.host(asked.node).map(|kad| &kad.notes);
        let all = notes.into_iter().flat_map(|notes| &notes.found);
        all.filter(move |(token, _)| *token == asked.token)
            .map(|(_, record)| record)
    }

    /// Requests that the engines have sent so far.
    pub(super) fn requests(&self) -> u64 {
        let engines = self.world.hosts().filter_map(|(_, kad)| kad.dht());
        engines.map(|dht| dht.stats().requests_sent).sum()
    }

    pub(super) fn stats(&self) -> Stats {
        *self.world.stats()
    }

    /// What no honest node may do.
    pub(super) fn breaches(&self) -> Vec<String> {
        let accused = self.world.false_accusations();
        let accused = accused.iter().map(|one| format!("honest accused: {one:?}"));
        let fooled = self.world.hosts().flat_map(|(index, kad)| {
            let all = kad.notes.fooled.iter();
            all.map(move |record| format!("node {index} took the bad record {record}"))
        });
        accused.chain(fooled).take(100).collect()
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            simulated: self.world.now().since(Mono::ZERO),
            crashes: self.world.stats().crashes,
            deliveries: 0,
        }
    }
}

/// The value at a share of the sorted values, such as 99 %.
pub(super) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(place.max(1) - 1).copied().unwrap_or(0.0)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

/// A share in per cent; of nothing, none.
pub(super) fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / (whole as f64).max(1.0)
}
