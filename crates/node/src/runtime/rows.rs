//! Between the engines' records and the store's rows.

use repute_gossip::SeenAuthor;
use repute_identity::NodeId;
use repute_peers::Stored;
use repute_protocol::Misbehaviour;
use repute_storage::{
    BanRow, EventRow, HearsayRow, ItemRow, PeerRow, SeenRow, Shelf, Store, StoreError, Write as Row,
};
use repute_trust::{AddressBan, Appeals, Ban, Evidence, Fault, HearsayRecord, Record};

use super::{dht_rows, receipt_rows};
use crate::{Snapshot, Write};

/// The name under which the anchors are kept.
const ANCHORS: &str = "anchors";

/// The name under which the entries of the blacklist that name addresses are kept.
const ADDRESS_BANS: &str = "address-bans";
/// The name under which appeals are kept.
const APPEALS: &str = "appeals";

/// What to write for the core.
pub(crate) fn to_row(write: &Write) -> Row {
    match write {
        Write::Peer(peer) => Row::Peer(PeerRow {
            id: peer.id,
            last_seen: peer.last_seen,
            body: peer.encode(),
        }),
        Write::ForgetPeer(id) => Row::ForgetPeer(*id),
        Write::Anchors(ids) => {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
            Row::State {
                key: ANCHORS.into(),
                value: bytes,
            }
        }
        Write::Record(record) => Row::Event(event_row(record)),
        Write::Checkpoint { up_to, record } => Row::Checkpoint {
            subject: record.subject,
            up_to: *up_to,
            row: event_row(record),
        },
        Write::ForgetRecords(subject) => Row::ForgetEvents(*subject),
        Write::Ban(ban) => Row::Ban(BanRow {
            subject: ban.subject,
            until: ban.until,
            body: ban.to_bytes(),
        }),
        Write::Unban(subject) => Row::Unban(*subject),
        Write::Receipts(write) => receipt_rows::to_row(write),
        Write::AddressBans(list) => Row::State {
            key: ADDRESS_BANS.into(),
            value: AddressBan::list_to_bytes(list),
        },
        Write::Appeals(bytes) => Row::State {
            key: APPEALS.into(),
            value: bytes.clone(),
        },
        Write::Heard(record) => Row::Heard(hearsay_row(record)),
        Write::SourceCheckpoint(record) => Row::SourceCheckpoint(hearsay_row(record)),
        Write::ForgetSource(source) => Row::ForgetSource(*source),
        Write::Profile {
            subject,
            last_seen,
            bytes,
        } => Row::Item(ItemRow {
            shelf: Shelf::Profiles,
            key: subject.as_bytes().to_vec(),
            wall: *last_seen,
            body: bytes.clone(),
        }),
        Write::ForgetProfile(subject) => Row::ForgetItem {
            shelf: Shelf::Profiles,
            key: subject.as_bytes().to_vec(),
        },
        Write::DhtRecord {
            place,
            expires,
            wire,
        } => dht_rows::put(place, *expires, wire),
        Write::ForgetDhtRecord { place } => dht_rows::forget(place),
        Write::Offer { slot, said, bytes } => dht_rows::put_offer(*slot, *said, bytes),
        Write::ForgetOffer { slot } => dht_rows::forget_offer(*slot),
        Write::Contacts(list) => dht_rows::contacts(list),
        Write::Seen(authors) => Row::Seen(authors.iter().map(seen_row).collect()),
    }
}

fn event_row(record: &Record) -> EventRow {
    EventRow {
        number: record.number,
        subject: record.subject,
        wall: record.wall,
        kind: kind_code(record.evidence),
        fault: match record.fault {
            Fault::Theirs => 0,
            Fault::Ours => 1,
            Fault::Network => 2,
        },
        context: record.context.code(),
        body: record.to_bytes(),
    }
}

/// A column for people who look into the database; the body is what counts.
fn kind_code(evidence: Evidence) -> u16 {
    match evidence {
        Evidence::Useful => 0,
        Evidence::Timeout => 1,
        Evidence::Pardon => 2,
        Evidence::Invalid(kind) => {
            let place = Misbehaviour::ALL.iter().position(|known| *known == kind);
            0x100
                + place
                    .and_then(|place| u16::try_from(place).ok())
                    .unwrap_or(0xff)
        }
        _ => 3,
    }
}

