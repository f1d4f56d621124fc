//! Small networks of real engines over simulated links.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod net;

use std::{collections::BTreeSet, time::Duration};

use net::{
    Malice, Node, find, grown, holders, link_all, lookup, place, publish, truly_closest, value,
};
use repute_base::{BoundedBytes, BoundedVec, Rng, codec};
use repute_dht::{Config, Draft, Input, Serve, Want};
use repute_protocol::{Contact, Provider, Record, RecordKey, RecordKind};
use repute_sim::{Faults, World};

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

    let (key, copies) = publish(&mut world, 3, value("a", "b", DAY));
    assert_eq!(copies, 20);
    let (mut asked, mut requests) = (0, 0);
    for asker in 0..64 {
        if holders(&world, key).contains(&asker) {
            continue;
        }
        asked += 1;
        let (found, outcome) = find(&mut world, asker, key, Want::First);
        let outcome = outcome.unwrap();
        assert_eq!(found.len(), 1, "{outcome:?}");
        requests += outcome.requests;
    }
    println!("requests of a get: {requests} for {asked}");
    assert!(requests <= asked * 5 / 4, "{requests}");
    assert!(world.false_accusations().is_empty());
}

/// Those that missed the newest are given it by whoever asks for it, and nobody else is.
#[test]
fn a_search_for_the_newest_brings_holders_that_are_behind_up_to_date() {
    let seed = 9;
    let config = Config::default();
    let mut world = grown(seed, Faults::none(), 40, &config, Duration::from_secs(5));
    link_all(&mut world);
    let author = 3;
    let (key, copies) = publish(&mut world, author, value("a", "old", DAY));
    assert_eq!(copies, 20);
    // The author changes its mind, and reaches a few.
    let newest = world.act(author, |node, now, _| {
        let record = Record {
            kind: RecordKind::Value.number(),
            slot: 0,
            expires: (now.wall + Duration::from_secs(3_600)).as_millis(),
            name: BoundedBytes::new(&b"a"[..]).unwrap(),
            value: BoundedBytes::new(&b"new"[..]).unwrap(),
        };
        node.sign(now, record.encode())
    });
    let newest = newest.unwrap();
    let kept: Vec<usize> = holders(&world, key);
    let first: Vec<usize> = kept
        .iter()
        .copied()
        .filter(|one| *one != author)
        .take(12)
        .collect();
    for holder in &first {
        let envelope = newest.clone();
        world.act(*holder, |node, _, _| node.engine.restore_record(envelope));
    }
    let with_newest = |world: &World<Node>| {
        let has = |node: &Node| {
            let records = node.engine.records(key);
            records.iter().any(|one| one.envelope.id() == newest.id())
        };
        world.hosts().filter(|(_, node)| has(node)).count()
    };
    assert_eq!(with_newest(&world), 12);
    let repaired = |world: &World<Node>| -> u64 {
        world
            .hosts()
            .map(|(_, node)| node.engine.stats().repaired)
            .sum()
    };
    let (mut before, mut behind) = (12, 0);
    let askers = (0..40).filter(|one| !kept.contains(one));
    for asker in askers.chain(kept.iter().copied().filter(|one| *one != author)) {
        let (found, outcome) = find(&mut world, asker, key, Want::Newest);
        assert!(outcome.unwrap().quorum);
        assert_eq!(found[0].envelope.id(), newest.id());
        world.run_for(Duration::from_secs(1));
        let after = with_newest(&world);
        assert!(after >= before && after - before <= 20);
        before = after;
        behind = repaired(&world);
    }
    assert_eq!(before, kept.len(), "all that keep it, its author too");
    assert!((1..=8).contains(&behind), "each once: {behind}");
    assert_eq!(holders(&world, key), kept, "nobody else keeps it now");
    assert!(world.false_accusations().is_empty());
}

/// A network that has found itself, whose links of the moment have been given back.
fn settled(seed: u64, nodes: usize, config: &Config) -> World<Node> {
    grown(
        seed,
        Faults::none(),
        nodes,
        config,
        Duration::from_secs(180),
    )
}

