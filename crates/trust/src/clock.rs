use core::time::Duration;

use repute_base::{Mono, Timestamp, Wall};

/// Ledger time: the wall clock, as far as the monotonic clock bears it out.
///
/// It never goes back. While the wall clock is ahead it catches up at twice the speed of the
/// monotonic clock; while the wall clock is behind it goes on at half that speed. So a jump by
/// years moves nothing at once, a machine that slept is soon up to date, and bans still lapse
/// when the clock was set back. Only the first input after a start trusts the wall clock alone,
/// up to `step_max`: how long the node was off cannot be known otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// Ledger time of the last input, or of the newest stored record.
    time: Option<Wall>,
    /// Monotonic time up to which `time` accounts for; none before the first input.
    accounted: Option<Mono>,
    /// The latest monotonic reading.
    seen: Mono,
}

impl Clock {
    /// Stored history reaches up to `time`.
    pub(crate) fn restore(&mut self, time: Wall) {
        self.time = self.time.max(Some(time));
    }

    /// Whether an input came since the start.
    pub(crate) fn runs(&self) -> bool {
        self.accounted.is_some()
    }

    /// The latest monotonic reading.
    pub(crate) fn seen(&self) -> Mono {
        self.seen
    }

    /// Moves on to `now`.
    pub(crate) fn advance(&mut self, now: Timestamp, step_max: Duration) -> Wall {
        self.seen = self.seen.max(now.mono);
        let Some((time, accounted)) = self.time.zip(self.accounted) else {
            let time = self.first(now.wall, step_max);
            self.time = Some(time);
            self.accounted = Some(now.mono);
            return time;
        };
        let passed = now.mono.since(accounted).min(step_max);
        let slowest = Duration::from_millis(millis(passed) / 2);
        let time = if now.wall > time + slowest {
            self.accounted = Some(accounted.max(now.mono));
            now.wall.min(time + passed * 2)
        } else {
            // Half speed in whole milliseconds; an odd one stays unaccounted.
            let odd = Duration::from_millis(millis(passed) % 2);
            self.accounted = Some(accounted.max(now.mono - odd));
            time + slowest
        };
        self.time = Some(time);
        time
    }

    /// Ledger time for a reader at `wall`: at most `lead_max` beyond the last input.
    pub(crate) fn read(&self, wall: Wall, lead_max: Duration, step_max: Duration) -> Wall {
        match self.time.filter(|_| self.runs()) {
            Some(time) => wall.clamp(time, time + lead_max),
            None => self.first(wall, step_max),
        }
    }

    /// The first reading after a start.
    fn first(&self, wall: Wall, step_max: Duration) -> Wall {
        self.time
            .map_or(wall, |time| wall.clamp(time, time + step_max))
    }
}

/// Whole milliseconds; saturates.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;
    const STEP_MAX: Duration = Duration::from_millis(30 * DAY);

    fn at(clock: &mut Clock, mono: u64, wall: u64) -> u64 {
        clock
            .advance(Timestamp::from_millis(mono, wall), STEP_MAX)
            .as_millis()
    }

    #[test]
    fn an_honest_clock_is_followed_exactly() {
        let mut clock = Clock::default();
        for hour in 0..100 {
            assert_eq!(
                at(&mut clock, hour * 3_600_000, DAY + hour * 3_600_000) / 3_600_000,
                24 + hour
            );
        }
    }

    #[test]
    fn a_jump_forward_is_caught_up_with_at_double_speed() {
        let mut clock = Clock::default();
        at(&mut clock, 0, DAY);
        assert_eq!(at(&mut clock, 0, 4_000 * DAY), DAY);
        assert_eq!(at(&mut clock, 1_000, 4_000 * DAY), DAY + 2_000);
        // Back to normal: nothing more is gained than was.
        assert_eq!(at(&mut clock, 5_000, DAY + 5_000), DAY + 5_000);
    }

    #[test]
    fn a_jump_back_neither_rewinds_nor_stops_time() {
        let mut clock = Clock::default();
        at(&mut clock, 0, 4_000 * DAY);
        assert_eq!(at(&mut clock, 0, DAY), 4_000 * DAY);
        for ms in 1..=1_000 {
            at(&mut clock, ms, DAY + ms);
        }
        assert_eq!(at(&mut clock, 1_000, DAY), 4_000 * DAY + 500);
    }

    #[test]
    fn time_switched_off_counts_up_to_the_step_limit() {
        let mut clock = Clock::default();
        clock.restore(Wall::from_millis(DAY));
        assert_eq!(at(&mut clock, 0, 11 * DAY), 11 * DAY);
        let mut clock = Clock::default();
        clock.restore(Wall::from_millis(DAY));
        assert_eq!(at(&mut clock, 0, 4_000 * DAY), 31 * DAY);
    }
}
