use core::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use repute_base::{Address, Prefix};
use repute_identity::{Identity, NodeId};
use repute_protocol::{Disconnect, DisconnectReason};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    BindError, Config, DialFailure, Event, Events, HandshakeTemplate, LinkDown, SendError, Stats,
    carry::carry,
    gate::{HalfOpen, Verdict},
    handshake::Failure,
    inbox::{Inbox, Room},
    quic,
    shared::{Shared, goodbye},
    stats::count,
    task,
};

/// Which frames go first when many wait. Each priority has a queue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Small and urgent: probes, trees, discovery.
    Control,
    /// Messages on their way.
    Broadcast,
}

/// One's own end of every link. Cheap to clone; all clones are the same endpoint.
///
/// When the last clone is dropped without [`shutdown`](Self::shutdown), every connection ends at
/// once and without a word.
#[derive(Clone, Debug)]
pub struct Endpoint {
    owner: Arc<Owner>,
}

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    local: SocketAddr,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.quic.close(quic::CODE_RETIRED, &[]);
        self.shared.inbox.close();
    }
}

impl Endpoint {
    /// Opens the socket and starts to accept. Needs a tokio runtime with its timer.
    ///
    /// # Errors
    /// [`BindError`] when the socket, the key or the configuration does not do.
    // Async although nothing is awaited yet: it must run inside the runtime.
    #[allow(clippy::unused_async)]
    pub async fn bind(
        config: Config,
        identity: &Identity,
        handshake: HandshakeTemplate,
    ) -> Result<(Self, Events), BindError> {
        config.check()?;
        let quic = quic::open(&config, identity)?;
        let local = quic.0.local_addr().map_err(|source| BindError::Socket {
            address: config.listen,
            source,
        })?;
        let (inbox, events) = Inbox::new(config.inbox_bytes_max);
        let shared = Shared::new(config, handshake, *identity.inception(), quic, inbox);
        spawn_accept(Arc::clone(&shared));
        Ok((
            Self {
                owner: Arc::new(Owner { shared, local }),
            },
            events,
        ))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// Where the socket is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.owner.local
    }

    /// What our next handshakes say about where we listen; those beyond
    /// [`ADDRESSES_MAX`](repute_protocol::limits::ADDRESSES_MAX) are left out.
    pub fn set_listen_addresses(&self, addresses: Vec<Address>) {
        self.shared().set_listen(addresses);
    }

    /// Whether our next handshakes say that we answer requests of the DHT
    /// ([`Capability::DHT`](repute_protocol::Capability::DHT)).
    pub fn set_serving(&self, serving: bool) {
        self.shared().set_serving(serving);
    }

    /// Whether our next handshakes say that we come to appeal
    /// ([`Capability::APPEAL`](repute_protocol::Capability::APPEAL)).
    pub fn set_appealing(&self, appealing: bool) {
        self.shared().set_appealing(appealing);
    }

    /// Starts to connect to `peer`, trying the addresses in order.
    ///
    /// Answered by [`Event::LinkUp`] or [`Event::DialFailed`]; ignored while a link or a dial to
    /// this peer exists, whose events answer it.
    pub fn dial(&self, peer: NodeId, addresses: Vec<Address>) {
        let shared = self.shared();
        let mut registry = shared.registry();
        if registry.links.contains_key(&peer) || registry.dials.contains(&peer) {
            return;
        }
        let refused = if peer == shared.own {
            let oneself = goodbye(DisconnectReason::Duplicate, "this is the node itself");
            Some(DialFailure::Refused(oneself))
        } else if registry.dials.len() >= shared.config.dials_max {
            Some(DialFailure::Busy)
        } else {
            None
        };
        if let Some(cause) = refused {
            shared
                .inbox
                .post(Event::DialFailed { peer, cause }, Room::default());
            return;
        }
        registry.dials.insert(peer);
        drop(registry);
        let (dialling, failing) = (Arc::clone(shared), Arc::clone(shared));
        task::spawn(
            async move {
                let cause = dial(&dialling, peer, addresses).await;
                dialling.dial_ended(peer, cause);
            },
            move || {
                failing.panicked(None);
                failing.dial_ended(peer, Some(DialFailure::Unreachable));
            },
        );
    }

    /// Queues a frame, as [`Frame::encode`](repute_protocol::Frame::encode) made it. Never blocks.
    ///
    /// A heartbeat of [`Priority::Control`] leaves as a datagram where the connection allows it: it
    /// waits behind nothing, and may be lost.
    ///
    /// # Errors
    /// [`SendError`]; nothing was queued.
    pub fn send(&self, peer: NodeId, frame: Bytes, priority: Priority) -> Result<(), SendError> {
        let link = self.shared().registry().links.get(&peer).map(Arc::clone);
        let outcome = link
            .ok_or(SendError::NotConnected)?
            .push(self.shared(), frame, priority);
        if matches!(outcome, Err(SendError::Full { .. })) {
            count(&self.shared().counters.queue_full, 1);
        }
        outcome
    }

    /// From now on nothing of this peer is decoded but its goodbye, on the link that stands and on
    /// those that follow; or on those that follow no longer. No link is closed by this.
    pub fn shut_out(&self, peer: NodeId, shut_out: bool) {
        self.shared().shut_out(peer, shut_out);
    }

    /// From now on inbound connections from these prefixes, and no others, are refused before their
    /// handshake; but for one a minute of each address, so that whoever is behind it can be told
    /// why, and appeal. Links that stand are not closed.
    pub fn bar(&self, prefixes: Vec<Prefix>) {
        self.shared().gate.bar(prefixes);
    }