#[test]
fn in_a_network_that_found_itself_the_closest_node_is_found_in_few_hops() {
    let seed = 2;
    let mut world = settled(seed, 150, &Config::default());
    let mut rng = Rng::from_u64(seed);
    let (mut hops, mut found, mut requests, mut shared) = (Vec::new(), 0, 0, 0);
    for round in 0..60 {
        let target = place(&mut rng);
        let asker = round * 2 % 150;
        let outcome = lookup(&mut world, asker, target).unwrap();
        let truth = truly_closest(&world, &target, asker);
        found += usize::from(outcome.closest.first().map(|one| one.id) == Some(truth[0]));
        let among = |one: &&Contact| truth[..20].contains(&one.id);
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
        links / 150,
        contacts / 150,
    );
    assert!(mean <= 1.8, "{mean}");
    assert!(found >= 59 && shared >= 60 * 19, "{found}, {shared}");
    assert!(world.false_accusations().is_empty());
}

/// Publishes a record from each of some nodes.
fn published(world: &mut World<Node>, count: usize) -> Vec<(usize, RecordKey)> {
    let keys = (0..count).map(|author| {
        let draft = value(&format!("n{author}"), "v", DAY);
        let (key, copies) = publish(world, author, draft);
        assert!(copies >= 15, "{copies}");
        (author, key)
    });
    keys.collect()
}

#[test]
fn with_a_third_of_all_nodes_dead_records_are_still_found() {
    let seed = 3;
    let mut world = settled(seed, 120, &Config::default());
    let keys = published(&mut world, 20);
    world.run_for(Duration::from_secs(120));
    for index in 80..120 {
        world.crash(index).unwrap();
    }
    let mut lost = 0;
    for (round, (author, key)) in keys.iter().cycle().take(60).enumerate() {
        let asker = (round * 7 + 20) % 80;
        if asker == *author {
            continue;
        }
        let (found, outcome) = find(&mut world, asker, *key, Want::First);
        lost += usize::from(found.is_empty());
        assert!(outcome.is_some(), "seed {seed}: it never ended");
    }
    assert_eq!(lost, 0, "seed {seed}");
    let timeouts: u64 = world
        .hosts()
        .map(|(_, node)| node.engine.stats().unreachable + node.engine.stats().timeouts)
        .sum();
    assert!(timeouts > 0, "the dead were met");
    assert!(world.false_accusations().is_empty());
}

/// Lookups that found their record, of how many, with a third of all nodes hostile.
fn besieged(seed: u64, paths: usize, malice: Malice) -> (usize, usize) {
    let config = Config {
        paths,
        ..Config::default()
    };
    let mut world = settled(seed, 120, &config);
    let hostile: Vec<usize> = (80..120).collect();
    let friends: Vec<Contact> = hostile
        .iter()
        .map(|index| Contact {
            id: world.id(*index).unwrap(),
            addresses: BoundedVec::truncated([world.address(*index).unwrap()]),
        })
        .collect();
    for index in &hostile {
        world.mark_hostile(*index);
        world.act(*index, |node, _, _| {
            node.malice = Some(malice);
            node.friends.clone_from(&friends);
        });
    }
    let keys: Vec<(usize, RecordKey)> = (0..12)
        .map(|author| {
            let draft = value(&format!("n{author}"), "v", DAY);
            (author, publish(&mut world, author, draft).0)
        })
        .collect();
    let (mut found, mut asked) = (0, 0);
    for (round, (author, key)) in keys.iter().cycle().take(60).enumerate() {
        let asker = (round * 7 + 20) % 80;
        if asker == *author {
            continue;
        }
        asked += 1;
        found += usize::from(!find(&mut world, asker, *key, Want::First).0.is_empty());
    }
    assert!(world.false_accusations().is_empty());
    (found, asked)
}

#[test]
fn with_a_third_of_all_nodes_hostile_records_are_still_found() {
    for (seed, malice) in [(4, Malice::Drop), (5, Malice::Invent), (6, Malice::Poison)] {
        let (found, asked) = besieged(seed, 4, malice);
        println!("{malice:?}: {found} of {asked}");
        assert_eq!(found, asked, "{malice:?}, seed {seed}");
    }
}

