//! A few nodes whose frames arrive at once, whose disks keep what they are told to, and whose keys
//! sign what they are asked to.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use repute_base::{BoundedVec, Machine, Timestamp};
use repute_identity::{Identity, NodeId, StampSearch};
use repute_protocol::{
    Credentials, FromPeer, Misbehaviour, NetworkId, Outcome, Party, Receipt, ReceiptFrame,
    ReceiptProposal, ReceiptTerms, Service,
};
use repute_trust::{
    ReceiptRow, Receipts, ReceiptsConfig, ReceiptsInput, ReceiptsLimits, ReceiptsOutput,
    ReceiptsWrite,
};

pub(crate) const BITS: u8 = 6;
/// 2026-11-21 00:00 UTC.
pub(crate) const BEGIN: u64 = 1_795_219_200_000;
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn network() -> NetworkId {
    NetworkId::from_name("receipts")
}

pub(crate) type Disk = BTreeMap<(u8, NodeId, NodeId), ReceiptRow>;

pub(crate) struct Node {
    pub(crate) identity: Identity,
    pub(crate) receipts: Receipts,
    pub(crate) disk: Disk,
    pub(crate) misbehaved: Vec<(NodeId, Misbehaviour)>,
    pub(crate) faults: Vec<NodeId>,
    /// Statements that were signed.
    pub(crate) signed: Vec<Vec<u8>>,
    /// The store answers no write.
    pub(crate) disk_stands: bool,
    pub(crate) waiting: Vec<u64>,
}

pub(crate) struct Town {
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<(usize, usize)>,
    pub(crate) passed: Duration,
    pub(crate) config: ReceiptsConfig,
    /// Frames sent, by kind.
    pub(crate) sent: BTreeMap<&'static str, u64>,
    /// Frames of this name get lost.
    pub(crate) lost: Option<&'static str>,
    mail: VecDeque<(usize, usize, ReceiptFrame)>,
}

pub(crate) fn config() -> ReceiptsConfig {
    ReceiptsConfig {
        stamp_bits: BITS,
        ..ReceiptsConfig::default()
    }
}

pub(crate) fn stamped(subject: NodeId) -> Credentials {
    Credentials {
        subject,
        stamp: BoundedVec::truncated(StampSearch::new(subject, BITS).run(u64::MAX)),
        vouches: BoundedVec::new(),
    }
}

impl Town {
    /// So many nodes, none linked, none above class 0.
    pub(crate) fn new(nodes: u64) -> Self {
        Self::with(nodes, config())
    }

    pub(crate) fn with(nodes: u64, config: ReceiptsConfig) -> Self {
        let mut town = Self {
            nodes: Vec::new(),
            links: Vec::new(),
            passed: Duration::ZERO,
            config,
            sent: BTreeMap::new(),
            lost: None,
            mail: VecDeque::new(),
        };
        for seed in 1..=nodes {
            let identity = Identity::from_seed(seed);
            let receipts = town.life(&identity, BEGIN, &Disk::new());
            town.nodes.push(Node {
                identity,
                receipts,
                disk: Disk::new(),
                misbehaved: Vec::new(),
                faults: Vec::new(),
                signed: Vec::new(),
                disk_stands: false,
                waiting: Vec::new(),
            });
        }
        town
    }

    fn life(&self, identity: &Identity, start: u64, disk: &Disk) -> Receipts {
        let (config, limits) = (self.config.clone(), ReceiptsLimits::default());
        let inception = identity.inception();
        let mut receipts = Receipts::new(inception, network(), start, config, limits).unwrap();
        let mut rows: Vec<&ReceiptRow> = disk.values().collect();
        rows.sort_by_key(|row| row.wall);
        for row in rows {
            assert!(receipts.restore(row));
        }
        receipts
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.nodes[node].identity.id()
    }

    pub(crate) fn now(&self) -> Timestamp {
        let ms = u64::try_from(self.passed.as_millis()).unwrap();
        Timestamp::from_millis(ms, BEGIN + ms)
    }

    pub(crate) fn handle(&mut self, node: usize, input: ReceiptsInput) {
        let now = self.now();
        self.nodes[node].receipts.handle(now, input);
        self.drain(node);
        self.deliver();
    }

