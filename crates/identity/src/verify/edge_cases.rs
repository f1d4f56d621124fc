//! The public edge cases of Ed25519, at the level of the rule: singly, in batches, and against a
//! plain statement of ZIP 215.

use alloc::{vec, vec::Vec};

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
    traits::IsIdentity,
};
use data_encoding::HEXLOWER;
use repute_base::Rng;
use sha2::{Digest, Sha512};

use super::*;
use crate::{Identity, SecretKey};

/// All fourteen encodings of the eight points of small order, six of them not canonical.
pub(crate) fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut all: Vec<[u8; 32]> = EIGHT_TORSION
        .iter()
        .map(|p| p.compress().to_bytes())
        .collect();
    // y = 1 and y = -1 with the sign of x set though x is zero, and y = p and y = p + 1.
    for (first, rest, lasts) in [
        (0x01, 0x00, &[0x80][..]),
        (0xec, 0xff, &[0xff]),
        (0xed, 0xff, &[0x7f, 0xff]),
        (0xee, 0xff, &[0x7f, 0xff]),
    ] {
        for last in lasts {
            let mut bytes = [rest; 32];
            (bytes[0], bytes[31]) = (first, *last);
            all.push(bytes);
        }
    }
    all
}

/// ZIP 215 as it is written: S canonical, A and R any encoding of a point, the hash over the bytes
/// as they came, and [8][S]B = [8]R + [8][k]A.
fn as_written(case: &Case) -> bool {
    let (r, s) = case.signature.split_first_chunk::<32>().unwrap();
    let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().unwrap()))
    else {
        return false;
    };
    let point = |bytes: [u8; 32]| CompressedEdwardsY(bytes).decompress();
    let (Some(a), Some(point_r)) = (point(case.key), point(*r)) else {
        return false;
    };
    let k = hash(r, &case.key, &case.message);
    (ED25519_BASEPOINT_POINT * s - point_r - a * k)
        .mul_by_cofactor()
        .is_identity()
}

fn hash(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(message)
        .finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
}

#[derive(Clone, Debug)]
struct Case {
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Case {
    fn check(&self) -> Check<'_> {
        Check {
            key: PublicKey::unchecked(self.key),
            message: &self.message,
            signature: Signature::from_bytes(self.signature),
        }
    }

    fn from_hex(message: &str, key: &str, signature: &str) -> Self {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        Self {
            key: hex(key).try_into().unwrap(),
            message: hex(message),
            signature: hex(signature).try_into().unwrap(),
        }
    }

    fn from_parts(key: [u8; 32], message: &[u8], r: [u8; 32], s: Scalar) -> Self {
        let signature = [r, s.to_bytes()].concat().try_into().unwrap();
        Self {
            key,
            message: message.to_vec(),
            signature,
        }
    }
}

fn honest(seed: u64) -> Case {
    let identity = Identity::from_seed(seed);
    let message = seed.to_le_bytes().to_vec();
    let signature = *identity.sign(&message).as_bytes();
    Case {
        key: *identity.inception().key.as_bytes(),
        message,
        signature,
    }
}

/// Small-order key and R in every encoding, S = 0: all valid by ZIP 215, whatever the message.
fn small_order_cases() -> Vec<Case> {
    let points = small_order_encodings();
    let pairs = points
        .iter()
        .flat_map(|a| points.iter().map(move |r| (*a, *r)));
    pairs
        .map(|(a, r)| Case::from_parts(a, b"Zcash", r, Scalar::ZERO))
        .collect()
}

/// A valid signature by a key with a small-order part, R with another: what a cofactorless
/// equation accepts or refuses by chance of the batch.
fn mixed_order_cases() -> Vec<Case> {
    let secret = SecretKey::from_entropy([9; 32]);
    let a = Scalar::from_bytes_mod_order(*secret.scalar());
    let r = Scalar::from(77u64);
    let mut cases = Vec::new();
    for (i, of_a) in EIGHT_TORSION.iter().enumerate() {
        for of_r in &EIGHT_TORSION[i..] {
            let bytes = |point: EdwardsPoint| point.compress().to_bytes();
            let key = bytes(ED25519_BASEPOINT_POINT * a + of_a);
            let point_r = bytes(ED25519_BASEPOINT_POINT * r + of_r);
            let s = r + hash(&point_r, &key, b"mixed") * a;
            cases.push(Case::from_parts(key, b"mixed", point_r, s));
        }
    }
    cases
}

/// Signatures that nobody made: content, S, R or key altered.
fn forged_cases(rng: &mut Rng) -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..8 {
        let good = honest(seed);
        let mut other_message = good.clone();
        other_message.message.push(0);
        let mut other_bit = good.clone();
        other_bit.signature[rng.below(64) as usize] ^= 1 << rng.below(8);
        let mut other_key = good.clone();
        other_key.key = honest(seed + 1).key;
        // S + L: the same number, not canonical.
        let mut long_s = good.clone();
        let mut carry = 1u16;
        let order_minus_one = (-Scalar::ONE).to_bytes();
        for (byte, add) in long_s.signature[32..].iter_mut().zip(order_minus_one) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry as u8;
            carry >>= 8;
        }
        let mut off_curve = good.clone();
        off_curve.signature[..32].fill(0);
        off_curve.signature[0] = 2;
        cases.extend([other_message, other_bit, other_key, long_s, off_curve]);
    }
    cases
}

