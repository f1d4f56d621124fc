//! Input bytes as numbers, and as time.

use repute_base::{Machine, Timestamp};

/// Operations that are run of one input, so that each takes bounded time.
pub const OPERATIONS_MAX: usize = 160;
/// Outputs that one input may cause at most.
const OUTPUTS_MAX: usize = 20_000;
/// Timers that may be due at one and the same instant.
const TICKS_AT_ONCE_MAX: usize = 200;
/// Timers that are served in one stretch of time.
const TICKS_MAX: usize = 2_000;
/// 2023, in ms since the Unix epoch.
const WALL: u64 = 1_700_000_000_000;

/// The rest of an input; zeros follow its end.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn number(&mut self) -> u64 {
        u64::from(self.byte())
    }

    /// A number of up to 64 bits, small ones and the ends being likely.
    pub fn wide(&mut self) -> u64 {
        let (shift, low) = (self.byte(), self.number());
        match shift % 70 {
            bits @ 0..64 => low << bits,
            64..67 => u64::MAX - low,
            _ => low * 1_000,
        }
    }

    pub fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let len = usize::from(self.byte()).min(most).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

/// Both clocks of the node under test.
#[derive(Clone, Copy)]
pub struct Clock {
    pub mono: u64,
    pub wall: u64,
}

impl Clock {
    pub const fn new() -> Self {
        Self {
            mono: 1_000,
            wall: WALL,
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.mono, self.wall)
    }

    fn pass(&mut self, ms: u64) {
        self.mono = self.mono.saturating_add(ms);
        self.wall = self.wall.saturating_add(ms);
    }

    /// Lets time stand, pass or jump; what the next input is told. It may lie in the past.
    pub fn step(&mut self, reader: &mut Reader<'_>) -> Timestamp {
        let (how, n) = (reader.byte(), reader.number());
        match how % 16 {
            8 => self.pass(n),
            9 => self.pass(n * 100),
            10 => self.pass(n * 1_000),
            11 => self.pass(n * 60_000),
            12 => self.wall = self.wall.saturating_sub(n * 3_600_000),
            13 => self.wall = self.wall.saturating_add(n * 86_400_000),
            14 => self.wall = [0, WALL, u64::MAX][usize::from(how / 16) % 3],
            15 => return Timestamp::from_millis(self.mono.saturating_sub(n * 1_000), self.wall),
            _ => {}
        }
        self.now()
    }
}

/// All that a machine has to say after one input.
pub fn drain<M: Machine>(machine: &mut M) -> Vec<M::Output> {
    let mut outputs = Vec::new();
    while let Some(output) = machine.poll_output() {
        outputs.push(output);
        assert!(outputs.len() < OUTPUTS_MAX, "the outputs do not end");
    }
    outputs
}

/// Counts the timers served, and finds those that do not move on.
pub struct Timers {
    end: u64,
    last: u64,
    at_once: usize,
    all: usize,
}

impl Timers {
    /// For a stretch of up to a minute, or of up to an hour.
    pub fn new(clock: &Clock, reader: &mut Reader<'_>) -> Self {
        let (long, n) = (reader.byte() % 8 == 7, reader.number());
        let length = if long { n * 15_000 } else { n * 250 };
        Self {
            end: clock.mono.saturating_add(length),
            last: 0,
            at_once: 0,
            all: 0,
        }
    }

    /// Sets the clock to the next deadline; false when the stretch is over.
    pub fn advance(&mut self, clock: &mut Clock, deadline: Option<u64>) -> bool {
        let due = deadline.filter(|at| *at <= self.end && self.all < TICKS_MAX);
        let to = due.unwrap_or(self.end).max(clock.mono);
        clock.pass(to - clock.mono);
        self.all += 1;
        self.at_once = if self.last == to { self.at_once + 1 } else { 0 };
        self.last = to;
        assert!(
            self.at_once < TICKS_AT_ONCE_MAX,
            "a timer is due again and again at {to} ms"
        );
        due.is_some()
    }
}
