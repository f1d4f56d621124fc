use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use core::net::Ipv4Addr;
use repute_base::{Address, BoundedVec, Mono, Rng, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Contact, DhtAnswer, DhtAsk, DhtFrame, Envelope, Frame, MessageId, RecordKey, RecordList,
    Stored,
    limits::{CONTACTS_MAX, RECORD_LIST_MAX},
};
use repute_sim::{Outbox, Seat};

use super::{
    kad::Word,
    poison::{Flaw, any_to_keep, bad},
    stock::{contact, distance, id_near},
};

/// How a hostile node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Conduct {
    /// Takes links and answers nothing.
    Silent,
    /// Names nodes next to the place asked for that do not exist.
    Invents,
    /// Names only its accomplices, those closest to the place.
    Colludes,
    /// The same, and gives bad records and asks others to keep them.
    Poisons,
}

impl Conduct {
    pub(super) const ALL: [Self; 4] = [Self::Silent, Self::Invents, Self::Colludes, Self::Poisons];
}

/// Nodes that work together.
#[derive(Default)]
pub(super) struct Gang {
    pub(super) members: Vec<(NodeId, Address)>,
    /// Whom they knock at, all the time.
    pub(super) victim: Option<(NodeId, Address)>,
    /// Whom those who poison ask to keep bad records.
    pub(super) targets: Vec<(NodeId, Address)>,
    /// Bad records that a poisoner asks others to keep, each time.
    pub(super) dose: usize,
    /// Records that were replaced since, by where they are.
    pub(super) stale: BTreeMap<RecordKey, Envelope>,
    bad: BTreeSet<MessageId>,
    /// Bad records sent, by what is wrong with them: to be kept, and as answers.
    pub(super) sent: BTreeMap<Flaw, u64>,
    pub(super) answers: BTreeMap<Conduct, u64>,
    count: u64,
}

impl Gang {
    pub(super) fn is_bad(&self, record: &MessageId) -> bool {
        self.bad.contains(record)
    }

    /// Accomplices closest to a place.
    fn closest(&self, place: &[u8; 32]) -> Vec<Contact> {
        let mut all: Vec<_> = self
            .members
            .iter()
            .map(|one| (distance(&one.0, place), one))
            .collect();
        let few = CONTACTS_MAX.min(all.len());
        if few > 0 && few < all.len() {
            all.select_nth_unstable(few - 1);
        }
        all.truncate(few);
        all.sort_unstable();
        all.into_iter()
            .map(|(_, (id, address))| contact(*id, *address))
            .collect()
    }

    fn poison(&mut self, flaw: Flaw, who: &Identity, at: Timestamp) -> Option<Envelope> {
        self.count += 1;
        let envelope = bad(flaw, who, self.count, at.wall)?;
        // Elsewhere it is good.
        if flaw != Flaw::WrongKey {
            self.bad.insert(envelope.id());
        }
        *self.sent.entry(flaw).or_default() += 1;
        Some(envelope)
    }

    pub(super) fn sent_all(&self) -> u64 {
        self.sent.values().sum()
    }
}

/// A hostile node.
#[derive(Clone)]
pub(super) struct Liar {
    conduct: Conduct,
    identity: Option<Identity>,
    who: u64,
    me: NodeId,
    pub(super) links: BTreeSet<NodeId>,
    rng: Rng,
    /// How often it acts by itself, if it does.
    pause: Option<Duration>,
    next: Mono,
    number: u64,
}

impl Liar {
    pub(super) fn new(conduct: Conduct, who: u64, seat: &Seat) -> Self {
        Self {
            conduct,
            identity: None,
            who,
            me: seat.id,
            links: BTreeSet::new(),
            rng: seat.rng.clone(),
            pause: None,
            next: Mono::ZERO,
            number: 0,
        }
    }

