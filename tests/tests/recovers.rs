//! A misconfigured honest node is turned away, told why and until when, and comes back by itself.

use std::time::Duration;

use repute_node::{Config, peers::PeerState, trust::Gate};
use repute_protocol::DisconnectReason;
use repute_sim::Faults;
use repute_tests::{Network, Setup};

const GREY: Duration = Duration::from_secs(300);
const OTHERS: usize = 5;

/// What the others, who have little to spare, allow each link.
fn tight() -> Config {
    let mut config = Config::on_network("simulated");
    config.limits.peers.control_burst = 60;
    config.limits.peers.control_per_second = 1;
    config.trust.ladder.grey = GREY;
    config
}

/// Probes fifty times as often as it should.
fn hasty() -> Config {
    let mut config = Config::on_network("simulated");
    config.peers.probe_period = Duration::from_millis(100);
    config.peers.calm_factor = 1;
    config
}

#[test]
fn a_node_that_asks_too_much_slows_down_waits_as_it_is_told_and_is_taken_back() {
    for seed in [1, 2, 3] {
        let setup = Setup {
            config: tight(),
            ..Setup::default()
        };
        let mut network = Network::grown(seed, Faults::none(), setup, OTHERS);
        let hasty = network.add_as(hasty());
        let id = network.id_of(hasty);
        let host = |network: &Network, index: usize| {
            let (_, host) = network.honest().find(|(one, _)| *one == index).expect("up");
            host.core().peers().refusals().cloned().collect::<Vec<_>>()
        };
        // The fault happens: the others shut their gates, by rule.
        let mut told = Vec::new();
        let mut waited = Duration::ZERO;
        while told.len() < OTHERS - 1 {
            network.world.run_for(Duration::from_secs(1));
            waited += Duration::from_secs(1);
            assert!(waited < Duration::from_secs(600), "seed {seed}: {told:?}");
            told = host(&network, hasty);
        }
        for refusal in &told {
            assert_eq!(refusal.reason, DisconnectReason::Banned, "seed {seed}");
            assert_eq!(refusal.detail.as_str(), "banned: budget-exceeded");
            let wait = refusal.retry_at.since(refusal.at);
            assert!(wait > GREY / 2 && wait <= GREY, "seed {seed}: {wait:?}");
        }
        let bans = |network: &Network| -> usize {
            let by = |host: &repute_tests::CoreHost| usize::from(host.app.banned.contains(&id));
            network.honest().map(|(_, host)| by(host)).sum()
        };
        assert!(bans(&network) >= OTHERS - 1, "seed {seed}");
        let attempts = told.len();

        // Nobody does anything but wait.
        network.world.run_for(GREY * 2);
        let open = |network: &Network| {
            let others = network.honest().filter(|(index, _)| *index != hasty);
            let open = others.filter(|(index, host)| {
                let now = network.world.clock(*index).unwrap_or_default();
                let standing = host.core().trust().standing(id, now.wall);
                let active = host.core().peers().state(id) == Some(PeerState::Active);
                active && matches!(standing.gate, Gate::Open | Gate::Warned)
            });
            open.count()
        };
        assert_eq!(
            open(&network),
            OTHERS,
            "seed {seed}: after {attempts} refusals"
        );
        // It is no longer a nuisance: an hour later all is as it was, and nobody turned it away.
        network.world.run_for(Duration::from_secs(3_600));
        assert_eq!(open(&network), OTHERS, "seed {seed}: an hour later");
        assert!(host(&network, hasty).is_empty(), "seed {seed}");
        // And nobody else was ever blamed.
        for (index, host) in network.honest() {
            let others = host.app.banned.iter().filter(|banned| **banned != id);
            assert_eq!(others.count(), 0, "seed {seed}: by {index}");
        }
    }
}
