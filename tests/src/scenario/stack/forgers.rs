use std::{net::SocketAddr, time::Duration};

use repute_base::{Address, Wall};
use repute_identity::NodeId;
use repute_transport::{Event, Priority};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use super::super::Scenario;
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Foe, Plan, VirtualNet, play},
};

/// R16: forgers fire well-formed messages whose signatures do not hold, and come back under new
/// names as often as they are thrown out.
pub const STACK_FORGERS: Scenario = Scenario::new(
    "stack-forgers",
    "R16: 2 forgers for 5 nodes, forging more than a core can check; honest messages go on",
    run,
)
.nodes(10)
.nodes_min(5)
.seeds(2)
.full(50, 20);

/// What all forgers fire together, to what one core checks: twenty of them at 2,500 a second each,
/// and 31,700 checks a second.
const OVERLOAD: f64 = 1.6;
/// From this many nodes on, forgers fire at full rate.
const FULL: usize = 50;
/// How long they fire.
const ATTACK: Duration = Duration::from_secs(10);
/// Honest messages, one each.
const PAUSE: Duration = Duration::from_millis(10);
/// How long an honest message may take to count.
const IN_TIME: Duration = Duration::from_secs(1);
const VOLLEY: Duration = Duration::from_millis(10);

fn run(seed: u64, nodes: usize) -> Outcome {
    let (calm, ..) = play(scene(seed, nodes, 0));
    let (_, attacked, mut outcome) = play(scene(seed, nodes, nodes * 2 / 5));
    let share = attacked / calm.max(1.0);
    let kept = Figure::min("R16 honest throughput, to calm", share, "times");
    outcome.figures.push(kept.bar(Bar::AtLeast(0.8)));
    outcome
}

/// Deliveries in time, twice, and what it came to.
async fn scene(seed: u64, nodes: usize, forgers: usize) -> (f64, f64, Outcome) {
    let rate_each = if nodes >= FULL { 2_500 } else { 400 };
    let attack = (nodes * 2 / 5) as f64 * f64::from(rate_each);
    let plan = Plan {
        check_time: Duration::from_secs_f64(OVERLOAD / attack),
        ..Plan::default()
    };
    let mut cluster = Cluster::grown(seed, plan, nodes, Duration::from_secs(10)).await;
    let victims: Vec<(NodeId, SocketAddr)> = cluster
        .addresses()
        .into_iter()
        .enumerate()
        .map(|(index, address)| (cluster.node(index).id(), address))
        .collect();
    let began = Instant::now();
    let ends = began + ATTACK;
    let tasks: Vec<_> = (0..forgers)
        .map(|number| {
            let forger = Forger {
                net: cluster.net.clone(),
                number: (number as u64) << 16,
                victims: victims.clone(),
                volley: usize::try_from(rate_each / 100).unwrap_or(1),
                ends,
            };
            tokio::spawn(forger.run(seed))
        })
        .collect();
    let count = ATTACK.as_millis() / PAUSE.as_millis();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    cluster.publish_some(count, 512, PAUSE).await;
    let (mut fired, mut names) = (0, 0);
    for task in tasks {
        let (shots, lives) = task.await.unwrap_or_default();
        fired += shots;
        names += lives;
    }
    sleep(Duration::from_secs(30)).await;
    let passages = cluster.passages();
    let in_time = passages
        .iter()
        .filter(|passage| passage.delay.is_some_and(|delay| delay <= IN_TIME))
        .count() as f64;
    let missed = cluster.missed(Duration::from_secs(30));
    let accusations = cluster.accusations();
    let accused: u64 = accusations.values().sum();
    let most = accusations.values().max().copied().unwrap_or(0);
    let forged: u64 = cluster
        .statuses()
        .await
        .iter()
        .map(|status| status.gossip.forged)
        .sum();
    let trust = cluster.lowest_trust().await;
    let twice = accused.saturating_sub(forged);
    let outcome = cluster
        .outcome(vec![
            Figure::sum("R16 forged messages fired", fired as f64, "messages"),
            Figure::sum("names that forgers used", f64::from(names), "names"),
            Figure::sum("forged messages checked", forged as f64, "messages")
                .bar(Bar::AtLeast(if forgers > 0 { 1.0 } else { 0.0 })),
            Figure::sum("R16 accusations", accused as f64, "times"),
            Figure::sum(
                "R16 accusations beyond one a bad message",
                twice as f64,
                "times",
            )
            .bar(Bar::Exactly(0.0)),
            Figure::max(
                "R16 bad messages taken from one name by one node",
                most as f64,
                "messages",
            )
            .bar(Bar::AtMost(10.0)),
            Figure::min("R16 lowest trust between honest nodes", trust, "trust")
                .bar(Bar::AtLeast(0.5)),
            Figure::sum("honest messages missed", missed as f64, "times").bar(Bar::Exactly(0.0)),
            Figure::mean("honest deliveries in a second", in_time, "deliveries"),
        ])
        .await;
    (in_time, in_time, outcome)
}

/// One that forges, under one name after the other.
struct Forger {
    net: VirtualNet,
    number: u64,
    victims: Vec<(NodeId, SocketAddr)>,
    volley: usize,
    ends: Instant,
}

impl Forger {
    /// How many messages were fired, under how many names.
    async fn run(self, seed: u64) -> (u64, u32) {
        let (mut fired, mut names) = (0, 0_u32);
        while Instant::now() < self.ends {
            let name = self.number + u64::from(names);
            let [.., a, b] = name.to_be_bytes();
            let [.., c, _, _] = name.to_be_bytes();
            let address = SocketAddr::from(([10, 100 + c, a, b], 4_000));
            let number = (seed << 32) | name;
            let mut foe = Foe::new(&self.net, number, address, |_| {}).await;
            let place = usize::try_from(name).unwrap_or(0) + usize::from(c) * 7;
            let Some((victim, at)) = self.victims.get(place % self.victims.len()).copied() else {
                break;
            };
            names += 1;
            let entered = timeout_at(self.ends, foe.enter(victim, Address::new(at))).await;
            if matches!(entered, Ok(true)) {
                fired += self.fire(&mut foe, victim).await;
            } else {
                sleep(Duration::from_millis(100)).await;
            }
            self.net.unplug(address);
        }
        (fired, names)
    }

    /// Fires at one victim until it is thrown out.
    async fn fire(&self, foe: &mut Foe, victim: NodeId) -> u64 {
        let wall = Wall::from_millis(1_800_000_010_000);
        let mut forgeries = foe.forgeries(wall, 512);
        let mut beat = interval(VOLLEY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while Instant::now() < self.ends {
            tokio::select! {
                biased;
                event = foe.events.next() => match event {
                    Some(Event::LinkDown { .. }) | None => break,
                    Some(Event::Frames { peer, frames }) => {
                        for frame in frames {
                            Foe::live(&foe.endpoint, peer, frame.value());
                        }
                    }
                    Some(_) => {}
                },
                _ = beat.tick() => {
                    for _ in 0..self.volley {
                        let frame = forgeries.frame();
                        if foe.endpoint.send(victim, frame, Priority::Broadcast).is_err() {
                            break;
                        }
                    }
                }
            }
        }
        forgeries.count()
    }
}
