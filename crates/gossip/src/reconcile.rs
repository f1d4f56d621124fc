use alloc::vec::Vec;
use core::time::Duration;

use negentropy::{Bound, Error, Id, Item, Negentropy, NegentropyStorageBase};
use repute_base::{BoundedBytes, Mono};
use repute_identity::NodeId;
use repute_protocol::{Announced, GossipFrame, MessageId, Misbehaviour, limits::RECONCILE_MAX};

use crate::{Gossip, link::Session};

/// Bytes before the reconciliation message: the second from which on the sender compares.
const FLOOR_LEN: usize = 8;
/// How long one sorted snapshot of the retained set serves.
const SNAPSHOT_AGE: Duration = Duration::from_secs(1);
/// A snapshot nobody used for so long is dropped.
const SNAPSHOT_IDLE: Duration = Duration::from_secs(10);
/// A reconciliation without an end after so long is given up.
const SESSION_TIMEOUT: Duration = Duration::from_secs(20);
/// Steps of one reconciliation: enough for a full window of differences.
const ROUNDS_MAX: u32 = 256;
/// Reconciliations that run at once.
const SESSIONS_MAX: usize = 4;
/// One that was not answered for so long is not counted as running: the silent hold no place.
const ANSWER_AWAITED: Duration = Duration::from_secs(2);
/// After something was missed, the next reconciliation follows so soon; then the pause doubles
/// until it is the configured one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long silence keeps the pause short: longer than it takes to find links that answer.
const HURRY_FOR: Duration = Duration::from_secs(60);
/// How long after something was missed neighbours that bring nothing are replaced.
const DEPRIVED_FOR: Duration = Duration::from_secs(10);
/// What is asked for so long after it was sent was missed, not only on its way.
pub(crate) const MISSED_AGE: Duration = Duration::from_secs(2);

/// Anti-entropy: the sorted set of what is retained, and when to compare it next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reconciler {
    next_number: u64,
    due: Option<Mono>,
    /// The pause before the next, if it is shorter than the configured one.
    pause: Option<Duration>,
    /// Until then only an answer makes the pause longer; afterwards every comparison does.
    hurry_until: Mono,
    snapshot: Option<Snapshot>,
}

#[derive(Clone, Debug)]
struct Snapshot {
    made: Mono,
    used: Mono,
    items: Vec<Item>,
}

impl Reconciler {
    /// When the next comparison is due, or an unused snapshot is to be dropped.
    pub(crate) fn next_due(&self) -> Option<Mono> {
        let snapshot = self.snapshot.as_ref();
        let dropped = snapshot.map(|snapshot| snapshot.used + SNAPSHOT_IDLE);
        self.due.into_iter().chain(dropped).min()
    }
}

/// The part of a snapshot that both sides can have, as negentropy wants to see it.
struct Window<'a>(&'a [Item]);

impl NegentropyStorageBase for Window<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.0.len())
    }

    fn get_item(&self, place: usize) -> Result<Option<Item>, Error> {
        Ok(self.0.get(place).copied())
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        each: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let items = self.0.get(begin..end).ok_or(Error::BadRange)?;
        for (place, item) in (begin..end).zip(items) {
            if !each(*item, place)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let range = self.0.get(first..last).unwrap_or_default();
        first + range.partition_point(|item| *item < value.item)
    }
}

/// Whether no honest peer sends bytes that fail this way.
const fn is_malformed(error: &Error) -> bool {
    matches!(
        error,
        Error::IdTooBig
            | Error::UnexpectedMode(_)
            | Error::ParseEndsPrematurely
            | Error::ProtocolVersionNotFound
            | Error::InvalidProtocolVersion
    )
}

/// What one step of a reconciliation found out.
#[derive(Default)]
struct Step {
    reply: Option<Vec<u8>>,
    have: Vec<Id>,
    need: Vec<Id>,
}

