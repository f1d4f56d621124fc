//! What is refused, counted, and, where the bytes alone prove it, held against who sent them.

use repute_identity::NodeId;
use repute_protocol::{DecodeError, Misbehaviour, RecordError};

use crate::{Dht, Output};

/// A link that exceeds its budget is blamed once in this time.
const BLAME_PAUSE_MS: u64 = 10_000;

impl Dht {
    pub(crate) fn accuse(&mut self, peer: NodeId, kind: Misbehaviour) {
        if peer != self.me {
            self.emit(Output::Misbehaviour { peer, kind });
        }
    }

    /// No envelope at all.
    pub(crate) fn refuse_bytes(&mut self, peer: NodeId, error: &DecodeError) {
        self.stats.refused_foreign += 1;
        // A version that this build does not know may be a later one.
        if !matches!(error, DecodeError::Invalid(_)) {
            self.accuse(peer, Misbehaviour::InvalidRecord);
        }
    }

    pub(crate) fn refuse_foreign(&mut self, peer: NodeId) {
        self.stats.refused_foreign += 1;
        self.accuse(peer, Misbehaviour::WrongNetwork);
    }

    pub(crate) fn refuse_record(&mut self, peer: NodeId, error: RecordError) {
        self.stats.refuse(error);
        if error.proves_itself() {
            self.accuse(peer, Misbehaviour::InvalidRecord);
        }
    }

    /// Far more requests than were told to be too many.
    pub(crate) fn blame_budget(&mut self, peer: NodeId) {
        self.stats.over_budget += 1;
        let now = self.now.mono;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.blamed_until <= now {
            link.blamed_until = now + core::time::Duration::from_millis(BLAME_PAUSE_MS);
            self.accuse(peer, Misbehaviour::BudgetExceeded);
        }
    }
}
