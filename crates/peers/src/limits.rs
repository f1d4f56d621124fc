use core::time::Duration;

use crate::{Config, ConfigError};

/// Bounds: what keeps a hostile network from growing this engine. Not policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Peers in the address book: enough to rejoin after most have left, under 1 MiB in all.
    pub book_max: usize,
    /// Book entries of one address prefix, so that one network cannot fill the book.
    pub book_prefix_max: usize,
    /// Untried book entries that one peer brought, so that one liar cannot fill the book.
    pub book_source_max: usize,
    /// Identities refused by the gate that are remembered apart from the book.
    pub gated_max: usize,
    /// Links that wait for the peer's admission, so that the silent cannot hold slots.
    pub half_open_max: usize,
    /// How long a link may wait for the peer's admission.
    pub half_open_timeout: Duration,
    /// Dials under way at once, to spare sockets and NAT tables.
    pub dials_max: usize,
    /// How long a dial may take before it counts as failed: longer than the transport's own.
    pub dial_timeout: Duration,
    /// Signed address records kept to answer others; the oldest goes first.
    pub records_max: usize,
    /// Address records waiting for their signature check; further ones are dropped.
    pub verifying_max: usize,
    /// Indirect probes run for others at once; further requests are declined.
    pub relays_max: usize,
    /// Peers that gossip asked for and that wait for a slot.
    pub wanted_max: usize,
    /// Links made for conversations at once, beyond those of the configuration: as many as the
    /// lookups of a busy node need at a time.
    pub visits_max: usize,
    /// Peers looked for again after they fell silent: enough to meet the other side of a healed
    /// partition, few enough that the dead cost little.
    pub lost_max: usize,
    /// Peers whose connection attempts are counted.
    pub attempts_tracked_max: usize,
    /// Connection attempts of one peer that are never held against it: a hundred times what the
    /// back-off of an honest node allows in the same minute.
    pub attempts_burst: u64,
    /// Connection attempts of one peer for each second beyond the burst.
    pub attempts_per_second: u64,
    /// Heartbeats and requests of one link that are never held against it.
    pub control_burst: u64,
    /// Heartbeats and requests of one link for each second beyond the burst.
    pub control_per_second: u64,
    /// The longest pause that a peer can ask us for.
    pub retry_max: Duration,
    /// Peers kept as anchors.
    pub anchors_max: usize,
}

impl Limits {
    /// Links at most, whatever is configured: probing in turn stays meaningful below it.
    pub const LINKS_MAX: usize = 1_024;
    /// Addresses kept of one peer, best first, so that an entry stays under 400 bytes.
    pub const ADDRESSES_KEPT: usize = 4;
    /// Barred prefixes at most: each new link is held against all of them.
    pub const BARRED_MAX: usize = 4_096;

    /// Checks the bounds against a policy: whoever has a link or a dial has a place in the book.
    pub(crate) fn validate(&self, config: &Config) -> Result<(), ConfigError> {
        let least = config.max_peers + self.dials_max + self.anchors_max + 1;
        if self.book_max < least {
            return Err(ConfigError::OutOfRange {
                name: "book_max",
                value: self.book_max as u64,
                low: least as u64,
                high: u64::MAX,
            });
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            book_max: 2_000,
            book_prefix_max: 64,
            book_source_max: 128,
            gated_max: 2_048,
            half_open_max: 64,
            half_open_timeout: Duration::from_secs(10),
            dials_max: 16,
            dial_timeout: Duration::from_secs(30),
            records_max: 256,
            verifying_max: 128,
            relays_max: 128,
            wanted_max: 32,
            visits_max: 64,
            lost_max: 4,
            attempts_tracked_max: 1_024,
            attempts_burst: 128,
            attempts_per_second: 1,
            control_burst: 2_000,
            control_per_second: 100,
            retry_max: Duration::from_secs(24 * 3_600),
            anchors_max: 4,
        }
    }
}
