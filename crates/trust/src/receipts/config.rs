use alloc::{string::ToString, vec::Vec};
use core::time::Duration;

use repute_identity::{NodeId, Stamp};
use repute_protocol::limits::FUTURE_MAX;

use crate::ConfigError;

/// Policy of the receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptsConfig {
    /// How long a link lasts before a session is opened on it: links that come and go cost nothing.
    pub settle: Duration,
    /// Between two receipts of a pair for one service, where there was anything to sign.
    pub interval: Duration,
    /// Whether receipts of others are passed on unasked, and taken. What is asked for is answered
    /// in any case.
    pub share: bool,
    /// Clocks of two honest nodes differ by no more; a receipt from further ahead is not signed.
    pub future_max: Duration,
    /// A receipt that was not renewed for so long is forgotten.
    pub age_max: Duration,
    /// Zero bits that make a stamp of class 1.
    pub stamp_bits: u8,
    /// The operator's anchors: of class 2, and their word counts.
    pub anchors: Vec<NodeId>,
}

impl Default for ReceiptsConfig {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(600),
            interval: Duration::from_secs(3_600),
            share: false,
            future_max: FUTURE_MAX,
            age_max: Duration::from_secs(90 * 24 * 3_600),
            stamp_bits: Stamp::BITS,
            anchors: Vec::new(),
        }
    }
}

impl ReceiptsConfig {
    /// Whether the policy can be meant.
    ///
    /// # Errors
    /// [`ConfigError`] names the first value that cannot, its limit and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, value: u128, limit: &str, remedy| {
            Err(ConfigError {
                field,
                value: value.to_string(),
                limit: limit.to_string(),
                remedy,
            })
        };
        if self.interval < Duration::from_secs(60) {
            let (field, value) = ("receipts.interval", self.interval.as_millis());
            return refuse(field, value, "the least is 60,000 ms", "raise it");
        }
        if self.age_max < self.interval * 24 {
            let (field, value) = ("receipts.age_max", self.age_max.as_millis());
            return refuse(field, value, "the least is 24 intervals", "raise it");
        }
        if self.stamp_bits > Stamp::BITS_MAX {
            let (field, value) = ("receipts.stamp_bits", u128::from(self.stamp_bits));
            return refuse(field, value, "the most is 64", "lower it");
        }
        Ok(())
    }
}

/// Bounds of what the receipts hold, whatever comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptsLimits {
    /// Pairs in which this node has a part; the one untouched for longest goes. Four thousand
    /// neighbours are more than a node deals with in the life of a receipt.
    pub own_pairs: usize,
    /// Pairs of others; the one untouched for longest goes. At some 500 bytes each, 16 MiB.
    pub pairs: usize,
    /// Sessions, claims, and identities above class 0, each; the oldest goes.
    pub identities: usize,
    /// Proofs of faults, one an offender; the oldest goes.
    pub faults: usize,
    /// Linked peers.
    pub links: usize,
}

impl Default for ReceiptsLimits {
    fn default() -> Self {
        Self {
            own_pairs: 4_096,
            pairs: 32_768,
            identities: 8_192,
            faults: 1_024,
            links: 1_024,
        }
    }
}

/// Signatures under way at once; more wait for the next interval.
pub(crate) const JOBS_MAX: usize = 1_024;
/// Signatures of a link's frames that are checked at once, and each second after that: many times
/// what honest neighbours ask for. What comes faster is dropped, without blame.
pub(crate) const CHECKS_BURST: u64 = 256;
/// See [`CHECKS_BURST`].
pub(crate) const CHECKS_PER_SECOND: u64 = 8;
/// Questions about others that a link may have open at once.
pub(crate) const QUESTIONS_MAX: usize = 64;
/// Proofs of faults that a new neighbour is shown.
pub(crate) const FAULTS_SHOWN: usize = 8;
/// Between two looks at a link that were brought forward: two signatures and two writes at either
/// end each time.
pub(crate) const SETTLE_PAUSE: Duration = Duration::from_secs(5);
/// Old pairs forgotten in one input.
pub(crate) const PRUNED_PER_INPUT_MAX: usize = 256;
/// Between two times that a pair's receipt is passed on unasked.
pub(crate) const SHARE_INTERVAL: Duration = Duration::from_secs(3_600);
/// The longest step of the clock that is believed after a start.
pub(crate) const STEP_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
