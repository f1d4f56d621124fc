use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use repute_base::{Address, Fixed};
use repute_dht::Serve;
use repute_identity::{Identity, Ticket};
use repute_protocol::NetworkId;
use repute_storage::Store;
use repute_trust::Circle;
use repute_trust::Models;

use super::{DataDir, Discovery, FilesConfig, Laboratory, discovery::Named, policy};
use crate::{
    Config, TrustModel,
    settings::{Settings, SettingsError},
};

/// Where the identity of a node comes from.
#[derive(Debug, Default)]
pub enum IdentitySource {
    /// The keystore of the data directory, made on first start; with the passphrase that it is
    /// encrypted under, if any.
    Keystore {
        /// The passphrase; `None` if the keystore is not encrypted.
        passphrase: Option<repute_identity::keystore::Passphrase>,
    },
    /// This one; nothing is read or written.
    Given(Identity),
    /// As [`IdentitySource::Keystore`] without a passphrase.
    #[default]
    DataDir,
}

/// Everything a node needs to start. The defaults work.
pub struct NodeConfig {
    /// Where it keeps its key, store and control socket.
    pub data_dir: DataDir,
    /// Who it is.
    pub identity: IdentitySource,
    /// UDP address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Addresses to tell others instead of those listened on.
    pub announce: Vec<Address>,
    /// Whom to join through; a dead or hostile one stops nothing.
    pub join: Vec<Ticket>,
    /// Whether to look for peers on the local network.
    pub lan: bool,
    /// Whether, and how, to publish this node and to find others in the Mainline DHT.
    #[cfg(feature = "mainline")]
    pub mainline: Option<super::Mainline>,
    /// Ways of discovery of the application's own, besides.
    pub discovery: Vec<Box<dyn Discovery>>,
    /// Policy and bounds of the engines.
    pub core: Config,
    /// Where and how much it keeps of files.
    pub files: FilesConfig,
    /// Whether a corrupt database is put aside and an empty one begun. Otherwise the node does not
    /// start on it: bans would be forgotten in silence.
    pub set_corrupt_aside: bool,
    /// The application's own store instead of SQLite in the data directory.
    pub store: Option<Arc<dyn Store>>,
    /// The application's own trust model instead of the ledger.
    pub trust_model: Option<Box<dyn TrustModel>>,
    /// The scoring models, those of the application among them.
    pub models: Models,
    /// What to call this software to peers.
    pub agent: String,
    /// Seeds the engines' choices; `None` draws from the operating system.
    pub seed: Option<u64>,
    /// A network and clock of a simulation instead of the system's.
    pub laboratory: Option<Laboratory>,
    /// Called by each task of a link on every turn; a test makes it panic.
    #[doc(hidden)]
    pub link_probe: Option<repute_transport::Probe>,
}

impl NodeConfig {
    /// The defaults, with everything kept in `path`.
    pub fn in_dir(path: impl Into<PathBuf>) -> Self {
        Self::new(DataDir::new(path), Config::on_network("repute"))
    }

    fn new(data_dir: DataDir, core: Config) -> Self {
        Self {
            data_dir,
            identity: IdentitySource::default(),
            listen: SocketAddr::from(([0, 0, 0, 0], 0)),
            announce: Vec::new(),
            join: Vec::new(),
            lan: false,
            #[cfg(feature = "mainline")]
            mainline: None,
            discovery: Vec::new(),
            files: FilesConfig::default(),
            set_corrupt_aside: false,
            core,
            store: None,
            trust_model: None,
            models: Models::default(),
            agent: concat!("repute/", env!("CARGO_PKG_VERSION")).into(),
            seed: None,
            laboratory: None,
            link_probe: None,
        }
    }

    /// From resolved settings.
    ///
    /// # Errors
    /// [`SettingsError`] when a text is not an address or ticket, or the whole is unsound.
    pub fn from_settings(settings: &Settings, data_dir: &Path) -> Result<Self, SettingsError> {
        let core = core_config(settings)?;
        core.check()
            .map_err(|error| SettingsError::Unsound(error.to_string()))?;
        let mut config = Self::new(DataDir::new(data_dir), core);
        config.listen = parse(
            settings,
            "listen",
            settings.text("listen"),
            "an address such as 0.0.0.0:7717",
        )?;
        config.announce = parse_all(settings, "announce", "an address such as 203.0.113.5:7717")?;
        config.join = parse_all(
            settings,
            "bootstrap",
            "a ticket as `repute ticket` prints it",
        )?;
        config.lan = settings.flag("lan");
        let quota_mib = settings.int("blobs.quota_mib");
        config.files.quota_bytes = (quota_mib > 0).then_some(quota_mib << 20);
        if settings.flag("discovery.mainline") {
            config.set_mainline(settings)?;
        }
        Ok(config)
    }

