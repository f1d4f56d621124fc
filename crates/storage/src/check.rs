//! The check that every row carries: BLAKE3 over all its columns, keyed by table.
//!
//! It tells bit rot, torn pages and careless hands from what this program wrote. It is no defence
//! against someone who can write the file: the keys are public.

use blake3::Hasher;

use crate::{BanRow, EventRow, HearsayRow, ItemRow, PeerRow, SeenRow};

/// Bytes of a check: enough that damage never passes, and a fifth less to store and read than 32.
pub(crate) const CHECK_LEN: usize = 16;

/// One row's check.
pub(crate) type Check = [u8; CHECK_LEN];

/// A hasher for each table, keyed once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checks {
    peers: [u8; 32],
    events: [u8; 32],
    hearsay: [u8; 32],
    bans: [u8; 32],
    seen: [u8; 32],
    state: [u8; 32],
    items: [u8; 32],
}

impl Checks {
    pub(crate) fn new() -> Self {
        Self {
            peers: blake3::derive_key("repute storage 2026 peers row", &[]),
            events: blake3::derive_key("repute storage 2026 trust_events row", &[]),
            hearsay: blake3::derive_key("repute storage 2026 hearsay row", &[]),
            bans: blake3::derive_key("repute storage 2026 bans row", &[]),
            seen: blake3::derive_key("repute storage 2026 messages_seen row", &[]),
            state: blake3::derive_key("repute storage 2026 network_state row", &[]),
            items: blake3::derive_key("repute storage 2026 items row", &[]),
        }
    }

    pub(crate) fn peer(&self, row: &PeerRow) -> Check {
        let mut fixed = [0; 40];
        let (id, last_seen) = fixed.split_at_mut(32);
        id.copy_from_slice(row.id.as_bytes());
        last_seen.copy_from_slice(&row.last_seen.as_millis().to_le_bytes());
        check(&self.peers, &fixed, &row.body)
    }

    pub(crate) fn event(&self, row: &EventRow) -> Check {
        let mut fixed = [0; 52];
        let (number, rest) = fixed.split_at_mut(8);
        let (subject, rest) = rest.split_at_mut(32);
        let (wall, what) = rest.split_at_mut(8);
        number.copy_from_slice(&row.number.to_le_bytes());
        subject.copy_from_slice(row.subject.as_bytes());
        wall.copy_from_slice(&row.wall.as_millis().to_le_bytes());
        let [kind_low, kind_high] = row.kind.to_le_bytes();
        what.copy_from_slice(&[kind_low, kind_high, row.fault, row.context]);
        check(&self.events, &fixed, &row.body)
    }

    pub(crate) fn hearsay(&self, row: &HearsayRow) -> Check {
        let mut fixed = [0; 48];
        let (number, rest) = fixed.split_at_mut(8);
        let (source, wall) = rest.split_at_mut(32);
        number.copy_from_slice(&row.number.to_le_bytes());
        source.copy_from_slice(row.source.as_bytes());
        wall.copy_from_slice(&row.wall.as_millis().to_le_bytes());
        check(&self.hearsay, &fixed, &row.body)
    }

    pub(crate) fn ban(&self, row: &BanRow) -> Check {
        let mut fixed = [0; 41];
        let (subject, rest) = fixed.split_at_mut(32);
        let (ends, until) = rest.split_at_mut(1);
        subject.copy_from_slice(row.subject.as_bytes());
        ends.fill(u8::from(row.until.is_some()));
        until.copy_from_slice(&row.until.unwrap_or_default().as_millis().to_le_bytes());
        check(&self.bans, &fixed, &row.body)
    }

    pub(crate) fn seen(&self, row: &SeenRow) -> Check {
        let mut fixed = [0; 56];
        let (author, rest) = fixed.split_at_mut(32);
        let (start, rest) = rest.split_at_mut(8);
        let (highest, wall) = rest.split_at_mut(8);
        author.copy_from_slice(row.author.as_bytes());
        start.copy_from_slice(&row.start.to_le_bytes());
        highest.copy_from_slice(&row.highest.to_le_bytes());
        wall.copy_from_slice(&row.wall.as_millis().to_le_bytes());
        check(&self.seen, &fixed, &row.bitmap)
    }

    /// As with states, the length of the key stands before it.
    pub(crate) fn item(&self, row: &ItemRow) -> Check {
        let mut hasher = Hasher::new_keyed(&self.items);
        hasher.update(&[row.shelf.code()]);
        hasher.update(&row.wall.as_millis().to_le_bytes());
        hasher.update(&(row.key.len() as u64).to_le_bytes());
        hasher.update(&row.key);
        hasher.update(&row.body);
        cut(hasher.finalize())
    }

    /// The length of the key stands before it: two variable parts must not run into each other.
    pub(crate) fn state(&self, key: &str, value: &[u8]) -> Check {
        let mut hasher = Hasher::new_keyed(&self.state);
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(value);
        cut(hasher.finalize())
    }
}

fn check(key: &[u8; 32], fixed: &[u8], body: &[u8]) -> Check {
    let mut hasher = Hasher::new_keyed(key);
    hasher.update(fixed);
    hasher.update(body);
    cut(hasher.finalize())
}

fn cut(hash: blake3::Hash) -> Check {
    let mut check = [0; CHECK_LEN];
    for (to, from) in check.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    check
}
