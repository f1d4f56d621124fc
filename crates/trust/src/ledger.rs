use alloc::{collections::VecDeque, string::ToString, vec::Vec};
use core::time::Duration;

use repute_base::{BoundedString, Fixed, Machine, Mono, Timestamp, Wall};
use repute_identity::NodeId;

use crate::{
    Ban, BanReason, By, Carried, Config, ConfigError, Context, Event, Evidence, Explanation, Fault,
    Gate, Input, Level, Limits, Output, Record, Rung, Standing, Write, bans::Bans, clock::Clock,
    hearsay::Hearsay, ladder::Ladder, ladder::Step, limits::LAPSES_PER_INPUT_MAX,
    score::interval_of, suspicions::Suspicions, table::Table,
};

/// Evidence about peers, folded into standings.
///
/// To start from a store: [`restore`](Self::restore) every record, oldest first, then
/// [`restore_ban`](Self::restore_ban) every ban, and drain the outputs; then use.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    table: Table,
    bans: Bans,
    pub(crate) hearsay: Hearsay,
    suspicions: Suspicions,
    /// Of the last record.
    pub(crate) number: u64,
    pub(crate) outputs: VecDeque<Output>,
}

impl Ledger {
    /// An empty ledger.
    ///
    /// # Errors
    /// [`ConfigError`] when the parameters, taken as a whole, cannot be meant.
    pub fn new(config: Config, limits: Limits) -> Result<Self, ConfigError> {
        config.check()?;
        limits.check()?;
        Ok(Self {
            config,
            limits,
            clock: Clock::default(),
            table: Table::default(),
            bans: Bans::default(),
            hearsay: Hearsay::default(),
            suspicions: Suspicions::default(),
            number: 0,
            outputs: VecDeque::new(),
        })
    }

    /// Folds one stored record, oldest first. A record that is not newer than the last of its
    /// subject is ignored. May put out writes that bring the store back within [`Limits`].
    ///
    /// A ban that the records led to stands again, even if it was lost from the store.
    pub fn restore(&mut self, record: &Record) {
        if self
            .table
            .of(&record.subject)
            .is_some_and(|known| record.number <= known.number)
        {
            return;
        }
        self.number = self.number.max(record.number);
        self.clock.restore(record.wall);
        let level = self.state(&record.subject).score.level;
        let step = self.append(record);
        if let Some(ban) = self.closing(record, step, level) {
            if self
                .bans
                .of(&ban.subject)
                .is_none_or(|known| known.since < ban.since)
            {
                self.put_ban(ban, false);
            }
        } else if record.evidence == Evidence::Pardon {
            self.pardon(record);
        }
    }

    /// The ban that `record` led to, when it was folded in about a peer that stood at `level`: the
    /// ladder's, or else that of a criterion of the blacklist.
    fn closing(&mut self, record: &Record, step: Step, level: Level) -> Option<Ban> {
        let (subject, since) = (record.subject, record.wall);
        let filled = self.suspicions.note(&self.config.blacklist, record, level);
        let (rung, until, reason) = match (step, record.evidence, filled) {
            (
                Step::Closed {
                    rung,
                    until,
                    strikes,
                },
                Evidence::Invalid(kind),
                _,
            ) => (rung, until, BanReason::Rule { kind, strikes }),
            (_, _, Some((criterion, count))) => {
                let lasts = self.config.blacklist.lasts;
                let reason = BanReason::Criterion { criterion, count };
                (self.rung_for(Some(lasts)), since + lasts, reason)
            }
            _ => return None,
        };
        // What led here is answered: counting begins anew.
        self.suspicions.forget(&subject);
        let (until, by) = (Some(until), By::Rule);
        Some(Ban {
            subject,
            rung,
            since,
            until,
            reason,
            by,
        })
    }

    fn rung_for(&self, duration: Option<Duration>) -> Rung {
        match duration {
            None => Rung::Permanent,
            Some(duration) if duration <= self.config.ladder.ban_first => Rung::Banned24h,
            Some(_) => Rung::Banned30d,
        }
    }

    /// A stored pardon lifts the ban that the records before it led to.
    fn pardon(&mut self, record: &Record) {
        if self
            .bans
            .of(&record.subject)
            .is_some_and(|known| known.since <= record.wall)
        {
            self.bans.remove(&record.subject);
        }
        self.suspicions.forget(&record.subject);
    }

