//! Two engines meet: one joins with the other's ticket, both admit the link, probes flow.
//!
//! `cargo run -p repute-peers --example meeting`

#![allow(clippy::indexing_slicing, reason = "two nodes, two places")]

use std::{collections::VecDeque, error::Error};

use repute_base::{Address, BoundedString, BoundedVec, Machine, Rng, Timestamp};
use repute_identity::Identity;
use repute_peers::{Config, Input, Limits, LinkId, Output, Peers};
use repute_protocol::{FromPeer, Handshake, NetworkId, VERSION};

fn handshake(identity: &Identity) -> Handshake {
    Handshake {
        version_min: VERSION,
        version_max: VERSION,
        network: NetworkId::from_name("example"),
        inception: *identity.inception(),
        capabilities: BoundedVec::new(),
        listen: BoundedVec::new(),
        wall: 0,
        agent: BoundedString::truncated("example"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let identities = [Identity::from_seed(1), Identity::from_seed(2)];
    let addresses: [Address; 2] = ["127.0.0.1:4101".parse()?, "127.0.0.1:4102".parse()?];
    let mut engines = Vec::new();
    for (seed, identity) in (1..).zip(&identities) {
        let rng = Rng::from_u64(seed);
        engines.push(Peers::new(
            Config::default(),
            Limits::default(),
            identity.id(),
            rng,
        )?);
    }
    let ticket = Input::Join {
        peer: identities[1].id(),
        addresses: vec![addresses[1]],
    };
    let mut inputs: VecDeque<(usize, Input)> =
        VecDeque::from([(0, ticket), (0, Input::Start), (1, Input::Start)]);

    for second in 0..5u64 {
        let now = Timestamp::from_millis(second * 1_000, 1_700_000_000_000 + second * 1_000);
        inputs.extend([(0, Input::Tick), (1, Input::Tick)]);
        while let Some((at, input)) = inputs.pop_front() {
            engines[at].handle(now, input);
            while let Some(output) = engines[at].poll_output() {
                let there = 1 - at;
                match output {
                    Output::Dial { .. } => {
                        // The "network": both ends learn of the link.
                        for (end, inbound) in [(at, false), (there, true)] {
                            let input = Input::LinkUp {
                                peer: identities[1 - end].id(),
                                link: LinkId(1),
                                handshake: handshake(&identities[1 - end]),
                                remote: addresses[1 - end],
                                inbound,
                            };
                            inputs.push_back((end, input));
                        }
                    }
                    Output::Send { frame, .. } => {
                        println!("{second} s  node {at} sends {:?}", frame.kind());
                        let frame = FromPeer::authenticated(identities[at].id(), frame);
                        inputs.push_back((there, Input::Frame(frame)));
                    }
                    Output::Event(event) => println!("{second} s  node {at}: {event:?}"),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}