/// The twelve vectors of "Taming the Many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020).
fn taming_cases() -> Vec<(Case, bool)> {
    let small = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa";
    let mixed = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d";
    let plain = "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623";
    let small_r = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43";
    let no_form = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    [
        ("8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6", small, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000", true),
        ("9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79", small, "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04", true),
        ("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab", small_r, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e", true),
        ("9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79", mixed, "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009", true),
        ("e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c", mixed, "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09", true),
        ("e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c", mixed, "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405", true),
        ("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40", plain, "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514", false),
        ("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40", plain, "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22", false),
        ("fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a", small_r, "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607", false),
        ("84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1", small_r, "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09", true),
        ("e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b", no_form, "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04", true),
        ("39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f", no_form, "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04", true),
    ]
    .map(|(message, key, signature, valid)| (Case::from_hex(message, key, signature), valid))
    .into()
}

#[test]
fn the_taming_vectors_have_the_verdicts_of_zip_215() {
    for (number, (case, valid)) in taming_cases().iter().enumerate() {
        assert_eq!(as_written(case), *valid, "as written, vector {number}");
        assert_eq!(verify(&case.check()), *valid, "vector {number}");
        let pair = [honest(1), case.clone()];
        let checks: Vec<Check<'_>> = pair.iter().map(Case::check).collect();
        assert_eq!(
            verify_batch(&checks, [5; 32]),
            [true, *valid],
            "vector {number}"
        );
    }
}

#[test]
fn all_196_small_order_combinations_are_valid_singly_and_together() {
    let points = small_order_encodings();
    let mut distinct = points.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 14);
    let cases = small_order_cases();
    assert_eq!(cases.len(), 196);
    assert!(
        cases
            .iter()
            .all(|case| verify(&case.check()) && as_written(case))
    );
    let checks: Vec<Check<'_>> = cases.iter().map(Case::check).collect();
    assert_eq!(verify_batch(&checks, [6; 32]), vec![true; 196]);
}

#[test]
fn mixed_order_signatures_are_valid_and_forged_ones_are_not() {
    let mixed = mixed_order_cases();
    assert!(
        mixed
            .iter()
            .all(|case| verify(&case.check()) && as_written(case))
    );
    for (number, case) in forged_cases(&mut Rng::from_u64(1)).iter().enumerate() {
        assert!(
            !as_written(case) && !verify(&case.check()),
            "forged {number}"
        );
    }
}

#[test]
fn a_batch_of_any_size_and_composition_judges_as_single_checks_do() {
    let mut rng = Rng::from_u64(215);
    let mut pool: Vec<Case> = taming_cases().into_iter().map(|(case, _)| case).collect();
    pool.extend(mixed_order_cases());
    pool.extend(rng.sample(&small_order_cases(), 40));
    pool.extend(forged_cases(&mut rng));
    let good: Vec<Case> = (0..16).map(honest).collect();
    pool.extend(good.iter().cloned());
    let known: Vec<bool> = pool.iter().map(as_written).collect();
    for (case, valid) in pool.iter().zip(&known) {
        assert_eq!(verify(&case.check()), *valid);
    }
    for size in 1..=BATCH_MAX {
        for round in 0..3 {
            // Rounds differ in how much of the batch comes from the whole pool.
            let chosen: Vec<usize> = (0..size)
                .map(|_| {
                    let odd = rng.chance([1, 8, 64][round], 64);
                    let from = if odd { 0 } else { pool.len() - good.len() };
                    rng.range(from as u64..pool.len() as u64) as usize
                })
                .collect();
            let checks: Vec<Check<'_>> = chosen.iter().map(|at| pool[*at].check()).collect();
            let expected: Vec<bool> = chosen.iter().map(|at| known[*at]).collect();
            let mut entropy = [0; 32];
            rng.fill(&mut entropy);
            let verdicts = verify_batch(&checks, entropy);
            assert_eq!(verdicts, expected, "size {size}, round {round}, {chosen:?}");
        }
    }
}

#[test]
fn one_forged_signature_is_named_in_every_position() {
    let good: Vec<Case> = (0..BATCH_MAX as u64 + 3).map(honest).collect();
    let forged = forged_cases(&mut Rng::from_u64(2)).remove(0);
    for at in 0..good.len() {
        let mut cases = good.clone();
        cases[at] = forged.clone();
        let checks: Vec<Check<'_>> = cases.iter().map(Case::check).collect();
        let verdicts = verify_batch(&checks, [at as u8; 32]);
        assert!(
            verdicts.iter().enumerate().all(|(i, ok)| *ok == (i != at)),
            "position {at}"
        );
    }
    assert!(verify_batch(&[], [0; 32]).is_empty());
}
