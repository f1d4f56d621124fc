use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Mono, Wall};
use repute_identity::NodeId;
use repute_protocol::{Envelope, Filed, MessageId, Record, RecordKind, Verified};

use crate::{Limits, diversity::Group, store::Arrival};

/// In this time, haste is counted.
const HASTE_WINDOW_MS: u64 = 3_600_000;

/// When holders put a record again: the first of them after most of the interval; the others see
/// that and need not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) now: Mono,
    pub(crate) interval: Duration,
    /// Thousandths of the interval.
    pub(crate) share: u32,
}

impl Pace {
    /// What lives so short that it would be put more often, its author puts in time or nobody.
    const LEAST: Duration = Duration::from_secs(60);

    /// A third of the lifetime, in which the author should have published it anew, or less.
    fn due(&self, lifetime: Duration) -> Mono {
        let interval = self.interval.min(lifetime / 3);
        self.now + (interval / 1_000 * self.share).max(Self::LEAST)
    }
}

/// A record that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) envelope: Verified<Envelope>,
    pub(crate) kind: RecordKind,
    pub(crate) author: NodeId,
    pub(crate) expires: Wall,
    /// Who brought it.
    pub(crate) sender: NodeId,
    pub(crate) group: Option<Group>,
    pub(crate) own: bool,
    /// When to put it again unless somebody else does.
    pub(crate) due: Mono,
    /// What its author would have replaced it by too soon, each once however often it is put; and
    /// since when.
    hasty: (Vec<MessageId>, Wall),
}

impl Held {
    pub(crate) fn new(
        filed: &Filed,
        envelope: &Verified<Envelope>,
        arrival: &Arrival,
        own: bool,
        before: Option<&Self>,
    ) -> Self {
        let mut held = Self {
            // It came in a chunk with others, which it must not keep alive.
            envelope: envelope.detached(),
            kind: filed.kind,
            author: filed.author,
            expires: filed.expires,
            sender: arrival.sender,
            group: arrival.group,
            own,
            due: Mono::MAX,
            hasty: before.map_or((Vec::new(), Wall::ZERO), |before| before.hasty.clone()),
        };
        held.put_off(Some(arrival.pace));
        held
    }

    pub(crate) fn len(&self) -> usize {
        self.envelope.wire().len()
    }

    pub(crate) fn is_copy(&self, envelope: &Envelope) -> bool {
        self.envelope.id() == envelope.id() && self.envelope.wire() == envelope.wire()
    }

    /// Its author looks after its own.
    pub(crate) fn put_off(&mut self, pace: Option<Pace>) {
        let lifetime = self.expires.since(self.envelope.sent());
        let due = pace.filter(|_| !self.own).map(|pace| pace.due(lifetime));
        self.due = due.unwrap_or(Mono::MAX);
    }

    /// Whether its author says something else within a minute.
    pub(crate) fn is_hasty_after(&self, filed: &Filed, envelope: &Envelope) -> bool {
        let pause = envelope.sent().since(self.envelope.sent());
        self.kind == RecordKind::Advertisement
            && pause < Limits::ADVERTISEMENT_PAUSE
            && Record::file(&self.envelope, self.envelope.sent())
                .is_ok_and(|held| held.record.value != filed.record.value)
    }

    /// Its author was hasty with this record; says whether that is one too many, beyond `max`.
    pub(crate) fn is_one_too_many(&mut self, hasty: MessageId, now: Wall, max: u8) -> bool {
        let (seen, since) = &mut self.hasty;
        if now.as_millis().abs_diff(since.as_millis()) > HASTE_WINDOW_MS {
            seen.clear();
            *since = now;
        }
        // Its author, or anybody else, puts the same record again and again.
        if seen.contains(&hasty) {
            return false;
        }
        if seen.len() <= usize::from(max) {
            seen.push(hasty);
        }
        seen.len() > usize::from(max)
    }
}
