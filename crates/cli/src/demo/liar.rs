//! Those that misbehave. They speak the wire by hand, because an honest node cannot be made to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedVec, Wall};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Broadcast, Envelope, EnvelopeKind, Frame, FrameKind, HandshakeAck, Message, NetworkId, Payload,
    PeerDiscovery, Recommendation, Seq, Topic, Unsigned,
};
use repute_transport::{Config, Endpoint, Event, Events, HandshakeTemplate, Priority};
use tokio::{task::JoinHandle, time::Instant};

use crate::exit::{Exit, Failure};

/// Between two volleys at the same victim.
const VOLLEY: Duration = Duration::from_millis(100);
/// Frames of the flood in one volley.
const FLOOD: usize = 200;

/// Which kind of bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Forged signatures, malformed frames, floods.
    Forger,
    /// Shakes hands, then never answers.
    Silent,
    /// The forger once more, under a new name.
    Whitewasher,
    /// Warns everybody of an honest node.
    Slanderer,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Forger => "forger",
            Self::Silent => "silent",
            Self::Whitewasher => "whitewasher",
            Self::Slanderer => "slanderer",
        }
    }
}

/// One that misbehaves.
pub(super) struct Liar {
    pub(super) kind: Kind,
    pub(super) id: NodeId,
    endpoint: Endpoint,
    task: JoinHandle<()>,
    /// When each victim was first attacked, or first linked to by the silent one.
    attacked: Arc<Mutex<BTreeMap<NodeId, Instant>>>,
    /// Warnings sent.
    warnings: Arc<AtomicU64>,
}

impl Liar {
    /// Binds to loopback and goes for every victim.
    pub(super) async fn let_loose(
        kind: Kind,
        identity: Identity,
        network: NetworkId,
        victims: Vec<(NodeId, Vec<Address>)>,
    ) -> Result<Self, Failure> {
        let config = Config::new(([127, 0, 0, 1], 0).into());
        let bound = Endpoint::bind(config, &identity, HandshakeTemplate::new(network)).await;
        let (endpoint, events) =
            bound.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        let attacked = Arc::new(Mutex::new(BTreeMap::new()));
        let warnings = Arc::new(AtomicU64::new(0));
        let attack = Attack {
            kind,
            endpoint: endpoint.clone(),
            ammunition: Ammunition::new(&identity, network),
            victims,
            attacked: Arc::clone(&attacked),
            warnings: Arc::clone(&warnings),
        };
        let id = identity.id();
        let task = tokio::spawn(attack.run(events));
        Ok(Self {
            kind,
            id,
            endpoint,
            task,
            attacked,
            warnings,
        })
    }

    pub(super) fn attacked(&self) -> BTreeMap<NodeId, Instant> {
        self.attacked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How often it warned of an honest node.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.task.abort();
        let _stats = self.endpoint.stats();
    }
}

struct Attack {
    kind: Kind,
    endpoint: Endpoint,
    ammunition: Ammunition,
    victims: Vec<(NodeId, Vec<Address>)>,
    attacked: Arc<Mutex<BTreeMap<NodeId, Instant>>>,
    warnings: Arc<AtomicU64>,
}

