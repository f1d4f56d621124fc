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
    /// 64. Eight tell an operator what happened last; all of them are in the store.
    pub recent: usize,
    /// Stored records of a subject in a context at which the older half is compacted, at least 2.
    /// 512 are more than a day of the fastest credit.
    pub records: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            subjects: 100_000,
            bans: 10_000,
            recent: 8,
            records: 512,
        }
    }
}
