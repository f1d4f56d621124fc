//! The schema.

use std::fmt;

use toml::Value;

use super::{ENV_PREFIX, Origin, Profile, SettingsError};

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number within bounds, both included.
    Int(i64, i64),
    /// A fraction within bounds, both included.
    Float(f64, f64),
    /// `true` or `false`.
    Bool,
    /// Text of at most so many bytes.
    Text(usize),
    /// A list of at most so many texts.
    List(usize),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A profile's name, or nothing.
    Profile,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(low, high) => write!(f, "whole number, {low} to {high}"),
            Self::Float(low, high) => write!(f, "number, {low} to {high}"),
            Self::Bool => f.write_str("true or false"),
            Self::Text(max) => write!(f, "text of at most {max} bytes"),
            Self::List(max) => write!(f, "list of at most {max} texts"),
            Self::Choice(words) => write!(f, "one of: {}", words.join(", ")),
            Self::Profile => {
                f.write_str("one of: high-throughput, low-resource, high-security; or empty")
            }
        }
    }
}

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name, with the section before the dot.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its default, as TOML.
    pub default: &'static str,
    /// What it means, with units.
    pub doc: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        doc,
    }
}

/// Every key.
pub const KEYS: &[Key] = &[
    key(
        "network",
        Kind::Text(128),
        "\"repute\"",
        "Nodes link only within one network, by name",
    ),
    key(
        "profile",
        Kind::Profile,
        "\"\"",
        "A tuning that lies between the defaults and this file",
    ),
    key(
        "listen",
        Kind::Text(64),
        "\"0.0.0.0:0\"",
        "UDP address to listen on; port 0 takes a free one",
    ),
    key(
        "announce",
        Kind::List(8),
        "[]",
        "Addresses to tell others instead of those listened on",
    ),
    key(
        "bootstrap",
        Kind::List(64),
        "[]",
        "Tickets of nodes to join through; a dead one stops nothing",
    ),
    key(
        "lan",
        Kind::Bool,
        "false",
        "Find peers on the local network by multicast DNS",
    ),
    key(
        "discovery.mainline",
        Kind::Bool,
        "false",
        "Publish where this node listens in the Mainline DHT, readable by all, and find others there by the discovery key of their ticket",
    ),
    key(
        "discovery.mainline_bootstrap",
        Kind::List(16),
        "[]",
        "Nodes of another network than the public one to use instead, host:port each",
    ),
    key(
        "dht.enabled",
        Kind::Bool,
        "true",
        "Take part in the DHT, and keep a directory of services",
    ),
    key(
        "dht.serve",
        Kind::Choice(&["auto", "always", "never"]),
        "\"auto\"",
        "Whether this node keeps records for others: if it can be reached, whenever it listens, or never",
    ),
    key(
        "dht.paths",
        Kind::Int(1, 8),
        "6",
        "Disjoint paths of a lookup: more withstand more liars, and cost more",
    ),
    key(
        "dht.refresh_interval_s",
        Kind::Int(60, 86_400),
        "3600",
        "Seconds until a part of the table where nothing was looked up is looked through",
    ),
    key("blobs.enabled", Kind::Bool, "true", "Share and fetch files"),
    key(
        "blobs.quota_mib",
        Kind::Int(0, 1_073_741_824),
        "0",
        "MiB of files in the data directory at most, those being fetched counted whole; 0 for no limit",
    ),
    key(
        "blobs.upload_kib_s",
        Kind::Int(0, 104_857_600),
        "0",
        "KiB a second that others may fetch from this node together, at least 8; 0 for no limit",
    ),
    key(
        "blobs.upload_peer_kib_s",
        Kind::Int(0, 104_857_600),
        "0",
        "The same for each peer",
    ),
    key(
        "blobs.download_kib_s",
        Kind::Int(0, 104_857_600),
        "0",
        "KiB a second that this node fetches in all, at least 8; 0 for no limit",
    ),
    key(
        "blobs.download_peer_kib_s",
        Kind::Int(0, 104_857_600),
        "0",
        "The same from each peer",
    ),
    key(
        "blobs.upload_slots",
        Kind::Int(1, 1_024),
        "32",
        "Peers that are served at once; up to four of them are kept for newcomers",
    ),
    key(
        "blobs.share_partials",
        Kind::Bool,
        "true",
        "Serve what there is of a file while it is being fetched",
    ),
    key(
        "blobs.announce",
        Kind::Bool,
        "true",
        "Let everybody find out what this node shares; otherwise only who has a ticket or asks",
    ),
    key(
        "limits.loopback",
        Kind::Choice(&["per-port", "strict"]),
        "\"per-port\"",
        "Whether each loopback port is a group of its own for the diversity limits, or all are one",
    ),
    key(
        "peers.min",
        Kind::Int(1, 1_000),
        "8",
        "Below this many links, peers are looked for at once",
    ),
    key("peers.max", Kind::Int(2, 1_024), "64", "Links at most"),
    key(
        "peers.outbound",
        Kind::Int(1, 1_000),
        "16",
        "Links that this node opens by itself at most",
    ),
    key(
        "peers.discovery_interval_s",
        Kind::Int(1, 3_600),
        "30",
        "Seconds between rounds of discovery",
    ),
    key(
        "peers.timeout_h",
        Kind::Int(1, 8_760),
        "24",
        "Hours after which a peer not seen is dialled no more",
    ),
    key(
        "peers.heartbeat_ms",
        Kind::Int(100, 60_000),
        "1000",
        "Milliseconds between probes of one random link while somebody is silent",
    ),
    key(
        "peers.calm_factor",
        Kind::Int(1, 60),
        "5",
        "Times that probes are rarer while everybody answers",
    ),
    key(
        "gossip.fanout",
        Kind::Int(3, 32),
        "4",
        "Active gossip neighbours, less one",
    ),
    key(
        "gossip.ttl",
        Kind::Int(1, 32),
        "32",
        "Links that a message crosses at most",
    ),
    key(
        "gossip.interval_ms",
        Kind::Int(10, 10_000),
        "50",
        "Milliseconds between packed announcements; a first delivery never waits for it",
    ),
    key(
        "gossip.burst_max",
        Kind::Int(1, 64),
        "64",
        "Messages of this node signed together when so many wait; 1 signs each alone",
    ),
    key(
        "gossip.anti_entropy_s",
        Kind::Int(1, 3_600),
        "30",
        "Seconds between reconciliations with a neighbour",
    ),
    key(
        "gossip.retention_s",
        Kind::Int(60, 86_400),
        "3600",
        "Seconds for which messages are kept for those who missed them",
    ),
    key(
        "gossip.cache_mib",
        Kind::Int(1, 4_096),
        "3",
        "MiB of messages kept at most",
    ),
    key(
        "gossip.cache_messages",
        Kind::Int(100, 10_000_000),
        "16384",
        "Messages kept at most",
    ),
    key(
        "receipts.share",
        Kind::Bool,
        "false",
        "Whether receipts of others are passed on unasked, and taken",
    ),
    key(
        "receipts.stamp_bits",
        Kind::Int(8, 64),
        "28",
        "Zero bits of a proof of work that makes an identity more than a free name",
    ),
    key(
        "trust.initial",
        Kind::Float(0.0, 1.0),
        "0.5",
        "Trust in a stranger, before any evidence",
    ),
    key(
        "trust.anchors",
        Kind::List(64),
        "[]",
        "Ids of nodes whose word the operator takes: of the highest identity class",
    ),
    key(
        "trust.min",
        Kind::Float(0.0, 0.5),
        "0.3",
        "Peers below this trust are neither dialled nor kept",
    ),
    key(
        "trust.interval_s",
        Kind::Int(60, 604_800),
        "3600",
        "Seconds after which evidence decays by one step",
    ),
    key(
        "trust.useful_max",
        Kind::Int(1, 10_000),
        "20",
        "Useful events credited to a peer in one interval at most",
    ),
    key(
        "trust.prior_weight",
        Kind::Float(-1_000_000.0, 1_000_000.0),
        "499.0",
        "Events that the prior is worth: how slowly a stranger's score moves",
    ),
    key(
        "trust.hard_weight",
        Kind::Float(-1_000_000.0, 1_000_000.0),
        "124.75",
        "Events that one proven fault weighs against a peer; a size, without a sign",
    ),
    key(
        "trust.soft_weight",
        Kind::Float(-1_000_000.0, 1_000_000.0),
        "55.444",
        "Events that one timeout weighs against a peer; a size, without a sign",
    ),
    key(
        "trust.forgetting",
        Kind::Float(-10.0, 10.0),
        "0.8",
        "What one proven fault leaves of a peer's merits",
    ),
    key(
        "trust.useful_decay",
        Kind::Float(-10.0, 10.0),
        "0.99",
        "What an interval leaves of merits",
    ),
    key(
        "trust.hard_decay",
        Kind::Float(-10.0, 10.0),
        "0.995",
        "What an interval leaves of proven faults; not less than of merits",
    ),
    key(
        "trust.soft_decay",
        Kind::Float(-10.0, 10.0),
        "0.98",
        "What an interval leaves of timeouts",
    ),
    key(
        "trust.soft_max",
        Kind::Int(0, 4_294_967_295),
        "2",
        "Timeouts charged to a peer in one interval at most",
    ),
    key(
        "hearsay.listen",
        Kind::Choice(&["off", "known", "all"]),
        "\"known\"",
        "Whose recommendations may move what is thought of peers not known well: nobody's, those of identities that cost something, or strangers' too",
    ),
    key(
        "hearsay.share",
        Kind::Choice(&["off", "known", "all"]),
        "\"off\"",
        "Who is told your own recommendations and complaints: nobody, linked identities that cost something, or everybody by gossip",
    ),
    key(
        "hearsay.stranger_weight",
        Kind::Float(0.0, 0.125),
        "0.0",
        "What a stranger's recommendation weighs where strangers are listened to; an anchor's weighs 1",
    ),
    key(
        "hearsay.reach",
        Kind::Float(0.0, 0.2),
        "0.2",
        "How far all recommendations together move the trust in a stranger, to either side",
    ),
    key(
        "levels.low",
        Kind::Float(-10.0, 10.0),
        "0.2",
        "Trust at which a peer that is known is no longer distrusted",
    ),
    key(
        "levels.medium",
        Kind::Float(-10.0, 10.0),
        "0.4",
        "Trust at which the level medium begins",
    ),
    key(
        "levels.high",
        Kind::Float(-10.0, 10.0),
        "0.6",
        "Trust at which the level high begins",
    ),
    key(
        "levels.trusted",
        Kind::Float(-10.0, 10.0),
        "0.8",
        "Trust at which the level trusted begins",
    ),
    key(
        "ladder.hard_ban",
        Kind::Int(0, 4_294_967_295),
        "10",
        "Strikes of proven faults that ban",
    ),
    key(
        "ladder.soft_warn",
        Kind::Int(0, 4_294_967_295),
        "3",
        "Strikes of exceeded budgets that warn",
    ),
    key(
        "ladder.soft_grey",
        Kind::Int(0, 4_294_967_295),
        "10",
        "Strikes of exceeded budgets that close the gate for a while",
    ),
    key(
        "ladder.grey_s",
        Kind::Int(0, 315_360_000),
        "3600",
        "Seconds for which the gate closes first",
    ),
    key(
        "ladder.ban_first_s",
        Kind::Int(0, 315_360_000),
        "86400",
        "Seconds that a first ban lasts",
    ),
    key(
        "ladder.ban_repeated_s",
        Kind::Int(0, 315_360_000),
        "2592000",
        "Seconds that a repeated ban lasts",
    ),
    key(
        "blacklist.mode",
        Kind::Choice(&["manual", "automatic", "hybrid"]),
        "\"hybrid\"",
        "Who may put entries on the blacklist: you, the criteria below, or both; the ladder bans in any case",
    ),
    key(
        "blacklist.failed_transfers",
        Kind::Int(0, 4_294_967_295),
        "20",
        "Failed transfers, by the peer's fault, that put it on the blacklist; 0 switches this off",
    ),
    key(
        "blacklist.failed_transfers_h",
        Kind::Int(0, 87_600),
        "24",
        "Hours within which they must happen",
    ),
    key(
        "blacklist.malformed_data",
        Kind::Int(0, 4_294_967_295),
        "5",
        "Malformed frames or payloads that do",
    ),
    key(
        "blacklist.malformed_data_h",
        Kind::Int(0, 87_600),
        "24",
        "Hours within which they must happen",
    ),
    key(
        "blacklist.violations",
        Kind::Int(0, 4_294_967_295),
        "20",
        "Other broken rules that do",
    ),
    key(
        "blacklist.violations_h",
        Kind::Int(0, 87_600),
        "168",
        "Hours within which they must happen",
    ),
    key(
        "blacklist.attempts",
        Kind::Int(0, 4_294_967_295),
        "30",
        "Floods of connections, messages or requests that do",
    ),
    key(
        "blacklist.attempts_h",
        Kind::Int(0, 87_600),
        "24",
        "Hours within which they must happen",
    ),
    key(
        "blacklist.betrayals",
        Kind::Int(0, 4_294_967_295),
        "5",
        "Broken rules of a peer that had earned more than a low level that do",
    ),
    key(
        "blacklist.betrayals_h",
        Kind::Int(0, 87_600),
        "672",
        "Hours within which they must happen",
    ),
    key(
        "blacklist.lasts_h",
        Kind::Int(0, 87_600),
        "24",
        "Hours that an entry of these criteria lasts",
    ),
];

