use core::ops::Range;
use std::vec::Vec;

use repute_protocol::{BlobHash, GROUP_BYTES};

use super::{
    VerifyError,
    tree::PARENT_BYTES,
    walk::{Next, Walk},
};
use crate::GroupRanges;

/// Takes a stream apart and proves it, group by group.
///
/// ```
/// use repute_blobs::{Decoder, Encoder, GroupRanges, tree_of};
///
/// let data = vec![7; 100_000];
/// let (hash, tree) = tree_of(&data);
/// let wanted = GroupRanges::of(2..5);
/// let mut stream = Vec::new();
/// Encoder::new(hash, 100_000, wanted.clone(), &data, &tree)?.fill(&mut stream, usize::MAX)?;
///
/// let mut decoder = Decoder::new(hash, 100_000, wanted)?;
/// let mut input = &stream[..];
/// while let Some(proven) = decoder.feed(&mut input)? {
///     assert_eq!(proven.groups(), 2..5);
///     assert_eq!(proven.bytes(), &data[2 * 16_384..5 * 16_384]);
///     decoder.recycle(proven);
/// }
/// decoder.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Decoder {
    hash: BlobHash,
    walk: Walk,
    /// How many bytes of groups are handed on together.
    run_bytes: usize,
    /// The parent that is coming.
    head: [u8; PARENT_BYTES],
    head_len: usize,
    /// Groups that follow each other; behind the proven ones, the one that is coming.
    run: Vec<u8>,
    run_first: u64,
    run_groups: u64,
    run_proven: usize,
    parents: Vec<Parent>,
    spare: Option<(Vec<u8>, Vec<Parent>)>,
    failed: Option<VerifyError>,
}

/// A parent that is proven, and its place in the tree file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its place, counted from zero.
    pub slot: u64,
    /// The hashes of its left and its right side.
    pub pair: [u8; PARENT_BYTES],
}

/// Groups of a blob that follow each other, with the parents above them. Only a [`Decoder`] makes
/// one, so what is in it is what the blob is.
#[derive(Debug)]
pub struct Proven {
    hash: BlobHash,
    size: u64,
    first: u64,
    groups: u64,
    bytes: Vec<u8>,
    parents: Vec<Parent>,
}

impl Proven {
    /// Of which blob.
    pub const fn hash(&self) -> BlobHash {
        self.hash
    }

    /// The size that the blob was said to have. It is proven once the last group is.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Which groups.
    pub const fn groups(&self) -> Range<u64> {
        self.first..self.first + self.groups
    }

    /// Where the bytes begin in the blob.
    pub const fn offset(&self) -> u64 {
        self.first * GROUP_BYTES
    }

    /// The bytes of the groups.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The parents that were proven on the way to these groups.
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// The bytes of the groups, to keep.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Decoder {
    /// How many bytes of groups are handed on together, unless told otherwise: what stays in the
    /// cache of a core between being received, hashed and passed on.
    pub const RUN_BYTES: usize = 256 * 1024;

    /// A decoder of the groups `wanted`, in the order of their numbers.
    ///
    /// # Errors
    /// [`VerifyError::Beyond`] and [`VerifyError::TooLarge`], the caller's misuse.
    pub fn new(hash: BlobHash, size: u64, wanted: GroupRanges) -> Result<Self, VerifyError> {
        Ok(Self {
            hash,
            walk: Walk::new(hash, size, wanted)?,
            run_bytes: Self::RUN_BYTES,
            head: [0; PARENT_BYTES],
            head_len: 0,
            run: Vec::new(),
            run_first: 0,
            run_groups: 0,
            run_proven: 0,
            parents: Vec::new(),
            spare: None,
            failed: None,
        })
    }

    /// Hands on as soon as there are so many bytes; with 1, each group by itself.
    #[must_use]
    pub fn with_run_bytes(mut self, bytes: usize) -> Self {
        self.run_bytes = bytes.clamp(1, Self::RUN_BYTES);
        self
    }

    /// Whether all that is wanted has been proven.
    pub fn is_done(&self) -> bool {
        self.walk.next().is_none()
    }

