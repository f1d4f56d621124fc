use std::{io, vec::Vec};

use repute_protocol::{BlobHash, GROUP_BYTES};

use super::{
    ReadAt, VerifyError,
    tree::{PARENT_BYTES, PARENT_LEN},
    walk::{Next, Walk},
};
use crate::GroupRanges;

/// Which of the groups `wanted` are the blob's, going by what really lies in data and tree file. A
/// wrong parent leaves out all below it. `progress` is told of each group that was looked at.
///
/// # Errors
/// What reading says, except that there is nothing at that place.
pub fn proven_groups(
    hash: BlobHash,
    size: u64,
    wanted: &GroupRanges,
    data: &impl ReadAt,
    tree: &impl ReadAt,
    mut progress: impl FnMut(u64),
) -> io::Result<GroupRanges> {
    let mut walk = Walk::new(hash, size, wanted.clone()).map_err(misuse)?;
    let mut proven = GroupRanges::new();
    let mut bytes = Vec::new();
    while let Some(next) = walk.next() {
        let held = match next {
            Next::Parent(span) => {
                let mut pair = [0; PARENT_BYTES];
                is_there(tree.read_at(span.slot() * PARENT_LEN, &mut pair))?
                    && walk.descend(&pair, true).is_ok()
            }
            Next::Group { group, len } => {
                progress(group);
                bytes.resize(len, 0);
                let held = is_there(data.read_at(group * GROUP_BYTES, &mut bytes))?
                    && walk.take_group(&bytes, true).is_ok();
                if held && proven.insert(group..group + 1).is_err() {
                    // Too scattered to remember; the rest counts as not proven.
                    break;
                }
                held
            }
        };
        if !held {
            walk.skip();
        }
    }
    Ok(proven)
}

fn is_there(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn misuse(error: VerifyError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
