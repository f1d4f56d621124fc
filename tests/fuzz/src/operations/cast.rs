//! Who takes part, and what they send.

use std::sync::OnceLock;

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec, Wall};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    AddressRecord, Announced, Broadcast, CustomData, Envelope, EnvelopeKind, Frame, FrameKind,
    GossipFrame, Handshake, HandshakeAck, Heartbeat, Message, MessageId, NetworkId, Payload,
    PeerAnnouncement, PeerDiscovery, PeerHint, Seq, Topic, TrustedPeersRequest, Unsigned, VERSION,
    Verified,
};

use super::reader::{Clock, Reader};

/// The node under test.
pub const ME: u8 = 12;
/// Those below are honest, those from here to [`ALL`] are not.
const HOSTILE: u8 = 4;
/// Peers that may have links.
const ALL: u8 = 8;
/// Authors that are peers or live beyond them; those beyond are honest.
const AUTHORS: u8 = 12;

pub fn identity(n: u8) -> &'static Identity {
    static CAST: OnceLock<Vec<Identity>> = OnceLock::new();
    let cast = CAST.get_or_init(|| {
        (0..=ME)
            .map(|n| Identity::from_seed(u64::from(n)))
            .collect()
    });
    &cast[usize::from(n % (ME + 1))]
}

pub fn id(n: u8) -> NodeId {
    identity(n).id()
}

pub fn is_honest(peer: &NodeId) -> bool {
    !(HOSTILE..ALL).any(|n| id(n) == *peer)
}

/// Any peer.
pub fn peer(reader: &mut Reader<'_>) -> u8 {
    reader.byte() % ALL
}

pub fn honest(reader: &mut Reader<'_>) -> u8 {
    reader.byte() % HOSTILE
}

pub fn hostile(reader: &mut Reader<'_>) -> u8 {
    HOSTILE + reader.byte() % (ALL - HOSTILE)
}

pub fn network() -> NetworkId {
    NetworkId::from_name("fuzz")
}

/// A routable address; few enough prefixes that some share one.
pub fn address(n: u8) -> Address {
    Address::new(([20 + n % 5, n % 3, 0, n], 700).into())
}

pub fn handshake(n: u8, wall: u64) -> Handshake {
    Handshake {
        version_min: VERSION,
        version_max: VERSION,
        network: network(),
        inception: *identity(n).inception(),
        capabilities: BoundedVec::new(),
        listen: BoundedVec::truncated([address(n)]),
        wall,
        agent: BoundedString::default(),
    }
}

pub fn topic(n: u8) -> Topic {
    Topic::new(["news", "talk"][usize::from(n % 2)]).unwrap()
}

fn hint(n: u8) -> PeerHint {
    PeerHint {
        id: id(n % AUTHORS),
        addresses: BoundedVec::truncated([address(n)]),
    }
}

fn hints<const MAX: usize>(reader: &mut Reader<'_>) -> BoundedVec<PeerHint, MAX> {
    BoundedVec::truncated(reader.take(6).iter().map(|n| hint(*n)))
}

/// An envelope by the author of this number, sent about now.
fn sealed(
    reader: &mut Reader<'_>,
    clock: &Clock,
    author: u8,
    payload: &Payload,
) -> Verified<Envelope> {
    let (counter, age) = (reader.number(), reader.byte());
    let age_ms = u64::from(age % 16) * 30_000;
    let sent = if age >= 128 {
        clock.wall.saturating_add(age_ms)
    } else {
        clock.wall.saturating_sub(age_ms)
    };
    seal(author, payload.kind(), counter, sent, payload.encode())
}

fn seal(
    author: u8,
    kind: EnvelopeKind,
    counter: u64,
    sent: u64,
    payload: Vec<u8>,
) -> Verified<Envelope> {
    let seq = Seq {
        start: 1_600_000_000_000,
        counter,
    };
    let sent = Wall::from_millis(sent);
    Unsigned {
        network: network(),
        kind,
        seq,
        sent,
        payload,
    }
    .sign(identity(author % AUTHORS))
}

fn message(reader: &mut Reader<'_>, clock: &Clock) -> Verified<Envelope> {
    let author = reader.byte();
    let payload = Payload::Message(Message {
        topic: topic(reader.byte()),
        kind: 0,
        nth: reader.number(),
        after: BoundedVec::new(),
        data: BoundedBytes::new(reader.take(16).to_vec()).unwrap(),
    });
    sealed(reader, clock, author, &payload)
}

fn record(reader: &mut Reader<'_>, clock: &Clock) -> Verified<Envelope> {
    let author = reader.byte();
    let payload = Payload::AddressRecord(AddressRecord {
        addresses: BoundedVec::truncated([address(author)]),
    });
    sealed(reader, clock, author, &payload)
}

fn broadcast(reader: &mut Reader<'_>, envelope: Envelope) -> Frame {
    Frame::Broadcast(Broadcast {
        hops: reader.byte(),
        ttl: reader.byte(),
        requested: reader.flag(),
        envelope,
    })
}

/// A message as anybody may pass it on.
pub fn honest_broadcast(reader: &mut Reader<'_>, clock: &Clock) -> Frame {
    let envelope = message(reader, clock).into_inner();
    broadcast(reader, envelope)
}

fn heartbeat(reader: &mut Reader<'_>) -> Heartbeat {
    let (kind, nonce) = (reader.byte(), reader.wide());
    let target = id(reader.byte());
    match kind % 4 {
        0 => Heartbeat::Ping { nonce },
        1 => Heartbeat::Pong { nonce },
        2 => Heartbeat::ProbeRequest { nonce, target },
        _ => Heartbeat::ProbeReply {
            nonce,
            target,
            alive: reader.flag(),
        },
    }
}

