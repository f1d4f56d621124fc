//! Time as an argument.
//!
//! Two readings travel together because they answer different questions. Monotonic time governs
//! timers; wall time governs validity windows and decay, which must survive restarts. Neither can
//! be mistaken for the other.

use core::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// Both clocks, read at the same moment by the shell that drives a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// Milliseconds since the shell started; never goes backwards.
    pub mono: Mono,
    /// Milliseconds since the Unix epoch; may jump either way.
    pub wall: Wall,
}

impl Timestamp {
    /// Both readings from plain milliseconds.
    pub const fn from_millis(mono: u64, wall: u64) -> Self {
        Self {
            mono: Mono(mono),
            wall: Wall(wall),
        }
    }
}

macro_rules! clock {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The first moment of this clock.
            pub const ZERO: Self = Self(0);
            /// The last moment that can be expressed.
            pub const MAX: Self = Self(u64::MAX);

            /// A moment from milliseconds.
            pub const fn from_millis(ms: u64) -> Self {
                Self(ms)
            }

            /// Milliseconds since the start of this clock.
            pub const fn as_millis(self) -> u64 {
                self.0
            }

            /// How long after `earlier` this is; zero if it is not after.
            pub const fn since(self, earlier: Self) -> Duration {
                Duration::from_millis(self.0.saturating_sub(earlier.0))
            }
        }

        /// Saturates: a remote-chosen duration can never wrap a clock.
        impl Add<Duration> for $name {
            type Output = Self;
            fn add(self, by: Duration) -> Self {
                Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
            }
        }

        /// Saturates at zero.
        impl Sub<Duration> for $name {
            type Output = Self;
            fn sub(self, by: Duration) -> Self {
                Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}ms)"), self.0)
            }
        }
    };
}

clock!(
    /// A reading of the monotonic clock, in milliseconds since the shell started.
    Mono
);
clock!(
    /// A reading of the wall clock, in milliseconds since the Unix epoch.
    Wall
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_saturate_in_both_directions() {
        assert_eq!(Mono::MAX + Duration::MAX, Mono::MAX);
        assert_eq!(Wall::ZERO - Duration::MAX, Wall::ZERO);
        assert_eq!(
            Wall::from_millis(5).since(Wall::from_millis(9)),
            Duration::ZERO
        );
        assert_eq!(
            Mono::from_millis(9).since(Mono::from_millis(5)),
            Duration::from_millis(4)
        );
    }

    #[test]
    fn parts_of_a_millisecond_are_dropped() {
        assert_eq!(
            Mono::ZERO + Duration::from_micros(1_999),
            Mono::from_millis(1)
        );
    }
}
