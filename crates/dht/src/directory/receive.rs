//! What others offer: cheap questions first, the signature next, the author's pace last.

use bytes::Bytes;
use repute_base::{Timestamp, codec};
use repute_identity::NodeId;
use repute_protocol::{
    Advertisement, Envelope, Filed, Misbehaviour, Record, RecordError, RecordKind, RecordList,
    Verified, limits::SLOTS_MAX,
};

use super::{
    Directory, DirectoryEvent, DirectoryLimits, DirectoryOutput, DirectoryRefusal as Refusal,
    Entry, HeardBy,
    author::Author,
    cache::Kind,
    locality::{group_of, is_local},
};
use crate::diversity::Group;

/// A record at the signature check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// Who said it: known by its link, or by the signature of the message around it.
    from: NodeId,
    heard_by: HeardBy,
}

impl Directory {
    /// A neighbour offers: its own records, and nobody else's.
    pub(super) fn offered(&mut self, now: Timestamp, peer: NodeId, records: &RecordList) {
        if !self.links.contains_key(&peer) {
            return;
        }
        for bytes in records {
            let check = Check {
                from: peer,
                heard_by: HeardBy::Offer,
            };
            if !self.has_time(now, peer) {
                continue;
            }
            match Envelope::decode(bytes.bytes().clone()) {
                Ok(envelope) => self.consider(now, check, envelope),
                Err(_) => self.blame(peer, Misbehaviour::InvalidRecord, Refusal::Invalid),
            }
        }
    }

    /// Somebody published on the topic of advertisements. What cannot be read may be of a version
    /// to come.
    pub(super) fn gossiped(&mut self, now: Timestamp, author: NodeId, data: Bytes) {
        if !self.has_time(now, author) {
            return;
        }
        let check = Check {
            from: author,
            heard_by: HeardBy::Gossip,
        };
        match Envelope::decode(data) {
            Ok(envelope) if envelope.author() == author => self.consider(now, check, envelope),
            Ok(_) => self.counters.refuse(Refusal::Foreign),
            Err(_) => self.counters.refuse(Refusal::Invalid),
        }
    }

    /// Whether another record is looked at that this author signed or sent over its own link.
    fn has_time(&mut self, now: Timestamp, author: NodeId) -> bool {
        if author == self.me {
            return false;
        }
        if self.worth(&author).closed {
            self.counters.refuse(Refusal::Barred);
            return false;
        }
        if self.authors.get(&author).is_none() {
            self.authors.insert(author, Author::new(now.mono));
        } else {
            self.authors.touch(&author);
        }
        let known = self.authors.get_mut(&author);
        let has_time = known.is_some_and(|one| one.has_time(now.mono));
        if !has_time {
            self.counters.refuse(Refusal::Pace);
        }
        has_time
    }

    /// Looks at all that costs less than the signature.
    fn consider(&mut self, now: Timestamp, check: Check, envelope: Envelope) {
        let from = check.from;
        if envelope.network() != self.network {
            return self.blame(from, Misbehaviour::WrongNetwork, Refusal::Foreign);
        }
        if envelope.author() != from {
            return self.blame(from, Misbehaviour::InvalidRecord, Refusal::Foreign);
        }
        let filed = match Record::file(&envelope, now.wall) {
            Ok(filed) => filed,
            Err(_) if names_too_many_keys(&envelope) => {
                return self.blame(from, Misbehaviour::AdvertisementFlood, Refusal::Flood);
            }
            Err(error) if error.proves_itself() => {
                return self.blame(from, Misbehaviour::InvalidRecord, Refusal::Invalid);
            }
            Err(error) => return self.counters.refuse(reason_of(error)),
        };
        if !is_for_all(&filed) {
            return self.blame(from, Misbehaviour::InvalidRecord, Refusal::Foreign);
        }
        if !self.is_news(&filed, &envelope) {
            return self.counters.refuse(Refusal::Stale);
        }
        let id = envelope.id();
        if self.checks.contains_key(&id) {
            return self.counters.refuse(Refusal::Stale);
        }
        if self.checks.len() >= self.limits.checks_max {
            return self.counters.refuse(Refusal::Full);
        }
        // A decoded envelope keeps the whole frame alive that it came in.
        let envelope = envelope.detached();
        self.checks.insert(id, check);
        self.output(DirectoryOutput::Verify { from, envelope });
    }

    fn is_news(&self, filed: &Filed, envelope: &Envelope) -> bool {
        let (slot, seq) = (filed.record.slot, envelope.seq());
        let known = self.cache.of(filed.author, slot);
        let author = self.authors.get(&filed.author);
        known.is_none_or(|entry| entry.seq < seq) && author.is_none_or(|one| one.counts(slot, seq))
    }

    pub(super) fn verified(&mut self, now: Timestamp, envelope: &Verified<Envelope>) {
        if let Some(check) = self.checks.remove(&envelope.id()) {
            self.take(now, envelope, check.heard_by);
        }
    }

    pub(super) fn forged(&mut self, envelope: &Envelope) {
        if let Some(check) = self.checks.remove(&envelope.id()) {
            self.blame(check.from, Misbehaviour::ForgedEnvelope, Refusal::Forged);
        }
    }

