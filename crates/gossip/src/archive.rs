use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use repute_base::{Mono, Wall};
use repute_identity::NodeId;
use repute_protocol::{Announced, MessageId, Seq, limits::SEEN_MARGIN};

use crate::{
    Limits,
    hash::{Keyed, Table},
};

/// Ids dropped at most in one step of clean-up.
const EXPIRE_BATCH: usize = 1_024;

/// What is kept of one proven message.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) author: NodeId,
    pub(crate) seq: Seq,
    pub(crate) sent: Wall,
    pub(crate) hops: u8,
    pub(crate) ttl: u8,
    pub(crate) arrived: Mono,
    /// The envelope as it came; `None` once evicted, or when it is not for passing on.
    pub(crate) wire: Option<Bytes>,
}

/// Every id that proved valid, and the envelopes kept for those who missed them.
///
/// Oldest first goes out, by time, count and bytes.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    records: Table<MessageId, Record>,
    order: VecDeque<MessageId>,
    retained: VecDeque<MessageId>,
    retained_bytes: usize,
    /// Below this second of sending, the retained set has holes.
    floor: u64,
    ids_max: usize,
    count_max: usize,
    bytes_max: usize,
}

impl Archive {
    pub(crate) fn new(limits: &Limits, keyed: Keyed) -> Self {
        Self {
            records: Table::with_hasher(keyed),
            order: VecDeque::new(),
            retained: VecDeque::new(),
            retained_bytes: 0,
            floor: 0,
            ids_max: limits.ids_max.max(1),
            count_max: limits.retained_count_max,
            bytes_max: limits.retained_bytes_max,
        }
    }

    pub(crate) fn get(&self, id: &MessageId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(crate) fn contains(&self, id: &MessageId) -> bool {
        self.records.contains_key(id)
    }

    /// Adds a message; gives back the authors and numbers of ids that had to go for it.
    pub(crate) fn insert(&mut self, id: MessageId, record: Record) -> Vec<(NodeId, Seq)> {
        if let Some(wire) = &record.wire {
            self.retained_bytes += wire.len();
            self.retained.push_back(id);
        }
        if self.records.insert(id, record).is_none() {
            self.order.push_back(id);
        }
        while self.retained.len() > self.count_max || self.retained_bytes > self.bytes_max {
            if !self.release_oldest() {
                break;
            }
        }
        let mut gone = Vec::new();
        while self.order.len() > self.ids_max {
            gone.extend(self.forget_oldest());
        }
        gone
    }

    /// Drops what is older than the retention window, ids a margin later.
    pub(crate) fn expire(&mut self, now: Mono, retention: Duration) -> Vec<(NodeId, Seq)> {
        for _ in 0..EXPIRE_BATCH {
            let old = self
                .retained
                .front()
                .and_then(|id| self.records.get(id))
                .is_some_and(|record| now.since(record.arrived) > retention);
            if !old || !self.release_oldest() {
                break;
            }
        }
        let mut gone = Vec::new();
        for _ in 0..EXPIRE_BATCH {
            let old = self
                .order
                .front()
                .and_then(|id| self.records.get(id))
                .is_some_and(|record| now.since(record.arrived) > retention + SEEN_MARGIN);
            if !old {
                break;
            }
            gone.extend(self.forget_oldest());
        }
        gone
    }

    /// The retained messages, by second of sending, in order of arrival.
    pub(crate) fn retained(&self) -> impl Iterator<Item = (u64, MessageId)> + '_ {
        self.retained.iter().filter_map(|id| {
            let record = self.records.get(id)?;
            Some((record.sent.as_millis() / 1_000, *id))
        })
    }

    /// What arrived within `age`, the latest `count` at most, oldest first.
    pub(crate) fn recent(&self, now: Mono, age: Duration, count: usize) -> Vec<Announced> {
        let latest = self.retained.iter().rev().take(count);
        let mut recent: Vec<Announced> = latest
            .filter_map(|id| Some((*id, self.records.get(id)?)))
            .take_while(|(_, record)| now.since(record.arrived) <= age)
            .map(|(id, record)| Announced {
                id,
                hops: record.hops,
            })
            .collect();
        recent.reverse();
        recent
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn retained_len(&self) -> usize {
        self.retained.len()
    }

    pub(crate) const fn retained_bytes(&self) -> usize {
        self.retained_bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn release_oldest(&mut self) -> bool {
        let Some(id) = self.retained.pop_front() else {
            return false;
        };
        if let Some(record) = self.records.get_mut(&id)
            && let Some(wire) = record.wire.take()
        {
            self.retained_bytes = self.retained_bytes.saturating_sub(wire.len());
            self.floor = self
                .floor
                .max((record.sent.as_millis() / 1_000).saturating_add(1));
        }
        true
    }

    fn forget_oldest(&mut self) -> Option<(NodeId, Seq)> {
        let id = self.order.pop_front()?;
        // Without its record an envelope could not be found again.
        if self.retained.front() == Some(&id) {
            self.release_oldest();
        }
        let record = self.records.remove(&id)?;
        Some((record.author, record.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_base::Rng;

    fn record(n: u64) -> Record {
        Record {
            author: NodeId::from_bytes([1; 32]),
            seq: Seq {
                start: 1,
                counter: n,
            },
            sent: Wall::from_millis(n * 1_000),
            hops: 1,
            ttl: 1,
            arrived: Mono::from_millis(n * 1_000),
            wire: Some(Bytes::from(alloc::vec![0; 100])),
        }
    }

    fn id(n: u64) -> MessageId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_le_bytes());
        MessageId::from_bytes(id)
    }

    #[test]
    fn oldest_messages_go_first_by_count_bytes_and_time() {
        let limits = Limits {
            ids_max: 50,
            retained_count_max: 30,
            retained_bytes_max: 2_000,
            ..Limits::default()
        };
        let mut archive = Archive::new(&limits, Keyed::new(&mut Rng::from_u64(1)));
        let mut forgotten = 0;
        for n in 0..1_000 {
            forgotten += archive.insert(id(n), record(n)).len();
            assert!(archive.len() <= 50 && archive.retained_bytes() <= 2_000);
            assert!(archive.retained_len() <= 20);
        }
        assert_eq!(
            (forgotten, archive.len(), archive.retained_len()),
            (950, 50, 20)
        );
        assert_eq!(archive.floor(), 980);
        let retention = Duration::from_secs(60);
        assert!(
            archive
                .expire(Mono::from_millis(1_061_000), retention)
                .is_empty()
        );
        assert_eq!((archive.retained_len(), archive.retained_bytes()), (0, 0));
        assert_eq!(
            archive
                .expire(Mono::from_millis(2_000_000), retention)
                .len(),
            50
        );
        assert_eq!(archive.len(), 0);
    }
}
