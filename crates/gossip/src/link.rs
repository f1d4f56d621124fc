use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use bytes::Bytes;
use repute_base::{Address, Mono, TokenBucket};
use repute_protocol::{Announced, MessageId};

use crate::{Limits, hold::Crowd, score::Score};

/// Reconciliation steps a second that one link may cause, and at once: a late joiner needs many.
const RECONCILE_RATE: u64 = 16;
const RECONCILE_BURST: u64 = 256;

/// A reconciliation that we began on a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) number: u64,
    pub(crate) began: Mono,
    pub(crate) rounds: u32,
    pub(crate) floor: u64,
}

/// Everything about one linked peer.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) addresses: Vec<Address>,
    /// Pushed to, rather than announced to; matters while in the active view.
    pub(crate) eager: bool,
    /// Of the messages that were pushed to us, the number of the last new one it pushed.
    pub(crate) fed: u64,
    pub(crate) distrusted: bool,
    /// We dialled it.
    pub(crate) dialled: bool,
    pub(crate) score: Score,
    /// Bytes handed to the shell and not yet written.
    pub(crate) outstanding: usize,
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) queued_bytes: usize,
    /// While the queue is crowded.
    pub(crate) crowd: Option<Crowd>,
    /// Messages the peer asked for, served as credit allows.
    pub(crate) serve: VecDeque<MessageId>,
    /// Announcements gathered for the peer.
    pub(crate) announce: VecDeque<Announced>,
    /// Messages to ask the peer for, a few at a time.
    pub(crate) fetch: VecDeque<MessageId>,
    pub(crate) in_flight: BTreeSet<MessageId>,
    pub(crate) fetch_progress: Mono,
    /// Messages of this link that wait for their signature check.
    pub(crate) pending: usize,
    pub(crate) frames: TokenBucket,
    pub(crate) control: TokenBucket,
    pub(crate) reconcile: TokenBucket,
    pub(crate) blamed_until: Mono,
    /// When we asked it to become a neighbour, until it answers.
    pub(crate) asked: Option<Mono>,
    pub(crate) refused_at: Option<Mono>,
    pub(crate) refused_until: Mono,
    /// It had to leave the active view: until then it takes nobody's place there.
    pub(crate) dismissed_until: Mono,
    /// When we last corrected the peer's view of the link.
    pub(crate) corrected: Option<Mono>,
    pub(crate) pruned: Option<Mono>,
    /// Soon after it had been pruned before.
    pub(crate) pruned_again: bool,
    /// Messages in a row that it announced and gave on request, though we take it for eager.
    pub(crate) unpushed: u8,
    pub(crate) grafted: Option<Mono>,
    /// By how many links its path was shorter than the tree's, a moving mean in 256ths.
    pub(crate) ahead: i32,
    pub(crate) sync_due: Option<Mono>,
    pub(crate) session: Option<Session>,
}

impl Link {
    pub(crate) fn new(addresses: Vec<Address>, limits: &Limits, now: Mono) -> Self {
        Self {
            addresses,
            eager: true,
            fed: 0,
            distrusted: false,
            dialled: false,
            score: Score::default(),
            outstanding: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            crowd: None,
            serve: VecDeque::new(),
            announce: VecDeque::new(),
            fetch: VecDeque::new(),
            in_flight: BTreeSet::new(),
            fetch_progress: now,
            pending: 0,
            frames: TokenBucket::new(limits.link_frames_rate, limits.link_frames_burst, now),
            control: TokenBucket::new(limits.link_control_rate, limits.link_control_burst, now),
            reconcile: TokenBucket::new(RECONCILE_RATE, RECONCILE_BURST, now),
            blamed_until: Mono::ZERO,
            asked: None,
            refused_at: None,
            refused_until: Mono::ZERO,
            dismissed_until: Mono::ZERO,
            corrected: None,
            pruned: None,
            pruned_again: false,
            unpushed: 0,
            grafted: None,
            ahead: 0,
            sync_due: None,
            session: None,
        }
    }

    /// It is not asked to become a neighbour for so long.
    pub(crate) fn refuse(&mut self, now: Mono, pause: Duration) {
        self.refused_at = Some(now);
        self.refused_until = now + pause;
    }

    pub(crate) const fn is_congested(&self, limits: &Limits) -> bool {
        self.outstanding >= limits.link_credit_bytes
    }

    /// Takes a frame for the peer: the frame itself when it may go now, nothing when it was
    /// queued, an error when the queue is full.
    pub(crate) fn offer(&mut self, frame: &Bytes, limits: &Limits) -> Result<Option<Bytes>, Full> {
        if self.queue.is_empty() && !self.is_congested(limits) {
            self.outstanding = self.outstanding.saturating_add(frame.len());
            return Ok(Some(frame.clone()));
        }
        if self.queued_bytes.saturating_add(frame.len()) > limits.link_queue_bytes_max {
            return Err(Full);
        }
        self.queued_bytes += frame.len();
        self.queue.push_back(frame.clone());
        Ok(None)
    }

    /// Whether an urgent frame, which waits for no credit, may go. A link that has taken nothing for
    /// so long gets none either.
    pub(crate) const fn takes_urgent(&mut self, bytes: usize, limits: &Limits) -> bool {
        let max = limits
            .link_credit_bytes
            .saturating_add(limits.link_queue_bytes_max);
        if self.outstanding >= max {
            return false;
        }
        self.outstanding = self.outstanding.saturating_add(bytes);
        true
    }

    /// The next queued frame that credit allows.
    pub(crate) fn next_queued(&mut self, limits: &Limits) -> Option<Bytes> {
        if self.is_congested(limits) {
            return None;
        }
        let frame = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(frame.len());
        self.outstanding = self.outstanding.saturating_add(frame.len());
        Some(frame)
    }

    /// The same message took so many links over the tree, and so many to this neighbour.
    pub(crate) fn compare(&mut self, tree: u8, here: u8) {
        self.ahead += (256 * (i32::from(tree) - i32::from(here)) - self.ahead) / 16;
    }

    /// Whether its path is shorter than the tree's by more than `hops`, taken over senders
    /// everywhere: what is shorter for one sender alone is longer for another.
    pub(crate) fn is_ahead(&self, hops: u8) -> bool {
        self.ahead > 256 * i32::from(hops)
    }

    /// Adds an announcement; false if the oldest had to go.
    pub(crate) fn announce(&mut self, message: Announced, max: usize) -> bool {
        self.announce.push_back(message);
        if self.announce.len() > max {
            self.announce.pop_front();
            return false;
        }
        true
    }
}

/// The queue of a link has no room.
#[derive(Debug)]
pub(crate) struct Full;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_not_drained_holds_a_bounded_queue() {
        let limits = Limits {
            link_credit_bytes: 1_000,
            link_queue_bytes_max: 2_000,
            ..Limits::default()
        };
        let mut link = Link::new(Vec::new(), &limits, Mono::ZERO);
        let frame = Bytes::from(alloc::vec![0; 100]);
        let (mut sent, mut queued, mut refused) = (0, 0, 0);
        for _ in 0..100 {
            match link.offer(&frame, &limits) {
                Ok(Some(_)) => sent += 1,
                Ok(None) => queued += 1,
                Err(Full) => refused += 1,
            }
        }
        assert_eq!((sent, queued, refused), (10, 20, 70));
        link.outstanding = 0;
        let drained = core::iter::from_fn(|| link.next_queued(&limits)).count();
        assert_eq!((drained, link.queued_bytes), (10, 1_000));
    }
}
