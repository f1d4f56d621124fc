use repute_base::{Address, BoundedBytes, BoundedVec, Mono};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    AddressRecord, Announced, EnvelopeKind, Frame, GossipFrame, MessageId, Payload,
    PeerAnnouncement, PeerHint,
};

use super::{Adversary, Shell};

/// Announcements of nothing at a time.
const ANNOUNCED: usize = 4;
/// Nodes invented at a time.
const INVENTED: usize = 8;

/// Takes every message and passes none on, but announces messages that do not exist; says that
/// it is everybody's neighbour; and names nodes that do not exist, with signed records of where
/// they are.
#[derive(Clone, Debug)]
pub struct Liar {
    begin: Mono,
}

impl Liar {
    /// One that behaves until `begin` of the world's clock.
    pub const fn new(begin: Mono) -> Self {
        Self { begin }
    }
}

/// A node that nobody is.
fn nobody(me: &mut Shell<'_>) -> (Identity, Address) {
    let [a, b, c, d, port @ ..] = me.rng.next_u64().to_le_bytes();
    let ip = core::net::Ipv4Addr::new(11 + a % 80, b, c, d.clamp(1, 254));
    let port = u16::from_be_bytes([port[0], port[1]]) | 1_024;
    let identity = Identity::from_seed(me.rng.next_u64());
    (identity, Address::new((ip, port).into()))
}

fn hint_of_nobody(me: &mut Shell<'_>) -> PeerHint {
    let (identity, address) = nobody(me);
    PeerHint {
        id: identity.id(),
        addresses: BoundedVec::truncated([address]),
    }
}

fn announcement_of_nothing(me: &mut Shell<'_>) -> Frame {
    let mut id = [0; 32];
    let messages = core::iter::repeat_with(|| {
        me.rng.fill(&mut id);
        let id = MessageId::from_bytes(id);
        Announced { id, hops: 1 }
    });
    let messages = BoundedVec::truncated(messages.take(ANNOUNCED));
    Frame::Gossip(GossipFrame::Announce { messages })
}

fn records_of_nobodies(me: &mut Shell<'_>) -> Frame {
    let records = core::iter::repeat_with(|| {
        let (identity, address) = nobody(me);
        let addresses = BoundedVec::truncated([address]);
        let payload = Payload::AddressRecord(AddressRecord { addresses });
        let record = me.sign(&identity, EnvelopeKind::AddressRecord, &payload);
        BoundedBytes::new(record.wire().clone()).ok()
    });
    let records = BoundedVec::truncated(records.take(INVENTED).flatten());
    Frame::PeerAnnouncement(PeerAnnouncement { records })
}

impl Adversary for Liar {
    fn hears(&mut self, me: &mut Shell<'_>, from: NodeId, frame: &Frame) -> bool {
        if me.at < self.begin {
            return true;
        }
        match frame {
            Frame::Broadcast(_) => me.did("dropped"),
            Frame::Gossip(GossipFrame::Want { .. } | GossipFrame::Graft { .. }) => {
                me.did("asked in vain");
            }
            Frame::Gossip(GossipFrame::Reconcile { .. } | GossipFrame::Announce { .. }) => {}
            Frame::PeerDiscovery(_) => {
                let lie = records_of_nobodies(me);
                me.did("invented nodes");
                me.send(from, &lie);
            }
            _ => return true,
        }
        false
    }

    fn says(&mut self, me: &mut Shell<'_>, to: NodeId, frame: &Frame) -> bool {
        me.recommends(to, frame)
    }

    fn acts(&mut self, me: &mut Shell<'_>) {
        if me.at < self.begin {
            return;
        }
        for peer in me.peers {
            let lies = [
                announcement_of_nothing(me),
                Frame::Gossip(GossipFrame::NeighborReply { accepted: true }),
                Frame::Gossip(GossipFrame::ForwardJoin {
                    peer: hint_of_nobody(me),
                    ttl: 0,
                }),
            ];
            me.did("announced nothing");
            for lie in &lies {
                me.send(*peer, lie);
            }
        }
    }
}
