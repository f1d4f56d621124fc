mod crash;
mod everyday;
mod folders;
mod memory_disk;
mod references;

use std::{vec, vec::Vec};

use repute_protocol::{BlobHash, groups_of};

use super::{Blob, Partial, Store, StoreError};
use crate::{Decoder, Encoder, GroupRanges, Proven, tree_of};

const GROUP: usize = 16 * 1024;

/// Bytes that differ from seed to seed and from place to place.
fn sample(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn all(size: u64) -> GroupRanges {
    GroupRanges::of(0..groups_of(size))
}

/// Groups of a blob as a stream brings them.
fn proven(data: &[u8], wanted: GroupRanges) -> Vec<Proven> {
    let (hash, tree) = tree_of(data);
    let size = data.len() as u64;
    let mut stream = Vec::new();
    Encoder::new(hash, size, wanted.clone(), data, tree.as_slice())
        .unwrap()
        .fill(&mut stream, usize::MAX)
        .unwrap();
    let mut decoder = Decoder::new(hash, size, wanted)
        .unwrap()
        .with_run_bytes(4 * GROUP);
    let mut input = stream.as_slice();
    core::iter::from_fn(|| decoder.feed(&mut input).unwrap()).collect()
}

fn write(partial: &Partial, data: &[u8], wanted: GroupRanges) -> Result<(), StoreError> {
    proven(data, wanted)
        .iter()
        .try_for_each(|proven| partial.write(proven))
}

/// All bytes of a blob, through its stream.
fn read(blob: &Blob) -> Vec<u8> {
    blob.read_all(u64::MAX).unwrap()
}

fn hash_of(data: &[u8]) -> BlobHash {
    tree_of(data).0
}

fn is_whole(store: &Store, data: &[u8]) -> bool {
    store
        .blob(&hash_of(data))
        .is_ok_and(|blob| blob.held() == all(blob.size()) && read(&blob) == data)
}