impl Attack {
    async fn run(mut self, mut events: Events) {
        for (victim, addresses) in &self.victims {
            self.endpoint.dial(*victim, addresses.clone());
        }
        let mut linked: Vec<NodeId> = Vec::new();
        let mut volley = tokio::time::interval(VOLLEY);
        loop {
            tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(Event::LinkUp { peer, remote, .. }) => {
                        self.accept(peer, remote);
                        linked.push(peer);
                    }
                    Some(Event::LinkDown { peer, .. }) => linked.retain(|other| *other != peer),
                    Some(_) => {}
                    None => return,
                },
                _ = volley.tick() => {
                    for victim in &linked {
                        self.attack(*victim);
                    }
                }
            }
        }
    }

    fn attack(&mut self, victim: NodeId) {
        match self.kind {
            Kind::Forger | Kind::Whitewasher => self.ammunition.fire(&self.endpoint, victim),
            Kind::Silent => {}
            Kind::Slanderer => {
                // The first victim is whom the others are warned of.
                let Some((about, _)) = self.victims.first().filter(|(id, _)| *id != victim) else {
                    return;
                };
                let Some(warning) = self.ammunition.warning(*about) else {
                    return;
                };
                let sent = self.endpoint.send(victim, warning, Priority::Control);
                self.warnings
                    .fetch_add(u64::from(sent.is_ok()), Ordering::Relaxed);
            }
        }
    }

    /// Behaves until admitted: without that, nothing it sends would matter.
    fn accept(&self, peer: NodeId, remote: Address) {
        let ack = HandshakeAck {
            observed: remote,
            peers: BoundedVec::default(),
        };
        let frame = Frame::HandshakeAck(ack).encode();
        if self.endpoint.send(peer, frame, Priority::Control).is_ok() {
            let mut attacked = self.attacked.lock().unwrap_or_else(PoisonError::into_inner);
            attacked.entry(peer).or_insert_with(Instant::now);
        }
    }
}

/// What the forger sends.
struct Ammunition {
    identity: Identity,
    network: NetworkId,
    counter: u64,
}

impl Ammunition {
    fn new(identity: &Identity, network: NetworkId) -> Self {
        Self {
            identity: identity.clone(),
            network,
            counter: 0,
        }
    }

    fn fire(&mut self, endpoint: &Endpoint, victim: NodeId) {
        let send = |frame: Bytes| {
            // A full queue or a closed link ends the volley; the next one comes soon.
            endpoint.send(victim, frame, Priority::Broadcast).is_ok()
        };
        if let Some(forged) = self.forged() {
            send(forged);
        }
        send(malformed());
        let question = Frame::PeerDiscovery(PeerDiscovery { count: u8::MAX }).encode();
        for _ in 0..FLOOD {
            if !send(question.clone()) {
                return;
            }
        }
    }

    /// A signed warning of somebody.
    fn warning(&mut self, subject: NodeId) -> Option<Bytes> {
        self.counter += 1;
        let warning = Recommendation {
            subject,
            context: 0,
            value: -Recommendation::VALUE_MAX,
            expires: u64::MAX,
            receipt: None,
        };
        let payload = Payload::Recommendation(warning);
        let unsigned = self.unsigned(EnvelopeKind::Recommendation, payload)?;
        let wire = unsigned.sign(&self.identity).wire().to_vec();
        let envelope = Envelope::decode(wire.into()).ok()?;
        Some(Frame::TrustUpdate(envelope).encode())
    }

    fn unsigned(&self, kind: EnvelopeKind, payload: Payload) -> Option<Unsigned> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        let now = u64::try_from(now.as_millis()).ok()?;
        Some(Unsigned {
            network: self.network,
            kind,
            seq: Seq {
                start: now,
                counter: self.counter,
            },
            sent: Wall::from_millis(now),
            payload: payload.encode(),
        })
    }

    /// A message with one bit of its signature turned over.
    fn forged(&mut self) -> Option<Bytes> {
        self.counter += 1;
        let message = Message {
            topic: Topic::new("demo").ok()?,
            kind: 0,
            nth: self.counter,
            after: BoundedVec::default(),
            data: BoundedBytes::new(&b"I was never signed"[..]).ok()?,
        };
        let unsigned = self.unsigned(EnvelopeKind::Message, Payload::Message(message))?;
        let mut wire = unsigned.sign(&self.identity).wire().to_vec();
        *wire.last_mut()? ^= 1;
        let envelope = Envelope::decode(wire.into()).ok()?;
        let broadcast = Broadcast {
            hops: 1,
            ttl: 8,
            requested: false,
            envelope,
        };
        Some(Frame::Broadcast(broadcast).encode())
    }
}

/// A frame of a known kind whose body is no encoding of it.
fn malformed() -> Bytes {
    let body = [0xff; 16];
    let len = u32::try_from(body.len() + 1).unwrap_or(0);
    let mut frame = len.to_be_bytes().to_vec();
    frame.push(FrameKind::Gossip as u8);
    frame.extend_from_slice(&body);
    frame.into()
}
