use alloc::string::{String, ToString};

use repute_protocol::{NetworkId, limits::BURST_MAX};

/// Policy of all engines.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which network this node belongs to.
    pub network: NetworkId,
    /// Of the trust engine.
    pub trust: repute_trust::Config,
    /// Of the receipts.
    pub receipts: repute_trust::ReceiptsConfig,
    /// Of the peers engine.
    pub peers: repute_peers::Config,
    /// Of the gossip engine.
    pub gossip: repute_gossip::Config,
    /// Of the DHT; none takes no part in it, and has no directory.
    pub dht: Option<repute_dht::Config>,
    /// Of the directory.
    pub directory: repute_dht::DirectoryConfig,
    /// Of transfers; none neither shares nor fetches files.
    pub blobs: Option<repute_blobs::Config>,
    /// Our messages that are signed together when so many wait, at most 64; 1 signs each alone.
    /// Nothing ever waits for others to be signed with.
    pub burst_max: usize,
    /// Bounds of all engines.
    pub limits: Limits,
}

impl Config {
    /// The defaults, on the network of this name.
    pub fn on_network(name: &str) -> Self {
        Self {
            network: NetworkId::from_name(name),
            trust: repute_trust::Config::default(),
            receipts: repute_trust::ReceiptsConfig::default(),
            peers: repute_peers::Config::default(),
            gossip: repute_gossip::Config::default(),
            dht: Some(repute_dht::Config::default()),
            directory: repute_dht::DirectoryConfig::default(),
            blobs: Some(repute_blobs::Config::default()),
            burst_max: BURST_MAX,
            limits: Limits::default(),
        }
    }

    /// Checks every engine's policy.
    ///
    /// # Errors
    /// [`ConfigError`] names the engine and the first value that cannot be meant.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.trust.check().map_err(ConfigError::trust)?;
        self.receipts.check().map_err(ConfigError::trust)?;
        self.peers.validate().map_err(ConfigError::peers)?;
        self.gossip.check().map_err(ConfigError::gossip)?;
        let dht = self.dht.as_ref().map_or(Ok(()), repute_dht::Config::check);
        dht.map_err(ConfigError::dht)?;
        let blobs = self.blobs.as_ref();
        let blobs = blobs.map_or(Ok(()), repute_blobs::Config::check);
        blobs.map_err(ConfigError::blobs)
    }
}

/// Bounds of all engines.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of the trust engine.
    pub trust: repute_trust::Limits,
    /// Of the receipts.
    pub receipts: repute_trust::ReceiptsLimits,
    /// Of the peers engine.
    pub peers: repute_peers::Limits,
    /// Of the gossip engine.
    pub gossip: repute_gossip::Limits,
    /// Of the DHT.
    pub dht: repute_dht::Limits,
    /// Of the directory.
    pub directory: repute_dht::DirectoryLimits,
    /// Of transfers.
    pub blobs: repute_blobs::Limits,
    /// Of finding blobs and announcing them.
    pub whereabouts: repute_blobs::WhereaboutsLimits,
    /// Of the chronicle.
    pub history: repute_trust::ChronicleLimits,
}

/// Why a configuration is unsound; which engine says so, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ConfigError {
    engine: &'static str,
    problem: String,
}

impl ConfigError {
    /// Which engine refused: `trust`, `peers`, `gossip`, `dht` or `blobs`.
    pub const fn engine(&self) -> &'static str {
        self.engine
    }

    pub(super) fn trust(error: repute_trust::ConfigError) -> Self {
        Self {
            engine: "trust",
            problem: error.to_string(),
        }
    }

    pub(super) fn peers(error: repute_peers::ConfigError) -> Self {
        Self {
            engine: "peers",
            problem: error.to_string(),
        }
    }

    pub(super) fn dht(error: repute_dht::ConfigError) -> Self {
        Self {
            engine: "dht",
            problem: error.to_string(),
        }
    }

    pub(super) fn blobs(error: repute_blobs::ConfigError) -> Self {
        Self {
            engine: "blobs",
            problem: error.to_string(),
        }
    }

    pub(super) fn gossip(error: repute_gossip::ConfigError) -> Self {
        Self {
            engine: "gossip",
            problem: error.to_string(),
        }
    }
}
