//! Frames of the peers engine and the application.

use core::time::Duration;

use bincode::{Decode, Encode};
use repute_base::{BoundedBytes, BoundedString, BoundedVec};
use repute_identity::NodeId;

use crate::limits::{
    CUSTOM_DATA_MAX, RECOMMENDATION_MAX, RECOMMENDATIONS_MAX, RECORD_MAX, RECORDS_MAX, RETRY_MAX,
    TEXT_MAX,
};

/// Why a link ends, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The sender shuts down.
    Shutdown,
    /// No slot is free.
    Full,
    /// Another network.
    WrongNetwork,
    /// No common protocol version.
    WrongVersion,
    /// The identity is not the one that was dialled, or not the link's.
    WrongIdentity,
    /// A newer link to the same peer replaced this one, or the peer dialled itself.
    Duplicate,
    /// Trust fell below the sender's minimum.
    LowTrust,
    /// The receiver is banned.
    Banned,
    /// The receiver broke the protocol.
    Misbehaviour,
    /// The receiver stopped answering.
    Unresponsive,
    /// A rate or size limit was exceeded.
    Overload,
    /// Too many peers from the same part of the internet.
    Diversity,
    /// Evicted in favour of another peer.
    Evicted,
    /// The operator asked for it.
    Requested,
}

/// The last frame on a link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Disconnect {
    /// Why.
    pub reason: DisconnectReason,
    /// When trying again makes sense, in ms from now; zero means at once.
    pub retry_ms: u64,
    /// More, for people.
    pub detail: BoundedString<TEXT_MAX>,
}

impl Disconnect {
    /// When trying again makes sense; a peer cannot ask for more than [`RETRY_MAX`].
    pub fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms).min(RETRY_MAX)
    }
}

/// Are you there? The probes of the failure detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Heartbeat {
    /// Asks for a [`Heartbeat::Pong`] with the same number.
    Ping {
        /// The sender's number for this probe.
        nonce: u64,
    },
    /// Answers a ping.
    Pong {
        /// The number of the ping.
        nonce: u64,
    },
    /// Asks the receiver to ping `target` on the sender's behalf.
    ProbeRequest {
        /// The sender's number for this probe.
        nonce: u64,
        /// Who does not answer the sender.
        target: NodeId,
    },
    /// What came of a probe request.
    ProbeReply {
        /// The number of the request.
        nonce: u64,
        /// Who was probed.
        target: NodeId,
        /// Whether it answered the prober.
        alive: bool,
    },
}

/// Asks for peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PeerDiscovery {
    /// How many records are welcome.
    pub count: u8,
}

/// Address records, each signed by its subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PeerAnnouncement {
    /// Encoded [`Envelope`](crate::Envelope)s of kind address record.
    pub records: BoundedVec<BoundedBytes<RECORD_MAX>, RECORDS_MAX>,
}

/// A direct frame of the application, between neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CustomData {
    /// The application's kind; handlers register for it.
    pub kind: u16,
    /// The application's bytes.
    pub data: BoundedBytes<CUSTOM_DATA_MAX>,
}

/// Asks whom the receiver recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TrustedPeersRequest {
    /// In which context.
    pub context: u8,
    /// How many are welcome.
    pub count: u8,
}

/// The sender's recommendations, signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TrustedPeersResponse {
    /// Encoded [`Envelope`](crate::Envelope)s of kind recommendation.
    pub recommendations: BoundedVec<BoundedBytes<RECOMMENDATION_MAX>, RECOMMENDATIONS_MAX>,
}
