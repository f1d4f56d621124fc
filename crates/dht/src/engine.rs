use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use repute_base::{Fixed, Machine, Mono, RecentMap, Rng, Timestamp};
use repute_identity::NodeId;
use repute_protocol::{
    Contact, DhtFrame, Envelope, FromPeer, NetworkId, Record, RecordKey, RecordKind, Verified,
};

use crate::{
    Config, ConfigError, Event, FoundRecord, Input, Limits, Output, Stats, Write,
    contact::Entry,
    journal::{Change, Journal},
    link::Link,
    links::Standing,
    lookup::Lookup,
    publish::Publications,
    put::Round,
    reach::Reach,
    refresh::Refresh,
    request::Request,
    serve::Job,
    store::Store,
    table::Table,
    verify::Verifying,
};

/// How long rows wait for others to be written with.
const PERSIST_PAUSE: Duration = Duration::from_secs(1);
/// How often contacts are written, if they changed.
const CONTACTS_PAUSE: Duration = Duration::from_secs(300);
/// How often records that have expired are swept out, at most and at least.
const SWEEP_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Records swept out at once.
const SWEEP_MAX: usize = 1_024;

/// The DHT engine: a Kademlia table, iterative lookups and signed records as one machine.
#[derive(Clone, Debug)]
pub struct Dht {
    pub(crate) me: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) rng: Rng,
    pub(crate) now: Timestamp,
    pub(crate) stopping: bool,
    pub(crate) reach: Reach,
    pub(crate) table: Table,
    pub(crate) contacts_changed: bool,
    pub(crate) links: BTreeMap<NodeId, Link>,
    /// Requests that wait for a link.
    pub(crate) dials: BTreeMap<NodeId, Vec<u64>>,
    pub(crate) standings: RecentMap<NodeId, Standing>,
    pub(crate) requests: BTreeMap<u64, Request>,
    pub(crate) timers: BTreeSet<(Mono, u64)>,
    pub(crate) lookups: BTreeMap<u64, Lookup>,
    /// When each lookup ends at the latest.
    pub(crate) ends: BTreeSet<(Mono, u64)>,
    pub(crate) rounds: BTreeMap<u64, Round>,
    pub(crate) jobs: BTreeMap<u64, Job>,
    pub(crate) verifying: Verifying,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) publications: Publications,
    pub(crate) refresh: Refresh,
    /// Whom records were handed to lately.
    pub(crate) newcomers: RecentMap<NodeId, Mono>,
    pub(crate) stats: Stats,
    pub(crate) idle_at: Option<Mono>,
    persist_at: Option<Mono>,
    contacts_at: Option<Mono>,
    sweep_at: Option<Mono>,
    numbers: u64,
    pub(crate) outputs: VecDeque<Output>,
}

