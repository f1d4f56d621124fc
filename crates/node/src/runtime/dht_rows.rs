//! Between the DHT and the store: records as items, contacts as one state.

use bytes::Bytes;
use repute_base::{BoundedVec, Wall, codec};
use repute_identity::NodeId;
use repute_protocol::{Contact, Envelope, RecordKey};
use repute_storage::{ItemRow, Shelf, Store, StoreError, Write as Row};

use crate::Snapshot;

/// The name under which contacts are kept.
const CONTACTS: &str = "dht-contacts";
/// Contacts kept at most, as read back; the DHT keeps fewer.
const CONTACTS_MAX: usize = 1_024;

/// What this node offers under one of its keys.
pub(super) fn put_offer(slot: u8, said: Wall, bytes: &[u8]) -> Row {
    Row::Item(ItemRow {
        shelf: Shelf::Offers,
        key: vec![slot],
        wall: said,
        body: bytes.to_vec(),
    })
}

pub(super) fn forget_offer(slot: u8) -> Row {
    Row::ForgetItem {
        shelf: Shelf::Offers,
        key: vec![slot],
    }
}

/// Which record: its key, author and slot.
type Place = (RecordKey, NodeId, u8);

pub(super) fn put(place: &Place, expires: Wall, wire: &Bytes) -> Row {
    Row::Item(ItemRow {
        shelf: Shelf::Records,
        key: item_key(place),
        wall: expires,
        body: wire.to_vec(),
    })
}

pub(super) fn forget(place: &Place) -> Row {
    Row::ForgetItem {
        shelf: Shelf::Records,
        key: item_key(place),
    }
}

pub(super) fn contacts(contacts: &[Contact]) -> Row {
    let list: BoundedVec<Contact, CONTACTS_MAX> = BoundedVec::truncated(contacts.iter().cloned());
    Row::State {
        key: CONTACTS.into(),
        value: codec::encode(&list),
    }
}

fn item_key((key, author, slot): &Place) -> Vec<u8> {
    [&key.as_bytes()[..], &author.as_bytes()[..], &[*slot]].concat()
}

/// What the store remembers; how many rows were unreadable. A signature is checked again: what the
/// engine believes carries its proof.
pub(super) fn load(store: &dyn Store, snapshot: &mut Snapshot) -> Result<u64, StoreError> {
    let mut unreadable = 0;
    for row in store.items(Shelf::Records)? {
        match Envelope::decode(row.body.into()).map(Envelope::verify) {
            Ok(Ok(proven)) => snapshot.dht_records.push(proven),
            Ok(Err(_)) | Err(_) => unreadable += 1,
        }
    }
    for row in store.items(Shelf::Offers)? {
        match row.key[..] {
            [slot] => snapshot.offers.push((slot, row.body)),
            _ => unreadable += 1,
        }
    }
    if let Some(bytes) = store.state(CONTACTS)? {
        match codec::decode::<BoundedVec<Contact, CONTACTS_MAX>>(&bytes) {
            Ok(contacts) => snapshot.contacts = contacts.into_vec(),
            Err(_) => unreadable += 1,
        }
    }
    Ok(unreadable)
}
