use std::collections::{BTreeMap, BTreeSet};

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{MessageId, Seq};

/// One delivery to the application.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// When, on the world's clock.
    pub at: Mono,
    /// Links it had crossed.
    pub hops: u8,
    /// Which life of the node.
    pub life: u32,
}

/// What the application saw, over all lives of the node, and what the oracle found wrong.
#[derive(Default)]
pub struct Application {
    /// The last delivery of each message.
    pub deliveries: BTreeMap<MessageId, Delivery>,
    /// Deliveries of what an earlier life had delivered in its last moments, before the record of
    /// it was durable.
    pub redelivered: u64,
    /// Own messages on their way, and since when.
    pub published: Vec<(MessageId, Mono)>,
    /// Bans by rule, not by the operator.
    pub banned: BTreeSet<NodeId>,
    /// Bans by the operator that were acknowledged.
    pub acknowledged: BTreeSet<NodeId>,
    /// Peers that were found silent.
    pub silent: BTreeSet<NodeId>,
    /// Who sent this node what no honest node sends.
    pub provoked_by: BTreeSet<NodeId>,
    /// Broadcast frames that came.
    pub payload_frames: u64,
    /// Broadcast frames that left.
    pub payload_frames_sent: u64,
    /// Writes handed to the disk.
    pub writes: u64,
    /// Of the envelope signed last.
    pub(crate) last_seq: Option<Seq>,
    /// Statements that were signed for receipts.
    pub attested: Vec<Vec<u8>>,
    /// Peers that were proven at fault.
    pub proven: BTreeSet<NodeId>,
    /// Broken promises, in words.
    pub breaches: Vec<String>,
}
