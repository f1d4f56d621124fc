use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use repute_base::{Mono, Wall};
use repute_identity::NodeId;
use repute_node::{
    PersistId, Snapshot, Write,
    gossip::SeenAuthor,
    peers::Stored,
    trust::{AddressBan, Appeals, Ban, HearsayRecord, ReceiptRow, ReceiptsWrite, Record},
};

use crate::canary::{Canary, Planted};

/// One write, as the bytes that a real store keeps.
enum Row {
    Peer(NodeId, Option<Vec<u8>>),
    Anchors(Vec<NodeId>),
    Record(u64, NodeId, Vec<u8>),
    /// Removes the records of a subject up to a number.
    Fold(NodeId, u64),
    Ban(NodeId, Option<Vec<u8>>),
    Heard(u64, NodeId, Vec<u8>),
    /// Removes what was heard of a source up to a number.
    Unhear(NodeId, u64),
    Addresses(Vec<u8>),
    Appeals(Vec<u8>),
    Seen(Seen),
    Receipt(ReceiptRow),
    ForgetPair(NodeId, NodeId),
    Profile(NodeId, Option<Vec<u8>>),
}

/// A row about an author, its bitmap as bytes.
struct Seen {
    author: NodeId,
    start: u64,
    highest: u64,
    bitmap: [u8; SeenAuthor::BITMAP_LEN],
    updated: Wall,
}

struct Batch {
    due: Mono,
    id: PersistId,
    rows: Vec<Row>,
}

/// The store of one simulated node: what is written becomes durable after a delay, in order, and
/// what was not durable yet when the node crashed is gone.
#[derive(Default)]
pub(crate) struct Disk {
    /// A disk that only answers, for networks without crashes.
    forgetful: bool,
    last_start: u64,
    peers: BTreeMap<NodeId, Vec<u8>>,
    anchors: Vec<NodeId>,
    records: BTreeMap<u64, (NodeId, Vec<u8>)>,
    bans: BTreeMap<NodeId, Vec<u8>>,
    heard: BTreeMap<u64, (NodeId, Vec<u8>)>,
    addresses: Option<Vec<u8>>,
    appeals: Option<Vec<u8>>,
    seen: BTreeMap<NodeId, Seen>,
    receipts: BTreeMap<(u8, NodeId, NodeId), ReceiptRow>,
    profiles: BTreeMap<NodeId, Vec<u8>>,
    pending: VecDeque<Batch>,
    planted: Planted,
    /// Rows that were read back as something else than was written.
    pub(crate) unreadable: u64,
}

impl Disk {
    /// A disk that answers and keeps nothing.
    pub(crate) fn forgetful() -> Self {
        Self {
            forgetful: true,
            ..Self::default()
        }
    }

    /// With a bug.
    pub(crate) fn planted(mut self, planted: Planted) -> Self {
        self.planted = planted;
        self
    }

    /// Whether this disk keeps what is written, and all of it is durable.
    pub(crate) fn is_settled(&self) -> bool {
        !self.forgetful && self.pending.is_empty()
    }

    /// Whether a ban of this subject would survive a crash now.
    pub(crate) fn keeps_ban(&self, subject: &NodeId) -> bool {
        self.forgetful || self.bans.contains_key(subject)
    }

    /// Begins a write that is durable after `delay`.
    pub(crate) fn write(&mut self, now: Mono, delay: Duration, id: PersistId, writes: &[Write]) {
        let last = self.pending.back().map_or(Mono::ZERO, |batch| batch.due);
        let rows = if self.forgetful {
            Vec::new()
        } else {
            writes.iter().flat_map(rows).collect()
        };
        let due = last.max(now + delay);
        self.pending.push_back(Batch { due, id, rows });
    }

    /// When the next write is durable.
    pub(crate) fn next_due(&self) -> Option<Mono> {
        self.pending.front().map(|batch| batch.due)
    }

    /// Makes the next write that is due durable.
    pub(crate) fn complete(&mut self, now: Mono) -> Option<PersistId> {
        if self.next_due()? > now {
            return None;
        }
        let batch = self.pending.pop_front()?;
        for row in batch.rows {
            if !self.planted.strikes(Canary::DropsRows, 1_000) {
                self.apply(row);
            }
        }
        Some(batch.id)
    }

    fn apply(&mut self, row: Row) {
        match row {
            Row::Peer(id, body) => put(&mut self.peers, id, body),
            Row::Anchors(ids) => self.anchors = ids,
            Row::Addresses(bytes) => self.addresses = Some(bytes),
            Row::Appeals(bytes) => self.appeals = Some(bytes),
            Row::Record(number, subject, body) => {
                self.records.insert(number, (subject, body));
            }
            Row::Fold(subject, up_to) => self
                .records
                .retain(|number, (of, _)| *of != subject || *number > up_to),
            Row::Heard(number, source, body) => {
                self.heard.insert(number, (source, body));
            }
            Row::Unhear(source, up_to) => self
                .heard
                .retain(|number, (of, _)| *of != source || *number > up_to),
            Row::Ban(id, body) => put(&mut self.bans, id, body),
            Row::Receipt(row) => {
                self.receipts.insert((row.kind, row.a, row.b), row);
            }
            Row::ForgetPair(a, b) => {
                self.receipts.remove(&(0, a, b));
            }
            Row::Profile(id, body) => put(&mut self.profiles, id, body),
            Row::Seen(row) => {
                self.seen.insert(row.author, row);
            }
        }
    }

