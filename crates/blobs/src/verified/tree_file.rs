use std::{io, vec::Vec};

use repute_protocol::{BlobHash, GROUP_BYTES};

use super::{
    WriteAt,
    hash::{self, Hash},
    tree::{GROUP_LEN, PARENT_BYTES, PARENT_LEN},
};

/// Parents that are written together: 256 KiB.
const WINDOW_SLOTS: u64 = 4096;

/// Makes a tree file in one pass over a blob's bytes, whose number need not be known.
///
/// It holds a group, a window of the file and a hash for each level, however large the blob is.
pub struct TreeBuilder<W> {
    out: W,
    size: u64,
    /// The group that is coming.
    group: Vec<u8>,
    /// The hashes of whole subtrees, each with its first group, the last one rightmost.
    open: Vec<(u64, Hash)>,
    /// What the first group hashes to if it is the only one.
    alone: Hash,
    /// Parents from `window_first` on that are not written yet.
    window: Vec<u8>,
    window_first: u64,
}

/// Hash and tree file of a blob that lies in memory.
pub fn tree_of(bytes: &[u8]) -> (BlobHash, Vec<u8>) {
    let mut tree = Vec::new();
    let mut builder = TreeBuilder::new(&mut tree);
    // Writing to memory does not fail.
    let built = builder.push(bytes).and_then(|()| builder.finish());
    let hash = built.map_or_else(
        |_| *blake3::hash(bytes).as_bytes(),
        |(hash, _)| *hash.as_bytes(),
    );
    (BlobHash::from_bytes(hash), tree)
}

impl<W: WriteAt> TreeBuilder<W> {
    /// A builder that writes the tree file to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            size: 0,
            group: Vec::new(),
            open: Vec::new(),
            alone: [0; 32],
            window: Vec::new(),
            window_first: 0,
        }
    }

    /// Takes the next bytes of the blob; fastest in whole groups.
    ///
    /// # Errors
    /// What writing says. The tree is then useless.
    pub fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.group.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(GROUP_LEN - self.group.len()));
            self.group.extend_from_slice(taken);
            bytes = rest;
            if self.group.len() < GROUP_LEN {
                return Ok(());
            }
            let group = core::mem::take(&mut self.group);
            self.push_group(&group)?;
            self.group = group;
            self.group.clear();
        }
        let mut groups = bytes.chunks_exact(GROUP_LEN);
        for group in groups.by_ref() {
            self.push_group(group)?;
        }
        self.group.extend_from_slice(groups.remainder());
        Ok(())
    }

    /// Ends the blob: its hash and size.
    ///
    /// # Errors
    /// What writing says. The tree is then useless.
    pub fn finish(mut self) -> io::Result<(BlobHash, u64)> {
        if !self.group.is_empty() || self.size == 0 {
            let group = core::mem::take(&mut self.group);
            self.push_group(&group)?;
        }
        let mut root = self.alone;
        while self.open.len() > 1 {
            root = self.merge(self.open.len() == 2)?;
        }
        self.flush_window()?;
        Ok((BlobHash::from_bytes(root), self.size))
    }

    fn push_group(&mut self, bytes: &[u8]) -> io::Result<()> {
        let number = self.size.div_ceil(GROUP_BYTES);
        // Only now is it known that what is complete is not the root.
        while self.open.len() > number.count_ones() as usize {
            self.merge(false)?;
        }
        if number == 0 {
            self.alone = hash::of_group(0, bytes, true);
        }
        self.open
            .push((number, hash::of_group(number, bytes, false)));
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Joins the two rightmost subtrees.
    fn merge(&mut self, is_root: bool) -> io::Result<Hash> {
        let (Some((middle, right)), Some((start, left))) = (self.open.pop(), self.open.pop())
        else {
            return Ok([0; 32]);
        };
        let pair = hash::pair(&left, &right);
        let hash = hash::of_parent(&pair, is_root);
        self.write(middle - 1, &pair)?;
        self.open.push((start, hash));
        Ok(hash)
    }

    fn write(&mut self, slot: u64, pair: &[u8; PARENT_BYTES]) -> io::Result<()> {
        if slot < self.window_first {
            return self.out.write_at(slot * PARENT_LEN, pair);
        }
        if slot >= self.window_first + WINDOW_SLOTS {
            self.flush_window()?;
            self.window_first = slot - slot % WINDOW_SLOTS;
        }
        let at = (slot - self.window_first) as usize * PARENT_BYTES;
        if self.window.len() < at + PARENT_BYTES {
            self.window.resize(at + PARENT_BYTES, 0);
        }
        if let Some(place) = self.window.get_mut(at..at + PARENT_BYTES) {
            place.copy_from_slice(pair);
        }
        Ok(())
    }

    fn flush_window(&mut self) -> io::Result<()> {
        self.out
            .write_at(self.window_first * PARENT_LEN, &self.window)?;
        self.window.clear();
        Ok(())
    }
}
