//! Signs a message, forges a copy of it, and receives both.

use std::error::Error;

use repute_base::{BoundedBytes, BoundedVec, Wall};
use repute_identity::Identity;
use repute_protocol::{
    Broadcast, Frame, FrameDecoder, Freshness, Message, Misbehaviour, NetworkId, Payload, Seq,
    Topic, Unsigned,
};

fn main() -> Result<(), Box<dyn Error>> {
    let author = Identity::from_seed(1);
    let now = Wall::from_millis(1_800_000_000_000);
    let payload = Payload::Message(Message {
        topic: Topic::new("weather")?,
        kind: 0,
        nth: 0,
        after: BoundedVec::new(),
        data: BoundedBytes::new(&b"rain"[..])?,
    });
    let envelope = Unsigned {
        network: NetworkId::from_name("example"),
        kind: payload.kind(),
        seq: Seq {
            start: now.as_millis(),
            counter: 0,
        },
        sent: now,
        payload: payload.encode(),
    }
    .sign(&author)
    .into_inner();
    let wire = Frame::Broadcast(Broadcast {
        hops: 0,
        ttl: 16,
        requested: false,
        envelope,
    })
    .encode();
    let mut forged = wire.to_vec();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }

    let mut decoder = FrameDecoder::new();
    decoder.push(forged.into());
    decoder.push(wire);
    for raw in decoder.by_ref() {
        let Some(Frame::Broadcast(broadcast)) = raw?.decode().transpose()? else {
            continue;
        };
        let id = broadcast.envelope.id();
        if !Freshness::of_push(broadcast.envelope.sent(), now).is_fresh() {
            println!("{id} is out of time");
            continue;
        }
        match broadcast.envelope.verify() {
            Ok(proven) => match Payload::decode(proven.kind(), &proven.payload())? {
                Payload::Message(message) => println!(
                    "{id} is {}'s: \"{}\" on {:?}",
                    proven.author().short(),
                    String::from_utf8_lossy(&message.data).escape_default(),
                    message.topic,
                ),
                other => println!("{id} is no message: {other:?}"),
            },
            Err(_) => println!("{id} is refused: {}", Misbehaviour::ForgedEnvelope),
        }
    }
    Ok(())
}
