use alloc::{vec, vec::Vec};

use bytes::Bytes;
use repute_base::Layer;
use repute_identity::NodeId;
use repute_protocol::{Envelope, MessageId, Misbehaviour, Verified};

use crate::{Gossip, Output, broadcast::Arrival};

/// Senders of one copy that are remembered.
const SENDERS_MAX: usize = 64;

/// A message that waits for its signature check. An id says nothing about the authenticator, so
/// copies with other authenticators are kept until one proves valid: a forged copy that comes first
/// cannot censor the original.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Whose share of the table it takes: the sender of the first copy.
    owner: NodeId,
    bytes: usize,
    /// The first is being checked.
    candidates: Vec<Candidate>,
}

#[derive(Clone, Debug)]
struct Candidate {
    /// `None` while the shell has it.
    envelope: Option<Envelope>,
    authenticator: Bytes,
    arrival: Arrival,
    /// Who sent it, and whether as a push.
    senders: Vec<(NodeId, bool)>,
}

impl Gossip {
    /// Puts a new message in line for its signature check.
    pub(crate) fn check(&mut self, peer: NodeId, arrival: Arrival, envelope: Envelope) {
        let id = envelope.id();
        let sender = (peer, !arrival.requested);
        let authenticator = envelope.authenticator();
        let bytes = envelope.wire().len();
        if let Some(waiting) = self.pending.get_mut(&id) {
            let mut candidates = waiting.candidates.iter_mut();
            if let Some(same) = candidates.find(|copy| copy.authenticator == authenticator) {
                if same.senders.len() < SENDERS_MAX {
                    same.senders.push(sender);
                }
                return;
            }
            let had_turn = waiting.candidates.iter().any(|copy| {
                copy.senders
                    .first()
                    .is_some_and(|(first, _)| *first == peer)
            });
            if !had_turn && waiting.candidates.len() < self.limits.candidates_max {
                waiting.bytes += bytes;
                self.pending_bytes += bytes;
                let envelope = Some(envelope);
                let senders = vec![sender];
                waiting.candidates.push(Candidate {
                    envelope,
                    authenticator,
                    arrival,
                    senders,
                });
                return;
            }
            // It can be asked for again, should all the copies at hand turn out forged.
            return self.note_holder(id, peer);
        }
        let room = self.pending.len() < self.limits.pending_max
            && self.pending_bytes.saturating_add(bytes) <= self.limits.pending_bytes_max;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if !room || link.pending >= self.limits.pending_per_link_max {
            self.stats.dropped_by_pending += 1;
            self.refuse_unchecked();
            return self.note_holder(id, peer);
        }
        link.pending += 1;
        self.pending_bytes += bytes;
        let copy = Candidate {
            envelope: None,
            authenticator,
            arrival,
            senders: vec![sender],
        };
        self.pending.insert(
            id,
            Waiting {
                owner: peer,
                bytes,
                candidates: vec![copy],
            },
        );
        self.emit(Output::Verify {
            from: peer,
            envelope,
        });
    }

    /// A link may have so many signatures waiting.
    fn refuse_unchecked(&mut self) {
        self.layers
            .refuse(Layer::LinkQuota, "too many wait for their check");
    }

    pub(crate) fn on_verified(&mut self, from: NodeId, envelope: Verified<Envelope>) {
        let id = envelope.id();
        if self.archive.contains(&id) {
            return;
        }
        let waiting = self.close(&id);
        let authenticator = envelope.authenticator();
        let mut copies = waiting.iter().flat_map(|waiting| &waiting.candidates);
        match copies.find(|copy| copy.authenticator == authenticator) {
            Some(copy) => self.accept(envelope, copy.arrival, &copy.senders),
            None => {
                let arrival = Arrival {
                    hops: 1,
                    ttl: 0,
                    requested: false,
                };
                self.accept(envelope, arrival, &[(from, false)]);
            }
        }
    }

    pub(crate) fn on_forged(&mut self, from: NodeId, envelope: &Envelope) {
        let id = envelope.id();
        // An honest peer checks before it forwards, so everyone who sent this copy is to blame.
        let mut guilty = self.reject(from, envelope);
        guilty.sort_unstable();
        guilty.dedup();
        for peer in guilty {
            self.stats.forged += 1;
            self.disbelieve_holder(&id, peer);
            self.accuse(peer, Misbehaviour::ForgedEnvelope);
        }
    }

    pub(crate) fn on_unchecked(&mut self, from: NodeId, envelope: &Envelope) {
        self.stats.dropped_by_pending += 1;
        self.refuse_unchecked();
        for holder in self.reject(from, envelope) {
            self.note_holder(envelope.id(), holder);
        }
    }

    /// Puts a copy aside, checks the next one if there is one, and tells who sent the first.
    fn reject(&mut self, from: NodeId, envelope: &Envelope) -> Vec<NodeId> {
        let id = envelope.id();
        let Some(waiting) = self.pending.get_mut(&id) else {
            return Vec::new();
        };
        let authenticator = envelope.authenticator();
        let Some(place) = waiting
            .candidates
            .iter()
            .position(|copy| copy.authenticator == authenticator)
        else {
            return Vec::new();
        };
        let rejected = waiting.candidates.remove(place);
        let next = waiting.candidates.first_mut().and_then(|copy| {
            let sender = copy.senders.first().map_or(from, |(sender, _)| *sender);
            Some((sender, copy.envelope.take()?))
        });
        if waiting.candidates.is_empty() {
            self.close(&id);
        }
        if let Some((from, envelope)) = next {
            self.emit(Output::Verify { from, envelope });
        }
        rejected.senders.into_iter().map(|(peer, _)| peer).collect()
    }

    fn close(&mut self, id: &MessageId) -> Option<Waiting> {
        let waiting = self.pending.remove(id)?;
        self.pending_bytes = self.pending_bytes.saturating_sub(waiting.bytes);
        if let Some(link) = self.links.get_mut(&waiting.owner) {
            link.pending = link.pending.saturating_sub(1);
        }
        Some(waiting)
    }
}