fn hearsay_row(record: &HearsayRecord) -> HearsayRow {
    HearsayRow {
        number: record.number,
        source: record.source,
        wall: record.wall,
        body: record.to_bytes(),
    }
}

fn seen_row(seen: &SeenAuthor) -> SeenRow {
    SeenRow {
        author: seen.author,
        start: seen.start,
        highest: seen.highest,
        bitmap: seen.bitmap_bytes().to_vec(),
        wall: seen.updated,
    }
}

/// Everything the store remembers. Rows that no longer decode are passed over and counted: the
/// store has already refused those that fail their check.
pub(crate) fn load(store: &dyn Store) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot::default();
    let mut unreadable = 0u64;
    for row in store.peers()? {
        match Stored::decode(&row.body) {
            Ok(peer) => snapshot.peers.push(peer),
            Err(_) => unreadable += 1,
        }
    }
    store.events(&mut |row| match record(&row) {
        Some(record) => snapshot.records.push(record),
        None => unreadable += 1,
    })?;
    for row in store.hearsay()? {
        match HearsayRecord::from_bytes(&row.body) {
            Ok(record) if record.number == row.number => snapshot.hearsay.push(record),
            _ => unreadable += 1,
        }
    }
    unreadable += receipt_rows::load(store, &mut snapshot)?;
    unreadable += dht_rows::load(store, &mut snapshot)?;
    for row in store.items(Shelf::Profiles)? {
        match <[u8; 32]>::try_from(row.key.as_slice()) {
            Ok(id) => snapshot.profiles.push((NodeId::from_bytes(id), row.body)),
            Err(_) => unreadable += 1,
        }
    }
    for row in store.bans()? {
        match Ban::from_bytes(&row.body) {
            Ok(ban) => snapshot.bans.push(ban),
            Err(_) => unreadable += 1,
        }
    }
    for row in store.seen()? {
        match <[u8; SeenAuthor::BITMAP_LEN]>::try_from(row.bitmap.as_slice()) {
            Ok(bytes) => snapshot.seen.push(SeenAuthor {
                author: row.author,
                start: row.start,
                highest: row.highest,
                bitmap: SeenAuthor::bitmap_from_bytes(&bytes),
                updated: row.wall,
            }),
            Err(_) => unreadable += 1,
        }
    }
    let anchors = store.state(ANCHORS)?.unwrap_or_default();
    let (ids, _) = anchors.as_chunks::<32>();
    snapshot.anchors = ids.iter().map(|id| NodeId::from_bytes(*id)).collect();
    let addresses = store.state(ADDRESS_BANS)?;
    match addresses.map(|bytes| AddressBan::list_from_bytes(&bytes)) {
        Some(Ok(list)) => snapshot.address_bans = list,
        Some(Err(_)) => unreadable += 1,
        None => {}
    }
    match store
        .state(APPEALS)?
        .map(|bytes| Appeals::from_bytes(&bytes))
    {
        Some(Ok(appeals)) => snapshot.appeals = appeals,
        Some(Err(_)) => unreadable += 1,
        None => {}
    }
    if unreadable > 0 {
        tracing::warn!(unreadable, "rows of the store were passed over");
    }
    Ok(snapshot)
}

/// All that was heard, oldest first.
pub(crate) fn heard(store: &dyn Store) -> Result<Vec<HearsayRecord>, StoreError> {
    let rows = store.hearsay()?;
    let read = rows
        .iter()
        .filter_map(|row| HearsayRecord::from_bytes(&row.body).ok());
    Ok(read.collect())
}

/// The stored records about `subject`, oldest first.
pub(crate) fn records_of(store: &dyn Store, subject: NodeId) -> Result<Vec<Record>, StoreError> {
    let rows = store.events_of(subject, usize::MAX)?;
    Ok(rows.iter().rev().filter_map(record).collect())
}

fn record(row: &EventRow) -> Option<Record> {
    Record::from_bytes(&row.body)
        .ok()
        .filter(|record| record.number == row.number)
}
