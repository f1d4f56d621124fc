use core::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use repute_base::Address;
use repute_identity::{Identity, NodeId};
use repute_protocol::Disconnect;

use crate::{BindError, Config, Event, HandshakeTemplate, SendError, Stats, stats::Counters};

/// Which frames go first when many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Small and urgent: probes, trees, discovery.
    Control,
    /// Messages on their way.
    Broadcast,
}

/// One's own end of every link. Cheap to clone; all clones are the same endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    local: SocketAddr,
    counters: Counters,
}

impl Endpoint {
    /// Opens the socket and starts to accept.
    ///
    /// # Errors
    /// [`BindError`] when the socket, the key or the configuration does not do.
    pub async fn bind(
        config: Config,
        identity: &Identity,
        handshake: HandshakeTemplate,
    ) -> Result<(Self, Events), BindError> {
        config.check()?;
        let _ = handshake.fill(*identity.inception(), &[]);
        let (_sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let shared = Shared { local: config.listen, counters: Counters::default() };
        Ok((Self { shared: Arc::new(shared) }, Events { receiver }))
    }

    /// Where the socket is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// What our next handshakes say about where we listen.
    pub fn set_listen_addresses(&self, addresses: Vec<Address>) {
        drop(addresses);
    }

    /// Starts to connect to `peer`, trying the addresses in order. Answered by
    /// [`Event::LinkUp`] or [`Event::DialFailed`]; ignored while a link or a dial to it exists.
    pub fn dial(&self, peer: NodeId, addresses: Vec<Address>) {
        let _ = (peer, addresses);
    }

    /// Queues an encoded frame. Never blocks.
    ///
    /// # Errors
    /// [`SendError`]; nothing was queued.
    pub fn send(&self, peer: NodeId, frame: Bytes, priority: Priority) -> Result<(), SendError> {
        let _ = (peer, frame, priority);
        Err(SendError::NotConnected)
    }

    /// Ends the link to `peer` after what is queued and `disconnect`, in bounded time.
    /// [`Event::LinkDown`] follows at once.
    pub fn close(&self, peer: NodeId, disconnect: Disconnect) {
        let _ = (peer, disconnect);
    }

    /// Says goodbye to every peer and closes the socket, in bounded time.
    pub async fn shutdown(&self, disconnect: Disconnect) {
        drop(disconnect);
    }

    /// Counters, for metrics and tests.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }
}

/// What happens on an endpoint. When it is not read, peers are not read either.
#[derive(Debug)]
pub struct Events {
    receiver: tokio::sync::mpsc::UnboundedReceiver<Event>,
}

impl Events {
    /// The next event; `None` once the endpoint has shut down.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// An event that is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}
