/// What the store holds at most, where the operator does not say less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Bytes of blobs, of their trees, and of what is still to come of blobs being fetched. Files
    /// by reference count with their tree.
    pub quota_bytes: u64,
    /// Blobs, as each takes some 100 bytes of memory.
    pub blobs_max: usize,
    /// Blobs open at once, as each takes up to three file descriptors, of which many systems give
    /// a process 1,024.
    pub open_max: usize,
    /// Tags, as all are in memory.
    pub tags_max: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            quota_bytes: u64::MAX,
            blobs_max: 1 << 20,
            open_max: 128,
            tags_max: 1 << 16,
        }
    }
}

/// The longest name of a tag, in bytes.
pub(super) const TAG_NAME_MAX: usize = 256;
/// The longest path of a file by reference, in bytes: that of Linux.
pub(super) const PATH_MAX: usize = 4_096;
/// What is read, hashed and written together.
pub(super) const BUFFER_BYTES: usize = 1 << 20;
/// A log is written anew when it has so many records more than it needs.
pub(super) const LOG_SPARE_RECORDS: usize = 4_096;
/// The longest log that is read: 2^20 records of the longest tags.
pub(super) const LOG_BYTES_MAX: u64 = 1 << 29;
