//! Somebody who speaks the wire by hand, because an honest node cannot be made to.

use std::net::SocketAddr;

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedVec, Wall};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Broadcast, Envelope, EnvelopeKind, Frame, HandshakeAck, Heartbeat, Message, NetworkId, Payload,
    Seq, Topic, Unsigned,
};
use repute_transport::{Config, Endpoint, Event, Events, HandshakeTemplate, Priority};

use super::{Cluster, VirtualNet, ears::TOPIC};

/// An endpoint of the transport without a node behind it.
#[derive(Debug)]
pub struct Foe {
    /// Who it is.
    pub identity: Identity,
    /// Its links.
    pub endpoint: Endpoint,
    /// What happens on them.
    pub events: Events,
}

impl Foe {
    /// The foe of this number, at `address`. `change` makes its transport unlike others.
    pub async fn new(
        net: &VirtualNet,
        number: u64,
        address: SocketAddr,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let identity = Identity::from_seed(u64::MAX - number);
        let mut config = Config::new(address);
        config.socket = Some(net.socket(address));
        let mut seed = [7; 32];
        for (place, byte) in seed.iter_mut().zip(number.to_be_bytes()) {
            *place = byte;
        }
        config.seed = Some(seed);
        change(&mut config);
        let mut template = HandshakeTemplate::new(NetworkId::from_name(Cluster::NETWORK));
        template.wall = std::sync::Arc::new(|| Wall::ZERO);
        let (endpoint, events) = Endpoint::bind(config, &identity, template)
            .await
            .expect("a sound configuration");
        Self {
            identity,
            endpoint,
            events,
        }
    }

    /// Who it is.
    pub fn id(&self) -> NodeId {
        self.identity.id()
    }

    /// Dials a victim and behaves until it is admitted; false if it is not let in.
    pub async fn enter(&mut self, victim: NodeId, address: Address) -> bool {
        self.endpoint.dial(victim, vec![address]);
        loop {
            match self.events.next().await {
                Some(Event::LinkUp { peer, remote, .. }) if peer == victim => {
                    let ack = HandshakeAck {
                        observed: remote,
                        peers: BoundedVec::default(),
                    };
                    let frame = Frame::HandshakeAck(ack).encode();
                    return self.endpoint.send(victim, frame, Priority::Control).is_ok();
                }
                Some(Event::DialFailed { .. }) | None => return false,
                Some(_) => {}
            }
        }
    }

    /// Answers a probe, so that it is not taken for dead.
    pub fn live(endpoint: &Endpoint, peer: NodeId, frame: &Frame) {
        if let Frame::Heartbeat(Heartbeat::Ping { nonce }) = frame {
            let pong = Frame::Heartbeat(Heartbeat::Pong { nonce: *nonce });
            // A lost answer is what networks do.
            let _ = endpoint.send(peer, pong.encode(), Priority::Control);
        }
    }

    /// Messages of so many bytes, well-formed, each another, whose signatures do not hold.
    pub fn forgeries(&self, wall: Wall, len: usize) -> Forgeries {
        let mut data = vec![0; len.max(MARK.len())];
        for (place, byte) in data.iter_mut().zip(MARK) {
            *place = byte;
        }
        let message = Message {
            topic: Topic::new(TOPIC).expect("short"),
            kind: 0,
            nth: 1,
            after: BoundedVec::default(),
            data: BoundedBytes::new(data).expect("not too long"),
        };
        let unsigned = Unsigned {
            network: NetworkId::from_name(Cluster::NETWORK),
            kind: EnvelopeKind::Message,
            seq: Seq {
                start: wall.as_millis(),
                counter: 1,
            },
            sent: wall,
            payload: Payload::Message(message).encode(),
        };
        let signed = unsigned.sign(&self.identity).wire().to_vec();
        let place = signed.windows(MARK.len()).position(|part| part == MARK);
        Forgeries {
            signed,
            place: place.expect("the data is in it as it is"),
            count: 0,
        }
    }
}

/// What is looked for in a signed message, to change it there.
const MARK: [u8; 8] = *b"changeme";

/// One signed message, changed each time: only the whole check finds it out.
#[derive(Clone, Debug)]
pub struct Forgeries {
    signed: Vec<u8>,
    place: usize,
    count: u64,
}

impl Forgeries {
    /// The next one.
    pub fn frame(&mut self) -> Bytes {
        self.count += 1;
        let mut wire = self.signed.clone();
        let changed = wire.iter_mut().skip(self.place);
        for (place, byte) in changed.zip(self.count.to_be_bytes()) {
            *place = byte;
        }
        let envelope = Envelope::decode(wire.into()).expect("still well-formed");
        Frame::Broadcast(Broadcast {
            hops: 1,
            ttl: 8,
            requested: false,
            envelope,
        })
        .encode()
    }

    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }
}
