//! The peers engine among honest and hostile peers.

use std::collections::{BTreeMap, VecDeque};

use repute_base::{BoundedString, Fixed, Machine, Rng, Timestamp};
use repute_identity::NodeId;
use repute_node::peers::{
    Config, DialFailure, Input, Limits, LinkDown, LinkId, Output, PeerState, Peers,
};
use repute_protocol::{
    Disconnect, DisconnectReason, Envelope, EnvelopeKind, Frame, FromPeer, Payload, Seq, Unsigned,
};

use super::{
    cast::{
        ME, address, handshake, honest, honest_link_frame, hostile, hostile_frame, id, identity,
        is_honest, network, peer,
    },
    reader::{Clock, OPERATIONS_MAX, Reader, Timers, drain},
};

/// Links that an honest peer opens in one run: fewer than a flood.
const HONEST_LINKS_MAX: u32 = 100;
/// Signature checks that the shell holds; beyond, the oldest is never answered.
const UNANSWERED_MAX: usize = 32;

struct World {
    peers: Peers,
    clock: Clock,
    /// The last link of each peer, by the shell's count.
    links: BTreeMap<NodeId, LinkId>,
    next_link: u64,
    opened: BTreeMap<NodeId, u32>,
    dials: VecDeque<NodeId>,
    unanswered: VecDeque<(NodeId, Envelope)>,
    to_sign: VecDeque<Unsigned>,
    signed: u64,
}

fn config() -> Config {
    Config {
        min_peers: 2,
        max_peers: 4,
        outbound_slots: 3,
        prefix_links_max: 3,
        prefix_outbound_max: 2,
        ..Config::default()
    }
}

fn limits() -> Limits {
    Limits {
        book_max: 12,
        dials_max: 4,
        half_open_max: 4,
        records_max: 6,
        verifying_max: 4,
        relays_max: 4,
        wanted_max: 4,
        gated_max: 4,
        attempts_tracked_max: 8,
        anchors_max: 2,
        ..Limits::default()
    }
}

pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let rng = Rng::from_u64(reader.number());
    let mut world = World {
        peers: Peers::new(config(), limits(), id(ME), rng).unwrap(),
        clock: Clock::new(),
        links: BTreeMap::new(),
        next_link: 0,
        opened: BTreeMap::new(),
        dials: VecDeque::new(),
        unanswered: VecDeque::new(),
        to_sign: VecDeque::new(),
        signed: 0,
    };
    world.give(world.clock.now(), Input::Start);
    for _ in 0..OPERATIONS_MAX {
        if reader.is_empty() {
            break;
        }
        let now = world.clock.step(&mut reader);
        world.operate(&mut reader, now);
        world.check();
    }
}

impl World {
    fn operate(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        match reader.byte() % 16 {
            0 | 1 => self.link_up(reader, now),
            2 => self.link_down(reader, now),
            3 => self.dial_failed(reader, now),
            4..=7 => {
                let from = id(honest(reader));
                let frame = honest_link_frame(reader, &self.clock);
                self.give(now, Input::Frame(FromPeer::authenticated(from, frame)));
            }
            8 | 9 => {
                let from = id(hostile(reader));
                if let Some(frame) = hostile_frame(reader, &self.clock) {
                    self.give(now, Input::Frame(FromPeer::authenticated(from, frame)));
                }
            }
            10 | 11 => self.answer(reader, now),
            12 => {
                let standing = Input::Standing {
                    peer: id(peer(reader)),
                    trust: Fixed::from_raw(
                        Fixed::from_int(1).raw() / 255 * i64::from(reader.byte()),
                    ),
                    gate_open: !reader.byte().is_multiple_of(4),
                    useful: reader.flag(),
                };
                self.give(now, standing);
            }
            13 => self.wish(reader, now),
            14 => self.give(now, Input::Tick),
            _ => self.serve_timers(reader),
        }
    }

    fn link_up(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (n, inbound) = (peer(reader), reader.flag());
        let remote = address(if reader.flag() { n } else { reader.byte() });
        let opened = self.opened.entry(id(n)).or_default();
        *opened += 1;
        if is_honest(&id(n)) && *opened > HONEST_LINKS_MAX {
            return;
        }
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(id(n), link);
        let up = Input::LinkUp {
            peer: id(n),
            link,
            handshake: handshake(n, self.clock.wall),
            remote,
            inbound,
        };
        self.give(now, up);
    }

