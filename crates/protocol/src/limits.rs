//! Every bound of the wire, with its reason. Lengths are in bytes unless said otherwise.

use core::time::Duration;

/// Application data in one message: large things travel by hash, not by broadcast.
pub const MESSAGE_DATA_MAX: usize = 64 * 1024;
/// A whole envelope: data, header, causal dependencies, signature and its path.
pub const ENVELOPE_MAX: usize = MESSAGE_DATA_MAX + 4 * 1024;
/// Envelopes under one signature: six hashes of path in each, where one more would gain a
/// hundredth of a signature.
pub const BURST_MAX: usize = 64;
/// Text of a topic.
pub const TOPIC_MAX: usize = 64;
/// Messages that one message can name as seen before it.
pub const DEPENDENCIES_MAX: usize = 16;
/// Addresses of one peer: a few interfaces in two address families.
pub const ADDRESSES_MAX: usize = 8;
/// Peers in one list: enough to leave a bad neighbourhood, too few to fill an address book.
pub const HINTS_MAX: usize = 16;
/// Signed address records in one announcement.
pub const RECORDS_MAX: usize = 16;
/// One signed address record.
pub const RECORD_MAX: usize = 512;
/// Message ids in one announcement, graft or request.
pub const IDS_MAX: usize = 256;
/// One reconciliation message.
pub const RECONCILE_MAX: usize = 32 * 1024;
/// Capabilities in one handshake.
pub const CAPABILITIES_MAX: usize = 32;
/// Text that describes the software of a peer, or the detail of a disconnect.
pub const TEXT_MAX: usize = 128;
/// Data in one direct frame of the application.
pub const CUSTOM_DATA_MAX: usize = 64 * 1024;
/// Signed recommendations in one answer.
pub const RECOMMENDATIONS_MAX: usize = 16;
/// One signed recommendation.
pub const RECOMMENDATION_MAX: usize = 512;
/// Co-signed receipts in one answer: 16 of 304 bytes at most.
pub const RECEIPTS_MAX: usize = 16;
/// Latest receipts between two peers: four services in two directions.
pub const RECEIPTS_OF_PAIR_MAX: usize = 8;
/// Claims in one answer, each with the session behind it.
pub const CLAIMS_MAX: usize = 4;
/// Words for one identity that travel together: one that counts is enough.
pub const VOUCHES_MAX: usize = 4;
/// The name of a record in the DHT: a hash, or a few words.
pub const RECORD_NAME_MAX: usize = 64;
/// The value of a record of any kind: an advertisement of 10 KB.
pub const RECORD_VALUE_MAX: usize = 10 * 1024;
/// A signed record: value, name, header, signature and its path.
pub const RECORD_ENVELOPE_MAX: usize = RECORD_VALUE_MAX + 1024;
/// Records in one frame.
pub const RECORD_LIST_MAX: usize = 32;
/// Bytes of the records in one frame: some of the longest, all of ordinary ones.
pub const RECORD_LIST_BYTES_MAX: usize = 48 * 1024;
/// Records of one author at one key: one for each of ten keys of its services.
pub const SLOTS_MAX: u8 = 10;
/// Nodes in one answer of the DHT: the k of Kademlia.
pub const CONTACTS_MAX: usize = 20;
/// Addresses of one contact: one in each address family.
pub const CONTACT_ADDRESSES_MAX: usize = 2;
/// Services in one advertisement.
pub const SERVICES_MAX: usize = 8;
/// The name of a service or criterion.
pub const WORD_MAX: usize = 32;
/// The key of a service: a compressed curve point, or a larger one of another scheme.
pub const SERVICE_KEY_MAX: usize = 64;
/// Conditions in one advertisement.
pub const CRITERIA_MAX: usize = 16;
/// What an application may add to its advertisement.
pub const METADATA_MAX: usize = 4 * 1024;

/// Ranges of groups in one word about what somebody has of a blob: a KiB at most.
pub const HOLDINGS_MAX: usize = 64;
/// Ranges of groups in one request for a blob.
pub const REQUEST_RANGES_MAX: usize = 32;
/// A request at the head of a transfer: 32 ranges in their longest form, hash and numbers.
pub const TRANSFER_REQUEST_MAX: usize = 640;
/// An answer at the head of a transfer.
pub const TRANSFER_ANSWER_MAX: usize = 16;

/// Times that a message is passed on at most, whatever its author asked for.
pub const TTL_MAX: u8 = 32;
/// Envelopes from further ahead than this are refused: clocks of honest nodes agree better.
pub const FUTURE_MAX: Duration = Duration::from_secs(300);
/// A live push older than this is ignored without blame: it may have waited in a queue.
pub const LIVE_AGE_MAX: Duration = Duration::from_secs(300);
/// How long messages are kept for those who missed them, unless configured otherwise.
pub const RETENTION: Duration = Duration::from_secs(3_600);
/// How much longer than the retention window the record of what was seen is kept.
pub const SEEN_MARGIN: Duration = Duration::from_secs(600);
/// The longest retry time that a disconnect can ask for; longer ones are cut to this.
pub const RETRY_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
