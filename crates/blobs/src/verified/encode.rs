use std::{io, vec::Vec};

use bytes::Bytes;
use repute_protocol::{BlobHash, GROUP_BYTES};

use super::{
    EncodeError, ReadAt,
    tree::{PARENT_BYTES, PARENT_LEN, Span},
    walk::{Next, Walk},
};
use crate::GroupRanges;

/// Parents that are read together: those of a MiB of the blob lie beside each other.
const BLOCK_SLOTS: u64 = 64;
const BLOCK_BYTES: usize = BLOCK_SLOTS as usize * PARENT_BYTES;

/// Makes a stream of groups and of the parents that prove them.
///
/// What is read is checked on the way, so that nothing wrong goes out, whatever became of the file
/// since: the stream ends before the first wrong group.
pub struct Encoder<D, T> {
    walk: Walk,
    data: D,
    tree: T,
    check: bool,
    /// Parents from `block_first` on.
    block: Vec<u8>,
    block_first: u64,
}

impl<D: ReadAt, T: ReadAt> Encoder<D, T> {
    /// Bytes that [`Self::next_piece`] gives at least, unless at the end or from memory.
    pub const PIECE_BYTES: usize = 256 * 1024;

    /// An encoder of the groups `wanted` of a blob, from its bytes and its tree file.
    ///
    /// # Errors
    /// [`VerifyError::Beyond`](super::VerifyError) and
    /// [`VerifyError::TooLarge`](super::VerifyError), the caller's misuse.
    pub fn new(
        hash: BlobHash,
        size: u64,
        wanted: GroupRanges,
        data: D,
        tree: T,
    ) -> Result<Self, super::VerifyError> {
        Ok(Self {
            walk: Walk::new(hash, size, wanted)?,
            data,
            tree,
            check: true,
            block: Vec::new(),
            block_first: 0,
        })
    }

    /// Takes data and tree at their word: for memory that was hashed before and cannot change.
    #[must_use]
    pub fn without_check(mut self) -> Self {
        self.check = false;
        self
    }

    /// Whether everything has been given out.
    pub fn is_done(&self) -> bool {
        self.walk.next().is_none()
    }

    /// Appends the next bytes of the stream to `out`, until `out` holds `len_wanted` or more, or
    /// the stream ends. Gives whether there is more.
    ///
    /// # Errors
    /// [`EncodeError`]; what is in `out` by then is right.
    pub fn fill(&mut self, out: &mut Vec<u8>, len_wanted: usize) -> Result<bool, EncodeError> {
        while out.len() < len_wanted {
            match self.walk.next() {
                None => return Ok(false),
                Some(Next::Parent(span)) => {
                    let pair = self.parent(span)?;
                    self.walk.descend(&pair, self.check)?;
                    out.extend_from_slice(&pair);
                }
                Some(Next::Group { group, len }) => self.append_group(group, len, out)?,
            }
        }
        Ok(!self.is_done())
    }

    /// The next bytes of the stream: from memory without a copy, from a file some
    /// [`Self::PIECE_BYTES`] at a time. Nothing at the end.
    ///
    /// # Errors
    /// [`EncodeError`]; what was given before is right.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, EncodeError> {
        let mut out = Vec::new();
        while let Some(next) = self.walk.next() {
            match next {
                Next::Parent(_) => {
                    let one_more = out.len() + 1;
                    self.fill(&mut out, one_more)?;
                }
                Next::Group { group, len } => {
                    match self.data.share(group * GROUP_BYTES, len) {
                        // What is shared goes out by itself; parents before it go first.
                        Some(_) if !out.is_empty() => break,
                        Some(bytes) => {
                            self.walk.take_group(&bytes, self.check)?;
                            if !bytes.is_empty() {
                                return Ok(Some(bytes));
                            }
                        }
                        None => {
                            out.reserve(Self::PIECE_BYTES + super::tree::GROUP_LEN);
                            self.fill(&mut out, Self::PIECE_BYTES)?;
                            break;
                        }
                    }
                }
            }
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }

    /// Appends the next group to `out`, without the parents above it, and gives its number; nothing
    /// at the end.
    ///
    /// # Errors
    /// [`EncodeError`]; what is in `out` by then is right.
    pub fn next_group(&mut self, out: &mut Vec<u8>) -> Result<Option<u64>, EncodeError> {
        while let Some(next) = self.walk.next() {
            match next {
                Next::Parent(span) => {
                    let pair = self.parent(span)?;
                    self.walk.descend(&pair, self.check)?;
                }
                Next::Group { group, len } => {
                    self.append_group(group, len, out)?;
                    return Ok(Some(group));
                }
            }
        }
        Ok(None)
    }

    fn append_group(
        &mut self,
        group: u64,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        out.resize(start + len, 0);
        let place = out.get_mut(start..).unwrap_or_default();
        let read = self
            .data
            .read_at(group * GROUP_BYTES, place)
            .map_err(|source| EncodeError::Read { group, source })
            .and_then(|()| Ok(self.walk.take_group(place, self.check)?));
        if read.is_err() {
            out.truncate(start);
        }
        read
    }

    fn parent(&mut self, span: Span) -> Result<[u8; PARENT_BYTES], EncodeError> {
        let slot = span.slot();
        self.read_parent(slot, span)
            .map_err(|source| EncodeError::Read {
                group: span.start,
                source,
            })
    }

    fn read_parent(&mut self, slot: u64, span: Span) -> io::Result<[u8; PARENT_BYTES]> {
        let mut pair = [0; PARENT_BYTES];
        let behind = |first: u64, block: &[u8]| first + (block.len() / PARENT_BYTES) as u64;
        let held = self.block_first..behind(self.block_first, &self.block);
        if !held.contains(&slot) {
            if span.len() > BLOCK_SLOTS {
                self.tree.read_at(slot * PARENT_LEN, &mut pair)?;
                return Ok(pair);
            }
            // All parents below this one lie in one block, and the last block may be short.
            let len = ((span.len() - 1) as usize * PARENT_BYTES).min(BLOCK_BYTES);
            self.block_first = span.start;
            self.block.resize(len, 0);
            if let Err(error) = self.tree.read_at(span.start * PARENT_LEN, &mut self.block) {
                self.block.clear();
                if error.kind() != io::ErrorKind::UnexpectedEof {
                    return Err(error);
                }
                // The tree file of a partial blob may end behind this parent.
                self.tree.read_at(slot * PARENT_LEN, &mut pair)?;
                return Ok(pair);
            }
        }
        let at = (slot - self.block_first) as usize * PARENT_BYTES;
        if let Some(held) = self.block.get(at..at + PARENT_BYTES) {
            pair.copy_from_slice(held);
        }
        Ok(pair)
    }
}
