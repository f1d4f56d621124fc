//! The address book: who is known, and who goes when it is full.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use repute_base::{Address, BoundedVec, Fixed, Mono, Wall};
use repute_identity::{Inception, NodeId};
use repute_protocol::{Capability, Seq};

use crate::{Limits, Stored, reach::Group};

/// One known peer.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) addresses: Vec<Address>,
    pub(crate) inception: Option<Inception>,
    pub(crate) capabilities: Option<Box<[Capability]>>,
    pub(crate) record_seq: Option<Seq>,
    pub(crate) last_seen: Wall,
    pub(crate) last_connected: Option<Wall>,
    /// The last sign of life on the monotonic axis, in ms; before zero when it was in an earlier
    /// run. A jump of the wall clock ages nobody.
    pub(crate) seen_ms: i64,
    /// Not dialled before.
    pub(crate) not_before: Mono,
    pub(crate) trust: Fixed,
    /// Who brought it, by the first bytes of the id; zero for our own knowledge.
    pub(crate) source: u32,
    /// Who stands at the start of the hearsay that brought it; zero for our own knowledge.
    pub(crate) root: u32,
    pub(crate) failures: u16,
    pub(crate) useful: bool,
    pub(crate) joined: bool,
    pub(crate) anchor: bool,
    pub(crate) persisted: bool,
}

/// Who brought an address.
pub(crate) fn source_of(peer: NodeId) -> u32 {
    let [a, b, c, d, ..] = *peer.as_bytes();
    u32::from_be_bytes([a, b, c, d]).max(1)
}

impl Entry {
    fn new(addresses: Vec<Address>, source: u32, seen_ms: i64, wall: Wall) -> Self {
        Self {
            addresses,
            inception: None,
            capabilities: None,
            record_seq: None,
            last_seen: wall,
            last_connected: None,
            seen_ms,
            not_before: Mono::ZERO,
            trust: Fixed::HALF,
            source,
            root: 0,
            failures: 0,
            useful: false,
            joined: false,
            anchor: false,
            persisted: false,
        }
    }

    pub(crate) fn group(&self, strict: bool) -> Option<Group> {
        self.addresses
            .first()
            .map(|address| Group::of(address, strict))
    }

    /// Puts `first` in front of the addresses that are kept.
    pub(crate) fn prefer(&mut self, first: &[Address]) {
        let mut addresses = Vec::with_capacity(first.len().min(Limits::ADDRESSES_KEPT));
        for address in first.iter().chain(&self.addresses) {
            if addresses.len() < Limits::ADDRESSES_KEPT && !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        addresses.shrink_to_fit();
        self.addresses = addresses;
    }

    pub(crate) fn age_ms(&self, now: Mono) -> i64 {
        now_ms(now).saturating_sub(self.seen_ms).max(0)
    }

    pub(crate) fn stored(&self, id: NodeId) -> Stored {
        Stored {
            id,
            inception: self.inception,
            addresses: BoundedVec::truncated(self.addresses.iter().copied()),
            last_seen: self.last_seen,
            last_connected: self.last_connected,
            failures: self.failures,
            capabilities: self
                .capabilities
                .as_ref()
                .map(|list| BoundedVec::truncated(list.iter().copied())),
            record_seq: self.record_seq,
            joined: self.joined,
        }
    }
}

pub(crate) fn now_ms(now: Mono) -> i64 {
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// How little an entry is worth; the greatest goes first.
type Worthless = (bool, bool, bool, u16, i64);

#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: BTreeMap<NodeId, Box<Entry>>,
    /// Identities that the gate refuses, known or not.
    gated: BTreeSet<NodeId>,
}

/// What a newcomer needs to get in.
pub(crate) struct Newcomer<'a> {
    pub(crate) id: NodeId,
    pub(crate) addresses: &'a [Address],
    /// Zero when it is our own knowledge: a link, the operator, the local network.
    pub(crate) source: u32,
    pub(crate) mono: Mono,
    pub(crate) wall: Wall,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    Already,
    New {
        /// Who had to go, and whether the store knows it.
        evicted: Option<(NodeId, bool)>,
    },
    NoRoom,
}