    /// The disk after the node's death: what was not durable is gone.
    pub(crate) fn after_crash(mut self) -> Self {
        self.pending.clear();
        if self.planted.is(Canary::ForgetsSeen) {
            self.seen.clear();
        }
        self
    }

    /// What a new life starts from, its start number already durable.
    pub(crate) fn snapshot(&mut self, now: Wall) -> Snapshot {
        self.last_start = now.as_millis().max(self.last_start.saturating_add(1));
        let (snapshot, unreadable) = self.read();
        self.unreadable += unreadable;
        snapshot
    }

    /// What a life would start from, and how many rows cannot be read.
    pub(crate) fn read(&self) -> (Snapshot, u64) {
        let mut snapshot = Snapshot {
            start: self.last_start,
            anchors: self.anchors.clone(),
            ..Snapshot::default()
        };
        let mut unreadable = 0;
        for body in self.peers.values() {
            match Stored::decode(body) {
                Ok(peer) => snapshot.peers.push(peer),
                Err(_) => unreadable += 1,
            }
        }
        for (number, (_, body)) in &self.records {
            match Record::from_bytes(body) {
                Ok(record) if record.number == *number => snapshot.records.push(record),
                _ => unreadable += 1,
            }
        }
        for (number, (_, body)) in &self.heard {
            match HearsayRecord::from_bytes(body) {
                Ok(record) if record.number == *number => snapshot.hearsay.push(record),
                _ => unreadable += 1,
            }
        }
        for body in self.bans.values() {
            match Ban::from_bytes(body) {
                Ok(ban) => snapshot.bans.push(ban),
                Err(_) => unreadable += 1,
            }
        }
        match self.addresses.as_deref().map(AddressBan::list_from_bytes) {
            Some(Ok(list)) => snapshot.address_bans = list,
            Some(Err(_)) => unreadable += 1,
            None => {}
        }
        match self.appeals.as_deref().map(Appeals::from_bytes) {
            Some(Ok(appeals)) => snapshot.appeals = appeals,
            Some(Err(_)) => unreadable += 1,
            None => {}
        }
        let profiles = self.profiles.iter();
        snapshot.profiles = profiles.map(|(id, body)| (*id, body.clone())).collect();
        snapshot.receipts = self.receipts.values().cloned().collect();
        snapshot.receipts.sort_by_key(|row| row.wall);
        snapshot.seen = self.seen.values().map(Seen::read).collect();
        (snapshot, unreadable)
    }
}

impl Seen {
    fn of(row: &SeenAuthor) -> Self {
        Self {
            author: row.author,
            start: row.start,
            highest: row.highest,
            bitmap: row.bitmap_bytes(),
            updated: row.updated,
        }
    }

    fn read(&self) -> SeenAuthor {
        SeenAuthor {
            author: self.author,
            start: self.start,
            highest: self.highest,
            bitmap: SeenAuthor::bitmap_from_bytes(&self.bitmap),
            updated: self.updated,
        }
    }
}

fn put(table: &mut BTreeMap<NodeId, Vec<u8>>, id: NodeId, body: Option<Vec<u8>>) {
    match body {
        Some(body) => table.insert(id, body),
        None => table.remove(&id),
    };
}

fn rows(write: &Write) -> Vec<Row> {
    let record = |record: &Record| Row::Record(record.number, record.subject, record.to_bytes());
    let heard = |one: &HearsayRecord| Row::Heard(one.number, one.source, one.to_bytes());
    match write {
        Write::Peer(peer) => vec![Row::Peer(peer.id, Some(peer.encode()))],
        Write::ForgetPeer(id) => vec![Row::Peer(*id, None)],
        Write::Anchors(ids) => vec![Row::Anchors(ids.clone())],
        Write::Record(one) => vec![record(one)],
        Write::Checkpoint { up_to, record: one } => {
            vec![Row::Fold(one.subject, *up_to), record(one)]
        }
        Write::ForgetRecords(subject) => vec![Row::Fold(*subject, u64::MAX)],
        Write::Ban(ban) => vec![Row::Ban(ban.subject, Some(ban.to_bytes()))],
        Write::Heard(one) => vec![heard(one)],
        Write::SourceCheckpoint(one) => vec![Row::Unhear(one.source, one.number), heard(one)],
        Write::ForgetSource(source) => vec![Row::Unhear(*source, u64::MAX)],
        Write::Unban(subject) => vec![Row::Ban(*subject, None)],
        Write::AddressBans(list) => vec![Row::Addresses(AddressBan::list_to_bytes(list))],
        Write::Appeals(bytes) => vec![Row::Appeals(bytes.clone())],
        Write::Receipts(ReceiptsWrite::Put(row)) => vec![Row::Receipt(row.clone())],
        Write::Receipts(ReceiptsWrite::ForgetPair { a, b }) => vec![Row::ForgetPair(*a, *b)],
        Write::Profile { subject, bytes, .. } => {
            vec![Row::Profile(*subject, Some(bytes.clone()))]
        }
        Write::ForgetProfile(subject) => vec![Row::Profile(*subject, None)],
        Write::Seen(authors) => authors.iter().map(|row| Row::Seen(Seen::of(row))).collect(),
        _ => Vec::new(),
    }
}
