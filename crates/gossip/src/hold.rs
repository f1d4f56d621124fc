//! Back-pressure from link to link: who cannot pass on what it reads stops reading.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;

use crate::{Gossip, Output, link::Link};

/// A queue is crowded from this part of its limit on: the rest is for what has been read already.
const CROWDED: usize = 8;
/// How long a crowded link is waited for before its rate is judged.
const GRACE: Duration = Duration::from_millis(250);
/// A crowded link that takes fewer bytes a second is not waited for: one slow peer is no reason to
/// keep messages from all others. It hears of what it missed by announcement.
const RATE_MIN: u64 = 256 << 10;
/// The rate of a link is that of the last time so long, or up to twice that.
const RATE_OVER: Duration = Duration::from_secs(1);
/// What everybody keeps for others must last so long, or nothing more is published for now: else
/// who misses a message asks for it in vain. Repair takes a few round trips of a busy network.
const KEPT_FOR_MIN: Duration = Duration::from_millis(300);
/// The same while the tree changes, which it does all over the network when it is young: what is
/// missed then is missed by the hundred.
const KEPT_FOR_MIN_MENDING: Duration = Duration::from_millis(800);
/// How long after a prune, a graft or a request the tree is taken to change.
const MENDING: Duration = Duration::from_millis(500);
/// Between two judgements while a crowded neighbour is waited for.
const JUDGE: Duration = Duration::from_millis(100);

/// What a link has taken since its queue became crowded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    since: Mono,
    drained: u64,
    /// It took too little while it was last judged.
    slow: bool,
}

impl Crowd {
    const fn new(now: Mono) -> Self {
        Self {
            since: now,
            drained: 0,
            slow: false,
        }
    }

    fn takes_enough(&self, now: Mono) -> bool {
        let elapsed = now.since(self.since);
        let least = u128::from(RATE_MIN) * elapsed.as_millis() / 1_000;
        elapsed < 2 * RATE_OVER && u128::from(self.drained) >= least
    }

    fn drain(&mut self, now: Mono, bytes: usize) {
        self.drained = self.drained.saturating_add(bytes as u64);
        if now.since(self.since) >= RATE_OVER {
            self.slow = !self.takes_enough(now);
            self.since = now;
            self.drained = 0;
        }
    }

    /// Whether the link takes enough to be waited for.
    fn is_moving(&self, now: Mono) -> bool {
        if now.since(self.since) < GRACE {
            !self.slow
        } else {
            self.takes_enough(now)
        }
    }

    /// Whether time alone may change the judgement. A link that stands still is judged again once it
    /// takes something.
    fn is_open(&self, now: Mono) -> bool {
        now.since(self.since) < GRACE || self.takes_enough(now)
    }
}

/// Which links are crowded, and whom we do not read from because of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold {
    crowded: BTreeSet<NodeId>,
    moving: bool,
    held: Vec<NodeId>,
    due: Option<Mono>,
    /// Until then messages come faster than they can be kept for others.
    outrun_until: Option<Mono>,
    /// When a neighbour last pruned, grafted or asked for something.
    mended: Option<Mono>,
}

impl Hold {
    /// Whether nothing is to be published: a link that will soon have room is waited for, or
    /// messages come faster than they can be kept.
    pub(crate) const fn is_on(&self) -> bool {
        self.moving || self.outrun_until.is_some()
    }

    /// Whether it knows of nobody but these links, and holds nobody but these neighbours.
    pub(crate) fn is_among(&self, links: &BTreeMap<NodeId, Link>, active: &[NodeId]) -> bool {
        self.crowded.iter().all(|peer| links.contains_key(peer))
            && self
                .held
                .iter()
                .all(|peer| active.binary_search(peer).is_ok())
    }

    pub(crate) fn next_due(&self) -> Option<Mono> {
        self.due.into_iter().chain(self.outrun_until).min()
    }
}

impl Gossip {
    /// The queue of a link has grown.
    pub(crate) fn note_queued(&mut self, peer: NodeId) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.crowd.is_none() && link.queued_bytes > self.limits.link_queue_bytes_max / CROWDED {
            link.crowd = Some(Crowd::new(self.now.mono));
            self.hold.crowded.insert(peer);
        }
    }

    /// A link has taken so many bytes.
    pub(crate) fn note_drained(&mut self, peer: NodeId, bytes: usize) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        let Some(crowd) = &mut link.crowd else { return };
        crowd.drain(self.now.mono, bytes);
        if link.queued_bytes <= self.limits.link_queue_bytes_max / CROWDED / 2 {
            link.crowd = None;
            self.hold.crowded.remove(&peer);
        }
    }

    pub(crate) fn forget_crowd(&mut self, peer: NodeId) {
        self.hold.crowded.remove(&peer);
    }

    /// A neighbour changes the tree, or asks for what the tree did not bring.
    pub(crate) const fn note_mending(&mut self) {
        self.hold.mended = Some(self.now.mono);
    }

    /// Says whom not to read from, where that has changed.
    ///
    /// A crowded link does not hold up what it brings itself. In a tree, where each wait is for a
    /// link further from whoever waits, the last one is a leaf that waits for nobody: so nobody
    /// waits for itself. Where there are circles, a wait ends because nothing moves.
    pub(crate) fn settle_hold(&mut self) {
        let mending = |at| self.now.mono.since(at) < MENDING;
        let least = if self.hold.mended.is_some_and(mending) {
            KEPT_FOR_MIN_MENDING
        } else {
            KEPT_FOR_MIN
        };
        let lasts = self.archive.full_since().map(|at| at + least);
        self.hold.outrun_until = lasts.filter(|at| *at > self.now.mono);
        if self.hold.crowded.is_empty() && !self.hold.moving {
            self.hold.due = None;
            return;
        }
        let now = self.now.mono;
        let crowd = |peer: &NodeId| {
            let link = self.links.get(peer).filter(|_| self.is_active(peer));
            link.and_then(|link| link.crowd)
        };
        let crowded = self.hold.crowded.iter();
        let open = crowded
            .clone()
            .filter_map(crowd)
            .any(|one| one.is_open(now));
        let mut moving = crowded.filter(|peer| crowd(peer).is_some_and(|one| one.is_moving(now)));
        let (first, more) = (moving.next().copied(), moving.next().is_some());
        let held: Vec<NodeId> = match first {
            Some(alone) if !more => {
                let others = self.active.iter().filter(|peer| **peer != alone);
                others.copied().collect()
            }
            Some(_) => self.active.clone(),
            None => Vec::new(),
        };
        self.hold.moving = first.is_some();
        self.hold.due = open.then(|| now + JUDGE);
        if held != self.hold.held {
            self.hold.held.clone_from(&held);
            self.emit(Output::Hold { peers: held });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_waited_for_while_it_moves_and_no_longer() {
        let at = Mono::from_millis;
        let mut crowd = Crowd::new(at(1_000));
        assert!(crowd.is_moving(at(1_249)) && !crowd.is_moving(at(1_250)));
        crowd.drain(at(1_250), 128 << 10);
        assert!(crowd.is_moving(at(1_500)) && !crowd.is_moving(at(1_501)));
        // Old merit does not last, nor does an old fault.
        crowd.drain(at(1_500), 64 << 20);
        assert!(crowd.is_moving(at(2_999)) && !crowd.is_moving(at(3_000)));
        crowd.drain(at(4_000), 1);
        assert!(!crowd.is_moving(at(4_100)));
        crowd.drain(at(4_300), 128 << 10);
        assert!(crowd.is_moving(at(4_400)));
    }
}
