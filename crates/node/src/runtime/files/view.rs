//! What is shown of files: shared ones, transfers, what a check found.

use std::{path::PathBuf, sync::Arc, time::Duration};

use repute_base::Wall;
use repute_blobs::{Left, PlanRow, SeederProgress, Stuck};
use repute_identity::NodeId;
use repute_protocol::{BlobHash, BlobTicket};

use super::{FilesError, TransferId};

/// Whether it is one file or a folder of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedKind {
    /// One file.
    File,
    /// A folder.
    Folder,
}

/// Something that this node shares.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shared {
    /// What others fetch it with.
    pub ticket: BlobTicket,
    /// Its hash; of a folder that of its list.
    pub hash: BlobHash,
    /// Bytes of all its files.
    pub bytes: u64,
    /// What it is called.
    pub name: String,
    /// File or folder.
    pub kind: SharedKind,
    /// Whether its bytes lie elsewhere than in the store.
    pub reference: bool,
    /// Since when.
    pub since: Wall,
    /// How many files.
    pub files: u32,
    /// Why it is not served at present: a file that changed, or damage. Sharing it again helps.
    pub trouble: Option<String>,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferState {
    /// On its way.
    Fetching,
    /// All is here; it is made whole and put where it belongs.
    Finishing,
    /// Waits to be resumed.
    Paused,
    /// Done.
    Finished,
    /// Given up; why is its trouble.
    Failed,
    /// Taken back.
    Cancelled,
}

impl TransferState {
    /// A stable name for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::Finishing => "finishing",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// How far a transfer is, over all its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferProgress {
    /// Bytes that are here and proven.
    pub bytes: u64,
    /// Bytes in all, if known.
    pub total: Option<u64>,
    /// Bytes a second lately.
    pub rate: u64,
    /// How long the rest takes at this rate.
    pub left: Option<Duration>,
    /// Bytes that came in vain: not the right ones, or twice.
    pub wasted: u64,
    /// Files that are whole.
    pub files_done: u32,
    /// Files in all, if known.
    pub files: Option<u32>,
    /// Everybody who is fetched from, or delivered something.
    pub seeders: Vec<SeederProgress>,
}

/// A transfer, as it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransferView {
    /// Its name.
    pub id: TransferId,
    /// What is fetched.
    pub hash: BlobHash,
    /// What the ticket calls it; empty if there was none.
    pub name: String,
    /// Where it stands.
    pub state: TransferState,
    /// How far it is.
    pub progress: TransferProgress,
    /// Where it goes.
    pub output: Option<PathBuf>,
    /// Whether it is shared afterwards.
    pub keep: bool,
    /// Since when.
    pub since: Wall,
    /// Why it is paused or failed, unless a person wanted it.
    pub trouble: Option<Arc<FilesError>>,
}

/// What a transfer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferOutcome {
    /// What was fetched.
    pub hash: BlobHash,
    /// Bytes of all its files.
    pub bytes: u64,
    /// How many files.
    pub files: u32,
    /// File or folder.
    pub kind: SharedKind,
    /// How long it took since it was begun, or since this node started.
    pub took: Duration,
    /// Bytes that came in vain.
    pub wasted: u64,
    /// Who delivered how many bytes, most first.
    pub seeders: Vec<(NodeId, u64)>,
    /// Where it lies, if it was put somewhere.
    pub output: Option<PathBuf>,
}

/// News of a transfer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TransferEvent {
    /// Who was found, and who is fetched from. Of a dry run it is all there is.
    Plan {
        /// Best first.
        rows: Vec<PlanRow>,
    },
    /// It is a folder, and its list is here.
    Listed {
        /// How many files.
        files: u32,
        /// Bytes of all.
        bytes: u64,
    },
    /// Somebody is fetched from, from now on.
    Joined {
        /// Who.
        peer: NodeId,
    },
    /// Somebody is no longer fetched from.
    Left {
        /// Who.
        peer: NodeId,
        /// Why.
        why: Left,
    },
    /// Nobody is there to fetch from; it goes on by itself.
    Stuck {
        /// Why.
        why: Stuck,
    },
    /// It waits to be resumed.
    Paused {
        /// What is wrong; nothing if it was asked for.
        trouble: Option<Arc<FilesError>>,
    },
    /// It goes on.
    Resumed,
    /// How far it is. Only the latest is kept for a slow reader.
    Progress(Box<TransferProgress>),
    /// All is here; it is made whole and put where it belongs.
    Finishing,
    /// Done. The last event.
    Finished(Box<TransferOutcome>),
    /// Given up. The last event.
    Failed {
        /// Why.
        error: Arc<FilesError>,
    },
    /// Taken back. The last event.
    Cancelled,
    /// The node stops; it goes on at the next start. The last event.
    Stopped,
}

impl TransferEvent {
    /// Whether nothing comes after it.
    pub const fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Finished(_) | Self::Failed { .. } | Self::Cancelled | Self::Stopped
        )
    }
}

/// What a check of one blob found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Which.
    pub hash: BlobHash,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that are not what they should be. Of the store's own they are to be fetched again; a
    /// file elsewhere is to be shared again.
    pub wrong: u64,
    /// What is wrong, in words.
    pub problem: Option<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// How many blobs were read.
    pub blobs: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Those that are not what they should be.
    pub wrong: Vec<Checked>,
}

impl VerifyReport {
    /// Whether everything is as it should be.
    pub fn is_sound(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// How the store of files is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesStatus {
    /// Bytes that count against the quota.
    pub used_bytes: u64,
    /// The quota, if there is one.
    pub quota_bytes: Option<u64>,
    /// The engine's counters.
    pub engine: repute_blobs::Stats,
}
