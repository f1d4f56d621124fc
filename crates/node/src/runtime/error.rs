use repute_base::TooLong;
use repute_storage::StoreError;

/// Why a running node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The node has shut down.
    #[error("the node has shut down")]
    Stopped,
    /// Text or data is longer than the wire allows.
    #[error("too long: {0}")]
    TooLong(#[from] TooLong),
    /// The engine refused.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// It holds now, but would be forgotten by a restart.
    #[error("done, but the store could not keep it: free some disk space, then repeat")]
    NotDurable,
    /// No scoring model has this name.
    #[error("no such model; known are {0}")]
    NoModel(String),
    /// Too few candidates pass the gates.
    #[error(transparent)]
    TooFew(#[from] repute_trust::TooFew),
    /// This node takes no part in the DHT.
    #[error("this node takes no part in the DHT: set `dht.enabled = true` and start it again")]
    NoDht,
    /// The DHT refused.
    #[error("refused: {0}")]
    Dht(#[from] repute_dht::Refusal),
    /// The directory refused.
    #[error("refused: {0}")]
    Directory(#[from] repute_dht::DirectoryError),
    /// The store could not be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
}
