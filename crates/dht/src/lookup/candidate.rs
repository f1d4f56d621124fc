use alloc::vec::Vec;

use repute_base::{Address, BoundedVec};
use repute_identity::NodeId;
use repute_protocol::Contact;

use crate::{distance::Distance, diversity::Group};

/// How far a lookup is with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not asked yet.
    Waiting,
    /// Asked.
    Asked,
    /// Asked, and longer ago than it should take.
    Slow,
    /// Answered.
    Answered,
    /// Not reached, silent, or without time for us.
    Failed,
}

/// A node that a lookup knows of.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: NodeId,
    pub(crate) distance: Distance,
    pub(crate) addresses: Vec<Address>,
    /// It is asked on this path only.
    pub(crate) path: u8,
    /// Requests one after another that lead there, its own included.
    pub(crate) hops: u8,
    /// Whether this node itself knows where it is, rather than from hearsay.
    pub(crate) known: bool,
    /// Whether it is known to be there now.
    pub(crate) proven: bool,
    pub(crate) state: State,
    /// Who named it; nobody if it was in the table.
    pub(crate) teller: Option<NodeId>,
    /// What it is counted with.
    pub(crate) group: Group,
}

impl Candidate {
    pub(crate) fn contact(&self) -> Contact {
        Contact {
            id: self.id,
            addresses: BoundedVec::truncated(self.addresses.iter().copied()),
        }
    }

    pub(crate) const fn is_under_way(&self) -> bool {
        matches!(self.state, State::Asked | State::Slow)
    }
}
