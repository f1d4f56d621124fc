//! What the simulated network promises to the hosts in it.

use std::time::Duration;

use proptest::prelude::*;
use repute_base::{Mono, Timestamp};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_sim::{DialError, Faults, Host, HostEvent, LinkEnd, Outbox, Seat, World, for_each_seed};

/// Writes down all that happens to it.
#[derive(Clone)]
struct Recorder {
    events: Vec<(Timestamp, HostEvent<u64>)>,
    deadline: Option<Mono>,
    every_ms: u64,
}

impl Recorder {
    fn new(_: Seat) -> Self {
        Self {
            events: Vec::new(),
            deadline: None,
            every_ms: 0,
        }
    }

    fn packets(&self) -> Vec<u64> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                HostEvent::Packet { packet, .. } | HostEvent::Datagram { packet, .. } => {
                    Some(*packet)
                }
                _ => None,
            })
            .collect()
    }

    fn ups(&self) -> usize {
        self.count(|event| matches!(event, HostEvent::LinkUp { .. }))
    }

    fn downs(&self, wanted: Option<LinkEnd>) -> usize {
        self.count(|event| {
            matches!(event, HostEvent::LinkDown { end, .. } if wanted.is_none_or(|w| w == *end))
        })
    }

    fn dial_errors(&self) -> Vec<DialError> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                HostEvent::DialFailed { error, .. } => Some(*error),
                _ => None,
            })
            .collect()
    }

    fn count(&self, wanted: impl Fn(&HostEvent<u64>) -> bool) -> usize {
        self.events
            .iter()
            .filter(|(_, event)| wanted(event))
            .count()
    }
}

impl Host for Recorder {
    type Packet = u64;

    fn handle(&mut self, now: Timestamp, event: HostEvent<u64>, _: &mut Outbox<u64>) {
        if self.every_ms > 0 && matches!(event, HostEvent::Start | HostEvent::Tick) {
            self.deadline = Some(now.mono + Duration::from_millis(self.every_ms));
        }
        self.events.push((now, event));
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.deadline
    }

    fn size(_: &u64) -> usize {
        8
    }
}

fn id(n: usize) -> NodeId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn world(seed: u64, faults: Faults, nodes: usize) -> World<Recorder> {
    let mut world = World::new(seed, faults);
    for n in 0..nodes {
        world.add(id(n), Recorder::new);
    }
    world
}

fn dial(world: &mut World<Recorder>, from: usize, to: usize) {
    let address = world.address(to);
    world.act(from, |_, _, out| {
        address.map(|address| out.dial(address, Some(id(to))))
    });
}

fn linked(seed: u64, faults: Faults) -> World<Recorder> {
    let mut world = world(seed, faults, 2);
    dial(&mut world, 0, 1);
    assert!(world.run_until_true(Duration::from_secs(30), |world| world.are_linked(0, 1)));
    world
}

fn faults(change: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::none();
    change(&mut faults);
    faults
}