#[test]
fn when_19_of_20_holders_die_at_once_there_are_20_again_within_the_hour() {
    let seed = 7;
    let mut world = settled(seed, 100, &Config::default());
    let (key, copies) = publish(&mut world, 0, value("a", "v", DAY));
    assert_eq!(copies, 20);
    world.run_for(Duration::from_secs(600));
    let all: Vec<usize> = holders(&world, key)
        .into_iter()
        .filter(|one| *one != 0)
        .collect();
    let survivor = all[seed as usize % all.len()];
    world.crash(0).unwrap();
    for index in all.into_iter().filter(|index| *index != survivor) {
        world.crash(index).unwrap();
    }
    assert_eq!(holders(&world, key), [survivor]);
    let asker = world
        .hosts()
        .map(|(index, _)| index)
        .find(|index| *index != survivor)
        .unwrap();
    let (found, _) = find(&mut world, asker, key, Want::First);
    assert_eq!(found.len(), 1, "found by who does not have it");
    world.run_for(Duration::from_secs(3_600));
    let kept = holders(&world, key).len();
    assert!(kept >= 20, "{kept}");
    assert!(world.false_accusations().is_empty());
}

#[test]
fn a_newcomer_that_is_closer_is_handed_what_it_should_keep() {
    let seed = 8;
    let config = Config::default();
    let mut world = settled(seed, 40, &config);
    let keys = published(&mut world, 10);
    for index in 40..60 {
        net::add(&mut world, index, &config);
        net::join(&mut world, index, index % 40);
        world.run_for(Duration::from_secs(2));
    }
    world.run_for(Duration::from_secs(60));
    let (mut should, mut does) = (0, 0);
    for (author, key) in keys {
        let closest = truly_closest(&world, &key, author);
        let kept: Vec<_> = holders(&world, key);
        for index in 40..60 {
            let id = world.id(index).unwrap();
            if closest[..15].contains(&id) {
                should += 1;
                does += usize::from(kept.contains(&index));
            }
        }
    }
    println!("{does} of {should}");
    assert!(should > 20 && does * 10 >= should * 9, "{does} of {should}");
    let handed: u64 = world
        .hosts()
        .map(|(_, node)| node.engine.stats().handed_over)
        .sum();
    assert!(handed > 0);
}

#[test]
fn with_half_of_all_nodes_replaced_in_an_hour_records_live_on() {
    let seed = 9;
    let config = Config::default();
    let nodes = 80;
    let mut world = settled(seed, nodes, &config);
    let keys = published(&mut world, 20);
    let mut rng = Rng::from_u64(seed);
    // Authors too: nobody publishes again but who is left.
    for next in nodes..2 * nodes {
        let alive: Vec<usize> = world.hosts().map(|(index, _)| index).collect();
        let leaving = alive[rng.below(alive.len() as u64) as usize];
        world.crash(leaving).unwrap();
        net::add(&mut world, next, &config);
        let alive: Vec<usize> = world
            .hosts()
            .map(|(index, _)| index)
            .filter(|index| *index != next)
            .collect();
        let contact = alive[rng.below(alive.len() as u64) as usize];
        net::join(&mut world, next, contact);
        world.run_for(Duration::from_secs(90));
    }
    let mut lost = 0;
    for (_, key) in &keys {
        let alive: Vec<usize> = world.hosts().map(|(index, _)| index).collect();
        let asker = alive[rng.below(alive.len() as u64) as usize];
        lost += usize::from(find(&mut world, asker, *key, Want::First).0.is_empty());
    }
    println!("lost {lost} of 20 in two hours");
    assert_eq!(lost, 0, "seed {seed}");
    assert!(world.false_accusations().is_empty());
}

#[test]
fn a_quorum_tells_what_is_newest() {
    let seed = 10;
    let mut world = settled(seed, 60, &Config::default());
    let (key, _) = publish(&mut world, 1, value("a", "old", DAY));
    publish(&mut world, 1, value("a", "new", DAY));
    for asker in [2, 17, 33] {
        let (found, outcome) = find(&mut world, asker, key, Want::Newest);
        assert_eq!(found.len(), 1);
        assert_eq!(&found[0].filed.record.value[..], b"new");
        let outcome = outcome.unwrap();
        assert!(outcome.quorum && outcome.holders >= 7, "{outcome:?}");
    }
    // And what nobody ever published is known to be absent.
    let (found, outcome) = find(&mut world, 2, place(&mut Rng::from_u64(1)), Want::Newest);
    let outcome = outcome.unwrap();
    assert!(
        found.is_empty() && !outcome.quorum && outcome.answers >= 10,
        "{outcome:?}"
    );
}

