use alloc::{string::String, string::ToString};

use repute_base::Fixed;

use crate::{ConfigError, rank::Share};

/// Policy of the global rank. The defaults are the design's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RankConfig {
    /// What the observer itself has of the sources of rank; the rest is its anchors', in equal
    /// parts. Without anchors it has all.
    pub own_part: Share,
    /// What returns to the sources in each iteration, at least 0.01: without it, some graphs
    /// oscillate for ever.
    pub restart: Share,
    /// The change at which the iteration stops, summed over all peers.
    pub change_min: Share,
    /// Iterations after which it stops in any case, 1 to 1,000. After 62 the start weighs
    /// 0.8⁶² ≈ 10⁻⁶.
    pub iterations_max: u32,
    /// What a rater may hand out, summed over the strength of its opinions, before each of them
    /// weighs less.
    pub budget: Fixed,
}

impl Default for RankConfig {
    fn default() -> Self {
        Self {
            own_part: Share::of(1, 2),
            restart: Share::of(2, 10),
            change_min: Share::of(1, 1_000_000),
            iterations_max: 62,
            budget: Fixed::from_int(5),
        }
    }
}

impl RankConfig {
    /// Whether the set can be meant.
    ///
    /// # Errors
    /// [`ConfigError`], naming the first parameter that cannot, its limit and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.restart < Share::of(1, 100) {
            return Err(refuse(
                "rank.restart",
                self.restart.to_string(),
                "the least is 0.01",
                "raise it: without a restart some graphs oscillate",
            ));
        }
        if self.iterations_max == 0 || self.iterations_max > 1_000 {
            return Err(refuse(
                "rank.iterations_max",
                self.iterations_max.to_string(),
                "it lies between 1 and 1000",
                "62 are enough with a restart of 0.2",
            ));
        }
        if self.budget < Fixed::ratio(1, 100) {
            return Err(refuse(
                "rank.budget",
                self.budget.to_string(),
                "the least is 0.01",
                "raise it",
            ));
        }
        Ok(())
    }
}

/// Bounds of the graph that ranks are computed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankLimits {
    /// Peers, at least 2. As many as the ledger knows.
    pub nodes: usize,
    /// Edges of all peers together, at least 1. Ten a peer; a refresh walks each some 30 times.
    pub edges: usize,
    /// Edges of one peer, at least 1, so that none fills the graph alone; the lightest gives way.
    pub out: usize,
    /// Anchors of the operator, at least 1. A person names them.
    pub anchors: usize,
}

impl Default for RankLimits {
    fn default() -> Self {
        Self {
            nodes: 100_000,
            edges: 1_000_000,
            out: 1_000,
            anchors: 64,
        }
    }
}

impl RankLimits {
    /// Whether the bounds can be meant.
    ///
    /// # Errors
    /// [`ConfigError`], naming the first bound that cannot, its limit and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        // Edges and nodes are addressed by 32 bits.
        let most = 1 << 31;
        for (field, value, least) in [
            ("rank.limits.nodes", self.nodes, 2),
            ("rank.limits.edges", self.edges, 1),
            ("rank.limits.out", self.out, 1),
            ("rank.limits.anchors", self.anchors, 1),
        ] {
            if value < least || value > most {
                let limit = alloc::format!("it lies between {least} and {most}");
                let remedy = "move it there";
                return Err(ConfigError {
                    field,
                    value: value.to_string(),
                    limit,
                    remedy,
                });
            }
        }
        if self.nodes <= self.anchors {
            return Err(refuse(
                "rank.limits.anchors",
                self.anchors.to_string(),
                "there must be more nodes than anchors",
                "lower it",
            ));
        }
        Ok(())
    }
}

fn refuse(field: &'static str, value: String, limit: &str, remedy: &'static str) -> ConfigError {
    ConfigError {
        field,
        value,
        limit: limit.to_string(),
        remedy,
    }
}
