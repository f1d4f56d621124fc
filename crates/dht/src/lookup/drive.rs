//! Lookups as the engine drives them: begun, asked, traced, ended.

use alloc::vec::Vec;

use repute_identity::NodeId;
use repute_protocol::{DhtAsk, RecordKey};

use crate::{
    Dht, Event, FoundRecord, Limits, Output, Refusal, Step, Want,
    lookup::{Aim, Lookup, Manner, candidate::State, findings::Findings},
    request::Purpose,
};

impl Dht {
    pub(crate) fn on_lookup(&mut self, token: u64, target: RecordKey, trace: bool) {
        let manner = Manner {
            paths: self.config.paths,
            width: self.config.alpha,
            need: self.config.confirm,
            thorough: false,
        };
        if self.refuse_lookup(token) {
            return;
        }
        let mut lookup = Lookup::new(target, Aim::Nodes { token }, manner, self.now.mono);
        lookup.trace = trace.then_some(token);
        self.begin(lookup);
    }

    pub(crate) fn on_find(&mut self, token: u64, key: RecordKey, want: Want) {
        if self.refuse_lookup(token) {
            return;
        }
        let need = match want {
            Want::First | Want::Newest => self.config.absent,
            Want::All { .. } => self.config.readers,
        };
        let manner = Manner {
            paths: self.config.paths,
            width: self.config.alpha,
            need,
            thorough: false,
        };
        let mut findings = Findings::new(token, want);
        let mut here: Vec<FoundRecord> = self.records(key);
        if findings.is_first() {
            here.truncate(1);
        }
        for record in here {
            if findings.take(record.clone()) && !matches!(want, Want::Newest) {
                self.emit(Output::Event(Event::Found { token, record }));
            }
        }
        let lookup = Lookup::new(key, Aim::Records(findings), manner, self.now.mono);
        self.begin(lookup);
    }

    fn refuse_lookup(&mut self, token: u64) -> bool {
        let reason = if self.stopping {
            Refusal::Stopping
        } else if self.lookups.len() >= self.limits.lookups_max {
            Refusal::TooMany
        } else {
            return false;
        };
        self.emit(Output::Event(Event::Refused { token, reason }));
        true
    }

    /// Begins a lookup with the closest nodes of the table.
    pub(crate) fn begin(&mut self, mut lookup: Lookup) -> u64 {
        let now = self.now.mono;
        let target = *lookup.target.as_bytes();
        let seeds = match lookup.manner.thorough {
            true => self.config.k * Limits::THOROUGH_SEEDS,
            false => self.config.k,
        };
        let seeds = self.table.closest(&target, seeds, |_| true);
        lookup.prefix_max = self.config.bucket_prefix_max;
        lookup.seed(seeds, now);
        self.table.refreshed(&target, now);
        let id = self.next_number();
        self.ends.insert((now + self.limits.lookup_max, id));
        self.lookups.insert(id, lookup);
        self.pump(id);
        id
    }

    /// Asks whom there is to ask; ends the lookup when it has seen enough.
    pub(crate) fn pump(&mut self, id: u64) {
        while let Some(lookup) = self.lookups.get(&id) {
            if lookup.has_enough(self.config.quorum) {
                return self.finish(id);
            }
            let next = lookup
                .next(&self.limits)
                .filter(|_| (lookup.requests as usize) < self.limits.requests_per_lookup_max);
            let Some(peer) = next else {
                if lookup.is_settled() && !lookup.is_verifying() {
                    self.finish(id);
                }
                return;
            };
            self.ask_for(id, peer);
        }
    }

    fn ask_for(&mut self, id: u64, peer: NodeId) {
        let Some(lookup) = self.lookups.get(&id) else {
            return;
        };
        let (ask, addresses) = (lookup.ask_of(&peer, None), lookup.addresses(&peer));
        let asked = self.ask(peer, &addresses, ask, Purpose::Lookup(id));
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        if asked {
            lookup.requests += 1;
            lookup.settle(&peer, State::Asked);
            self.trace(id, peer, Step::Asked);
        } else if let Some(candidate) = lookup.find_mut(&peer) {
            // Our own lack of time says nothing about whoever named it.
            candidate.state = State::Failed;
        }
    }

    pub(crate) fn trace(&mut self, id: u64, peer: NodeId, step: Step) {
        let Some(lookup) = self.lookups.get(&id) else {
            return;
        };
        let Some((token, candidate)) = lookup.trace.zip(lookup.find(&peer)) else {
            return;
        };
        let event = Event::Trace {
            token,
            peer,
            bits: candidate.distance.bits_shared(),
            hops: candidate.hops.into(),
            path: candidate.path,
            step,
        };
        self.emit(Output::Event(event));
    }

    /// Lookups that take longer than any honest one end with what they have.
    pub(crate) fn expire_lookups(&mut self) {
        while let Some((due, id)) = self.ends.first().copied() {
            if due > self.now.mono {
                break;
            }
            self.ends.pop_first();
            self.finish(id);
        }
    }
}

impl Lookup {
    /// What to ask a node: from the beginning, or on from an author.
    pub(crate) fn ask_of(&self, peer: &NodeId, from: Option<NodeId>) -> DhtAsk {
        let known = self.known(peer);
        match &self.aim {
            Aim::Records(findings) => DhtAsk::Records {
                key: self.target,
                from: from.unwrap_or(NodeId::from_bytes([0; 32])),
                count: findings.count(),
                known,
            },
            _ => DhtAsk::Contacts {
                target: self.target,
                known,
            },
        }
    }

    fn has_enough(&self, quorum: usize) -> bool {
        matches!(&self.aim, Aim::Records(findings) if findings.is_enough(quorum))
    }

    fn is_verifying(&self) -> bool {
        matches!(&self.aim, Aim::Records(findings) if findings.verifying > 0)
    }
}
