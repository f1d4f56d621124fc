use core::time::Duration;

use repute_protocol::Tier;

/// Policy: what the operator may tune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Peers that one download fetches from at once. 1 to 32.
    pub seeders: usize,
    /// Requests under way to one of them, so that none waits for the next. 1 to 4.
    pub requests_per_seeder: usize,
    /// How long what is asked of one peer at once should take. 100 ms to 10 s.
    pub request_target: Duration,
    /// Of the peers that one download fetches from, how many may be unknown ones that have not
    /// delivered yet, while known ones are there. At least 1.
    pub explorers: usize,
    /// Groups in the first request to an unknown peer. 1 to 64.
    pub explore_groups: u64,
    /// Bytes a second that all downloads together may take.
    pub download_rate: Option<u64>,
    /// Bytes a second that are taken from one peer.
    pub download_peer_rate: Option<u64>,
    /// Peers that are served at once. 1 to 1,024.
    pub upload_slots: usize,
    /// Of these, how many are kept for newcomers. At least 1 with two slots, less than all.
    pub newcomer_slots: usize,
    /// How long a peer is served while others wait. 1 s to 10 min.
    pub upload_turn: Duration,
    /// Bytes a second that all uploads together may take.
    pub upload_rate: Option<u64>,
    /// Whether what a download has is offered while it goes on.
    pub share_partials: bool,
    /// Whether others can find out that this node has a blob; otherwise only those who are told.
    pub announce: bool,
    /// How each tier is served, the least first.
    pub tiers: [TierPolicy; Tier::ALL.len()],
}

/// How the peers of one tier are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierPolicy {
    /// Of turns and bytes, this many parts. 1 to 100; no less than the tier below.
    pub weight: u32,
    /// Bytes a second that one peer may have; no less than in the tier below.
    pub rate: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        let tier = |weight| TierPolicy { weight, rate: None };
        Self {
            seeders: 8,
            requests_per_seeder: 2,
            request_target: Duration::from_secs(1),
            explorers: 2,
            explore_groups: 16,
            download_rate: None,
            download_peer_rate: None,
            upload_slots: 32,
            newcomer_slots: 4,
            upload_turn: Duration::from_secs(30),
            upload_rate: None,
            share_partials: true,
            announce: true,
            tiers: [tier(1), tier(2), tier(4), tier(8)],
        }
    }
}

/// A setting is out of range. Nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}, but must lie between {low} and {high}")]
pub struct ConfigError {
    /// The field, with its unit.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// The least allowed.
    pub low: u64,
    /// The most allowed.
    pub high: u64,
}

impl Config {
    /// The least rate that may be set: a group in two seconds, or nothing would ever be whole.
    pub const RATE_MIN: u64 = 8 * 1024;

    /// How the peers of a tier are served.
    pub fn tier(&self, tier: Tier) -> TierPolicy {
        let [newcomer, medium, high, trusted] = self.tiers;
        match tier {
            Tier::Newcomer => newcomer,
            Tier::Medium => medium,
            Tier::High => high,
            Tier::Trusted => trusted,
        }
    }

    /// Checks the set as a whole.
    ///
    /// # Errors
    /// [`ConfigError`] names the first value out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let count = |n: usize| n as u64;
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let slots = count(self.upload_slots);
        let newcomers = if slots == 1 { 0 } else { 1 };
        let mut ranges = alloc::vec![
            ("seeders", count(self.seeders), 1, 32),
            ("requests_per_seeder", count(self.requests_per_seeder), 1, 4),
            ("request_target in ms", ms(self.request_target), 100, 10_000),
            ("explorers", count(self.explorers), 1, count(self.seeders)),
            ("explore_groups", self.explore_groups, 1, 64),
            ("upload_slots", slots, 1, 1_024),
            (
                "newcomer_slots",
                count(self.newcomer_slots),
                newcomers,
                slots.saturating_sub(1)
            ),
            ("upload_turn in ms", ms(self.upload_turn), 1_000, 600_000),
        ];
        let rates = [
            ("download_rate in bytes/s", self.download_rate),
            ("download_peer_rate in bytes/s", self.download_peer_rate),
            ("upload_rate in bytes/s", self.upload_rate),
        ];
        for (name, rate) in rates {
            ranges.push((name, rate.unwrap_or(u64::MAX), Self::RATE_MIN, u64::MAX));
        }
        let (mut weight, mut rate) = (1, Self::RATE_MIN);
        for tier in &self.tiers {
            ranges.push(("weight of a tier", u64::from(tier.weight), weight, 100));
            let own = tier.rate.unwrap_or(u64::MAX);
            ranges.push(("rate of a tier in bytes/s", own, rate, u64::MAX));
            (weight, rate) = (u64::from(tier.weight), own);
        }
        for (name, value, low, high) in ranges {
            if value < low || value > high {
                return Err(ConfigError {
                    name,
                    value,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        assert_eq!(Config::default().check(), Ok(()));
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().name
        };
        assert_eq!(refused(|config| config.seeders = 0), "seeders");
        assert_eq!(
            refused(|config| config.newcomer_slots = 0),
            "newcomer_slots"
        );
        assert_eq!(
            refused(|config| config.newcomer_slots = 32),
            "newcomer_slots"
        );
        assert_eq!(
            refused(|config| config.upload_rate = Some(1)),
            "upload_rate in bytes/s"
        );
        assert_eq!(
            refused(|config| config.tiers[2].weight = 1),
            "weight of a tier"
        );
        let poorer = refused(|config| config.tiers[3].rate = Some(1 << 20));
        assert_eq!(poorer, "rate of a tier in bytes/s");
    }
}
