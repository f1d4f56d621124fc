use alloc::vec::Vec;
use core::cmp::Reverse;

use repute_base::{Address, BoundedVec, Fixed, Mono};
use repute_identity::NodeId;
use repute_protocol::Contact;

use crate::{Limits, diversity::Group};

/// A node of the table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: NodeId,
    /// Where it was reached or says that it listens, best first; at least one.
    pub(crate) addresses: Vec<Address>,
    /// What it is counted with.
    pub(crate) group: Group,
    /// When it was last heard; zero if only an earlier life of this node knew it.
    pub(crate) heard: Mono,
    /// Failures since it was last heard.
    pub(crate) failures: u8,
    pub(crate) linked: bool,
    pub(crate) trust: Fixed,
}

impl Entry {
    pub(crate) fn contact(&self) -> Contact {
        Contact {
            id: self.id,
            addresses: BoundedVec::truncated(self.addresses.iter().copied()),
        }
    }

    /// Whether it needs no further proof that it is there.
    pub(crate) fn is_fresh(&self, now: Mono) -> bool {
        self.linked && now.since(self.heard) <= Limits::FRESH
    }

    /// Whether somebody who is there deserves the place more.
    pub(crate) const fn is_doubtful(&self) -> bool {
        !self.linked && (self.failures > 0 || self.heard.as_millis() == 0)
    }

    /// Greatest for the one that deserves a free place most.
    pub(crate) const fn merit(&self) -> (bool, Reverse<u8>, Fixed, Mono) {
        (self.linked, Reverse(self.failures), self.trust, self.heard)
    }
}
