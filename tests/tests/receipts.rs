//! Receipts among whole cores: under faults and crashes nobody ever looks like a liar, and a liar
//! is proven to everybody.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use repute_base::codec;
use repute_identity::{Identity, NodeId};
use repute_node::trust::ReceiptsConfig;
use repute_protocol::{
    Frame, NetworkId, Outcome, Receipt, ReceiptFrame, ReceiptProposal, ReceiptTerms, Service,
};
use repute_sim::{Faults, for_each_seed};
use repute_tests::{Adversary, Network, Setup, attack::Shell};

const NODES: usize = 6;
/// What a statement begins with: its domain and the network.
const DOMAIN: &[u8] = b"repute receipt 1";

/// Receipts each minute instead of each hour.
fn setup() -> Setup {
    let mut setup = Setup::default();
    setup.config.receipts = ReceiptsConfig {
        settle: Duration::from_secs(10),
        interval: Duration::from_secs(60),
        share: true,
        ..ReceiptsConfig::default()
    };
    setup
}

/// Everybody talks for some minutes.
fn talk(network: &mut Network, minutes: usize) {
    network.publish_some(minutes * 30, Duration::from_secs(2));
}

/// The receipts that a node numbered itself, over all its lives: by whom they were for, of which
/// service, under which number, and how many different ones there are.
fn numbered(signed: &[Vec<u8>], me: NodeId) -> BTreeMap<(NodeId, Service, u64), usize> {
    let mut statements: BTreeMap<_, BTreeSet<&[u8]>> = BTreeMap::new();
    for statement in signed {
        let Some(rest) = statement.strip_prefix(DOMAIN) else {
            continue;
        };
        let (network, terms) = rest.split_at_checked(8).expect("a network");
        assert_eq!(network, NetworkId::from_name("simulated").as_bytes());
        let terms: ReceiptTerms = codec::decode(terms).expect("canonical");
        if terms.a.id() == me {
            let number = (terms.b.id(), terms.service, terms.seq_ab);
            statements.entry(number).or_default().insert(statement);
        }
    }
    statements
        .into_iter()
        .map(|(number, all)| (number, all.len()))
        .collect()
}

/// Receipts that honest nodes hold, and numbers that one of them used for two.
fn inspect(network: &Network) -> (usize, usize) {
    let mut held = 0;
    let mut twice = 0;
    for (_, host) in network.honest() {
        let receipts = host.core().receipts().expect("it knows its record");
        held += receipts.export().len();
        let numbers = numbered(&host.app.attested, host.core().me());
        twice += numbers.values().filter(|count| **count > 1).count();
        for line in receipts.export() {
            let receipt: Receipt = codec::decode(&line.bytes).expect("canonical");
            let simulated = NetworkId::from_name("simulated");
            assert!(receipt.verify(simulated).is_ok(), "it proves itself");
        }
    }
    (held, twice)
}

