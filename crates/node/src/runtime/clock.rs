use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use repute_base::{Mono, Timestamp, Wall};
use repute_transport::whole_second;
use tokio::time::Instant;

const DAY: Duration = Duration::from_secs(86_400);
/// Timers from here on are for what happens every few seconds, or seldom.
const FAR: Duration = Duration::from_secs(2);

/// The clocks of a running node. Monotonic time is tokio's, so that a paused clock governs tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// The wall clock at `start`, if it follows the monotonic one from there.
    wall: Option<Wall>,
}

impl Clock {
    /// With the wall clock of the system, or one that stands at `wall` now.
    pub(crate) fn new(wall: Option<Wall>) -> Self {
        Self {
            start: Instant::now(),
            wall,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = self.start.elapsed().as_millis();
        let mono = Mono::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX));
        Timestamp {
            mono,
            wall: self.wall(),
        }
    }

    pub(crate) fn wall(&self) -> Wall {
        self.wall
            .map_or_else(system_wall, |at_start| at_start + self.start.elapsed())
    }

    /// The moment of `deadline`, for a timer.
    pub(crate) fn instant(&self, deadline: Mono) -> Instant {
        // A timer further away than a day is looked at again in a day.
        let ahead = deadline.since(Mono::ZERO);
        let now = self.start.elapsed();
        let wait = ahead.saturating_sub(now).min(DAY);
        Instant::now() + wait
    }

    /// The moment of `deadline`, or if that is far ahead up to a second later, together with what
    /// else is far ahead; not under a clock that is to be replayed.
    pub(crate) fn lax_instant(&self, deadline: Mono) -> Instant {
        let at = self.instant(deadline);
        match self.wall {
            None if at >= Instant::now() + FAR => whole_second(at.into_std()).into(),
            _ => at,
        }
    }
}

/// What sets the wall clock of a process wrong by so many seconds, for tests of what a wrong clock
/// does to a network. Not part of the configuration.
const TEST_OFFSET: &str = "REPUTE_TEST_CLOCK_OFFSET_S";

/// The system's wall clock; zero if it stands before 1970.
fn system_wall() -> Wall {
    static OFFSET_MS: OnceLock<i64> = OnceLock::new();
    let offset_ms = *OFFSET_MS.get_or_init(|| {
        let seconds = std::env::var(TEST_OFFSET).ok();
        let seconds: i64 = seconds.and_then(|text| text.parse().ok()).unwrap_or(0);
        seconds.saturating_mul(1_000)
    });
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Wall::from_millis(ms.saturating_add_signed(offset_ms))
}
