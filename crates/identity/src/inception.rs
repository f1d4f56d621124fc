use bincode::{Decode, Encode};

use crate::{NodeId, PublicKey, SecretKey, Signature};

/// The domain of node ids; changing it renames every node.
const NODE_ID_CONTEXT: &str = "repute 2026-11 node id from inception record v1";

/// The record that a [`NodeId`] is the hash of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Inception {
    version: u8,
    /// The first Ed25519 public key of the identity.
    pub key: PublicKey,
    /// BLAKE3 of the recovery public key, which stays offline until the identity must be rescued.
    pub recovery: [u8; 32],
}

impl Inception {
    /// The only version so far.
    pub const VERSION: u8 = 1;
    /// Bytes of the record: version, key, recovery hash.
    pub const LEN: usize = 65;

    /// The record of a first key and the recovery key that may one day replace it.
    pub fn new(key: PublicKey, recovery: &PublicKey) -> Self {
        Self {
            version: Self::VERSION,
            key,
            recovery: *blake3::hash(recovery.as_bytes()).as_bytes(),
        }
    }

    /// The record from its parts, as carried by an envelope.
    pub const fn from_parts(key: PublicKey, recovery: [u8; 32]) -> Self {
        Self {
            version: Self::VERSION,
            key,
            recovery,
        }
    }

    /// The record's version.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Whether this build knows the record's version.
    pub const fn is_known(&self) -> bool {
        self.version == Self::VERSION
    }

    /// The name this record stands for.
    pub fn node_id(&self) -> NodeId {
        Self::hash(self.version, self.key.as_bytes(), &self.recovery)
    }

    /// The name of a record with a key that is not admitted yet, so that a copy already known can
    /// be told before any curve arithmetic.
    pub fn id_of(key: &[u8; 32], recovery: &[u8; 32]) -> NodeId {
        Self::hash(Self::VERSION, key, recovery)
    }

    fn hash(version: u8, key: &[u8; 32], recovery: &[u8; 32]) -> NodeId {
        let mut hasher = blake3::Hasher::new_derive_key(NODE_ID_CONTEXT);
        hasher.update(&[version]).update(key).update(recovery);
        NodeId::from_bytes(*hasher.finalize().as_bytes())
    }
}

/// One's own identity: the secret key in use and the record that names it.
#[derive(Clone, Debug)]
pub struct Identity {
    secret: SecretKey,
    inception: Inception,
    id: NodeId,
}

impl Identity {
    /// A new identity from fresh secrets: the key in use, and the recovery public key whose secret
    /// the owner keeps offline.
    pub fn new(secret: SecretKey, recovery: &PublicKey) -> Self {
        let inception = Inception::new(secret.public(), recovery);
        Self::from_parts(secret, inception)
    }

    /// An identity whose record was made before; the caller has checked that they belong together.
    pub(crate) fn from_parts(secret: SecretKey, inception: Inception) -> Self {
        Self {
            id: inception.node_id(),
            secret,
            inception,
        }
    }

    /// A throw-away identity from a seed, for tests, simulations and examples.
    ///
    /// Whoever knows the seed has the key.
    pub fn from_seed(seed: u64) -> Self {
        let derive = |role: u8| {
            let mut hasher =
                blake3::Hasher::new_derive_key("repute 2026-11 seeded test identity v1");
            hasher.update(&[role]);
            hasher.update(&seed.to_le_bytes());
            SecretKey::from_entropy(*hasher.finalize().as_bytes())
        };
        Self::new(derive(0), &derive(1).public())
    }

    /// The name.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The record behind the name.
    pub fn inception(&self) -> &Inception {
        &self.inception
    }

    /// The key in use.
    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// Signs `message` with the key in use.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.secret.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use repute_base::codec;

    use super::*;

    #[test]
    fn the_id_changes_with_every_part_of_the_record() {
        let (a, b) = (Identity::from_seed(1), Identity::from_seed(2));
        let record = *a.inception();
        assert_eq!(record.node_id(), a.id());
        assert_eq!(
            Inception::id_of(record.key.as_bytes(), &record.recovery),
            a.id()
        );
        let other_key = Inception::from_parts(b.inception().key, record.recovery);
        let other_recovery = Inception::from_parts(record.key, b.inception().recovery);
        let other_version = Inception {
            version: 2,
            ..record
        };
        for other in [other_key, other_recovery, other_version] {
            assert_ne!(other.node_id(), a.id());
        }
        assert!(record.is_known() && !other_version.is_known());
    }

    #[test]
    fn the_record_is_version_key_and_recovery_hash_on_the_wire() {
        let record = *Identity::from_seed(1).inception();
        let bytes = codec::encode(&record);
        assert_eq!(bytes.len(), Inception::LEN);
        assert_eq!((bytes[0], &bytes[1..33]), (1, &record.key.as_bytes()[..]));
        assert_eq!(bytes[33..], record.recovery);
        assert_eq!(codec::decode(&bytes), Ok(record));
        let weak = [&[1u8; 1][..], &[0; 64]].concat();
        assert!(codec::decode::<Inception>(&weak).is_err());
    }
}
