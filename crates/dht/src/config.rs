use core::time::Duration;

/// When this node serves others: keeps records and has a place in their tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Serve {
    /// Unless it listens nowhere, or has had links over the internet for a while and nobody has
    /// reached it from there.
    #[default]
    Auto,
    /// Whenever it listens somewhere.
    Always,
    /// Never: it only asks.
    Never,
}

/// Policy: what the operator may tune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Nodes in a bucket, and copies of a record: Kademlia's k. 1 to 20, which one answer holds.
    pub k: usize,
    /// Requests of a lookup under way at once: Kademlia's α. 1 to 16.
    pub alpha: usize,
    /// Disjoint paths of a lookup: no node learned on one is asked on another. With 1 it is plain
    /// Kademlia. 1 to 8.
    pub paths: usize,
    /// The closest nodes that must have answered, and told of nobody closer, to end a lookup of
    /// nodes. 1 to `k`.
    pub confirm: usize,
    /// The closest nodes that must have answered that they have nothing, to believe it. 1 to `k`.
    pub absent: usize,
    /// Holders that must have answered to believe that a record is the newest. 1 to `k`.
    pub quorum: usize,
    /// Holders whose records are put together to list a key of many authors. 1 to `k`.
    pub readers: usize,
    /// Whether this node serves others.
    pub serve: Serve,
    /// How long nobody from outside may have reached this node before [`Serve::Auto`] gives up.
    pub serve_patience: Duration,
    /// Entries of a bucket that share a /24 or /64 prefix at most.
    pub bucket_prefix_max: usize,
    /// Entries of the table that share a /24 or /64 prefix at most.
    pub table_prefix_max: usize,
    /// Whether loopback and private addresses count by prefix too. Otherwise each address and port
    /// of theirs is a prefix of its own.
    pub loopback_strict: bool,
    /// A bucket where nothing was looked up for this long is looked through. At least 1 min.
    pub refresh_interval: Duration,
    /// A holder puts a record to the others again when nobody has for this long, or for a third of
    /// the record's lifetime if that is shorter. At least 1 min.
    pub replicate_interval: Duration,
    /// A link made for the DHT is given back when nothing was said for this long. At least 1 s.
    pub link_idle: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            k: 20,
            alpha: 3,
            paths: 6,
            confirm: 4,
            absent: 10,
            quorum: 7,
            readers: 6,
            serve: Serve::Auto,
            serve_patience: Duration::from_secs(600),
            bucket_prefix_max: 2,
            table_prefix_max: 10,
            loopback_strict: false,
            refresh_interval: Duration::from_secs(3_600),
            replicate_interval: Duration::from_secs(3_600),
            link_idle: Duration::from_secs(60),
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
    /// Nodes in a bucket at most: what one answer holds.
    pub const K_MAX: usize = repute_protocol::limits::CONTACTS_MAX;
    /// Disjoint paths at most: with more, each is too thin to get anywhere.
    pub const PATHS_MAX: usize = 8;

    /// Checks the set as a whole.
    ///
    /// # Errors
    /// [`ConfigError`] names the first value out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let count = |n: usize| n as u64;
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let (k, day) = (count(self.k), 24 * 3_600_000);
        let ranges = [
            ("k", k, 1, count(Self::K_MAX)),
            ("alpha", count(self.alpha), 1, 16),
            ("paths", count(self.paths), 1, count(Self::PATHS_MAX)),
            ("confirm", count(self.confirm), 1, k),
            ("absent", count(self.absent), 1, k),
            ("quorum", count(self.quorum), 1, k),
            ("readers", count(self.readers), 1, k),
            ("bucket_prefix_max", count(self.bucket_prefix_max), 1, k),
            ("table_prefix_max", count(self.table_prefix_max), 1, 5_120),
            (
                "refresh_interval in ms",
                ms(self.refresh_interval),
                60_000,
                day,
            ),
            (
                "replicate_interval in ms",
                ms(self.replicate_interval),
                60_000,
                day,
            ),
            ("link_idle in ms", ms(self.link_idle), 1_000, day),
            ("serve_patience in ms", ms(self.serve_patience), 1_000, day),
        ];
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
