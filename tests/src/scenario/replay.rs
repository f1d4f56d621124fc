use std::time::Duration;

use bytes::Bytes;
use repute_base::Fixed;
use repute_identity::NodeId;
use repute_protocol::FrameKind;
use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, CoreHost, Figure, Network, Outcome, Setup};

/// R17: everything that a node heard is played to it again, before and after a crash.
pub const REPLAY: Scenario = Scenario::new(
    "session-replay",
    "R17: all that a node heard, played again before and after a crash, changes nothing",
    run,
)
.nodes(12)
.nodes_min(3)
.full(12, 500);

/// Whom it happens to.
const VICTIM: usize = 1;

/// What a replay must leave as it was.
#[derive(PartialEq)]
struct State {
    deliveries: usize,
    redelivered: u64,
    passed_on: u64,
    accused: u64,
    trust: Vec<(NodeId, Fixed)>,
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let setup = Setup {
        record: true,
        ..Setup::default()
    };
    let mut network = Network::grown(seed, Faults::none(), setup, nodes);
    network.world.run_for(Duration::from_secs(20));
    network.publish_some(100, Duration::from_millis(100));
    network.world.run_for(Duration::from_secs(10));
    // What others signed; a neighbour's control frames are its own to repeat.
    let signed = |frame: &Bytes| {
        let kinds = [FrameKind::Broadcast, FrameKind::PeerAnnouncement];
        let number = frame.get(4).copied();
        kinds.iter().any(|kind| number == Some(kind.number()))
    };
    let session: Vec<Bytes> = network
        .world
        .host(VICTIM)
        .map(|host| host.recorded.iter().map(|(_, frame)| frame.clone()))
        .into_iter()
        .flatten()
        .filter(signed)
        .collect();

    let before = replay(&mut network, &session);
    network.crash_for(VICTIM, Duration::from_secs(2));
    network.world.run_for(Duration::from_secs(20));
    let after = replay(&mut network, &session);
    let none = Bar::Exactly(0.0);
    network.outcome(vec![
        Figure::sum("frames replayed", session.len() as f64, "frames").bar(Bar::AtLeast(50.0)),
        Figure::sum("R17 states changed", f64::from(before), "times").bar(none),
        Figure::sum(
            "R17 states changed after a restart",
            f64::from(after),
            "times",
        )
        .bar(none),
    ])
}

/// Plays the session as a neighbour's; 1 if anything changed.
fn replay(network: &mut Network, session: &[Bytes]) -> u8 {
    let Some((before, from)) = state(network) else {
        return 1;
    };
    network.world.act(VICTIM, |host, now, out| {
        host.replay(now, from, session, out);
    });
    let Some((after, _)) = state(network) else {
        return 1;
    };
    u8::from(before != after)
}

fn state(network: &Network) -> Option<(State, NodeId)> {
    let host: &CoreHost = network.world.host(VICTIM)?;
    let now = network.world.clock(VICTIM)?;
    let neighbour = host.core().peers().active().next()?;
    let trust = host.core().trust();
    let subjects = trust.subjects().into_iter();
    let standing = |subject| (subject, trust.standing(subject, now.wall).trust);
    let state = State {
        deliveries: host.app.deliveries.len(),
        redelivered: host.app.redelivered,
        passed_on: host.app.payload_frames_sent,
        accused: network.world.stats().accusations,
        trust: subjects.map(standing).collect(),
    };
    Some((state, neighbour))
}
