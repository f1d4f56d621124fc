use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use repute_base::Wall;
use repute_identity::NodeId;

use crate::{
    BanRow, Bounds, Done, EventRow, Health, HearsayRow, ItemRow, LoadReport, PeerRow, Prune,
    SeenRow, Shelf, Store, StoreError, Write, limits, write::admit,
};

/// A store in memory: for tests, simulations, and nodes that may forget.
///
/// Keeps the whole contract but durability, and answers every batch before `write` returns.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tables: Tables,
    closed: bool,
}

/// The tables, each with what would be its index in a database.
#[derive(Debug, Default)]
struct Tables {
    peers: BTreeMap<NodeId, PeerRow>,
    peers_by_age: BTreeSet<(Wall, NodeId)>,
    events: BTreeMap<u64, EventRow>,
    events_by_subject: BTreeSet<(NodeId, u64)>,
    hearsay: BTreeMap<u64, HearsayRow>,
    hearsay_by_source: BTreeSet<(NodeId, u64)>,
    bans: BTreeMap<NodeId, BanRow>,
    bans_by_end: BTreeSet<(Wall, NodeId)>,
    seen: BTreeMap<(NodeId, u64), SeenRow>,
    seen_by_age: BTreeSet<(Wall, NodeId, u64)>,
    states: BTreeMap<String, Vec<u8>>,
    items: BTreeMap<ItemKey, ItemRow>,
    items_by_age: BTreeSet<(Shelf, Wall, Vec<u8>)>,
    bounds: Bounds,
}

type ItemKey = (Shelf, Vec<u8>);

