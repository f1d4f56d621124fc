/// Why an advertisement of somebody else was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DirectoryRefusal {
    /// No envelope, no record, or one that breaks a rule of its kind.
    Invalid,
    /// Of another network, kind or author than belongs there.
    Foreign,
    /// Its signature does not hold.
    Forged,
    /// Its time is over, or has not come.
    Untimely,
    /// Not newer than what is known.
    Stale,
    /// Its author is grey-listed or banned.
    Barred,
    /// More of its author than is looked at.
    Pace,
    /// More than one a minute, or of more than ten keys.
    Flood,
    /// No room for it.
    Full,
}

impl DirectoryRefusal {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Invalid,
        Self::Foreign,
        Self::Forged,
        Self::Untimely,
        Self::Stale,
        Self::Barred,
        Self::Pace,
        Self::Flood,
        Self::Full,
    ];

    /// A stable name for logs, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Foreign => "foreign",
            Self::Forged => "forged",
            Self::Untimely => "untimely",
            Self::Stale => "stale",
            Self::Barred => "barred",
            Self::Pace => "pace",
            Self::Flood => "flood",
            Self::Full => "full",
        }
    }
}

/// Counters since the engine was made, and present sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryCounters {
    /// Advertisements of others that are known now.
    pub entries: usize,
    /// Bytes of these.
    pub entry_bytes: usize,
    /// Advertisements of this node.
    pub own: usize,
    /// Kept ones of this node that could not be read, and were forgotten.
    pub unreadable: u64,
    /// Taken: new ones, changed ones, renewed ones.
    pub taken: u64,
    /// Taken back by their authors.
    pub withdrawn: u64,
    /// Expired here.
    pub expired: u64,
    /// Made room for others.
    pub evicted: u64,
    /// Searches begun.
    pub searches: u64,
    /// Searches for which the DHT was asked.
    pub lookups: u64,
    pub(super) refused: [u64; DirectoryRefusal::ALL.len()],
}

impl DirectoryCounters {
    /// How many were not taken for this reason.
    pub fn refused(&self, reason: DirectoryRefusal) -> u64 {
        self.refused.get(reason as usize).copied().unwrap_or(0)
    }

    pub(super) fn refuse(&mut self, reason: DirectoryRefusal) {
        if let Some(count) = self.refused.get_mut(reason as usize) {
            *count += 1;
        }
    }
}
