//! Small networks of real engines over simulated links.

mod net;

use std::time::Duration;

use net::{find, grown, holders, link_all, lookup, place, publish, truly_closest, value};
use repute_base::Rng;
use repute_dht::{Config, Want};
use repute_sim::Faults;

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[test]
fn among_64_linked_nodes_the_closest_are_found_with_few_requests() {
    let seed = 1;
    let mut world = grown(
        seed,
        Faults::none(),
        64,
        &Config::default(),
        Duration::from_secs(5),
    );
    link_all(&mut world);
    let mut rng = Rng::from_u64(seed);
    let (mut requests, mut exact) = (0, 0);
    for round in 0..50 {
        let target = place(&mut rng);
        let asker = round % 64;
        let outcome = lookup(&mut world, asker, target).unwrap();
        requests += outcome.requests;
        let truth = truly_closest(&world, &target, asker);
        let found: Vec<_> = outcome.closest.iter().map(|one| one.id).collect();
        exact += usize::from(found == truth[..20]);
    }
    println!("requests of a lookup: {}", f64::from(requests) / 50.0);
    assert!(requests <= 50 * 8, "{requests}");
    assert_eq!(exact, 50);

    let before = sent(&world);
    let (key, copies) = publish(&mut world, 3, value("a", "b", DAY));
    println!(
        "requests of a put: {}, copies {copies}",
        sent(&world) - before
    );
    assert_eq!(copies, 20);
    let before = sent(&world);
    let mut asked = 0;
    for asker in 0..64 {
        if holders(&world, key).contains(&asker) {
            continue;
        }
        asked += 1;
        let (found, outcome) = find(&mut world, asker, key, Want::First);
        assert_eq!(found.len(), 1, "{outcome:?}");
    }
    println!(
        "requests of a get: {}",
        (sent(&world) - before) as f64 / f64::from(asked)
    );
    assert!((sent(&world) - before) as f64 / f64::from(asked) < 2.0);
    assert!(world.false_accusations().is_empty());
}

fn sent(world: &repute_sim::World<net::Node>) -> u64 {
    world
        .hosts()
        .map(|(_, node)| node.engine.stats().requests_sent)
        .sum()
}

/// A network that has found itself, whose links of the moment have been given back.
fn settled(seed: u64, nodes: usize, config: &Config) -> repute_sim::World<net::Node> {
    grown(
        seed,
        Faults::none(),
        nodes,
        config,
        Duration::from_secs(180),
    )
}

#[test]
fn in_a_network_of_300_the_closest_node_is_found_in_few_hops() {
    let seed = 2;
    let mut world = settled(seed, 300, &Config::default());
    let mut rng = Rng::from_u64(seed);
    let (mut hops, mut found, mut requests, mut shared) = (Vec::new(), 0, 0, 0);
    for round in 0..60 {
        let target = place(&mut rng);
        let asker = round * 5 % 300;
        let outcome = lookup(&mut world, asker, target).unwrap();
        let truth = truly_closest(&world, &target, asker);
        found += usize::from(outcome.closest.first().map(|one| one.id) == Some(truth[0]));
        let among = |one: &&repute_protocol::Contact| truth[..20].contains(&one.id);
        shared += outcome.closest.iter().filter(among).count();
        hops.push(outcome.hops);
        requests += outcome.requests;
    }
    let mean = f64::from(hops.iter().sum::<u32>()) / 60.0;
    let links: usize = world
        .hosts()
        .map(|(_, node)| node.engine.stats().links)
        .sum();
    let contacts: usize = world
        .hosts()
        .map(|(_, node)| node.engine.stats().contacts)
        .sum();
    println!(
        "hops {mean} at most {:?}, closest found {found} of 60, of the 20 closest {}, requests {}, links {}, contacts {}",
        hops.iter().max(),
        shared as f64 / 60.0,
        f64::from(requests) / 60.0,
        links / 300,
        contacts / 300,
    );
    // ln 300 / H_20 + 0.2
    assert!(mean <= 1.79, "{mean}");
    assert!(found >= 59, "{found}");
    assert!(world.false_accusations().is_empty());
}
