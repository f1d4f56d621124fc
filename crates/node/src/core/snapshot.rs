use alloc::vec::Vec;

use repute_gossip::{Gossip, SeenAuthor};
use repute_peers::{Peers, Stored};
use repute_trust::{AddressBan, AddressBans, Appeals, Ban, Chronicle, HearsayRecord, Record};

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
    /// Metrics and past of peers, in their stored form.
    pub profiles: Vec<(repute_identity::NodeId, Vec<u8>)>,
    /// Bans in force.
    pub bans: Vec<Ban>,
    /// Entries of the blacklist that name addresses.
    pub address_bans: Vec<AddressBan>,
    /// What banned peers had to say.
    pub appeals: Appeals,
    /// What was heard of others, oldest first.
    pub hearsay: Vec<HearsayRecord>,
    /// Records of the DHT that are kept for others.
    pub dht_records: Vec<repute_protocol::Verified<repute_protocol::Envelope>>,
    /// What this node offers in the directory: the slot, and the stored form.
    pub offers: Vec<(u8, Vec<u8>)>,
    /// Nodes of the DHT to begin with, best first.
    pub contacts: Vec<repute_protocol::Contact>,
    /// What has been seen of each author.
    pub seen: Vec<SeenAuthor>,
}

impl Snapshot {
    /// Before [`restore`](Self::restore). A profile that is unreadable is made anew from the records.
    pub(super) fn restore_history(&self, chronicle: &mut Chronicle) {
        for (subject, bytes) in &self.profiles {
            let _unreadable = chronicle.restore(*subject, bytes);
        }
        let records = self.records.iter();
        records.for_each(|record| chronicle.restore_record(record));
    }

    pub(super) fn restore(
        self,
        peers: &mut Peers,
        gossip: &mut Gossip,
        trust: &mut dyn TrustModel,
    ) -> (AddressBans, Appeals) {
        self.records.iter().for_each(|record| trust.restore(record));
        self.hearsay
            .iter()
            .for_each(|record| trust.restore_hearsay(record));
        self.bans.iter().for_each(|ban| trust.restore_ban(ban));
        self.peers.into_iter().for_each(|peer| peers.restore(peer));
        peers.restore_anchors(self.anchors);
        self.seen
            .into_iter()
            .for_each(|seen| gossip.restore_seen(seen));
        let mut addresses = AddressBans::default();
        addresses.restore(self.address_bans);
        (addresses, self.appeals)
    }
}
