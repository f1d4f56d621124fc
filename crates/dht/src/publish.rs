//! Records of our own: signed, put, and again after a third of their lifetime.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

use bytes::Bytes;
use repute_base::{Mono, Wall};
use repute_protocol::{Envelope, Record, RecordError, RecordKey, RecordKind, Verified};

use crate::{Dht, Draft, Event, Limits, Output, Refusal, put::Why};

/// Which of our records: kind, name, slot.
pub(crate) type Name = (RecordKind, Bytes, u8);

/// So much less than the longest lifetime: a signature is made a moment after its record.
const LIFETIME_MARGIN: Duration = Duration::from_secs(60);
/// The first pause before a record that nobody took is put again; doubles each time.
const RETRY_MS: u64 = 5_000;
/// After this many retries it waits for its next signature.
const RETRIES_MAX: u32 = 8;
/// A signature that did not come is asked for again.
const SIGN_WAIT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
struct Publication {
    /// Given back when it was put for the first time.
    token: Option<u64>,
    draft: Draft,
    /// When to sign or put it next.
    due: Mono,
    /// The request to sign that is under way.
    signing: Option<u64>,
    /// What was signed last, until when it is put as it is, and how often nobody took it.
    signed: Option<(Verified<Envelope>, Mono, u32)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Publications {
    all: BTreeMap<Name, Publication>,
    due: BTreeSet<(Mono, Name)>,
    signing: BTreeMap<u64, Name>,
}

impl Publications {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    fn schedule(&mut self, name: &Name, at: Mono) {
        if let Some(one) = self.all.get_mut(name) {
            self.due.remove(&(one.due, name.clone()));
            one.due = at;
            self.due.insert((at, name.clone()));
        }
    }

    fn remove(&mut self, name: &Name) -> Option<Publication> {
        let one = self.all.remove(name)?;
        self.due.remove(&(one.due, name.clone()));
        if let Some(token) = one.signing {
            self.signing.remove(&token);
        }
        Some(one)
    }
}

impl Dht {
    pub(crate) fn on_publish(&mut self, token: u64, draft: Draft) {
        let name = (draft.kind, draft.name.bytes().clone(), draft.slot);
        let full = self.publications.len() >= self.limits.publications_max
            && !self.publications.all.contains_key(&name);
        let refusal = if self.stopping {
            Some(Refusal::Stopping)
        } else if draft.value.len() > draft.kind.value_max() {
            Some(Refusal::Invalid(RecordError::Oversized))
        } else if draft.slot >= draft.kind.slots() || draft.lifetime.is_zero() {
            Some(Refusal::Invalid(RecordError::Contradictory))
        } else if full {
            Some(Refusal::TooMany)
        } else {
            None
        };
        if let Some(reason) = refusal {
            return self.emit(Output::Event(Event::Refused { token, reason }));
        }
        let at = self.now.mono + self.pause_before(&draft);
        self.publications.remove(&name);
        let publication = Publication {
            token: Some(token),
            draft,
            due: at,
            signing: None,
            signed: None,
        };
        self.publications.all.insert(name.clone(), publication);
        self.publications.schedule(&name, at);
        self.publish_due();
    }

    pub(crate) fn on_retract(&mut self, name: &Name) {
        self.publications.remove(name);
    }

    /// How long to wait before an advertisement may replace the one before.
    fn pause_before(&self, draft: &Draft) -> Duration {
        if draft.kind != RecordKind::Advertisement {
            return Duration::ZERO;
        }
        let key = RecordKey::of(draft.kind, &self.me, &draft.name);
        let last = self.store.last_sent(&key, &self.me, draft.slot);
        let since = last.map(|sent| self.now.wall.since(sent));
        // A second more, for whoever rounds.
        let pause = Limits::ADVERTISEMENT_PAUSE + Duration::from_secs(1);
        since.map_or(Duration::ZERO, |since| pause.saturating_sub(since))
    }

