use crate::{Mono, Timestamp};

/// The face of every engine: inputs in, outputs out, and the time as an argument.
///
/// The caller's duty, after each [`handle`](Machine::handle): call
/// [`poll_output`](Machine::poll_output) until it returns `None`, then sleep until
/// [`next_deadline`](Machine::next_deadline) or the next input, whichever comes first. At the
/// deadline, hand over the machine's timer input.
pub trait Machine {
    /// What the shell hands in.
    type Input;
    /// What the shell must do.
    type Output;

    /// Applies one input. Hostile content never fails: it comes out as evidence.
    fn handle(&mut self, now: Timestamp, input: Self::Input);

    /// The next thing to do, oldest first; `None` once drained.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// When the machine wants its timer input next.
    fn next_deadline(&self) -> Option<Mono>;
}
