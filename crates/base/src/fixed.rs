use core::{
    fmt,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
};

/// A number in fixed point, in units of 2⁻²⁰, so that two machines agree to the last bit.
///
/// Addition saturates; multiplication and division go through 128 bits and round down (towards
/// negative infinity), as trust.md 4.2 asks of decay.
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

    /// The nearest number to `value`; for configuration and display, never inside a score.
    pub fn from_f64(value: f64) -> Self {
        let scaled = value * (1i64 << Self::FRACTION_BITS) as f64;
        // `as` saturates and maps NaN to zero; adding half rounds to nearest without std.
        Self(if scaled < 0.0 {
            (scaled - 0.5) as i64
        } else {
            (scaled + 0.5) as i64
        })
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
