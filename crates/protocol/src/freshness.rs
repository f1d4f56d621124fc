//! How old an envelope may be.

use core::time::Duration;

use repute_base::Wall;

use crate::limits::{FUTURE_MAX, LIVE_AGE_MAX};

/// Whether an envelope comes at a time at which it may be taken.
///
/// A pure function of the author's clock, the receiver's clock and how the copy came. All bounds
/// are inclusive: a copy exactly at a bound is still taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Take it.
    Fresh,
    /// Too old for the way it came: ignore it, without blame. It may have waited in a queue.
    Stale,
    /// From further ahead than [`FUTURE_MAX`]: refuse it. Two honest clocks may err in opposite
    /// directions, and a message crosses several of them, so this alone proves no ill will.
    FromTheFuture,
}

impl Freshness {
    /// Judges a copy that was pushed unasked.
    pub fn of_push(sent: Wall, now: Wall) -> Self {
        Self::within(sent, now, LIVE_AGE_MAX)
    }

    /// Judges a copy that was asked for by id, by a receiver that keeps messages for `retention`.
    pub fn of_requested(sent: Wall, now: Wall, retention: Duration) -> Self {
        Self::within(sent, now, retention)
    }

    /// Whether the copy may be taken.
    pub const fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh)
    }

    fn within(sent: Wall, now: Wall, age_max: Duration) -> Self {
        if sent.since(now) > FUTURE_MAX {
            Self::FromTheFuture
        } else if now.since(sent) > age_max {
            Self::Stale
        } else {
            Self::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RETENTION;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    fn at(offset_ms: i64) -> Wall {
        Wall::from_millis(NOW.as_millis().saturating_add_signed(offset_ms))
    }

    #[test]
    fn three_hundred_seconds_ahead_is_the_last_moment_taken() {
        assert_eq!(Freshness::of_push(at(300_000), NOW), Freshness::Fresh);
        assert_eq!(
            Freshness::of_push(at(300_001), NOW),
            Freshness::FromTheFuture
        );
        assert_eq!(
            Freshness::of_requested(at(300_001), NOW, RETENTION),
            Freshness::FromTheFuture
        );
    }

    #[test]
    fn an_old_push_is_stale_but_the_same_copy_is_welcome_when_requested() {
        assert_eq!(Freshness::of_push(at(-300_000), NOW), Freshness::Fresh);
        assert_eq!(Freshness::of_push(at(-300_001), NOW), Freshness::Stale);
        assert_eq!(
            Freshness::of_requested(at(-300_001), NOW, RETENTION),
            Freshness::Fresh
        );
        assert_eq!(
            Freshness::of_requested(at(-3_600_000), NOW, RETENTION),
            Freshness::Fresh
        );
        assert_eq!(
            Freshness::of_requested(at(-3_600_001), NOW, RETENTION),
            Freshness::Stale
        );
    }

    #[test]
    fn the_ends_of_time_do_not_wrap() {
        assert_eq!(
            Freshness::of_push(Wall::MAX, Wall::ZERO),
            Freshness::FromTheFuture
        );
        assert_eq!(Freshness::of_push(Wall::ZERO, Wall::MAX), Freshness::Stale);
        assert_eq!(
            Freshness::of_requested(Wall::ZERO, Wall::MAX, Duration::MAX),
            Freshness::Fresh
        );
    }
}
