//! One rule for signatures, whoever checks and however many at once: ZIP 215.
//!
//! The cofactored equation gives the same verdict singly and in batches. dalek's own batch
//! equation is cofactorless and disagrees with itself on crafted signatures, so it is not used.

use alloc::vec::Vec;

use ed25519_zebra::VerificationKey;

use crate::{PublicKey, Signature};

mod verifier;
pub use verifier::{KEYS_MAX, Verifier};

#[cfg(test)]
mod edge_cases;
#[cfg(test)]
pub(crate) use edge_cases::small_order_encodings;

/// Signatures checked in one equation at most; larger slices are split.
pub const BATCH_MAX: usize = 64;

/// A signature to check.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// Who is said to have signed.
    pub key: PublicKey,
    /// What is said to have been signed.
    pub message: &'a [u8],
    /// The claim.
    pub signature: Signature,
}

/// Whether `signature` is `key`'s over `message`, by ZIP 215.
pub fn verify(check: &Check<'_>) -> bool {
    VerificationKey::try_from(*check.key.as_bytes()).is_ok_and(|key| {
        key.verify(&(*check.signature.as_bytes()).into(), check.message)
            .is_ok()
    })
}

/// The verdict of [`verify`] for each check, cheaper together than one by one.
///
/// `entropy` must be unpredictable to whoever made the signatures. Who checks often keeps a
/// [`Verifier`], which remembers the keys.
pub fn verify_batch(checks: &[Check<'_>], entropy: [u8; 32]) -> Vec<bool> {
    Verifier::new(entropy).verify(checks)
}
