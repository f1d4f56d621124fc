use repute_base::Fixed;

use super::estimate::{Fading, root};

/// ln 2 / ln(31/29): the half-life, in hours, of an exponential weighting over 30 of them.
const HALF_LIFE: f64 = 10.393_409_8;

/// Mean and variance of trust over time, weighted exponentially over 30 hours.
///
/// What holds for longer weighs more: trust is sampled where it changes, and counts for the hours
/// that it held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steadiness {
    /// The mean of trust.
    pub mean: Fixed,
    /// Its variance.
    pub variance: Fixed,
    /// Trust now; counts from the next hour on.
    pub(crate) trust: Fixed,
    /// The hour up to which this is right.
    pub(crate) hour: u64,
    pub(crate) started: bool,
}

impl Steadiness {
    /// Given, rather than observed.
    pub const fn of(mean: Fixed, variance: Fixed) -> Self {
        Self {
            mean,
            variance,
            trust: mean,
            hour: 0,
            started: true,
        }
    }

    /// σ, the standard deviation of trust over time.
    pub fn deviation(&self) -> Fixed {
        root(self.variance)
    }

    pub(crate) fn at(&self, hour: u64) -> Self {
        let passed = hour.saturating_sub(self.hour);
        if passed == 0 || !self.started {
            return *self;
        }
        let keep = Fading::over(passed, HALF_LIFE).of(Fixed::ONE);
        let weight = Fixed::ONE - keep;
        let step = self.trust - self.mean;
        Self {
            mean: self.mean + weight.mul(step),
            variance: keep.mul(self.variance + weight.mul(step.mul(step))),
            hour,
            ..*self
        }
    }

    pub(crate) fn observe(&mut self, hour: u64, trust: Fixed) {
        if !self.started {
            *self = Self {
                mean: trust,
                hour,
                started: true,
                ..Self::default()
            };
        }
        *self = self.at(hour);
        self.trust = trust;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_swing_has_no_deviation() {
        let mut steady = Steadiness::default();
        for hour in 0..200 {
            steady.observe(hour, Fixed::ratio(7, 10));
        }
        assert_eq!(steady.deviation(), Fixed::ZERO);
    }

    #[test]
    fn swings_show_and_are_forgotten() {
        let mut swinging = Steadiness::default();
        for hour in 0..300 {
            let high = (hour / 15) % 2 == 0;
            swinging.observe(hour, Fixed::ratio(if high { 8 } else { 5 }, 10));
        }
        let deviation = swinging.deviation();
        assert!(deviation > Fixed::ratio(10, 100), "{deviation}");
        assert!(swinging.at(600).deviation() < Fixed::ratio(1, 100));
    }
}
