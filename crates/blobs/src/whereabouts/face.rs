use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use repute_base::Address;
use repute_identity::NodeId;
use repute_protocol::{BlobHash, Contact, RecordKey};

/// What the shell hands to [`Whereabouts`](crate::Whereabouts).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WhereaboutsInput {
    /// The time has come that [`next_deadline`](repute_base::Machine::next_deadline) named.
    Tick,
    /// Where this node listens, best first. Nothing is announced before.
    Listening {
        /// Best first.
        addresses: Vec<Address>,
    },
    /// Who has this blob?
    Find {
        /// Which.
        hash: BlobHash,
    },
    /// This node has a blob.
    Announce {
        /// Which.
        hash: BlobHash,
        /// How many bytes it has.
        size: u64,
    },
    /// No longer.
    Withdraw {
        /// Which.
        hash: BlobHash,
    },
    /// A link to this peer is needed.
    Link {
        /// Who.
        peer: NodeId,
        /// Where it is said to be, best first.
        addresses: Vec<Address>,
    },
    /// No longer.
    Unlink {
        /// Who.
        peer: NodeId,
    },
    /// There is a link.
    LinkUp {
        /// To whom.
        peer: NodeId,
    },
    /// Nothing came of [`Visit`](WhereaboutsOutput::Visit).
    VisitFailed {
        /// Who.
        peer: NodeId,
    },
    /// A message on [`BlobAnnouncement::TOPIC`](repute_protocol::BlobAnnouncement::TOPIC).
    Heard {
        /// Who signed it.
        author: NodeId,
        /// What it says.
        data: Bytes,
    },
    /// A lookup found a record that is proven.
    Found {
        /// As in the request.
        token: u64,
        /// Who signed it.
        author: NodeId,
        /// What it says.
        value: Bytes,
    },
    /// A lookup has ended, or was never begun.
    Finished {
        /// As in the request.
        token: u64,
    },
}

/// What the shell must do for [`Whereabouts`](crate::Whereabouts).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhereaboutsOutput {
    /// Look for records in the DHT. `Found` for each, then `Finished`.
    Lookup {
        /// To be given back.
        token: u64,
        /// Where.
        key: RecordKey,
        /// At most so many.
        max: usize,
    },
    /// Publish the record of a provider, and keep it fresh.
    Publish {
        /// The name of the record.
        hash: BlobHash,
        /// Its value.
        value: Vec<u8>,
    },
    /// Keep it fresh no longer.
    Retract {
        /// The name of the record.
        hash: BlobHash,
    },
    /// Spread this on the topic of announcements.
    Gossip {
        /// The data of the message.
        data: Vec<u8>,
    },
    /// Some who say that they have a blob.
    Providers {
        /// Which.
        hash: BlobHash,
        /// Who, and where.
        contacts: Vec<Contact>,
    },
    /// Dial a peer for a conversation; a link or `VisitFailed` answers.
    Visit {
        /// Who.
        peer: NodeId,
        /// Where, best first.
        addresses: Vec<Address>,
    },
    /// There is no way to this peer now.
    Unreachable {
        /// Who.
        peer: NodeId,
    },
}

/// Bounds of [`Whereabouts`](crate::Whereabouts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhereaboutsLimits {
    /// Providers that one lookup is to find: as many as a download has candidates for, and some
    /// that are gone.
    pub providers_max: usize,
    /// Lookups under way; what is beyond is not looked up, and asked for again by the download.
    pub lookups_max: usize,
    /// Own records that the DHT keeps fresh by itself; of more, each is published in turn.
    pub records_max: usize,
    /// How long a record stays among these at least: its copies are out there by then.
    pub record_stay: Duration,
    /// How long before a record that made room is published anew: a third of its lifetime.
    pub record_again: Duration,
    /// Records published at once, and then one each `record_pause`.
    pub record_burst: u32,
    /// Between two records that are published.
    pub record_pause: Duration,
    /// Announcements said at once, and then one each `word_pause`: gossip reaches everybody.
    pub word_burst: u32,
    /// Between two announcements.
    pub word_pause: Duration,
    /// Blobs that wait to be announced by gossip; the oldest is left to the DHT.
    pub words_max: usize,
    /// Where there is no DHT, one of the blobs is announced again this often.
    pub round_pause: Duration,
    /// What is announced waits for up to so many ms.
    pub spread_ms: u64,
    /// Blobs of which announcements are remembered; the one heard of longest ago goes first.
    pub rumours_max: usize,
    /// Peers that are remembered of each; the one heard longest ago goes first.
    pub rumour_peers_max: usize,
    /// Authors whose pace is remembered.
    pub authors_max: usize,
    /// Announcements of one author that are taken at once, and then one each `author_pause_s`.
    pub author_burst: u64,
    /// Seconds between two announcements of one author.
    pub author_pause_s: u64,
    /// A peer is looked up in the DHT this often at most.
    pub locate_pause: Duration,
    /// Peers of which it is remembered when they were looked up.
    pub located_max: usize,
}

impl Default for WhereaboutsLimits {
    fn default() -> Self {
        Self {
            providers_max: 64,
            lookups_max: 64,
            records_max: 128,
            record_stay: Duration::from_secs(60),
            record_again: Duration::from_secs(8 * 3_600),
            record_burst: 32,
            record_pause: Duration::from_secs(1),
            word_burst: 4,
            word_pause: Duration::from_secs(30),
            words_max: 64,
            round_pause: Duration::from_secs(600),
            spread_ms: 1_000,
            rumours_max: 1_024,
            rumour_peers_max: 8,
            authors_max: 4_096,
            author_burst: 16,
            author_pause_s: 20,
            locate_pause: Duration::from_secs(600),
            located_max: 1_024,
        }
    }
}
