//! What is promised about items.

use repute_base::Wall;

use super::{Kept, fate, read, same, write};
use crate::{ItemRow, Shelf, Store, StoreError, Write, limits};

fn item(n: u8, wall: u64) -> ItemRow {
    ItemRow {
        shelf: Shelf::Profiles,
        key: vec![n; 32],
        wall: Wall::from_millis(wall),
        body: vec![n; usize::from(n) * 9],
    }
}

fn forget(n: u8) -> Write {
    Write::ForgetItem {
        shelf: Shelf::Profiles,
        key: item(n, 0).key,
    }
}

fn keys(store: &dyn Store) -> Result<Vec<Vec<u8>>, super::Broken> {
    let rows = read(store.items(Shelf::Profiles))?;
    Ok(rows.into_iter().map(|row| row.key).collect())
}

pub(super) fn come_back_by_shelf_and_key(store: &dyn Store) -> Kept {
    const PROMISE: &str =
        "items come back in the order of their keys, replaced or forgotten by key";
    same(PROMISE, &keys(store)?, &Vec::new())?;
    let items = vec![Write::Item(item(3, 7)), Write::Item(item(1, 9))];
    write(store, items)?;
    let found = read(store.items(Shelf::Profiles))?;
    same(PROMISE, &found, &vec![item(1, 9), item(3, 7)])?;
    let newer = ItemRow {
        body: vec![77],
        ..item(1, 10)
    };
    let batch = vec![Write::Item(newer.clone()), forget(3), forget(50)];
    write(store, batch)?;
    same(PROMISE, &read(store.items(Shelf::Profiles))?, &vec![newer])?;
    same("health counts the items", &store.health().items, &1)
}

pub(super) fn too_large_are_refused(store: &dyn Store) -> Kept {
    const PROMISE: &str = "an item larger than its limit is refused, and nothing of it is written";
    let large = |len: usize| vec![0; len + 1];
    for refused in [
        Write::Item(ItemRow {
            body: large(limits::ITEM_BODY_MAX),
            ..item(1, 1)
        }),
        Write::Item(ItemRow {
            key: large(limits::ITEM_KEY_MAX),
            ..item(1, 1)
        }),
        Write::ForgetItem {
            shelf: Shelf::Profiles,
            key: large(limits::ITEM_KEY_MAX),
        },
    ] {
        let found = fate(store, vec![Write::Item(item(2, 2)), refused])?;
        let refused = matches!(found, Err(StoreError::TooLarge { .. }));
        same(PROMISE, &refused, &true)?;
    }
    same(PROMISE, &keys(store)?, &Vec::new())
}

pub(super) fn a_full_shelf_drops_its_oldest(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a full shelf drops the items whose time is longest ago";
    for n in 1..=12u8 {
        // The later the key, the older.
        write(store, vec![Write::Item(item(n, 100 - u64::from(n)))])?;
    }
    // Each that came to a full shelf found eight that are younger, and went itself.
    let left = (1..=8).map(|n| item(n, 0).key);
    same(PROMISE, &keys(store)?, &left.collect())?;
    write(store, vec![Write::Item(item(20, 1_000))])?;
    let left = (1..=7).chain([20]).map(|n| item(n, 0).key);
    same(PROMISE, &keys(store)?, &left.collect())
}
