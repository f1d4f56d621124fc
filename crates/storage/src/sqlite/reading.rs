//! From a row of SQLite to a row of the store, or to nothing if it is not what was written.

use repute_base::Wall;
use repute_identity::NodeId;
use rusqlite::{Row, types::ValueRef};

use crate::{
    BanRow, EventRow, HearsayRow, ItemRow, PeerRow, SeenRow, Shelf, check::Check, check::Checks,
    limits,
};

/// Reads a row whose check holds.
pub(super) type Parse<T> = fn(&Row<'_>, &Checks) -> Option<T>;

pub(super) fn peer(row: &Row<'_>, checks: &Checks) -> Option<PeerRow> {
    let (id, last_seen) = (node(row, 1)?, wall(row, 2)?);
    let peer = PeerRow {
        id,
        last_seen,
        body: blob(row, 3, limits::PEER_BODY_MAX)?,
    };
    (checks.peer(&peer) == digest(row, 4)?).then_some(peer)
}

pub(super) fn event(row: &Row<'_>, checks: &Checks) -> Option<EventRow> {
    let event = EventRow {
        number: u64::try_from(integer(row, 0)?).ok()?,
        subject: node(row, 1)?,
        wall: wall(row, 2)?,
        kind: u16::try_from(integer(row, 3)?).ok()?,
        fault: u8::try_from(integer(row, 4)?).ok()?,
        context: u8::try_from(integer(row, 5)?).ok()?,
        body: blob(row, 6, limits::EVENT_BODY_MAX)?,
    };
    (checks.event(&event) == digest(row, 7)?).then_some(event)
}

pub(super) fn hearsay(row: &Row<'_>, checks: &Checks) -> Option<HearsayRow> {
    let heard = HearsayRow {
        number: u64::try_from(integer(row, 0)?).ok()?,
        source: node(row, 1)?,
        wall: wall(row, 2)?,
        body: blob(row, 3, limits::EVENT_BODY_MAX)?,
    };
    (checks.hearsay(&heard) == digest(row, 4)?).then_some(heard)
}

pub(super) fn ban(row: &Row<'_>, checks: &Checks) -> Option<BanRow> {
    let until = match row.get_ref(2).ok()? {
        ValueRef::Null => None,
        _ => Some(wall(row, 2)?),
    };
    let ban = BanRow {
        subject: node(row, 1)?,
        until,
        body: blob(row, 3, limits::BAN_BODY_MAX)?,
    };
    (checks.ban(&ban) == digest(row, 4)?).then_some(ban)
}

pub(super) fn seen(row: &Row<'_>, checks: &Checks) -> Option<SeenRow> {
    let seen = SeenRow {
        author: node(row, 1)?,
        // An author may choose any number, so these use all 64 bits.
        start: integer(row, 2)?.cast_unsigned(),
        highest: integer(row, 3)?.cast_unsigned(),
        bitmap: blob(row, 4, limits::SEEN_BITMAP_MAX)?,
        wall: wall(row, 5)?,
    };
    (checks.seen(&seen) == digest(row, 6)?).then_some(seen)
}

pub(super) fn state(row: &Row<'_>, checks: &Checks) -> Option<(String, Vec<u8>)> {
    let ValueRef::Text(key) = row.get_ref(1).ok()? else {
        return None;
    };
    let key = str::from_utf8(key).ok()?;
    let value = blob(row, 2, limits::STATE_VALUE_MAX)?;
    (checks.state(key, &value) == digest(row, 3)?).then(|| (key.to_owned(), value))
}

pub(super) fn item(row: &Row<'_>, checks: &Checks) -> Option<ItemRow> {
    let item = ItemRow {
        shelf: Shelf::from_code(u8::try_from(integer(row, 1)?).ok()?)?,
        key: blob(row, 2, limits::ITEM_KEY_MAX)?,
        wall: wall(row, 3)?,
        body: blob(row, 4, limits::ITEM_BODY_MAX)?,
    };
    (checks.item(&item) == digest(row, 5)?).then_some(item)
}

fn integer(row: &Row<'_>, column: usize) -> Option<i64> {
    match row.get_ref(column).ok()? {
        ValueRef::Integer(value) => Some(value),
        _ => None,
    }
}

fn bytes<'row>(row: &'row Row<'_>, column: usize) -> Option<&'row [u8]> {
    match row.get_ref(column).ok()? {
        ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

fn wall(row: &Row<'_>, column: usize) -> Option<Wall> {
    u64::try_from(integer(row, column)?)
        .ok()
        .map(Wall::from_millis)
}

fn node(row: &Row<'_>, column: usize) -> Option<NodeId> {
    bytes(row, column)?.try_into().ok().map(NodeId::from_bytes)
}

fn digest(row: &Row<'_>, column: usize) -> Option<Check> {
    bytes(row, column)?.try_into().ok()
}

fn blob(row: &Row<'_>, column: usize, len_max: usize) -> Option<Vec<u8>> {
    bytes(row, column)
        .filter(|bytes| bytes.len() <= len_max)
        .map(<[u8]>::to_vec)
}
