//! The engines, composed. Pure: no I/O, clock, randomness or keys of its own.
//!
//! One `route_*` file per wire between engines; no logic of its own beyond the wiring.

mod command;
mod config;
mod input;
mod invariants;
mod layers;
mod output;
mod route_blobs;
mod route_dht;
mod route_directory;
mod route_gossip;
mod route_hearsay;
mod route_history;
mod route_link;
mod route_peers;
mod route_policy;
mod route_rank;
mod route_receipts;
mod route_recommend;
mod route_transfers;
mod route_trust;
mod route_whereabouts;
mod snapshot;
pub mod transfers;
mod trust_model;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use repute_base::{Address, Layers, Machine, Mono, Rng, Timestamp};
use repute_dht::{Dht, Directory};
use repute_gossip::Gossip;
use repute_identity::{Inception, NodeId};
use repute_peers::{LinkId, Peers};
use repute_protocol::{EnvelopeKind, Payload, Seq, Unsigned};
use repute_trust::{AddressBans, Appeals, Chronicle};

pub use config::{Config, ConfigError, Limits};
pub use input::{Change, Command, Input};
pub use output::{Event, Output, PersistId, Priority, Write};
pub use snapshot::Snapshot;
pub use trust_model::{SignedRecommendation, TrustModel};

/// All engines of one node, as one machine.
///
/// The caller's duty after each [`handle`](Core::handle): drain
/// [`poll_output`](Core::poll_output), and hand over [`Input::Tick`] at
/// [`next_deadline`](Core::next_deadline).
pub struct Core {
    me: NodeId,
    config: Config,
    peers: Peers,
    gossip: Gossip,
    trust: Box<dyn TrustModel>,
    /// None when this node was not told its own record.
    receipts: Option<Box<repute_trust::Receipts>>,
    /// The record of each linked peer; as many as links.
    records: BTreeMap<NodeId, Inception>,
    /// Writes that hold a signature back; bounded by the signatures under way.
    receipt_writes: BTreeMap<PersistId, u64>,
    /// What the stages of this core let through and refused.
    layers: Layers,
    /// Whose gate is closed, as the shell's links know it.
    shut_out: BTreeSet<NodeId>,
    /// Records that the shell wants signed; bounded by the signatures under way.
    records_wanted: BTreeSet<u64>,
    /// The entries of the blacklist that name addresses, whatever the trust model.
    addresses: AddressBans,
    appeals: Appeals,
    hearing: route_hearsay::Hearing,
    /// None when this node takes no part in the DHT; then there is no directory either.
    dht: Option<Box<Dht>>,
    directory: Option<Box<Directory>>,
    /// None when this node neither shares nor fetches files.
    files: Option<Box<route_blobs::Files>>,
    /// Records that an engine wants signed; bounded by the signatures under way.
    record_signers: BTreeMap<u64, route_directory::Signer>,
    ranks: route_rank::Ranks,
    chronicle: Chronicle,
    /// When the links are looked at next, and how that is chosen.
    look_at: Option<Mono>,
    look_rng: Rng,
    seq: Seq,
    next_persist: u64,
    /// The link to each peer, by the number the peers engine knows it under.
    links: BTreeMap<NodeId, (LinkId, Address)>,
    next_link: u64,
    /// The operator's command in hand, if its writes are to be acknowledged.
    awaiting: Option<u64>,
    awaiting_write: bool,
    /// Writes that acknowledge a command; bounded by the operator's commands in flight.
    unacknowledged: BTreeMap<PersistId, u64>,
    /// Inputs on their way between engines; empty between two calls.
    inbox: VecDeque<Step>,
    outputs: VecDeque<Output>,
}

enum Step {
    Peers(repute_peers::Input),
    Gossip(repute_gossip::Input),
    Trust(repute_trust::Input),
    Receipts(repute_trust::ReceiptsInput),
    History(repute_trust::ChronicleInput),
    Dht(repute_dht::Input),
    Directory(repute_dht::DirectoryInput),
    Addresses(repute_trust::AddressInput),
    Blobs(repute_blobs::Input),
    Whereabouts(repute_blobs::WhereaboutsInput),
}

