use std::{collections::BTreeMap, time::Duration};

use repute_identity::Identity;
use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// R06: the wall clocks of some nodes jump, run back or stand still, and one machine sleeps.
pub const CLOCK: Scenario = Scenario::new(
    "clock",
    "R06: wall clocks off by 10 years, an hour, frozen, asleep; nobody is blamed or forgotten",
    run,
)
.nodes(24)
.nodes_min(12)
.full(24, 200);

const HOUR_MS: i64 = 3_600_000;
const TEN_YEARS_MS: i64 = 10 * 365 * 24 * HOUR_MS;

/// What the clock of a node does.
#[derive(Clone, Copy)]
enum Wrong {
    Off(i64),
    Frozen,
    Asleep,
}

/// One node in five is wrong, each in its own way; the first node is not.
const WRONGS: [Wrong; 6] = [
    Wrong::Off(TEN_YEARS_MS),
    Wrong::Off(-TEN_YEARS_MS),
    Wrong::Off(-HOUR_MS),
    Wrong::Off(HOUR_MS),
    Wrong::Frozen,
    Wrong::Asleep,
];

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut faults = Faults::none();
    faults.clock_skew_ms_max = 2_000;
    let mut network = Network::grown(seed, faults, Setup::default(), nodes);
    network.world.run_for(Duration::from_secs(30));
    let wrong: BTreeMap<usize, Wrong> = (1..nodes).step_by(5).take(6).zip(WRONGS).collect();
    let stranger = Identity::from_seed(1_000_000_000).id();
    for index in 0..nodes {
        network.ban(index, stranger);
    }
    network.world.run_for(Duration::from_secs(5));
    let known = books(&network);

    for round in 0..300_i64 {
        for (&index, &how) in &wrong {
            match how {
                Wrong::Off(by) => network.world.set_wall_offset_ms(index, by),
                Wrong::Frozen => network.world.set_wall_offset_ms(index, -1_000 * round),
                Wrong::Asleep if round == 0 => network.world.pause(index),
                Wrong::Asleep => {}
            }
        }
        if round % 3 == 0
            && let Some(by) = network.random_honest()
            && !matches!(wrong.get(&by), Some(Wrong::Asleep))
        {
            network.publish(by);
        }
        network.world.run_for(Duration::from_secs(1));
    }
    let offset = |by: usize| match wrong.get(&by) {
        Some(Wrong::Off(by)) => *by,
        _ => 0,
    };
    let messages = network.published();
    let of = |wanted: &dyn Fn(i64) -> bool| -> BTreeMap<_, _> {
        messages
            .iter()
            .filter(|(_, from)| wanted(offset(from.by)))
            .map(|(id, from)| (*id, *from))
            .collect()
    };
    let ahead = of(&|by| by > 0);
    let right: BTreeMap<_, _> = messages
        .iter()
        .filter(|(_, from)| !wrong.contains_key(&from.by))
        .map(|(id, from)| (*id, *from))
        .collect();
    network.world.run_for(Duration::from_secs(60));
    let missed = network.missed(&right, |index| !wrong.contains_key(&index));
    let early: usize = network
        .honest()
        .filter(|(index, _)| !wrong.contains_key(index))
        .map(|(_, host)| {
            let taken = |id: &&_| host.app.deliveries.contains_key(*id);
            ahead.keys().filter(taken).count()
        })
        .sum();

    // The clocks are set right, and the sleeper wakes.
    for &index in wrong.keys() {
        network.world.set_wall_offset_ms(index, 0);
        network.world.resume(index);
    }
    network.world.run_for(Duration::from_secs(120));
    let since = network.world.now();
    for index in 0..nodes {
        network.publish(index);
        network.world.run_for(Duration::from_millis(200));
    }
    network.world.run_for(Duration::from_secs(60));
    let messages: BTreeMap<_, _> = network
        .published()
        .into_iter()
        .filter(|(_, from)| from.at >= since)
        .collect();
    let late = network.missed(&messages, |_| true);
    let forgotten: usize = books(&network)
        .iter()
        .zip(&known)
        .map(|(now, then)| then.saturating_sub(*now))
        .sum();
    let unbanned = network
        .honest()
        .filter(|(index, host)| {
            let now = network.world.clock(*index).map(|now| now.wall);
            let bans = host.core().trust().bans(now.unwrap_or_default());
            !bans.iter().any(|ban| ban.subject == stranger)
        })
        .count();
    let count =
        |what, value: usize| Figure::sum(what, value as f64, "times").bar(Bar::Exactly(0.0));
    network.outcome(vec![
        count("R06 missed between right clocks", missed),
        count("R06 accepted early", early),
        count("R06 missed after the clocks were set", late),
        count("R06 peers forgotten", forgotten),
        count("R06 bans lost", unbanned),
        Figure::sum("messages from ahead", ahead.len() as f64, "messages").bar(Bar::AtLeast(1.0)),
    ])
}

/// How many peers each node knows.
fn books(network: &Network) -> Vec<usize> {
    let hosts = network.honest();
    hosts
        .map(|(_, host)| host.core().peers().iter().count())
        .collect()
}
