//! Files shared and fetched, as the API shows and takes them.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::{ControlError, Problem, Stream};

type Answer<T> = Result<T, ControlError>;

/// What the control API asks of a node about files. What shares none answers so.
pub trait Files: Clone + Send + Sync + 'static {
    /// Shares a file or folder; told is how far it is, and at last what came of it. Who stops
    /// listening stops it.
    fn share(
        &self,
        request: ShareRequest,
    ) -> impl Future<Output = Answer<Stream<ShareEvent>>> + Send {
        let _unheeded = request;
        async { Err(no_files()) }
    }
    /// What is shared.
    fn shares(&self) -> impl Future<Output = Answer<Vec<ShareView>>> + Send {
        async { Err(no_files()) }
    }
    /// Shares this no longer; done once durable.
    fn unshare(&self, hash: String) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = hash;
        async { Err(no_files()) }
    }
    /// Reads what is shared once more, and holds it against its hashes: one of them, or all.
    fn verify(
        &self,
        request: VerifyRequest,
    ) -> impl Future<Output = Answer<Stream<VerifyEvent>>> + Send {
        let _unheeded = request;
        async { Err(no_files()) }
    }
    /// Fetches a file or folder, or goes on with it; told is what happens. It goes on when nobody
    /// listens any more.
    fn fetch(
        &self,
        request: FetchRequest,
    ) -> impl Future<Output = Answer<Stream<TransferEvent>>> + Send {
        let _unheeded = request;
        async { Err(no_files()) }
    }
    /// What happens to a transfer from now on.
    fn watch_transfer(
        &self,
        id: u64,
    ) -> impl Future<Output = Answer<Stream<TransferEvent>>> + Send {
        let _unheeded = id;
        async { Err(no_files()) }
    }
    /// What is being fetched, and what ended last.
    fn transfers(&self) -> impl Future<Output = Answer<Vec<TransferView>>> + Send {
        async { Err(no_files()) }
    }
    /// Stops a transfer until it is resumed, over restarts too; done once durable.
    fn pause_transfer(&self, id: u64) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = id;
        async { Err(no_files()) }
    }
    /// Goes on with a transfer.
    fn resume_transfer(&self, id: u64) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = id;
        async { Err(no_files()) }
    }
    /// Gives a transfer up; what came of it is forgotten.
    fn cancel_transfer(&self, id: u64) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = id;
        async { Err(no_files()) }
    }
}

fn no_files() -> ControlError {
    ControlError::NotFound("this node shares and fetches no files".into())
}

/// What is to be shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRequest {
    /// Where it is on the node's machine: an absolute path of a file or folder.
    pub path: String,
    /// Whether it is served from where it is, and not copied. Then it must stay as it is.
    #[serde(default)]
    pub reference: bool,
    /// What others are told that it is called; its own name, unless told otherwise.
    #[serde(default)]
    pub name: Option<String>,
}

/// What happens while something is shared: any number of `progress`, then one of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ShareEvent {
    /// How far it is.
    Progress(ReadView),
    /// It is offered from now on.
    Shared(ShareView),
    /// It is not.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// How much has been read and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadView {
    /// So many bytes.
    pub bytes: u64,
    /// Of so many.
    pub total: u64,
}

/// What this node shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharesView {
    /// The newest first.
    pub shares: Vec<ShareView>,
}

/// A file or folder that this node shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareView {
    /// What others get it with.
    pub ticket: String,
    /// Which blob: of a folder the list of its files.
    pub hash: String,
    /// Bytes of the file, or of all files together.
    pub bytes: u64,
    /// What others are told that it is called.
    pub name: String,
    /// `file` or `folder`.
    pub kind: String,
    /// How many files.
    pub files: u32,
    /// Whether it is served from where it is, and not from a copy.
    pub reference: bool,
    /// Since when.
    pub since: String,
    /// Why it is not served at present, such as a file that changed. Sharing it again helps.
    pub trouble: Option<String>,
}

/// What is to be verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyRequest {
    /// Which share; all, unless told otherwise.
    #[serde(default)]
    pub hash: Option<String>,
}

