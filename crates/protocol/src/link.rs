//! Frames of the peers engine and the application.

use bincode::{Decode, Encode};
use repute_base::{BoundedBytes, BoundedVec};
use repute_identity::NodeId;

use crate::limits::{
    CUSTOM_DATA_MAX, RECOMMENDATION_MAX, RECOMMENDATIONS_MAX, RECORD_MAX, RECORDS_MAX,
};

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
