//! One rule for signatures, whoever checks and however many at once: ZIP 215.
//!
//! The cofactored equation gives the same verdict singly and in batches. dalek's own batch
//! equation is cofactorless and disagrees with itself on crafted signatures, so it is not used.

use alloc::vec::Vec;

use ed25519_zebra::{VerificationKey, VerificationKeyBytes, batch};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{PublicKey, Signature};

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
/// `entropy` must be unpredictable to whoever made the signatures. A batch that fails is halved
/// until the forged ones are named, at most `2·f·log2(n)` equations for `f` of them.
pub fn verify_batch(checks: &[Check<'_>], entropy: [u8; 32]) -> Vec<bool> {
    let mut rng = ChaCha20Rng::from_seed(entropy);
    let mut verdicts = Vec::with_capacity(checks.len());
    for chunk in checks.chunks(BATCH_MAX) {
        let items: Vec<batch::Item> = chunk
            .iter()
            .map(|check| {
                let key = VerificationKeyBytes::from(*check.key.as_bytes());
                batch::Item::from((key, (*check.signature.as_bytes()).into(), &check.message))
            })
            .collect();
        bisect(&items, &mut rng, &mut verdicts);
    }
    verdicts
}

fn bisect(items: &[batch::Item], rng: &mut ChaCha20Rng, verdicts: &mut Vec<bool>) {
    match items {
        [] => {}
        [one] => verdicts.push(one.clone().verify_single().is_ok()),
        many => {
            let mut verifier = batch::Verifier::new();
            many.iter().for_each(|item| verifier.queue(item.clone()));
            if verifier.verify(&mut *rng).is_ok() {
                verdicts.extend(many.iter().map(|_| true));
            } else {
                let (left, right) = many.split_at(many.len() / 2);
                bisect(left, rng, verdicts);
                bisect(right, rng, verdicts);
            }
        }
    }
}
