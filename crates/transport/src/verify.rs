//! Fair shares of the processor for checking signatures.
//!
//! Checking is the dearest thing that a peer can make us do. A [`VerifyQueue`] holds what waits to
//! be checked, one lane a peer, and hands out batches that take from the lanes in turn. A peer
//! with a bad signature in the last minute is checked apart from the others, so that its forgeries
//! cannot break their batches, and at a limited rate; what it sends beyond waits, and beyond that
//! is dropped and counted.
//!
//! The queue has no thread and no clock: the node calls it, checks the batch wherever it likes
//! (inline in a simulation, on a worker elsewhere) and reports the verdicts.

use core::{fmt, time::Duration};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use repute_base::{Mono, TokenBucket};
use repute_identity::{NodeId, Verifier};
use repute_protocol::{Envelope, Verified, verify_all, verify_all_with};

/// The bounds of a [`VerifyQueue`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct VerifyLimits {
    /// Envelopes in one batch: beyond it a batch gains little and delays its first member.
    pub batch_max: usize,
    /// Envelopes of one peer that wait: half a second of the fastest checking.
    pub waiting_per_peer_max: usize,
    /// Bytes of one peer's envelopes that wait.
    pub bytes_per_peer_max: usize,
    /// Bytes of envelopes that wait, over all peers.
    pub bytes_max: usize,
    /// Checks a second for a suspect.
    pub suspect_rate: u64,
    /// How long a bad signature makes its sender a suspect.
    pub suspect_time: Duration,
    /// Suspects that are remembered while nothing of theirs waits; the one suspected longest ago
    /// is forgotten first.
    pub suspects_max: usize,
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self {
            batch_max: 64,
            waiting_per_peer_max: 16_384,
            bytes_per_peer_max: 4 * 1024 * 1024,
            bytes_max: 32 * 1024 * 1024,
            suspect_rate: 500,
            suspect_time: Duration::from_secs(60),
            suspects_max: 1_024,
        }
    }
}

/// An envelope found no room, and was dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "too much waits to be checked ({bytes} bytes, {of_peer} of this peer); the envelope was dropped"
)]
pub struct QueueFull {
    /// Bytes that wait, of all peers.
    pub bytes: usize,
    /// Bytes that wait of the peer that sent it.
    pub of_peer: usize,
}

/// Envelopes to check together, each with the peer that sent it.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    envelopes: Vec<Envelope>,
    senders: Vec<NodeId>,
}

impl Batch {
    /// How many.
    pub fn len(&self) -> usize {
        self.envelopes.len()
    }

    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// How many different signatures: what checking it really costs.
    pub fn signatures(&self) -> usize {
        let signatures = self.envelopes.iter().map(|one| one.signature().as_bytes());
        signatures.collect::<BTreeSet<_>>().len()
    }

    /// Who sent them, in order.
    pub fn senders(&self) -> &[NodeId] {
        &self.senders
    }

    /// Checks them all: who sent it, and the proven envelope or the forged one, in order.
    ///
    /// `entropy` must be unpredictable to the authors. This takes about 15 µs of a core for each
    /// envelope.
    pub fn check(self, entropy: [u8; 32]) -> Vec<(NodeId, Result<Verified<Envelope>, Envelope>)> {
        self.senders
            .into_iter()
            .zip(verify_all(self.envelopes, entropy))
            .collect()
    }

    /// As [`Batch::check`], with a verifier that remembers the authors' keys.
    pub fn check_with(
        self,
        verifier: &mut Verifier,
    ) -> Vec<(NodeId, Result<Verified<Envelope>, Envelope>)> {
        self.senders
            .into_iter()
            .zip(verify_all_with(verifier, self.envelopes))
            .collect()
    }
}

/// What a suspect may still use, and since when it is one.
#[derive(Debug)]
struct Suspicion {
    since: Mono,
    budget: TokenBucket,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Envelope>,
    bytes: usize,
}

