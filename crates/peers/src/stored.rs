use alloc::vec::Vec;

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedVec, Wall, codec};
use repute_identity::{Inception, NodeId};
use repute_protocol::{
    Capability, DecodeError, Seq,
    limits::{ADDRESSES_MAX, CAPABILITIES_MAX},
};

/// A peer as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Who.
    pub id: NodeId,
    /// The record behind the id, once a handshake or a signed record showed it.
    pub inception: Option<Inception>,
    /// Where to dial, best first.
    pub addresses: BoundedVec<Address, ADDRESSES_MAX>,
    /// When there was last a sign of life.
    pub last_seen: Wall,
    /// When a link to it last stood.
    pub last_connected: Option<Wall>,
    /// Failed attempts since then.
    pub failures: u16,
    /// What it can do; `None` until it shook hands.
    pub capabilities: Option<BoundedVec<Capability, CAPABILITIES_MAX>>,
    /// The number of its newest address record, so that an older one never comes back.
    pub record_seq: Option<Seq>,
    /// Whether the operator named it.
    pub joined: bool,
}

#[derive(Encode, Decode)]
struct Row {
    version: u8,
    id: NodeId,
    inception: Option<Inception>,
    addresses: BoundedVec<Address, ADDRESSES_MAX>,
    last_seen: u64,
    last_connected: Option<u64>,
    failures: u16,
    capabilities: Option<BoundedVec<Capability, CAPABILITIES_MAX>>,
    record_seq: Option<Seq>,
    joined: bool,
}

impl Stored {
    /// The version of the encoding, its first byte.
    pub const VERSION: u8 = 1;

    /// The bytes for the store.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&Row {
            version: Self::VERSION,
            id: self.id,
            inception: self.inception,
            addresses: self.addresses.clone(),
            last_seen: self.last_seen.as_millis(),
            last_connected: self.last_connected.map(Wall::as_millis),
            failures: self.failures,
            capabilities: self.capabilities.clone(),
            record_seq: self.record_seq,
            joined: self.joined,
        })
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let row: Row = codec::decode(bytes)?;
        if row.version != Self::VERSION {
            return Err(DecodeError::Invalid("unknown version of a stored peer"));
        }
        Ok(Self {
            id: row.id,
            inception: row.inception,
            addresses: row.addresses,
            last_seen: Wall::from_millis(row.last_seen),
            last_connected: row.last_connected.map(Wall::from_millis),
            failures: row.failures,
            capabilities: row.capabilities,
            record_seq: row.record_seq,
            joined: row.joined,
        })
    }
}