#[test]
fn equal_seeds_leave_equal_traces_and_others_do_not() {
    let run = |seed| {
        let mut world = world(seed, Faults::random(3), 20);
        world.restart_with(|seat, _| Recorder::new(seat));
        for n in 1..20 {
            dial(&mut world, n, n / 2);
        }
        for round in 0..50 {
            for n in 0..20 {
                world.act(n, |_, _, out| {
                    out.send(id(n / 2), round);
                    out.datagram(id((n + 5) % 20), round);
                });
            }
            world.run_for(Duration::from_secs(1));
        }
        (world.trace_hash(), *world.stats())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn a_link_keeps_order_and_loses_nothing_however_lossy() {
    for_each_seed("a_link_keeps_order_and_loses_nothing", 20, |seed| {
        let mut world = linked(seed, faults(|f| f.loss_permille = 300));
        for n in 0..500 {
            world.act(0, |_, _, out| out.send(id(1), n));
            world.run_for(Duration::from_millis(1));
        }
        world.run_for(Duration::from_secs(60));
        assert_eq!(
            world.host(1).unwrap().packets(),
            (0..500).collect::<Vec<_>>()
        );
        assert!(
            world.stats().lost > 100,
            "the loss did not happen: {:?}",
            world.stats()
        );
    });
}

#[test]
fn reordering_and_duplication_reach_a_link_only_when_asked_for() {
    let mut world = linked(
        1,
        faults(|f| {
            f.reorder_permille = 100;
            f.duplicate_permille = 100;
        }),
    );
    for n in 0..500 {
        world.act(0, |_, _, out| out.send(id(1), n));
        world.run_for(Duration::from_millis(1));
    }
    world.run_for(Duration::from_secs(60));
    let mut packets = world.host(1).unwrap().packets();
    assert_eq!(packets.len() as u64, 500 + world.stats().duplicated);
    assert!(!packets.is_sorted());
    packets.sort_unstable();
    packets.dedup();
    assert_eq!(packets.len(), 500);
    assert!(world.stats().duplicated > 10 && world.stats().reordered > 10);
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken() {
    let mut world = world(
        5,
        faults(|f| {
            f.loss_permille = 200;
            f.duplicate_permille = 200;
            f.reorder_permille = 200;
        }),
        2,
    );
    for n in 0..1_000 {
        world.act(0, |_, _, out| out.datagram(id(1), n));
        world.run_for(Duration::from_millis(1));
    }
    world.run_for(Duration::from_secs(1));
    let (packets, stats) = (world.host(1).unwrap().packets(), *world.stats());
    assert!(!packets.is_sorted());
    assert_eq!(packets.len() as u64, 1_000 - stats.lost + stats.duplicated);
    assert!(
        stats.lost > 100 && stats.duplicated > 100 && stats.reordered > 100,
        "{stats:?}"
    );
}

#[test]
fn a_short_cut_delays_and_a_long_one_breaks_the_link() {
    let mut world = linked(1, Faults::none());
    world.partition(&[0], &[1]);
    for n in 0..10 {
        world.act(0, |_, _, out| out.send(id(1), n));
    }
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.host(1).unwrap().packets(), []);
    world.heal();
    world.act(0, |_, _, out| out.send(id(1), 10));
    world.run_for(Duration::from_secs(20));
    assert_eq!(
        world.host(1).unwrap().packets(),
        (0..11).collect::<Vec<_>>()
    );
    assert!(world.are_linked(0, 1));

    world.partition(&[1], &[0]);
    world.run_for(Duration::from_millis(10_001));
    for n in [0, 1] {
        assert_eq!(world.host(n).unwrap().downs(Some(LinkEnd::Lost)), 1);
    }
    // A dial across it goes unanswered.
    dial(&mut world, 0, 1);
    world.run_for(Duration::from_secs(6));
    assert_eq!(world.host(0).unwrap().dial_errors(), [DialError::Timeout]);
    assert_eq!((world.stats().partitions, world.stats().links_lost), (2, 1));
    assert!(world.stats().cut_off >= 10);
}

#[test]
fn a_one_way_cut_lets_the_other_way_through() {
    let mut world = linked(1, Faults::none());
    world.partition_one_way(&[0], &[1]);
    world.act(0, |_, _, out| out.send(id(1), 1));
    world.act(1, |_, _, out| out.send(id(0), 2));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.host(1).unwrap().packets(), []);
    assert_eq!(world.host(0).unwrap().packets(), [2]);
}

#[test]
fn what_was_sent_before_a_close_arrives_before_it() {
    let mut world = linked(1, faults(|f| f.loss_permille = 300));
    world.act(0, |_, _, out| {
        out.send(id(1), 1);
        out.close(id(1));
        out.send(id(1), 2);
    });
    world.run_for(Duration::from_secs(30));
    let there = world.host(1).unwrap();
    assert_eq!(
        (there.packets(), there.downs(Some(LinkEnd::There))),
        (vec![1], 1)
    );
    assert_eq!(world.host(0).unwrap().downs(Some(LinkEnd::Here)), 1);
    assert_eq!(world.stats().packets_dropped, 1);
}

#[test]
fn two_dials_at_once_make_one_link() {
    let mut world = world(1, Faults::none(), 2);
    dial(&mut world, 0, 1);
    dial(&mut world, 1, 0);
    world.run_for(Duration::from_secs(1));
    assert!(world.are_linked(0, 1));
    for n in [0, 1] {
        assert_eq!(world.host(n).unwrap().ups(), 1);
    }
    assert_eq!(
        (world.stats().links_opened, world.stats().dials_failed),
        (1, 1)
    );
}

#[test]
fn dials_fail_for_the_right_reason() {
    let mut world = world(1, Faults::none(), 3);
    let addresses: Vec<_> = (0..3).map(|n| world.address(n).unwrap()).collect();
    world.crash(2);
    for (address, expected, error) in [
        ("9.9.9.9:9".parse().unwrap(), None, DialError::Unreachable),
        (addresses[0], None, DialError::Oneself),
        (addresses[1], Some(id(2)), DialError::WrongIdentity),
        (addresses[2], None, DialError::Timeout),
    ] {
        world.act(0, |_, _, out| out.dial(address, expected));
        world.run_for(Duration::from_secs(6));
        assert_eq!(world.host(0).unwrap().dial_errors().pop(), Some(error));
    }
    assert_eq!(world.stats().dials_failed, 4);
}

#[test]
fn a_crash_is_noticed_and_a_restarted_node_can_come_back_before_that() {
    let mut world = linked(1, Faults::none());
    world.run_for(Duration::from_secs(100));
    world.crash(0);
    world.run_for(Duration::from_secs(1));
    assert!(world.host(0).is_none() && world.host(1).unwrap().downs(None) == 0);
    assert!(world.restart(0, Recorder::new));
    dial(&mut world, 0, 1);
    world.run_for(Duration::from_secs(1));
    let peer = world.host(1).unwrap();
    assert_eq!((peer.downs(Some(LinkEnd::Lost)), peer.ups()), (1, 2));
    // A new life begins with a new monotonic clock, while wall time goes on.
    let (start, first) = &world.host(0).unwrap().events[0];
    assert_eq!((start.mono, first), (Mono::ZERO, &HostEvent::Start));
    assert!(start.wall.as_millis() > 1_800_000_100_000);

    world.crash(0);
    world.run_for(Duration::from_secs(11));
    assert_eq!(world.host(1).unwrap().downs(Some(LinkEnd::Lost)), 2);
}

#[test]
fn a_node_that_lost_its_state_answers_with_a_reset() {
    let mut world = linked(1, Faults::none());
    world.crash(0);
    world.restart(0, Recorder::new);
    world.act(1, |_, _, out| out.send(id(0), 1));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.host(1).unwrap().downs(Some(LinkEnd::Lost)), 1);
    assert_eq!(world.host(0).unwrap().packets(), []);
}