impl Gossip {
    /// Begins reconciliations that are due: soon after a link began, and then with a random link
    /// every interval.
    pub(crate) fn maintain_reconciliation(&mut self) {
        let now = self.now.mono;
        let mut running = 0;
        let mut due = Vec::new();
        for (peer, link) in &mut self.links {
            if link
                .session
                .is_some_and(|session| now.since(session.began) > SESSION_TIMEOUT)
            {
                link.session = None;
            }
            running += usize::from(link.session.is_some_and(|session| {
                session.rounds > 0 || now.since(session.began) < ANSWER_AWAITED
            }));
            if link.sync_due.is_some_and(|at| at <= now) {
                due.push(*peer);
            }
        }
        let interval = self.config.anti_entropy_interval;
        let pause = self.reconciler.pause.unwrap_or(PAUSE_MIN).min(interval);
        if self.reconciler.due.is_none() {
            self.reconciler.hurry_until = now + HURRY_FOR;
        }
        let next = *self
            .reconciler
            .due
            .get_or_insert(now + self.rng.jitter(pause, 20));
        if next <= now {
            self.reconciler.due = Some(now + self.rng.jitter(pause, 20));
            if pause <= PAUSE_MIN {
                // Something is missing, or nobody has answered yet.
                due.extend(self.best_outside());
            }
            if now >= self.reconciler.hurry_until {
                self.slow_down();
            }
            due.extend(self.random_link());
            self.look_outside();
        }
        due.dedup();
        for peer in due.into_iter().take(SESSIONS_MAX.saturating_sub(running)) {
            self.begin_reconciliation(peer);
        }
        let idle = |snapshot: &Snapshot| now.since(snapshot.used) >= SNAPSHOT_IDLE;
        if self.reconciler.snapshot.as_ref().is_some_and(idle) {
            self.reconciler.snapshot = None;
        }
    }

