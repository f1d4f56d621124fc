//! Faults that fall by themselves do fall, one kind at a time, and end when the network calms.

use std::time::Duration;

use repute_base::{Mono, Timestamp};
use repute_identity::NodeId;
use repute_sim::{Faults, Host, HostEvent, Outbox, Seat, Stats, World};

/// Talks all the time, and breaks its one rule when told to.
struct Talker {
    peer: Option<NodeId>,
    next: Mono,
    ticks: u64,
    honest: bool,
}

impl Talker {
    const fn new(_: Seat) -> Self {
        Self {
            peer: None,
            next: Mono::ZERO,
            ticks: 0,
            honest: true,
        }
    }
}

impl Host for Talker {
    type Packet = ();

    fn handle(&mut self, now: Timestamp, event: HostEvent<()>, out: &mut Outbox<()>) {
        match event {
            HostEvent::LinkUp { peer, .. } => self.peer = Some(peer),
            HostEvent::Tick => {
                self.ticks += 1;
                self.next = now.mono + Duration::from_millis(100);
                self.peer.into_iter().for_each(|peer| out.send(peer, ()));
            }
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        Some(self.next)
    }

    fn broken_invariant(&self) -> Option<String> {
        (!self.honest).then(|| format!("lied after {} ticks", self.ticks))
    }

    fn size((): &()) -> usize {
        1
    }
}

fn world(change: impl FnOnce(&mut Faults)) -> World<Talker> {
    let mut faults = Faults::none();
    change(&mut faults);
    let mut world = World::new(3, faults);
    world.restart_with(|seat, _| Talker::new(seat));
    for n in 0..10_u8 {
        world.add(NodeId::from_bytes([n; 32]), Talker::new);
    }
    for _ in 0..12 {
        for n in 1..10 {
            let address = world.address(n / 2);
            world.act(n, |_, _, out| {
                address.map(|address| out.dial(address, None))
            });
        }
        world.run_for(Duration::from_secs(5));
    }
    world
}

#[test]
fn each_strike_falls_when_asked_for_and_no_other_does() {
    type Case = (fn(&mut Faults), fn(&Stats) -> u64);
    let cases: [Case; 8] = [
        (|f| f.partition_every_ms = 2_000, |s| s.partitions),
        (|f| f.one_way_every_ms = 2_000, |s| s.one_way),
        (|f| f.flap_every_ms = 2_000, |s| s.flaps),
        (|f| f.swizzle_every_ms = 2_000, |s| s.swizzles),
        (|f| f.pause_every_ms = 2_000, |s| s.pauses),
        (|f| f.crash_every_ms = 2_000, |s| s.crashes),
        (|f| f.jump_every_ms = 2_000, |s| s.clock_jumps),
        (|f| f.late_permille = 100, |s| s.late),
    ];
    for (wanted, (set, _)) in cases.iter().enumerate() {
        let world = world(set);
        for (kind, (_, count)) in cases.iter().enumerate() {
            let fell = count(world.stats()) > 0;
            // Whatever cuts, cuts both ways or one.
            let cuts = kind == 0 && (1..=3).contains(&wanted);
            assert_eq!(fell, kind == wanted || cuts, "{wanted} and {kind}");
        }
        let cut = world.stats().cut_off > 0;
        assert_eq!(cut, wanted < 4, "packets meet the cuts of {wanted}");
    }
}

#[test]
fn a_calm_world_has_every_node_up_awake_and_on_time() {
    let mut world = world(|faults| {
        faults.swizzle_every_ms = 3_000;
        faults.pause_every_ms = 1_000;
        faults.crash_every_ms = 1_000;
        faults.jump_every_ms = 1_000;
    });
    assert!((0..10).any(|node| world.has_jumped(node)));
    world.calm();
    assert!(!(0..10).any(|node| world.has_jumped(node)));
    assert_eq!(world.hosts().count(), 10);
    let ticks: Vec<_> = world.hosts().map(|(_, host)| host.ticks).collect();
    let fell = *world.stats();
    world.run_for(Duration::from_secs(60));
    for ((node, host), before) in world.hosts().zip(ticks) {
        assert!(host.ticks > before + 500, "{node} sleeps");
    }
    let now = world.stats();
    let counts = |s: &Stats| (s.partitions, s.pauses, s.crashes, s.clock_jumps, s.cut_off);
    assert_eq!(counts(now), counts(&fell));
}

#[test]
fn a_host_is_examined_after_every_step_and_its_answers_are_kept() {
    let mut world = world(|_| {});
    let before = *world.stats();
    world.run_for(Duration::from_secs(10));
    let after = *world.stats();
    let steps = after.ticks - before.ticks + after.packets_delivered - before.packets_delivered;
    assert_eq!(after.examined - before.examined, steps);
    assert_eq!(world.violations(), []);
    let at = world.now();
    world.act(4, |host, _, _| host.honest = false);
    let first = world.violations().first().expect("seen at once");
    assert_eq!((first.at, first.node), (at, 4));
}
