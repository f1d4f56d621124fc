//! What became of each peer over time, at bounded cost.

mod chronicle;
mod interaction;
mod profile;
mod series;

use alloc::collections::VecDeque;

use repute_base::{Fixed, Wall};

pub use chronicle::{Chronicle, ChronicleInput, ChronicleLimits, ChronicleOutput};
pub use interaction::Interaction;
pub use series::{Point, Resolution, Trend, TrendDirection};

use crate::Level;
use series::Ring;

/// The last interactions that are kept.
pub const INTERACTIONS_MAX: usize = 100;
/// The last changes of level that are kept.
pub const CHANGES_MAX: usize = 32;

/// The past of one peer: its score over time, its last interactions and its changes of level.
///
/// The score is kept by the hour for two days, by the day for five weeks, by the week for a year;
/// where nothing happened there is no point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    hours: Ring,
    days: Ring,
    weeks: Ring,
    interactions: VecDeque<Interaction>,
    changes: VecDeque<LevelChange>,
    level: Level,
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// When, in ledger time.
    pub wall: Wall,
    /// The level before.
    pub from: Level,
    /// The level from then on.
    pub to: Level,
}

impl Default for History {
    fn default() -> Self {
        Self {
            hours: Ring::new(Resolution::Hour),
            days: Ring::new(Resolution::Day),
            weeks: Ring::new(Resolution::Week),
            interactions: VecDeque::new(),
            changes: VecDeque::new(),
            level: Level::Unknown,
        }
    }
}

impl History {
    /// The score over time, oldest first.
    pub fn scores(&self, resolution: Resolution) -> impl Iterator<Item = Point> + '_ {
        match resolution {
            Resolution::Hour => self.hours.points(),
            Resolution::Day => self.days.points(),
            Resolution::Week => self.weeks.points(),
        }
    }

    /// The last interactions, oldest first, at most [`INTERACTIONS_MAX`].
    pub fn interactions(&self) -> impl Iterator<Item = &Interaction> {
        self.interactions.iter()
    }

    /// The last changes of level, oldest first, at most [`CHANGES_MAX`].
    pub fn changes(&self) -> impl Iterator<Item = &LevelChange> {
        self.changes.iter()
    }

    /// Where the score has gone within a week.
    pub fn trend(&self) -> Trend {
        Trend::of(&self.days)
    }

    fn standing(&mut self, wall: Wall, trust: Fixed, level: Level) {
        for ring in [&mut self.hours, &mut self.days, &mut self.weeks] {
            ring.add(wall, trust);
        }
        if level != self.level {
            let from = core::mem::replace(&mut self.level, level);
            let to = level;
            push(
                &mut self.changes,
                LevelChange { wall, from, to },
                CHANGES_MAX,
            );
        }
    }

    fn interaction(&mut self, interaction: Interaction) {
        push(&mut self.interactions, interaction, INTERACTIONS_MAX);
    }
}

/// Appends, and lets the oldest go beyond `max`. Room grows a little at a time: most peers are
/// met briefly.
fn push<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    while queue.len() >= max {
        queue.pop_front();
    }
    if queue.len() == queue.capacity() {
        queue.reserve_exact(queue.len().clamp(2, 32).min(max - queue.len()));
    }
    queue.push_back(item);
}
