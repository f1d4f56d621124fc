//! What a lookup came to.

use alloc::{collections::BTreeSet, vec::Vec};

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{Contact, DhtAsk, RecordList};

use crate::{
    Dht, Event, FoundRecord, Limits, Outcome, Output, Want,
    lookup::{
        Aim, Lookup,
        candidate::{Candidate, State},
    },
    request::Purpose,
};

impl Dht {
    pub(crate) fn finish(&mut self, id: u64) {
        let Some(lookup) = self.lookups.remove(&id) else {
            return;
        };
        self.ends
            .remove(&(lookup.started + self.limits.lookup_max, id));
        self.stats.lookups_ended += 1;
        let outcome = lookup.outcome(&self.limits, &self.config, self.now.mono);
        let behind = lookup.behind(self.me, &self.limits, self.config.k);
        match lookup.aim {
            Aim::Nodes { token } => self.tell(token, outcome),
            Aim::Records(findings) => {
                if findings.want == Want::Newest
                    && let Some(record) = findings.newest().cloned()
                {
                    let token = findings.token;
                    self.emit(Output::Event(Event::Found { token, record }));
                }
                self.tell(findings.token, outcome);
                self.bring_up_to_date(behind);
            }
            Aim::Put { round } => {
                let targets = lookup
                    .live(&self.limits)
                    .map(|one| (one.id, one.addresses.clone()))
                    .collect();
                self.on_put_targets(round, targets);
            }
            Aim::Refresh => self.on_refreshed(),
        }
    }

    /// Has holders that gave an older record keep the newest. Nobody waits for their answers.
    fn bring_up_to_date(&mut self, behind: Vec<(NodeId, FoundRecord)>) {
        for (holder, newest) in behind {
            let mut records = RecordList::default();
            if holder == self.me {
                self.keep(newest.from, &newest.envelope, &newest.filed);
            } else if records.push(&newest.envelope)
                && self.ask(holder, &[], DhtAsk::Store { records }, Purpose::Handover)
            {
                self.stats.repaired += 1;
            }
        }
    }

    fn tell(&mut self, token: u64, outcome: Outcome) {
        self.stats.last_lookup = Some(outcome.clone());
        self.emit(Output::Event(Event::Finished { token, outcome }));
    }
}

impl Lookup {
    /// Who of the closest gave an older record than the newest that was found, and that newest.
    fn behind(&self, me: NodeId, limits: &Limits, k: usize) -> Vec<(NodeId, FoundRecord)> {
        let Aim::Records(findings) = &self.aim else {
            return Vec::new();
        };
        let closest = self.live(limits).take(k);
        let closest: BTreeSet<NodeId> = closest.map(|one| one.id).chain([me]).collect();
        let others = |(_, newest): &(NodeId, &FoundRecord)| newest.filed.author != me;
        let behind = findings.behind().filter(others);
        let behind = behind.filter(|(holder, _)| closest.contains(holder));
        behind
            .take(k)
            .map(|(holder, newest)| (holder, newest.clone()))
            .collect()
    }

    fn outcome(&self, limits: &Limits, config: &crate::Config, now: Mono) -> Outcome {
        let is_proven = |one: &&Candidate| one.proven;
        // Among the closest, those that are there come first; a few always do, however many
        // closer ones are only named.
        let among = || self.live(limits).take(config.k);
        let proven_among = among().filter(is_proven).count();
        let proven_count = proven_among.max(self.manner.need.min(config.k));
        let proven = self.live(limits).filter(is_proven).take(proven_count);
        let mut closest: Vec<Contact> = proven.map(Candidate::contact).collect();
        let proven_count = closest.len();
        closest.extend(among().filter(|one| !one.proven).map(Candidate::contact));
        closest.truncate(config.k);
        let answered = |one: &&Candidate| one.state == State::Answered;
        let nearest = self.candidates.iter().find(answered);
        let (records, holders) = match &self.aim {
            Aim::Records(findings) => (findings.newest.len(), findings.holders.len()),
            _ => (0, 0),
        };
        Outcome {
            closest,
            proven: proven_count,
            records,
            requests: self.requests,
            answers: self.answers,
            hops: nearest.map_or(0, |one| one.hops.into()),
            holders: u32::try_from(holders).unwrap_or(u32::MAX),
            quorum: holders >= config.quorum,
            took_ms: u64::try_from(now.since(self.started).as_millis()).unwrap_or(u64::MAX),
        }
    }
}