    /// Takes over one stored ban, after the records.
    pub fn restore_ban(&mut self, ban: &Ban) {
        if ban.rung != Rung::Warned {
            self.clock.restore(ban.since);
            self.put_ban(ban.clone(), true);
        }
    }

    /// Where a peer stands. Reading never changes anything, and sees at most one interval beyond
    /// the last input: hand in [`Input::Tick`] when it is due.
    pub fn standing(&self, subject: NodeId, wall: Wall) -> Standing {
        self.standing_at(subject, self.time(wall))
    }

    /// Ledger time for a reader whose clock shows `wall`. The ends of bans are in this time.
    pub fn time(&self, wall: Wall) -> Wall {
        self.clock
            .read(wall, self.config.interval, self.config.step_max)
    }

    /// Every peer there is evidence about, by id.
    pub fn subjects(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.table.ids()
    }

    /// Every ban in force, by id.
    pub fn bans(&self, wall: Wall) -> impl Iterator<Item = &Ban> {
        let time = self.time(wall);
        self.bans.iter().filter(move |ban| !ban.lapsed(time))
    }

    /// The ban of `subject` that is in force.
    pub fn ban_of(&self, subject: &NodeId, wall: Wall) -> Option<&Ban> {
        let time = self.time(wall);
        self.bans.of(subject).filter(|ban| !ban.lapsed(time))
    }

    /// The last records about a peer, oldest first, at most [`Limits::recent`].
    pub fn recent(&self, subject: NodeId) -> Vec<Record> {
        self.table
            .of(&subject)
            .map(|known| known.recent(subject))
            .unwrap_or_default()
    }

    /// Recomputes a standing from all stored records of a subject, oldest first, and says what
    /// each weighs and whether the result is the score kept in memory, to the last bit.
    pub fn explain(&self, subject: NodeId, records: &[Record], wall: Wall) -> Explanation {
        let at = self.time(wall);
        let about = (subject, Context::Network);
        let prior = self.prior(subject, at);
        let influences = self.hearsay.influences(&self.config, about, at);
        let said = (prior, influences);
        let mut explanation = Explanation::new(&self.config, subject, records, said, at);
        let kept = self.state(&subject);
        explanation.compare(&self.config, kept);
        explanation.standing.gate = self.gate_at(subject, kept, at);
        explanation.ban = self.ban_of(&subject, wall).cloned();
        explanation
    }

