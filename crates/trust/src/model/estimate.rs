//! From counts to estimates, in integers; exp and log2 through `libm`, then rounded.

use repute_base::Fixed;

/// Counts beyond this say no more; it keeps every product within 128 bits.
pub(crate) const COUNT_MAX: Fixed = Fixed::from_int(1 << 40);

/// How many standard deviations the pessimistic end of an estimate lies below it: one in ten.
const Z: Fixed = Fixed::ratio(128, 100);

/// What is known after `n` observations counts n/(n+5); the rest is the prior.
const SHRINKAGE: Fixed = Fixed::from_int(5);

/// The lower end of the Wilson interval of `ok` in `ok + failed`; zero when there are none.
///
/// L = (p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), multiplied through by n.
pub(crate) fn wilson(ok: Fixed, failed: Fixed) -> Fixed {
    let (ok, failed) = (count(ok), count(failed));
    let all = ok + failed;
    if all == Fixed::ZERO {
        return Fixed::ZERO;
    }
    let z2 = Z.mul(Z);
    let variance = wide(ok) * wide(failed) / wide(all);
    let inner = Fixed::from_raw(narrow(variance)) + z2.div(Fixed::from_int(4));
    let low = ok + z2.mul(Fixed::HALF) - Z.mul(root(inner));
    low.div(all + z2).clamp(Fixed::ZERO, Fixed::ONE)
}

/// The mean of a Beta distribution that began with `alpha` good and `beta` bad.
pub(crate) fn expected(ok: Fixed, failed: Fixed, alpha: Fixed, beta: Fixed) -> Fixed {
    let good = count(ok) + alpha;
    good.div(good + count(failed) + beta)
}

/// `value`, known from `n` observations, drawn towards `prior`.
pub(crate) fn shrunk(value: Fixed, n: Fixed, prior: Fixed) -> Fixed {
    prior + (value - prior).mul(known(n))
}

/// n/(n+5).
pub(crate) fn known(n: Fixed) -> Fixed {
    let n = count(n);
    n.div(n + SHRINKAGE)
}

/// What is left of something that halves every `half_life`, after a while: computed once, for all
/// that fades alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fading(i64);

impl Fading {
    pub(crate) fn over(passed: u64, half_life: f64) -> Self {
        // 2⁻⁴⁰ is fine enough that a year of hourly steps and one step of a year agree.
        const UNIT: f64 = (1u64 << 40) as f64;
        Self(libm::rint(libm::exp2(-(passed as f64) / half_life) * UNIT) as i64)
    }

    pub(crate) fn of(self, value: Fixed) -> Fixed {
        Fixed::from_raw(narrow((wide(value) * i128::from(self.0)) >> 40))
    }
}

/// log2(1 + value), for a value that is not negative.
pub(crate) fn log2_more(value: Fixed) -> Fixed {
    Fixed::from_f64(libm::log2(1.0 + value.max(Fixed::ZERO).to_f64()))
}

/// The square root, rounded down; zero below zero.
pub(crate) fn root(value: Fixed) -> Fixed {
    let raw = u128::try_from(value.raw()).unwrap_or_default();
    let root = (raw << Fixed::FRACTION_BITS).isqrt();
    Fixed::from_raw(i64::try_from(root).unwrap_or(i64::MAX))
}

fn count(value: Fixed) -> Fixed {
    value.clamp(Fixed::ZERO, COUNT_MAX)
}

fn wide(value: Fixed) -> i128 {
    i128::from(value.raw())
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn int(value: i64) -> Fixed {
        Fixed::from_int(value)
    }

    fn wilson_in_floats(ok: f64, n: f64) -> f64 {
        let (p, z) = (ok / n, 1.28);
        let spread = (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (p + z * z / (2.0 * n) - z * spread) / (1.0 + z * z / n)
    }

    #[test]
    fn one_of_one_never_beats_nearly_all_of_a_thousand() {
        assert!(wilson(int(1), int(0)) < wilson(int(999), int(1)));
        assert_eq!(wilson(int(0), int(0)), Fixed::ZERO);
        assert_eq!(wilson(int(0), int(9)), Fixed::ZERO);
    }

    fn faded(value: Fixed, passed: u64, half_life: f64) -> Fixed {
        Fading::over(passed, half_life).of(value)
    }

    #[test]
    fn a_half_life_halves_and_steps_add_up() {
        assert_eq!(faded(int(8), 720, 720.0), int(4));
        assert_eq!(faded(int(8), u64::MAX, 720.0), Fixed::ZERO);
        let hourly = (0..8_760).fold(int(1_000), |left, _| faded(left, 1, 720.0));
        let at_once = faded(int(1_000), 8_760, 720.0);
        assert!(
            (hourly - at_once).abs() < Fixed::ratio(1, 500),
            "{hourly:?} {at_once:?}"
        );
    }

    #[test]
    fn a_root_is_rounded_down() {
        assert_eq!(root(int(9)), int(3));
        assert_eq!(root(-int(9)), Fixed::ZERO);
        assert_eq!(root(int(2)).raw(), 1_482_910);
        assert_eq!(log2_more(int(1_023)), int(10));
    }

    proptest! {
        #[test]
        fn the_wilson_bound_is_that_of_the_formula(ok in 0i64..1_000_000, failed in 0i64..1_000_000) {
            prop_assume!(ok + failed > 0);
            let found = wilson(int(ok), int(failed)).to_f64();
            let expected = wilson_in_floats(ok as f64, (ok + failed) as f64);
            prop_assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }

        #[test]
        fn the_wilson_bound_rises_with_merits_and_falls_with_failures(
            ok in 0i64..100_000, failed in 0i64..100_000,
        ) {
            let unit = Fixed::from_raw(4);
            let here = wilson(int(ok), int(failed));
            prop_assert!(wilson(int(ok + 1), int(failed)) + unit >= here);
            prop_assert!(wilson(int(ok), int(failed + 1)) <= here + unit);
        }

        #[test]
        fn whatever_comes_in_an_estimate_is_a_share(ok: i64, failed: i64) {
            let (ok, failed) = (Fixed::from_raw(ok), Fixed::from_raw(failed));
            for share in [
                wilson(ok, failed),
                expected(ok, failed, Fixed::ONE, Fixed::ONE),
                known(ok),
                shrunk(known(failed), ok, Fixed::HALF),
            ] {
                prop_assert!(share >= Fixed::ZERO && share <= Fixed::ONE, "{share:?}");
            }
        }
    }
}
