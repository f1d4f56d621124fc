//! Records on their way to the nodes closest to their key.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use repute_base::Address;
use repute_identity::NodeId;
use repute_protocol::{
    DhtAnswer, DhtAsk, Envelope, Record, RecordKey, RecordList, Stored, Verified,
};

use crate::{
    Dht, Event, Limits, Output, Refusal,
    distance::Distance,
    lookup::{Aim, Lookup, Manner},
    publish::Name,
    request::{Purpose, Reply},
};

/// Why records are put.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// They are our own, published again and again.
    Publication(Name),
    /// The application asked for it once.
    Once { token: u64 },
    /// We are a holder, and nobody else has put them for long.
    Replication,
}

#[derive(Clone, Debug)]
pub(crate) struct Round {
    key: RecordKey,
    why: Why,
    lists: Vec<RecordList>,
    /// Who is left to ask, closest first.
    targets: VecDeque<(NodeId, Vec<Address>)>,
    /// Who is asked, and for which of the lists.
    asked: BTreeMap<NodeId, usize>,
    /// Which of these take long: others are asked meanwhile.
    slow: BTreeSet<NodeId>,
    /// How many keep all that they were given.
    kept: usize,
    want: usize,
    /// Whether this node is one of the closest, and keeps them too.
    here: bool,
    /// Who was asked so far.
    tried: BTreeSet<NodeId>,
    /// Whether one of them did not answer.
    silent: bool,
    /// Whether all of the closest were asked who is close.
    thorough: bool,
}

impl Round {
    pub(crate) const fn is_replication(&self) -> bool {
        matches!(self.why, Why::Replication)
    }
}

impl Dht {
    pub(crate) fn on_put(&mut self, token: u64, envelope: Verified<Envelope>) {
        let reason = match Record::file(&envelope, self.now.wall) {
            Err(error) => Refusal::Invalid(error),
            Ok(_) if self.stopping => Refusal::Stopping,
            Ok(_) if self.lookups.len() >= self.limits.lookups_max => Refusal::TooMany,
            Ok(filed) => return self.put(filed.key, alloc::vec![envelope], Why::Once { token }),
        };
        self.emit(Output::Event(Event::Refused { token, reason }));
    }

    /// Looks for the nodes closest to a key and has them keep these records.
    pub(crate) fn put(&mut self, key: RecordKey, envelopes: Vec<Verified<Envelope>>, why: Why) {
        let secure = !matches!(why, Why::Replication);
        let manner = Manner {
            paths: if secure { self.config.paths } else { 1 },
            width: self.config.alpha,
            need: self.config.confirm,
            thorough: false,
        };
        let mut lists: Vec<RecordList> = Vec::new();
        for envelope in &envelopes {
            let fitted = lists.last_mut().is_some_and(|list| list.push(envelope));
            let mut list = RecordList::default();
            if !fitted && list.push(envelope) {
                lists.push(list);
            }
        }
        // What this node keeps itself is in its store already, or goes there now.
        for envelope in &envelopes {
            let filed = Record::file(envelope, self.now.wall);
            if let Some(filed) = filed.ok().filter(|_| self.is_among_closest(&key)) {
                self.keep(self.me, envelope, &filed);
            }
        }
        let round = self.next_number();
        self.rounds.insert(
            round,
            Round {
                key,
                why,
                lists,
                targets: VecDeque::new(),
                asked: BTreeMap::new(),
                slow: BTreeSet::new(),
                kept: 0,
                want: 0,
                here: false,
                tried: BTreeSet::new(),
                silent: false,
                thorough: false,
            },
        );
        let aim = Aim::Put { round };
        self.begin(Lookup::new(key, aim, manner, self.now.mono));
    }

    /// Too few are left of those that were named: all of the closest that are alive are asked.
    fn look_again(&mut self, id: u64) {
        let manner = Manner {
            paths: 1,
            width: self.config.alpha,
            need: self.config.k,
            thorough: true,
        };
        if let Some(round) = self.rounds.get_mut(&id) {
            round.thorough = true;
            let aim = Aim::Put { round: id };
            let lookup = Lookup::new(round.key, aim, manner, self.now.mono);
            self.begin(lookup);
        }
    }

