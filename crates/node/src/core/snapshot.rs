use alloc::vec::Vec;

use repute_gossip::{Gossip, SeenAuthor};
use repute_peers::{Peers, Stored};
use repute_trust::{Ban, Record};

use super::TrustModel;

/// What the store had when the node started.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// This start: later than any before, in ms since the Unix epoch, and already durable.
    pub start: u64,
    /// Our own record; without it there are no receipts.
    pub inception: Option<repute_identity::Inception>,
    /// Receipts, claims, faults and credentials, the one touched longest ago first.
    pub receipts: Vec<repute_trust::ReceiptRow>,
    /// The address book.
    pub peers: Vec<Stored>,
    /// Whom to dial first.
    pub anchors: Vec<repute_identity::NodeId>,
    /// The ledger, oldest first.
    pub records: Vec<Record>,
    /// Bans in force.
    pub bans: Vec<Ban>,
    /// What has been seen of each author.
    pub seen: Vec<SeenAuthor>,
}

impl Snapshot {
    pub(super) fn restore(
        self,
        peers: &mut Peers,
        gossip: &mut Gossip,
        trust: &mut dyn TrustModel,
    ) {
        self.records.iter().for_each(|record| trust.restore(record));
        self.bans.iter().for_each(|ban| trust.restore_ban(ban));
        self.peers.into_iter().for_each(|peer| peers.restore(peer));
        peers.restore_anchors(self.anchors);
        self.seen
            .into_iter()
            .for_each(|seen| gossip.restore_seen(seen));
    }
}