    /// A proven record, however it came.
    pub(super) fn take(&mut self, now: Timestamp, envelope: &Verified<Envelope>, by: HeardBy) {
        let author = envelope.author();
        if author == self.me || envelope.network() != self.network {
            return self.counters.refuse(Refusal::Foreign);
        }
        let filed = match Record::file(envelope, now.wall) {
            Ok(filed) if filed.kind == RecordKind::Advertisement => filed,
            Ok(_) => return self.counters.refuse(Refusal::Foreign),
            Err(error) => return self.counters.refuse(reason_of(error)),
        };
        let worth = self.worth(&author);
        if worth.closed {
            return self.counters.refuse(Refusal::Barred);
        }
        let Ok(advertisement) = Advertisement::decode(&filed.record.value) else {
            return self.counters.refuse(Refusal::Invalid);
        };
        if !self.keeps_pace(now, envelope, &filed) {
            return self.blame(author, Misbehaviour::AdvertisementFlood, Refusal::Flood);
        }
        if !self.is_news(&filed, envelope) {
            return self.counters.refuse(Refusal::Stale);
        }
        let slot = filed.record.slot;
        if filed.expires.since(envelope.sent()) <= DirectoryLimits::FAREWELL {
            return self.withdrawn(&filed, envelope);
        }
        let group = self.group(&advertisement, author);
        let bytes = filed.record.value.len();
        let entry = Entry {
            author,
            slot,
            advertisement,
            seq: envelope.seq(),
            sent: envelope.sent(),
            expires: filed.expires,
            heard_by: by,
        };
        let (kind, evicted) = self.cache.insert(entry, (bytes, group, worth.trust));
        self.counters.evicted += evicted;
        match kind {
            Kind::Stale => self.counters.refuse(Refusal::Stale),
            Kind::Full => self.counters.refuse(Refusal::Full),
            Kind::Renewed => self.counters.taken += 1,
            Kind::New(entry) => {
                self.counters.taken += 1;
                let fits = |(token, filter): (&u64, &super::Filter)| {
                    filter.matches(&entry).then_some(*token)
                };
                let watches: alloc::vec::Vec<u64> = self.watches.iter().filter_map(fits).collect();
                if !watches.is_empty() {
                    self.event(DirectoryEvent::Discovered { watches, entry });
                }
            }
        }
    }

    /// Judges the author by what it signed. The record under `all` stands for the advertisement;
    /// those under its other names say the same.
    fn keeps_pace(&mut self, now: Timestamp, envelope: &Envelope, filed: &Filed) -> bool {
        if !is_for_all(filed) {
            return true;
        }
        let author = filed.author;
        if self.authors.get(&author).is_none() {
            self.authors.insert(author, Author::new(now.mono));
        }
        let says = *blake3::hash(&filed.record.value).as_bytes();
        let dated = (envelope.seq(), envelope.sent());
        let hasty_max = self.limits.hasty_max;
        let known = self.authors.get_mut(&author);
        known.is_none_or(|one| one.judge(filed.record.slot, dated, says, hasty_max))
    }

    /// The author takes back what it offered. A farewell under another name than `all` is the
    /// DHT's business: the author may offer less than before, not nothing.
    fn withdrawn(&mut self, filed: &Filed, envelope: &Envelope) {
        if !is_for_all(filed) {
            return self.counters.refuse(Refusal::Stale);
        }
        let slot = filed.record.slot;
        if let Some(author) = self.authors.get_mut(&filed.author) {
            author.withdraw(slot, envelope.seq());
        }
        if self.cache.remove(&(filed.author, slot)).is_some() {
            self.counters.withdrawn += 1;
        }
    }

    /// With whom an author is limited together: where it is linked from if it is, else where it
    /// says that it is.
    fn group(&self, advertisement: &Advertisement, author: NodeId) -> Option<Group> {
        let local = self.links.values().any(is_local);
        let said = advertisement.addresses.first();
        let strict = self.config.loopback_strict;
        let seen = self.links.get(&author);
        group_of(seen.or(said), local, strict)
    }

    fn blame(&mut self, peer: NodeId, kind: Misbehaviour, reason: Refusal) {
        self.counters.refuse(reason);
        self.output(DirectoryOutput::Misbehaviour { peer, kind });
    }
}

fn is_for_all(filed: &Filed) -> bool {
    filed.kind == RecordKind::Advertisement && *filed.record.name == *Advertisement::ALL.as_bytes()
}

/// Whether its author claims a place beyond those for ten keys.
fn names_too_many_keys(envelope: &Envelope) -> bool {
    let record: Result<Record, _> = codec::decode(&envelope.payload());
    record.is_ok_and(|record| {
        record.kind == RecordKind::Advertisement.number() && record.slot >= SLOTS_MAX
    })
}

fn reason_of(error: RecordError) -> Refusal {
    match error {
        RecordError::Expired | RecordError::FromTheFuture => Refusal::Untimely,
        RecordError::UnknownKind => Refusal::Foreign,
        _ => Refusal::Invalid,
    }
}
