//! The simulator itself: the same seed leaves the same trace, and its faults do happen.

use std::time::Duration;

use repute_base::{Mono, Timestamp};
use repute_identity::NodeId;
use repute_sim::{Faults, Host, HostEvent, Outbox, Seat, Stats, TraceHash, World};

use super::{Ran, Size, replay_command};
use crate::report::Row;

pub(super) const NAME: &str = "replay";
pub(super) const ABOUT: &str =
    "R27: each seed twice; the traces must be equal and every kind of fault must occur";
pub(super) const NODES: usize = 50;

/// What is counted, and where.
type Kind = (&'static str, fn(&Stats) -> u64);

const KINDS: [Kind; 12] = [
    ("lost", |stats| stats.lost),
    ("duplicated", |stats| stats.duplicated),
    ("reordered", |stats| stats.reordered),
    ("late", |stats| stats.late),
    ("partitions", |stats| stats.partitions - stats.one_way),
    ("one-way partitions", |stats| stats.one_way),
    ("flapping partitions", |stats| stats.flaps),
    ("swizzles", |stats| stats.swizzles),
    ("pauses", |stats| stats.pauses),
    ("clock jumps", |stats| stats.clock_jumps),
    ("crashes", |stats| stats.crashes),
    ("links lost", |stats| stats.links_lost),
];

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

/// Every kind of fault, often: whatever the number of seeds, each of them occurs.
fn everything() -> Faults {
    let mut faults = Faults::rough();
    faults.late_permille = 10;
    for every_ms in [
        &mut faults.partition_every_ms,
        &mut faults.one_way_every_ms,
        &mut faults.flap_every_ms,
        &mut faults.swizzle_every_ms,
        &mut faults.pause_every_ms,
        &mut faults.jump_every_ms,
        &mut faults.crash_every_ms,
    ] {
        *every_ms = 8_000;
    }
    faults
}

pub(super) fn run(size: &Size) -> Ran {
    // Fewer have nobody to be cut off from.
    let nodes = size.nodes.max(4);
    let mut unequal = 0_u32;
    let mut seen = [0_u64; KINDS.len()];
    for seed in size.seeds.clone() {
        let mixes = [Faults::random(seed), everything()];
        let (traces, stats): (Vec<_>, Vec<_>) = mixes
            .iter()
            .map(|faults| one(seed, nodes, faults.clone()))
            .unzip();
        let again = mixes.map(|faults| one(seed, nodes, faults).0);
        if again.as_slice() != traces.as_slice() {
            unequal += 1;
            eprintln!("unequal traces: {}", replay_command("replay", nodes, seed));
        }
        for stats in stats {
            for (sum, (_, count)) in seen.iter_mut().zip(KINDS) {
                *sum += count(&stats);
            }
        }
    }
    let unequal = f64::from(unequal);
    let mut rows = vec![Row::at_most("R27 unequal traces", unequal, "seeds", 0.0)];
    for ((name, _), count) in KINDS.iter().zip(seen) {
        rows.push(Row::at_least(name, count as f64, "times", 1.0));
    }
    Ran {
        rows,
        ..Ran::default()
    }
}

fn one(seed: u64, nodes: usize, faults: Faults) -> (TraceHash, Stats) {
    let mut world = World::new(seed, faults);
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