/// See the [module](self).
pub struct VerifyQueue {
    limits: VerifyLimits,
    lanes: BTreeMap<NodeId, Lane>,
    /// Whose turn it is: peers with something waiting, in turn; suspects apart.
    turns: VecDeque<NodeId>,
    suspect_turns: VecDeque<NodeId>,
    suspects: BTreeMap<NodeId, Suspicion>,
    suspects_next: bool,
    bytes: usize,
    waiting: usize,
    dropped: u64,
}

impl VerifyQueue {
    /// An empty queue.
    pub fn new(limits: VerifyLimits) -> Self {
        Self {
            limits,
            lanes: BTreeMap::new(),
            turns: VecDeque::new(),
            suspect_turns: VecDeque::new(),
            suspects: BTreeMap::new(),
            suspects_next: false,
            bytes: 0,
            waiting: 0,
            dropped: 0,
        }
    }

    /// Queues an envelope that `from` sent.
    ///
    /// # Errors
    /// [`QueueFull`] when the peer's lane or the whole queue is full; the envelope is dropped.
    pub fn push(&mut self, from: NodeId, envelope: Envelope) -> Result<(), QueueFull> {
        let size = envelope.wire().len();
        let lane = self.lanes.get(&from);
        let (count, bytes) = lane.map_or((0, 0), |lane| (lane.waiting.len(), lane.bytes));
        if count >= self.limits.waiting_per_peer_max
            || bytes.saturating_add(size) > self.limits.bytes_per_peer_max
            || self.bytes.saturating_add(size) > self.limits.bytes_max
        {
            self.dropped = self.dropped.saturating_add(1);
            return Err(QueueFull {
                bytes: self.bytes,
                of_peer: bytes,
            });
        }
        let lane = self.lanes.entry(from).or_default();
        lane.waiting.push_back(envelope);
        lane.bytes += size;
        self.bytes += size;
        self.waiting += 1;
        if count == 0 {
            if self.suspects.contains_key(&from) {
                self.suspect_turns.push_back(from);
            } else {
                self.turns.push_back(from);
            }
        }
        Ok(())
    }

    /// The next envelopes to check, at most [`VerifyLimits::batch_max`]; empty when nothing may be
    /// checked now.
    ///
    /// Suspects and others get turns at batches, never one batch together.
    pub fn take_batch(&mut self, now: Mono) -> Batch {
        self.pardon(now);
        let suspects_first = self.suspects_next;
        self.suspects_next = !suspects_first;
        let mut batch = if suspects_first {
            self.take_suspects(now)
        } else {
            self.take_unsuspected()
        };
        if batch.is_empty() {
            batch = if suspects_first {
                self.take_unsuspected()
            } else {
                self.take_suspects(now)
            };
        }
        batch
    }

    /// Notes a verdict, so that the sender of a forgery becomes a suspect.
    pub fn report(&mut self, now: Mono, from: NodeId, proven: bool) {
        if proven {
            return;
        }
        if let Some(suspicion) = self.suspects.get_mut(&from) {
            suspicion.since = suspicion.since.max(now);
            return;
        }
        if self.suspects.len() >= self.limits.suspects_max {
            // A suspect with something waiting keeps its place in the turns.
            let idle = self
                .suspects
                .iter()
                .filter(|(peer, _)| !self.lanes.contains_key(peer));
            let oldest = idle
                .min_by_key(|(_, suspicion)| suspicion.since)
                .map(|(peer, _)| *peer);
            if let Some(peer) = oldest {
                self.suspects.remove(&peer);
            }
        }
        let rate = self.limits.suspect_rate;
        // No burst beyond a batch: the rate shall hold over short times too.
        let burst = rate.min(self.limits.batch_max as u64).max(1);
        let suspicion = Suspicion {
            since: now,
            budget: TokenBucket::new(rate, burst, now),
        };
        self.suspects.insert(from, suspicion);
        if self.lanes.contains_key(&from) {
            self.turns.retain(|peer| *peer != from);
            self.suspect_turns.push_back(from);
        }
    }