impl Key {
    /// The environment variable that sets it: `REPUTE_` and the name in capitals.
    pub fn env_name(&self) -> String {
        format!(
            "{ENV_PREFIX}{}",
            self.name.replace('.', "_").to_ascii_uppercase()
        )
    }

    pub(super) fn default_value(&self) -> Value {
        let parsed = parse_value(self.default);
        debug_assert!(parsed.is_some(), "the default of {} is TOML", self.name);
        parsed.unwrap_or(Value::Boolean(false))
    }

    /// The value in `text`: TOML, or bare text where text is expected.
    pub(super) fn parse_text(&self, text: &str, origin: &Origin) -> Result<Value, SettingsError> {
        let value = match self.kind {
            Kind::Text(_) | Kind::Choice(_) | Kind::Profile => Some(Value::String(text.into())),
            // An IPv6 address begins like a list of TOML.
            Kind::List(_) => parse_value(text)
                .filter(Value::is_array)
                .or_else(|| Some(parse_list(text))),
            _ => parse_value(text),
        };
        let value = value.unwrap_or_else(|| Value::String(text.into()));
        self.check(&value, origin)?;
        Ok(value)
    }

    /// Refuses a value of another type or outside the range.
    pub(super) fn check(&self, value: &Value, origin: &Origin) -> Result<(), SettingsError> {
        let fits = match (self.kind, value) {
            (Kind::Int(low, high), Value::Integer(given)) => (low..=high).contains(given),
            (Kind::Float(low, high), Value::Float(given)) => (low..=high).contains(given),
            (Kind::Float(low, high), Value::Integer(given)) => {
                (low..=high).contains(&(*given as f64))
            }
            (Kind::Bool, Value::Boolean(_)) => true,
            (Kind::Text(max), Value::String(given)) => given.len() <= max,
            (Kind::Choice(words), Value::String(given)) => words.contains(&given.as_str()),
            (Kind::Profile, Value::String(given)) => {
                given.is_empty() || given.parse::<Profile>().is_ok()
            }
            (Kind::List(max), Value::Array(items)) => {
                items.len() <= max && items.iter().all(Value::is_str)
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let shown: String = value.to_string().chars().take(80).collect();
        Err(SettingsError::Value {
            key: self.name,
            // Quotes belong to the value as TOML writes it.
            value: shown.escape_debug().to_string().replace("\\\"", "\""),
            problem: format!("must be {}", self.kind),
            origin: origin.clone(),
        })
    }
}

/// A list as people type it: items between commas.
fn parse_list(text: &str) -> Value {
    let items = text.split(',').map(str::trim);
    let items = items.filter(|item| !item.is_empty());
    Value::Array(items.map(|item| Value::String(item.into())).collect())
}

fn parse_value(text: &str) -> Option<Value> {
    let table: toml::Table = format!("value = {text}").parse().ok()?;
    table.get("value").cloned().filter(|_| table.len() == 1)
}

/// Whether keys live under this name.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The key that an environment variable tries to name: one that begins like the keys of a section.
pub(super) fn meant_by_env(name: &str) -> Option<String> {
    let name = name.strip_prefix(ENV_PREFIX)?.to_ascii_lowercase();
    let (section, rest) = name.split_once('_')?;
    is_section(section).then(|| format!("{section}.{rest}"))
}

/// The key that `name` most likely meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|key| (distance(name, key.name), key.name))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, over at most 64 bytes of each.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (a, b) = (a.get(..64).unwrap_or(a), b.get(..64).unwrap_or(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let best = (diagonal + usize::from(x != y))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            if let Some(place) = row.get_mut(j) {
                *place = left;
            }
            left = best;
        }
        if let Some(last) = row.last_mut() {
            *last = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