impl Core {
    /// A core for `me`, restored from what the store had.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration is unsound.
    pub fn new(
        me: NodeId,
        config: Config,
        snapshot: Snapshot,
        trust: Option<Box<dyn TrustModel>>,
        mut rng: Rng,
    ) -> Result<Self, ConfigError> {
        let limits = config.limits.clone();
        let mut peers = Peers::new(config.peers.clone(), limits.peers, me, rng.fork())
            .map_err(ConfigError::peers)?;
        let mut gossip = Gossip::new(
            config.gossip.clone(),
            limits.gossip,
            me,
            config.network,
            rng.fork(),
        )
        .map_err(ConfigError::gossip)?;
        let mut trust = match trust {
            Some(model) => model,
            None => Box::new(
                repute_trust::Ledger::new(config.trust.clone(), limits.trust)
                    .map_err(ConfigError::trust)?,
            ),
        };
        let (me_known, rows) = (snapshot.inception, &snapshot.receipts);
        let receipts = Self::receipts_of(&config, me_known, snapshot.start, rows)?;
        let seq = Seq {
            start: snapshot.start,
            counter: 0,
        };
        let mut chronicle = Chronicle::new(limits.history);
        snapshot.restore_history(&mut chronicle);
        let (dht, directory) = Self::dht_of(me, &config, &snapshot, &mut rng)?;
        let files = Self::files_of(me, &config, &mut rng)?;
        let (addresses, appeals) = snapshot.restore(&mut peers, &mut gossip, trust.as_mut());
        Ok(Self {
            me,
            config,
            peers,
            gossip,
            trust,
            receipts,
            records: BTreeMap::new(),
            receipt_writes: BTreeMap::new(),
            layers: Layers::new(),
            shut_out: BTreeSet::new(),
            records_wanted: BTreeSet::new(),
            chronicle,
            look_at: None,
            look_rng: rng.fork(),
            addresses,
            appeals,
            hearing: route_hearsay::Hearing::default(),
            dht,
            directory,
            files,
            record_signers: BTreeMap::new(),
            ranks: route_rank::Ranks::default(),
            seq,
            next_persist: 0,
            links: BTreeMap::new(),
            next_link: 0,
            awaiting: None,
            awaiting_write: false,
            unacknowledged: BTreeMap::new(),
            inbox: VecDeque::new(),
            outputs: VecDeque::new(),
        })
    }

    /// Who this node is.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The address book and links.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Membership and broadcast.
    pub fn gossip(&self) -> &Gossip {
        &self.gossip
    }

    /// What is known about whom.
    pub fn trust(&self) -> &dyn TrustModel {
        self.trust.as_ref()
    }

    /// The entries of the blacklist that name addresses.
    pub fn address_bans(&self) -> &AddressBans {
        &self.addresses
    }

    /// What banned peers had to say.
    pub fn appeals(&self) -> &Appeals {
        &self.appeals
    }

    /// Metrics and past of peers.
    pub fn chronicle(&self) -> &Chronicle {
        &self.chronicle
    }

