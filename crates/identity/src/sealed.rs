//! Sealed boxes: only the named peer can open them. RFC 9180 HPKE, base mode,
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! The recipient's X25519 key is its Ed25519 key on the Montgomery curve (RFC 7748 section 4.1),
//! so a peer's inception record is all that a sender needs.

use alloc::vec::Vec;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::SigningKey;
use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256 as Kem,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{PublicKey, SecretKey};

/// Bytes of the encapsulated key before the ciphertext.
const ENCAPPED_LEN: usize = 32;

/// Why a box could not be made or opened. It says no more, by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed box refused")]
pub struct SealError;

/// Seals `plaintext` so that only the holder of `recipient`'s secret key reads it.
///
/// `info` names the purpose and `aad` binds public context; both must be given again to open.
/// `entropy` is fresh from the operating system for every box, and never reused.
///
/// # Errors
/// [`SealError`] when the recipient's key has no usable X25519 form.
pub fn seal(
    recipient: &PublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    entropy: [u8; 32],
) -> Result<Vec<u8>, SealError> {
    let point = CompressedEdwardsY(*recipient.as_bytes()).decompress().ok_or(SealError)?;
    let key = <Kem as hpke::Kem>::PublicKey::from_bytes(point.to_montgomery().as_bytes())
        .map_err(|_| SealError)?;
    let mut rng = ChaCha20Rng::from_seed(entropy);
    let (encapped, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, Kem>(
        &OpModeS::Base,
        &key,
        info,
        plaintext,
        aad,
        &mut rng,
    )
    .map_err(|_| SealError)?;
    let mut sealed = encapped.to_bytes().to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// Opens a box that was sealed to `secret`'s public key under the same `info` and `aad`.
///
/// # Errors
/// [`SealError`] whatever is wrong with the box.
pub fn open(
    secret: &SecretKey,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (encapped, ciphertext) = sealed.split_at_checked(ENCAPPED_LEN).ok_or(SealError)?;
    let encapped =
        <Kem as hpke::Kem>::EncappedKey::from_bytes(encapped).map_err(|_| SealError)?;
    let scalar = SigningKey::from_bytes(secret.expose()).to_scalar_bytes();
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(&scalar).map_err(|_| SealError)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(
        &OpModeR::Base,
        &key,
        &encapped,
        info,
        ciphertext,
        aad,
    )
    .map_err(|_| SealError)
}
