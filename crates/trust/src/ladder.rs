use core::time::Duration;

use repute_base::Wall;
use repute_protocol::{Misbehaviour, Severity};

use crate::{LadderConfig, Rung};

/// A subject's strikes, and how far up it has been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ladder {
    pub(crate) hard_strikes: u32,
    pub(crate) hard_last: Wall,
    pub(crate) soft_strikes: u32,
    pub(crate) soft_first: Wall,
    pub(crate) soft_last: Wall,
    /// The highest rung of late.
    pub(crate) rung: Option<Rung>,
    /// When the last ban ended or will end.
    pub(crate) rung_end: Wall,
}

/// What a strike led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing yet.
    Stays,
    /// The first rung.
    Warned,
    /// The gate closes.
    Closed {
        rung: Rung,
        until: Wall,
        strikes: u32,
    },
}

impl Ladder {
    /// Whether a fault of this kind is a strike of its own, and not part of the last one.
    pub(crate) fn counts(&self, config: &LadderConfig, kind: Misbehaviour, wall: Wall) -> bool {
        kind.severity() == Severity::Hard
            || self.soft_strikes == 0
            || wall.since(self.soft_last) >= config.soft_spacing
    }

    /// Counts one strike.
    pub(crate) fn strike(&mut self, config: &LadderConfig, kind: Misbehaviour, wall: Wall) -> Step {
        match kind.severity() {
            Severity::Hard => self.strike_hard(config, kind, wall),
            Severity::Soft => self.strike_soft(config, kind, wall),
        }
    }

    /// Whether strikes are still counted at `wall`.
    pub(crate) fn is_warned(&self, config: &LadderConfig, wall: Wall) -> bool {
        (self.hard_strikes > 0 && wall.since(self.hard_last) <= config.hard_window)
            || (self.soft_strikes >= config.soft_warn
                && wall.since(self.soft_first) <= config.soft_window)
    }

    fn strike_hard(&mut self, config: &LadderConfig, kind: Misbehaviour, wall: Wall) -> Step {
        if wall.since(self.hard_last) > config.hard_window {
            self.hard_strikes = 0;
        }
        let first = self.hard_strikes == 0;
        let strikes = match kind {
            Misbehaviour::MalformedFrame | Misbehaviour::OversizedFrame => config.hard_heavy,
            // Whoever serves proves each group before it leaves: one that is wrong was meant.
            Misbehaviour::CorruptBlob => config.hard_ban,
            _ => 1,
        };
        self.hard_strikes = self.hard_strikes.saturating_add(strikes);
        self.hard_last = wall;
        if self.hard_strikes >= config.hard_ban {
            return self.ban(config, wall);
        }
        if first { Step::Warned } else { Step::Stays }
    }

    /// Closes the gate for hard faults, longer if it was closed before.
    pub(crate) fn ban(&mut self, config: &LadderConfig, wall: Wall) -> Step {
        let rung = match self.remembered(config, wall) {
            None | Some(Rung::Warned | Rung::Grey) => Rung::Banned24h,
            Some(_) => Rung::Banned30d,
        };
        self.close(config, rung, self.hard_strikes, wall)
    }

    fn strike_soft(&mut self, config: &LadderConfig, kind: Misbehaviour, wall: Wall) -> Step {
        if wall.since(self.soft_first) > config.soft_window {
            self.soft_strikes = 0;
        }
        if self.soft_strikes == 0 {
            self.soft_first = wall;
        }
        self.soft_strikes = self.soft_strikes.saturating_add(1);
        self.soft_last = wall;
        if self.soft_strikes >= config.soft_grey {
            let rung = match self.remembered(config, wall) {
                // A wrong clock is no attack: it never climbs beyond grey.
                _ if kind == Misbehaviour::FromTheFuture => Rung::Grey,
                None | Some(Rung::Warned) => Rung::Grey,
                Some(Rung::Grey) => Rung::Banned24h,
                Some(_) => Rung::Banned30d,
            };
            return self.close(config, rung, self.soft_strikes, wall);
        }
        if self.soft_strikes == config.soft_warn {
            Step::Warned
        } else {
            Step::Stays
        }
    }

    /// The highest rung, unless it was too long ago.
    fn remembered(&self, config: &LadderConfig, wall: Wall) -> Option<Rung> {
        self.rung
            .filter(|_| wall.since(self.rung_end) <= config.memory)
    }

    fn close(&mut self, config: &LadderConfig, rung: Rung, strikes: u32, wall: Wall) -> Step {
        let until = wall + duration_of(config, rung);
        let rung_max = self.remembered(config, wall).max(Some(rung));
        *self = Self {
            rung: rung_max,
            rung_end: until,
            ..Self::default()
        };
        Step::Closed {
            rung,
            until,
            strikes,
        }
    }
}

fn duration_of(config: &LadderConfig, rung: Rung) -> Duration {
    match rung {
        Rung::Warned => Duration::ZERO,
        Rung::Grey => config.grey,
        Rung::Banned24h => config.ban_first,
        Rung::Banned30d => config.ban_repeated,
        Rung::Permanent => Duration::MAX,
    }
}
