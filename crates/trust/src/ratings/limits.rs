/// Bounds of what is read from a file of ratings, whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatingsLimits {
    /// Bytes of a line. Four short fields; a line without end must not fill memory.
    pub line_bytes: usize,
    /// Bytes of a name. Twice the length of an id of this network.
    pub name_bytes: usize,
    /// People. Two million names of full length take some 400 MB.
    pub people: usize,
    /// Ratings. Ten million take 240 MB, and up to twice that once more while they are read and
    /// sorted.
    pub ratings: usize,
}

impl Default for RatingsLimits {
    fn default() -> Self {
        Self {
            line_bytes: 4_096,
            name_bytes: 128,
            people: 2_000_000,
            ratings: 10_000_000,
        }
    }
}
