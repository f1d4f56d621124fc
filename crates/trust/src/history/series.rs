use alloc::collections::VecDeque;

use repute_base::{Fixed, Wall};

use super::push;

const HOUR_MS: u64 = 3_600_000;

/// How finely the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// The last 48 hours.
    Hour,
    /// The last 35 days.
    Day,
    /// The last 52 weeks.
    Week,
}

impl Resolution {
    /// Every resolution, the finest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// A stable name for the command line and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    const fn unit_ms(self) -> u64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => 24 * HOUR_MS,
            Self::Week => 168 * HOUR_MS,
        }
    }

    /// Points kept at most.
    pub const fn kept(self) -> usize {
        match self {
            Self::Hour => 48,
            Self::Day => 35,
            Self::Week => 52,
        }
    }
}

/// The score in one hour, day or week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When that began, in ledger time.
    pub wall: Wall,
    /// Trust at its end.
    pub trust: Fixed,
    /// The lowest trust in it: a fall that was made up for shows.
    pub lowest: Fixed,
}

/// Points of one resolution: the number of the unit, trust at its end, the lowest in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    resolution: Resolution,
    points: VecDeque<Packed>,
}

pub(crate) type Packed = (u32, u16, u16);

impl Ring {
    pub(crate) fn new(resolution: Resolution) -> Self {
        Self {
            resolution,
            points: VecDeque::new(),
        }
    }

    pub(crate) fn add(&mut self, wall: Wall, trust: Fixed) {
        let unit = wall.as_millis() / self.resolution.unit_ms();
        let (unit, trust) = (u32::try_from(unit).unwrap_or(u32::MAX), pack(trust));
        match self.points.back_mut() {
            // Time does not go back; if it did, what is newest goes on.
            Some((last, end, lowest)) if *last >= unit => {
                (*end, *lowest) = (trust, trust.min(*lowest));
            }
            _ => push(
                &mut self.points,
                (unit, trust, trust),
                self.resolution.kept(),
            ),
        }
    }

    pub(crate) fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.points.iter().map(|(unit, end, lowest)| Point {
            wall: Wall::from_millis(u64::from(*unit).saturating_mul(self.resolution.unit_ms())),
            trust: unpack(*end),
            lowest: unpack(*lowest),
        })
    }

    pub(crate) fn packed(&self) -> impl Iterator<Item = Packed> + '_ {
        self.points.iter().copied()
    }

    pub(crate) fn from_packed(
        resolution: Resolution,
        points: impl Iterator<Item = Packed>,
    ) -> Self {
        let mut ring = Self::new(resolution);
        for point in points {
            push(&mut ring.points, point, resolution.kept());
        }
        ring
    }
}

/// Sixteen bits of a score are more than a line on a screen shows.
fn pack(trust: Fixed) -> u16 {
    let raw = trust.clamp(Fixed::ZERO, Fixed::ONE).raw() * 65_535;
    u16::try_from((raw + (1 << 19)) >> Fixed::FRACTION_BITS).unwrap_or(u16::MAX)
}

fn unpack(packed: u16) -> Fixed {
    Fixed::ratio(i64::from(packed), 65_535)
}

/// Where a score has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trend {
    /// In a word.
    pub direction: TrendDirection,
    /// By how much, from the first to the last day of the week that ended with the last event.
    pub change: Fixed,
}

/// A trend in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrendDirection {
    /// Up by more than 0.02.
    Rising,
    /// Neither.
    Steady,
    /// Down by more than 0.02.
    Falling,
}

impl TrendDirection {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Steady => "steady",
            Self::Falling => "falling",
        }
    }
}

impl Trend {
    pub(crate) fn of(days: &Ring) -> Self {
        let Some((today, now, _)) = days.points.back() else {
            return Self {
                direction: TrendDirection::Steady,
                change: Fixed::ZERO,
            };
        };
        let first = days.points.iter().find(|(day, _, _)| day + 7 >= *today);
        let before = first.map_or(*now, |(_, end, _)| *end);
        let change = unpack(*now) - unpack(before);
        let edge = Fixed::ratio(2, 100);
        let direction = if change > edge {
            TrendDirection::Rising
        } else if change < -edge {
            TrendDirection::Falling
        } else {
            TrendDirection::Steady
        };
        Self { direction, change }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * HOUR_MS;

    #[test]
    fn a_unit_keeps_its_end_and_its_lowest() {
        let mut ring = Ring::new(Resolution::Hour);
        for (minute, percent) in [(0, 60), (10, 40), (59, 50), (60, 70)] {
            ring.add(
                Wall::from_millis(minute * 60_000),
                Fixed::ratio(percent, 100),
            );
        }
        let points: alloc::vec::Vec<_> = ring.points().collect();
        assert_eq!(points.len(), 2);
        assert!((points[0].trust - Fixed::HALF).abs() < Fixed::ratio(1, 10_000));
        assert!((points[0].lowest - Fixed::ratio(4, 10)).abs() < Fixed::ratio(1, 10_000));
        assert_eq!(points[1].wall, Wall::from_millis(HOUR_MS));
    }

    #[test]
    fn a_ring_forgets_its_oldest_point() {
        for resolution in Resolution::ALL {
            let mut ring = Ring::new(resolution);
            for unit in 0..1_000 {
                ring.add(Wall::from_millis(unit * resolution.unit_ms()), Fixed::HALF);
            }
            assert_eq!(ring.points().count(), resolution.kept());
            let first = ring.points().next().map(|point| point.wall);
            let oldest = (1_000 - resolution.kept() as u64) * resolution.unit_ms();
            assert_eq!(first, Some(Wall::from_millis(oldest)));
        }
    }

    #[test]
    fn a_trend_looks_back_a_week() {
        let mut ring = Ring::new(Resolution::Day);
        assert_eq!(Trend::of(&ring).direction, TrendDirection::Steady);
        for day in 0..20 {
            let percent = if day < 15 {
                80
            } else {
                80 - (day as i64 - 14) * 4
            };
            ring.add(Wall::from_millis(day * DAY_MS), Fixed::ratio(percent, 100));
        }
        assert_eq!(Trend::of(&ring).direction, TrendDirection::Falling);
        assert_eq!(alloc::format!("{}", Trend::of(&ring).change), "-0.200");
        for day in 20..40 {
            ring.add(Wall::from_millis(day * DAY_MS), Fixed::ratio(60, 100));
        }
        assert_eq!(Trend::of(&ring).direction, TrendDirection::Steady);
    }
}
