//! Thirty nodes in one process: each knows one other; they find each other, one publishes a record,
//! and another, which never heard of the first, finds it. Frames are carried by hand, at once.
//!
//! ```sh
//! cargo run -p repute-dht --example thirty_nodes
//! ```

#![allow(clippy::indexing_slicing, reason = "all thirty nodes exist")]

use std::{collections::VecDeque, error::Error, time::Duration};

use repute_base::{Address, BoundedBytes, Machine, Rng, Timestamp};
use repute_dht::{Config, Dht, Draft, Event, Input, Limits, Output, Want};
use repute_identity::{Identity, NodeId};
use repute_protocol::{EnvelopeKind, FromPeer, NetworkId, RecordKey, RecordKind, Seq, Unsigned};

const NODES: u64 = 30;

struct Shell {
    identities: Vec<Identity>,
    nodes: Vec<Dht>,
    now: Timestamp,
    counter: u64,
    todo: VecDeque<(usize, Input)>,
}

impl Shell {
    fn place(&self, id: NodeId) -> usize {
        let mut all = self.identities.iter();
        all.position(|one| one.id() == id).unwrap_or(0)
    }

    /// Both ends hear of a link.
    fn link(&mut self, dialler: usize, other: usize) {
        for (node, peer, inbound) in [(dialler, other, false), (other, dialler, true)] {
            let up = Input::LinkUp {
                peer: self.identities[peer].id(),
                remote: address(peer),
                listen: vec![address(peer)],
                server: true,
                inbound,
            };
            self.todo.push_back((node, up));
        }
    }

    /// Does what the engines say until nobody says anything any more.
    fn run(&mut self) {
        while let Some((node, input)) = self.todo.pop_front() {
            self.nodes[node].handle(self.now, input);
            while let Some(output) = self.nodes[node].poll_output() {
                self.act(node, output);
            }
        }
    }

    fn act(&mut self, node: usize, output: Output) {
        match output {
            Output::Link { peer, .. } => {
                let other = self.place(peer);
                self.link(node, other);
            }
            Output::Send { peer, frame } => {
                let frame = FromPeer::authenticated(self.identities[node].id(), frame);
                let to = self.place(peer);
                self.todo.push_back((to, Input::Frame(frame)));
            }
            Output::Sign { token, payload } => {
                self.counter += 1;
                let unsigned = Unsigned {
                    network: NetworkId::from_name("example"),
                    kind: EnvelopeKind::Record,
                    seq: Seq {
                        start: self.now.wall.as_millis(),
                        counter: self.counter,
                    },
                    sent: self.now.wall,
                    payload,
                };
                let envelope = unsigned.sign(&self.identities[node]);
                self.todo
                    .push_back((node, Input::Signed { token, envelope }));
            }
            Output::Verify { from, envelope } => self.todo.push_back((
                node,
                match envelope.verify() {
                    Ok(envelope) => Input::Verified { from, envelope },
                    Err(envelope) => Input::Forged { from, envelope },
                },
            )),
            Output::Event(event) => self.tell(node, &event),
            _ => {}
        }
    }

    fn tell(&self, node: usize, event: &Event) {
        match event {
            Event::Published { copies, .. } => println!("node {node} published: {copies} copies"),
            Event::Found { record, .. } => println!(
                "node {node} found `{}`, given by node {}",
                String::from_utf8_lossy(&record.filed.record.value),
                self.place(record.from),
            ),
            Event::Finished { outcome, .. } => {
                println!(
                    "node {node}: {} requests, {} hops",
                    outcome.requests, outcome.hops
                );
            }
            _ => {}
        }
    }
}

fn address(node: usize) -> Address {
    Address::new(([192, 168, 0, node as u8 + 1], 4100).into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let network = NetworkId::from_name("example");
    let identities: Vec<Identity> = (0..NODES).map(Identity::from_seed).collect();
    let mut nodes = Vec::new();
    for (identity, seed) in identities.iter().zip(0..) {
        let rng = Rng::from_u64(seed);
        let (config, limits) = (Config::default(), Limits::default());
        nodes.push(Dht::new(config, limits, identity.id(), network, rng)?);
    }
    let mut shell = Shell {
        identities,
        nodes,
        now: Timestamp::from_millis(1_000, 1_800_000_000_000),
        counter: 0,
        todo: VecDeque::new(),
    };
    for node in 0..shell.nodes.len() {
        let addresses = vec![address(node)];
        shell.todo.push_back((node, Input::Listening { addresses }));
        shell.todo.push_back((node, Input::Start));
        if node > 0 {
            shell.link(node, node / 2);
        }
        shell.run();
    }

    let name = BoundedBytes::new(&b"motto"[..])?;
    let key = RecordKey::of(RecordKind::Value, &shell.identities[3].id(), &name);
    let draft = Draft {
        kind: RecordKind::Value,
        slot: 0,
        name,
        value: BoundedBytes::new(&b"trust, but verify"[..])?,
        lifetime: Duration::from_secs(3_600),
    };
    shell
        .todo
        .push_back((3, Input::Publish { token: 1, draft }));
    shell.run();
    // Somebody who keeps no copy itself.
    let without = (4..shell.nodes.len()).find(|node| shell.nodes[*node].records(key).is_empty());
    let (asker, want) = (without.unwrap_or(4), Want::First);
    let token = 2;
    shell
        .todo
        .push_back((asker, Input::Find { token, key, want }));
    shell.run();
    Ok(())
}
