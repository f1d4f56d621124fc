use core::fmt;

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedString, BoundedVec};
use repute_identity::{Inception, NodeId};

use crate::limits::{ADDRESSES_MAX, CAPABILITIES_MAX, HINTS_MAX, TEXT_MAX};

/// The version of this protocol. A link speaks the highest that both ends know.
pub const VERSION: u16 = 1;
/// What TLS negotiates: the project and its major wire version.
pub const ALPN: &[u8] = b"repute/1";

/// Which network a node belongs to: the first bytes of the hash of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct NetworkId([u8; 8]);

impl NetworkId {
    const CONTEXT: &'static str = "repute 2026-11 network id from name v1";

    /// The network of this name.
    pub fn from_name(name: &str) -> Self {
        let hash = blake3::derive_key(Self::CONTEXT, name.as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Self([a, b, c, d, e, f, g, h])
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkId({:016x})", u64::from_be_bytes(self.0))
    }
}

/// Something that a node can do beyond the base protocol. Unknown ones are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Capability(pub u16);

impl Capability {
    /// Transfers files encrypted end to end.
    pub const ENCRYPTED_TRANSFER: Self = Self(1);
}

/// Whether a peer has a capability. Not yet known differs from no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    /// It said so.
    Supported,
    /// It shook hands without saying so.
    NotSupported,
    /// It never shook hands with us.
    #[default]
    Unknown,
}

/// The first frame on a link, from both ends at once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Handshake {
    /// The lowest version the sender speaks.
    pub version_min: u16,
    /// The highest version the sender speaks.
    pub version_max: u16,
    /// The sender's network; another network ends the link.
    pub network: NetworkId,
    /// Who the sender is; its key must be the one that TLS authenticated.
    pub inception: Inception,
    /// What the sender can do.
    pub capabilities: BoundedVec<Capability, CAPABILITIES_MAX>,
    /// Where the sender listens; believed only as addresses.
    pub listen: BoundedVec<Address, ADDRESSES_MAX>,
    /// The sender's wall clock in ms since the Unix epoch, for diagnosis only.
    pub wall: u64,
    /// The sender's software, for people.
    pub agent: BoundedString<TEXT_MAX>,
}

impl Handshake {
    /// Whether the sender has `capability`.
    pub fn support(&self, capability: Capability) -> Support {
        if self.capabilities.contains(&capability) {
            Support::Supported
        } else {
            Support::NotSupported
        }
    }

    /// The highest version that both the sender and this build speak, if any.
    pub fn common_version(&self) -> Option<u16> {
        (self.version_min <= VERSION && VERSION <= self.version_max).then_some(VERSION)
    }
}

/// A peer and where it may listen: believed only as addresses to try.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PeerHint {
    /// Whom a dial must find there.
    pub id: NodeId,
    /// Where to try.
    pub addresses: BoundedVec<Address, ADDRESSES_MAX>,
}

/// The link is admitted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HandshakeAck {
    /// Where the sender sees the receiver.
    pub observed: Address,
    /// A first list of peers.
    pub peers: BoundedVec<PeerHint, HINTS_MAX>,
}
