//! Looking for what others offer: here first, then in the DHT.

use alloc::vec::Vec;

use repute_base::{Fixed, Mono, Timestamp};
use repute_protocol::{Envelope, RecordKey, Verified};

use super::{Directory, DirectoryError, DirectoryEvent, DirectoryOutput, Filter, HeardBy};

/// A search that waits for the DHT.
#[derive(Debug)]
pub(super) struct Search {
    filter: Filter,
    pub(super) until: Mono,
}

impl Directory {
    pub(super) fn seek(&mut self, now: Timestamp, token: u64, filter: Filter, local: bool) {
        self.counters.searches += 1;
        if local || self.is_enough(now, &filter) {
            let complete = true;
            return self.event(DirectoryEvent::Found {
                token,
                filter,
                complete,
            });
        }
        if self.searches.len() >= self.limits.searches_max || self.searches.contains_key(&token) {
            let reason = DirectoryError::TooMany;
            return self.event(DirectoryEvent::Refused { token, reason });
        }
        self.counters.lookups += 1;
        let key = RecordKey::of_service(filter.kind.as_str());
        let max = self.limits.found_max;
        let until = now.mono + self.config.lookup_timeout;
        self.searches.insert(token, Search { filter, until });
        self.output(DirectoryOutput::Lookup { token, key, max });
    }

    /// Whether what is known here leaves nothing to ask for. What an author is worth is not known
    /// here, so whoever asks for it needs all there are.
    fn is_enough(&self, now: Timestamp, filter: &Filter) -> bool {
        let known = || self.find(now.wall, filter, |_| Some(Fixed::HALF)).len();
        filter.trust_min.is_none() && !filter.picky && known() >= filter.max.max(1)
    }

    pub(super) fn looked_up(&mut self, now: Timestamp, token: u64, envelope: &Verified<Envelope>) {
        if self.searches.contains_key(&token) {
            self.take(now, envelope, HeardBy::Lookup);
        }
    }

    pub(super) fn ended(&mut self, token: u64, complete: bool) {
        if let Some(Search { filter, .. }) = self.searches.remove(&token) {
            self.event(DirectoryEvent::Found {
                token,
                filter,
                complete,
            });
        }
    }

    /// Answers those who have waited long enough.
    pub(super) fn give_up(&mut self, now: Mono) {
        let late = self
            .searches
            .iter()
            .filter(|(_, search)| search.until <= now);
        let late: Vec<u64> = late.map(|(token, _)| *token).collect();
        for token in late {
            self.ended(token, false);
        }
    }

    pub(super) fn watch(&mut self, token: u64, filter: Filter) {
        if self.watches.len() >= self.limits.watches_max && !self.watches.contains_key(&token) {
            let reason = DirectoryError::TooMany;
            return self.event(DirectoryEvent::Refused { token, reason });
        }
        self.watches.insert(token, filter);
    }
}
