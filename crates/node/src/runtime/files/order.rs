//! What is asked for: to share, to fetch.

use std::{fmt, path::PathBuf};

use repute_blobs::Choice;
use repute_protocol::{BlobHash, BlobTicket};

/// How a file or folder is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareOptions {
    /// Its bytes stay where they are and are read from there; otherwise they are copied. A file
    /// that changes is not served any more.
    pub reference: bool,
    /// What others shall call it; the file's own name if none. At most 224 bytes are kept.
    pub name: Option<String>,
}

/// How much of something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What a ticket says.
    Ticket(BlobTicket),
    /// Only the hash is known: who has it is to be found.
    Hash(BlobHash),
}

impl Wanted {
    /// Which blob.
    pub const fn hash(&self) -> BlobHash {
        match self {
            Self::Ticket(ticket) => ticket.hash,
            Self::Hash(hash) => *hash,
        }
    }
}

impl From<BlobTicket> for Wanted {
    fn from(ticket: BlobTicket) -> Self {
        Self::Ticket(ticket)
    }
}

impl From<BlobHash> for Wanted {
    fn from(hash: BlobHash) -> Self {
        Self::Hash(hash)
    }
}

/// What is to be fetched, and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOrder {
    /// What.
    pub what: Wanted,
    /// Where it goes once all of it is verified: a file, or a folder for a folder. Nothing there is
    /// overwritten. Without it, it stays in the store.
    pub output: Option<PathBuf>,
    /// Who may be fetched from.
    pub choice: Choice,
    /// Whether it is shared from then on, from its output if there is one.
    pub keep: bool,
}

impl FetchOrder {
    /// From anybody, to stay in the store and be shared.
    pub fn new(what: impl Into<Wanted>) -> Self {
        Self {
            what: what.into(),
            output: None,
            choice: Choice::default(),
            keep: true,
        }
    }

    /// To this place.
    #[must_use]
    pub fn to(mut self, output: impl Into<PathBuf>) -> Self {
        self.output = Some(output.into());
        self
    }
}

/// The name of a transfer on this node, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u64);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