#[test]
fn a_paused_node_catches_up_in_order() {
    let mut world = linked(1, Faults::none());
    world.pause(1);
    for n in 0..10 {
        world.act(0, |_, _, out| out.send(id(1), n));
        world.run_for(Duration::from_millis(300));
    }
    assert_eq!(world.host(1).unwrap().packets(), []);
    world.resume(1);
    world.run_for(Duration::from_secs(60));
    assert_eq!(
        world.host(1).unwrap().packets(),
        (0..10).collect::<Vec<_>>()
    );
    assert!(world.are_linked(0, 1));
    world.pause(1);
    world.run_for(Duration::from_secs(11));
    assert_eq!(world.host(0).unwrap().downs(Some(LinkEnd::Lost)), 1);
}

#[test]
fn timers_fire_when_asked_and_a_stuck_deadline_does_not_stop_the_clock() {
    let mut world = World::new(1, Faults::none());
    let punctual = world.add(id(0), |seat| Recorder {
        every_ms: 250,
        ..Recorder::new(seat)
    });
    let stuck = world.add(id(1), |seat| Recorder {
        deadline: Some(Mono::ZERO),
        ..Recorder::new(seat)
    });
    world.run_for(Duration::from_secs(1));
    let ticks = |node: usize| {
        world
            .host(node)
            .unwrap()
            .count(|event| matches!(event, HostEvent::Tick))
    };
    assert_eq!(ticks(punctual), 4);
    assert_eq!(ticks(stuck), 1_001);
}

#[test]
fn clocks_are_off_by_no_more_than_asked() {
    let world = world(1, faults(|f| f.clock_skew_ms_max = 5_000), 100);
    let walls: Vec<_> = (0..100)
        .map(|n| world.clock(n).unwrap().wall.as_millis())
        .collect();
    let (low, high) = (walls.iter().min().unwrap(), walls.iter().max().unwrap());
    assert!((4_000..=5_000).contains(&(1_800_000_000_000 - low)));
    assert!((4_000..=5_000).contains(&(high - 1_800_000_000_000)));
}

#[test]
fn addresses_are_routable_and_spread() {
    let world = world(1, Faults::none(), 2_000);
    let mut prefixes = std::collections::BTreeSet::new();
    for n in 0..2_000 {
        let address = world.address(n).unwrap();
        let std::net::IpAddr::V4(ip) = address.ip() else {
            panic!("not IPv4")
        };
        assert!(!ip.is_loopback() && !ip.is_private() && !ip.is_multicast() && address.port() > 0);
        prefixes.insert([ip.octets()[0], ip.octets()[1]]);
    }
    assert!(prefixes.len() > 1_800, "only {} prefixes", prefixes.len());
}

