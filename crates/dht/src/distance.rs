/// How far apart two places are: their XOR, read as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Distance(u128, u128);

impl Distance {
    pub(crate) fn between(a: &[u8; 32], b: &[u8; 32]) -> Self {
        let ((a, c), (b, d)) = (halves(a), halves(b));
        Self(a ^ b, c ^ d)
    }

    /// How many bits, from the first, the two places share.
    pub(crate) const fn bits_shared(self) -> u32 {
        if self.0 == 0 {
            128 + self.1.leading_zeros()
        } else {
            self.0.leading_zeros()
        }
    }
}

fn halves(place: &[u8; 32]) -> (u128, u128) {
    let first = place.first_chunk::<16>().copied().unwrap_or_default();
    let last = place.last_chunk::<16>().copied().unwrap_or_default();
    (u128::from_be_bytes(first), u128::from_be_bytes(last))
}

/// A place that shares exactly `bits` bits with `near`, and for the rest is `random`.
pub(crate) fn place_sharing(near: &[u8; 32], bits: u32, random: &[u8; 32]) -> [u8; 32] {
    let mut place = *random;
    for (index, (byte, own)) in place.iter_mut().zip(near).enumerate() {
        let from = 8 * u32::try_from(index).unwrap_or(u32::MAX);
        let shared = bits.saturating_sub(from).min(8);
        let keep = !(0xff_u32 >> shared) as u8;
        *byte = (own & keep) | (*byte & !keep);
        if (from..from + 8).contains(&bits) {
            let differs = 0x80 >> (bits - from);
            *byte = (*byte & !differs) | (!own & differs);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_to_oneself(a: [u8; 32], b: [u8; 32]) {
            prop_assert_eq!(Distance::between(&a, &b), Distance::between(&b, &a));
            prop_assert_eq!(Distance::between(&a, &b).bits_shared() == 256, a == b);
            prop_assert_eq!(Distance::between(&a, &a).bits_shared(), 256);
        }

        #[test]
        fn a_place_shares_as_many_bits_as_asked_for(near: [u8; 32], random: [u8; 32], bits in 0..256_u32) {
            let place = place_sharing(&near, bits, &random);
            prop_assert_eq!(Distance::between(&near, &place).bits_shared(), bits);
        }

        #[test]
        fn distances_order_like_the_bytes_of_the_xor(a: [u8; 32], b: [u8; 32], t: [u8; 32]) {
            let xor = |x: &[u8; 32]| -> [u8; 32] { core::array::from_fn(|i| x[i] ^ t[i]) };
            let (x, y) = (Distance::between(&a, &t), Distance::between(&b, &t));
            prop_assert_eq!(x.cmp(&y), xor(&a).cmp(&xor(&b)));
        }
    }
}
