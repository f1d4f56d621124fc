//! What all tasks of an endpoint share: who is linked, and the rule for two connections at once.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use repute_base::{Address, Mono, TokenBucket};
use repute_identity::{Inception, NodeId};
use repute_protocol::{Capability, Disconnect, DisconnectReason, Handshake, Misbehaviour};
use tokio::{sync::watch, time::Instant};

use crate::{
    Config, DialFailure, Event, HandshakeTemplate, LinkDown,
    gate::Gate,
    inbox::{Inbox, Room},
    link::{Carrier, Link},
    quic,
    stats::{Counters, count},
    stream::{Doorstep, Served},
};

/// Two connections of opposite directions are one meeting of two dials only when they come up so
/// close together; later, the peer must have lost the former one.
const MEETING: Duration = Duration::from_secs(30);
/// Connections that one peer may set up at once: dials meet, processes restart.
const PEER_BURST: u64 = 60;
/// Connections a second of one peer in the long run.
const PEER_RATE: u64 = 1;
/// Peers whose rate of connections is remembered.
const PEERS_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) links: BTreeMap<NodeId, Arc<Link>>,
    pub(crate) dials: BTreeSet<NodeId>,
    listen: Vec<Address>,
    /// Whether our handshakes say that we come to appeal.
    appealing: bool,
    serving: bool,
    rates: BTreeMap<NodeId, TokenBucket>,
    /// Whose frames are not decoded; as many as the application shuts out.
    shut_out: BTreeSet<NodeId>,
    /// What everybody is told who still comes.
    shutdown: Option<Disconnect>,
}

/// What becomes of a connection whose handshakes are checked.
pub(crate) enum Admission {
    /// It carries this link.
    Carries(Arc<Link>),
    /// Another connection carries this link; what still comes on this one is read.
    Spare(Arc<Link>),
    Refused(Disconnect),
}

