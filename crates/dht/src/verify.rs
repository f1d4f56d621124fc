//! Records that wait for their signature check: each copy once, whoever brought it.

use alloc::{collections::BTreeMap, vec::Vec};

use bytes::Bytes;
use repute_identity::NodeId;
use repute_protocol::{Envelope, Filed, MessageId, Misbehaviour, Verified};

use crate::{Dht, Output};

/// Who waits for a verdict, and who brought the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    Lookup {
        id: u64,
        peer: NodeId,
    },
    /// A record of a request to store.
    Store {
        job: u64,
        place: usize,
        peer: NodeId,
    },
}

impl Waiter {
    const fn peer(self) -> NodeId {
        match self {
            Self::Lookup { peer, .. } | Self::Store { peer, .. } => peer,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Pending {
    filed: Filed,
    waiters: Vec<Waiter>,
}

/// By message and by what is said to prove it: a forged copy must not be taken for the original.
pub(crate) type Verifying = BTreeMap<(MessageId, Bytes), Pending>;

impl Dht {
    /// Has a signature checked. False if there is no room.
    pub(crate) fn verify(
        &mut self,
        from: NodeId,
        envelope: Envelope,
        filed: Filed,
        waiter: Waiter,
    ) -> bool {
        let per_peer = self.limits.verifying_per_peer_max;
        let mut link = self.links.get_mut(&from);
        if link.as_ref().is_some_and(|link| link.verifying >= per_peer) {
            return false;
        }
        let room = self.verifying.len() < self.limits.verifying_max;
        let copy = (envelope.id(), envelope.authenticator());
        if let Some(pending) = self.verifying.get_mut(&copy) {
            if pending.waiters.len() >= per_peer {
                return false;
            }
            pending.waiters.push(waiter);
        } else if room {
            let waiters = alloc::vec![waiter];
            self.verifying.insert(copy, Pending { filed, waiters });
            self.outputs.push_back(Output::Verify { from, envelope });
        } else {
            return false;
        }
        if let Some(link) = &mut link {
            link.verifying += 1;
        }
        true
    }

    pub(crate) fn on_verified(&mut self, envelope: &Verified<Envelope>) {
        let Some((pending, peers)) = self.take_pending(envelope) else {
            return;
        };
        for waiter in peers {
            let verdict = Some((envelope, &pending));
            self.on_verdict(waiter, verdict, false);
        }
    }

    pub(crate) fn on_forged(&mut self, envelope: &Envelope) {
        let Some((_, waiters)) = self.take_pending(envelope) else {
            return;
        };
        for waiter in waiters {
            self.stats.refused_forged += 1;
            // Honest nodes check before they store, and before they serve.
            self.emit(Output::Misbehaviour {
                peer: waiter.peer(),
                kind: Misbehaviour::ForgedEnvelope,
            });
            self.on_verdict(waiter, None, true);
        }
    }

    pub(crate) fn on_unchecked(&mut self, envelope: &Envelope) {
        let Some((_, waiters)) = self.take_pending(envelope) else {
            return;
        };
        for waiter in waiters {
            self.on_verdict(waiter, None, false);
        }
    }

    fn take_pending(&mut self, envelope: &Envelope) -> Option<(Filed, Vec<Waiter>)> {
        let copy = (envelope.id(), envelope.authenticator());
        let pending = self.verifying.remove(&copy)?;
        for waiter in &pending.waiters {
            if let Some(link) = self.links.get_mut(&waiter.peer()) {
                link.verifying = link.verifying.saturating_sub(1);
            }
        }
        Some((pending.filed, pending.waiters))
    }

    fn on_verdict(
        &mut self,
        waiter: Waiter,
        verdict: Option<(&Verified<Envelope>, &Filed)>,
        forged: bool,
    ) {
        match waiter {
            Waiter::Lookup { id, peer } => self.on_lookup_verdict(id, peer, verdict, forged),
            Waiter::Store { job, place, peer } => {
                self.on_store_verdict(job, place, peer, verdict, forged);
            }
        }
    }
}