#[test]
fn only_honest_against_honest_is_a_false_accusation() {
    let mut world = world(1, Faults::none(), 3);
    world.mark_hostile(2);
    for (by, of) in [(0, 2), (2, 0)] {
        world.act(by, |_, _, out| {
            out.accuse(id(of), Misbehaviour::MalformedFrame)
        });
    }
    assert_eq!(world.false_accusations(), []);
    world.act(0, |_, _, out| {
        out.accuse(id(1), Misbehaviour::MalformedFrame)
    });
    assert_eq!(world.false_accusations()[0].of, id(1));
    assert_eq!(world.stats().accusations, 3);
}

#[test]
fn ten_thousand_nodes_fit() {
    let mut world = world(1, faults(|f| f.jitter_ms_max = 20), 10_000);
    for n in 1..10_000 {
        dial(&mut world, n, n / 2);
    }
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.stats().links_opened, 9_999);
    for n in 0..10_000 {
        world.act(n, |_, _, out| {
            (0..20).for_each(|packet| out.send(id(n / 2), packet))
        });
    }
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.stats().packets_delivered, 9_999 * 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However dials, closes, cuts, crashes and pauses mix: links come up and go down in turns on
    /// each side, and once the world is calm both sides agree.
    #[test]
    fn both_sides_of_a_link_agree_in_the_end(
        seed in any::<u64>(),
        steps in prop::collection::vec((0..8_u8, 0..4_usize, 0..4_usize, 0..12_000_u64), 1..60),
    ) {
        let mut world = world(seed, Faults::random(seed), 4);
        world.restart_with(|seat, _| Recorder::new(seat));
        for (kind, a, b, ms) in steps {
            match kind {
                0 | 1 if a != b => dial(&mut world, a, b),
                2 => { world.act(a, |_, _, out| out.close(id(b))); }
                3 => { world.act(a, |_, _, out| out.send(id(b), ms)); }
                4 => { world.partition(&[a], &[b]); }
                5 => world.heal(),
                6 => world.pause(a),
                7 => world.resume(a),
                _ => {}
            }
            world.run_for(Duration::from_millis(ms));
        }
        world.calm();
        world.run_for(Duration::from_secs(60));
        for a in 0..4 {
            let host = world.host(a).unwrap();
            for b in (0..4).filter(|b| *b != a) {
                let turns: Vec<_> = host.events.iter().filter_map(|(_, event)| match event {
                    HostEvent::LinkUp { peer, .. } if *peer == id(b) => Some(true),
                    HostEvent::LinkDown { peer, .. } if *peer == id(b) => Some(false),
                    _ => None,
                }).collect();
                for (turn, up) in turns.iter().enumerate() {
                    prop_assert_eq!(*up, turn % 2 == 0, "{} saw {:?} of {}", a, turns, b);
                }
                let up = turns.last() == Some(&true);
                prop_assert_eq!(up, world.are_linked(a, b), "{} and {}", a, b);
            }
        }
    }
}

#[test]
fn a_fork_goes_on_like_the_world_it_was_taken_from_and_apart_from_it() {
    let mut first = linked(5, Faults::rough());
    first.act(0, |_, _, out| (0..20).for_each(|n| out.send(id(1), n)));
    let mut second = first.fork();
    for world in [&mut first, &mut second] {
        world.run_for(Duration::from_secs(20));
        assert!(world.host(1).unwrap().packets().len() >= 20);
    }
    assert_eq!(first.trace_hash(), second.trace_hash());
    second.crash(1);
    second.run_for(Duration::from_secs(1));
    assert!(first.host(1).is_some() && second.host(1).is_none());
    assert_ne!(first.trace_hash(), second.trace_hash());
}

#[test]
fn the_machine_of_a_dead_node_refuses_at_once_where_it_is_told_to() {
    let mut faults = Faults::none();
    faults.refused_when_down = true;
    let mut world = linked(6, faults);
    world.crash(1);
    world.run_for(Duration::from_secs(1));
    assert_eq!(
        world.host(0).unwrap().downs(None),
        0,
        "nothing was sent yet"
    );
    world.act(0, |_, _, out| out.send(id(1), 1));
    world.run_for(Duration::from_millis(200));
    assert_eq!(world.host(0).unwrap().downs(Some(LinkEnd::Lost)), 1);
    dial(&mut world, 0, 1);
    world.run_for(Duration::from_millis(200));
    let errors = world.host(0).unwrap().dial_errors();
    assert_eq!(errors, [DialError::Unreachable]);
}
