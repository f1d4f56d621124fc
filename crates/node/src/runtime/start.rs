//! The source's start order, with the failing step named.

use std::{fmt, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use repute_base::{Address, BoundedString, BoundedVec, Rng, Wall};
use repute_identity::{Identity, Verifier, keystore};
use repute_protocol::{Capability, NetworkId};
use repute_storage::{OnCorrupt, Options, SqliteStore, Store, StoreError, Write as Row};
use repute_transport::HandshakeTemplate;

use super::{
    DataDir, IdentitySource, Laboratory, NodeConfig,
    clock::Clock,
    files::{Library, Opened, Shelf},
    rows, stop,
};
use crate::Snapshot;

/// Where in its start a node is, in the order of the source design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartStep {
    /// Load or make the identity.
    Identity,
    /// Open the store.
    Storage,
    /// Fold the ledger.
    Trust,
    /// Fill the address book.
    Peers,
    /// Take back what was seen.
    Gossip,
    /// Bind the socket.
    Transport,
    /// Dial the anchors and those to join through.
    Bootstrap,
    /// Begin to probe, discover and clean up.
    Background,
}

impl StartStep {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Identity, "identity"),
        (Self::Storage, "storage"),
        (Self::Trust, "trust"),
        (Self::Peers, "peers"),
        (Self::Gossip, "gossip"),
        (Self::Transport, "transport"),
        (Self::Bootstrap, "bootstrap"),
        (Self::Background, "background"),
    ];

    /// The step in which this engine starts.
    pub(crate) fn of_engine(name: &str) -> Self {
        let step = Self::ALL.iter().find(|(_, known)| *known == name);
        step.map_or(Self::Trust, |(step, _)| *step)
    }
}

impl fmt::Display for StartStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Self::ALL
            .iter()
            .position(|(step, _)| step == self)
            .unwrap_or_default();
        let name = Self::ALL.get(place).map_or("start", |(_, name)| name);
        write!(f, "step {} of {}, {name}", place + 1, Self::ALL.len())
    }
}

/// A node did not start. Nothing is left running; what was made on disk stays.
#[derive(Debug, thiserror::Error)]
#[error("start failed at {step}: {source}")]
pub struct StartError {
    /// Where.
    pub step: StartStep,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StartError {
    /// Whether the database is corrupt; [`NodeConfig::set_corrupt_aside`](super::NodeConfig) is the
    /// way out when there is no backup.
    pub fn is_corrupt_store(&self) -> bool {
        matches!(self.source.downcast_ref(), Some(StoreError::Corrupt { .. }))
    }

    pub(crate) fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        step: StartStep,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self {
            step,
            source: source.into(),
        }
    }
}

/// Step 1: who this node is.
impl IdentitySource {
    /// Loads the identity, or makes it on a first start, with a recovery key beside it that the
    /// owner is asked to move away.
    ///
    /// # Errors
    /// [`StartError`] at [`StartStep::Identity`].
    pub fn open(self, dir: &DataDir) -> Result<Identity, StartError> {
        let passphrase = match self {
            Self::Given(identity) => return Ok(identity),
            Self::Keystore { passphrase } => passphrase,
            Self::DataDir => None,
        };
        stop::pass("identity");
        let path = dir.identity();
        if path.exists() {
            return keystore::load(&path, passphrase.as_ref())
                .map_err(StartError::at(StartStep::Identity));
        }
        dir.create().map_err(StartError::at(StartStep::Identity))?;
        let made = keystore::generate().and_then(|(fresh, recovery)| {
            // A recovery key that lies here already, as after a start that was cut off, is the one
            // that the new identity answers to: no other would be on disk.
            let identity = if dir.recovery().exists() {
                let kept = keystore::load_recovery(&dir.recovery())?;
                Identity::new(fresh.secret().clone(), &kept.public())
            } else {
                keystore::save_recovery(&dir.recovery(), &recovery)?;
                stop::pass("recovery-saved");
                fresh
            };
            keystore::create(&path, &identity, passphrase.as_ref())?;
            stop::pass("identity-made");
            Ok(identity)
        });
        made.map_err(StartError::at(StartStep::Identity))
    }
}

/// Step 2: the store.
pub(crate) fn store(
    given: Option<Arc<dyn Store>>,
    dir: &DataDir,
    set_corrupt_aside: bool,
) -> Result<Arc<dyn Store>, StartError> {
    if let Some(store) = given {
        return Ok(store);
    }
    dir.create().map_err(StartError::at(StartStep::Storage))?;
    let mut options = Options::default();
    if set_corrupt_aside {
        options.on_corrupt = OnCorrupt::SetAside;
    }
    if stop::is_asked() {
        options.hook = Some(Arc::new(|point| stop::pass(&format!("{point:?}"))));
    }
    let (store, report) =
        SqliteStore::open(dir.path(), options).map_err(StartError::at(StartStep::Storage))?;
    for path in &report.set_aside {
        tracing::warn!(path = %path.display(), "of a corrupt database, set aside");
    }
    tracing::debug!(?report, "store opened");
    stop::pass("store-opened");
    Ok(Arc::new(store))
}

