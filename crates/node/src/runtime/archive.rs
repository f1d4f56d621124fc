use repute_base::{Rng, Wall};
use repute_identity::NodeId;
use repute_storage::{SqliteStore, Store, StoreError};
use repute_trust::{Config as Policy, ConfigError, Evidenced, Limits, Replay};

use super::{Blacklist, DataDir, PeerStatus, clock, rows};
use crate::{Config, Core, Snapshot};

/// What a node has stored, read without the node: it may run or not, and notices nothing.
#[derive(Debug)]
pub struct Archive {
    snapshot: Snapshot,
    now: Wall,
}

/// Why an archive says nothing. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The parameters cannot be meant.
    #[error("unsound configuration: {0}")]
    Policy(String),
}

impl From<ConfigError> for ArchiveError {
    fn from(error: ConfigError) -> Self {
        Self::Policy(error.to_string())
    }
}

impl Archive {
    /// Reads the store of `dir`.
    ///
    /// # Errors
    /// [`ArchiveError::Store`].
    pub fn open(dir: &DataDir) -> Result<Self, ArchiveError> {
        let store = SqliteStore::open_read_only(dir.path())?;
        let snapshot = rows::load(&store)?;
        store.close()?;
        let now = clock::Clock::new(None).wall();
        Ok(Self { snapshot, now })
    }

    /// Judges what is stored under the parameters in force and under others.
    ///
    /// # Errors
    /// [`ArchiveError::Policy`] when one of them cannot be meant.
    pub fn replay(&self, before: &Policy, after: &Policy) -> Result<Replay, ArchiveError> {
        let evidence = Evidenced {
            records: &self.snapshot.records,
            hearsay: &self.snapshot.hearsay,
            bans: &self.snapshot.bans,
        };
        let policies = (before, after);
        Ok(Replay::new(
            evidence,
            policies,
            Limits::default(),
            self.now,
        )?)
    }

    /// The blacklist and the known peers, as a node with this configuration would start with.
    ///
    /// # Errors
    /// [`ArchiveError::Policy`] when the configuration cannot be meant.
    pub fn into_view(self, config: Config) -> Result<(Blacklist, Vec<PeerStatus>), ArchiveError> {
        let (now, mode) = (self.now, config.trust.blacklist.mode);
        // Nobody: it is never started.
        let nobody = NodeId::from_bytes([0; 32]);
        let core = Core::new(nobody, config, self.snapshot, None, Rng::from_u64(0));
        let core = core.map_err(|error| ArchiveError::Policy(error.to_string()))?;
        let blacklist = Blacklist::of(&core, mode, now);
        let peers = core
            .peers()
            .iter()
            .map(|peer| PeerStatus::of(&core, peer, now));
        let peers = peers.collect();
        Ok((blacklist, peers))
    }
}