    /// Applies one input to the engines and settles what follows from it.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Tick => self.tick(now),
            Input::Command(command) => self.command(now, command),
            Input::Signed { token, envelope } => self.signed(now, token, envelope),
            Input::Attested { token, signature } => {
                self.tell_receipts(repute_trust::ReceiptsInput::Signed { token, signature });
            }
            Input::Persisted(id) => self.persisted(id),
            Input::NotPersisted(id) => self.not_persisted(id),
            Input::Transfer(input) => self.transfer(input),
            other => self.link_input(now, other),
        }
        self.settle(now);
    }

    /// The next thing for the shell to do, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due.
    pub fn next_deadline(&self) -> Option<Mono> {
        [
            self.peers.next_deadline(),
            self.gossip.next_deadline(),
            self.trust.next_deadline(),
            self.receipts.as_ref().and_then(|one| one.next_deadline()),
            self.chronicle.next_deadline(),
            self.look_at,
            self.ranks_due(),
            self.addresses.next_deadline(),
            self.dht.as_ref().and_then(|one| one.next_deadline()),
            self.directory.as_ref().and_then(|one| one.next_deadline()),
            self.blobs_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The part of [`next_deadline`](Core::next_deadline) of which every millisecond counts. What
    /// is far ahead of the rest may be served up to a second late.
    pub fn next_urgent(&self) -> Option<Mono> {
        let gossip = self.gossip.next_urgent();
        gossip.into_iter().chain(self.blobs_urgent()).min()
    }

    /// Whether another publish is taken now; otherwise wait for [`Event::PublishReady`].
    pub fn is_publish_ready(&self) -> bool {
        self.gossip.is_ready()
    }

    fn start(&mut self, now: Timestamp) {
        // What restoring the ledger brought up, such as standings of those kept out.
        while let Some(output) = self.trust.poll_output() {
            self.route_trust(now, output);
        }
        while let Some(output) = self.addresses.poll_output() {
            self.route_addresses(output);
        }
        self.start_hearing();
        self.start_directory();
        self.start_announcing();
        self.tell_dht(repute_dht::Input::Start);
        self.tell_directory(repute_dht::DirectoryInput::Start);
        self.rank(now);
        self.tell_peers(repute_peers::Input::Start);
        self.next_look(now);
    }

    fn tick(&mut self, now: Timestamp) {
        let due = |deadline: Option<Mono>| deadline.is_some_and(|deadline| deadline <= now.mono);
        if due(self.peers.next_deadline()) {
            self.tell_peers(repute_peers::Input::Tick);
        }
        if due(self.gossip.next_deadline()) {
            self.tell_gossip(repute_gossip::Input::Tick);
        }
        if due(self.chronicle.next_deadline()) {
            self.tell_history(repute_trust::ChronicleInput::Tick);
        }
        if due(self.ranks_due()) {
            self.rank(now);
        }
        if due(self.look_at) {
            self.look(now);
        }
        if due(self.trust.next_deadline()) {
            self.tell_trust(repute_trust::Input::Tick);
        }
        if due(self.receipts.as_ref().and_then(|one| one.next_deadline())) {
            self.tell_receipts(repute_trust::ReceiptsInput::Tick);
        }
        if due(self.dht.as_ref().and_then(|one| one.next_deadline())) {
            self.tell_dht(repute_dht::Input::Tick);
        }
        if due(self.directory.as_ref().and_then(|one| one.next_deadline())) {
            self.tell_directory(repute_dht::DirectoryInput::Tick);
        }
        if due(self.blobs_due()) {
            self.blobs_tick(now);
        }
        if due(self.addresses.next_deadline()) {
            self.tell_addresses(repute_trust::AddressInput::Tick);
        }
    }

    /// Hands the waiting inputs to the engines, one at a time, until all are silent: each engine is
    /// drained before anything is handed in again.
    fn settle(&mut self, now: Timestamp) {
        while let Some(step) = self.inbox.pop_front() {
            match step {
                Step::Peers(input) => {
                    self.peers.handle(now, input);
                    while let Some(output) = self.peers.poll_output() {
                        self.route_peers(now, output);
                    }
                }
                Step::Gossip(input) => {
                    self.gossip.handle(now, input);
                    while let Some(output) = self.gossip.poll_output() {
                        self.route_gossip(now, output);
                    }
                }
                Step::Addresses(input) => {
                    self.addresses.handle(now, input);
                    while let Some(output) = self.addresses.poll_output() {
                        self.route_addresses(output);
                    }
                }
                Step::History(input) => self.history(now, input),
                Step::Dht(input) => self.settle_dht(now, input),
                Step::Directory(input) => self.settle_directory(now, input),
                Step::Receipts(input) => self.settle_receipts(now, input),
                Step::Blobs(input) => self.settle_blobs(now, input),
                Step::Whereabouts(input) => self.settle_whereabouts(now, input),
                Step::Trust(input) => {
                    self.trust.handle(now, input);
                    while let Some(output) = self.trust.poll_output() {
                        self.route_trust(now, output);
                    }
                }
            }
        }
    }

    fn tell_peers(&mut self, input: repute_peers::Input) {
        self.inbox.push_back(Step::Peers(input));
    }

    fn tell_gossip(&mut self, input: repute_gossip::Input) {
        self.inbox.push_back(Step::Gossip(input));
    }

    fn tell_trust(&mut self, input: repute_trust::Input) {
        self.inbox.push_back(Step::Trust(input));
    }

    fn tell_addresses(&mut self, input: repute_trust::AddressInput) {
        self.inbox.push_back(Step::Addresses(input));
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Hands writes to the store; the answer comes as [`Input::Persisted`].
    fn persist(&mut self, writes: Vec<Write>) -> PersistId {
        let id = PersistId(self.next_persist);
        self.next_persist += 1;
        self.output(Output::Persist { id, writes });
        id
    }

    /// Asks the shell to sign a payload as this node, under its next number.
    fn sign(&mut self, now: Timestamp, kind: EnvelopeKind, token: u64, payload: &Payload) {
        let unsigned = Unsigned {
            network: self.config.network,
            kind,
            seq: self.seq,
            sent: now.wall,
            payload: payload.encode(),
        };
        self.seq.counter += 1;
        self.output(Output::Sign { token, unsigned });
    }
}

impl Machine for Core {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        Core::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Core::poll_output(self)
    }

    fn next_deadline(&self) -> Option<Mono> {
        Core::next_deadline(self)
    }
}