    /// A reconciliation that we began is over. One that was answered and found nothing missing
    /// makes the next one later; silence proves nothing, and does so only after a while.
    fn end_session(&mut self, peer: NodeId, in_step: bool) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.session.take().is_some() && in_step {
            self.slow_down();
        }
    }

    fn slow_down(&mut self) {
        let pause = self.reconciler.pause.unwrap_or(PAUSE_MIN) * 2;
        self.reconciler.pause = Some(pause.min(self.config.anti_entropy_interval));
    }

    /// The best links outside the active view: what all neighbours keep from us, these may have.
    fn best_outside(&mut self) -> Vec<NodeId> {
        let mut ranked: Vec<(i64, bool, u64, NodeId)> = Vec::with_capacity(self.links.len());
        for (id, link) in &self.links {
            let under_way = link.session.is_some_and(|session| session.rounds > 0);
            if !under_way && self.active.binary_search(id).is_err() {
                let lot = self.rng.next_u64();
                ranked.push((-link.score.total(), !link.dialled, lot, *id));
            }
        }
        ranked.sort_unstable();
        let best = ranked.into_iter().take(SESSIONS_MAX);
        let best: Vec<NodeId> = best.map(|(.., peer)| peer).collect();
        for peer in &best {
            if let Some(link) = self.links.get_mut(peer) {
                link.session = None;
            }
        }
        best
    }

    /// Compares with others than the neighbours at once.
    pub(crate) fn look_around(&mut self) {
        let now = self.now.mono;
        for peer in self.best_outside() {
            if let Some(link) = self.links.get_mut(&peer) {
                link.sync_due = Some(now);
            }
        }
        self.reconcile_soon();
    }

    /// A peer gave on request what the neighbours should have brought long ago.
    pub(crate) fn was_deprived(&mut self, by_grace_of: NodeId) {
        self.deprived_until = self.now.mono + DEPRIVED_FOR;
        self.reconcile_soon();
        self.prefer(by_grace_of);
    }

    /// More may be missing.
    fn reconcile_soon(&mut self) {
        self.reconciler.hurry_until = self.now.mono + HURRY_FOR;
        if self.reconciler.pause != Some(PAUSE_MIN) {
            self.reconciler.pause = Some(PAUSE_MIN);
            self.reconciler.due = Some(self.now.mono + self.rng.jitter(PAUSE_MIN, 20));
        }
    }

    fn begin_reconciliation(&mut self, peer: NodeId) {
        let floor = self.own_floor();
        self.reconciler.next_number = self.reconciler.next_number.wrapping_add(1);
        let number = self.reconciler.next_number;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.sync_due = None;
        if link.session.is_some() {
            return;
        }
        link.session = Some(Session {
            number,
            began: self.now.mono,
            rounds: 0,
            floor,
        });
        let first = self.with_window(floor, |mut session| session.initiate());
        if let Ok(body) = first {
            self.stats.reconciliations += 1;
            self.send_reconcile(peer, number, true, floor, &body);
        }
    }

    pub(crate) fn on_reconcile(
        &mut self,
        peer: NodeId,
        number: u64,
        from_initiator: bool,
        body: &[u8],
    ) {
        let now = self.now.mono;
        let Some((floor, message)) = body.split_first_chunk::<FLOOR_LEN>() else {
            return self.accuse(peer, Misbehaviour::MalformedReconcile);
        };
        let theirs = u64::from_be_bytes(*floor);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if !link.reconcile.take(now, 1) {
            return;
        }
        let (floor, step) = if from_initiator {
            // The peer compares already: no need to begin ourselves.
            link.sync_due = None;
            self.answer(theirs, message)
        } else {
            let Some(session) = &mut link.session else {
                return;
            };
            if session.number != number {
                return;
            }
            session.rounds += 1;
            session.floor = session.floor.max(theirs);
            let session = *session;
            self.proceed(session, message)
        };
        match step {
            Ok(step) => {
                if step.reply.is_none() {
                    self.end_session(peer, step.need.is_empty());
                }
                self.exchange(peer, &step);
                if let Some(reply) = step.reply {
                    self.send_reconcile(peer, number, !from_initiator, floor, &reply);
                }
            }
            Err(error) if is_malformed(&error) => {
                self.accuse(peer, Misbehaviour::MalformedReconcile);
            }
            Err(_) => {}
        }
    }

    /// Our side of a reconciliation that the peer began.
    fn answer(&mut self, theirs: u64, message: &[u8]) -> (u64, Result<Step, Error>) {
        let floor = self.own_floor().max(theirs);
        let step = self.with_window(floor, |mut session| {
            let reply = session.reconcile(message)?;
            Ok(Step {
                reply: Some(reply),
                ..Step::default()
            })
        });
        (floor, step)
    }

    /// The next step of a reconciliation that we began.
    fn proceed(&mut self, session: Session, message: &[u8]) -> (u64, Result<Step, Error>) {
        let step = self.with_window(session.floor, |mut negentropy| {
            negentropy.set_initiator();
            let mut step = Step::default();
            step.reply = negentropy.reconcile_with_ids(message, &mut step.have, &mut step.need)?;
            if session.rounds >= ROUNDS_MAX {
                step.reply = None;
            }
            Ok(step)
        });
        (session.floor, step)
    }

    /// Announces what the peer lacks and asks for what we lack.
    fn exchange(&mut self, peer: NodeId, step: &Step) {
        for id in step.have.iter().take(self.limits.announcements_max) {
            let id = MessageId::from_bytes(id.to_bytes());
            if let Some(record) = self.archive.get(&id) {
                let hops = record.hops;
                self.announce(peer, Announced { id, hops });
            }
        }
        for id in step.need.iter().take(self.limits.wanted_max) {
            let id = MessageId::from_bytes(id.to_bytes());
            if !self.archive.contains(&id) && !self.pending.contains_key(&id) {
                self.fetch(peer, id);
            }
        }
        self.pump_fetch(peer);
    }

    fn send_reconcile(
        &mut self,
        peer: NodeId,
        session: u64,
        initiator: bool,
        floor: u64,
        message: &[u8],
    ) {
        let mut body = Vec::with_capacity(FLOOR_LEN + message.len());
        body.extend_from_slice(&floor.to_be_bytes());
        body.extend_from_slice(message);
        if let Ok(body) = BoundedBytes::new(body) {
            self.send_control(
                peer,
                GossipFrame::Reconcile {
                    session,
                    initiator,
                    body,
                },
            );
        }
    }

    /// The second of sending from which on our set has no holes. A tenth less than the retention
    /// window, so that what is asked for is not too old when it comes.
    fn own_floor(&self) -> u64 {
        let window = self.config.retention - self.config.retention / 10;
        let oldest = (self.now.wall - window).as_millis() / 1_000;
        // An author's clock may be ahead; ours bounds how far it can raise the floor.
        self.archive
            .floor()
            .min(self.now.wall.as_millis() / 1_000)
            .max(oldest)
    }

    fn with_window<T>(
        &mut self,
        floor: u64,
        step: impl FnOnce(Negentropy<'_, Window<'_>>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let now = self.now.mono;
        let stale = |snapshot: &Snapshot| now.since(snapshot.made) > SNAPSHOT_AGE;
        if self.reconciler.snapshot.as_ref().is_none_or(stale) {
            let mut items: Vec<Item> = self
                .archive
                .retained()
                .map(|(second, id)| {
                    Item::with_timestamp_and_id(second, Id::from_byte_array(*id.as_bytes()))
                })
                .collect();
            items.sort_unstable();
            self.reconciler.snapshot = Some(Snapshot {
                made: now,
                used: now,
                items,
            });
        }
        let Some(snapshot) = &mut self.reconciler.snapshot else {
            return Err(Error::NotSealed);
        };
        snapshot.used = now;
        let from = snapshot
            .items
            .partition_point(|item| item.timestamp < floor);
        let window = Window(snapshot.items.get(from..).unwrap_or_default());
        step(Negentropy::owned(
            window,
            (RECONCILE_MAX - FLOOR_LEN) as u64,
        )?)
    }
}
