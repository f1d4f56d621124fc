//! What the engines measure anyway, for the chronicle of metrics and past.

use core::time::Duration;

use alloc::vec::Vec;

use repute_base::{Machine, Timestamp};
use repute_identity::NodeId;
use repute_trust::{ChronicleInput, ChronicleOutput, Fault, Sample, Write as TrustWrite};

use super::{Core, Step, Write};

/// Between two looks at the links, at least; and what is drawn on top, so that no peer can be
/// there for the looks alone.
const LOOK_MIN: Duration = Duration::from_secs(600);
const LOOK_SPREAD_MS: u64 = 1_200_000;

impl Core {
    pub(super) fn history(&mut self, now: Timestamp, input: ChronicleInput) {
        let wall = self.trust.time(now.wall);
        self.chronicle.handle(Timestamp { wall, ..now }, input);
        while let Some(output) = self.chronicle.poll_output() {
            let write = match output {
                ChronicleOutput::Put {
                    subject,
                    last_seen,
                    bytes,
                } => Write::Profile {
                    subject,
                    last_seen,
                    bytes,
                },
                ChronicleOutput::Forget(subject) => Write::ForgetProfile(subject),
                _ => continue,
            };
            self.persist(alloc::vec![write]);
        }
    }

    pub(super) fn tell_history(&mut self, input: ChronicleInput) {
        self.inbox.push_back(Step::History(input));
    }

    /// What the ledger wrote down is folded into the metrics.
    pub(super) fn tell_history_of(&mut self, write: &TrustWrite) {
        if let TrustWrite::Record(record) = write {
            self.tell_history(ChronicleInput::Record(*record));
        }
    }

    /// A probe, whoever sent it: a peer that was dialled, or fell silent, or has its link.
    pub(super) fn probed(&mut self, subject: NodeId, answered: bool, fault: Fault) {
        let sample = Sample::Probe { answered };
        self.tell_history(ChronicleInput::Sample {
            subject,
            sample,
            fault,
        });
    }

    /// A dial that failed is a missed probe of whoever was reached before; the network's fault
    /// while no one else answers either.
    pub(super) fn dial_missed(&mut self, peer: NodeId) {
        let known = self.peers.view(peer);
        if known.is_some_and(|view| view.last_connected.is_some()) {
            let fault = match self.peers.active().next() {
                Some(_) => Fault::Theirs,
                None => Fault::Network,
            };
            self.probed(peer, false, fault);
        }
    }

    /// Looks at every link: whether it answers its heartbeats, and how fast.
    pub(super) fn look(&mut self, now: Timestamp) {
        let active: Vec<NodeId> = self.peers.active().collect();
        for peer in active {
            let Some(link) = self.peers.view(peer).and_then(|view| view.link) else {
                continue;
            };
            if link.suspected {
                // Not yet known whose fault it is: the end of the suspicion will tell.
                continue;
            }
            self.probed(peer, true, Fault::Theirs);
            if let Some(ms) = link.latency_ms {
                self.tell_history(ChronicleInput::Sample {
                    subject: peer,
                    sample: Sample::Latency(Duration::from_millis(ms)),
                    fault: Fault::Theirs,
                });
            }
        }
        self.next_look(now);
    }

    pub(super) fn next_look(&mut self, now: Timestamp) {
        let more = Duration::from_millis(self.look_rng.below(LOOK_SPREAD_MS));
        self.look_at = Some(now.mono + LOOK_MIN + more);
    }
}