impl Dht {
    /// An engine for the node `me` of `network`.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting is out of range.
    pub fn new(
        config: Config,
        limits: Limits,
        me: NodeId,
        network: NetworkId,
        rng: Rng,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            table: Table::new(me, &config),
            store: Store::new(me),
            standings: RecentMap::new(limits.standings_max),
            newcomers: RecentMap::new(Limits::NEWCOMERS_MAX),
            me,
            network,
            config,
            limits,
            rng,
            now: Timestamp::default(),
            stopping: false,
            reach: Reach::default(),
            contacts_changed: false,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            requests: BTreeMap::new(),
            timers: BTreeSet::new(),
            lookups: BTreeMap::new(),
            ends: BTreeSet::new(),
            rounds: BTreeMap::new(),
            jobs: BTreeMap::new(),
            verifying: Verifying::new(),
            journal: Journal::default(),
            publications: Publications::default(),
            refresh: Refresh::default(),
            stats: Stats::default(),
            idle_at: None,
            persist_at: None,
            contacts_at: None,
            sweep_at: None,
            numbers: 0,
            outputs: VecDeque::new(),
        })
    }

    /// Takes back contacts that an earlier run persisted: they make room for whoever proves to be
    /// there. Call before the first input.
    pub fn restore_contacts(&mut self, contacts: impl IntoIterator<Item = Contact>) {
        for contact in contacts {
            let addresses = contact.addresses.into_vec();
            self.table
                .admit(contact.id, addresses, Mono::ZERO, false, Fixed::HALF);
        }
    }

    /// Takes back a record that an earlier run persisted; what has expired meanwhile is dropped
    /// in time. Call before the first input.
    pub fn restore_record(&mut self, envelope: Verified<Envelope>) {
        // Judged by its own clock: this engine has not been told the time yet.
        let Ok(filed) = Record::file(&envelope, envelope.sent()) else {
            return;
        };
        let mut arrival = self.arrival(self.me);
        arrival.pace.now = Mono::ZERO;
        let gone = self.store.insert(&filed, &envelope, &arrival, &self.limits);
        for (key, author, slot) in gone {
            self.journal.forget(key, author, slot);
        }
        self.sweep_at = Some(Mono::ZERO);
    }

    /// Whether a link was asked for with [`Output::Link`] and not given back.
    pub fn needs_link(&self, peer: &NodeId) -> bool {
        self.dials.contains_key(peer) || self.links.get(peer).is_some_and(|link| link.ours)
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        let fill = |(bits, len)| (u8::try_from(bits).unwrap_or(u8::MAX), len);
        Stats {
            contacts: self.table.len(),
            replacements: self.table.replacements(),
            buckets: self.table.fill().map(fill).collect(),
            links: self.links.len(),
            lookups: self.lookups.len(),
            records: RecordKind::ALL
                .into_iter()
                .map(|kind| (kind, self.store.of_kind(kind)))
                .collect(),
            record_bytes: self.store.bytes(),
            publications: self.publications.len(),
            verifying: self.verifying.len(),
            ..self.stats.clone()
        }
    }

    /// Whether this node serves others.
    pub const fn is_serving(&self) -> bool {
        self.stats.serving
    }

    /// The contacts of the table, closest to this node first.
    pub fn contacts(&self) -> Vec<Contact> {
        self.closest(RecordKey::of_node(&self.me), usize::MAX)
    }

    /// The closest contacts to a place that this node knows without asking, at most `count`.
    pub fn closest(&self, target: RecordKey, count: usize) -> Vec<Contact> {
        let count = count.min(self.table.len() + self.table.replacements());
        let closest = self.table.closest(target.as_bytes(), count, |_| true);
        closest.into_iter().map(Entry::contact).collect()
    }

    /// The records kept here at a key that have not expired.
    pub fn records(&self, key: RecordKey) -> Vec<FoundRecord> {
        self.store.records(&key, self.now.wall)
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn send(&mut self, peer: NodeId, frame: DhtFrame) {
        self.emit(Output::Send { peer, frame });
    }

    /// Numbers requests, lookups and whatever else needs a name; never used twice.
    pub(crate) const fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn on_frame(&mut self, frame: FromPeer<DhtFrame>) {
        let peer = frame.peer();
        if self.is_closed(&peer) || !self.links.contains_key(&peer) {
            return;
        }
        self.on_heard(&peer);
        match frame.into_value() {
            DhtFrame::Request { number, ask } => self.on_request(peer, number, ask),
            DhtFrame::Answer { number, answer } => self.on_answer(peer, number, answer),
            // For the directory.
            DhtFrame::Offer { .. } => {}
        }
    }

    pub(crate) fn schedule_persist(&mut self) {
        let now = self.now.mono;
        self.persist_at.get_or_insert(now + PERSIST_PAUSE);
        self.sweep_at.get_or_insert(now + SWEEP_PAUSE.1);
    }

    fn persist(&mut self, max: usize) {
        for (row, change) in self.journal.take(max) {
            let (key, author, slot) = row;
            let write = match (change, self.store.wire(&row)) {
                (Change::Wrote, Some((expires, wire))) => Write::Record {
                    key,
                    author,
                    slot,
                    expires,
                    wire,
                },
                _ => Write::Forget { key, author, slot },
            };
            self.emit(Output::Persist(write));
        }
        let more = !self.journal.is_empty();
        self.persist_at = more.then(|| self.now.mono + PERSIST_PAUSE);
    }

    fn persist_contacts(&mut self) {
        self.contacts_at = None;
        if !self.contacts_changed {
            return;
        }
        self.contacts_changed = false;
        let worth = self.table.worth_storing(self.limits.contacts_stored_max);
        let contacts = worth.into_iter().map(Entry::contact).collect();
        self.emit(Output::Persist(Write::Contacts(contacts)));
    }

    fn sweep(&mut self) {
        for (key, author, slot) in self.store.expire(self.now.wall, SWEEP_MAX) {
            self.journal.forget(key, author, slot);
        }
        if !self.journal.is_empty() {
            self.schedule_persist();
        }
        let (least, most) = SWEEP_PAUSE;
        self.sweep_at = self.store.next_expiry().map(|at| {
            let left = at.since(self.now.wall).clamp(least, most);
            self.now.mono + left
        });
    }

    fn on_tick(&mut self) {
        let now = self.now.mono;
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now);
        self.expire_requests();
        self.expire_lookups();
        self.unlink_idle();
        self.publish_due();
        self.replicate_due();
        self.refresh_due();
        if due(self.sweep_at) {
            self.sweep();
        }
        if due(self.persist_at) {
            self.persist(self.limits.persist_batch_max.max(1));
        }
        if due(self.contacts_at) {
            self.persist_contacts();
        }
    }

    fn on_shutdown(&mut self) {
        self.stopping = true;
        let lookups: Vec<u64> = self.lookups.keys().copied().collect();
        for lookup in lookups {
            self.finish(lookup);
        }
        let rounds: Vec<u64> = self.rounds.keys().copied().collect();
        for round in rounds {
            self.finish_round(round);
        }
        self.persist(usize::MAX);
        self.persist_contacts();
    }

    /// What follows from whatever came: whether to serve, what is to be written.
    fn settle(&mut self) {
        let now = self.now.mono;
        let serving = self.reach.serves(&self.config, now);
        if serving != self.stats.serving {
            self.stats.serving = serving;
            self.emit(Output::Event(Event::Serving(serving)));
        }
        if self.contacts_changed && !self.stopping {
            self.contacts_at.get_or_insert(now + CONTACTS_PAUSE);
        }
    }
}