    /// The first group that is not proven yet.
    pub fn group_ahead(&self) -> Option<u64> {
        self.walk.group_ahead()
    }

    /// Takes bytes of the stream from the front of `input`, until groups are ready or `input` is
    /// used up. Call it until it gives nothing.
    ///
    /// # Errors
    /// [`VerifyError`]: who sent this lies or is broken. What was proven before is right, and
    /// [`Self::flush`] gives what of it is left; every further call fails likewise.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Proven>, VerifyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance(input);
        if let Err(error) = result {
            self.failed = Some(error);
        }
        result.map(|ready| if ready { self.flush() } else { None })
    }

    /// The groups that are proven and were not handed on yet.
    pub fn flush(&mut self) -> Option<Proven> {
        if self.run_groups == 0 {
            return None;
        }
        let (mut run, parents) = self.spare.take().unwrap_or_default();
        run.clear();
        run.extend_from_slice(self.run.get(self.run_proven..).unwrap_or_default());
        self.run.truncate(self.run_proven);
        let proven = Proven {
            hash: self.hash,
            size: self.walk.size(),
            first: self.run_first,
            groups: self.run_groups,
            bytes: core::mem::replace(&mut self.run, run),
            parents: core::mem::replace(&mut self.parents, parents),
        };
        self.run_first += self.run_groups;
        self.run_groups = 0;
        self.run_proven = 0;
        Some(proven)
    }

    /// Takes back the memory of what was handed on.
    pub fn recycle(&mut self, proven: Proven) {
        let Proven {
            mut bytes,
            mut parents,
            ..
        } = proven;
        bytes.clear();
        parents.clear();
        self.spare = Some((bytes, parents));
    }

    /// Says that the stream has ended.
    ///
    /// # Errors
    /// [`VerifyError::Truncated`] if something is missing, or what failed before.
    pub fn finish(self) -> Result<(), VerifyError> {
        match (self.failed, self.walk.group_ahead()) {
            (Some(error), _) => Err(error),
            (None, Some(group)) => Err(VerifyError::Truncated { group }),
            (None, None) => Ok(()),
        }
    }

    /// Whether a run is ready.
    fn advance(&mut self, input: &mut &[u8]) -> Result<bool, VerifyError> {
        loop {
            match self.walk.next() {
                None if self.run_groups > 0 => return Ok(true),
                None if input.is_empty() => return Ok(false),
                None => {
                    let group = self.walk.wanted().last().unwrap_or_default();
                    return Err(VerifyError::Trailing { group });
                }
                Some(Next::Parent(span)) => {
                    let Some(room) = self.head.get_mut(self.head_len..) else {
                        return Ok(false);
                    };
                    let taken = take(input, room.len());
                    if let Some(place) = room.get_mut(..taken.len()) {
                        place.copy_from_slice(taken);
                    }
                    self.head_len += taken.len();
                    if self.head_len < PARENT_BYTES {
                        return Ok(false);
                    }
                    self.head_len = 0;
                    self.walk.descend(&self.head, true)?;
                    self.parents.push(Parent {
                        slot: span.slot(),
                        pair: self.head,
                    });
                }
                Some(Next::Group { group, len }) => {
                    if self.run_groups == 0 {
                        self.run_first = group;
                    } else if group != self.run_first + self.run_groups
                        || self.run_proven >= self.run_bytes
                    {
                        return Ok(true);
                    }
                    let so_far = self.run.len() - self.run_proven;
                    self.run.extend_from_slice(take(input, len - so_far));
                    if self.run.len() - self.run_proven < len {
                        return Ok(false);
                    }
                    let bytes = self.run.get(self.run_proven..).unwrap_or_default();
                    self.walk.take_group(bytes, true)?;
                    self.run_proven = self.run.len();
                    self.run_groups += 1;
                    if self.run_proven >= self.run_bytes {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

/// The first `len` bytes of `input`, or all, which are then no more part of it.
fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(len.min(input.len()));
    *input = rest;
    taken
}
