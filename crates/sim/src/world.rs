use core::{net::Ipv4Addr, time::Duration};
use std::collections::{BTreeMap, BTreeSet};

use repute_base::{Address, Mono, Rng, Timestamp, Wall};
use repute_identity::NodeId;

use crate::{
    Accusation, DialError, Faults, Host, HostEvent, LinkEnd, Outbox, Seat, Stats, TraceHash,
    Violation,
    link::{Cargo, Link},
    queue::Queue,
    strikes::{Planned, Strike},
    table::Table,
    trace::Trace,
};

/// Wall time at the start of every world: 2027-01-15 08:00 UTC.
const START_WALL_MS: u64 = 1_800_000_000_000;
/// Accusations kept in full; beyond, they are only counted.
const ACCUSATIONS_MAX: usize = 10_000;
/// Broken rules kept; a rule once broken tends to stay so.
const VIOLATIONS_MAX: usize = 100;

/// Something planned for a moment to come.
#[derive(Clone)]
pub(crate) enum Happening<P> {
    Tick {
        node: usize,
        life: u64,
    },
    Syn {
        from: usize,
        to: usize,
        dial: u64,
    },
    DialEnd {
        node: usize,
        life: u64,
        dial: u64,
        error: DialError,
    },
    Stream {
        from: usize,
        to: usize,
        serial: u64,
        cargo: Cargo<P>,
    },
    Datagram {
        from: usize,
        to: usize,
        packet: P,
    },
    Closed {
        node: usize,
        life: u64,
        peer: usize,
    },
    Expire {
        pair: (usize, usize),
        serial: u64,
        stall: u64,
    },
    Strike {
        chaos: u64,
        kind: Strike,
    },
    Begin {
        chaos: u64,
        planned: Box<Planned>,
    },
    Mend {
        cut: u64,
    },
    Resume {
        node: usize,
        life: u64,
    },
    Revive {
        node: usize,
        life: u64,
    },
}

#[derive(Clone)]
pub(crate) struct Node<H: Host> {
    pub(crate) id: NodeId,
    pub(crate) address: Address,
    pub(crate) host: Option<H>,
    /// The host of the last life, until it is taken or revived.
    pub(crate) dead: Option<H>,
    pub(crate) life: u64,
    pub(crate) boot_ms: u64,
    pub(crate) wall_offset_ms: i64,
    /// The offset before the first jump, until the clock is set right.
    pub(crate) right_offset_ms: Option<i64>,
    pub(crate) hostile: bool,
    pub(crate) tick_ms: Option<u64>,
    pub(crate) last_tick_ms: Option<u64>,
    /// What waits for a paused node.
    pub(crate) paused: Option<Vec<Happening<H::Packet>>>,
    pub(crate) links: BTreeSet<usize>,
    pub(crate) dials: BTreeMap<u64, Address>,
}

/// Nodes cut off from others. `from` and `to` hold a flag for each node index.
#[derive(Clone)]
pub(crate) struct Cut {
    pub(crate) id: u64,
    pub(crate) from: Vec<bool>,
    pub(crate) to: Vec<bool>,
    pub(crate) both_ways: bool,
}

/// Builds the next life of a crashed node out of the last.
pub(crate) type Reviver<H> = Box<dyn FnMut(Seat, H) -> H>;

/// A network of hosts in virtual time, replayable from its seed.
///
/// Nodes are named by index, in the order they were added. A call that names a node that does not
/// exist, or one that is down, does nothing and returns `None` or `false`.
pub struct World<H: Host> {
    pub(crate) seed: u64,
    pub(crate) now_ms: u64,
    pub(crate) faults: Faults,
    pub(crate) queue: Queue<Happening<H::Packet>>,
    pub(crate) nodes: Vec<Node<H>>,
    pub(crate) by_id: Table<NodeId, usize>,
    pub(crate) by_address: BTreeMap<Address, usize>,
    pub(crate) links: Table<(usize, usize), Link<H::Packet>>,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) serials: u64,
    /// Which setting of the faults the planned cuts and crashes belong to.
    pub(crate) chaos: u64,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) stats: Stats,
    pub(crate) accusations: Vec<Accusation>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) reviver: Option<Reviver<H>>,
}

