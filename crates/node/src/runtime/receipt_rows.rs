//! Between receipts and the store's items.

use repute_storage::{ItemRow, Shelf, Store, StoreError, Write as Row};
use repute_trust::{ReceiptRow, ReceiptsWrite};

use crate::Snapshot;

/// What to write for the receipts.
pub(super) fn to_row(write: &ReceiptsWrite) -> Row {
    let shelf = Shelf::Receipts;
    match write {
        ReceiptsWrite::Put(row) => Row::Item(ItemRow {
            shelf,
            key: row.key(),
            wall: row.wall,
            body: row.body.clone(),
        }),
        ReceiptsWrite::ForgetPair { a, b } => Row::ForgetItem {
            shelf,
            key: ReceiptRow::key_of_pair(*a, *b),
        },
    }
}

/// What the store remembers, the one touched longest ago first; how many rows have no name of ours.
pub(super) fn load(store: &dyn Store, snapshot: &mut Snapshot) -> Result<u64, StoreError> {
    let mut unreadable = 0;
    for row in store.items(Shelf::Receipts)? {
        match ReceiptRow::from_parts(&row.key, row.wall, row.body) {
            Some(row) => snapshot.receipts.push(row),
            None => unreadable += 1,
        }
    }
    snapshot.receipts.sort_by_key(|row| row.wall);
    Ok(unreadable)
}
