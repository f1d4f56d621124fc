use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::fmt;

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha512};

use super::{BATCH_MAX, Check};
use crate::{PublicKey, Signature};

/// Keys whose points are remembered: a quarter of a mebibyte, and more authors than most nodes
/// hear in a minute. The oldest goes first; a key that went is decoded again.
pub const KEYS_MAX: usize = 1_024;

/// Checks signatures by ZIP 215, and remembers the keys that it has decoded: finding the point of
/// a key is an eighth of checking a signature, and authors come again.
pub struct Verifier {
    rng: ChaCha20Rng,
    keys: Keys,
}

impl Verifier {
    /// A verifier. `entropy` must be unpredictable to whoever makes the signatures, and new for
    /// each verifier.
    pub fn new(entropy: [u8; 32]) -> Self {
        Self {
            rng: ChaCha20Rng::from_seed(entropy),
            keys: Keys::default(),
        }
    }

    /// The verdict of [`PublicKey::from_bytes`] on a key that often comes again.
    pub fn admit(&mut self, bytes: [u8; 32]) -> Option<PublicKey> {
        let known = self.keys.find(bytes)?;
        if known.admissible {
            Some(PublicKey::admitted(bytes))
        } else {
            None
        }
    }

    /// The verdict of [`verify`](crate::verify) on each check, in order, cheaper together than one
    /// by one. A batch that fails is halved until the forged ones are named, at most
    /// `2·f·log2(n)` equations for `f` of them.
    ///
    /// Checks that are the same in key, message and signature cost one.
    pub fn verify(&mut self, checks: &[Check<'_>]) -> Vec<bool> {
        let mut distinct: Vec<&Check<'_>> = Vec::with_capacity(checks.len());
        let mut places = BTreeMap::new();
        let place_of = checks.iter().map(|check| {
            let (key, signature) = (check.key.as_bytes(), check.signature.as_bytes());
            *places
                .entry((signature, key, check.message))
                .or_insert_with(|| {
                    distinct.push(check);
                    distinct.len() - 1
                })
        });
        let place_of: Vec<usize> = place_of.collect();
        let verdicts = self.verify_distinct(&distinct);
        let verdict = |place: usize| verdicts.get(place) == Some(&true);
        place_of.into_iter().map(verdict).collect()
    }

    fn verify_distinct(&mut self, checks: &[&Check<'_>]) -> Vec<bool> {
        let mut verdicts = Vec::with_capacity(checks.len());
        for chunk in checks.chunks(BATCH_MAX) {
            // What is no signature by its form alone has its verdict now.
            let items: Vec<Option<Item>> = chunk.iter().map(|check| self.item(check)).collect();
            let formed: Vec<&Item> = items.iter().flatten().collect();
            let mut judged = Vec::with_capacity(formed.len());
            self.bisect(&formed, &mut judged);
            let mut judged = judged.into_iter();
            let verdict = |item: &Option<Item>| item.is_some() && judged.next() == Some(true);
            verdicts.extend(items.iter().map(verdict));
        }
        verdicts
    }

    fn item(&mut self, check: &Check<'_>) -> Option<Item> {
        let key = *check.key.as_bytes();
        let (r, s) = halves(&check.signature)?;
        Some(Item {
            key,
            a: self.keys.find(key)?.point,
            r: CompressedEdwardsY(r).decompress()?,
            s: Option::<Scalar>::from(Scalar::from_canonical_bytes(s))?,
            k: challenge(&r, &key, check.message),
        })
    }

    fn bisect(&mut self, items: &[&Item], verdicts: &mut Vec<bool>) {
        match items {
            [] => {}
            [one] => verdicts.push(one.holds()),
            many if self.hold_together(many) => verdicts.extend(many.iter().map(|_| true)),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                self.bisect(left, verdicts);
                self.bisect(right, verdicts);
            }
        }
    }

    /// 8·(Σ z·R + Σ (Σ z·k)·A − (Σ z·s)·B) = 0 for random z of 128 bits, the coefficients of one
    /// key added up first.
    fn hold_together(&mut self, items: &[&Item]) -> bool {
        let mut of_base = Scalar::ZERO;
        let mut of_keys: BTreeMap<[u8; 32], (Scalar, EdwardsPoint)> = BTreeMap::new();
        let mut scalars = Vec::with_capacity(2 * items.len() + 1);
        let mut points = Vec::with_capacity(2 * items.len() + 1);
        for item in items {
            let mut z = [0; 16];
            self.rng.fill_bytes(&mut z);
            let z = Scalar::from(u128::from_le_bytes(z));
            of_base -= z * item.s;
            let of_key = of_keys.entry(item.key).or_insert((Scalar::ZERO, item.a));
            of_key.0 += z * item.k;
            scalars.push(z);
            points.push(item.r);
        }
        for (scalar, point) in of_keys.into_values() {
            scalars.push(scalar);
            points.push(point);
        }
        scalars.push(of_base);
        points.push(ED25519_BASEPOINT_POINT);
        EdwardsPoint::vartime_multiscalar_mul(&scalars, &points)
            .mul_by_cofactor()
            .is_identity()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys.points.len())
            .finish_non_exhaustive()
    }
}