impl Machine for Dht {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs before the next input"
        );
        // Timers never run backwards; validity follows the wall clock wherever it goes.
        self.now = Timestamp {
            mono: self.now.mono.max(now.mono),
            wall: now.wall,
        };
        match input {
            Input::Start => self.on_start(),
            Input::Tick => self.on_tick(),
            Input::Shutdown => self.on_shutdown(),
            Input::Listening { addresses } => self.reach.listening(&addresses),
            Input::LinkUp {
                peer,
                remote,
                listen,
                server,
                inbound,
            } => self.on_link_up(peer, remote, &listen, server, inbound),
            Input::LinkDown { peer } => self.on_link_down(peer),
            Input::Unreachable { peer } => self.on_unreachable(peer),
            Input::Standing {
                peer,
                trust,
                closed,
            } => self.on_standing(peer, trust, closed),
            Input::Frame(frame) => self.on_frame(frame),
            Input::Verified { envelope, .. } => self.on_verified(&envelope),
            Input::Forged { envelope, .. } => self.on_forged(&envelope),
            Input::Unchecked { envelope, .. } => self.on_unchecked(&envelope),
            Input::Signed { token, envelope } => self.on_signed(token, envelope),
            Input::Lookup {
                token,
                target,
                trace,
            } => self.on_lookup(token, target, trace),
            Input::Find { token, key, want } => self.on_find(token, key, want),
            Input::Publish { token, draft } => self.on_publish(token, draft),
            Input::Retract { kind, name, slot } => {
                self.on_retract(&(kind, name.into_bytes(), slot));
            }
            Input::Put { token, envelope } => self.on_put(token, envelope),
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        [
            self.timers.first().map(|(at, _)| *at),
            self.ends.first().map(|(at, _)| *at),
            self.idle_at,
            self.publications.next_due().filter(|_| !self.stopping),
            self.next_replication(),
            self.refresh.next_at.filter(|_| !self.stopping),
            self.persist_at,
            self.contacts_at,
            self.sweep_at,
            self.reach.next_due(&self.config, self.now.mono),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
