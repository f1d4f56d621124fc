//! What the core makes of recommendations that come over a link, hostile ones included.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

use repute_base::{BoundedBytes, Rng, Timestamp, Wall};
use repute_identity::{Identity, NodeId};
use repute_node::{Command, Config, Core, Event, Input, Output, Snapshot, trust::Circle};
use repute_protocol::{
    Envelope, Frame, FromPeer, NetworkId, Payload, Recommendation, Seq, TrustedPeersRequest,
    TrustedPeersResponse, Unsigned,
};

const NOW: u64 = 1_800_000_000_000;

struct Desk {
    core: Core,
    ms: u64,
}

impl Desk {
    /// A node that takes the word of `anchor`.
    fn new(anchor: &Identity, share: Circle) -> Self {
        let mut config = Config::on_network("desk");
        config.receipts.anchors = vec![anchor.id()];
        config.trust.hearsay.share = share;
        let me = Identity::from_seed(1).id();
        let core = Core::new(me, config, Snapshot::default(), None, Rng::from_u64(3)).unwrap();
        let mut desk = Self { core, ms: 1_000 };
        desk.feed(Input::Start);
        desk
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ms, NOW + self.ms)
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        self.core.handle(self.now(), input);
        std::iter::from_fn(|| self.core.poll_output()).collect()
    }

    fn frame(&mut self, peer: NodeId, frame: Frame) -> Vec<Output> {
        self.feed(Input::Frame(FromPeer::authenticated(peer, frame)))
    }

    fn trust(&self, subject: NodeId) -> f64 {
        let wall = Wall::from_millis(NOW + self.ms);
        self.core.trust().standing(subject, wall).trust.to_f64()
    }
}

fn says(author: &Identity, network: &str, subject: NodeId, value: i8, counter: u64) -> Envelope {
    let payload = Payload::Recommendation(Recommendation {
        subject,
        context: 0,
        value,
        expires: u64::MAX,
        receipt: None,
    });
    let unsigned = Unsigned {
        network: NetworkId::from_name(network),
        kind: payload.kind(),
        seq: Seq {
            start: NOW,
            counter,
        },
        sent: Wall::from_millis(NOW),
        payload: payload.encode(),
    };
    unsigned.sign(author).into_inner()
}

fn checks(outputs: &[Output]) -> usize {
    let check = |output: &&Output| matches!(output, Output::Verify { .. });
    outputs.iter().filter(check).count()
}

fn blames(outputs: &[Output]) -> usize {
    let blame = |output: &&Output| matches!(output, Output::Event(Event::Misbehaved { .. }));
    outputs.iter().filter(blame).count()
}

fn subject(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

#[test]
fn a_recommendation_is_checked_and_then_moves_a_prior() {
    let anchor = Identity::from_seed(2);
    let mut desk = Desk::new(&anchor, Circle::Off);
    let envelope = says(&anchor, "desk", subject(9), 100, 0);
    let outputs = desk.frame(anchor.id(), Frame::TrustUpdate(envelope.clone()));
    assert_eq!((checks(&outputs), desk.trust(subject(9))), (1, 0.5));
    let envelope = envelope.verify().unwrap();
    let from = anchor.id();
    let outputs = desk.feed(Input::Verified { from, envelope });
    assert!(desk.trust(subject(9)) > 0.54);
    let stored = outputs
        .iter()
        .any(|output| matches!(output, Output::Persist { .. }));
    assert!(stored, "{outputs:?}");
}

#[test]
fn what_is_nobodys_business_is_neither_checked_nor_blamed() {
    let (anchor, stranger) = (Identity::from_seed(2), Identity::from_seed(3));
    let mut desk = Desk::new(&anchor, Circle::Off);
    let me = desk.core.me();
    let from_anchor = [
        says(&stranger, "desk", subject(9), 100, 0),
        says(&anchor, "elsewhere", subject(9), 100, 1),
        says(&anchor, "desk", me, 100, 2),
        says(&anchor, "desk", anchor.id(), 100, 3),
    ];
    for envelope in from_anchor {
        let outputs = desk.frame(anchor.id(), Frame::TrustUpdate(envelope));
        assert_eq!((checks(&outputs), blames(&outputs)), (0, 0));
    }
    let own = says(&stranger, "desk", subject(9), -100, 4);
    let outputs = desk.frame(stranger.id(), Frame::TrustUpdate(own));
    assert_eq!((checks(&outputs), blames(&outputs)), (0, 0));
    // An answer that nobody asked for.
    let bytes = says(&anchor, "desk", subject(9), 100, 5).wire().clone();
    let recommendations = vec![BoundedBytes::new(bytes).unwrap()].try_into().unwrap();
    let answer = Frame::TrustedPeersResponse(TrustedPeersResponse { recommendations });
    let outputs = desk.frame(anchor.id(), answer);
    assert_eq!((checks(&outputs), blames(&outputs)), (0, 0));
    assert_eq!(desk.trust(subject(9)), 0.5);
}

#[test]
fn a_forged_recommendation_is_the_neighbours_fault() {
    let anchor = Identity::from_seed(2);
    let mut desk = Desk::new(&anchor, Circle::Off);
    let envelope = says(&anchor, "desk", subject(9), 100, 0);
    let from = anchor.id();
    let outputs = desk.feed(Input::Forged { from, envelope });
    assert_eq!(blames(&outputs), 1);
    assert!(desk.trust(from) < 0.5);
}

#[test]
fn a_talker_costs_no_more_than_its_budget_of_checks() {
    let anchor = Identity::from_seed(2);
    let mut desk = Desk::new(&anchor, Circle::Off);
    let mut checked = 0;
    for n in 0..250u8 {
        let envelope = says(&anchor, "desk", subject(n), 100, n.into());
        checked += checks(&desk.frame(anchor.id(), Frame::TrustUpdate(envelope)));
    }
    assert_eq!(checked, 64);
}

#[test]
fn whoever_asks_is_answered_and_only_those_shared_with_are_told() {
    let (anchor, stranger) = (Identity::from_seed(2), Identity::from_seed(3));
    for (share, told) in [
        (Circle::Off, [0, 0]),
        (Circle::Known, [1, 0]),
        (Circle::All, [1, 1]),
    ] {
        let mut desk = Desk::new(&anchor, share);
        let reason = repute_base::BoundedString::truncated("good work");
        let outputs = desk.feed(Input::Command(Command::Recommend {
            token: 7,
            subject: subject(9),
            value: 100,
            reason,
        }));
        let asked = outputs.into_iter().find_map(|output| match output {
            Output::Sign { token, unsigned } => Some((token, unsigned)),
            _ => None,
        });
        let (token, unsigned) = asked.unwrap();
        let envelope = unsigned.sign(&Identity::from_seed(1));
        desk.feed(Input::Signed { token, envelope });
        assert!(desk.trust(subject(9)) > 0.54);
        for (peer, told) in [&anchor, &stranger].into_iter().zip(told) {
            let ask = TrustedPeersRequest {
                context: 0,
                count: 16,
            };
            let outputs = desk.frame(peer.id(), Frame::TrustedPeersRequest(ask));
            let [Output::Send { frame, .. }] = outputs.as_slice() else {
                panic!("{outputs:?}");
            };
            let kind = repute_protocol::FrameKind::TrustedPeersResponse;
            let body = frame.slice(repute_protocol::FrameHeader::LEN..);
            let Ok(Frame::TrustedPeersResponse(answer)) = Frame::decode(kind, body) else {
                panic!("no answer");
            };
            assert_eq!(answer.recommendations.len(), told, "{share:?}");
        }
    }
}
