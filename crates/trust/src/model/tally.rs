use repute_base::Fixed;

use super::estimate::{COUNT_MAX, Fading, expected, wilson};

/// Good and bad, counted and fading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// What went well, in events.
    pub ok: Fixed,
    /// What did not, in events.
    pub failed: Fixed,
}

impl Tally {
    /// A tally of whole events.
    pub const fn new(ok: u32, failed: u32) -> Self {
        Self {
            ok: Fixed::from_int(ok as i64),
            failed: Fixed::from_int(failed as i64),
        }
    }

    /// How many in all.
    pub fn all(&self) -> Fixed {
        self.ok + self.failed
    }

    /// The share that went well, for people: (ok + 1)/(n + 2).
    pub fn expected(&self) -> Fixed {
        expected(self.ok, self.failed, Fixed::ONE, Fixed::ONE)
    }

    /// The share that went well at the pessimistic end: the Wilson lower bound at z = 1.28.
    pub fn lower(&self) -> Fixed {
        wilson(self.ok, self.failed)
    }

    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
        }
    }

    pub(crate) fn count(&mut self, ok: bool) {
        let side = if ok { &mut self.ok } else { &mut self.failed };
        *side = (*side + Fixed::ONE).min(COUNT_MAX);
    }

    pub(crate) fn faded(&self, fading: Fading) -> Self {
        Self {
            ok: fading.of(self.ok),
            failed: fading.of(self.failed),
        }
    }
}

/// A mean of measurements that follows change: of the first 32 it is the plain mean, later each
/// new one counts a thirty-second. How many there were fades, so that what is old counts less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    /// The mean.
    pub value: Fixed,
    /// How many measurements it stands on.
    pub count: Fixed,
}

const WINDOW: Fixed = Fixed::from_int(32);

impl Mean {
    /// A mean of so many measurements.
    pub const fn new(value: Fixed, count: u32) -> Self {
        Self {
            value,
            count: Fixed::from_int(count as i64),
        }
    }

    pub(crate) fn add(&mut self, value: Fixed) {
        self.count = (self.count + Fixed::ONE).min(COUNT_MAX);
        self.value += (value - self.value).div(self.count.min(WINDOW));
    }

    pub(crate) fn faded(&self, fading: Fading) -> Self {
        Self {
            value: self.value,
            count: fading.of(self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_plain_at_first_and_follows_later() {
        let mut mean = Mean::default();
        for value in [100, 200, 300] {
            mean.add(Fixed::from_int(value));
        }
        assert!((mean.value - Fixed::from_int(200)).abs() < Fixed::ratio(1, 1_000));
        for _ in 0..1_000 {
            mean.add(Fixed::from_int(50));
        }
        assert!((mean.value - Fixed::from_int(50)).abs() < Fixed::ratio(1, 1_000));
        assert_eq!(mean.count, Fixed::from_int(1_003));
    }
}
