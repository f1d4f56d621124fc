//! What the handle of a node asks of the task that owns its core.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use repute_base::{Address, BoundedString, Timestamp};
use repute_identity::NodeId;
use repute_protocol::{MessageId, Topic};
use repute_storage::Store;
use repute_transport::Endpoint;
use tokio::sync::{mpsc, oneshot};

use super::{
    dht::DhtAsk,
    directory::DirectoryAsk,
    error::NodeError,
    handlers::{CustomHandler, MessageHandler},
    subscription::Delivery,
};
use crate::{Change, Command, Core};

/// Commands waiting for the driver at most; senders wait beyond it.
pub(crate) const COMMAND_QUEUE: usize = 256;
/// Messages waiting for the driver at most; publishers wait beyond it.
pub(crate) const PUBLISH_QUEUE: usize = 64;

/// What the handle asks of the driver.
pub(crate) enum Ask {
    /// A command without an answer.
    Command(Command),
    /// A command that is done when its writes are durable.
    Durable {
        command: DurableCommand,
        answer: DurableAnswer,
    },
    Subscribe {
        topic: Topic,
        causal: bool,
        queue: mpsc::Sender<Delivery>,
        answer: oneshot::Sender<()>,
    },
    OnKind(u16, MessageHandler),
    OnCustom(u16, CustomHandler),
    /// Look at the core between two inputs.
    Inspect(Inspection),
    /// The identity's word that it listens there, as the bytes of an envelope.
    SignRecord {
        addresses: Vec<Address>,
        answer: oneshot::Sender<Bytes>,
    },
    Dht(DhtAsk),
    Directory(DirectoryAsk),
    Shutdown(oneshot::Sender<()>),
}

/// A look at the core.
pub(crate) type Inspection = Box<dyn FnOnce(&View<'_>) + Send>;

/// A message to spread; answered once it is on its way.
pub(crate) struct Publish {
    pub topic: Topic,
    pub kind: u16,
    pub causal: bool,
    pub data: Bytes,
    pub answer: PublishAnswer,
}

pub(crate) enum DurableCommand {
    Ban {
        subject: NodeId,
        duration: Option<Duration>,
        reason: BoundedString<128>,
    },
    Unban(NodeId),
    Recommend {
        subject: NodeId,
        value: i8,
        reason: BoundedString<128>,
    },
    Withdraw {
        source: NodeId,
        readmit: bool,
    },
    Blacklist(Vec<Change>),
    Dismiss(NodeId),
}

/// What an inspection sees.
pub(crate) struct View<'a> {
    pub core: &'a Core,
    pub endpoint: &'a Endpoint,
    pub store: &'a Arc<dyn Store>,
    pub now: Timestamp,
    pub counters: Counters,
}

/// What the driver counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Messages that a slow subscriber lost.
    pub lost_deliveries: u64,
    /// Frames that found no link or a full queue.
    pub unsent: u64,
    /// Writes that the store refused.
    pub failed_writes: u64,
    /// Signature checks refused because their sender had too many waiting.
    pub unchecked: u64,
    /// Tasks of links that panicked.
    pub panics: u64,
}

/// Where the name of a published message goes.
pub(crate) type PublishAnswer = oneshot::Sender<Result<MessageId, NodeError>>;
/// Where the word that something is durable goes.
pub(crate) type DurableAnswer = oneshot::Sender<Result<(), NodeError>>;