impl<H: Host> World<H> {
    /// An empty world. Equal seeds, faults, hosts and calls give equal runs.
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut world = Self {
            seed,
            now_ms: 0,
            faults,
            queue: Queue::new(),
            nodes: Vec::new(),
            by_id: Table::default(),
            by_address: BTreeMap::new(),
            links: Table::default(),
            cuts: Vec::new(),
            serials: 0,
            chaos: 0,
            rng: Rng::from_u64(seed),
            trace: Trace::new(seed),
            stats: Stats::default(),
            accusations: Vec::new(),
            violations: Vec::new(),
            reviver: None,
        };
        world.plan_chaos();
        world
    }

    /// Adds a node at a routable address of its own and starts it. Returns its index.
    pub fn add(&mut self, id: NodeId, make: impl FnOnce(Seat) -> H) -> usize {
        let address = self.free_address();
        self.add_at(id, address, make)
    }

    /// Adds a node at a chosen address, such as many in one prefix. The last node added with an
    /// id or address is the one reached by it.
    pub fn add_at(&mut self, id: NodeId, address: Address, make: impl FnOnce(Seat) -> H) -> usize {
        let index = self.nodes.len();
        let skew = self.faults.clock_skew_ms_max;
        let drawn = self.rng.below(skew.saturating_mul(2).saturating_add(1));
        self.nodes.push(Node {
            id,
            address,
            host: None,
            dead: None,
            life: 0,
            boot_ms: self.now_ms,
            wall_offset_ms: i64::try_from(drawn).unwrap_or(0) - i64::try_from(skew).unwrap_or(0),
            right_offset_ms: None,
            hostile: false,
            tick_ms: None,
            last_tick_ms: None,
            paused: None,
            links: BTreeSet::new(),
            dials: BTreeMap::new(),
        });
        self.by_id.insert(id, index);
        self.by_address.insert(address, index);
        self.start(index, make);
        index
    }

    /// Begins a life of a node that is down.
    pub(crate) fn start(&mut self, index: usize, make: impl FnOnce(Seat) -> H) {
        let now_ms = self.now_ms;
        let seed = self.seed;
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        node.boot_ms = now_ms;
        node.tick_ms = None;
        node.last_tick_ms = None;
        node.dials.clear();
        let (id, address, life) = (node.id, node.address, node.life);
        let mut mixed = blake3::Hasher::new_derive_key("repute sim seat v1");
        mixed.update(&seed.to_le_bytes());
        mixed.update(&(index as u64).to_le_bytes());
        mixed.update(&life.to_le_bytes());
        let rng = Rng::from_seed(*mixed.finalize().as_bytes());
        let Some(now) = self.clock(index) else { return };
        let host = make(Seat {
            index,
            id,
            address,
            at: Mono::from_millis(now_ms),
            now,
            rng,
        });
        if let Some(node) = self.nodes.get_mut(index) {
            node.host = Some(host);
            node.dead = None;
        }
        self.deliver(index, usize::MAX, HostEvent::Start);
    }

    /// A public IPv4 address that nobody has, anywhere in the routable space.
    fn free_address(&mut self) -> Address {
        loop {
            let [a, b, c, d, port_high, port_low, ..] = self.rng.next_u64().to_le_bytes();
            let reserved = matches!(a, 0 | 10 | 100 | 127 | 169 | 172 | 192 | 198 | 203 | 224..);
            let port = u16::from_be_bytes([port_high, port_low]) | 1024;
            let address = Address::new((Ipv4Addr::new(a, b, c, d.clamp(1, 254)), port).into());
            if !reserved && !self.by_address.contains_key(&address) {
                return address;
            }
        }
    }

    /// Runs until the world's clock shows `moment`.
    pub fn run_until(&mut self, moment: Mono) {
        let until = moment.as_millis();
        while let Some((at, happening)) = self.queue.pop(until) {
            self.now_ms = self.now_ms.max(at);
            self.happen(happening);
        }
        self.now_ms = self.now_ms.max(until);
    }

    /// Runs for a stretch of virtual time.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now() + time);
    }

    /// Runs until `done` holds, checking every 100 virtual ms; `false` if it did not within
    /// `limit`.
    pub fn run_until_true(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now() + limit;
        loop {
            if done(self) {
                return true;
            }
            if self.now() >= end {
                return false;
            }
            self.run_until(end.min(self.now() + Duration::from_millis(100)));
        }
    }

    /// Lets the test do something to a node as if it were an event of it: publish, dial, ask.
    /// What it puts into the outbox is done. `None` when the node is down.
    pub fn act<R>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut H, Timestamp, &mut Outbox<H::Packet>) -> R,
    ) -> Option<R> {
        let now = self.clock(index)?;
        let mut out = Outbox::new();
        let host = self.nodes.get_mut(index)?.host.as_mut()?;
        let result = act(host, now, &mut out);
        self.trace
            .record(self.now_ms, index, b'a', usize::MAX, out.acts.len());
        self.after(index, out);
        Some(result)
    }

    /// The seed of this world.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The world's monotonic clock: time since it was made.
    pub const fn now(&self) -> Mono {
        Mono::from_millis(self.now_ms)
    }

    /// The clocks as a node reads them: monotonic since its start, wall with its offset.
    pub fn clock(&self, index: usize) -> Option<Timestamp> {
        let node = self.nodes.get(index)?;
        Some(Timestamp {
            mono: Mono::from_millis(self.now_ms.saturating_sub(node.boot_ms)),
            wall: Wall::from_millis(
                START_WALL_MS
                    .saturating_add(self.now_ms)
                    .saturating_add_signed(node.wall_offset_ms),
            ),
        })
    }

    /// Sets how far a node's wall clock is off, in milliseconds; it jumps there at once.
    pub fn set_wall_offset_ms(&mut self, index: usize, offset_ms: i64) {
        self.trace.record(
            self.now_ms,
            index,
            b'w',
            usize::MAX,
            offset_ms.unsigned_abs() as usize,
        );
        if let Some(node) = self.nodes.get_mut(index) {
            node.wall_offset_ms = offset_ms;
        }
    }

    /// The host of a node that is up.
    pub fn host(&self, index: usize) -> Option<&H> {
        self.nodes.get(index)?.host.as_ref()
    }

    /// Every host that is up, with its index.
    pub fn hosts(&self) -> impl Iterator<Item = (usize, &H)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, node.host.as_ref()?)))
    }

    /// How many nodes were ever added.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node was added.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Who a node is.
    pub fn id(&self, index: usize) -> Option<NodeId> {
        Some(self.nodes.get(index)?.id)
    }

    /// Where a node is reached.
    pub fn address(&self, index: usize) -> Option<Address> {
        Some(self.nodes.get(index)?.address)
    }

    /// The index of the node with this id.
    pub fn index_of(&self, id: &NodeId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Whether two nodes have a link that is up on both sides.
    pub fn are_linked(&self, a: usize, b: usize) -> bool {
        use crate::link::{Side, pair};
        self.links
            .get(&pair(a, b))
            .is_some_and(|link| link.side(a, b) == Side::Up && link.side(b, a) == Side::Up)
    }

    /// Says that a node is an attacker: accusing it is right, and its own accusations are lies.
    pub fn mark_hostile(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.hostile = true;
        }
    }

    /// Every accusation so far, at most 10,000.
    pub fn accusations(&self) -> &[Accusation] {
        &self.accusations
    }

    /// The oracle of every simulation: accusations by honest nodes against honest nodes. Under
    /// any network fault there must be none.
    pub fn false_accusations(&self) -> Vec<Accusation> {
        let honest = |id| {
            self.index_of(id)
                .and_then(|i| self.nodes.get(i))
                .is_some_and(|node| !node.hostile)
        };
        self.accusations
            .iter()
            .filter(|a| honest(&a.by) && honest(&a.of))
            .copied()
            .collect()
    }

    pub(crate) fn keep_accusation(&mut self, accusation: Accusation) {
        self.stats.accusations += 1;
        if self.accusations.len() < ACCUSATIONS_MAX {
            self.accusations.push(accusation);
        }
    }

    /// What hosts said of rules that did not hold, see [`Host::broken_invariant`]; at most 100.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Asks a host, after a step, whether its rules hold.
    pub(crate) fn examine(&mut self, node: usize) {
        let Some(host) = self.host(node) else { return };
        let broken = host.broken_invariant();
        self.stats.examined += 1;
        if let Some(rule) = broken
            && self.violations.len() < VIOLATIONS_MAX
        {
            let at = self.now();
            self.violations.push(Violation { at, node, rule });
        }
    }

    /// The hash over everything that happened so far.
    pub fn trace_hash(&self) -> TraceHash {
        self.trace.hash()
    }

    /// What happened so far, in numbers.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The faults in force.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How many happenings are planned.
    pub fn planned(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn plan_closed(&mut self, node: usize, peer: usize) {
        if let Some(life) = self.life(node) {
            self.queue
                .push(self.now_ms, Happening::Closed { node, life, peer });
        }
    }

    pub(crate) fn life(&self, node: usize) -> Option<u64> {
        let node = self.nodes.get(node)?;
        node.host.is_some().then_some(node.life)
    }

    pub(crate) fn link_down(&mut self, node: usize, peer: usize, end: LinkEnd) {
        if let Some(id) = self.id(peer) {
            self.deliver(node, peer, HostEvent::LinkDown { peer: id, end });
        }
    }
}
