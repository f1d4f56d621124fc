use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use repute_base::{Fixed, Machine, Mono, Timestamp, Wall};
use repute_identity::NodeId;

use crate::{
    Ban, Config, ConfigError, Explanation, Gate, Input, Level, Limits, Output, Record, Standing,
};

/// Evidence about peers, folded into standings.
#[derive(Debug)]
pub struct Ledger {
    config: Config,
    #[allow(dead_code)]
    limits: Limits,
    bans: BTreeMap<NodeId, Ban>,
    outputs: VecDeque<Output>,
}

impl Ledger {
    /// An empty ledger.
    ///
    /// # Errors
    /// [`ConfigError`] when the parameters cannot be meant.
    pub fn new(config: Config, limits: Limits) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            limits,
            bans: BTreeMap::new(),
            outputs: VecDeque::new(),
        })
    }

    /// Folds one stored record, oldest first, before the first input.
    pub fn restore(&mut self, _record: &Record) {}

    /// Takes over one stored ban, after the records and before the first input.
    pub fn restore_ban(&mut self, ban: &Ban) {
        self.bans.insert(ban.subject, ban.clone());
    }

    /// Where a peer stands. Reading never changes anything.
    pub fn standing(&self, subject: NodeId, _wall: Wall) -> Standing {
        Standing {
            trust: self.config.initial,
            belief: Fixed::ZERO,
            uncertainty: Fixed::ONE,
            level: Level::Unknown,
            gate: self.bans.get(&subject).map_or(Gate::Open, Ban::gate),
        }
    }

    /// Every peer there is evidence about, by id.
    pub fn subjects(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.bans.keys().copied()
    }

    /// Every ban that has not lapsed, by id.
    pub fn bans(&self, wall: Wall) -> impl Iterator<Item = &Ban> {
        self.bans.values().filter(move |ban| !ban.lapsed(wall))
    }

    /// The last records about a peer, oldest first.
    pub fn recent(&self, _subject: NodeId) -> Vec<Record> {
        Vec::new()
    }

    /// Recomputes a standing from stored records, oldest first.
    pub fn explain(&self, subject: NodeId, _records: &[Record], wall: Wall) -> Explanation {
        Explanation {
            subject,
            at: wall,
            standing: self.standing(subject, wall),
            matches: true,
            useful: Fixed::ZERO,
            hard: Fixed::ZERO,
            soft: Fixed::ZERO,
            lines: Vec::new(),
        }
    }

    /// The policy in force.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl Machine for Ledger {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, _now: Timestamp, _input: Input) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        None
    }
}
