//! A toy engine that spreads a rumour, driven over a bad network.
//!
//! Run with `cargo run -p repute-sim --example rumour`.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use repute_base::{Machine, Mono, Timestamp};
use repute_identity::NodeId;
use repute_sim::{Faults, Host, HostEvent, Outbox, World};

/// The engine: tells everyone it is linked with, once, and again whoever links up later.
#[derive(Default)]
struct Rumour {
    heard: bool,
    peers: BTreeSet<NodeId>,
    out: VecDeque<NodeId>,
}

enum Input {
    LinkUp(NodeId),
    LinkDown(NodeId),
    Heard,
}

impl Machine for Rumour {
    type Input = Input;
    type Output = NodeId;

    fn handle(&mut self, _: Timestamp, input: Input) {
        match input {
            Input::LinkUp(peer) => {
                self.peers.insert(peer);
                if self.heard {
                    self.out.push_back(peer);
                }
            }
            Input::LinkDown(peer) => {
                self.peers.remove(&peer);
            }
            Input::Heard if !self.heard => {
                self.heard = true;
                self.out.extend(&self.peers);
            }
            Input::Heard => {}
        }
    }

    fn poll_output(&mut self) -> Option<NodeId> {
        self.out.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        None
    }
}

/// The shell around it: events to inputs, outputs to the outbox.
struct Shell(Rumour);

impl Host for Shell {
    type Packet = ();

    fn handle(&mut self, now: Timestamp, event: HostEvent<()>, out: &mut Outbox<()>) {
        let input = match event {
            HostEvent::LinkUp { peer, .. } => Input::LinkUp(peer),
            HostEvent::LinkDown { peer, .. } => Input::LinkDown(peer),
            HostEvent::Packet { .. } => Input::Heard,
            HostEvent::DialFailed { address, .. } => return out.dial(address, None),
            _ => return,
        };
        self.0.handle(now, input);
        while let Some(to) = self.0.poll_output() {
            out.send(to, ());
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.0.next_deadline()
    }

    fn size((): &()) -> usize {
        1
    }
}

fn main() {
    let mut world = World::new(1, Faults::rough());
    for index in 0..1_000_u64 {
        let mut id = [0; 32];
        for (place, byte) in id.iter_mut().zip(index.to_be_bytes()) {
            *place = byte;
        }
        world.add(NodeId::from_bytes(id), |_| Shell(Rumour::default()));
    }
    // A ring with chords.
    for index in 0..world.len() {
        for step in [1, 37] {
            let peer = world.address((index + step) % world.len());
            world.act(index, |_, _, out| {
                peer.map(|address| out.dial(address, None))
            });
        }
    }
    // Number 400 is behind a cut at first.
    let rest: Vec<_> = (0..1_000).filter(|index| *index != 400).collect();
    world.partition(&[400], &rest);
    world.run_for(Duration::from_secs(2));
    world.act(0, |shell, now, out| shell.tell(now, out));
    world.run_for(Duration::from_secs(20));
    let heard = |world: &World<Shell>| world.hosts().filter(|(_, shell)| shell.0.heard).count();
    println!(
        "behind the cut: {} of {} nodes heard it",
        heard(&world),
        world.len()
    );

    world.heal();
    let all = world.run_until_true(Duration::from_secs(60), |world| heard(world) == 1_000);
    println!(
        "healed: everyone heard it: {all}, after {:?} of virtual time",
        world.now()
    );
    println!("{:?}\ntrace {}", world.stats(), world.trace_hash());
}

impl Shell {
    /// The rumour starts here.
    fn tell(&mut self, now: Timestamp, out: &mut Outbox<()>) {
        self.0.handle(now, Input::Heard);
        while let Some(to) = self.0.poll_output() {
            out.send(to, ());
        }
    }
}