/// One signature in the form of the equation.
struct Item {
    key: [u8; 32],
    a: EdwardsPoint,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl Item {
    /// 8·(s·B − k·A − R) = 0.
    fn holds(&self) -> bool {
        let expected =
            EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &-self.a, &self.s);
        (expected - self.r).mul_by_cofactor().is_identity()
    }
}

fn halves(signature: &Signature) -> Option<([u8; 32], [u8; 32])> {
    let (r, s) = signature.as_bytes().split_first_chunk::<32>()?;
    Some((*r, s.try_into().ok()?))
}

/// The hash over the bytes as they came.
fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(message)
        .finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
}

#[derive(Clone, Copy)]
struct Known {
    point: EdwardsPoint,
    /// Not weak.
    admissible: bool,
}

/// The points of keys seen lately; at most [`KEYS_MAX`].
#[derive(Default)]
struct Keys {
    points: BTreeMap<[u8; 32], Known>,
    order: VecDeque<[u8; 32]>,
}

impl Keys {
    fn find(&mut self, bytes: [u8; 32]) -> Option<Known> {
        if let Some(known) = self.points.get(&bytes) {
            return Some(*known);
        }
        let point = CompressedEdwardsY(bytes).decompress()?;
        let known = Known {
            point,
            admissible: !point.is_small_order(),
        };
        if self.order.len() >= KEYS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.points.remove(&oldest);
        }
        self.order.push_back(bytes);
        self.points.insert(bytes, known);
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, verify::small_order_encodings};

    #[test]
    fn a_verifier_admits_exactly_the_keys_that_a_public_key_admits() {
        let mut verifier = Verifier::new([1; 32]);
        let mut bytes: Vec<[u8; 32]> = small_order_encodings();
        bytes.extend((0..50).map(|seed| *Identity::from_seed(seed).inception().key.as_bytes()));
        // About half of all strings are no point.
        bytes.extend((0..50u8).map(|byte| [byte; 32]));
        for bytes in bytes.iter().chain(&bytes) {
            assert_eq!(
                verifier.admit(*bytes),
                PublicKey::from_bytes(*bytes).ok(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_stream_of_new_keys_leaves_a_bounded_memory_and_right_verdicts() {
        let mut verifier = Verifier::new([2; 32]);
        let message = b"same words";
        for seed in 0..KEYS_MAX as u64 + 300 {
            let identity = Identity::from_seed(seed % (KEYS_MAX as u64 + 100));
            let good = Check {
                key: identity.inception().key,
                message,
                signature: identity.sign(message),
            };
            let bad = Check {
                message: b"other words",
                ..good
            };
            assert_eq!(verifier.verify(&[good, bad]), [true, false], "seed {seed}");
            assert!(verifier.keys.points.len() <= KEYS_MAX);
            assert_eq!(verifier.keys.points.len(), verifier.keys.order.len());
        }
    }
}
