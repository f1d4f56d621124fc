//! Many engines without a network in between: tables filled as after a long life, and requests
//! answered at once. Tells how good lookups are at sizes where joining takes too long.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use repute_base::{Address, BoundedVec, Machine, Rng, Timestamp};
use repute_dht::{Config, Dht, Event, Input, Limits, Outcome, Output};
use repute_identity::NodeId;
use repute_protocol::{Contact, FromPeer, RecordKey};

use super::{network, xor};

pub(crate) struct Crowd {
    pub(crate) ids: Vec<NodeId>,
    places: BTreeMap<NodeId, usize>,
    config: Config,
    rng: Rng,
    /// Made when first needed.
    engines: BTreeMap<usize, Dht>,
    linked: BTreeSet<(usize, usize)>,
    now: u64,
}

fn address(index: usize) -> Address {
    let n = index;
    format!("{}.{}.{}.1:4100", 20 + n / 62_500, n / 250 % 250, n % 250)
        .parse()
        .unwrap()
}

impl Crowd {
    pub(crate) fn new(seed: u64, nodes: usize, config: Config) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut ids: Vec<NodeId> = (0..nodes)
            .map(|_| {
                let mut bytes = [0; 32];
                rng.fill(&mut bytes);
                NodeId::from_bytes(bytes)
            })
            .collect();
        ids.sort_unstable();
        let places = ids.iter().copied().zip(0..).collect();
        Self {
            ids,
            places,
            config,
            rng,
            engines: BTreeMap::new(),
            linked: BTreeSet::new(),
            now: 1_000,
        }
    }

    fn stamp(&self) -> Timestamp {
        Timestamp::from_millis(self.now, 1_800_000_000_000 + self.now)
    }

    /// An engine whose every bucket is as full as the network allows.
    fn make(&mut self, index: usize) {
        if self.engines.contains_key(&index) {
            return;
        }
        let me = self.ids[index];
        let rng = self.rng.fork();
        let mut dht = Dht::new(self.config.clone(), Limits::default(), me, network(), rng).unwrap();
        let mut contacts = Vec::new();
        // Ids are sorted: those that share a number of bits with ours are neighbours in the list.
        let (mut low, mut high) = (0, self.ids.len());
        for bit in 0..256 {
            let at = |id: &NodeId| id.as_bytes()[bit / 8] >> (7 - bit % 8) & 1;
            let middle = low + self.ids[low..high].partition_point(|id| at(id) == 0);
            let (ours, others) = if index < middle {
                ((low, middle), (middle, high))
            } else {
                ((middle, high), (low, middle))
            };
            let mut bucket: BTreeSet<usize> = BTreeSet::new();
            while bucket.len() < (others.1 - others.0).min(20) {
                let drawn = self.rng.range(others.0 as u64..others.1 as u64);
                bucket.insert(drawn as usize);
            }
            contacts.extend(bucket.into_iter().map(|other| Contact {
                id: self.ids[other],
                addresses: BoundedVec::truncated([address(other)]),
            }));
            (low, high) = ours;
            if high - low <= 1 {
                break;
            }
        }
        dht.restore_contacts(contacts);
        let addresses = vec![address(index)];
        dht.handle(self.stamp(), Input::Listening { addresses });
        while dht.poll_output().is_some() {}
        self.engines.insert(index, dht);
    }

    /// Runs a lookup to its end: everybody is there and answers at once.
    pub(crate) fn lookup(&mut self, asker: usize, target: RecordKey) -> Outcome {
        self.make(asker);
        self.now += 1;
        // Links of one lookup only: each begins like after a long silence.
        self.linked.clear();
        self.engines.retain(|index, _| *index == asker);
        self.engines.remove(&asker);
        self.make(asker);
        let trace = false;
        let lookup = Input::Lookup {
            token: 1,
            target,
            trace,
        };
        let mut queue = VecDeque::from([(asker, lookup)]);
        let mut outcome = None;
        while let Some((index, input)) = queue.pop_front() {
            let stamp = self.stamp();
            let Some(engine) = self.engines.get_mut(&index) else {
                continue;
            };
            engine.handle(stamp, input);
            let outputs: Vec<Output> = std::iter::from_fn(|| engine.poll_output()).collect();
            for output in outputs {
                match output {
                    Output::Link { peer, .. } => self.link(index, peer, &mut queue),
                    Output::Send { peer, frame } => {
                        let from = self.ids[index];
                        let to = self.places[&peer];
                        queue.push_back((to, Input::Frame(FromPeer::authenticated(from, frame))));
                    }
                    Output::Event(Event::Finished { outcome: one, .. }) => outcome = Some(one),
                    _ => {}
                }
            }
        }
        outcome.expect("finished")
    }

    fn link(&mut self, index: usize, peer: NodeId, queue: &mut VecDeque<(usize, Input)>) {
        let other = self.places[&peer];
        self.make(other);
        if !self.linked.insert((index, other)) {
            return;
        }
        let up = |peer, at: usize, inbound| Input::LinkUp {
            peer,
            remote: address(at),
            listen: vec![address(at)],
            server: true,
            inbound,
        };
        queue.push_back((other, up(self.ids[index], index, true)));
        queue.push_back((index, up(peer, other, false)));
    }

    pub(crate) fn closest(&self, target: &RecordKey, asker: usize, count: usize) -> Vec<NodeId> {
        let near = self
            .ids
            .partition_point(|id| id.as_bytes() < target.as_bytes());
        // Whoever is closest by XOR shares most bits, and so is near in the sorted list.
        let from = near.saturating_sub(2_000);
        let to = (near + 2_000).min(self.ids.len());
        let mut ids: Vec<NodeId> = self.ids[from..to].to_vec();
        ids.retain(|id| *id != self.ids[asker]);
        ids.sort_by_key(|id| xor(id, target));
        ids.truncate(count);
        ids
    }
}