    /// One that also acts by itself this often: knocks at the victim's door, hands out poison.
    pub(super) const fn acting(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    pub(super) fn next_deadline(&self) -> Option<Mono> {
        self.pause.map(|_| self.next)
    }

    fn identity(&mut self) -> Identity {
        let who = self.who;
        self.identity
            .get_or_insert_with(|| Identity::from_seed(who))
            .clone()
    }

    /// Its turn to act by itself.
    pub(super) fn act(&mut self, now: Timestamp, gang: &Rc<RefCell<Gang>>, out: &mut Outbox<Word>) {
        let Some(pause) = self.pause else { return };
        self.next = now.mono + self.rng.jitter(pause, 20);
        let victim = gang.borrow().victim;
        if let Some((id, address)) = victim.filter(|(id, _)| !self.links.contains(id)) {
            out.dial(address, Some(id));
        }
        if self.conduct != Conduct::Poisons {
            return;
        }
        let target = self.rng.choose(&gang.borrow().targets).copied();
        let Some((peer, address)) = target else {
            return;
        };
        if !self.links.contains(&peer) {
            // The poison follows another time.
            return out.dial(address, Some(peer));
        }
        let identity = self.identity();
        let (mut gang, mut records) = (gang.borrow_mut(), RecordList::default());
        for _ in 0..gang.dose.min(RECORD_LIST_MAX) {
            let flaw = any_to_keep(&mut self.rng);
            if let Some(envelope) = gang.poison(flaw, &identity, now) {
                records.push(&envelope);
            }
        }
        let stale: Vec<Envelope> = gang.stale.values().cloned().collect();
        if let Some(stale) = self.rng.choose(&stale) {
            *gang.sent.entry(Flaw::Stale).or_default() += u64::from(records.push(stale));
        }
        self.number += 1;
        let ask = DhtAsk::Store { records };
        let number = self.number;
        send(out, peer, DhtFrame::Request { number, ask });
    }

    /// What it answers.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        peer: NodeId,
        frame: DhtFrame,
        gang: &Rc<RefCell<Gang>>,
        out: &mut Outbox<Word>,
    ) {
        let DhtFrame::Request { number, ask } = frame else {
            return;
        };
        *gang.borrow_mut().answers.entry(self.conduct).or_default() += 1;
        if self.conduct == Conduct::Silent {
            return;
        }
        let answer = match ask {
            DhtAsk::Contacts { target, .. } => DhtAnswer::Contacts {
                contacts: BoundedVec::truncated(self.named(&target, gang)),
            },
            DhtAsk::Records { key, .. } => DhtAnswer::Records {
                records: self.records(now, &key, gang),
                more: self.conduct == Conduct::Poisons,
                contacts: BoundedVec::truncated(self.named(&key, gang)),
            },
            // It promises, and keeps nothing.
            DhtAsk::Store { records } => DhtAnswer::Stored {
                outcomes: BoundedVec::truncated(records.iter().map(|_| Stored::Kept)),
            },
        };
        send(out, peer, DhtFrame::Answer { number, answer });
    }

    fn named(&mut self, place: &RecordKey, gang: &Rc<RefCell<Gang>>) -> Vec<Contact> {
        if self.conduct != Conduct::Invents {
            let mut named = gang.borrow().closest(place.as_bytes());
            named.retain(|contact| contact.id != self.me);
            return named;
        }
        let invent = |_| {
            let id = id_near(place.as_bytes(), 40, &mut self.rng);
            let [a, b, c, d, ..] = self.rng.next_u64().to_le_bytes();
            // Nobody is there: the last part of an address of the simulation is never zero.
            let host = Ipv4Addr::new(a % 90 + 11, b, c, 0);
            contact(id, Address::new((host, u16::from(d) + 1).into()))
        };
        (0..CONTACTS_MAX).map(invent).collect()
    }

    fn records(&mut self, now: Timestamp, key: &RecordKey, gang: &Rc<RefCell<Gang>>) -> RecordList {
        let mut records = RecordList::default();
        if self.conduct != Conduct::Poisons {
            return records;
        }
        let identity = self.identity();
        let mut gang = gang.borrow_mut();
        let stale = gang.stale.get(key).cloned();
        if let Some(stale) = stale.filter(|_| self.rng.chance(1, 2)) {
            *gang.sent.entry(Flaw::Stale).or_default() += u64::from(records.push(&stale));
        }
        let flaw = self.rng.choose(&Flaw::ALL).copied();
        let flaw = flaw.filter(|flaw| *flaw != Flaw::Stale);
        if let Some(flaw) = flaw
            && let Some(envelope) = gang.poison(flaw, &identity, now)
        {
            records.push(&envelope);
        }
        records
    }
}

fn send(out: &mut Outbox<Word>, peer: NodeId, frame: DhtFrame) {
    out.send(peer, Word::Frame(Frame::Dht(Box::new(frame)).encode()));
}
