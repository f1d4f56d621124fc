//! Whether the tree is torn here, or only slow.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::MessageId;

use crate::Gossip;

/// Messages watched at once for whether the tree brings them: a few show whether it is torn.
const DOUBTS_MAX: usize = 64;
/// How much longer than usual the tree may take before it counts as torn.
const DOUBT_EXTRA: Duration = Duration::from_millis(200);
/// So many messages are announced and nothing new is pushed for so long: the tree is torn here.
const STARVED_MESSAGES: usize = 8;
const STARVED_FOR: Duration = Duration::from_millis(100);
/// So long after a tree link was lost, repair does not wait for the tree.
const TORN_FOR: Duration = Duration::from_secs(5);
/// A tree that brought something within this time works.
const FED_WITHIN: Duration = Duration::from_secs(1);
/// Whoever pushed none of the last so many messages that were pushed to us is fed by us.
const LEAF_MESSAGES: u64 = 64;

/// A message that had to be asked for although nothing was known to be wrong with the tree: if
/// the tree does not bring it either, it is torn.
#[derive(Clone, Debug)]
pub(crate) struct Doubt {
    id: MessageId,
    server: NodeId,
    announced: Mono,
    pub(crate) due: Mono,
}

impl Gossip {
    /// Whether the tree has just lost a link here, has none, or brings nothing although others have
    /// it: then it need not be waited for.
    pub(crate) fn is_torn(&self) -> bool {
        let eager = |peer: &NodeId| self.links.get(peer).is_some_and(|link| link.eager);
        let starved = self.missing.len() >= STARVED_MESSAGES
            && self.now.mono.since(self.pushed_at) >= STARVED_FOR;
        self.now.mono < self.torn_until || starved || !self.active.iter().any(eager)
    }

    /// Whether the tree brings messages now.
    pub(crate) fn is_fed(&self) -> bool {
        self.pushed > 0 && self.now.mono.since(self.pushed_at) < FED_WITHIN && !self.is_torn()
    }

    /// A link of the tree is gone that brought the message of number `fed` last: of many that
    /// came since, all by others, none will be missed for it.
    pub(crate) fn tear(&mut self, fed: u64) {
        if self.pushed - fed > LEAF_MESSAGES {
            return;
        }
        self.torn_until = self.now.mono + TORN_FOR;
    }

    /// `server` brought on request what the tree should have brought by now.
    pub(crate) fn doubt_tree(&mut self, id: MessageId, server: NodeId, announced: Mono) {
        if self.doubts.len() < DOUBTS_MAX {
            let due = self.now.mono + self.wait_for_tree() * 4 + DOUBT_EXTRA;
            self.doubts.push_back(Doubt {
                id,
                server,
                announced,
                due,
            });
        }
    }

    /// A copy was pushed of what we have already. True if the tree was only slow with it.
    pub(crate) fn dispel_doubt(&mut self, id: &MessageId) -> bool {
        let Some(place) = self.doubts.iter().position(|doubt| doubt.id == *id) else {
            return false;
        };
        if let Some(doubt) = self.doubts.remove(place) {
            let now = self.now.mono;
            self.patience.tree_took(now, now.since(doubt.announced));
        }
        true
    }

    /// Repairs the tree where it did not bring what was asked for meanwhile.
    pub(crate) fn judge_doubts(&mut self) {
        let now = self.now.mono;
        if let Some(doubt) = self.doubts.front().filter(|doubt| doubt.due <= now) {
            let server = doubt.server;
            // One new link may mend it all; what else is missed will be doubted again.
            self.doubts.clear();
            if self.is_active(&server) {
                self.graft(server, Vec::new());
            }
        }
    }
}
