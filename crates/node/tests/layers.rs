//! The eight layers, on the core alone: who refuses first, and whose quota is spent.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

use repute_base::{Address, BoundedBytes, BoundedVec, Layer, Layers, Rng, Timestamp, Wall};
use repute_identity::{Identity, NodeId};
use repute_node::{Command, Config, Core, Input, Output, Snapshot};
use repute_protocol::{
    Broadcast, CustomData, Envelope, EnvelopeKind, Frame, FromPeer, GossipFrame, Handshake,
    HandshakeAck, Heartbeat, Message, NetworkId, Payload, PeerAnnouncement, Seq, Topic, Unsigned,
    VERSION, Verified,
};

const NOW: u64 = 1_800_000_000_000;
const OLD_MS: u64 = 400_000;

/// A node, and one peer that is linked to it.
struct Desk {
    core: Core,
    ms: u64,
    neighbour: Identity,
}

impl Desk {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::on_network("desk");
        change(&mut config);
        let me = Identity::from_seed(1).id();
        let core = Core::new(me, config, Snapshot::default(), None, Rng::from_u64(3)).unwrap();
        let neighbour = Identity::from_seed(2);
        let ms = 1_000;
        let mut desk = Self {
            core,
            ms,
            neighbour,
        };
        desk.feed(Input::Start);
        let topic = Topic::new("news").unwrap();
        let causal = false;
        desk.feed(Input::Command(Command::Subscribe { topic, causal }));
        let remote: Address = "192.0.2.1:7000".parse().unwrap();
        let handshake = Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network: NetworkId::from_name("desk"),
            inception: *desk.neighbour.inception(),
            capabilities: BoundedVec::default(),
            listen: BoundedVec::default(),
            wall: NOW,
            agent: Default::default(),
        };
        let peer = desk.neighbour.id();
        let inbound = true;
        desk.feed(Input::LinkUp {
            peer,
            handshake,
            remote,
            inbound,
        });
        let peers = BoundedVec::default();
        let observed = remote;
        desk.hear(Frame::HandshakeAck(HandshakeAck { observed, peers }));
        assert!(desk.core.peers().active().any(|active| active == peer));
        desk
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        let now = Timestamp::from_millis(self.ms, NOW + self.ms);
        self.core.handle(now, input);
        std::iter::from_fn(|| self.core.poll_output()).collect()
    }

    /// A frame of the neighbour's.
    fn hear(&mut self, frame: Frame) -> Vec<Output> {
        let peer = self.neighbour.id();
        self.feed(Input::Frame(FromPeer::authenticated(peer, frame)))
    }

    /// What has been counted since `before`: passed and refused of each layer.
    fn since(&self, before: &Layers) -> [(u64, u64); 8] {
        let now = self.core.layers();
        Layer::ALL.map(|layer| {
            (
                now.passed(layer) - before.passed(layer),
                now.refused(layer) - before.refused(layer),
            )
        })
    }

    /// Which layer alone refuses this frame, once; and that none behind it let anything through.
    fn refuser(&mut self, frame: Frame) -> Layer {
        let before = self.core.layers();
        let outputs = self.hear(frame);
        self.answer_checks(outputs);
        let since = self.since(&before);
        let refused: Vec<usize> = (0..8).filter(|place| since[*place].1 > 0).collect();
        assert_eq!(refused.len(), 1, "{since:?}");
        let place = refused[0];
        assert_eq!(since[place].1, 1, "{since:?}");
        for behind in &since[place..] {
            assert_eq!(behind.0, 0, "{since:?}");
        }
        Layer::ALL[place]
    }

    /// Checks what the core wants checked, as the shell does; how much that was.
    fn answer_checks(&mut self, outputs: Vec<Output>) -> usize {
        let mut checked = 0;
        let mut waiting = outputs;
        while let Some(output) = waiting.pop() {
            if let Output::Verify { from, envelope } = output {
                checked += 1;
                let input = match envelope.verify() {
                    Ok(envelope) => Input::Verified { from, envelope },
                    Err(envelope) => Input::Forged { from, envelope },
                };
                waiting.extend(self.feed(input));
            }
        }
        checked
    }

    fn use_up_link(&mut self) {
        for _ in 0..1_000 {
            let before = self.core.layers().refused(Layer::LinkQuota);
            self.hear(prune());
            if self.core.layers().refused(Layer::LinkQuota) > before {
                break;
            }
        }
        // Broadcasts have a budget of their own.
        let author = Identity::from_seed(50);
        let copy = said(&author, 1, NOW, "desk");
        self.answer_to(&copy);
        for _ in 0..1_000 {
            let before = self.core.layers().refused(Layer::LinkQuota);
            self.hear(pushed(copy.clone()));
            if self.core.layers().refused(Layer::LinkQuota) > before {
                return;
            }
        }
        panic!("the budget of a link has no end");
    }

    fn answer_to(&mut self, envelope: &Envelope) {
        let outputs = self.hear(pushed(envelope.clone()));
        self.answer_checks(outputs);
    }
}