    /// The policy in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn state(&self, subject: &NodeId) -> Carried {
        self.table
            .of(subject)
            .map(|known| known.state)
            .unwrap_or_default()
    }

    pub(crate) fn standing_at(&self, subject: NodeId, time: Wall) -> Standing {
        let state = self.state(&subject);
        state.standing(
            &self.config,
            self.prior(subject, time),
            time,
            self.gate_at(subject, state, time),
        )
    }

    /// a_j, the score of what is not known: the same for all until recommendations move it.
    fn prior(&self, subject: NodeId, time: Wall) -> Fixed {
        let about = (subject, Context::Network);
        self.hearsay.prior(&self.config, about, time)
    }

    fn gate_at(&self, subject: NodeId, state: Carried, time: Wall) -> Gate {
        match self.bans.of(&subject).filter(|ban| !ban.lapsed(time)) {
            Some(ban) => ban.gate(),
            None if state.ladder.is_warned(&self.config.ladder, time) => Gate::Warned,
            None => Gate::Open,
        }
    }

    fn observe(&mut self, time: Wall, observed: (NodeId, Context, Evidence, Fault)) {
        let (subject, context, evidence, fault) = observed;
        match evidence {
            Evidence::Pardon => return self.unban(time, subject),
            Evidence::Carried(_) => return,
            _ if context == Context::Recommend => return,
            _ => {}
        }
        if self.bans.of(&subject).is_some() || !self.counts(time, &subject, &evidence, fault) {
            return;
        }
        let before = self.standing_at(subject, time);
        self.number = self.number.saturating_add(1);
        let record = Record {
            number: self.number,
            subject,
            context,
            evidence,
            fault,
            wall: time,
        };
        let level = self.state(&subject).score.level;
        let step = self.append(&record);
        let mut event = None;
        if let Some(ban) = self.closing(&record, step, level) {
            event = self
                .put_ban(ban.clone(), true)
                .then_some(Event::Banned(ban));
        } else if let (Step::Warned, Evidence::Invalid(kind)) = (step, evidence) {
            event = Some(Event::Warned { subject, kind });
        }
        self.announce(subject, time, before, event);
        // Recommendations are about the one score that all of this makes.
        self.judge(time, subject, Context::Network);
    }

    /// Whether evidence is worth a record.
    fn counts(&self, time: Wall, subject: &NodeId, evidence: &Evidence, fault: Fault) -> bool {
        let state = self.state(subject);
        let score = state
            .score
            .at(&self.config, interval_of(&self.config, time));
        let strikes = match evidence {
            Evidence::Invalid(kind) if fault == Fault::Theirs => {
                state.ladder.counts(&self.config.ladder, *kind, time)
            }
            _ => true,
        };
        strikes && score.counts(&self.config, evidence, fault)
    }

    fn ban(
        &mut self,
        time: Wall,
        subject: NodeId,
        duration: Option<Duration>,
        reason: BoundedString<128>,
    ) {
        let before = self.standing_at(subject, time);
        let ban = Ban {
            subject,
            rung: self.rung_for(duration),
            since: time,
            until: duration.map(|duration| time + duration),
            reason: BanReason::Operator(reason),
            by: By::Operator,
        };
        let event = self
            .put_ban(ban.clone(), true)
            .then_some(Event::Banned(ban));
        self.announce(subject, time, before, event);
    }

    /// The operator's words over a ban: it is the operator's from now on, and as old as it was.
    fn edit_ban(
        &mut self,
        time: Wall,
        subject: NodeId,
        reason: Option<BoundedString<128>>,
        duration: Option<Option<Duration>>,
    ) {
        let Some(known) = self.bans.of(&subject).cloned() else {
            return;
        };
        let before = self.standing_at(subject, time);
        let (rung, until) = match duration {
            None => (known.rung, known.until),
            Some(duration) => (
                self.rung_for(duration),
                duration.map(|duration| time + duration),
            ),
        };
        let words = reason.unwrap_or_else(|| match known.reason {
            BanReason::Operator(text) => text,
            rule => BoundedString::truncated(&rule.to_string()),
        });
        let ban = Ban {
            rung,
            until,
            reason: BanReason::Operator(words),
            by: By::Operator,
            ..known
        };
        self.put_ban(ban, true);
        self.announce(subject, time, before, None);
    }

    fn unban(&mut self, time: Wall, subject: NodeId) {
        let before = self.standing_at(subject, time);
        let banned = self.bans.remove(&subject).is_some();
        if banned {
            self.persist(Write::Unban(subject));
        }
        // Without a record of it, records that led to a ban would do so again after a restart.
        let led =
            self.suspicions.is_suspect(&subject) || (banned && self.table.of(&subject).is_some());
        self.suspicions.forget(&subject);
        if led || self.state(&subject).ladder != Ladder::default() {
            self.number = self.number.saturating_add(1);
            self.append(&Record {
                number: self.number,
                subject,
                context: Context::Network,
                evidence: Evidence::Pardon,
                fault: Fault::Ours,
                wall: time,
            });
        }
        self.announce(
            subject,
            time,
            before,
            banned.then_some(Event::Unbanned { subject }),
        );
    }

    /// Folds a record in and keeps store and memory within their limits.
    fn append(&mut self, record: &Record) -> Step {
        let restoring = !self.clock.runs();
        if let Some(gone) = self
            .table
            .make_room(&self.config, &self.limits, &self.bans, record)
        {
            self.persist(Write::Forget(gone));
        }
        let (folded, compacted) = self.table.fold(&self.config, &self.limits, record);
        if !restoring {
            self.persist(Write::Record(*record));
        }
        if let Some(carried) = compacted {
            let (subject, up_to) = (carried.subject, carried.number);
            self.persist(Write::Checkpoint {
                subject,
                up_to,
                record: carried,
            });
        }
        folded.step
    }

    /// Puts a ban in force; when there are too many, the one that ends first goes. False when all
    /// others are the operator's: a rule displaces none of those.
    fn put_ban(&mut self, ban: Ban, stored: bool) -> bool {
        if self.bans.of(&ban.subject).is_none() {
            while self.bans.len() >= self.limits.bans {
                let Some((by, least)) = self.bans.least() else {
                    return false;
                };
                if by > ban.by {
                    return false;
                }
                self.release(least, ban.since);
            }
        }
        if stored && self.clock.runs() {
            self.persist(Write::Ban(ban.clone()));
        }
        self.bans.insert(ban, stored);
        true
    }

    /// Lets bans lapse that are over, that of `subject` in any case.
    fn lapse(&mut self, time: Wall, subject: Option<NodeId>) {
        let over = |ban: &Ban| ban.lapsed(time);
        if let Some(subject) = subject.filter(|subject| self.bans.of(subject).is_some_and(over)) {
            self.release(subject, time);
        }
        for _ in 0..LAPSES_PER_INPUT_MAX {
            let Some(subject) = self.bans.lapsed(time) else {
                return;
            };
            self.release(subject, time);
        }
    }

    fn release(&mut self, subject: NodeId, time: Wall) {
        // A ban found again among old records, and over since, was announced long ago.
        if let Some((_, true)) = self.bans.remove(&subject) {
            self.persist(Write::Unban(subject));
            let standing = self.standing_at(subject, time);
            self.outputs
                .push_back(Output::Standing { subject, standing });
            self.outputs
                .push_back(Output::Event(Event::Unbanned { subject }));
        }
    }

    pub(crate) fn persist(&mut self, write: Write) {
        self.outputs.push_back(Output::Persist(write));
    }

    /// Tells what changed.
    pub(crate) fn announce(
        &mut self,
        subject: NodeId,
        time: Wall,
        before: Standing,
        event: Option<Event>,
    ) {
        let standing = self.standing_at(subject, time);
        if standing != before {
            self.outputs
                .push_back(Output::Standing { subject, standing });
        }
        let (from, to) = (before.level, standing.level);
        if from != to {
            self.outputs
                .push_back(Output::Event(Event::LevelChanged { subject, from, to }));
        }
        self.outputs.extend(event.map(Output::Event));
    }
}

