//! Sealed boxes: only the named peer can open them. RFC 9180 HPKE, base mode,
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! The recipient's X25519 key is its Ed25519 key on the Montgomery curve (RFC 7748 section 4.1),
//! so a peer's inception record is all that a sender needs.

use alloc::vec::Vec;

use curve25519_dalek::edwards::CompressedEdwardsY;
use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256 as Kem,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{PublicKey, SecretKey};

/// Bytes of the encapsulated key before the ciphertext.
const ENCAPPED_LEN: usize = 32;

/// Bytes that a sealed box is longer than its content: encapsulated key and tag.
pub const SEAL_OVERHEAD: usize = ENCAPPED_LEN + 16;

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
    let point = CompressedEdwardsY(*recipient.as_bytes())
        .decompress()
        .ok_or(SealError)?;
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
/// [`SealError`] whatever is wrong with the box, an all-zero shared secret included.
pub fn open(
    secret: &SecretKey,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    open_with(&secret.scalar(), info, aad, sealed)
}

fn open_with(
    scalar: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (encapped, ciphertext) = sealed.split_at_checked(ENCAPPED_LEN).ok_or(SealError)?;
    let encapped = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapped).map_err(|_| SealError)?;
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(scalar).map_err(|_| SealError)?;
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

#[cfg(test)]
mod tests {
    use curve25519_dalek::MontgomeryPoint;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    #[test]
    fn keys_map_to_the_curve_of_x25519_as_elsewhere() {
        // The known answer of libsodium's ed25519_convert test.
        let hex = |text: &str| -> [u8; 32] {
            HEXLOWER
                .decode(text.as_bytes())
                .unwrap()
                .try_into()
                .unwrap()
        };
        let secret = SecretKey::from_entropy(hex(
            "421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee",
        ));
        let scalar = curve25519_dalek::scalar::clamp_integer(*secret.scalar());
        assert_eq!(
            scalar,
            hex("8052030376d47112be7f73ed7a019293dd12ad910b654455798b4667d73de166")
        );
        let public = CompressedEdwardsY(*secret.public().as_bytes())
            .decompress()
            .unwrap();
        assert_eq!(
            public.to_montgomery().to_bytes(),
            hex("f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50")
        );
        assert_eq!(
            MontgomeryPoint::mul_base_clamped(scalar),
            public.to_montgomery()
        );
    }

    #[test]
    fn an_encapsulated_key_of_small_order_is_refused() {
        let secret = Identity::from_seed(1).secret().clone();
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let encapped = torsion.to_montgomery().to_bytes();
            // Even a box that fits the all-zero secret stays shut.
            let sealed = [&encapped[..], &[0; 48]].concat();
            assert_eq!(open(&secret, b"i", b"a", &sealed), Err(SealError));
            let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(&*secret.scalar()).unwrap();
            let encapped = <Kem as hpke::Kem>::EncappedKey::from_bytes(&encapped).unwrap();
            assert!(<Kem as hpke::Kem>::decap(&key, None, &encapped).is_err());
        }
        // The public list of u coordinates of small order, twist included: 0, 1, p - 1, p, p + 1.
        for (first, rest, last) in [
            (0, 0, 0),
            (1, 0, 0),
            (0xec, 0xff, 0x7f),
            (0xed, 0xff, 0x7f),
            (0xee, 0xff, 0x7f),
        ] {
            let mut u = [rest; 32];
            (u[0], u[31]) = (first, last);
            let encapped = <Kem as hpke::Kem>::EncappedKey::from_bytes(&u).unwrap();
            let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(&*secret.scalar()).unwrap();
            assert!(
                <Kem as hpke::Kem>::decap(&key, None, &encapped).is_err(),
                "{u:?}"
            );
        }
    }

    #[test]
    fn a_recipient_of_small_order_is_refused() {
        for weak in crate::verify::small_order_encodings() {
            let weak = PublicKey::unchecked(weak);
            assert_eq!(seal(&weak, b"i", b"a", b"text", [3; 32]), Err(SealError));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn only_the_named_peer_opens_and_only_what_was_sealed(
            text in prop::collection::vec(any::<u8>(), 0..200),
            info in prop::collection::vec(any::<u8>(), 0..20),
            aad in prop::collection::vec(any::<u8>(), 0..20),
            entropy: [u8; 32],
            at: prop::sample::Index,
            bit in 0u8..8,
        ) {
            let (to, other) = (Identity::from_seed(1), Identity::from_seed(2));
            let sealed = seal(&to.inception().key, &info, &aad, &text, entropy).unwrap();
            prop_assert_eq!(sealed.len(), text.len() + SEAL_OVERHEAD);
            prop_assert_eq!(open(to.secret(), &info, &aad, &sealed), Ok(text));
            prop_assert_eq!(open(other.secret(), &info, &aad, &sealed), Err(SealError));
            let longer = [&aad[..], b"x"].concat();
            prop_assert_eq!(open(to.secret(), &info, &longer, &sealed), Err(SealError));
            prop_assert_eq!(open(to.secret(), &longer, &aad, &sealed).is_err(), longer != info);
            let mut altered = sealed.clone();
            let at = at.index(altered.len());
            altered[at] ^= 1 << bit;
            prop_assert_eq!(open(to.secret(), &info, &aad, &altered), Err(SealError));
            prop_assert!(open(to.secret(), &info, &aad, &sealed[..at]).is_err());
        }

        #[test]
        fn any_bytes_are_answered_without_panic(
            sealed in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            prop_assert_eq!(open(Identity::from_seed(1).secret(), b"", b"", &sealed), Err(SealError));
        }
    }
}
