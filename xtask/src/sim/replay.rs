//! The simulator itself: the same seed leaves the same trace, and its faults do happen.

use std::time::Duration;

use repute_base::{Mono, Timestamp};
use repute_identity::NodeId;
use repute_sim::{Faults, Host, HostEvent, Outbox, Seat, Stats, TraceHash, World};

use super::{Size, replay_command};
use crate::report::Row;

pub(super) const NAME: &str = "replay";
pub(super) const ABOUT: &str =
    "R27: each seed twice; the traces must be equal and every kind of fault must occur";
pub(super) const NODES: usize = 50;

/// Keeps a link open to one peer and talks over it, to give the faults something to hit.
struct Talker {
    seat: Seat,
    next: Mono,
    peer: Option<NodeId>,
}

impl Host for Talker {
    type Packet = u64;

    fn handle(&mut self, now: Timestamp, event: HostEvent<u64>, out: &mut Outbox<u64>) {
        match event {
            HostEvent::LinkUp { peer, .. } => self.peer = Some(peer),
            HostEvent::Tick => {
                let word = self.seat.rng.next_u64();
                if let Some(peer) = self.peer {
                    out.send(peer, word);
                    out.datagram(peer, word);
                }
                self.next = now.mono + Duration::from_millis(self.seat.rng.range(50..500));
            }
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        Some(self.next)
    }

    fn size(_: &u64) -> usize {
        8
    }
}

pub(super) fn run(size: &Size) -> Vec<Row> {
    let (mut unequal, mut seen) = (0_u32, [0_u64; 6]);
    for seed in size.seeds.clone() {
        let (first, stats) = one(seed, size.nodes);
        if one(seed, size.nodes).0 != first {
            unequal += 1;
            eprintln!(
                "unequal traces: {}",
                replay_command("replay", size.nodes, seed)
            );
        }
        let kinds = [
            stats.lost,
            stats.duplicated,
            stats.reordered,
            stats.partitions,
            stats.crashes,
            stats.links_lost,
        ];
        for (sum, count) in seen.iter_mut().zip(kinds) {
            *sum += count;
        }
    }
    let mut rows = vec![Row::at_most(
        "R27 unequal traces",
        f64::from(unequal),
        "seeds",
        0.0,
    )];
    let names = [
        "lost",
        "duplicated",
        "reordered",
        "partitions",
        "crashes",
        "links lost",
    ];
    for (name, count) in names.iter().zip(seen) {
        rows.push(Row::at_least(name, count as f64, "times", 1.0));
    }
    rows
}

fn one(seed: u64, nodes: usize) -> (TraceHash, Stats) {
    let mut world = World::new(seed, Faults::random(seed));
    let talker = |seat| Talker {
        seat,
        next: Mono::ZERO,
        peer: None,
    };
    world.restart_with(move |seat, _| talker(seat));
    for index in 0..nodes {
        let mut id = [0; 32];
        id.iter_mut()
            .zip(index.to_be_bytes())
            .for_each(|(place, byte)| *place = byte);
        world.add(NodeId::from_bytes(id), talker);
    }
    for _ in 0..6 {
        for index in 1..nodes {
            let address = world.address(index / 2);
            world.act(index, |_, _, out| {
                address.map(|address| out.dial(address, None))
            });
        }
        world.run_for(Duration::from_secs(20));
    }
    (world.trace_hash(), *world.stats())
}
