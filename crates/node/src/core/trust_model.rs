use alloc::vec::Vec;

use repute_base::{Machine, Mono, Timestamp, Wall};
use repute_identity::NodeId;
use repute_trust::{Ban, Explanation, Input, Ledger, Output, Record, Standing};

/// What the core asks of a trust model: the face of [`Ledger`], so that an application can put
/// its own in its place, most simply by wrapping one.
pub trait TrustModel: Send {
    /// Folds a stored record, oldest first, before the node starts.
    fn restore(&mut self, record: &Record);
    /// Takes a stored ban over, before the node starts.
    fn restore_ban(&mut self, ban: &Ban);
    /// Applies one input.
    fn handle(&mut self, now: Timestamp, input: Input);
    /// The next output, oldest first.
    fn poll_output(&mut self) -> Option<Output>;
    /// When it wants [`Input::Tick`].
    fn next_deadline(&self) -> Option<Mono>;
    /// The model's own time for a reader whose clock shows `now`; the ends of bans are in this time.
    /// `now` itself, unless the model guards against clocks that jump.
    fn time(&self, now: Wall) -> Wall {
        now
    }
    /// What is thought of `subject`. Reading never changes anything.
    fn standing(&self, subject: NodeId, now: Wall) -> Standing;
    /// Everybody about whom there is evidence.
    fn subjects(&self) -> Vec<NodeId>;
    /// The bans in force.
    fn bans(&self, now: Wall) -> Vec<Ban>;
    /// Recomputes the score of `subject` from its stored records and says why it is what it is.
    fn explain(&self, subject: NodeId, records: &[Record], now: Wall) -> Explanation;
}

impl TrustModel for Ledger {
    fn restore(&mut self, record: &Record) {
        Ledger::restore(self, record);
    }

    fn restore_ban(&mut self, ban: &Ban) {
        Ledger::restore_ban(self, ban);
    }

    fn handle(&mut self, now: Timestamp, input: Input) {
        Machine::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Machine::poll_output(self)
    }

    fn next_deadline(&self) -> Option<Mono> {
        Machine::next_deadline(self)
    }

    fn time(&self, now: Wall) -> Wall {
        Ledger::time(self, now)
    }

    fn standing(&self, subject: NodeId, now: Wall) -> Standing {
        Ledger::standing(self, subject, now)
    }

    fn subjects(&self) -> Vec<NodeId> {
        Ledger::subjects(self).collect()
    }

    fn bans(&self, now: Wall) -> Vec<Ban> {
        Ledger::bans(self, now).cloned().collect()
    }

    fn explain(&self, subject: NodeId, records: &[Record], now: Wall) -> Explanation {
        Ledger::explain(self, subject, records, now)
    }
}