impl Book {
    pub(crate) fn get(&self, id: &NodeId) -> Option<&Entry> {
        self.entries.get(id).map(AsRef::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Entry> {
        self.entries.get_mut(id).map(AsMut::as_mut)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Entry)> {
        self.entries.iter().map(|(id, entry)| (id, entry.as_ref()))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&NodeId, &mut Entry)> {
        self.entries
            .iter_mut()
            .map(|(id, entry)| (id, entry.as_mut()))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> Option<Box<Entry>> {
        self.entries.remove(id)
    }

    pub(crate) fn is_gated(&self, id: &NodeId) -> bool {
        self.gated.contains(id)
    }

    /// Opens or closes the gate. When too many are remembered, an arbitrary one is let go: the
    /// trust engine keeps the bans and says so again.
    pub(crate) fn gate(&mut self, id: NodeId, open: bool, max: usize) {
        if open {
            self.gated.remove(&id);
        } else if self.gated.insert(id) && self.gated.len() > max {
            let other = self.gated.iter().find(|gated| **gated != id).copied();
            if let Some(other) = other {
                self.gated.remove(&other);
            }
        }
    }

    /// Makes room for a newcomer and writes it in. `busy` entries are never evicted.
    pub(crate) fn enter(
        &mut self,
        newcomer: &Newcomer<'_>,
        limits: &Limits,
        strict: bool,
        min_trust: Fixed,
        busy: impl Fn(&NodeId) -> bool,
    ) -> Entered {
        if self.entries.contains_key(&newcomer.id) {
            return Entered::Already;
        }
        let own = newcomer.source == 0;
        let group = newcomer
            .addresses
            .first()
            .map(|address| Group::of(address, strict));
        if !own && !self.has_quota(group, newcomer.source, limits, strict) {
            return Entered::NoRoom;
        }
        let mut evicted = None;
        if self.entries.len() >= limits.book_max {
            let Some(worst) = self.worst(own, newcomer.mono, min_trust, busy) else {
                return Entered::NoRoom;
            };
            evicted = self
                .entries
                .remove(&worst)
                .map(|entry| (worst, entry.persisted));
        }
        let addresses = newcomer
            .addresses
            .iter()
            .copied()
            .take(Limits::ADDRESSES_KEPT)
            .collect();
        let seen = now_ms(newcomer.mono);
        let entry = Entry::new(addresses, newcomer.source, seen, newcomer.wall);
        self.entries.insert(newcomer.id, Box::new(entry));
        Entered::New { evicted }
    }

    /// Whether hearsay from this source about this prefix may still grow the book.
    fn has_quota(&self, group: Option<Group>, source: u32, limits: &Limits, strict: bool) -> bool {
        let (mut of_group, mut of_source) = (0usize, 0usize);
        for entry in self.entries.values() {
            of_source += usize::from(entry.source == source && entry.last_connected.is_none());
            of_group += usize::from(group.is_some() && entry.group(strict) == group);
        }
        of_source < limits.book_source_max && of_group < limits.book_prefix_max
    }

    /// Who goes. Hearsay never pushes out a peer that has been reached and is in good standing.
    fn worst(
        &self,
        own: bool,
        now: Mono,
        min_trust: Fixed,
        busy: impl Fn(&NodeId) -> bool,
    ) -> Option<NodeId> {
        let mut worst: Option<(Worthless, NodeId)> = None;
        for (id, entry) in &self.entries {
            if entry.anchor || entry.joined || busy(id) {
                continue;
            }
            let bad = self.gated.contains(id) || entry.trust < min_trust;
            let failing = entry.failures >= 3;
            let untried = entry.last_connected.is_none();
            if !own && !bad && !failing && !untried {
                continue;
            }
            let rank = (bad, failing, untried, entry.failures, entry.age_ms(now));
            if worst.is_none_or(|(most, _)| rank > most) {
                worst = Some((rank, *id));
            }
        }
        worst.map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    fn enter(book: &mut Book, n: u16, source: u32, limits: &Limits) -> Entered {
        let address: Address = alloc::format!("{}.{}.1.1:9", 11 + n % 80, n / 80)
            .parse()
            .expect("address");
        let mono = Mono::from_millis(n.into());
        let newcomer = Newcomer {
            id: id(n),
            addresses: &[address],
            source,
            mono,
            wall: Wall::ZERO,
        };
        book.enter(&newcomer, limits, false, Fixed::ratio(3, 10), |_| false)
    }

    #[test]
    fn a_full_book_lets_the_failing_go_first_and_never_the_named() {
        let limits = Limits {
            book_max: 4,
            ..Limits::default()
        };
        let mut book = Book::default();
        (0..4).for_each(|n| {
            assert!(matches!(
                enter(&mut book, n, 0, &limits),
                Entered::New { .. }
            ))
        });
        book.get_mut(&id(0)).expect("entry").joined = true;
        book.get_mut(&id(2)).expect("entry").failures = 5;
        assert_eq!(
            enter(&mut book, 9, 7, &limits),
            Entered::New {
                evicted: Some((id(2), false))
            }
        );
        assert_eq!(book.len(), 4);
        assert!(book.get(&id(0)).is_some());
    }

    #[test]
    fn hearsay_never_pushes_out_a_peer_that_has_been_reached() {
        let limits = Limits {
            book_max: 3,
            ..Limits::default()
        };
        let mut book = Book::default();
        (0..3).for_each(|n| assert_ne!(enter(&mut book, n, 0, &limits), Entered::NoRoom));
        book.iter_mut()
            .for_each(|(_, entry)| entry.last_connected = Some(Wall::ZERO));
        assert_eq!(enter(&mut book, 9, 7, &limits), Entered::NoRoom);
        assert!(matches!(
            enter(&mut book, 9, 0, &limits),
            Entered::New { evicted: Some(_) }
        ));
    }

    #[test]
    fn one_source_and_one_prefix_fill_only_their_share() {
        let limits = Limits {
            book_source_max: 5,
            book_prefix_max: 3,
            ..Limits::default()
        };
        let mut book = Book::default();
        let taken = |book: &mut Book, n, source| {
            matches!(enter(book, n, source, &limits), Entered::New { .. })
        };
        assert_eq!((0..50).filter(|n| taken(&mut book, *n, 7)).count(), 5);
        let mut book = Book::default();
        let address: Address = "9.9.1.1:9".parse().expect("address");
        let mut entered = 0;
        for n in 0..50u16 {
            let newcomer = Newcomer {
                id: id(n),
                addresses: &[address],
                source: u32::from(n) + 1,
                mono: Mono::ZERO,
                wall: Wall::ZERO,
            };
            let result = book.enter(&newcomer, &limits, false, Fixed::ZERO, |_| false);
            entered += usize::from(result != Entered::NoRoom);
        }
        assert_eq!(entered, 3);
    }

    #[test]
    fn an_entry_stays_under_400_bytes() {
        let addresses = Limits::ADDRESSES_KEPT * size_of::<Address>();
        let total = size_of::<Entry>() + addresses + size_of::<NodeId>() + size_of::<usize>();
        assert!(total <= 400, "{total} bytes");
    }

    #[test]
    fn the_gate_remembers_a_bounded_number_and_always_the_newest() {
        let mut book = Book::default();
        for n in 0..20 {
            book.gate(id(n), false, 8);
            assert!(book.is_gated(&id(n)));
        }
        assert_eq!(book.gated.len(), 8);
        book.gate(id(19), true, 8);
        assert!(!book.is_gated(&id(19)));
    }
}