    fn deliver(&mut self) {
        let now = self.now();
        while let Some((from, to, frame)) = self.mail.pop_front() {
            let from = self.id(from);
            let frame = ReceiptsInput::Frame(FromPeer::authenticated(from, Box::new(frame)));
            self.nodes[to].receipts.handle(now, frame);
            self.drain(to);
        }
    }

    fn drain(&mut self, at: usize) {
        let now = self.now();
        let mut answers = Vec::new();
        while let Some(output) = self.nodes[at].receipts.poll_output() {
            let node = &mut self.nodes[at];
            let answer = match output {
                ReceiptsOutput::Send { peer, frame } => {
                    self.post(at, peer, *frame);
                    None
                }
                ReceiptsOutput::Sign { token, statement } => {
                    let signature = node.identity.sign(&statement);
                    node.signed.push(statement);
                    Some(ReceiptsInput::Signed { token, signature })
                }
                ReceiptsOutput::Persist { token, write } => {
                    match write {
                        ReceiptsWrite::Put(row) => {
                            node.disk.insert((row.kind, row.a, row.b), row);
                        }
                        ReceiptsWrite::ForgetPair { a, b } => {
                            node.disk.remove(&(0, a, b));
                        }
                    }
                    if node.disk_stands {
                        node.waiting.extend(token);
                        None
                    } else {
                        token.map(|token| ReceiptsInput::Persisted { token })
                    }
                }
                ReceiptsOutput::Misbehaviour { peer, kind } => {
                    node.misbehaved.push((peer, kind));
                    None
                }
                ReceiptsOutput::Fault { subject, proof } => {
                    assert_eq!(proof.offender(), subject);
                    assert!(proof.into_inner().verify(network()).is_ok());
                    node.faults.push(subject);
                    None
                }
                _ => None,
            };
            answers.extend(answer);
        }
        // The next input comes only when the outputs of the one before are drained.
        for answer in answers {
            self.nodes[at].receipts.handle(now, answer);
            self.drain(at);
        }
    }

    fn post(&mut self, from: usize, to: NodeId, frame: ReceiptFrame) {
        let name = name(&frame);
        *self.sent.entry(name).or_default() += 1;
        let Some(to) = self.nodes.iter().position(|node| node.identity.id() == to) else {
            return;
        };
        let linked = self.links.contains(&(from, to)) || self.links.contains(&(to, from));
        assert!(linked, "{name} to somebody who is not linked");
        if self.lost != Some(name) {
            self.mail.push_back((from, to, frame));
        }
    }

    pub(crate) fn link(&mut self, a: usize, b: usize) {
        self.links.push((a, b));
        for (node, peer) in [(a, b), (b, a)] {
            let inception = *self.nodes[peer].identity.inception();
            let now = self.now();
            let up = ReceiptsInput::LinkUp { inception };
            self.nodes[node].receipts.handle(now, up);
            self.drain(node);
        }
        self.deliver();
    }

    pub(crate) fn unlink(&mut self, a: usize, b: usize) {
        self.links.retain(|link| *link != (a, b) && *link != (b, a));
        for (node, peer) in [(a, b), (b, a)] {
            let peer = self.id(peer);
            self.handle(node, ReceiptsInput::LinkDown { peer });
        }
    }

    /// The node dies and comes back from this disk, its links gone.
    pub(crate) fn restart_from(&mut self, node: usize, disk: Disk) {
        let links: Vec<_> = self.links.clone();
        for (a, b) in links {
            if a == node || b == node {
                self.unlink(a, b);
            }
        }
        let start = self.now().wall.as_millis();
        let identity = self.nodes[node].identity.clone();
        self.nodes[node].receipts = self.life(&identity, start, &disk);
        self.nodes[node].disk = disk;
    }

    pub(crate) fn stamp(&mut self, node: usize) {
        let credentials = stamped(self.id(node));
        self.handle(node, ReceiptsInput::Own(credentials));
    }

    /// `b` gives `a` something.
    pub(crate) fn serve(&mut self, a: usize, b: usize, service: Service, amount: u64) {
        let peer = self.id(b);
        self.handle(
            a,
            ReceiptsInput::Served {
                peer,
                service,
                amount,
            },
        );
    }