#[test]
fn a_key_of_many_authors_is_listed() {
    let seed = 11;
    let mut world = settled(seed, 60, &Config::default());
    let blob = [9; 32];
    for author in 0..40 {
        let provider = Provider {
            size: 5,
            addresses: BoundedVec::new(),
        };
        let draft = Draft {
            kind: RecordKind::Provider,
            slot: 0,
            name: BoundedBytes::new(blob.to_vec()).unwrap(),
            value: BoundedBytes::new(codec::encode(&provider)).unwrap(),
            lifetime: DAY,
        };
        publish(&mut world, author, draft);
    }
    let key = RecordKey::of_providers(&blob);
    let (found, outcome) = find(&mut world, 50, key, Want::All { max: 100 });
    let authors: BTreeSet<_> = found.iter().map(|one| one.filed.author).collect();
    assert_eq!((authors.len(), found.len()), (40, 40), "{outcome:?}");
    let (found, _) = find(&mut world, 51, key, Want::All { max: 7 });
    assert_eq!(found.len(), 7);
}

#[test]
fn clients_find_records_and_publish_but_nobody_relies_on_them() {
    let seed = 12;
    let clients: Vec<usize> = (40..50).collect();
    let ids: Vec<_> = clients
        .iter()
        .map(|index| net::identity(*index).id())
        .collect();
    let mut world = World::new(seed, Faults::none());
    for index in 0..50 {
        let serve = if index < 40 {
            Serve::Always
        } else {
            Serve::Never
        };
        let config = Config {
            serve,
            ..Config::default()
        };
        net::add(&mut world, index, &config);
        world.act(index, |node, _, _| node.clients.clone_from(&ids));
        if index > 0 {
            net::join(&mut world, index, index / 2 % 40);
        }
        world.run_for(Duration::from_millis(200));
    }
    world.run_for(Duration::from_secs(60));
    for (index, node) in world.hosts() {
        assert_eq!(node.engine.is_serving(), index < 40);
        let mut contacts = node.engine.contacts().into_iter();
        assert!(
            contacts.all(|one| !ids.contains(&one.id)),
            "a client is no contact"
        );
    }
    let (key, copies) = publish(&mut world, 45, value("a", "v", DAY));
    assert_eq!(copies, 20);
    assert!(
        holders(&world, key)
            .iter()
            .all(|index| *index < 40 || *index == 45)
    );
    assert_eq!(find(&mut world, 48, key, Want::First).0.len(), 1);
}

#[test]
fn under_any_fault_every_request_ends_and_nobody_is_accused() {
    repute_sim::for_each_seed("dht under any fault", 6, |seed| {
        let mut world = grown(
            seed,
            Faults::random(seed),
            24,
            &Config::default(),
            Duration::from_secs(20),
        );
        world.restart_with(|seat, _| Node::new(seat, Config::default()));
        let mut rng = Rng::from_u64(seed);
        let mut asked = Vec::new();
        for round in 0..20_u64 {
            let index = rng.below(24) as usize;
            let key = place(&mut rng);
            let token = world.act(index, |node, now, out| {
                let token = node.token();
                let draft = value(&format!("n{round}"), "v", Duration::from_secs(600));
                node.drive(now, Input::Publish { token, draft }, out);
                let token = node.token();
                let want = Want::First;
                node.drive(now, Input::Find { token, key, want }, out);
                token
            });
            asked.extend(token.map(|token| (index, token)));
            world.run_for(Duration::from_secs(5));
        }
        world.run_for(Duration::from_secs(90));
        world.calm();
        for (index, token) in asked {
            let crashed = world.stats().crashes > 0;
            let node = world.host(index);
            let ended = node.is_some_and(|node| node.finished.contains_key(&token));
            assert!(
                ended || crashed,
                "seed {seed}: request {token} of {index} never ended"
            );
        }
        assert!(world.false_accusations().is_empty(), "seed {seed}");
    });
}