    /// Stops reading the streams of these peers, and of no others: their windows fill up, and QUIC
    /// slows the peers down. Datagrams are read on. A link that comes up later is read.
    pub fn hold(&self, peers: &[NodeId]) {
        for (peer, link) in &self.shared().registry().links {
            link.hold(peers.contains(peer));
        }
    }

    /// Ends the link to `peer` after what is queued and `disconnect`, within
    /// [`Config::flush_time`]. [`Event::LinkDown`] follows at once, with [`LinkDown::Local`].
    pub fn close(&self, peer: NodeId, disconnect: Disconnect) {
        let link = self.shared().registry().links.get(&peer).map(Arc::clone);
        if let Some(link) = link {
            self.shared()
                .link_down(&link, LinkDown::Local, Some(disconnect));
        }
    }

    /// Says goodbye to every peer and closes the socket, in bounded time. [`Events::next`] then
    /// gives what is left, and `None`.
    pub async fn shutdown(&self, disconnect: Disconnect) {
        let shared = self.shared();
        for link in shared.begin_shutdown(disconnect.clone()) {
            shared.link_down(&link, LinkDown::Local, Some(disconnect.clone()));
        }
        let patience = shared.config.flush_time.saturating_mul(2);
        let mut live = shared.live.subscribe();
        // Whoever is not gone by then is cut off by the next step.
        let _ = timeout(patience, live.wait_for(|live| *live == 0)).await;
        shared.quic.close(quic::CODE_RETIRED, &[]);
        shared.inbox.close();
        let _ = timeout(shared.config.flush_time, shared.quic.wait_idle()).await;
    }

    /// Counters, for metrics and tests.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let registry = shared.registry();
        Stats {
            links: registry.links.len() as u64,
            dials: registry.dials.len() as u64,
            half_open: shared.gate.half_open() as u64,
            ..shared.counters.snapshot()
        }
    }
}

/// Accepts until the endpoint closes. A panic costs one connection, never the endpoint.
fn spawn_accept(shared: Arc<Shared>) {
    let failing = Arc::clone(&shared);
    tokio::spawn(async move {
        while task::Caught::new(accept(Arc::clone(&shared)))
            .await
            .is_err()
        {
            failing.panicked(None);
        }
    });
}

async fn accept(shared: Arc<Shared>) {
    while let Some(incoming) = shared.quic.accept().await {
        let full = shared.registry().links.len() >= shared.config.links_max;
        let proved = incoming.remote_address_validated();
        let verdict = match shared
            .gate
            .judge(incoming.remote_address(), proved, shared.now())
        {
            _ if full || shared.is_shutting_down() => Verdict::Refuse,
            verdict => verdict,
        };
        match verdict {
            Verdict::Enter(place) => {
                count(&shared.counters.accepted, 1);
                let (entering, failing) = (Arc::clone(&shared), Arc::clone(&shared));
                task::spawn(enter(entering, incoming, place), move || {
                    failing.panicked(None)
                });
            }
            Verdict::Retry => {
                count(&shared.counters.retried, 1);
                // It can only fail for who proved its address already.
                let _ = incoming.retry();
            }
            Verdict::Refuse => {
                count(&shared.counters.refused, 1);
                incoming.refuse();
            }
            Verdict::Barred => {
                count(&shared.counters.barred, 1);
                incoming.refuse();
            }
        }
    }
}

async fn enter(shared: Arc<Shared>, incoming: quinn::Incoming, place: HalfOpen) {
    let shaking = async {
        let connecting =
            quic::accept(incoming, shared.near.as_ref()).map_err(|error| Failure::of(&error))?;
        let connection = connecting.await.map_err(|error| Failure::of(&error))?;
        carry(&shared, connection, None).await
    };
    tokio::select! {
        biased;
        in_time = timeout(shared.config.handshake_time, shaking) => {
            if in_time.is_err() {
                count(&shared.counters.handshakes_failed, 1);
            }
        }
        () = place.put_out() => {
            count(&shared.counters.handshakes_failed, 1);
            count(&shared.counters.put_out, 1);
        }
    }
    drop(place);
}

/// Tries the addresses in turn; why it failed, or `None` when a link is up.
async fn dial(shared: &Arc<Shared>, peer: NodeId, addresses: Vec<Address>) -> Option<DialFailure> {
    let deadline = Instant::now() + shared.config.dial_time;
    let mut cause = DialFailure::Unreachable;
    for address in addresses {
        let now = Instant::now();
        if now >= deadline {
            break;
        }
        let until = deadline.min(now + shared.config.dial_address_time);
        let attempt = async {
            let connecting =
                quic::connect(&shared.quic, shared.near.as_ref(), address.socket_addr())?;
            Some(match connecting.await {
                Ok(connection) => carry(shared, connection, Some(peer)).await,
                Err(error) => Err(Failure::of(&error)),
            })
        };
        let failure = match timeout_at(until, attempt).await {
            Ok(Some(Ok(()))) => return None,
            Ok(Some(Err(failure))) => failure.into_dial_failure(),
            Ok(None) => DialFailure::Unreachable,
            Err(_) => DialFailure::Timeout,
        };
        if weight(&failure) > weight(&cause) {
            cause = failure;
        }
    }
    Some(cause)
}

/// Of several failures, what says most about the peer is reported.
fn weight(failure: &DialFailure) -> u8 {
    match failure {
        DialFailure::Unreachable | DialFailure::Busy => 0,
        DialFailure::Timeout => 1,
        DialFailure::WrongIdentity => 2,
        DialFailure::Refused(_) => 3,
    }
}