    #[cfg(feature = "mainline")]
    fn set_mainline(&mut self, settings: &Settings) -> Result<(), SettingsError> {
        let expected = "`host:port` of a node of the DHT";
        let bootstrap: Vec<HostPort> =
            parse_all(settings, "discovery.mainline_bootstrap", expected)?;
        let bootstrap = bootstrap.into_iter().map(|node| node.0).collect();
        self.mainline = Some(super::Mainline::in_dir(&self.data_dir).through(bootstrap));
        Ok(())
    }

    #[cfg(not(feature = "mainline"))]
    fn set_mainline(&mut self, _: &Settings) -> Result<(), SettingsError> {
        let problem = "discovery.mainline: this build knows no Mainline DHT; build with it";
        Err(SettingsError::Unsound(problem.into()))
    }

    /// The ways of discovery that are wanted.
    pub(super) fn ways(&mut self) -> Vec<Box<dyn Discovery>> {
        let mut ways: Vec<Box<dyn Discovery>> =
            vec![Box::new(Named(std::mem::take(&mut self.join)))];
        #[cfg(feature = "lan")]
        if self.lan {
            ways.push(Box::new(super::lan::Lan));
        }
        #[cfg(feature = "mainline")]
        if let Some(mainline) = self.mainline.take() {
            ways.push(Box::new(mainline));
        }
        ways.append(&mut self.discovery);
        ways
    }

    /// Everything that is unsound in the settings, not only what is found first.
    ///
    /// # Errors
    /// [`SettingsError`] when a text is not an address or ticket.
    pub fn problems(settings: &Settings) -> Result<Vec<String>, SettingsError> {
        let core = core_config(settings)?;
        let mut problems: Vec<String> = core
            .trust
            .problems()
            .iter()
            .map(|error| format!("trust: {error}"))
            .collect();
        if let Err(error) = core.check()
            && error.engine() != "trust"
        {
            problems.push(format!("{}: {error}", error.engine()));
        }
        Ok(problems)
    }

    /// The policy of the trust engine, checked: what a replay judges by.
    ///
    /// # Errors
    /// [`SettingsError::Unsound`] when it cannot be meant.
    pub fn trust_policy(settings: &Settings) -> Result<repute_trust::Config, SettingsError> {
        let core = core_config(settings)?;
        let unsound = |error: repute_trust::ConfigError| SettingsError::Unsound(error.to_string());
        core.trust.check().map_err(unsound)?;
        Ok(core.trust)
    }

    /// Listens on `address`.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Joins through the node of this ticket, too.
    #[must_use]
    pub fn join(mut self, ticket: Ticket) -> Self {
        self.join.push(ticket);
        self
    }

    /// Looks for peers in the application's own way, too.
    #[must_use]
    pub fn discover(mut self, way: impl Discovery + 'static) -> Self {
        self.discovery.push(Box::new(way));
        self
    }

    /// Publishes this node in the Mainline DHT, where all can read it, and finds others there.
    #[cfg(feature = "mainline")]
    #[must_use]
    pub fn mainline(mut self, mainline: super::Mainline) -> Self {
        self.mainline = Some(mainline);
        self
    }

    /// Keeps everything in the application's own store.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Judges by the application's own trust model.
    #[must_use]
    pub fn with_trust_model(mut self, model: Box<dyn TrustModel>) -> Self {
        self.trust_model = Some(model);
        self
    }

    /// Is this node, and no other.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = IdentitySource::Given(identity);
        self
    }
}

impl std::fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeConfig")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("join", &self.join.len())
            .finish_non_exhaustive()
    }
}

/// The policy of the DHT; none if this node takes no part in it.
fn dht_config(settings: &Settings) -> Option<repute_dht::Config> {
    let serve = match settings.text("dht.serve") {
        "always" => Serve::Always,
        "never" => Serve::Never,
        _ => Serve::Auto,
    };
    let config = repute_dht::Config {
        serve,
        paths: usize::try_from(settings.int("dht.paths")).unwrap_or(usize::MAX),
        refresh_interval: Duration::from_secs(settings.int("dht.refresh_interval_s")),
        loopback_strict: settings.text("limits.loopback") == "strict",
        ..repute_dht::Config::default()
    };
    settings.flag("dht.enabled").then_some(config)
}

/// The policy of transfers; none if this node takes no part in them.
fn blobs_config(settings: &Settings) -> Option<repute_blobs::Config> {
    let mut config = repute_blobs::Config::default();
    let rate = |key: &str| Some(settings.int(key) << 10).filter(|rate| *rate > 0);
    config.upload_rate = rate("blobs.upload_kib_s");
    config.download_rate = rate("blobs.download_kib_s");
    config.download_peer_rate = rate("blobs.download_peer_kib_s");
    for tier in &mut config.tiers {
        tier.rate = rate("blobs.upload_peer_kib_s");
    }
    config.upload_slots = usize::try_from(settings.int("blobs.upload_slots")).unwrap_or(usize::MAX);
    let others = config.upload_slots.saturating_sub(1);
    config.newcomer_slots = config.newcomer_slots.min(others);
    config.share_partials = settings.flag("blobs.share_partials");
    config.announce = settings.flag("blobs.announce");
    settings.flag("blobs.enabled").then_some(config)
}

