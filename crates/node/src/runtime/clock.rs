use std::time::{SystemTime, UNIX_EPOCH};

use repute_base::{Mono, Timestamp, Wall};
use tokio::time::Instant;

/// The clocks of a running node. Monotonic time is tokio's, so that a paused clock governs tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = self.start.elapsed().as_millis();
        let mono = Mono::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX));
        Timestamp { mono, wall: wall() }
    }

    /// The moment of `deadline`, for a timer.
    pub(crate) fn instant(&self, deadline: Mono) -> Instant {
        // A timer further away than a day is looked at again in a day.
        let ahead = deadline.since(Mono::ZERO);
        let now = self.start.elapsed();
        let wait = ahead
            .saturating_sub(now)
            .min(std::time::Duration::from_secs(86_400));
        Instant::now() + wait
    }
}

/// The wall clock; zero if it stands before 1970.
pub(crate) fn wall() -> Wall {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Wall::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