fn ids<const MAX: usize>(reader: &mut Reader<'_>) -> BoundedVec<MessageId, MAX> {
    let ids = reader.take(12).iter();
    BoundedVec::truncated(ids.map(|n| MessageId::from_bytes([*n; 32])))
}

/// Gossip control that an honest peer may send in some state; reconciliation apart, whose bytes
/// only an engine can make.
pub fn honest_control(reader: &mut Reader<'_>) -> Frame {
    let n = reader.byte();
    Frame::Gossip(match reader.byte() % 11 {
        0 => GossipFrame::Join,
        1 => GossipFrame::ForwardJoin {
            peer: hint(n),
            ttl: reader.byte(),
        },
        2 => GossipFrame::Neighbor {
            urgent: reader.flag(),
        },
        3 => GossipFrame::NeighborReply {
            accepted: reader.flag(),
        },
        4 => GossipFrame::Shuffle {
            origin: hint(n),
            ttl: reader.byte(),
            peers: hints(reader),
        },
        5 => GossipFrame::ShuffleReply {
            peers: hints(reader),
        },
        6 => GossipFrame::Leave,
        7 => {
            let named = reader.take(12).iter().map(|n| Announced {
                id: MessageId::from_bytes([*n; 32]),
                hops: *n,
            });
            GossipFrame::Announce {
                messages: BoundedVec::truncated(named),
            }
        }
        8 => GossipFrame::Graft {
            messages: ids(reader),
        },
        9 => GossipFrame::Prune,
        _ => GossipFrame::Want {
            messages: ids(reader),
        },
    })
}

/// What an honest peer says about links and addresses.
pub fn honest_link_frame(reader: &mut Reader<'_>, clock: &Clock) -> Frame {
    match reader.byte() % 8 {
        0 | 1 => Frame::HandshakeAck(HandshakeAck {
            observed: address(reader.byte()),
            peers: hints(reader),
        }),
        2 => Frame::PeerDiscovery(PeerDiscovery {
            count: reader.byte(),
        }),
        3 => {
            let count = reader.byte() % 4;
            let records = (0..count).map(|_| {
                let wire = record(reader, clock).wire().clone();
                BoundedBytes::new(wire).unwrap()
            });
            Frame::PeerAnnouncement(PeerAnnouncement {
                records: BoundedVec::truncated(records.collect::<Vec<_>>()),
            })
        }
        _ => Frame::Heartbeat(heartbeat(reader)),
    }
}

/// What an honest peer asks for or sends besides.
pub fn honest_other(reader: &mut Reader<'_>) -> Frame {
    if reader.flag() {
        return Frame::TrustedPeersRequest(TrustedPeersRequest {
            context: reader.byte(),
            count: reader.byte(),
        });
    }
    Frame::CustomData(CustomData {
        kind: u16::from(reader.byte()),
        data: BoundedBytes::new(reader.take(32).to_vec()).unwrap(),
    })
}

/// Damages the signature and leaves it well-formed.
fn forged(envelope: &Envelope, how: u8) -> Option<Envelope> {
    let mut wire = envelope.wire().to_vec();
    let at = wire.len().checked_sub(20 + usize::from(how % 40))?;
    wire[at] ^= 1 + how % 7;
    Envelope::decode(wire.into()).ok()
}

/// What no honest peer sends, or any bytes as a frame of any kind; `None` for bytes that are none.
pub fn hostile_frame(reader: &mut Reader<'_>, clock: &Clock) -> Option<Frame> {
    match reader.byte() % 8 {
        0 => {
            let honest = message(reader, clock);
            let envelope = forged(&honest, reader.byte())?;
            Some(broadcast(reader, envelope))
        }
        1 => {
            let (author, counter) = (reader.byte(), reader.number());
            let noise = reader.take(40).to_vec();
            let signer = HOSTILE + author % (ALL - HOSTILE);
            let kind = EnvelopeKind::Message;
            let envelope = seal(signer, kind, counter, clock.wall, noise);
            Some(broadcast(reader, envelope.into_inner()))
        }
        2 => {
            let envelope = Unsigned {
                network: NetworkId::from_name("elsewhere"),
                kind: EnvelopeKind::Message,
                seq: Seq {
                    start: 1,
                    counter: reader.number(),
                },
                sent: Wall::from_millis(clock.wall),
                payload: Vec::new(),
            }
            .sign(identity(HOSTILE));
            Some(broadcast(reader, envelope.into_inner()))
        }
        3 => Some(Frame::Gossip(GossipFrame::Reconcile {
            session: reader.number() % 4,
            initiator: reader.flag(),
            body: {
                let floor = reader.wide().to_be_bytes();
                let version = reader.flag().then_some(0x61);
                let tail = reader.take(60).iter().copied();
                let body: Vec<u8> = floor.into_iter().chain(version).chain(tail).collect();
                BoundedBytes::new(body).ok()?
            },
        })),
        4 => {
            let honest = record(reader, clock);
            let wire = match reader.byte() % 4 {
                0 => forged(&honest, reader.byte())?.wire().clone(),
                1 => Bytes::copy_from_slice(reader.take(100)),
                2 => message(reader, clock).wire().clone(),
                _ => {
                    let noise = reader.take(20).to_vec();
                    let kind = EnvelopeKind::AddressRecord;
                    seal(HOSTILE, kind, reader.number(), clock.wall, noise)
                        .wire()
                        .clone()
                }
            };
            let records = [BoundedBytes::new(wire).ok()?];
            Some(Frame::PeerAnnouncement(PeerAnnouncement {
                records: BoundedVec::truncated(records),
            }))
        }
        _ => {
            let kind = FrameKind::from_number(1 + reader.byte() % 14)?;
            Frame::decode(kind, Bytes::copy_from_slice(reader.take(255))).ok()
        }
    }
}
