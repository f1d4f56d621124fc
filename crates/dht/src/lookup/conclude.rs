//! What a lookup came to.

use repute_base::Mono;
use repute_protocol::Contact;

use crate::{
    Dht, Event, Limits, Outcome, Output, Want,
    lookup::{
        Aim, Lookup,
        candidate::{Candidate, State},
    },
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

    fn tell(&mut self, token: u64, outcome: Outcome) {
        self.stats.last_lookup = Some(outcome.clone());
        self.emit(Output::Event(Event::Finished { token, outcome }));
    }
}

impl Lookup {
    fn outcome(&self, limits: &Limits, config: &crate::Config, now: Mono) -> Outcome {
        let is_proven = |one: &&Candidate| one.proven;
        // Among the closest, those that are there come first; a few always do, however many
        // closer ones are only named.
        let among = || self.live(limits).take(config.k);
        let proven_among = among().filter(is_proven).count();
        let proven_count = proven_among.max(self.manner.need.min(config.k));
        let proven = self.live(limits).filter(is_proven).take(proven_count);
        let mut closest: alloc::vec::Vec<Contact> = proven.map(Candidate::contact).collect();
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
