//! Files among whole cores: found, fetched from the peers that deserve it, and everybody's standing
//! and receipts show what happened.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{collections::BTreeMap, time::Duration};

use repute_identity::NodeId;
use repute_node::{
    blobs::{Choice, DownloadId, Event, GroupRanges, Order, PlanRow, Verdict},
    trust::{Context, Evidence, Gate, Level},
};
use repute_protocol::{BlobHash, Contact, Misbehaviour, Service, groups_of};
use repute_sim::{Faults, for_each_seed};
use repute_tests::{Adversary, Conduct, CoreHost, Network, Setup};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 16 * MIB;
const MINUTE: Duration = Duration::from_secs(60);

/// Hostile only in what it does with files.
#[derive(Debug)]
struct Seeder;

impl Adversary for Seeder {}

fn hash(number: u8) -> BlobHash {
    BlobHash::from_bytes([number; 32])
}

/// Nodes with few links of their own, so that most seeders are no neighbours.
fn setup(dht: bool) -> Setup {
    let mut setup = Setup {
        serves_dht: dht,
        ..Setup::default()
    };
    setup.config.peers.min_peers = 3;
    setup.config.peers.outbound_slots = 3;
    if !dht {
        setup.config.dht = None;
    }
    setup
}

fn grown(seed: u64, dht: bool, nodes: usize) -> Network {
    let mut network = Network::grown(seed, Faults::none(), setup(dht), nodes);
    network.world.run_for(MINUTE);
    network
}

fn hostile(network: &mut Network, conduct: Conduct) -> usize {
    let index = network.add_hostile(Box::new(Seeder));
    network.world.run_for(Duration::from_secs(1));
    network
        .world
        .act(index, |host, _, _| host.files.conduct = conduct);
    index
}

fn share(network: &mut Network, seeders: &[usize], file: u8, size: u64) {
    for seeder in seeders {
        let shared = network.world.act(*seeder, |host, now, out| {
            host.share(now, hash(file), size, out)
        });
        shared.expect("it is up");
    }
    // Records and announcements are on their way.
    network.world.run_for(Duration::from_secs(30));
}

fn order(id: u64, file: u8) -> Order {
    Order {
        id: DownloadId(id),
        hash: hash(file),
        size: None,
        verified: GroupRanges::new(),
        peers: Vec::new(),
        choice: Choice::default(),
    }
}

fn begin(network: &mut Network, by: usize, order: Order) {
    let begun = network
        .world
        .act(by, |host, now, out| host.fetch(now, order, out));
    begun.expect("it is up");
}

fn host(network: &Network, index: usize) -> &CoreHost {
    network.world.host(index).expect("it is up")
}

fn finished(host: &CoreHost, id: u64) -> Option<BTreeMap<NodeId, u64>> {
    host.files.events.iter().find_map(|event| match event {
        Event::Finished {
            id: of, seeders, ..
        } if *of == DownloadId(id) => Some(seeders.iter().copied().collect()),
        _ => None,
    })
}

/// Fetches, and says who delivered how many bytes.
fn fetch(network: &mut Network, by: usize, order: Order) -> BTreeMap<NodeId, u64> {
    let (id, file) = (order.id.0, order.hash);
    begin(network, by, order);
    let limit = Duration::from_secs(300);
    let done = network.world.run_until_true(limit, |world| {
        world
            .host(by)
            .is_some_and(|host| finished(host, id).is_some())
    });
    let here = host(network, by);
    assert!(done, "after {limit:?}: {:?}", here.files.events.last());
    assert!(here.files.is_whole(&file));
    finished(here, id).expect("just seen")
}

fn plan(host: &CoreHost, id: u64) -> Vec<PlanRow> {
    let plans = host.files.events.iter().rev();
    let of = |event: &Event| match event {
        Event::Plan { id: of, rows } if *of == DownloadId(id) => Some(rows.clone()),
        _ => None,
    };
    plans.filter_map(of).next().expect("a plan")
}

/// Finds, asks and ranks, and fetches nothing.
fn look(network: &mut Network, by: usize, order: Order) -> Vec<PlanRow> {
    let id = order.id.0;
    let choice = Choice {
        dry_run: true,
        ..order.choice.clone()
    };
    begin(network, by, Order { choice, ..order });
    network.world.run_for(Duration::from_secs(20));
    plan(host(network, by), id)
}