/// One row set or removed; its inverse is of the same kind, so a batch can be taken back.
enum Change {
    Peer(NodeId, Option<PeerRow>),
    Event(u64, Option<EventRow>),
    Heard(u64, Option<HearsayRow>),
    Ban(NodeId, Option<BanRow>),
    Seen((NodeId, u64), Option<SeenRow>),
    State(String, Option<Vec<u8>>),
    Item(ItemKey, Option<ItemRow>),
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose tables are bounded otherwise than by default.
    pub fn with_bounds(bounds: Bounds) -> Self {
        let tables = Tables {
            bounds,
            ..Tables::default()
        };
        Self {
            inner: Mutex::new(Inner {
                tables,
                closed: false,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> Result<T, StoreError> {
        let inner = self.lock();
        if inner.closed {
            Err(StoreError::Closed)
        } else {
            Ok(read(&inner.tables))
        }
    }

    fn apply(&self, mut batch: Vec<Write>) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(StoreError::Closed);
        }
        admit(&mut batch)?;
        let mut undo = Vec::new();
        for write in batch {
            if let Err(error) = inner.tables.apply(write, &mut undo) {
                while let Some(change) = undo.pop() {
                    inner.tables.swap(change);
                }
                return Err(error);
            }
        }
        inner.tables.evict();
        Ok(())
    }
}

impl Tables {
    /// Makes a change and returns the change that takes it back.
    fn swap(&mut self, change: Change) -> Change {
        match change {
            Change::Peer(id, row) => {
                let new = row.as_ref().map(|row| (row.last_seen, id));
                let old = replace(&mut self.peers, id, row);
                reindex(
                    &mut self.peers_by_age,
                    old.as_ref().map(|row| (row.last_seen, id)),
                    new,
                );
                Change::Peer(id, old)
            }
            Change::Event(number, row) => {
                let new = row.as_ref().map(|row| (row.subject, number));
                let old = replace(&mut self.events, number, row);
                let gone = old.as_ref().map(|row| (row.subject, number));
                reindex(&mut self.events_by_subject, gone, new);
                Change::Event(number, old)
            }
            Change::Heard(number, row) => {
                let new = row.as_ref().map(|row| (row.source, number));
                let old = replace(&mut self.hearsay, number, row);
                let gone = old.as_ref().map(|row| (row.source, number));
                reindex(&mut self.hearsay_by_source, gone, new);
                Change::Heard(number, old)
            }
            Change::Ban(id, row) => {
                let new = row.as_ref().map(|row| (end(row), id));
                let old = replace(&mut self.bans, id, row);
                reindex(
                    &mut self.bans_by_end,
                    old.as_ref().map(|row| (end(row), id)),
                    new,
                );
                Change::Ban(id, old)
            }
            Change::Seen(key, row) => {
                let new = row.as_ref().map(|row| (row.wall, key.0, key.1));
                let old = replace(&mut self.seen, key, row);
                let gone = old.as_ref().map(|row| (row.wall, key.0, key.1));
                reindex(&mut self.seen_by_age, gone, new);
                Change::Seen(key, old)
            }
            Change::Item(key, row) => {
                let age = |row: &ItemRow| (row.shelf, row.wall, row.key.clone());
                let new = row.as_ref().map(age);
                let old = replace(&mut self.items, key.clone(), row);
                reindex(&mut self.items_by_age, old.as_ref().map(age), new);
                Change::Item(key, old)
            }
            Change::State(key, value) => {
                let old = replace(&mut self.states, key.clone(), value);
                Change::State(key, old)
            }
        }
    }

    fn apply(&mut self, write: Write, undo: &mut Vec<Change>) -> Result<(), StoreError> {
        match write {
            Write::Peer(row) => undo.push(self.swap(Change::Peer(row.id, Some(row)))),
            Write::ForgetPeer(id) => undo.push(self.swap(Change::Peer(id, None))),
            Write::Event(row) => {
                let full = self.events.len() as u64 >= self.bounds.events;
                if full && !self.events.contains_key(&row.number) {
                    return Err(StoreError::events_full(self.bounds.events));
                }
                self.append(row, undo)?;
            }
            Write::Checkpoint {
                subject,
                up_to,
                row,
            } => {
                self.fold(subject, up_to, undo);
                self.append(row, undo)?;
            }
            Write::ForgetEvents(subject) => self.fold(subject, u64::MAX, undo),
            Write::Heard(row) => {
                let full = self.hearsay.len() as u64 >= self.bounds.hearsay;
                if full && !self.hearsay.contains_key(&row.number) {
                    return Err(StoreError::hearsay_full(self.bounds.hearsay));
                }
                self.hear(row, undo)?;
            }
            Write::SourceCheckpoint(row) => {
                self.unhear(row.source, row.number, undo);
                self.hear(row, undo)?;
            }
            Write::ForgetSource(source) => self.unhear(source, u64::MAX, undo),
            Write::Ban(row) => undo.push(self.swap(Change::Ban(row.subject, Some(row)))),
            Write::Unban(id) => undo.push(self.swap(Change::Ban(id, None))),
            Write::Seen(rows) => {
                for row in rows {
                    undo.push(self.swap(Change::Seen((row.author, row.start), Some(row))));
                }
            }
            Write::State { key, value } => {
                let full = self.states.len() as u64 >= self.bounds.states;
                if full && !self.states.contains_key(&key) {
                    return Err(StoreError::states_full(self.bounds.states));
                }
                undo.push(self.swap(Change::State(key, Some(value))));
            }
            Write::ForgetState(key) => undo.push(self.swap(Change::State(key, None))),
            Write::Item(row) => {
                let key = (row.shelf, row.key.clone());
                undo.push(self.swap(Change::Item(key, Some(row))));
            }
            Write::ForgetItem { shelf, key } => {
                undo.push(self.swap(Change::Item((shelf, key), None)));
            }
            Write::Prune(prune) => self.prune(prune, undo),
        }
        Ok(())
    }

    /// Removes the events of `subject` numbered up to and including `up_to`.
    fn fold(&mut self, subject: NodeId, up_to: u64, undo: &mut Vec<Change>) {
        let span = (subject, 0)..=(subject, up_to);
        let folded: Vec<_> = self.events_by_subject.range(span).copied().collect();
        for (_, number) in folded {
            undo.push(self.swap(Change::Event(number, None)));
        }
    }

    fn append(&mut self, row: EventRow, undo: &mut Vec<Change>) -> Result<(), StoreError> {
        match self.events.get(&row.number) {
            Some(old) if *old == row => Ok(()),
            Some(_) => Err(StoreError::NumberTaken { number: row.number }),
            None => {
                undo.push(self.swap(Change::Event(row.number, Some(row))));
                Ok(())
            }
        }
    }

    /// Removes what was heard of `source` numbered up to and including `up_to`.
    fn unhear(&mut self, source: NodeId, up_to: u64, undo: &mut Vec<Change>) {
        let span = (source, 0)..=(source, up_to);
        let gone: Vec<_> = self.hearsay_by_source.range(span).copied().collect();
        for (_, number) in gone {
            undo.push(self.swap(Change::Heard(number, None)));
        }
    }

    fn hear(&mut self, row: HearsayRow, undo: &mut Vec<Change>) -> Result<(), StoreError> {
        match self.hearsay.get(&row.number) {
            Some(old) if *old == row => Ok(()),
            Some(_) => Err(StoreError::NumberTaken { number: row.number }),
            None => {
                undo.push(self.swap(Change::Heard(row.number, Some(row))));
                Ok(())
            }
        }
    }

    fn prune(&mut self, prune: Prune, undo: &mut Vec<Change>) {
        let mut gone = Vec::new();
        if let Some(before) = prune.seen_before {
            let old = self.seen_by_age.iter().take_while(|key| key.0 < before);
            let old = old.take(limits::PRUNE_ROWS_MAX);
            gone.extend(old.map(|&(_, author, start)| Change::Seen((author, start), None)));
        }
        if let Some(before) = prune.peers_before {
            let old = self.peers_by_age.iter().take_while(|key| key.0 < before);
            gone.extend(
                old.take(limits::PRUNE_ROWS_MAX)
                    .map(|&(_, id)| Change::Peer(id, None)),
            );
        }
        if let Some(before) = prune.bans_before {
            let old = self.bans_by_end.iter().take_while(|key| key.0 < before);
            gone.extend(
                old.take(limits::PRUNE_ROWS_MAX)
                    .map(|&(_, id)| Change::Ban(id, None)),
            );
        }
        undo.extend(
            gone.into_iter()
                .map(|change| self.swap(change))
                .collect::<Vec<_>>(),
        );
    }

    /// Keeps the tables within their limits; runs after every batch.
    fn evict(&mut self) {
        while self.peers.len() as u64 > self.bounds.peers {
            let Some(&(_, id)) = self.peers_by_age.first() else {
                break;
            };
            self.swap(Change::Peer(id, None));
        }
        while self.bans.len() as u64 > self.bounds.bans {
            let Some(&(_, id)) = self.bans_by_end.first() else {
                break;
            };
            self.swap(Change::Ban(id, None));
        }
        while self.seen.len() as u64 > self.bounds.seen {
            let Some(&(_, author, start)) = self.seen_by_age.first() else {
                break;
            };
            self.swap(Change::Seen((author, start), None));
        }
        while let Some(oldest) = self.oldest_over() {
            self.swap(Change::Item(oldest, None));
        }
    }

    /// The oldest item of a shelf that holds too many.
    fn oldest_over(&self) -> Option<ItemKey> {
        Shelf::ALL.into_iter().find_map(|shelf| {
            let rows = self.items.range((shelf, Vec::new())..);
            let count = rows.take_while(|(key, _)| key.0 == shelf).count() as u64;
            let mut ages = self.items_by_age.range((shelf, Wall::ZERO, Vec::new())..);
            let (shelf, _, key) = ages.next().filter(|_| count > self.bounds.items)?;
            Some((*shelf, key.clone()))
        })
    }
}

/// When a ban ends, for the order; never is last, past every time that `admit` lets through.
fn end(row: &BanRow) -> Wall {
    row.until.unwrap_or(Wall::MAX)
}

fn replace<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}

fn reindex<K: Ord>(index: &mut BTreeSet<K>, old: Option<K>, new: Option<K>) {
    if let Some(old) = old {
        index.remove(&old);
    }
    index.extend(new);
}

impl Store for MemoryStore {
    fn write(&self, batch: Vec<Write>, done: Done) {
        // The lock is released before the callback, which may read.
        let result = self.apply(batch);
        done(result);
    }

    fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        self.read(|tables| {
            let newest_first = tables.peers_by_age.iter().rev();
            newest_first
                .filter_map(|(_, id)| tables.peers.get(id).cloned())
                .collect()
        })
    }

    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError> {
        // A copy, because the visitor may write.
        let events: Vec<_> = self.read(|tables| tables.events.values().cloned().collect())?;
        let mut report = LoadReport::default();
        for row in events {
            report.events += 1;
            report.number_max = Some(row.number);
            visit(row);
        }
        Ok(report)
    }

    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        self.read(|tables| {
            let newest = tables
                .events_by_subject
                .range((subject, 0)..=(subject, u64::MAX))
                .rev();
            let newest = newest.take(limit.min(limits::EVENTS_OF_MAX));
            newest
                .filter_map(|(_, number)| tables.events.get(number).cloned())
                .collect()
        })
    }

    fn hearsay(&self) -> Result<Vec<HearsayRow>, StoreError> {
        self.read(|tables| tables.hearsay.values().cloned().collect())
    }

    fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.read(|tables| tables.bans.values().cloned().collect())
    }

    fn seen(&self) -> Result<Vec<SeenRow>, StoreError> {
        self.read(|tables| tables.seen.values().cloned().collect())
    }

    fn items(&self, shelf: Shelf) -> Result<Vec<ItemRow>, StoreError> {
        self.read(|tables| {
            let rows = tables.items.range((shelf, Vec::new())..);
            rows.take_while(|(key, _)| key.0 == shelf)
                .map(|(_, row)| row.clone())
                .collect()
        })
    }

    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tables| tables.states.get(key).cloned())
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.read(|_| ())
    }

    fn close(&self) -> Result<(), StoreError> {
        self.lock().closed = true;
        Ok(())
    }

    fn health(&self) -> Health {
        let inner = self.lock();
        Health {
            peers: inner.tables.peers.len() as u64,
            events: inner.tables.events.len() as u64,
            bans: inner.tables.bans.len() as u64,
            hearsay: inner.tables.hearsay.len() as u64,
            seen: inner.tables.seen.len() as u64,
            states: inner.tables.states.len() as u64,
            items: inner.tables.items.len() as u64,
            closed: inner.closed,
            ..Health::default()
        }
    }
}
