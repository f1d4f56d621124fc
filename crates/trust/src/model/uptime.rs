use repute_base::{Fixed, Wall};

use super::tally::Tally;

const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;
/// How far back probes count.
pub(crate) const DAYS: usize = 30;

/// Probes of the last thirty days, one an hour at most, day by day.
///
/// Not the time between first and last seen, which is near the whole for anyone who is there at
/// the moment. Thirty days without an answer, and it begins anew at the prior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Answered and missed, by day modulo thirty.
    days: [(u8, u8); DAYS],
    /// The hour of the last probe that counted.
    hour: u64,
    /// The day up to which `days` are right.
    day: u64,
    /// The day of the last answer, or of the first probe before there was one.
    seen: u64,
}

impl Default for Uptime {
    fn default() -> Self {
        Self {
            days: [(0, 0); DAYS],
            hour: 0,
            day: 0,
            seen: 0,
        }
    }
}

impl Uptime {
    /// Counts a probe, unless one of this hour has counted already.
    pub(crate) fn probe(&mut self, at: Wall, answered: bool) {
        let hour = at.as_millis() / HOUR_MS + 1;
        if hour <= self.hour {
            return;
        }
        let first = self.hour == 0;
        *self = self.at(at);
        self.hour = hour;
        if answered || first {
            self.seen = self.day;
        }
        if let Some((ok, missed)) = self.days.get_mut(place(self.day)) {
            // At most 24 a day.
            *(if answered { ok } else { missed }) += 1;
        }
    }

    /// The same, without what is older than thirty days by now.
    pub(crate) fn at(&self, at: Wall) -> Self {
        let day = at.as_millis() / DAY_MS;
        if day <= self.day {
            return *self;
        }
        let mut later = *self;
        if day - self.seen >= DAYS as u64 {
            (later.days, later.seen) = ([(0, 0); DAYS], day);
        }
        for gone in 1..=(day - self.day).min(DAYS as u64) {
            if let Some(slot) = later.days.get_mut(place(self.day + gone)) {
                *slot = (0, 0);
            }
        }
        later.day = day;
        later
    }

    /// Answered and missed.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (ok, missed) in self.days {
            tally.ok += Fixed::from_int(ok.into());
            tally.failed += Fixed::from_int(missed.into());
        }
        tally
    }

    /// So many probes, as if all of one day; for those who have counts and no history.
    pub fn of(answered: u8, missed: u8) -> Self {
        let mut uptime = Self::default();
        if let Some(slot) = uptime.days.first_mut() {
            *slot = (answered, missed);
        }
        uptime
    }

    /// (answered + 1)/(probes + 2).
    pub fn share(&self) -> Fixed {
        self.tally().expected()
    }

    pub(crate) const fn parts(&self) -> (&[(u8, u8); DAYS], [u64; 3]) {
        (&self.days, [self.hour, self.day, self.seen])
    }

    pub(crate) const fn from_parts(days: [(u8, u8); DAYS], [hour, day, seen]: [u64; 3]) -> Self {
        Self {
            days,
            hour,
            day,
            seen,
        }
    }
}

fn place(day: u64) -> usize {
    usize::try_from(day % DAYS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: u64) -> Wall {
        Wall::from_millis(hour * HOUR_MS)
    }

    #[test]
    fn one_probe_an_hour_counts() {
        let mut uptime = Uptime::default();
        for minute in 0..600 {
            uptime.probe(Wall::from_millis(minute * 60_000), true);
        }
        assert_eq!(uptime.tally(), Tally::new(10, 0));
        uptime.probe(hour(5), false);
        assert_eq!(
            uptime.tally(),
            Tally::new(10, 0),
            "an hour of the past is over"
        );
    }

    #[test]
    fn probes_older_than_thirty_days_are_gone() {
        let mut uptime = Uptime::default();
        for day in 0..60 {
            uptime.probe(hour(day * 24), day % 3 == 0);
        }
        assert_eq!(uptime.tally(), Tally::new(10, 20));
        assert_eq!(uptime.at(hour(69 * 24)).tally(), Tally::new(6, 14));
    }

    #[test]
    fn after_thirty_days_of_silence_it_begins_anew() {
        let mut uptime = Uptime::default();
        for day in 0..29 {
            uptime.probe(hour(day * 24), false);
        }
        assert_eq!(uptime.tally(), Tally::new(0, 29), "never there");
        uptime.probe(hour(29 * 24), false);
        uptime.probe(hour(30 * 24), false);
        assert_eq!(uptime.tally(), Tally::new(0, 1), "anew, and missed once");
        uptime.probe(hour(31 * 24), true);
        assert_eq!(uptime.at(hour(60 * 24)).tally(), Tally::new(1, 0));
        assert_eq!(uptime.at(hour(61 * 24)).tally(), Tally::default());
    }
}
