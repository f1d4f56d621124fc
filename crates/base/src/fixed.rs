use core::{
    fmt,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
};

/// A number in fixed point, in units of 2⁻²⁰, so that two machines agree to the last bit.
///
/// Addition saturates; multiplication and division go through 128 bits and round down (towards
/// negative infinity), so that repeated decay never gains.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed(i64);

impl Fixed {
    /// Bits behind the point.
    pub const FRACTION_BITS: u32 = 20;
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1 << Self::FRACTION_BITS);
    /// One half.
    pub const HALF: Self = Self(1 << (Self::FRACTION_BITS - 1));
    /// The largest number.
    pub const MAX: Self = Self(i64::MAX);

    /// From units of 2⁻²⁰.
    pub const fn from_raw(raw: i64) -> Self {
        Self(raw)
    }

    /// In units of 2⁻²⁰.
    pub const fn raw(self) -> i64 {
        self.0
    }

    /// From a whole number; saturates.
    pub const fn from_int(value: i64) -> Self {
        Self(value.saturating_mul(1 << Self::FRACTION_BITS))
    }

    /// The quotient of two whole numbers, rounded down; zero when `denominator` is zero.
    pub const fn ratio(numerator: i64, denominator: i64) -> Self {
        Self(numerator).div(Self(denominator))
    }

    /// The product, rounded down.
    pub const fn mul(self, by: Self) -> Self {
        Self(narrow(
            (self.0 as i128 * by.0 as i128) >> Self::FRACTION_BITS,
        ))
    }

    /// The quotient, rounded down; zero when `by` is zero.
    pub const fn div(self, by: Self) -> Self {
        if by.0 == 0 {
            return Self::ZERO;
        }
        let (n, d) = ((self.0 as i128) << Self::FRACTION_BITS, by.0 as i128);
        let truncated = n / d;
        let rounded = if n % d != 0 && ((n < 0) != (d < 0)) {
            truncated - 1
        } else {
            truncated
        };
        Self(narrow(rounded))
    }

    /// The nearest number to `value`, halves away from zero, NaN as zero; saturates. For configuration and display, never inside a score.
    pub fn from_f64(value: f64) -> Self {
        let scaled = value * (1i64 << Self::FRACTION_BITS) as f64;
        // `as` cuts towards zero, saturates, and maps NaN to zero.
        let whole = scaled as i64;
        let rest = scaled - whole as f64;
        let step = i64::from(rest >= 0.5) - i64::from(rest <= -0.5);
        Self(whole.saturating_add(step))
    }

    /// For display only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / (1i64 << Self::FRACTION_BITS) as f64
    }

    /// The absolute value.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// This number, kept within `low..=high`.
    pub fn clamp(self, low: Self, high: Self) -> Self {
        self.max(low).min(high)
    }
}

const fn narrow(wide: i128) -> i64 {
    if wide > i64::MAX as i128 {
        i64::MAX
    } else if wide < i64::MIN as i128 {
        i64::MIN
    } else {
        wide as i64
    }
}

impl Add for Fixed {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Fixed {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Fixed {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Fixed {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Fixed {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(3);
        write!(f, "{:.*}", precision, self.to_f64())
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixed({:.6})", self.to_f64())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use proptest::prelude::*;

    use super::*;

    fn saturated(wide: i128) -> i64 {
        i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let min = Fixed::from_raw(i64::MIN);
        assert_eq!(Fixed::MAX + Fixed::ONE, Fixed::MAX);
        assert_eq!(min - Fixed::ONE, min);
        assert_eq!(-min, Fixed::MAX);
        assert_eq!(min.abs(), Fixed::MAX);
        assert_eq!(min.mul(min), Fixed::MAX);
        assert_eq!(min.div(Fixed::from_raw(-1)), Fixed::MAX);
        assert_eq!(Fixed::MAX.div(Fixed::from_raw(-1)), min);
        assert_eq!(Fixed::from_int(i64::MAX), Fixed::MAX);
        assert_eq!(Fixed::from_f64(f64::INFINITY), Fixed::MAX);
        assert_eq!(Fixed::from_f64(f64::NEG_INFINITY), min);
        assert_eq!(Fixed::from_f64(f64::NAN), Fixed::ZERO);
    }

