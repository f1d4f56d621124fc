//! Two engines and the shell between them: one publishes, the other's application hears it.

#![allow(clippy::indexing_slicing, reason = "both nodes exist")]

use std::collections::VecDeque;

use repute_base::{BoundedBytes, Machine, Rng, Timestamp};
use repute_gossip::{Config, Gossip, Input, Limits, Output};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    EnvelopeKind, Frame, FrameHeader, FromPeer, NetworkId, Seq, Topic, Unsigned,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = NetworkId::from_name("example");
    let topic = Topic::new("news")?;
    let people = [Identity::from_seed(1), Identity::from_seed(2)];
    let ids: Vec<NodeId> = people.iter().map(Identity::id).collect();
    let mut engines = Vec::new();
    for (id, seed) in ids.iter().zip(1..) {
        engines.push(Gossip::new(
            Config::default(),
            Limits::default(),
            *id,
            network,
            Rng::from_u64(seed),
        )?);
    }
    let now = Timestamp::from_millis(0, 1_800_000_000_000);
    let data = BoundedBytes::new("hello".as_bytes())?;
    let mut inputs = VecDeque::from([
        (
            0,
            Input::PeerUp {
                peer: ids[1],
                addresses: Vec::new(),
            },
        ),
        (
            1,
            Input::PeerUp {
                peer: ids[0],
                addresses: Vec::new(),
            },
        ),
        (
            1,
            Input::Subscribe {
                topic: topic.clone(),
                causal: false,
            },
        ),
    ]);
    let publish = Input::Publish {
        topic,
        kind: 0,
        data,
        causal: false,
        token: 1,
    };
    let mut publish = Some(publish);
    loop {
        let Some((at, input)) = inputs.pop_front() else {
            match publish.take() {
                Some(publish) => inputs.push_back((0, publish)),
                None => return Ok(()),
            }
            continue;
        };
        engines[at].handle(now, input);
        while let Some(output) = engines[at].poll_output() {
            match output {
                Output::Send { frame, .. } => {
                    let header = FrameHeader::parse(frame[..FrameHeader::LEN].try_into()?)?;
                    let kind = header.kind.ok_or("unknown frame")?;
                    let frame = Frame::decode(kind, frame.slice(FrameHeader::LEN..))?;
                    let frame = FromPeer::authenticated(ids[at], frame);
                    inputs.push_back((1 - at, Input::Frame(frame)));
                }
                Output::Sign { token, payload } => {
                    let kind = EnvelopeKind::Message;
                    let seq = Seq {
                        start: now.wall.as_millis(),
                        counter: 0,
                    };
                    let payload = payload.encode();
                    let draft = Unsigned {
                        network,
                        kind,
                        seq,
                        sent: now.wall,
                        payload,
                    };
                    let envelope = draft.sign(&people[at]);
                    inputs.push_back((at, Input::Signed { envelope, token }));
                }
                Output::Verify { from, envelope } => inputs.push_back((
                    at,
                    match envelope.verify() {
                        Ok(envelope) => Input::Verified { from, envelope },
                        Err(envelope) => Input::Forged { from, envelope },
                    },
                )),
                Output::Deliver { message, .. } => {
                    println!("heard: {}", String::from_utf8_lossy(&message.data));
                }
                _ => {}
            }
        }
    }
}
