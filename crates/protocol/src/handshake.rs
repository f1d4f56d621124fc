use core::fmt;

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedString, BoundedVec};
use repute_identity::{Inception, NodeId, PublicKey};

use crate::{
    DisconnectReason,
    limits::{ADDRESSES_MAX, CAPABILITIES_MAX, HINTS_MAX, TEXT_MAX},
};

/// The version of this protocol. A link speaks the highest that both ends know.
pub const VERSION: u16 = 1;
/// The oldest version of this protocol that this build still speaks.
pub const VERSION_MIN: u16 = 1;
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
    /// Comes to appeal: if the receiver bans it, it has a sentence to say before the link ends.
    pub const APPEAL: Self = Self(2);
    /// Answers requests of the DHT and keeps records for others.
    pub const DHT: Self = Self(3);
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
        let highest = self.version_max.min(VERSION);
        (highest >= self.version_min.max(VERSION_MIN)).then_some(highest)
    }

    /// Judges the handshake of a peer: version, then network, then identity, so that nothing is
    /// read by the rules of another version.
    ///
    /// Policy (bans, trust, slots) comes after; this is only whether the two can talk at all.
    ///
    /// # Errors
    /// The reason to give in [`Disconnect`](crate::Disconnect). None of them is evidence against
    /// the peer, which may simply be someone else than an old address promised.
    pub fn judge(&self, admission: &Admission<'_>) -> Result<u16, DisconnectReason> {
        let version = self
            .common_version()
            .ok_or(DisconnectReason::WrongVersion)?;
        if self.network != admission.network {
            return Err(DisconnectReason::WrongNetwork);
        }
        let id = self.inception.node_id();
        let is_links_own = self.inception.is_known() && self.inception.key == *admission.link_key;
        if !is_links_own || admission.dialled.is_some_and(|dialled| dialled != id) {
            return Err(DisconnectReason::WrongIdentity);
        }
        if id == admission.own {
            return Err(DisconnectReason::Duplicate);
        }
        Ok(version)
    }
}

/// What [`Handshake::judge`] holds a handshake against.
#[derive(Clone, Copy, Debug)]
pub struct Admission<'a> {
    /// The receiver's network.
    pub network: NetworkId,
    /// The receiver's own id: a node that dialled itself finds it at the other end.
    pub own: NodeId,
    /// The key that TLS authenticated at the other end.
    pub link_key: &'a PublicKey,
    /// Whom the receiver dialled; `None` if it was dialled.
    pub dialled: Option<NodeId>,
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

#[cfg(test)]
mod tests {
    use repute_identity::Identity;

    use super::*;

    fn handshake(of: &Identity) -> Handshake {
        Handshake {
            version_min: 1,
            version_max: 3,
            network: NetworkId::from_name("a"),
            inception: *of.inception(),
            capabilities: BoundedVec::new(),
            listen: BoundedVec::new(),
            wall: 0,
            agent: BoundedString::default(),
        }
    }

    #[test]
    fn the_highest_common_version_is_spoken_and_none_is_said_so() {
        let mut shake = handshake(&Identity::from_seed(1));
        assert_eq!(shake.common_version(), Some(1));
        shake.version_min = 2;
        assert_eq!(shake.common_version(), None);
        (shake.version_min, shake.version_max) = (0, 0);
        assert_eq!(shake.common_version(), None);
        (shake.version_min, shake.version_max) = (5, 1);
        assert_eq!(shake.common_version(), None);
    }

    #[test]
    fn only_the_key_of_the_link_and_the_id_that_was_dialled_are_admitted() {
        let (peer, me) = (Identity::from_seed(1), Identity::from_seed(2));
        let shake = handshake(&peer);
        let good = Admission {
            network: NetworkId::from_name("a"),
            own: me.id(),
            link_key: &peer.inception().key,
            dialled: Some(peer.id()),
        };
        assert_eq!(shake.judge(&good), Ok(1));
        assert_eq!(
            shake.judge(&Admission {
                dialled: None,
                ..good
            }),
            Ok(1)
        );
        let network = NetworkId::from_name("b");
        assert_eq!(
            shake.judge(&Admission { network, ..good }),
            Err(DisconnectReason::WrongNetwork)
        );
        let link_key = &me.inception().key;
        assert_eq!(
            shake.judge(&Admission { link_key, ..good }),
            Err(DisconnectReason::WrongIdentity)
        );
        assert_eq!(
            shake.judge(&Admission {
                dialled: Some(me.id()),
                ..good
            }),
            Err(DisconnectReason::WrongIdentity)
        );
        assert_eq!(
            shake.judge(&Admission {
                own: peer.id(),
                ..good
            }),
            Err(DisconnectReason::Duplicate)
        );
    }

    #[test]
    fn a_stolen_record_with_another_recovery_key_is_another_identity() {
        let (peer, thief) = (Identity::from_seed(1), Identity::from_seed(3));
        let mut shake = handshake(&peer);
        shake.inception = Inception::from_parts(peer.inception().key, thief.inception().recovery);
        let admission = Admission {
            network: NetworkId::from_name("a"),
            own: thief.id(),
            link_key: &peer.inception().key,
            dialled: Some(peer.id()),
        };
        assert_eq!(
            shake.judge(&admission),
            Err(DisconnectReason::WrongIdentity)
        );
    }
}
