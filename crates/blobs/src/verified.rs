//! Verified streams: any groups of a blob, with the hashes that prove them.
//!
//! A blob's tree has a leaf for each group of 16 KiB and is shaped as BLAKE3 shapes it. A *parent* is
//! the two hashes below a node, 64 bytes; the hash of its two hashes is what the node above says.
//! A *tree file* holds all parents of a blob. [`TreeBuilder`] makes one, in one pass over bytes of
//! unknown length; [`Encoder`] puts parents and groups into a stream; [`Decoder`] takes the stream
//! apart again, and hands nothing on that is not [`Proven`].

mod decode;
mod encode;
mod error;
mod hash;
mod positioned;
mod prove;
mod tree;
mod tree_file;
mod walk;

pub use decode::{Decoder, Parent, Proven};
pub use encode::Encoder;
pub use error::{EncodeError, VerifyError};
pub use positioned::{ReadAt, WriteAt};
pub use prove::proven_groups;
pub use tree::{BLOB_BYTES_MAX, tree_bytes};
pub use tree_file::{TreeBuilder, tree_of};

#[cfg(test)]
mod tests;
