//! Requests of others.

use alloc::vec::Vec;

use repute_base::BoundedVec;
use repute_identity::NodeId;
use repute_protocol::{
    Contact, DhtAnswer, DhtAsk, DhtFrame, Envelope, Filed, RecordKey, RecordList, ShortId, Stored,
    Verified, limits::CONTACTS_MAX,
};

use crate::{
    Dht, Event, Output,
    contact::Entry,
    diversity::{Group, fits},
    store::{Arrival, Verdict},
    verify::Waiter,
};

/// A request to store that waits for signature checks.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    peer: NodeId,
    number: u64,
    outcomes: Vec<Option<Stored>>,
}

impl Dht {
    pub(crate) fn on_request(&mut self, peer: NodeId, number: u64, ask: DhtAsk) {
        let now = self.now.mono;
        self.stats.requests_received += 1;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.used = now;
        let cost = match &ask {
            DhtAsk::Store { records } => 1 + records.len() as u64 / 4,
            _ => 1,
        };
        if !link.served.take(now, cost) {
            if link.declined.take(now, 1) {
                self.stats.busy += 1;
                self.answer(peer, number, DhtAnswer::Busy);
            } else {
                self.blame_budget(peer);
            }
            return;
        }
        match ask {
            DhtAsk::Contacts { target, known } => {
                let contacts = self.contacts_for(peer, target, &known);
                self.answer(peer, number, DhtAnswer::Contacts { contacts });
            }
            DhtAsk::Records {
                key,
                from,
                count,
                known,
            } => {
                let (records, more) = self.store.page(key, from, count.into(), self.now.wall);
                // Whoever asks for one only needs to ask on if there is none.
                let contacts = if records.is_empty() || count != 1 {
                    self.contacts_for(peer, key, &known)
                } else {
                    BoundedVec::new()
                };
                let answer = DhtAnswer::Records {
                    records,
                    more,
                    contacts,
                };
                self.answer(peer, number, answer);
            }
            DhtAsk::Store { records } => self.on_store(peer, number, &records),
        }
    }

    pub(crate) fn answer(&mut self, peer: NodeId, number: u64, answer: DhtAnswer) {
        self.send(peer, DhtFrame::Answer { number, answer });
    }

    /// The closest nodes to a place, less those that the asker knows. Nobody is told of addresses
    /// that make no sense where it is.
    fn contacts_for(
        &self,
        peer: NodeId,
        target: RecordKey,
        known: &[ShortId],
    ) -> BoundedVec<Contact, CONTACTS_MAX> {
        let Some(link) = self.links.get(&peer) else {
            return BoundedVec::new();
        };
        let usable = |entry: &Entry| {
            let sound = entry.addresses.iter().all(|one| fits(one, &link.remote));
            entry.id != peer && sound && (entry.linked || entry.failures == 0)
        };
        let closest = self.table.closest(target.as_bytes(), self.config.k, usable);
        let news = closest
            .into_iter()
            .filter(|entry| !known.contains(&ShortId::of(&entry.id)));
        BoundedVec::truncated(news.map(Entry::contact))
    }

    fn on_store(&mut self, peer: NodeId, number: u64, records: &RecordList) {
        let job = self.next_number();
        let mut outcomes = Vec::with_capacity(records.len());
        for (place, wire) in records.iter().enumerate() {
            let outcome = match self.judge(peer, wire.bytes()) {
                _ if !self.is_serving() => Some(Stored::Full),
                None => Some(Stored::Refused),
                Some((envelope, filed)) => {
                    let waiter = Waiter::Store { job, place, peer };
                    self.weigh(peer, envelope, filed, waiter)
                }
            };
            outcomes.push(outcome);
        }
        let job_state = Job {
            peer,
            number,
            outcomes,
        };
        self.jobs.insert(job, job_state);
        self.answer_job(job);
    }

