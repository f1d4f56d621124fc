//! R21: recommendations between whole nodes: they travel where they are switched on, do nothing
//! where they are off, and liars gain no more than their budget.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

use std::time::Duration;

use repute_identity::{Identity, NodeId};
use repute_node::{Config, trust::Circle};
use repute_sim::Faults;
use repute_tests::{Network, Setup};

const SECOND: Duration = Duration::from_secs(1);

/// What one recommender of full weight moves: 0.2 · (1 − exp(−0.05 / 0.2)).
const ONE: f64 = 0.044_24;

fn somebody(n: u64) -> NodeId {
    Identity::from_seed(77_000 + n).id()
}

fn near(found: Option<f64>, expected: f64, what: &str) {
    let found = found.expect("the node is up");
    assert!(
        (found - expected).abs() < 0.000_5,
        "{what}: {found} where {expected} was expected"
    );
}

/// A network whose nodes take the word of those of these indices.
struct Town {
    network: Network,
    anchors: Vec<NodeId>,
}

impl Town {
    fn new(seed: u64, faults: Faults, anchors: &[usize]) -> Self {
        let network = Network::new(seed, faults, Setup::default());
        let anchors = anchors.iter().map(|index| network.id_of(*index)).collect();
        Self { network, anchors }
    }

    fn add(&mut self, listen: Circle, share: Circle) -> usize {
        let mut config = Config::on_network("simulated");
        config.trust.hearsay.listen = listen;
        config.trust.hearsay.share = share;
        config.receipts.anchors = self.anchors.clone();
        let index = self.network.add_as(config);
        self.network.world.run_for(Duration::from_millis(20));
        index
    }

    fn nobody_is_blamed(&self) {
        assert_eq!(self.network.breaches(), Vec::<String>::new());
        for (index, host) in self.network.honest() {
            assert!(host.app.banned.is_empty(), "node {index} banned somebody");
        }
    }
}

#[test]
fn r21_recommendations_travel_where_they_are_on_and_do_nothing_where_they_are_off() {
    for seed in 1..=2 {
        let mut town = Town::new(seed, Faults::default(), &[0, 1]);
        let loud = town.add(Circle::Known, Circle::All);
        let quiet = town.add(Circle::Known, Circle::Off);
        let ears: Vec<usize> = (0..6)
            .map(|_| town.add(Circle::Known, Circle::Off))
            .collect();
        let deaf = town.add(Circle::Off, Circle::Off);
        let anchors = std::mem::take(&mut town.anchors);
        let stranger = town.add(Circle::Known, Circle::Off);
        town.network.world.run_for(SECOND * 10);

        let (good, bad, secret) = (somebody(1), somebody(2), somebody(3));
        town.network.recommend(loud, good, 100);
        town.network.recommend(loud, bad, -100);
        town.network.recommend(quiet, secret, 100);
        town.network.world.run_for(SECOND * 30);

        for ear in ears.iter().copied() {
            near(town.network.trust(ear, good), 0.5 + ONE, "recommended");
            near(town.network.trust(ear, bad), 0.5 - ONE, "warned of");
            near(town.network.trust(ear, secret), 0.5, "not shared");
        }
        near(town.network.trust(loud, good), 0.5 + ONE, "by oneself");
        near(town.network.trust(quiet, secret), 0.5 + ONE, "by oneself");
        for index in [deaf, stranger] {
            near(town.network.trust(index, good), 0.5, "not listened to");
            near(town.network.trust(index, bad), 0.5, "not listened to");
        }

        // What was heard outlives a crash, and is gone once its source is withdrawn.
        town.network.crash_for(ears[0], SECOND * 5);
        town.network.world.run_for(SECOND);
        near(
            town.network.trust(ears[0], good),
            0.5 + ONE,
            "after a crash",
        );
        town.network.withdraw(ears[0], anchors[0]);
        near(town.network.trust(ears[0], good), 0.5, "withdrawn");
        town.network.world.run_for(SECOND * 60);
        town.network.crash_for(ears[0], SECOND * 5);
        town.network.world.run_for(SECOND * 60);
        near(town.network.trust(ears[0], good), 0.5, "still withdrawn");
        town.nobody_is_blamed();
    }
}

#[test]
fn r21_whoever_is_asked_on_a_link_tells_those_it_shares_with_and_nobody_else() {
    let mut town = Town::new(5, Faults::default(), &[0, 1, 2]);
    let teller = town.add(Circle::Off, Circle::Known);
    let peer = town.add(Circle::Known, Circle::Off);
    town.network.world.run_for(SECOND * 5);
    town.network.recommend(teller, somebody(1), 100);
    town.network.world.run_for(SECOND * 5);
    near(
        town.network.trust(peer, somebody(1)),
        0.5 + ONE,
        "told at once",
    );
    // One more that it shares with, and one that it does not: both ask when they come.
    let late = town.add(Circle::Known, Circle::Off);
    let unknown = town.add(Circle::Known, Circle::Off);
    town.network.world.run_for(SECOND * 20);
    near(town.network.trust(late, somebody(1)), 0.5 + ONE, "asked");
    near(
        town.network.trust(unknown, somebody(1)),
        0.5,
        "a stranger asked",
    );
    town.nobody_is_blamed();
}

#[test]
fn r21_liars_move_a_score_by_no_more_than_their_budget() {
    // Two of the liars are anchors by mistake; twelve are strangers.
    let mut town = Town::new(9, Faults::default(), &[0, 1, 2]);
    let honest = town.add(Circle::Known, Circle::All);
    let liars: Vec<usize> = (0..14)
        .map(|_| town.add(Circle::Off, Circle::All))
        .collect();
    let ears: Vec<usize> = (0..4)
        .map(|_| town.add(Circle::Known, Circle::Off))
        .collect();
    town.network.world.run_for(SECOND * 10);
    let (victim, accomplice) = (somebody(1), somebody(2));
    for liar in liars.iter().copied() {
        town.network.recommend(liar, victim, -100);
        town.network.recommend(liar, accomplice, 100);
        town.network.world.run_for(SECOND);
    }
    town.network.recommend(honest, victim, 100);
    town.network.world.run_for(SECOND * 30);
    // 0.2 · (1 − exp(−0.1 / 0.2)), less what the honest one gives.
    let two = 0.078_69;
    for ear in ears {
        near(
            town.network.trust(ear, victim),
            0.5 - two + ONE,
            "slandered",
        );
        near(town.network.trust(ear, accomplice), 0.5 + two, "praised");
    }
    town.nobody_is_blamed();
}
