use alloc::{collections::VecDeque, vec::Vec};

use repute_base::{Machine, Mono, Rng, Timestamp};
use repute_identity::NodeId;
use repute_protocol::{Contact, Envelope, NetworkId, RecordKey, Verified};

use crate::{Config, ConfigError, FoundRecord, Input, Limits, Output, Stats};

/// The DHT engine: a Kademlia table, iterative lookups and signed records as one machine.
#[derive(Clone, Debug)]
pub struct Dht {
    pub(crate) me: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) rng: Rng,
    pub(crate) now: Timestamp,
    pub(crate) stats: Stats,
    outputs: VecDeque<Output>,
}

impl Dht {
    /// An engine for the node `me` of `network`.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting is out of range.
    pub fn new(
        config: Config,
        limits: Limits,
        me: NodeId,
        network: NetworkId,
        rng: Rng,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            me,
            network,
            config,
            limits,
            rng,
            now: Timestamp::default(),
            stats: Stats::default(),
            outputs: VecDeque::new(),
        })
    }

    /// Takes back contacts that an earlier run persisted. Call before the first input.
    pub fn restore_contacts(&mut self, contacts: impl IntoIterator<Item = Contact>) {
        drop(contacts.into_iter().take(self.limits.contacts_stored_max));
    }

    /// Takes back a record that an earlier run persisted; what has expired meanwhile is dropped
    /// in time. Call before the first input.
    pub fn restore_record(&mut self, envelope: Verified<Envelope>) {
        drop(envelope);
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Whether this node serves others.
    pub fn is_serving(&self) -> bool {
        self.stats.serving
    }

    /// The contacts of the table, closest to this node first.
    pub fn contacts(&self) -> Vec<Contact> {
        Vec::new()
    }

    /// The closest contacts to a place that this node knows without asking, at most `count`.
    pub fn closest(&self, target: RecordKey, count: usize) -> Vec<Contact> {
        drop((target, count));
        Vec::new()
    }

    /// The records kept here at a key that have not expired.
    pub fn records(&self, key: RecordKey) -> Vec<FoundRecord> {
        let _ = key;
        Vec::new()
    }
}

impl Machine for Dht {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs before the next input"
        );
        self.now = Timestamp {
            mono: self.now.mono.max(now.mono),
            wall: now.wall,
        };
        drop(input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        None
    }
}