/// A name or address with a port, not yet resolved.
#[cfg(feature = "mainline")]
struct HostPort(String);

#[cfg(feature = "mainline")]
impl std::str::FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or("there is no port")?;
        let port: u16 = port.parse().map_err(|_| "that is no port")?;
        if host.is_empty() || port == 0 {
            return Err("there is no host, or the port is 0");
        }
        Ok(Self(text.into()))
    }
}

fn parse_all<T: std::str::FromStr>(
    settings: &Settings,
    key: &'static str,
    expected: &str,
) -> Result<Vec<T>, SettingsError>
where
    T::Err: std::fmt::Display,
{
    let texts = settings.list(key);
    texts
        .iter()
        .map(|text| parse(settings, key, text, expected))
        .collect()
}

fn parse<T: std::str::FromStr>(
    settings: &Settings,
    key: &'static str,
    text: &str,
    expected: &str,
) -> Result<T, SettingsError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| {
        let shown: String = text.chars().take(80).collect();
        let origin = settings.value(key).map(|setting| setting.origin.clone());
        SettingsError::Value {
            key,
            value: shown.escape_debug().to_string(),
            problem: format!("{error}; expected {expected}"),
            origin: origin.unwrap_or(crate::settings::Origin::Default),
        }
    })
}

/// The engines' policy from the settings, not yet checked as a whole.
fn core_config(settings: &Settings) -> Result<Config, SettingsError> {
    let mut core = Config::on_network(settings.text("network"));
    core.network = NetworkId::from_name(settings.text("network"));
    let seconds = |key: &str| Duration::from_secs(settings.int(key));
    let millis = |key: &str| Duration::from_millis(settings.int(key));
    let count = |key: &str| usize::try_from(settings.int(key)).unwrap_or(usize::MAX);
    // Six digits, rounded down as every figure of the ledger: 0.3 is the same here and there.
    let fraction = |key: &str| Fixed::ratio((settings.float(key) * 1e6).round() as i64, 1_000_000);
    let byte = |key: &str| u8::try_from(settings.int(key)).unwrap_or(u8::MAX);

    core.peers.min_peers = count("peers.min");
    core.peers.max_peers = count("peers.max");
    core.peers.outbound_slots = count("peers.outbound");
    // A node of few links cannot allow one network more than it allows all.
    let all = core.peers.max_peers;
    core.peers.prefix_links_max = core.peers.prefix_links_max.min(all);
    core.peers.prefix_outbound_max = core.peers.prefix_outbound_max.min(all);
    core.peers.discovery_interval = seconds("peers.discovery_interval_s");
    core.peers.peer_timeout = seconds("peers.timeout_h") * 3_600;
    core.peers.probe_period = millis("peers.heartbeat_ms");
    core.peers.calm_factor = u32::try_from(settings.int("peers.calm_factor")).unwrap_or(u32::MAX);
    core.peers.loopback_strict = settings.text("limits.loopback") == "strict";
    core.dht = dht_config(settings);
    core.blobs = blobs_config(settings);
    core.peers.min_trust = fraction("trust.min");

    core.gossip.fanout = byte("gossip.fanout");
    core.gossip.ttl = byte("gossip.ttl");
    core.gossip.interval = millis("gossip.interval_ms");
    core.gossip.anti_entropy_interval = seconds("gossip.anti_entropy_s");
    core.gossip.retention = seconds("gossip.retention_s");
    core.burst_max = count("gossip.burst_max");
    core.limits.gossip.retained_bytes_max = count("gossip.cache_mib") << 20;
    core.limits.gossip.retained_count_max = count("gossip.cache_messages");
    // What is kept is found by its id.
    core.limits.gossip.ids_max = core
        .limits
        .gossip
        .ids_max
        .max(count("gossip.cache_messages"));

    core.trust.initial = fraction("trust.initial");
    core.trust.trust_min = fraction("trust.min");
    core.receipts.share = settings.flag("receipts.share");
    core.receipts.stamp_bits = u8::try_from(settings.int("receipts.stamp_bits")).unwrap_or(u8::MAX);
    core.receipts.anchors = parse_all(settings, "trust.anchors", "an id as `repute id` prints it")?;
    let circle = |key: &str| Circle::from_name(settings.text(key)).unwrap_or_default();
    core.trust.hearsay.listen = circle("hearsay.listen");
    core.trust.hearsay.share = circle("hearsay.share");
    core.trust.hearsay.reach = fraction("hearsay.reach");
    let [stranger, ..] = &mut core.trust.hearsay.class_weights;
    *stranger = fraction("hearsay.stranger_weight");
    core.trust.interval = seconds("trust.interval_s");
    core.trust.useful_per_interval_max =
        u32::try_from(settings.int("trust.useful_max")).unwrap_or(u32::MAX);

    policy::apply(settings, &mut core.trust);
    Ok(core)
}
