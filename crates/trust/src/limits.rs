use alloc::string::ToString;

use crate::ConfigError;

/// Bounds of what the ledger holds, whatever comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Subjects with a score, at least 1. A hundred thousand are more than a node meets, and at
    /// under 512 bytes each they fit into 50 MB.
    pub subjects: usize,
    /// Bans at a time, at least 1. Filled only by as many identities that each broke rules; then
    /// the one that would end first goes.
    pub bans: usize,
    /// Records of a subject kept in memory for [`Ledger::recent`](crate::Ledger::recent), at most
    /// 64. Six tell an operator what happened last; all of them are in the store.
    pub recent: usize,
    /// Stored records of a subject in a context at which the older half is compacted, at least 8.
    /// 512 are more than a day of the fastest credit.
    pub records: u32,
    /// Sources of recommendations, at least 1: as many as a node can hope to learn the accuracy
    /// of. Beyond it the source of least class and rank goes, or a newcomer of no more is not
    /// heard. As many withdrawn ones are remembered; then the oldest is listened to again.
    pub sources: usize,
    /// Recommendations of all sources, at least 1; 65,536 take 12 MB.
    pub recommendations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            subjects: 100_000,
            bans: 10_000,
            recent: 6,
            records: 512,
            sources: 4_096,
            recommendations: 65_536,
        }
    }
}

impl Limits {
    /// Whether the bounds can be meant.
    ///
    /// # Errors
    /// [`ConfigError`], naming the first bound that cannot, its limit and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, value: usize, limit: &str, remedy| {
            Err(ConfigError {
                field,
                value: value.to_string(),
                limit: limit.to_string(),
                remedy,
            })
        };
        if self.subjects == 0 {
            return refuse(
                "limits.subjects",
                self.subjects,
                "the least is 1",
                "raise it",
            );
        }
        if self.bans == 0 {
            return refuse("limits.bans", self.bans, "the least is 1", "raise it");
        }
        if self.recent > 64 {
            return refuse("limits.recent", self.recent, "the most is 64", "lower it");
        }
        if self.records < 8 {
            let records = usize::try_from(self.records).unwrap_or(usize::MAX);
            return refuse("limits.records", records, "the least is 8", "raise it");
        }
        for (field, value) in [
            ("limits.sources", self.sources),
            ("limits.recommendations", self.recommendations),
        ] {
            if value == 0 {
                return refuse(field, value, "the least is 1", "raise it");
            }
        }
        Ok(())
    }
}

/// Events in an interval that were not the peer's fault and are written down all the same: enough
/// to see that something was wrong here, too few to fill a disk.
pub(crate) const BLAMELESS_PER_INTERVAL_MAX: u32 = 4;
/// Bans that lapse in one input; each is ignored from its end on even while it waits.
pub(crate) const LAPSES_PER_INPUT_MAX: usize = 64;
/// Subjects looked at to find the one to evict.
pub(crate) const EVICTION_SAMPLE: usize = 64;
/// Peers whose events towards the criteria of the blacklist are remembered with their times: those
/// that break rules without being banned for it, at 4 KiB at the very most.
pub(crate) const SUSPECTS_MAX: usize = 4_096;
/// Recommendations of one source: past five they share one budget, so few would do. The oldest goes.
pub(crate) const SAID_PER_SOURCE_MAX: usize = 64;
/// Recommendations about one subject: forty by ordinary peers already move a prior as far as any
/// number can. The weakest source gives way to a stronger one.
pub(crate) const SAID_PER_SUBJECT_MAX: usize = 128;
/// Stored records of a source beyond twice its recommendations at which all become one.
pub(crate) const SOURCE_ROWS_SPARE: usize = 64;