/// Where files are kept, if they are: not by a node in a simulation, nor by one whose application
/// keeps everything itself and names no folder for them.
pub(crate) fn files_folder(config: &mut NodeConfig) -> Option<PathBuf> {
    let own = config.store.is_none().then(|| config.data_dir.blobs());
    let folder = config.files.folder.clone().or(own);
    let folder = folder.filter(|_| config.laboratory.is_none() && config.core.blobs.is_some());
    if folder.is_none() {
        config.core.blobs = None;
    }
    folder
}

/// Opens the store of files, if there is one.
pub(crate) fn files(shelf: Option<Shelf>) -> Result<Option<Opened>, StartError> {
    let opened = shelf.map(Library::open).transpose();
    opened.map_err(StartError::at(StartStep::Storage))
}

/// Puts the node on the network of a simulation, if it has one. What a signature takes there.
pub(crate) fn in_laboratory(
    laboratory: Option<Laboratory>,
    transport: &mut repute_transport::Config,
) -> Duration {
    let Some(laboratory) = laboratory else {
        return Duration::ZERO;
    };
    transport.socket = Some(laboratory.socket);
    transport.seed = Some(laboratory.quic_seed);
    laboratory.check_time
}

/// What the handshake says of this node besides who it is.
pub(crate) fn handshake(
    network: NetworkId,
    clock: Clock,
    agent: &str,
    transfers: bool,
) -> HandshakeTemplate {
    let mut handshake = HandshakeTemplate::new(network);
    handshake.wall = Arc::new(move || clock.wall());
    handshake.agent = BoundedString::truncated(agent);
    let capabilities = transfers.then_some(Capability::ENCRYPTED_TRANSFER);
    handshake.capabilities = BoundedVec::truncated(capabilities);
    handshake
}

/// Checks signatures.
pub(crate) fn verifier() -> Result<Verifier, StartError> {
    let verifier = entropy().map(Verifier::new);
    verifier.map_err(StartError::at(StartStep::Background))
}

/// Step 3, first half: what the store remembers, and a start number that was never used.
pub(crate) fn snapshot(store: &dyn Store, now: Wall) -> Result<Snapshot, StartError> {
    rows::load(store)
        .and_then(|mut snapshot| {
            stop::pass("loaded");
            snapshot.start = next_start(store, now)?;
            stop::pass("numbered");
            Ok(snapshot)
        })
        .map_err(StartError::at(StartStep::Trust))
}

/// The name under which the last start is kept.
const LAST_START: &str = "last-start";

/// A start later than any before, durable before it is used: sequence numbers are never reused.
fn next_start(store: &dyn Store, now: Wall) -> Result<u64, StoreError> {
    let last = store
        .state(LAST_START)?
        .and_then(|bytes| <[u8; 8]>::try_from(bytes.as_slice()).ok())
        .map_or(0, u64::from_le_bytes);
    let start = now.as_millis().max(last.saturating_add(1));
    let row = Row::State {
        key: LAST_START.into(),
        value: start.to_le_bytes().to_vec(),
    };
    let (done, answer) = std::sync::mpsc::sync_channel(1);
    store.write(vec![row], Box::new(move |result| drop(done.send(result))));
    match answer.recv() {
        Ok(result) => result.map(|()| start),
        Err(_) => Err(StoreError::Closed),
    }
}

/// The seed of the engines' choices.
pub(crate) fn rng(seed: Option<u64>) -> Result<Rng, StartError> {
    if let Some(seed) = seed {
        return Ok(Rng::from_u64(seed));
    }
    Ok(Rng::from_seed(
        entropy().map_err(StartError::at(StartStep::Trust))?,
    ))
}

/// Randomness of the operating system.
pub(crate) fn entropy() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Where others may reach a socket that is bound here. An unspecified address stands for every
/// interface; the one that leads outside is found by asking the routing table, without a packet.
pub(crate) fn reachable(bound: SocketAddr) -> Vec<Address> {
    stop::pass("bound");
    if !bound.ip().is_unspecified() {
        return vec![Address::new(bound)];
    }
    let outward = std::net::UdpSocket::bind(("0.0.0.0", 0))
        // TEST-NET-1: connecting a UDP socket only chooses a route.
        .and_then(|socket| socket.connect(("192.0.2.1", 9)).map(|()| socket))
        .and_then(|socket| socket.local_addr());
    let loopback = SocketAddr::from(([127, 0, 0, 1], bound.port()));
    let outward = outward
        .ok()
        .map(|address| SocketAddr::new(address.ip(), bound.port()));
    outward
        .into_iter()
        .chain([loopback])
        .map(Address::new)
        .collect()
}
