//! What others said by gossip that they have.

use alloc::{collections::VecDeque, vec::Vec};

use repute_base::{Mono, RecentMap, TokenBucket, codec};
use repute_identity::NodeId;
use repute_protocol::{BlobAnnouncement, BlobHash, Contact};

use super::WhereaboutsLimits;

#[derive(Clone, Debug)]
pub(super) struct Rumours {
    heard: RecentMap<BlobHash, VecDeque<Contact>>,
    peers_max: usize,
    paces: RecentMap<NodeId, TokenBucket>,
    burst: u64,
    pause_s: u64,
    hasty: u64,
}

impl Rumours {
    pub(super) fn new(limits: &WhereaboutsLimits) -> Self {
        Self {
            heard: RecentMap::new(limits.rumours_max),
            peers_max: limits.rumour_peers_max,
            paces: RecentMap::new(limits.authors_max),
            burst: limits.author_burst,
            pause_s: limits.author_pause_s,
            hasty: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    pub(super) fn hasty(&self) -> u64 {
        self.hasty
    }

    /// Who said so, the latest first.
    pub(super) fn of(&self, hash: &BlobHash) -> Vec<Contact> {
        let known = self.heard.get(hash).into_iter().flatten();
        known.cloned().collect()
    }

    /// Takes in what an author says of itself, unless it says too much. What has no meaning is
    /// passed over: a later version may say more.
    pub(super) fn heard(
        &mut self,
        now: Mono,
        author: NodeId,
        data: &[u8],
    ) -> Option<(BlobHash, Contact)> {
        if !self.is_in_time(now, author) {
            self.hasty += 1;
            return None;
        }
        let said: BlobAnnouncement = codec::decode(data).ok()?;
        let contact = Contact {
            id: author,
            addresses: said.addresses,
        };
        if !self.heard.touch(&said.hash) {
            self.heard.insert(said.hash, VecDeque::new());
        }
        if let Some(peers) = self.heard.get_mut(&said.hash) {
            peers.retain(|other| other.id != author);
            peers.truncate(self.peers_max.saturating_sub(1));
            peers.push_front(contact.clone());
        }
        Some((said.hash, contact))
    }

    fn is_in_time(&mut self, now: Mono, author: NodeId) -> bool {
        let cost = self.pause_s;
        if let Some(bucket) = self.paces.get_mut(&author) {
            return bucket.take(now, cost);
        }
        let mut bucket = TokenBucket::new(1, self.burst * cost, now);
        let first = bucket.take(now, cost);
        self.paces.insert(author, bucket);
        first
    }
}