/// Budgets that a test can use up.
fn small(config: &mut Config) {
    let limits = &mut config.limits.gossip;
    (limits.link_frames_rate, limits.link_frames_burst) = (1, 40);
    (limits.link_control_rate, limits.link_control_burst) = (1, 40);
    (limits.origin_bytes_rate, limits.origin_bytes_burst) = (1, 4_000);
}

fn prune() -> Frame {
    Frame::Gossip(GossipFrame::Prune)
}

fn said(author: &Identity, counter: u64, sent: u64, network: &str) -> Envelope {
    said_as(author, EnvelopeKind::Message, counter, sent, network).into_inner()
}

fn said_as(
    author: &Identity,
    kind: EnvelopeKind,
    counter: u64,
    sent: u64,
    network: &str,
) -> Verified<Envelope> {
    let payload = Payload::Message(Message {
        topic: Topic::new("news").unwrap(),
        kind: 0,
        data: BoundedBytes::new(vec![7; 32]).unwrap(),
        nth: 0,
        after: BoundedVec::default(),
    });
    let unsigned = Unsigned {
        network: NetworkId::from_name(network),
        kind,
        seq: Seq {
            start: NOW,
            counter,
        },
        sent: Wall::from_millis(sent),
        payload: payload.encode(),
    };
    unsigned.sign(author)
}

fn forged(envelope: &Envelope) -> Envelope {
    let mut wire = envelope.wire().to_vec();
    let last = wire.len() - 1;
    wire[last] ^= 1;
    Envelope::decode(wire.into()).unwrap()
}

fn pushed(envelope: Envelope) -> Frame {
    Frame::Broadcast(Broadcast {
        hops: 1,
        ttl: 8,
        requested: false,
        envelope,
    })
}

#[test]
fn each_layer_refuses_before_those_behind_it_are_asked() {
    let author = Identity::from_seed(9);
    // Wrong in everything from content on.
    let old_and_forged = || forged(&said(&author, 1, NOW - OLD_MS, "desk"));
    let foreign = || forged(&said(&author, 2, NOW - OLD_MS, "elsewhere"));
    let only_forged = || forged(&said(&author, 3, NOW, "desk"));

    let mut desk = Desk::new(small);
    assert_eq!(desk.refuser(pushed(only_forged())), Layer::Cryptography);
    desk.use_up_link();
    assert_eq!(desk.refuser(pushed(only_forged())), Layer::LinkQuota);
    assert_eq!(desk.refuser(pushed(old_and_forged())), Layer::Content);
    assert_eq!(desk.refuser(pushed(foreign())), Layer::Content);

    // The gate closes: nothing is looked at any more, whatever it is.
    let subject = desk.neighbour.id();
    let ban = Command::Ban {
        token: 1,
        subject,
        duration: None,
        reason: Default::default(),
    };
    let outputs = desk.feed(Input::Command(ban));
    let told = outputs.iter().any(
        |output| matches!(output, Output::ShutOut { peer, shut_out: true } if *peer == subject),
    );
    assert!(told, "{outputs:?}");
    for frame in every_kind() {
        assert_eq!(desk.refuser(frame), Layer::Standing);
    }
    // And opens again.
    let token = 2;
    let outputs = desk.feed(Input::Command(Command::Unban { token, subject }));
    let told = outputs.iter().any(
        |output| matches!(output, Output::ShutOut { peer, shut_out: false } if *peer == subject),
    );
    assert!(told, "{outputs:?}");
}

/// One frame of each kind that reaches a core, the first of them good.
fn every_kind() -> Vec<Frame> {
    let author = Identity::from_seed(9);
    let data = BoundedBytes::new(vec![1]).unwrap();
    vec![
        pushed(said(&author, 4, NOW, "desk")),
        prune(),
        Frame::Heartbeat(Heartbeat::Ping { nonce: 1 }),
        Frame::PeerAnnouncement(PeerAnnouncement {
            records: BoundedVec::default(),
        }),
        Frame::CustomData(CustomData { kind: 1, data }),
        Frame::TrustUpdate(said(&author, 5, NOW, "elsewhere")),
    ]
}

