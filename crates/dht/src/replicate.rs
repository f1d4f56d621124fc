//! What a holder does for records of others: puts them again when nobody else does, and hands
//! them to newcomers that are closer.

use alloc::vec::Vec;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{DhtAsk, RecordList};

use crate::{
    Dht, Limits,
    distance::Distance,
    put::{Round, Why},
    request::Purpose,
    store::Pace,
};

/// Of the holders of a record, so many hand it to a newcomer: one more than needed.
const HANDERS: usize = 2;

impl Dht {
    /// When to put a record again if nobody else does: the jitter lets one holder be first.
    pub(crate) fn pace(&mut self) -> Pace {
        Pace {
            now: self.now.mono,
            interval: self.config.replicate_interval,
            share: u32::try_from(self.rng.range(800..1_000)).unwrap_or(1_000),
        }
    }

    pub(crate) fn next_replication(&self) -> Option<Mono> {
        let due = self.store.next_due();
        due.filter(|_| self.is_serving() && self.may_replicate())
    }

    fn may_replicate(&self) -> bool {
        let under_way = self
            .rounds
            .values()
            .filter(|one| Round::is_replication(one));
        !self.stopping
            && under_way.count() < self.limits.replications_max
            && self.lookups.len() < self.limits.lookups_max
    }

    pub(crate) fn replicate_due(&mut self) {
        while self
            .next_replication()
            .is_some_and(|at| at <= self.now.mono)
        {
            let pace = self.pace();
            let Some((key, envelopes)) = self.store.take_due(pace) else {
                return;
            };
            let wall = self.now.wall;
            let valid: Vec<_> = envelopes
                .into_iter()
                .filter(|one| repute_protocol::Record::file(one, wall).is_ok())
                .collect();
            if !valid.is_empty() {
                self.put(key, valid, Why::Replication);
            }
        }
    }

    /// A node has a place in the table since now: it gets what it is close to.
    pub(crate) fn on_newcomer(&mut self, peer: NodeId) {
        let now = self.now.mono;
        let lately = |at: &Mono| now.since(*at) < self.config.replicate_interval;
        if !self.is_serving()
            || self.store.is_empty()
            || self.newcomers.get(&peer).is_some_and(lately)
        {
            return;
        }
        self.newcomers.insert(peer, now);
        let mut lists: Vec<RecordList> = Vec::new();
        let mut left = self.limits.handover_max;
        for (key, envelopes) in self.store.nearest().take(self.limits.handover_max) {
            if left == 0 {
                break;
            }
            if !self.hands_over(key.as_bytes(), &peer) {
                continue;
            }
            for envelope in envelopes.into_iter().take(left) {
                left -= 1;
                let fitted = lists.last_mut().is_some_and(|list| list.push(envelope));
                let mut list = RecordList::default();
                if !fitted && list.push(envelope) {
                    lists.push(list);
                }
            }
        }
        for records in lists {
            self.stats.handed_over += records.len() as u64;
            self.ask(peer, &[], DhtAsk::Store { records }, Purpose::Handover);
        }
    }

    /// Whether the newcomer is one of the closest to a key, and we were.
    fn hands_over(&self, key: &[u8; 32], newcomer: &NodeId) -> bool {
        let own = Distance::between(self.me.as_bytes(), key);
        let closest = self.table.closest(key, self.config.k, |_| true);
        let among = closest.iter().any(|entry| entry.id == *newcomer);
        let closer = closest
            .iter()
            .filter(|one| one.id != *newcomer)
            .filter(|one| Distance::between(one.id.as_bytes(), key) < own);
        among && closer.count() < HANDERS
    }
}

impl Limits {
    /// Newcomers remembered, so that one that comes and goes is not handed everything each time.
    pub(crate) const NEWCOMERS_MAX: usize = 1_024;
}
