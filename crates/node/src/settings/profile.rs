use std::{fmt, str::FromStr};

use toml::Value;

/// The three tunings of the source design, made sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// More links and faster repair, for machines with bandwidth to spare.
    HighThroughput,
    /// Fewer links, smaller caches, for small machines.
    LowResource,
    /// Strangers start lower and are kept at a distance for longer.
    HighSecurity,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::HighThroughput, Self::LowResource, Self::HighSecurity];

    /// The name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HighThroughput => "high-throughput",
            Self::LowResource => "low-resource",
            Self::HighSecurity => "high-security",
        }
    }

    /// The keys it sets above the defaults.
    pub fn values(self) -> Vec<(&'static str, Value)> {
        match self {
            // The source's fanout 5, interval 0.5 s and 100 peers.
            Self::HighThroughput => vec![
                ("gossip.fanout", Value::Integer(5)),
                ("gossip.interval_ms", Value::Integer(500)),
                ("peers.max", Value::Integer(100)),
                ("gossip.cache_mib", Value::Integer(64)),
            ],
            // The source's fanout 2, interval 2 s, 20 peers and a cache of a thousand messages.
            // Fanout 2 keeps HyParView's overlay connected only with a third link beside it.
            Self::LowResource => vec![
                ("gossip.fanout", Value::Integer(3)),
                ("gossip.interval_ms", Value::Integer(2_000)),
                ("peers.max", Value::Integer(20)),
                ("gossip.cache_mib", Value::Integer(2)),
                ("gossip.cache_messages", Value::Integer(1_000)),
            ],
            // The source starts strangers at 0.3 under a threshold of 0.5, which locks every
            // newcomer out for ever. Both move together here: a stranger is just above the line.
            Self::HighSecurity => vec![
                ("trust.initial", Value::Float(0.45)),
                ("trust.min", Value::Float(0.4)),
            ],
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| {
                "profiles are high-throughput, low-resource and high-security".to_owned()
            })
    }
}
