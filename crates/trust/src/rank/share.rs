use core::fmt;

use repute_base::Fixed;

/// A part of the whole, in units of 2⁻⁵²: what one peer has of all rank.
///
/// Finer than [`Fixed`], because a hundred thousand peers share the whole. Integers, so that two
/// machines agree to the last bit and the order of adding changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u64);

impl Share {
    /// Bits behind the point.
    pub const FRACTION_BITS: u32 = 52;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1 << Self::FRACTION_BITS);

    /// From units of 2⁻⁵²; more than the whole is the whole.
    pub const fn from_raw(raw: u64) -> Self {
        if raw > Self::ONE.0 {
            Self::ONE
        } else {
            Self(raw)
        }
    }

    /// In units of 2⁻⁵².
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// `part` of `whole`, rounded down; nothing of nothing, and never more than the whole.
    pub const fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ZERO;
        }
        if part >= whole {
            return Self::ONE;
        }
        // Below 2⁵², because the part is below the whole.
        Self((((part as u128) << Self::FRACTION_BITS) / whole as u128) as u64)
    }

    /// The product, rounded down.
    pub const fn mul(self, by: Self) -> Self {
        Self(((self.0 as u128 * by.0 as u128) >> Self::FRACTION_BITS) as u64)
    }

    /// What is missing to the whole.
    pub const fn rest(self) -> Self {
        Self(Self::ONE.0.saturating_sub(self.0))
    }

    /// In the coarser units of scores, rounded down.
    pub fn to_fixed(self) -> Fixed {
        let raw = self.0 >> (Self::FRACTION_BITS - Fixed::FRACTION_BITS);
        Fixed::from_raw(i64::try_from(raw).unwrap_or(i64::MAX))
    }

    /// For display only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE.0 as f64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(9);
        write!(f, "{:.*}", precision, self.to_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_exceed_the_whole_and_round_down() {
        assert_eq!(Share::of(1, 0), Share::ZERO);
        assert_eq!(Share::of(5, 3), Share::ONE);
        assert_eq!(
            Share::of(u64::MAX - 1, u64::MAX).raw(),
            Share::ONE.raw() - 1
        );
        assert_eq!(Share::of(1, 3).raw(), (1 << 52) / 3);
        assert_eq!(Share::from_raw(u64::MAX), Share::ONE);
        assert_eq!(Share::ONE.mul(Share::of(1, 7)), Share::of(1, 7));
        assert_eq!(Share::of(1, 4).rest(), Share::of(3, 4));
        assert_eq!(Share::of(1, 2).to_fixed(), Fixed::HALF);
    }
}