    /// Signs, or puts again, whatever it is time for.
    pub(crate) fn publish_due(&mut self) {
        while let Some((_, name)) = self
            .publications
            .due
            .first()
            .filter(|(at, _)| *at <= self.now.mono && !self.stopping)
            .cloned()
        {
            let now = self.now.mono;
            let Some(one) = self.publications.all.get_mut(&name) else {
                self.publications.due.pop_first();
                continue;
            };
            let again = one.signed.as_ref().filter(|(_, until, _)| *until > now);
            if let Some((envelope, until, _)) = again.cloned() {
                self.publications.schedule(&name, until);
                self.put_own(name, envelope);
                continue;
            }
            self.publications.schedule(&name, now + SIGN_WAIT);
            self.sign(&name);
        }
    }

    fn sign(&mut self, name: &Name) {
        let token = self.next_number();
        let Some(one) = self.publications.all.get_mut(name) else {
            return;
        };
        let expires: Wall = self.now.wall + lifetime(&one.draft);
        let record = Record {
            kind: one.draft.kind.number(),
            slot: one.draft.slot,
            expires: expires.as_millis(),
            name: one.draft.name.clone(),
            value: one.draft.value.clone(),
        };
        if let Some(before) = one.signing.replace(token) {
            self.publications.signing.remove(&before);
        }
        self.publications.signing.insert(token, name.clone());
        let payload: Vec<u8> = record.encode();
        self.emit(Output::Sign { token, payload });
    }

    pub(crate) fn on_signed(&mut self, token: u64, envelope: Verified<Envelope>) {
        let now = self.now.mono;
        let Some(name) = self.publications.signing.remove(&token) else {
            return;
        };
        let Some(one) = self.publications.all.get_mut(&name) else {
            return;
        };
        one.signing = None;
        match Record::file(&envelope, self.now.wall) {
            Ok(filed) => {
                let until = now + pause(&one.draft);
                one.signed = Some((envelope.clone(), until, 0));
                self.publications.schedule(&name, until);
                self.keep(self.me, &envelope, &filed);
                self.put_own(name, envelope);
            }
            Err(error) => {
                let gone = self.publications.remove(&name);
                if let Some(token) = gone.and_then(|one| one.token) {
                    let reason = Refusal::Invalid(error);
                    self.emit(Output::Event(Event::Refused { token, reason }));
                }
            }
        }
    }

    fn put_own(&mut self, name: Name, envelope: Verified<Envelope>) {
        let (kind, text, _) = &name;
        let key = RecordKey::of(*kind, &self.me, text);
        self.put(key, alloc::vec![envelope], Why::Publication(name));
    }

    pub(crate) fn on_published(&mut self, name: &Name, key: RecordKey, copies: usize, away: usize) {
        let expected = self.config.k.min(self.table.len());
        let now = self.now.mono;
        let Some(one) = self.publications.all.get_mut(name) else {
            return;
        };
        let token = one.token.take();
        // Too few took it: there were too few, or the network was down.
        let missed = away == 0 || away < expected / 2;
        let retry = one.signed.as_mut().filter(|_| missed);
        if let Some((_, until, retries)) = retry
            && *retries < RETRIES_MAX
        {
            let pause = Duration::from_millis(RETRY_MS << *retries);
            *retries += 1;
            let at = (now + pause).min(*until);
            self.publications.schedule(name, at);
        }
        if let Some(token) = token {
            self.emit(Output::Event(Event::Published { token, key, copies }));
        }
    }
}

/// A third of the lifetime; no shorter than what an advertisement must wait.
fn pause(draft: &Draft) -> Duration {
    let least = match draft.kind {
        RecordKind::Advertisement => Limits::ADVERTISEMENT_PAUSE + Duration::from_secs(1),
        _ => Duration::from_secs(1),
    };
    (lifetime(draft) / 3).max(least)
}

fn lifetime(draft: &Draft) -> Duration {
    let longest = draft.kind.lifetime_max().saturating_sub(LIFETIME_MARGIN);
    draft.lifetime.min(longest)
}