#[test]
fn neighbours_sign_for_each_other_and_both_keep_the_same() {
    for_each_seed("neighbours_sign_for_each_other", 2, |seed| {
        let mut network = Network::grown(seed, Faults::none(), setup(), NODES);
        talk(&mut network, 4);
        network.world.run_for(Duration::from_secs(70));
        let (held, twice) = inspect(&network);
        assert!(held >= NODES * 2, "{held} receipts");
        assert_eq!(twice, 0);
        let hosts: BTreeMap<NodeId, _> = network
            .honest()
            .map(|(_, host)| (host.core().me(), host))
            .collect();
        let mut compared = 0;
        for host in hosts.values() {
            let here = host.core().receipts().expect("on");
            for line in here.export() {
                let there = hosts[&line.by].core().receipts().expect("on");
                let other = there.latest(line.served, line.by, line.service);
                let number = other.expect("both keep it").terms.seq_ab;
                // The other may have signed one that is still on its way.
                assert!(number >= line.number || line.served == host.core().me());
                compared += 1;
            }
        }
        assert_eq!(compared, held);
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

#[test]
fn no_fault_of_the_network_and_no_crash_makes_anybody_look_like_a_liar() {
    for_each_seed("no_fault_makes_anybody_look_like_a_liar", 3, |seed| {
        let mut faults = Faults::rough();
        faults.crash_every_ms = 20_000;
        faults.partition_every_ms = 60_000;
        let mut network = Network::grown(seed, faults, setup(), NODES);
        talk(&mut network, 8);
        network.world.calm();
        talk(&mut network, 4);
        let (held, twice) = inspect(&network);
        assert!(held > 0, "something was signed");
        assert_eq!(twice, 0, "a number was used for two receipts");
        assert!(network.world.stats().crashes > 0, "somebody crashed");
        for (index, host) in network.honest() {
            assert_eq!(host.app.proven, BTreeSet::new(), "node {index}");
        }
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

/// Signs a second receipt under each number that it has used, for its counterpart alone.
#[derive(Debug, Default)]
struct TwoBooks {
    signed: Vec<(NodeId, Receipt)>,
}

impl Adversary for TwoBooks {
    fn hears(&mut self, me: &mut Shell<'_>, from: NodeId, frame: &Frame) -> bool {
        if let Frame::Receipt(frame) = frame
            && let ReceiptFrame::Cosigned(receipt) = frame.as_ref()
            && receipt.terms.a.id() == me.identity.id()
        {
            self.signed.push((from, *receipt));
        }
        true
    }

    fn acts(&mut self, me: &mut Shell<'_>) {
        let Some((to, receipt)) = self.signed.pop() else {
            return;
        };
        let terms = ReceiptTerms {
            amount: receipt.terms.amount + 1,
            ..receipt.terms
        };
        let proposal = ReceiptProposal::sign(terms, me.network, me.identity);
        let frame = Frame::Receipt(Box::new(ReceiptFrame::Propose(proposal)));
        me.send(to, &frame);
        me.did("signed a number twice");
    }
}

#[test]
fn who_signs_a_number_twice_is_proven_to_every_honest_node_and_nobody_else_is_blamed() {
    for_each_seed("who_signs_a_number_twice_is_proven", 2, |seed| {
        let mut network = Network::grown(seed, Faults::none(), setup(), NODES);
        let liar = network.add_hostile(Box::<TwoBooks>::default());
        let liar = network.world.id(liar).expect("it lives");
        talk(&mut network, 4);
        network.world.run_for(Duration::from_secs(30));
        assert!(network.deeds("signed a number twice") > 0, "it lied");
        let now = network.honest().map(|(_, host)| host).next();
        let honest_id = now.expect("some are honest").core().me();
        for (index, host) in network.honest() {
            assert_eq!(host.app.proven, BTreeSet::from([liar]), "node {index}");
            let receipts = host.core().receipts().expect("on");
            let proof = *receipts.fault(&liar).expect("it is kept");
            let proven = proof.verify(NetworkId::from_name("simulated"));
            assert_eq!(proven.expect("anybody can check it").offender(), liar);
            assert!(receipts.fault(&honest_id).is_none());
        }
        assert_eq!(network.breaches(), Vec::<String>::new());
    });
}

#[test]
fn a_claim_about_a_stranger_is_impossible_and_one_about_a_neighbour_travels() {
    let mut network = Network::grown(3, Faults::none(), setup(), 3);
    talk(&mut network, 2);
    let ids: Vec<NodeId> = network.honest().map(|(_, host)| host.core().me()).collect();
    let stranger = Identity::from_seed(77).id();
    for subject in [stranger, ids[1]] {
        network.complain(0, subject, Service::Messages, Outcome::Aborted);
    }
    let (first, claims) = claims_of(&network, 0);
    assert_eq!(first, ids[0]);
    assert_eq!(claims, [(ids[0], ids[1])]);
    network.ask_about(2, ids[0], ids[1]);
    network.world.run_for(Duration::from_secs(1));
    assert_eq!(claims_of(&network, 2).1, claims);
    assert_eq!(network.breaches(), Vec::<String>::new());
}

fn claims_of(network: &Network, node: usize) -> (NodeId, Vec<(NodeId, NodeId)>) {
    let host = network.world.host(node).expect("it lives");
    let receipts = host.core().receipts().expect("on");
    let claims = receipts.export_claims().into_iter();
    let claims = claims.map(|claim| (claim.claimant, claim.accused));
    (host.core().me(), claims.collect())
}