    #[test]
    fn division_by_zero_is_zero() {
        assert_eq!(Fixed::ONE.div(Fixed::ZERO), Fixed::ZERO);
        assert_eq!(Fixed::ratio(7, 0), Fixed::ZERO);
    }

    #[test]
    fn rounding_goes_down_on_both_sides_of_zero() {
        let tiny = Fixed::from_raw(1);
        assert_eq!(tiny.mul(Fixed::HALF), Fixed::ZERO);
        assert_eq!((-tiny).mul(Fixed::HALF), -tiny);
        assert_eq!(Fixed::ratio(1, 3).raw(), 349_525);
        assert_eq!(Fixed::ratio(-1, 3).raw(), -349_526);
        assert_eq!(Fixed::ratio(1, -3).raw(), -349_526);
        assert_eq!(Fixed::ratio(-1, -3).raw(), 349_525);
    }

    #[test]
    fn halves_round_away_from_zero_when_read_from_a_float() {
        let unit = 1.0 / (1u64 << 20) as f64;
        assert_eq!(Fixed::from_f64(0.5 * unit).raw(), 1);
        assert_eq!(Fixed::from_f64(-0.5 * unit).raw(), -1);
        assert_eq!(Fixed::from_f64(0.499_999_999_999_999_94 * unit).raw(), 0);
        assert_eq!(Fixed::from_f64(0.75), Fixed::HALF + Fixed::ratio(1, 4));
    }

    #[test]
    fn it_shows_three_decimals_unless_asked() {
        assert_eq!(Fixed::ratio(2, 3).to_string(), "0.667");
        assert_eq!(format!("{:.1}", Fixed::from_int(-2)), "-2.0");
        assert_eq!(format!("{:?}", Fixed::HALF), "Fixed(0.500000)");
    }

    proptest! {
        #[test]
        fn products_and_quotients_are_the_floor_of_the_exact_result(a: i64, b: i64) {
            let (x, y) = (Fixed::from_raw(a), Fixed::from_raw(b));
            let exact = i128::from(a) * i128::from(b);
            prop_assert_eq!(x.mul(y).raw(), saturated(exact.div_euclid(1 << 20)));
            if b != 0 {
                let (n, d) = (i128::from(a) << 20, i128::from(b));
                // div_euclid floors for a positive divisor.
                let (n, d) = if d < 0 { (-n, -d) } else { (n, d) };
                prop_assert_eq!(x.div(y).raw(), saturated(n.div_euclid(d)));
            }
            prop_assert_eq!((x + y).raw(), saturated(i128::from(a) + i128::from(b)));
            prop_assert_eq!((x - y).raw(), saturated(i128::from(a) - i128::from(b)));
            prop_assert_eq!(x < y, a < b);
        }

        #[test]
        fn floats_survive_the_way_there_and_back(raw in -(1i64 << 53)..(1 << 53)) {
            let x = Fixed::from_raw(raw);
            prop_assert_eq!(Fixed::from_f64(x.to_f64()), x);
        }

        #[test]
        fn large_floats_are_not_nudged(value in -1.0e18f64..1.0e18) {
            let unit = (1u64 << 20) as f64;
            let value = (value / unit).trunc();
            prop_assert_eq!(Fixed::from_f64(value).raw(), (value * unit) as i64);
        }

        #[test]
        fn decay_never_gains(start in 0i64..i64::MAX, factor in 0i64..=1 << 20) {
            let start = Fixed::from_raw(start);
            let decayed = start.mul(Fixed::from_raw(factor));
            prop_assert!(decayed <= start && decayed >= Fixed::ZERO);
        }

        #[test]
        fn a_clamped_number_is_within_its_bounds(a: i64, b: i64, c: i64) {
            let (low, high) = (Fixed::from_raw(b.min(c)), Fixed::from_raw(b.max(c)));
            let kept = Fixed::from_raw(a).clamp(low, high);
            prop_assert!(low <= kept && kept <= high);
        }
    }
}