/// What happens while shares are verified: any number of `progress`, then one of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VerifyEvent {
    /// How far it is.
    Progress(ReadView),
    /// All was read.
    Verified(VerifyView),
    /// It was not.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// What became of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyView {
    /// Whether all is as it was shared.
    pub sound: bool,
    /// Blobs that were read.
    pub blobs: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Those that are not what they were.
    pub damaged: Vec<DamageView>,
}

/// A blob that is not what it was. None of what is wrong is ever served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamageView {
    /// Which.
    pub hash: String,
    /// Its bytes.
    pub bytes: u64,
    /// How many of these are wrong, or are not there.
    pub wrong: u64,
    /// What is wrong, in words.
    pub problem: Option<String>,
}

/// What is to be fetched, and from whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// A ticket, or a hash.
    pub what: String,
    /// Where it is put when all of it is there and verified: an absolute path at which nothing is.
    /// Without it, it stays in the node's store.
    #[serde(default)]
    pub output: Option<String>,
    /// Only from these.
    #[serde(default)]
    pub only: Vec<String>,
    /// From these before others, if no gate keeps them out.
    #[serde(default)]
    pub prefer: Vec<String>,
    /// Only from peers of this level or above: `unknown`, `low`, `medium`, `high` or `trusted`.
    #[serde(default)]
    pub min_level: Option<String>,
    /// Whether only the table of seeders is wanted.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether it is shared from then on.
    #[serde(default)]
    pub keep: bool,
}

/// What happens to a transfer. `begun` comes first; `finished`, `failed`, `cancelled` or `stopped`
/// last. Of a dry run `plan` is all there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TransferEvent {
    /// It has begun, or was there already: how it stands.
    Begun(TransferView),
    /// Who was found, and who is fetched from.
    Plan(PlanView),
    /// It is a folder, and its list is here.
    Listed {
        /// How many files.
        files: u32,
        /// Bytes of all.
        bytes: u64,
    },
    /// How far it is.
    Progress(ProgressView),
    /// Somebody is fetched from, from now on.
    Joined {
        /// Who.
        peer: String,
    },
    /// Somebody is fetched from no longer.
    Left {
        /// Who.
        peer: String,
        /// Why: `corrupt`, `stalled`, `lost`, `busy`, `refused`, `nothing-needed`, `replaced` or
        /// `closed`.
        why: String,
        /// The same in words.
        words: String,
    },
    /// It waits for somebody to fetch from, and goes on by itself.
    Stuck {
        /// Why: `nobody-found` or `nobody-has-the-rest`.
        why: String,
        /// The same in words.
        words: String,
    },
    /// It goes on only when it is resumed.
    Paused {
        /// What is wrong here; nothing if it was asked for.
        problem: Option<Problem>,
    },
    /// It goes on.
    Resumed,
    /// All of it is here; it is put where it belongs.
    Finishing,
    /// Done: all of it is there and verified.
    Finished(FinishedView),
    /// It was given up.
    Failed {
        /// Why.
        problem: Problem,
    },
    /// It was taken back.
    Cancelled,
    /// The node stops; it goes on at its next start.
    Stopped,
    /// Something that a later version tells.
    #[serde(other)]
    Other,
}

/// The table of a choice of seeders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// Best first.
    pub seeders: Vec<SeederView>,
}

/// Somebody who has it, or may have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeederView {
    /// Who.
    pub id: String,
    /// Its place in the ranking, from 1; none if it was not ranked.
    pub place: Option<usize>,
    /// Its level; none if it was not ranked.
    pub level: Option<String>,
    /// Its score as a seeder, 0 to 1.
    pub score: f64,
    /// How little is known, 0 to 1.
    pub uncertainty: f64,
    /// How many groups of 16 KiB it has.
    pub groups: u64,
    /// How well it serves this node: `newcomer`, `medium`, `high` or `trusted`.
    pub tier: String,
    /// How many more it could serve.
    pub slots_free: u8,
    /// Whether it is fetched from.
    pub chosen: bool,
    /// Why, or why not, such as `chosen`, `explored`, `standby`, `closed`.
    pub verdict: String,
    /// The same in words.
    pub why: String,
}