fn ids(network: &Network, indices: &[usize]) -> Vec<NodeId> {
    indices.iter().map(|index| network.id_of(*index)).collect()
}

/// How the ledger explains a peer: in which context, what, and whether it weighs for it.
fn reasons(host: &CoreHost, peer: NodeId) -> Vec<(Context, Evidence, bool)> {
    let records = host.core().trust();
    let now = host.clock_wall();
    let stored = host.stored_records(peer);
    let explained = records.explain(peer, &stored, now);
    assert!(explained.matches, "memory is what is stored");
    explained
        .lines
        .iter()
        .map(|line| (line.context, line.evidence, line.weight_then.raw() > 0))
        .collect()
}

/// What one side holds about what `b` did for `a`.
fn receipt(host: &CoreHost, a: NodeId, b: NodeId) -> u64 {
    let receipts = host.core().receipts().expect("it knows its record");
    let latest = receipts.latest(a, b, Service::Transfer);
    latest.map_or(0, |receipt| receipt.terms.amount)
}

#[test]
fn a_file_comes_from_several_and_a_corrupter_is_banned_and_all_of_it_is_remembered() {
    for_each_seed("a_file_comes_from_several", 2, |seed| {
        let mut network = grown(seed, true, 12);
        let (fetcher, honest) = (3, [6, 8, 10]);
        let bad = hostile(&mut network, Conduct::Corrupts(5));
        let bad_id = network.id_of(bad);
        share(&mut network, &honest, 1, SIZE);
        share(&mut network, &[bad], 1, SIZE);
        let seeders = fetch(&mut network, fetcher, order(1, 1));
        network.world.run_for(Duration::from_secs(30));

        let me = network.id_of(fetcher);
        let here = host(&network, fetcher);
        let brought: u64 = seeders.values().sum();
        assert_eq!(brought, SIZE);
        let served: Vec<NodeId> = ids(&network, &honest)
            .into_iter()
            .filter(|id| seeders.contains_key(id))
            .collect();
        assert!(served.len() >= 2, "{seeders:?}");

        // The corrupter was caught at its first wrong group.
        assert_eq!(here.files.wrong, 1);
        assert!(here.app.banned.contains(&bad_id));
        let standing = here.core().trust().standing(bad_id, here.clock_wall());
        assert!(matches!(standing.gate, Gate::Banned { .. }), "{standing:?}");
        let corrupt = Evidence::Invalid(Misbehaviour::CorruptBlob);
        assert!(reasons(here, bad_id).contains(&(Context::Transfer, corrupt, false)));
        assert_eq!(receipt(here, me, bad_id), 0, "nothing good is signed");

        // The honest earned it, on both sides.
        for id in &served {
            let useful = (Context::Transfer, Evidence::Useful, true);
            assert!(reasons(here, *id).contains(&useful), "{id}");
            let metrics = here.core().chronicle().metrics(*id, here.clock_wall());
            assert!(metrics.transfers.ok.raw() > 0);
            assert!(metrics.download.count.raw() > 0, "its rate was measured");
            let index = network.world.index_of(id).expect("a node");
            let there = host(&network, index);
            let amount = seeders.get(id).copied().unwrap_or_default();
            assert_eq!(receipt(here, me, *id), amount, "what came, to the byte");
            assert_eq!(receipt(there, me, *id), amount, "and both keep it");
            let taken = there.core().chronicle().metrics(me, there.clock_wall());
            assert!(taken.upload.count.raw() > 0, "who served measured it too");
        }

        // Nobody else heard of the corruption: it is proven to the fetcher alone.
        let elsewhere = network.honest().filter(|(index, _)| *index != fetcher);
        for (index, other) in elsewhere {
            assert!(!other.app.banned.contains(&bad_id), "node {index}");
        }

        // Another file, of a proven seeder, of the banned one and of strangers.
        let proven = *served.first().expect("there are two");
        let proven_at = network.world.index_of(&proven).expect("a node");
        share(&mut network, &[proven_at, bad, 4, 5], 2, SIZE);
        let rows = look(&mut network, fetcher, order(2, 2));
        let place = |id: &NodeId| rows.iter().find(|row| row.peer == *id);
        let first = rows.first().expect("somebody");
        assert_eq!(first.peer, proven, "who served once is first: {rows:?}");
        let banned = place(&bad_id).map(|row| row.verdict);
        assert!(
            banned.is_none_or(|verdict| !verdict.is_chosen()),
            "{rows:?}"
        );
        assert!(rows.iter().filter(|row| row.verdict.is_chosen()).count() >= 3);
        let before = host(&network, fetcher).files.wrong;
        let seeders = fetch(&mut network, fetcher, order(3, 2));
        assert!(!seeders.contains_key(&bad_id));
        assert_eq!(host(&network, fetcher).files.wrong, before);
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

#[test]
fn what_was_fetched_and_learned_outlives_a_crash() {
    for_each_seed("what_was_fetched_outlives_a_crash", 2, |seed| {
        let mut network = grown(seed, true, 8);
        let fetcher = 3;
        let bad = hostile(&mut network, Conduct::Corrupts(5));
        share(&mut network, &[5, 6, bad], 1, 4 * SIZE);
        begin(&mut network, fetcher, order(1, 1));
        let half = groups_of(4 * SIZE) / 2;
        let limit = Duration::from_secs(120);
        let there = network.world.run_until_true(limit, |world| {
            let held = world
                .host(fetcher)
                .map(|host| host.files.held(&hash(1)).len());
            held.is_some_and(|held| held >= half)
        });
        assert!(there, "half of it came");
        network.world.run_for(Duration::from_secs(1));
        let held = host(&network, fetcher).files.held(&hash(1)).len();
        assert!(
            host(&network, fetcher)
                .app
                .banned
                .contains(&network.id_of(bad))
        );
        network.crash_for(fetcher, Duration::from_secs(10));
        network.world.run_for(MINUTE);
        let reborn = host(&network, fetcher);
        assert_eq!(reborn.life(), 1);
        let gate = reborn
            .core()
            .trust()
            .standing(network.id_of(bad), reborn.clock_wall());
        assert!(gate.gate.is_closed(), "it is still banned");

        let seeders = fetch(&mut network, fetcher, order(1, 1));
        let came: u64 = host(&network, fetcher).files.came.values().sum();
        let missing = groups_of(4 * SIZE) - held;
        let twice = came.saturating_sub(missing);
        // The end of what is under way may be asked for twice; nothing that was there is.
        assert!(
            came >= missing && twice <= missing / 4,
            "{came} of {missing}"
        );
        assert!(!seeders.contains_key(&network.id_of(bad)));
        network.world.run_for(Duration::from_secs(30));
        let me = network.id_of(fetcher);
        for (id, bytes) in seeders {
            let amount = receipt(host(&network, fetcher), me, id);
            assert!(amount >= bytes, "{amount} for {bytes}");
        }
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

#[test]
fn what_came_over_a_link_that_broke_is_signed_for_over_the_next() {
    for_each_seed("what_came_over_a_link_that_broke", 2, |seed| {
        let mut network = grown(seed, true, 8);
        let (fetcher, seeder) = (3, 6);
        share(&mut network, &[seeder], 1, 4 * SIZE);
        begin(&mut network, fetcher, order(1, 1));
        let some = groups_of(4 * SIZE) / 4;
        let limit = Duration::from_secs(120);
        let there = network.world.run_until_true(limit, |world| {
            let held = world.host(fetcher);
            held.is_some_and(|host| host.files.held(&hash(1)).len() >= some)
        });
        assert!(there, "a quarter of it came");
        network.crash_for(seeder, Duration::from_secs(20));
        let done = network.world.run_until_true(10 * MINUTE, |world| {
            let here = world.host(fetcher);
            here.is_some_and(|host| finished(host, 1).is_some())
        });
        assert!(done, "it went on when the seeder was back");
        network.world.run_for(Duration::from_secs(30));
        let [me, served] = [fetcher, seeder].map(|index| network.id_of(index));
        let signed = receipt(host(&network, fetcher), me, served);
        assert_eq!(signed, 4 * SIZE, "all of it, over both links");
        assert_eq!(receipt(host(&network, seeder), me, served), signed);
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

#[test]
fn without_a_dht_gossip_and_tickets_lead_to_seeders() {
    for_each_seed("without_a_dht", 2, |seed| {
        let mut network = grown(seed, false, 10);
        // Announced before anybody wanted it.
        share(&mut network, &[4, 7], 1, SIZE);
        let seeders = fetch(&mut network, 2, order(1, 1));
        assert!(!seeders.is_empty());
        // This one has just come, and has a ticket.
        let late = network.add();
        network.world.run_for(Duration::from_secs(2));
        let address = network.world.address(7).expect("it is up");
        let ticket = Contact {
            id: network.id_of(7),
            addresses: [address]
                .into_iter()
                .collect::<Vec<_>>()
                .try_into()
                .expect("one"),
        };
        let with_ticket = Order {
            peers: vec![ticket],
            size: Some(SIZE),
            ..order(2, 1)
        };
        let seeders = fetch(&mut network, late, with_ticket);
        assert!(seeders.contains_key(&network.id_of(7)), "{seeders:?}");
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

#[test]
fn links_made_for_a_transfer_go_when_it_is_over() {
    for_each_seed("links_made_for_a_transfer_go", 2, |seed| {
        let mut network = grown(seed, true, 16);
        let links =
            |network: &Network| -> usize { network.honest().map(|(_, host)| host.links()).sum() };
        network.world.run_for(5 * MINUTE);
        let before = links(&network);
        share(&mut network, &[9, 11, 13, 15], 1, SIZE);
        fetch(&mut network, 2, order(1, 1));
        let needed = host(&network, 2).links();
        network.world.run_for(5 * MINUTE);
        let after = links(&network);
        assert!(after <= before + 2, "{before} before, {after} after");
        assert!(host(&network, 2).links() <= needed);
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

/// Source 001, "Peer selection": query seeders, retrieve reputation, rank, present the best, and
/// the user can override.
#[test]
fn peer_selection_ranks_seeders_by_what_they_did_and_a_person_can_override() {
    for_each_seed("peer_selection", 2, |seed| {
        let mut network = grown(seed, true, 10);
        let fetcher = 2;
        let slow = hostile(&mut network, Conduct::Crawls(20));
        let stalls = hostile(&mut network, Conduct::Stalls(40));
        let [slow_id, stalls_id] = [slow, stalls].map(|index| network.id_of(index));
        share(&mut network, &[4, 6, slow, stalls], 1, 8 * SIZE);
        share(&mut network, &[4, 6, 8, slow, stalls], 2, SIZE);
        fetch(&mut network, fetcher, order(1, 1));
        network.world.run_for(MINUTE);

        // Queried, ranked by the composite with its uncertainty, and presented.
        let rows = look(&mut network, fetcher, order(2, 2));
        assert_eq!(rows.len(), 5, "all were asked");
        let row = |id: NodeId| *rows.iter().find(|row| row.peer == id).expect("asked");
        let [quick, other, stranger] = [4, 6, 8].map(|index| row(network.id_of(index)));
        for served in [quick, other] {
            assert!(served.place < stranger.place, "{rows:?}");
            assert!(served.score > stranger.score, "{rows:?}");
            assert!(served.uncertainty < repute_base::Fixed::ONE, "{rows:?}");
        }
        let stalled = row(stalls_id);
        assert!(stalled.place > stranger.place, "strangers first: {rows:?}");
        assert!(
            rows.iter()
                .all(|row| row.uncertainty > repute_base::Fixed::HALF)
        );
        assert!(row(slow_id).score < quick.score, "{rows:?}");

        // A person overrides: only from one, or that one before all others.
        let only = Choice {
            only: vec![stalls_id, network.id_of(8)],
            prefer: vec![network.id_of(8)],
            ..Choice::default()
        };
        let chosen = Order {
            choice: only,
            ..order(3, 2)
        };
        let rows = look(&mut network, fetcher, chosen);
        let first = rows.first().expect("somebody");
        assert_eq!(
            (first.peer, first.verdict),
            (network.id_of(8), Verdict::Preferred)
        );
        let excluded = rows.iter().filter(|row| row.verdict == Verdict::Excluded);
        assert!(excluded.count() >= 3, "{rows:?}");
        // Nobody has the standing that was asked for.
        let strict = Choice {
            grade_min: Some(repute_node::blobs::Grade::Trusted),
            ..Choice::default()
        };
        let strict = Order {
            choice: strict,
            ..order(4, 2)
        };
        let rows = look(&mut network, fetcher, strict);
        assert!(
            rows.iter().all(|row| row.verdict == Verdict::BelowGrade),
            "{rows:?}"
        );
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

/// Source 001, "For downloads": check the reputation first, prefer the trusted, watch the progress,
/// report who misbehaves.
#[test]
fn for_downloads_the_banned_are_never_asked_and_progress_and_misbehaviour_are_told() {
    for_each_seed("for_downloads", 2, |seed| {
        let mut network = grown(seed, true, 9);
        let fetcher = 2;
        let bad = hostile(&mut network, Conduct::Corrupts(5));
        let bad_id = network.id_of(bad);
        share(&mut network, &[5, bad], 1, SIZE);
        share(&mut network, &[5, 7, bad], 2, SIZE);
        fetch(&mut network, fetcher, order(1, 1));
        let here = host(&network, fetcher);
        // Progress of each seeder is told while it goes on.
        let progress = here.files.events.iter().filter_map(|event| match event {
            Event::Progress(progress) => Some(progress),
            _ => None,
        });
        let mut bytes = 0;
        let mut told = 0;
        for progress in progress {
            assert!(progress.bytes >= bytes, "it never goes back");
            bytes = progress.bytes;
            told += usize::from(progress.rate > 0 && !progress.seeders.is_empty());
        }
        assert!(told >= 2, "{told}");
        // Whoever misbehaved is reported, by name and reason, and kept out.
        let left = here.files.events.iter().any(|event| {
            matches!(event, Event::Left { peer, why, .. }
                if *peer == bad_id && *why == repute_node::blobs::Left::Corrupt)
        });
        assert!(left && here.app.banned.contains(&bad_id));
        // The reputation is looked at before anything is asked for, whatever a person prefers.
        let prefer = Choice {
            prefer: vec![bad_id],
            ..Choice::default()
        };
        let insisting = Order {
            choice: prefer,
            ..order(2, 2)
        };
        let seeders = fetch(&mut network, fetcher, insisting);
        assert!(!seeders.contains_key(&bad_id));
        assert!(seeders.contains_key(&network.id_of(5)));
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

/// Source 001, "For uploads": who is there, completes its transfers and answers promptly earns
/// standing; and standing earns better service in turn.
#[test]
fn for_uploads_reliable_service_earns_standing_and_better_service_in_turn() {
    for_each_seed("for_uploads", 1, |seed| {
        let mut network = grown(seed, true, 6);
        let (fetcher, uploader, idler) = (2, 4, 5);
        let [served, idle] = [uploader, idler].map(|index| network.id_of(index));
        let level = |network: &Network, of: NodeId| {
            let here = host(network, fetcher);
            here.core().trust().standing(of, here.clock_wall()).level
        };
        assert_eq!(level(&network, served), Level::Unknown);
        share(&mut network, &[uploader], 1, MIB);
        let mut file = 10;
        let mut rounds = 0;
        while level(&network, served) < Level::Medium && rounds < 240 {
            rounds += 1;
            file += 1;
            let shared = network.world.act(uploader, |host, now, out| {
                host.share(now, hash(file), MIB / 4, out);
            });
            shared.expect("it is up");
            let address = network.world.address(uploader).expect("it is up");
            let ticket = Contact {
                id: served,
                addresses: vec![address].try_into().expect("one"),
            };
            let small = Order {
                peers: vec![ticket],
                ..order(u64::from(file), file)
            };
            fetch(&mut network, fetcher, small);
            network.world.run_for(3 * MINUTE);
        }
        let reached = level(&network, served);
        assert!(
            reached >= Level::Medium,
            "{reached} after {rounds} transfers"
        );
        assert!(rounds >= 100, "it takes hours of good service: {rounds}");
        assert_eq!(level(&network, idle), Level::Unknown, "nothing for nothing");
        let here = host(&network, fetcher);
        let me = network.id_of(fetcher);
        let signed = receipt(here, me, served);
        assert_eq!(signed, rounds * MIB / 4, "and it is signed, to the byte");
        assert_eq!(receipt(host(&network, uploader), me, served), signed);

        // The good uploader comes to fetch from whom it served, and so does the idle one.
        share(&mut network, &[fetcher], 3, SIZE);
        let tier = |network: &mut Network, by: usize| {
            let rows = look(network, by, order(900, 3));
            let row = rows.iter().find(|row| row.peer == me).copied();
            row.expect("it answered").tier
        };
        let earned = tier(&mut network, uploader);
        let stranger = tier(&mut network, idler);
        assert!(earned > stranger, "{earned} and {stranger}");
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}