/// A connection with checked handshakes, for admission.
pub(crate) struct Arrival {
    pub(crate) peer: NodeId,
    pub(crate) handshake: Handshake,
    pub(crate) carrier: Arc<Carrier>,
    /// For `LinkUp` and the `LinkDown` that will follow it one day.
    pub(crate) rooms: (Room, Room),
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) template: HandshakeTemplate,
    pub(crate) inception: Inception,
    pub(crate) own: NodeId,
    pub(crate) quic: quinn::Endpoint,
    pub(crate) near: Option<quic::Near>,
    pub(crate) inbox: Inbox,
    pub(crate) doorstep: Doorstep,
    pub(crate) served: Served,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counters: Counters,
    /// Connections whose tasks still run.
    pub(crate) live: watch::Sender<usize>,
    started: Instant,
    registry: Mutex<Registry>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        template: HandshakeTemplate,
        inception: Inception,
        (quic, near): (quinn::Endpoint, Option<quic::Near>),
        inbox: Inbox,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::new(Gate::new(&config)),
            own: inception.node_id(),
            config,
            template,
            inception,
            quic,
            near,
            inbox,
            doorstep: Doorstep::default(),
            served: Served::default(),
            counters: Counters::default(),
            live: watch::Sender::new(0),
            started: Instant::now(),
            registry: Mutex::default(),
        })
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The monotonic clock, for rates.
    pub(crate) fn now(&self) -> Mono {
        let elapsed = self.started.elapsed().as_millis();
        Mono::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    pub(crate) fn probe(&self, task: &'static str, peer: NodeId) {
        if let Some(probe) = &self.config.probe {
            (probe.0)(task, peer);
        }
    }

    pub(crate) fn set_appealing(&self, appealing: bool) {
        self.registry().appealing = appealing;
    }

    pub(crate) fn set_serving(&self, serving: bool) {
        self.registry().serving = serving;
    }

    pub(crate) fn shut_out(&self, peer: NodeId, shut_out: bool) {
        let mut registry = self.registry();
        if !shut_out {
            registry.shut_out.remove(&peer);
            return;
        }
        registry.shut_out.insert(peer);
        if let Some(link) = registry.links.get(&peer) {
            link.shut_out();
        }
    }

    pub(crate) fn set_listen(&self, addresses: Vec<Address>) {
        self.registry().listen = addresses;
    }

    pub(crate) fn own_handshake(&self) -> Handshake {
        let (listen, extra) = {
            let registry = self.registry();
            let appeal = registry.appealing.then_some(Capability::APPEAL);
            let serve = registry.serving.then_some(Capability::DHT);
            (registry.listen.clone(), appeal.into_iter().chain(serve))
        };
        self.template.fill(self.inception, &listen, extra)
    }

    /// Gives a connection its place. Both ends of two connections decide alike.
    pub(crate) fn admit(&self, arrival: Arrival) -> Admission {
        let Arrival {
            peer,
            handshake,
            carrier,
            rooms,
        } = arrival;
        let dialled = carrier.dialled;
        let mut registry = self.registry();
        if let Some(disconnect) = &registry.shutdown {
            return Admission::Refused(disconnect.clone());
        }
        if !dialled && !self.within_rate(&mut registry, peer) {
            count(&self.counters.violations, 1);
            let kind = Misbehaviour::ConnectionFlood;
            self.inbox.post(Event::Violation { peer, kind }, rooms.0);
            return Admission::Refused(goodbye(DisconnectReason::Overload, "too many connections"));
        }
        if let Some(link) = registry.links.get(&peer).map(Arc::clone) {
            count(&self.counters.duplicates, 1);
            if link.carrier().dialled != dialled && link.since.elapsed() < MEETING {
                // Both dialled at once: the one that the smaller id dialled stays.
                if dialled != (self.own < peer) {
                    carrier.retired.notify_one();
                    return Admission::Spare(link);
                }
                link.move_to(carrier);
                return Admission::Carries(link);
            }
            // The peer would not connect again if it still had the former connection.
            let former = link.carrier();
            let cause = "the peer connected again; the former connection was dropped";
            link.down(self, LinkDown::Lost(cause.into()), None);
            quic::close(
                &former.connection,
                &goodbye(DisconnectReason::Duplicate, ""),
            );
        } else if registry.links.len() >= self.config.links_max {
            return Admission::Refused(goodbye(DisconnectReason::Full, "no link is free"));
        }
        let remote = carrier.connection.remote_address().into();
        let (up_room, down_room) = rooms;
        let shut_out = registry.shut_out.contains(&peer);
        let link = Link::new(peer, carrier, &self.config, down_room, shut_out);
        registry.links.insert(peer, Arc::clone(&link));
        let up = Event::LinkUp {
            peer,
            handshake,
            remote,
            inbound: !dialled,
        };
        self.inbox.post(up, up_room);
        Admission::Carries(link)
    }

    fn within_rate(&self, registry: &mut Registry, peer: NodeId) -> bool {
        let now = self.now();
        if !registry.rates.contains_key(&peer) && registry.rates.len() >= PEERS_MAX {
            registry
                .rates
                .retain(|_, bucket| !bucket.wait(now, PEER_BURST).is_zero());
            // Half at least must go, or the next ones would pay for this search again.
            if registry.rates.len() > PEERS_MAX / 2 {
                registry.rates.clear();
            }
        }
        let fresh = || TokenBucket::new(PEER_RATE, PEER_BURST, now);
        registry
            .rates
            .entry(peer)
            .or_insert_with(fresh)
            .take(now, 1)
    }

    /// Takes a link out and reports it down; a later connection makes a new one.
    pub(crate) fn link_down(&self, link: &Arc<Link>, cause: LinkDown, goodbye: Option<Disconnect>) {
        let mut registry = self.registry();
        if registry
            .links
            .get(&link.peer)
            .is_some_and(|held| Arc::ptr_eq(held, link))
        {
            registry.links.remove(&link.peer);
        }
        // Under the registry's lock, so that no newer link comes up before this one is down.
        link.down(self, cause, goodbye);
    }

    /// Ends a dial; `cause` is reported unless a link came up meanwhile.
    pub(crate) fn dial_ended(&self, peer: NodeId, cause: Option<DialFailure>) {
        let mut registry = self.registry();
        registry.dials.remove(&peer);
        if let Some(cause) = cause
            && !registry.links.contains_key(&peer)
        {
            self.inbox
                .post(Event::DialFailed { peer, cause }, Room::default());
        }
    }

    /// From now on everybody is refused; gives the links that are up.
    pub(crate) fn begin_shutdown(&self, disconnect: Disconnect) -> Vec<Arc<Link>> {
        let mut registry = self.registry();
        registry.shutdown = Some(disconnect);
        registry.links.values().map(Arc::clone).collect()
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.registry().shutdown.is_some()
    }

    /// Notes a panic in a task of this link, or of a connection without one.
    pub(crate) fn panicked(&self, link: Option<&Arc<Link>>) {
        count(&self.counters.panics, 1);
        tracing::error!(peer = ?link.map(|link| link.peer), "a task of a connection panicked");
        if let Some(link) = link {
            let event = Event::TaskPanicked { peer: link.peer };
            link.post(self, event, Room::default());
            self.link_down(
                link,
                LinkDown::Lost("a task of the link panicked".into()),
                None,
            );
        }
    }
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shared")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// A connection whose tasks run; shutdown waits for it.
pub(crate) struct Live(pub(crate) Arc<Shared>);

impl Live {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.live.send_modify(|live| *live += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0
            .live
            .send_modify(|live| *live = live.saturating_sub(1));
    }
}

pub(crate) fn goodbye(reason: DisconnectReason, detail: &str) -> Disconnect {
    Disconnect::because(reason, detail)
}
