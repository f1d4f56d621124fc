//! The ledger, its store, and restarts in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use repute_base::{BoundedString, Fixed, Machine, Timestamp};
use repute_identity::NodeId;
use repute_node::trust::{
    Ban, By, Config, Context, Event, Evidence, Fault, Input, Ledger, Limits, Output, Record, Rung,
    Write,
};
use repute_protocol::Misbehaviour;

use super::{
    cast::{hostile, id, is_honest, peer},
    reader::{Clock, OPERATIONS_MAX, Reader, Timers, drain},
};

struct World {
    ledger: Ledger,
    clock: Clock,
    records: BTreeMap<NodeId, Vec<Record>>,
    bans: BTreeMap<NodeId, Ban>,
    /// Whom the operator ever banned.
    by_operator: BTreeSet<NodeId>,
}

fn limits() -> Limits {
    Limits {
        subjects: 6,
        bans: 3,
        recent: 4,
        records: 8,
        ..Limits::default()
    }
}

fn ledger() -> Ledger {
    Ledger::new(Config::default(), limits()).unwrap()
}

pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let mut world = World {
        ledger: ledger(),
        clock: Clock::new(),
        records: BTreeMap::new(),
        bans: BTreeMap::new(),
        by_operator: BTreeSet::new(),
    };
    for nth in 1..=OPERATIONS_MAX {
        if reader.is_empty() {
            break;
        }
        let now = world.clock.step(&mut reader);
        world.operate(&mut reader, now);
        // Explaining everybody costs more than all operations.
        if nth % 8 == 0 {
            world.check();
        }
    }
    world.check();
}

impl World {
    fn operate(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        match reader.byte() % 16 {
            0..=3 => {
                // What happens with anybody.
                let evidence = if reader.flag() {
                    Evidence::Useful
                } else {
                    Evidence::Timeout
                };
                self.observe(now, peer(reader), evidence, Fault::Theirs);
            }
            4 | 5 => {
                let evidence = Evidence::Invalid(misbehaviour(reader));
                let fault = [Fault::Ours, Fault::Network][usize::from(reader.byte() % 2)];
                self.observe(now, peer(reader), evidence, fault);
            }
            6..=10 => {
                let evidence = Evidence::Invalid(misbehaviour(reader));
                self.observe(now, hostile(reader), evidence, Fault::Theirs);
            }
            11 => {
                let subject = id(peer(reader));
                self.by_operator.insert(subject);
                let duration = reader
                    .flag()
                    .then(|| Duration::from_millis(reader.wide() >> 1));
                let reason = BoundedString::truncated("asked for");
                let ban = Input::Ban {
                    subject,
                    duration,
                    reason,
                };
                self.give(now, ban);
            }
            12 => {
                let subject = id(peer(reader));
                self.give(now, Input::Unban { subject });
            }
            13 => self.restart(),
            14 => self.give(now, Input::Tick),
            _ => self.serve_timers(reader),
        }
    }

    fn observe(&mut self, now: Timestamp, subject: u8, evidence: Evidence, fault: Fault) {
        let observed = Input::Observe {
            subject: id(subject),
            context: Context::Network,
            evidence,
            fault,
        };
        self.give(now, observed);
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        self.ledger.handle(now, input);
        self.settle();
    }

    fn serve_timers(&mut self, reader: &mut Reader<'_>) {
        let mut timers = Timers::new(&self.clock, reader);
        loop {
            let next = self.ledger.next_deadline().map(|at| at.as_millis());
            if !timers.advance(&mut self.clock, next) {
                return;
            }
            self.give(self.clock.now(), Input::Tick);
        }
    }

    /// Does what the ledger asks of its store.
    fn settle(&mut self) {
        for output in drain(&mut self.ledger) {
            match output {
                Output::Persist(write) => self.store(write),
                Output::Event(Event::Banned(ban)) => self.judge(&ban),
                Output::Event(Event::Warned { subject, .. }) => assert!(!is_honest(&subject)),
                _ => {}
            }
        }
    }

    fn judge(&self, ban: &Ban) {
        match ban.by {
            By::Operator => assert!(self.by_operator.contains(&ban.subject)),
            _ => {
                assert!(!is_honest(&ban.subject), "{ban:?}");
                assert_ne!(ban.rung, Rung::Permanent, "{ban:?}");
                assert!(ban.until.is_some());
            }
        }
    }

    fn store(&mut self, write: Write) {
        match write {
            Write::Record(record) => self.records.entry(record.subject).or_default().push(record),
            Write::Checkpoint {
                subject,
                up_to,
                record,
            } => {
                assert_eq!((record.subject, record.number), (subject, up_to));
                let records = self.records.entry(subject).or_default();
                records.retain(|old| old.number > up_to);
                records.insert(0, record);
            }
            Write::Forget(subject) => drop(self.records.remove(&subject)),
            Write::Ban(ban) => drop(self.bans.insert(ban.subject, ban)),
            Write::Unban(subject) => drop(self.bans.remove(&subject)),
            _ => {}
        }
    }

    /// The process ends and begins again with what was stored.
    fn restart(&mut self) {
        let mut all: Vec<Record> = self.records.values().flatten().copied().collect();
        all.sort_by_key(|record| record.number);
        self.ledger = ledger();
        for record in all {
            let stored = Record::from_bytes(&record.to_bytes());
            self.ledger.restore(&stored.unwrap());
        }
        for ban in self.bans.values() {
            let stored = Ban::from_bytes(&ban.to_bytes());
            self.ledger.restore_ban(&stored.unwrap());
        }
        self.settle();
        let next_wall = self.clock.now();
        self.give(next_wall, Input::Tick);
    }

    fn check(&self) {
        let wall = self.clock.now().wall;
        let one = Fixed::from_int(1);
        let subjects: Vec<NodeId> = self.ledger.subjects().collect();
        // Those whose ban stands are never forgotten for lack of room.
        assert!(subjects.len() <= limits().subjects + limits().bans);
        assert!(self.ledger.bans(wall).count() <= limits().bans);
        for subject in subjects {
            let records = self.records.get(&subject).map_or(&[][..], Vec::as_slice);
            assert!(
                records.len() <= limits().records as usize + 1,
                "{records:?}"
            );
            let explained = self.ledger.explain(subject, records, wall);
            assert!(explained.matches, "{explained:?}");
            let standing = self.ledger.standing(subject, wall);
            for part in [standing.trust, standing.belief, standing.uncertainty] {
                assert!((Fixed::ZERO..=one).contains(&part), "{standing:?}");
            }
            if is_honest(&subject) && !self.by_operator.contains(&subject) {
                assert!(!standing.gate.is_closed(), "{standing:?}");
            }
        }
    }
}

fn misbehaviour(reader: &mut Reader<'_>) -> Misbehaviour {
    Misbehaviour::ALL[usize::from(reader.byte()) % Misbehaviour::ALL.len()]
}