    /// What becomes of a record, as far as it can be said before its signature is checked.
    fn weigh(
        &mut self,
        peer: NodeId,
        envelope: Envelope,
        filed: Filed,
        waiter: Waiter,
    ) -> Option<Stored> {
        let arrival = self.arrival(peer);
        match self.store.weigh(&filed, &envelope, &arrival, &self.limits) {
            Verdict::Same => {
                let pace = self.pace();
                self.store.refresh(&filed, pace);
                Some(Stored::Kept)
            }
            Verdict::Older => {
                self.stats.refused_older += 1;
                Some(Stored::Older)
            }
            Verdict::Full => {
                self.stats.refused_full += 1;
                Some(Stored::Full)
            }
            // Whether an author is hasty, only proven records tell.
            Verdict::New | Verdict::Hasty => {
                if self.verify(peer, envelope, filed, waiter) {
                    None
                } else {
                    self.stats.refused_full += 1;
                    Some(Stored::Full)
                }
            }
        }
    }

    pub(crate) fn arrival(&mut self, peer: NodeId) -> Arrival {
        let remote = self.links.get(&peer).map(|link| link.remote);
        let strict = self.config.loopback_strict;
        Arrival {
            sender: peer,
            group: remote.map(|remote| Group::of(&remote, strict)),
            pace: self.pace(),
        }
    }

    /// The verdict on a record that is to be stored; none if there was no room to check it.
    pub(crate) fn on_store_verdict(
        &mut self,
        job: u64,
        place: usize,
        peer: NodeId,
        verdict: Option<(&Verified<Envelope>, &Filed)>,
        forged: bool,
    ) {
        let stored = match verdict {
            Some((envelope, filed)) => self.keep(peer, envelope, filed),
            None if forged => Stored::Refused,
            None => Stored::Full,
        };
        if let Some(outcome) = self
            .jobs
            .get_mut(&job)
            .and_then(|job| job.outcomes.get_mut(place))
        {
            *outcome = Some(stored);
        }
        self.answer_job(job);
    }

    fn answer_job(&mut self, job: u64) {
        let all = |job: &Job| {
            job.outcomes
                .iter()
                .copied()
                .collect::<Option<Vec<Stored>>>()
        };
        if let Some(outcomes) = self.jobs.get(&job).and_then(all)
            && let Some(Job { peer, number, .. }) = self.jobs.remove(&job)
        {
            let outcomes = BoundedVec::truncated(outcomes);
            self.answer(peer, number, DhtAnswer::Stored { outcomes });
        }
    }

    /// Keeps a proven record, if there is room.
    pub(crate) fn keep(
        &mut self,
        from: NodeId,
        envelope: &Verified<Envelope>,
        filed: &Filed,
    ) -> Stored {
        let arrival = self.arrival(from);
        let verdict = self.store.weigh(filed, envelope, &arrival, &self.limits);
        let (key, author, slot) = (filed.key, filed.author, filed.record.slot);
        match verdict {
            Verdict::Same => Stored::Kept,
            Verdict::Older => {
                self.stats.refused_older += 1;
                Stored::Older
            }
            Verdict::Full => {
                self.stats.refused_full += 1;
                Stored::Full
            }
            Verdict::Hasty => {
                self.stats.refused_hasty += 1;
                if self
                    .store
                    .is_flood(filed, envelope.id(), self.now.wall, &self.limits)
                {
                    let kind = repute_protocol::Misbehaviour::AdvertisementFlood;
                    self.accuse(author, kind);
                }
                Stored::Refused
            }
            Verdict::New => {
                let gone = self.store.insert(filed, envelope, &arrival, &self.limits);
                for (key, author, slot) in gone {
                    self.journal.forget(key, author, slot);
                }
                self.journal.wrote(key, author, slot);
                self.schedule_persist();
                if from != self.me {
                    self.stats.stored += 1;
                    self.emit(Output::Event(Event::Stored {
                        key,
                        author,
                        slot,
                        from,
                    }));
                }
                Stored::Kept
            }
        }
    }
}
