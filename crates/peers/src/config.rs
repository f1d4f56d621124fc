use core::time::Duration;

use repute_base::Fixed;

use crate::Limits;

/// Policy: what the operator may tune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Links below this many are a shortage: peers are dialled and asked for more. At least 1.
    pub min_peers: usize,
    /// Links at most, both directions. At least `min_peers`, at most [`Limits::LINKS_MAX`].
    pub max_peers: usize,
    /// Links that this node dials at most; inbound peers can never take these.
    pub outbound_slots: usize,
    /// How often a connected peer is asked for others. 1 s to 1 h.
    pub discovery_interval: Duration,
    /// A peer not heard of for this long, while this node ran, is no longer dialled and in time
    /// forgotten. At least 1 min.
    pub peer_timeout: Duration,
    /// Below this trust a peer is neither dialled nor kept. Between 0 and one half, where
    /// strangers stand.
    pub min_trust: Fixed,
    /// How often one link is probed while somebody is silent, and what all waits of failure
    /// detection are measured in. 100 ms to 1 min.
    pub probe_period: Duration,
    /// While everybody answers, probes are this many times rarer. 1 to 60; with 1 the pace never
    /// changes, as in SWIM.
    pub calm_factor: u32,
    /// How many others are asked to probe a peer that missed a probe.
    pub indirect_probes: usize,
    /// How many probe periods a suspected peer has to be heard, before a factor for the number of
    /// links. 1 to 100.
    pub suspicion_periods: u32,
    /// Whether this node suspects itself when others are silent, as in Lifeguard: its waits grow
    /// with its doubt, its own stalls are forgiven, and silence is put down to a peer only when
    /// the peer is the likeliest cause. Without it the detector is plain SWIM, to compare with.
    pub self_doubt: bool,
    /// How often an untried address is probed by a short connection. At least 1 s.
    pub feeler_interval: Duration,
    /// The first pause between two dials of a peer; doubles with each failure. At least 100 ms.
    pub backoff_min: Duration,
    /// The longest pause. At least `backoff_min`.
    pub backoff_max: Duration,
    /// Links to one address prefix (/16 or /32) at most.
    pub prefix_links_max: usize,
    /// Dialled links to one address prefix at most.
    pub prefix_outbound_max: usize,
    /// Whether loopback and private addresses count by prefix too. Otherwise each address and port
    /// of theirs is a prefix of its own.
    pub loopback_strict: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_peers: 8,
            max_peers: 64,
            outbound_slots: 16,
            discovery_interval: Duration::from_secs(30),
            peer_timeout: Duration::from_secs(24 * 3_600),
            min_trust: Fixed::ratio(3, 10),
            probe_period: Duration::from_secs(1),
            calm_factor: 5,
            indirect_probes: 3,
            suspicion_periods: 5,
            self_doubt: true,
            feeler_interval: Duration::from_secs(120),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(600),
            prefix_links_max: 8,
            prefix_outbound_max: 4,
            loopback_strict: false,
        }
    }
}

/// Why a configuration was refused. Nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value is outside its range.
    #[error("{name} is {value}, but must lie between {low} and {high}")]
    OutOfRange {
        /// The field, with its unit.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The least allowed.
        low: u64,
        /// The most allowed.
        high: u64,
    },
    /// The minimum trust would lock every stranger out.
    #[error(
        "min_trust is {0}, but must lie between 0 and 0.5, where strangers stand: above it nobody new could ever join"
    )]
    MinTrust(Fixed),
}

impl Config {
    /// Checks the set as a whole.
    ///
    /// # Errors
    /// [`ConfigError`] names the first value out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let count = |n: usize| n as u64;
        let day = 24 * 3_600_000;
        let (min, max) = (count(self.min_peers), count(self.max_peers));
        let ranges = [
            ("max_peers", max, 1, count(Limits::LINKS_MAX)),
            ("min_peers", min, 1, max),
            ("outbound_slots", count(self.outbound_slots), 1, max),
            (
                "discovery_interval in ms",
                ms(self.discovery_interval),
                1_000,
                3_600_000,
            ),
            (
                "peer_timeout in ms",
                ms(self.peer_timeout),
                60_000,
                3_650 * day,
            ),
            ("probe_period in ms", ms(self.probe_period), 100, 60_000),
            ("calm_factor", self.calm_factor.into(), 1, 60),
            ("indirect_probes", count(self.indirect_probes), 0, 8),
            ("suspicion_periods", self.suspicion_periods.into(), 1, 100),
            (
                "feeler_interval in ms",
                ms(self.feeler_interval),
                1_000,
                day,
            ),
            ("backoff_min in ms", ms(self.backoff_min), 100, 3_600_000),
            (
                "backoff_max in ms",
                ms(self.backoff_max),
                ms(self.backoff_min),
                day,
            ),
            (
                "prefix_links_max",
                count(self.prefix_links_max),
                1,
                max.max(1),
            ),
            (
                "prefix_outbound_max",
                count(self.prefix_outbound_max),
                1,
                max.max(1),
            ),
        ];
        for (name, value, low, high) in ranges {
            if value < low || value > high {
                return Err(ConfigError::OutOfRange {
                    name,
                    value,
                    low,
                    high,
                });
            }
        }
        if self.min_trust < Fixed::ZERO || self.min_trust > Fixed::HALF {
            return Err(ConfigError::MinTrust(self.min_trust));
        }
        Ok(())
    }
}