    fn link_down(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let peer = id(peer(reader));
        // Sometimes of a link that was replaced, or never was.
        let link = match (self.links.get(&peer), reader.byte() % 4) {
            (Some(link), 1..) => *link,
            _ => LinkId(reader.number()),
        };
        let cause = match reader.byte() % 3 {
            0 => LinkDown::Lost,
            1 => LinkDown::Local,
            _ => LinkDown::Closed(disconnect(reader)),
        };
        self.give(now, Input::LinkDown { peer, link, cause });
    }

    fn dial_failed(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let dialled = self.dials.pop_front();
        let peer = match dialled {
            Some(peer) if reader.flag() => peer,
            _ => id(peer(reader)),
        };
        let cause = match reader.byte() % 3 {
            0 => DialFailure::Unreachable,
            1 => DialFailure::WrongIdentity,
            _ => DialFailure::Refused(disconnect(reader)),
        };
        self.give(now, Input::DialFailed { peer, cause });
    }

    /// The shell answers one of what it was asked, truly.
    fn answer(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        if reader.flag()
            && let Some(unsigned) = self.to_sign.pop_front()
        {
            return self.give(now, Input::OwnRecord(unsigned.sign(identity(ME))));
        }
        let at = reader.number() as usize % self.unanswered.len().max(1);
        if let Some((from, envelope)) = self.unanswered.remove(at) {
            let verdict = match envelope.verify() {
                Ok(envelope) => Input::RecordVerified(envelope),
                Err(_) => Input::RecordForged { from },
            };
            self.give(now, verdict);
        }
    }

    /// What the application, the operator and the other engines want.
    fn wish(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let n = peer(reader);
        let (peer, addresses) = (id(n), vec![address(n), address(reader.byte())]);
        let input = match reader.byte() % 16 {
            0 | 1 => Input::Join { peer, addresses },
            2 | 3 => Input::Found { peer, addresses },
            4 | 5 => Input::Wanted { peer },
            6 => Input::Protected { peers: vec![peer] },
            7 | 8 => Input::Drop {
                peer,
                reason: DisconnectReason::Requested,
            },
            9 => Input::Listening { addresses },
            15 if reader.byte() == 255 => Input::Shutdown,
            _ => Input::Heard { peer },
        };
        self.give(now, input);
    }

    fn serve_timers(&mut self, reader: &mut Reader<'_>) {
        let mut timers = Timers::new(&self.clock, reader);
        loop {
            let next = self.peers.next_deadline().map(|at| at.as_millis());
            if !timers.advance(&mut self.clock, next) {
                return;
            }
            self.give(self.clock.now(), Input::Tick);
        }
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        self.peers.handle(now, input);
        for output in drain(&mut self.peers) {
            match output {
                Output::Misbehaviour { peer, kind } => {
                    assert!(!is_honest(&peer), "an honest peer is accused of {kind}");
                }
                Output::Dial { peer, addresses } => {
                    assert!(!addresses.is_empty() && peer != id(ME));
                    self.dials.push_back(peer);
                    self.dials.truncate(16);
                }
                Output::Send { peer, frame } => {
                    assert_ne!(peer, id(ME));
                    assert_sound(&frame);
                }
                Output::Verify { from, envelope } => {
                    if self.unanswered.len() >= UNANSWERED_MAX {
                        self.unanswered.pop_front();
                    }
                    self.unanswered.push_back((from, envelope));
                }
                Output::SignRecord(record) => {
                    self.signed += 1;
                    self.to_sign.truncate(4);
                    self.to_sign.push_back(Unsigned {
                        network: network(),
                        kind: EnvelopeKind::AddressRecord,
                        seq: Seq {
                            start: 1,
                            counter: self.signed,
                        },
                        sent: now.wall,
                        payload: Payload::AddressRecord(record).encode(),
                    });
                }
                _ => {}
            }
        }
    }

    fn check(&self) {
        assert!(self.peers.iter().count() <= limits().book_max);
        let active: Vec<NodeId> = self.peers.active().collect();
        assert!(active.len() <= config().max_peers, "{active:?}");
        for peer in active {
            assert_eq!(self.peers.state(peer), Some(PeerState::Active));
        }
    }
}

/// What we send is what others accept.
pub fn assert_sound(frame: &Frame) {
    let wire = frame.encode();
    let decoded = Frame::decode(
        frame.kind(),
        wire.slice(repute_protocol::FrameHeader::LEN..),
    );
    assert!(frame.fits() && decoded.is_ok(), "{frame:?}: {decoded:?}");
}

fn disconnect(reader: &mut Reader<'_>) -> Disconnect {
    let reasons = DisconnectReason::ALL;
    Disconnect {
        reason: reasons[usize::from(reader.byte()) % reasons.len()],
        retry_ms: reader.wide(),
        detail: BoundedString::default(),
    }
}
