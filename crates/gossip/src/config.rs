use core::time::Duration;

use repute_protocol::limits::{FUTURE_MAX, RETENTION, TTL_MAX};

use crate::ConfigError;

/// Policy: what an operator may tune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Neighbours that a message is passed to at most, besides the one it came from. The active
    /// view holds one more. 1 to 32; HyParView's 4.
    pub fanout: u8,
    /// Links that a pushed message may cross, 1 to [`TTL_MAX`]. Repair by announcement goes on
    /// beyond it, so that a small number costs time, never delivery.
    pub ttl: u8,
    /// How long announcements are gathered before they are sent; never delays a first delivery.
    /// 1 ms to 10 s.
    pub interval: Duration,
    /// Between two reconciliations with a random neighbour. 1 s to 1 h.
    pub anti_entropy_interval: Duration,
    /// Between two shuffles of the passive view. 1 s to 1 h.
    pub shuffle_interval: Duration,
    /// Peers remembered as replacements. 5 to 256; HyParView's 30.
    pub passive_size: u16,
    /// Steps of a join's random walk. 1 to 16; HyParView's 6.
    pub active_walk: u8,
    /// Steps left at which a walk leaves its subject in the passive view; at most `active_walk`;
    /// HyParView's 3.
    pub passive_walk: u8,
    /// Members of the active view in a shuffle. HyParView's 3.
    pub shuffle_active: u8,
    /// Members of the passive view in a shuffle. HyParView's 4; with `shuffle_active` at most 16.
    pub shuffle_passive: u8,
    /// Neighbours that stay eager whatever copies they bring: 1 for a tree, up to 33 for a mesh in
    /// which every neighbour pushes every message; above 1 own messages go to all other links too.
    /// A mesh costs a copy from each neighbour and leaves nobody to wait for: for networks in which
    /// many are hostile. 1 to 33.
    pub eager_min: u8,
    /// How much shorter, in links, another path must be before the tree is changed for it. 1 to
    /// 32; Plumtree's 7 for many senders.
    pub optimize_hops: u8,
    /// How long messages are kept for those who missed them. 1 min to 1 day.
    pub retention: Duration,
    /// Between two writes of the record of what was seen. 10 ms to 1 min.
    pub persist_interval: Duration,
    /// How long a message waits for its causal predecessors. 10 ms to 10 min.
    pub hold_back: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fanout: 4,
            ttl: TTL_MAX,
            interval: Duration::from_millis(50),
            anti_entropy_interval: Duration::from_secs(30),
            shuffle_interval: Duration::from_secs(30),
            passive_size: 30,
            active_walk: 6,
            passive_walk: 3,
            shuffle_active: 3,
            shuffle_passive: 4,
            eager_min: 1,
            optimize_hops: 7,
            retention: RETENTION,
            persist_interval: Duration::from_secs(1),
            hold_back: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Members of the active view: one more than the fanout, because a message is never sent back.
    pub const fn active_size(&self) -> usize {
        self.fanout as usize + 1
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let shuffle = u64::from(self.shuffle_active) + u64::from(self.shuffle_passive);
        let future = ms(FUTURE_MAX);
        for (name, value, min, max) in [
            ("fanout", u64::from(self.fanout), 1, 32),
            ("ttl", u64::from(self.ttl), 1, u64::from(TTL_MAX)),
            ("interval in ms", ms(self.interval), 1, 10_000),
            (
                "anti-entropy interval in ms",
                ms(self.anti_entropy_interval),
                1_000,
                3_600_000,
            ),
            (
                "shuffle interval in ms",
                ms(self.shuffle_interval),
                1_000,
                3_600_000,
            ),
            ("passive view size", u64::from(self.passive_size), 5, 256),
            ("active walk", u64::from(self.active_walk), 1, 16),
            (
                "passive walk",
                u64::from(self.passive_walk),
                0,
                u64::from(self.active_walk),
            ),
            ("number of peers in a shuffle", shuffle, 0, 16),
            (
                "number of eager neighbours",
                u64::from(self.eager_min),
                1,
                33,
            ),
            ("optimize threshold", u64::from(self.optimize_hops), 1, 32),
            (
                "retention in ms",
                ms(self.retention),
                60_000.min(future),
                86_400_000,
            ),
            (
                "persist interval in ms",
                ms(self.persist_interval),
                10,
                60_000,
            ),
            ("hold-back in ms", ms(self.hold_back), 10, 600_000),
        ] {
            if value < min || value > max {
                return Err(ConfigError::OutOfRange {
                    name,
                    value,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}
