use core::{fmt, str::FromStr};

use bincode::{
    Decode, Encode,
    de::{BorrowDecode, BorrowDecoder, Decoder},
    error::DecodeError,
};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::text::{ParseError, base32, parse32};

/// Why bytes are not a key that this project admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the encoding of a curve point.
    #[error("not an Ed25519 public key")]
    NotAPoint,
    /// A point of small order, under which a signature can fit any message.
    #[error("weak Ed25519 public key")]
    Weak,
}

/// An Ed25519 public key that is a curve point and not weak: both are checked when it is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Admits a key.
    ///
    /// # Errors
    /// [`KeyError`] if it is no point, or weak.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            Err(KeyError::Weak)
        } else {
            Ok(Self(bytes))
        }
    }

    /// The 32 bytes of RFC 8032.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key that was admitted before.
    pub(crate) const fn admitted(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key that was not admitted, to test the verification rule itself.
    #[cfg(test)]
    pub(crate) const fn unchecked(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = ParseError;
    /// From base32 or hex.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::from_bytes(parse32(text)?).map_err(ParseError::Key)
    }
}

impl<C> Decode<C> for PublicKey {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let bytes = <[u8; 32]>::decode(decoder)?;
        Self::from_bytes(bytes).map_err(|_| DecodeError::Other("not an admissible public key"))
    }
}

impl<'de, C> BorrowDecode<'de, C> for PublicKey {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, DecodeError> {
        Self::decode(d)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// An Ed25519 signature as it travels; it says nothing until it is verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Signature([u8; 64]);

impl Signature {
    /// A signature from its bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes of RFC 8032.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// An Ed25519 secret key; wiped from memory when dropped, never shown.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A key from 32 bytes of the operating system's randomness.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&Zeroizing::new(entropy)))
    }

    /// The matching public key. A key from fair randomness is never weak.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The 32 secret bytes, for the keystore and the transport's TLS key only.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl SecretKey {
    /// The X25519 scalar of this key, for opening sealed boxes.
    pub(crate) fn scalar(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }
}

/// The signing key inside wipes itself.
impl ZeroizeOnDrop for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The offline key that may one day rescue an identity; wiped from memory when dropped.
///
/// It never signs anything in daily life. Its owner keeps it away from the node, on paper or on
/// another machine: whoever has it can take the identity over.
#[derive(Clone)]
pub struct RecoverySecret(SecretKey);

impl RecoverySecret {
    /// A key from 32 bytes of the operating system's randomness.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(SecretKey::from_entropy(entropy))
    }

    /// The matching public key, whose hash the inception record holds.
    pub fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// The 32 secret bytes, for the recovery file only.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl ZeroizeOnDrop for RecoverySecret {}

impl fmt::Debug for RecoverySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoverySecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec::Vec};

    use data_encoding::HEXLOWER;

    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // RFC 8032 section 7.1, tests 1 to 3: secret, public, message, signature.
        for (secret, public, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac\
                 c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e\
                 458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290\
                 ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let secret = SecretKey::from_entropy(hex(secret));
            let message: Vec<u8> = HEXLOWER.decode(message.as_bytes()).unwrap();
            assert_eq!(*secret.public().as_bytes(), hex(public));
            let signed = secret.sign(&message);
            assert_eq!(*signed.as_bytes(), hex(signature));
            let key = secret.public();
            assert!(crate::verify(&crate::Check {
                key,
                message: &message,
                signature: signed
            }));
        }
    }

    #[test]
    fn weak_keys_and_keys_off_the_curve_are_not_admitted() {
        for weak in crate::verify::small_order_encodings() {
            assert_eq!(PublicKey::from_bytes(weak), Err(KeyError::Weak), "{weak:?}");
        }
        let mut off = [0; 32];
        off[0] = 2;
        assert_eq!(PublicKey::from_bytes(off), Err(KeyError::NotAPoint));
    }

    #[test]
    fn secrets_are_wiped_and_never_shown() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let (secret, recovery) = (
            SecretKey::from_entropy([7; 32]),
            RecoverySecret::from_entropy([8; 32]),
        );
        wiped(&secret);
        wiped(&secret.0);
        wiped(&recovery);
        assert_eq!(
            format!("{secret:?} {recovery:?}"),
            "SecretKey(..) RecoverySecret(..)"
        );
        let identity = format!("{:?}", crate::Identity::from_seed(1));
        assert!(identity.contains("SecretKey(..)"), "{identity}");
    }

    #[test]
    fn public_keys_survive_text() {
        let key = SecretKey::from_entropy([7; 32]).public();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(HEXLOWER.encode(key.as_bytes()).parse(), Ok(key));
        let weak = HEXLOWER.encode(&[0; 32]);
        assert_eq!(
            weak.parse::<PublicKey>(),
            Err(ParseError::Key(KeyError::Weak))
        );
    }
}
