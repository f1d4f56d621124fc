use repute_base::Wall;
use repute_identity::NodeId;

/// Sequence numbers below an author's highest that the record covers.
pub const SEEN_WINDOW: u64 = 1_024;
const WORDS: usize = 16;

/// What was seen of one author: the row that outlives a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAuthor {
    /// Who.
    pub author: NodeId,
    /// The author's start that the counters belong to.
    pub start: u64,
    /// The highest counter seen.
    pub highest: u64,
    /// Bit `i`, from the lowest bit of the first word, stands for counter `highest − i`.
    pub bitmap: [u64; WORDS],
    /// When the row last changed, for clean-up.
    pub updated: Wall,
}

impl SeenAuthor {
    /// Bytes of the bitmap in storage.
    pub const BITMAP_LEN: usize = WORDS * 8;

    /// The bitmap as bytes, words little-endian.
    pub fn bitmap_bytes(&self) -> [u8; Self::BITMAP_LEN] {
        let mut bytes = [0; Self::BITMAP_LEN];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.bitmap) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    /// The bitmap from bytes, as [`SeenAuthor::bitmap_bytes`] wrote it.
    pub fn bitmap_from_bytes(bytes: &[u8; Self::BITMAP_LEN]) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }
}
