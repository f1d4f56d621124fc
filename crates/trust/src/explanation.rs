use alloc::vec::Vec;

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use crate::{Context, Evidence, Fault, Standing};

/// Where a standing comes from: recomputed from stored records, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whose.
    pub subject: NodeId,
    /// Ledger time of the explanation.
    pub at: Wall,
    /// What the records come to.
    pub standing: Standing,
    /// Whether that equals, to the last bit, the score kept in memory. False when records are
    /// missing from what was handed in.
    pub matches: bool,
    /// Good evidence today, in events.
    pub useful: Fixed,
    /// Evidence of hard faults today, in events.
    pub hard: Fixed,
    /// Evidence of soft faults today, in events.
    pub soft: Fixed,
    /// One line a record, oldest first.
    pub lines: Vec<Line>,
}

/// One record, and what it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Place in the ledger.
    pub number: u64,
    /// Ledger time of the event.
    pub wall: Wall,
    /// As what the peer was judged.
    pub context: Context,
    /// What happened.
    pub evidence: Evidence,
    /// Whose fault it was.
    pub fault: Fault,
    /// What it added when it happened, in events; negative for faults.
    pub weight_then: Fixed,
    /// What is left of that today, after decay and forgetting; rounded, for people.
    pub weight_today: Fixed,
}
