use alloc::collections::VecDeque;
use core::time::Duration;

use repute_base::{Mono, Timestamp};
use repute_identity::NodeId;
use repute_protocol::MessageId;

/// An author that was not heard for so long leads no more, however slow the tree.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// Who would lead is drawn anew after so long, so that no author shapes the tree for ever.
const TERM_MS: u64 = 64_000;
/// Messages in a row that others brought and the feeder did not, after which it feeds no more.
const STALE_MAX: u8 = 4;
/// Messages of which it is remembered who pushed them first.
const RECENT_MAX: usize = 256;

/// The one author whose duplicates may prune.
///
/// All authors share one tree. Where it has a circle, messages of different authors meet at
/// different links of it, and if each pruned the link where it met itself, the tree would fall
/// apart. So only one author's messages prune, and all nodes that hear the same authors agree on
/// which: the one whose id ranks first in this term. Of its messages each node keeps one feeder,
/// prunes whoever else pushes them, and does not push them back; so the links that are left are
/// a tree with this author at its root, whichever of two copies comes first each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lead {
    author: Option<NodeId>,
    rank: u64,
    heard: Mono,
    feeder: Option<NodeId>,
    /// Messages since the feeder brought one.
    stale: u8,
    recent: VecDeque<(MessageId, Option<NodeId>)>,
}

fn rank(author: &NodeId, term: u64) -> u64 {
    let (head, _) = author
        .as_bytes()
        .split_first_chunk::<8>()
        .unwrap_or((&[0; 8], &[]));
    // Any mixture will do that no author can be first in for every term.
    (u64::from_le_bytes(*head) ^ term.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_mul(0xd6e8_feb8_6659_fd93)
        .rotate_left(32)
        .wrapping_mul(0xd6e8_feb8_6659_fd93)
}

impl Lead {
    /// A message came for the first time, pushed by `from` or, if none, asked for or our own. The
    /// last one may be `under_way` for so long.
    pub(crate) fn heard(
        &mut self,
        author: &NodeId,
        id: MessageId,
        from: Option<NodeId>,
        now: Timestamp,
        under_way: Duration,
    ) {
        let rank = rank(author, now.wall.as_millis() / TERM_MS);
        if self.author != Some(*author) {
            let leads = now.mono.since(self.heard) < under_way.min(SILENT_FOR);
            if self.author.is_some() && leads && rank >= self.rank {
                return;
            }
            self.author = Some(*author);
            self.feeder = None;
            self.recent.clear();
        }
        self.rank = rank;
        self.heard = now.mono;
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((id, from));
        let Some(from) = from else { return };
        if self.feeder.is_some_and(|feeder| feeder != from) && self.stale < STALE_MAX {
            self.stale += 1;
        } else {
            self.feeder = Some(from);
            self.stale = 0;
        }
    }

    /// `peer` pushed a message that had come before. Who should push to us no more, if anybody.
    pub(crate) fn superfluous(
        &mut self,
        author: &NodeId,
        id: &MessageId,
        peer: NodeId,
    ) -> Option<NodeId> {
        if self.author != Some(*author) {
            return None;
        }
        if self.feeder != Some(peer) {
            return Some(peer);
        }
        // Both feed us. The one that has done so stays, though the other was first this time.
        self.stale = 0;
        let first = self.recent.iter().rev().find(|(of, _)| of == id)?.1?;
        (first != peer).then_some(first)
    }

    /// Whether `peer` feeds us what this author sends, and needs none of it back.
    pub(crate) fn is_fed_by(&self, author: &NodeId, peer: &NodeId) -> bool {
        self.author == Some(*author) && self.feeder == Some(*peer)
    }

    /// Whether `peer` is the feeder.
    pub(crate) fn is_feeder(&self, peer: &NodeId) -> bool {
        self.feeder == Some(*peer)
    }

    /// The path over `peer` is shorter: of two that push, it stays.
    pub(crate) const fn prefer(&mut self, peer: NodeId) {
        self.feeder = Some(peer);
        self.stale = 0;
    }

    /// `peer` pushes to us no more.
    pub(crate) fn lose(&mut self, peer: &NodeId) {
        if self.is_feeder(peer) {
            self.feeder = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: u64 = 100;
    const SOON: Duration = Duration::from_millis(100);

    fn node(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn id(n: u8) -> MessageId {
        MessageId::from_bytes([n; 32])
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms, TERM * TERM_MS + ms)
    }

    /// Two authors, the one that ranks first before the other.
    fn authors() -> (NodeId, NodeId) {
        let (a, b) = (node(1), node(2));
        if rank(&a, TERM) < rank(&b, TERM) {
            (a, b)
        } else {
            (b, a)
        }
    }

    #[test]
    fn only_the_first_in_rank_prunes_while_it_is_heard() {
        let (first, second) = authors();
        let mut lead = Lead::default();
        lead.heard(&second, id(1), Some(node(7)), at(0), SOON);
        assert_eq!(lead.superfluous(&second, &id(1), node(8)), Some(node(8)));
        lead.heard(&first, id(2), Some(node(7)), at(1), SOON);
        lead.heard(&second, id(3), Some(node(7)), at(50), SOON);
        assert_eq!(lead.superfluous(&second, &id(3), node(8)), None);
        assert_eq!(lead.superfluous(&first, &id(2), node(8)), Some(node(8)));
        lead.heard(&second, id(4), Some(node(7)), at(200), SOON);
        assert_eq!(lead.superfluous(&second, &id(4), node(8)), Some(node(8)));
    }

    #[test]
    fn the_feeder_stays_though_another_is_first_now_and_then() {
        let (author, _) = authors();
        let (feeder, other) = (node(7), node(8));
        let mut lead = Lead::default();
        for n in 0..100 {
            let first = if n % 3 == 1 { other } else { feeder };
            let second = if n % 3 == 1 { feeder } else { other };
            lead.heard(&author, id(n), Some(first), at(u64::from(n)), SOON);
            assert_eq!(lead.superfluous(&author, &id(n), second), Some(other));
        }
        assert!(lead.is_fed_by(&author, &feeder) && lead.recent.len() <= RECENT_MAX);
    }

    #[test]
    fn a_feeder_that_brings_nothing_is_replaced() {
        let (author, _) = authors();
        let (feeder, other) = (node(7), node(8));
        let mut lead = Lead::default();
        lead.heard(&author, id(0), Some(feeder), at(0), SOON);
        for n in 1..=STALE_MAX + 1 {
            assert!(lead.is_feeder(&feeder));
            lead.heard(&author, id(n), Some(other), at(1), SOON);
        }
        assert!(lead.is_feeder(&other));
        lead.lose(&other);
        lead.heard(&author, id(9), None, at(2), SOON);
        assert!(
            !lead.is_feeder(&other),
            "what was asked for shows no feeder"
        );
    }

    #[test]
    fn messages_remembered_are_bounded_and_no_author_leads_in_every_term() {
        let (author, _) = authors();
        let mut lead = Lead::default();
        for n in 0..2_000u64 {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&n.to_le_bytes());
            let id = MessageId::from_bytes(name);
            lead.heard(&author, id, Some(node(7)), at(n), SOON);
            assert!(lead.recent.len() <= RECENT_MAX);
        }
        let led = (0..1_000)
            .filter(|term| (1..=10).all(|n| rank(&node(1), *term) <= rank(&node(n), *term)))
            .count();
        assert!((30..300).contains(&led), "{led} of 1,000 terms");
    }
}