    /// Time passes; every node's timer runs when it is due.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.passed + time;
        loop {
            let due = |node: &Node| node.receipts.next_deadline();
            let next = self.nodes.iter().filter_map(due).min();
            let next = next.map(|due| Duration::from_millis(due.as_millis()));
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.passed = self.passed.max(next);
            for node in 0..self.nodes.len() {
                let mono = self.now().mono;
                if due(&self.nodes[node]).is_some_and(|due| due <= mono) {
                    self.handle(node, ReceiptsInput::Tick);
                }
            }
        }
        self.passed = end;
    }

    /// The link of these two has come as far as it does without anything to sign for.
    pub(crate) fn settle(&mut self, a: usize, b: usize) {
        self.link(a, b);
        self.serve(a, b, Service::Messages, 1);
        self.serve(b, a, Service::Messages, 1);
        self.pass(Duration::from_secs(600));
    }

    pub(crate) fn latest(&self, at: usize, a: usize, b: usize) -> Option<ReceiptTerms> {
        let (a, b) = (self.id(a), self.id(b));
        let receipt = self.nodes[at].receipts.latest(a, b, Service::Messages)?;
        Some(receipt.terms)
    }

    pub(crate) fn weight(&self, at: usize, a: usize, b: usize) -> Option<f64> {
        let (a, b) = (self.id(a), self.id(b));
        let mut edges = self.nodes[at].receipts.edges(self.now().wall);
        let edge = edges.find(|edge| (edge.from, edge.to) == (a, b))?;
        Some(edge.weight.to_f64())
    }

    /// Terms that `a` might have signed with `b`.
    pub(crate) fn terms(&self, a: usize, b: usize, seq_ab: u64, amount: u64) -> ReceiptTerms {
        let now = self.now().wall.as_millis();
        ReceiptTerms {
            version: ReceiptTerms::VERSION,
            service: Service::Messages,
            a: Party::of(self.nodes[a].identity.inception()),
            b: Party::of(self.nodes[b].identity.inception()),
            session: 1,
            seq_ab,
            kind: Outcome::Served,
            amount,
            t0: now - 1_000,
            t1: now,
        }
    }

    /// A receipt that both signed, without their machines.
    pub(crate) fn forge_together(&self, a: usize, b: usize, terms: ReceiptTerms) -> Receipt {
        let sig_b = self.nodes[b].identity.sign(&terms.statement(network()));
        ReceiptProposal::sign(terms, network(), &self.nodes[a].identity).with(sig_b)
    }

    pub(crate) fn frame(&mut self, from: usize, to: usize, frame: ReceiptFrame) {
        let from = self.id(from);
        let input = ReceiptsInput::Frame(FromPeer::authenticated(from, Box::new(frame)));
        self.handle(to, input);
    }

    /// `at` asks `peer` about `subject`, and gets this answer from the test.
    pub(crate) fn answer(&mut self, at: usize, peer: usize, subject: NodeId, all: Vec<Receipt>) {
        let asked = self.id(peer);
        self.lost = Some("ask-about");
        let ask = ReceiptsInput::Ask {
            peer: asked,
            subject,
        };
        self.handle(at, ask);
        self.lost = None;
        let frame = ReceiptFrame::About {
            subject,
            receipts: all.try_into().unwrap(),
            claims: BoundedVec::new(),
        };
        self.frame(peer, at, frame);
    }

    pub(crate) fn assert_nobody_was_blamed(&self) {
        for node in &self.nodes {
            assert_eq!(node.misbehaved, [], "{}", node.identity.id());
            assert_eq!(node.faults, [], "{}", node.identity.id());
        }
    }
}

pub(crate) const fn name(frame: &ReceiptFrame) -> &'static str {
    match frame {
        ReceiptFrame::Open(_) => "open",
        ReceiptFrame::Opened(_) => "opened",
        ReceiptFrame::Propose(_) => "propose",
        ReceiptFrame::Cosigned(_) => "cosigned",
        ReceiptFrame::AskLatest => "ask-latest",
        ReceiptFrame::Latest { .. } => "latest",
        ReceiptFrame::AskAbout { .. } => "ask-about",
        ReceiptFrame::About { .. } => "about",
        ReceiptFrame::Share { .. } => "share",
        ReceiptFrame::Fault(_) => "fault",
        ReceiptFrame::Credentials(_) => "credentials",
    }
}