    /// Drops what waits of a peer whose link is gone. Suspicion stays.
    pub fn forget(&mut self, peer: NodeId) {
        if let Some(lane) = self.lanes.remove(&peer) {
            self.bytes = self.bytes.saturating_sub(lane.bytes);
            self.waiting = self.waiting.saturating_sub(lane.waiting.len());
            self.turns.retain(|other| *other != peer);
            self.suspect_turns.retain(|other| *other != peer);
        }
    }

    /// How long until [`take_batch`](Self::take_batch) has something: zero if it has now, `None`
    /// if nothing waits.
    pub fn ready_in(&mut self, now: Mono) -> Option<Duration> {
        self.pardon(now);
        if !self.turns.is_empty() {
            return Some(Duration::ZERO);
        }
        let suspects = &mut self.suspects;
        self.suspect_turns
            .iter()
            .filter_map(|peer| {
                suspects
                    .get_mut(peer)
                    .map(|suspicion| suspicion.budget.wait(now, 1))
            })
            .min()
    }

    /// Envelopes that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Envelopes that wait and whose senders are no suspects: work that nothing slows down.
    pub fn unsuspected_len(&self) -> usize {
        if self.suspect_turns.is_empty() {
            return self.waiting;
        }
        let lanes = self.turns.iter().filter_map(|peer| self.lanes.get(peer));
        lanes.map(|lane| lane.waiting.len()).sum()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Envelopes that were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether `peer` sent a bad signature in the last minute.
    pub fn is_suspect(&self, peer: NodeId) -> bool {
        self.suspects.contains_key(&peer)
    }

    fn pardon(&mut self, now: Mono) {
        let time = self.limits.suspect_time;
        let over: Vec<NodeId> = self
            .suspects
            .iter()
            .filter(|(_, suspicion)| now.since(suspicion.since) >= time)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in over {
            self.suspects.remove(&peer);
            if self.lanes.contains_key(&peer) {
                self.suspect_turns.retain(|other| *other != peer);
                self.turns.push_back(peer);
            }
        }
    }

    fn take_unsuspected(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.len() < self.limits.batch_max {
            let Some(peer) = self.turns.pop_front() else {
                break;
            };
            if self.take_one(peer, &mut batch) {
                self.turns.push_back(peer);
            }
        }
        batch
    }

    fn take_suspects(&mut self, now: Mono) -> Batch {
        let mut batch = Batch::default();
        // Each round asks every waiting suspect once; the rest ends when nobody may any more.
        let mut refused = 0;
        while batch.len() < self.limits.batch_max && refused < self.suspect_turns.len() {
            let Some(peer) = self.suspect_turns.pop_front() else {
                break;
            };
            let allowed = self
                .suspects
                .get_mut(&peer)
                .is_none_or(|suspicion| suspicion.budget.take(now, 1));
            if !allowed {
                refused += 1;
                self.suspect_turns.push_back(peer);
                continue;
            }
            refused = 0;
            if self.take_one(peer, &mut batch) {
                self.suspect_turns.push_back(peer);
            }
        }
        batch
    }

    /// Moves the first envelope of a lane into the batch; whether more are waiting there.
    fn take_one(&mut self, peer: NodeId, batch: &mut Batch) -> bool {
        let Some(lane) = self.lanes.get_mut(&peer) else {
            return false;
        };
        if let Some(envelope) = lane.waiting.pop_front() {
            let size = envelope.wire().len();
            lane.bytes = lane.bytes.saturating_sub(size);
            self.bytes = self.bytes.saturating_sub(size);
            self.waiting = self.waiting.saturating_sub(1);
            batch.envelopes.push(envelope);
            batch.senders.push(peer);
        }
        let more = !lane.waiting.is_empty();
        if !more {
            self.lanes.remove(&peer);
        }
        more
    }
}

impl fmt::Debug for VerifyQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyQueue")
            .field("waiting", &self.waiting)
            .field("bytes", &self.bytes)
            .field("suspects", &self.suspects.len())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}