    fn is_among_closest(&self, key: &RecordKey) -> bool {
        let own = Distance::between(self.me.as_bytes(), key.as_bytes());
        let k = self.config.k;
        let closest = self.table.closest(key.as_bytes(), k, |_| true);
        let closer = closest
            .iter()
            .filter(|entry| Distance::between(entry.id.as_bytes(), key.as_bytes()) < own);
        self.is_serving() && closer.count() < k
    }

    pub(crate) fn on_put_targets(&mut self, id: u64, targets: Vec<(NodeId, Vec<Address>)>) {
        let (me, k) = (self.me, self.config.k);
        let serving = self.is_serving();
        let Some(round) = self.rounds.get_mut(&id) else {
            return;
        };
        let own = Distance::between(me.as_bytes(), round.key.as_bytes());
        let closer = targets
            .iter()
            .filter(|(peer, _)| Distance::between(peer.as_bytes(), round.key.as_bytes()) < own);
        round.here = serving && closer.count() < k;
        round.want = k - usize::from(round.here);
        let tried = &round.tried;
        let new = targets
            .into_iter()
            .filter(|(peer, _)| !tried.contains(peer));
        round.targets = new.collect();
        self.pump_round(id);
    }

    fn pump_round(&mut self, id: u64) {
        while let Some(round) = self.rounds.get_mut(&id) {
            let enough = round.kept + round.asked.len() - round.slow.len() >= round.want;
            let next = if enough {
                None
            } else {
                round.targets.pop_front()
            };
            let Some((peer, addresses)) = next else {
                let enough = round.kept >= round.want;
                if enough || round.asked.is_empty() {
                    match !(enough || self.stopping) && round.silent && !round.thorough {
                        true => self.look_again(id),
                        false => self.finish_round(id),
                    }
                }
                return;
            };
            let Some(records) = round.lists.first().cloned() else {
                return self.finish_round(id);
            };
            let asked = self.ask(
                peer,
                &addresses,
                DhtAsk::Store { records },
                Purpose::Put(id),
            );
            if let Some(round) = self.rounds.get_mut(&id) {
                round.tried.insert(peer);
                if asked {
                    round.asked.insert(peer, 0);
                }
            }
        }
    }

    pub(crate) fn on_put_reply(&mut self, id: u64, peer: NodeId, reply: Reply) {
        let Some(round) = self.rounds.get_mut(&id) else {
            return;
        };
        match reply {
            Reply::Slow => {
                round.slow.insert(peer);
            }
            Reply::Answer {
                answer: DhtAnswer::Stored { outcomes },
                ..
            } => {
                let keeps = |one: &Stored| matches!(one, Stored::Kept | Stored::Older);
                let next = round.asked.get(&peer).map_or(0, |list| list + 1);
                let more = round.lists.get(next).cloned();
                if !outcomes.iter().any(keeps) {
                    round.drop(&peer);
                } else if let Some(records) = more {
                    let ask = DhtAsk::Store { records };
                    if self.ask(peer, &[], ask, Purpose::Put(id)) {
                        if let Some(round) = self.rounds.get_mut(&id) {
                            round.asked.insert(peer, next);
                        }
                    } else if let Some(round) = self.rounds.get_mut(&id) {
                        round.drop(&peer);
                    }
                } else {
                    round.kept += 1;
                    round.drop(&peer);
                }
            }
            _ => {
                round.silent = true;
                round.drop(&peer);
            }
        }
        self.pump_round(id);
    }

    pub(crate) fn finish_round(&mut self, id: u64) {
        let Some(round) = self.rounds.remove(&id) else {
            return;
        };
        let copies = round.kept + usize::from(round.here);
        match round.why {
            Why::Publication(name) => self.on_published(&name, round.key, copies, round.kept),
            Why::Once { token } => self.emit(Output::Event(Event::Published {
                token,
                key: round.key,
                copies,
            })),
            Why::Replication => {
                let records: usize = round.lists.iter().map(RecordList::len).sum();
                self.stats.replicated += records as u64;
                if !round.here && round.kept >= self.config.k.div_ceil(2) {
                    self.store.leave_to_others(&round.key);
                }
            }
        }
    }
}

impl Round {
    fn drop(&mut self, peer: &NodeId) {
        self.asked.remove(peer);
        self.slow.remove(peer);
    }
}

impl Limits {
    /// A lookup that is thorough begins with so many times `k` nodes of the table: after 19 of 20
    /// died, 40 further out have the 20 that are closest now among them.
    pub(crate) const THOROUGH_SEEDS: usize = 3;
}