/// How far a transfer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressView {
    /// Bytes there and verified.
    pub bytes: u64,
    /// Of so many, if known.
    pub total: Option<u64>,
    /// Bytes a second lately.
    pub rate: u64,
    /// How long the rest takes at this rate.
    pub left_ms: Option<u64>,
    /// Bytes that came in vain: not the right ones, or twice.
    pub wasted: u64,
    /// Files that are whole.
    pub files_done: u32,
    /// Of so many, if known.
    pub files: Option<u32>,
    /// Everybody who is fetched from, or delivered something.
    pub seeders: Vec<SeedingView>,
}

/// How far one seeder is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedingView {
    /// Who.
    pub id: String,
    /// Bytes that came from it.
    pub bytes: u64,
    /// Bytes a second lately.
    pub rate: u64,
    /// Bytes asked for and not yet there.
    pub asked: u64,
    /// Whether it is fetched from now.
    pub active: bool,
    /// Its place in the queue where this node waits.
    pub place: Option<u16>,
    /// Whether it is far slower than the others.
    pub slow: bool,
}

/// What came of a transfer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FinishedView {
    /// Which blob.
    pub hash: String,
    /// `file` or `folder`.
    pub kind: String,
    /// Bytes of the file, or of all files together.
    pub bytes: u64,
    /// How many files.
    pub files: u32,
    /// How long it took since it was begun, or since the node started.
    pub seconds: f64,
    /// Bytes that came in vain.
    pub wasted: u64,
    /// Who delivered how much, most first.
    pub sources: Vec<SourceView>,
    /// Where it is.
    pub output: Option<String>,
}

/// How much somebody delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// Who.
    pub id: String,
    /// How many bytes.
    pub bytes: u64,
}

/// What is being fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransfersView {
    /// In the order in which they were begun; those that ended last are among them.
    pub transfers: Vec<TransferView>,
}

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferView {
    /// Its number.
    pub id: u64,
    /// Which blob.
    pub hash: String,
    /// What its ticket calls it; empty if there was none.
    pub name: String,
    /// `fetching`, `finishing`, `paused`, `finished`, `failed` or `cancelled`.
    pub state: String,
    /// Why it is paused or failed, unless a person wanted it.
    pub problem: Option<Problem>,
    /// Where it is put when all of it is there.
    pub output: Option<String>,
    /// Whether it is shared from then on.
    pub keep: bool,
    /// Since when.
    pub since: String,
    /// How far it is.
    #[serde(flatten)]
    pub progress: ProgressView,
}

/// How much was shared and fetched since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesView {
    /// Bytes that the store uses.
    pub used_bytes: u64,
    /// Bytes that it may use; no limit if none.
    pub quota_bytes: Option<u64>,
    /// Files and folders that are being fetched, paused ones included.
    pub downloads: usize,
    /// Requests of others that were served.
    pub requests_served: u64,
    /// Bytes sent to others.
    pub bytes_sent: u64,
    /// Bytes that came, were right and new.
    pub bytes_received: u64,
    /// Bytes that came twice.
    pub bytes_duplicate: u64,
    /// Groups of 16 KiB that did not match their hash.
    pub groups_corrupt: u64,
    /// Peers that are served now.
    pub served: usize,
    /// Peers that wait to be served.
    pub waiting: usize,
}

/// A line of a stream that can say that nothing came of it.
pub(crate) trait Failing: Serialize + Send + 'static {
    /// What went wrong, if that is what it says.
    fn problem(self) -> Result<Self, Problem>
    where
        Self: Sized;
}

macro_rules! failing {
    ($($event:ident),*) => {$(
        impl Failing for $event {
            fn problem(self) -> Result<Self, Problem> {
                match self {
                    Self::Failed { problem } => Err(problem),
                    event => Ok(event),
                }
            }
        }
    )*};
}

failing!(ShareEvent, VerifyEvent, TransferEvent);