#[test]
fn what_is_good_passes_every_layer_it_is_asked_about_once() {
    let author = Identity::from_seed(9);
    let mut desk = Desk::new(|_| {});
    let before = desk.core.layers();
    let outputs = desk.hear(pushed(said(&author, 1, NOW, "desk")));
    assert_eq!(desk.answer_checks(outputs), 1);
    let passed = desk.since(&before).map(|(passed, _)| passed);
    // Transport and standing are counted at the links, which this core has not.
    assert_eq!(passed, [0, 0, 1, 1, 1, 1, 1, 1]);
    let refused = desk.since(&before).map(|(_, refused)| refused);
    assert_eq!(refused, [0; 8]);

    let before = desk.core.layers();
    desk.hear(Frame::Heartbeat(Heartbeat::Ping { nonce: 1 }));
    let passed = desk.since(&before).map(|(passed, _)| passed);
    assert_eq!(passed, [0, 0, 1, 1, 0, 0, 0, 1]);
    let before = desk.core.layers();
    let data = BoundedBytes::new(vec![1]).unwrap();
    desk.hear(Frame::CustomData(CustomData { kind: 1, data }));
    let passed = desk.since(&before).map(|(passed, _)| passed);
    assert_eq!(passed, [0, 0, 1, 0, 0, 0, 0, 1]);
}

#[test]
fn no_quota_of_an_author_is_spent_by_what_that_author_did_not_sign() {
    let author = Identity::from_seed(9);
    let mut desk = Desk::new(|config| {
        small(config);
        config.limits.gossip.link_frames_burst = 100_000;
    });
    // Far more than the author may send, in its name and forged.
    let mut checked = 0;
    for counter in 0..1_000 {
        let sent = NOW + desk.ms;
        let outputs = desk.hear(pushed(forged(&said(&author, counter, sent, "desk"))));
        checked += desk.answer_checks(outputs);
    }
    let layers = desk.core.layers();
    assert!(checked > 0 && layers.refused(Layer::Cryptography) > 0);
    assert_eq!(layers.refused(Layer::IdentityQuota), 0);
    assert_eq!(layers.passed(Layer::IdentityQuota), 0);

    // Its own words still find all of its budget: as many as if nobody had used its name.
    let spoken = |desk: &mut Desk| {
        let mut taken = 0;
        for counter in 10_000..10_100 {
            let sent = NOW + desk.ms;
            let before = desk.core.layers();
            let outputs = desk.hear(pushed(said(&author, counter, sent, "desk")));
            desk.answer_checks(outputs);
            let since = desk.since(&before);
            if since[Layer::IdentityQuota as usize].1 > 0 {
                return (taken, since[Layer::Cryptography as usize].0);
            }
            taken += since[Layer::IdentityQuota as usize].0;
        }
        panic!("the budget of an author has no end");
    };
    // The neighbour that forged is shut out by now; another brings the author's own.
    let mut fresh = Desk::new(small);
    let (taken, _) = spoken(&mut fresh);
    assert!(taken > 0);
    let mut again = Desk::new(small);
    let outputs = again.hear(pushed(forged(&said(&author, 1, NOW, "desk"))));
    assert_eq!(again.answer_checks(outputs), 1);
    let (after_forgery, checked) = spoken(&mut again);
    assert_eq!(after_forgery, taken);
    // An author whose quota is spent is refused before its next signature is checked.
    assert_eq!(checked, 0);
}

#[test]
fn a_flood_of_refused_content_uses_up_its_link_and_is_reported() {
    let author = Identity::from_seed(9);
    let mut desk = Desk::new(small);
    let mut reported = 0;
    for counter in 0..1_000 {
        let old = said(&author, counter, NOW - OLD_MS, "desk");
        let outputs = desk.hear(pushed(old));
        let blames = outputs.iter().filter(|output| {
            matches!(
                output,
                Output::Event(repute_node::Event::Misbehaved { peer, .. })
                    if *peer == desk.neighbour.id()
            )
        });
        reported += blames.count();
        if reported > 0 {
            break;
        }
    }
    assert!(reported > 0, "stale messages cost their link nothing");
    assert_eq!(desk.core.layers().refused(Layer::LinkQuota), 0);
}

#[test]
fn the_core_tells_the_links_whom_and_what_to_keep_out_from_the_start() {
    let mut desk = Desk::new(|_| {});
    let prefix: repute_base::Prefix = "198.51.100.0/24".parse().unwrap();
    let put = repute_node::Change::Put {
        target: repute_node::trust::Target::Addresses(prefix),
        duration: None,
        reason: Default::default(),
    };
    let token = 1;
    let changes = vec![put];
    let outputs = desk.feed(Input::Command(Command::Blacklist { token, changes }));
    let barred = outputs.iter().find_map(|output| match output {
        Output::Bar { prefixes } => Some(prefixes.clone()),
        _ => None,
    });
    assert_eq!(barred, Some(vec![prefix]));
    // Frames of a peer that was never linked and is banned are refused, too.
    let stranger = NodeId::from_bytes([7; 32]);
    let ban = Command::Ban {
        token: 2,
        subject: stranger,
        duration: None,
        reason: Default::default(),
    };
    desk.feed(Input::Command(ban));
    let before = desk.core.layers();
    desk.feed(Input::Frame(FromPeer::authenticated(stranger, prune())));
    assert_eq!(desk.since(&before)[Layer::Standing as usize], (0, 1));
}