impl Machine for Ledger {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        // What restoring put out may still wait for the first input.
        debug_assert!(
            self.outputs.is_empty() || !self.clock.runs(),
            "drain the outputs before the next input"
        );
        let time = self.clock.advance(now, self.config.step_max);
        let subject = match &input {
            Input::Observe { subject, .. }
            | Input::Ban { subject, .. }
            | Input::EditBan { subject, .. }
            | Input::Unban { subject } => Some(*subject),
            _ => None,
        };
        self.lapse(time, subject);
        match input {
            Input::Observe {
                subject,
                context,
                evidence,
                fault,
            } => {
                self.observe(time, (subject, context, evidence, fault));
            }
            Input::Ban {
                subject,
                duration,
                reason,
            } => self.ban(time, subject, duration, reason),
            Input::EditBan {
                subject,
                reason,
                duration,
            } => self.edit_ban(time, subject, reason, duration),
            Input::Unban { subject } => self.unban(time, subject),
            Input::Recommended {
                source,
                opinion,
                footing,
            } => self.hear(time, source, opinion, Some(footing), None),
            Input::Recommend {
                me,
                opinion,
                reason,
                signed,
            } => self.hear(time, me, opinion, None, Some((reason, signed))),
            Input::Footing { source, footing } => self.stands(time, source, footing),
            Input::Withdraw { source } => self.withdraw(time, source),
            Input::Readmit { source } => self.readmit(source),
            Input::Tick => self.sweep_hearsay(time),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Once an interval, so that readers see time pass, and when a ban lapses.
    fn next_deadline(&self) -> Option<Mono> {
        if !self.clock.runs()
            || (self.table.is_empty() && self.bans.len() == 0 && self.hearsay.is_empty())
        {
            return None;
        }
        let seen = self.clock.seen();
        let interval = self.config.interval;
        let wait = self.bans.next_end().map_or(interval, |end| {
            // Never at once: ledger time may go at half speed.
            end.since(self.time(Wall::ZERO))
                .clamp(Duration::from_secs(1), interval)
        });
        Some(seen + wait)
    }
}
