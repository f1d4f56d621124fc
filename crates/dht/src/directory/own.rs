//! What this node offers itself.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{BoundedBytes, Mono, Timestamp, Wall};
use repute_protocol::{
    Advertisement, Envelope, Verified,
    limits::{RECORD_VALUE_MAX, SERVICE_KEY_MAX, SLOTS_MAX},
};

use super::{DirectoryError, DirectoryLimits, OwnAdvertisement};

type Key = BoundedBytes<SERVICE_KEY_MAX>;

/// One place for each key, and the signatures under way.
#[derive(Debug, Default)]
pub(super) struct Own {
    slots: BTreeMap<u8, Slot>,
    signing: BTreeMap<u64, Signing>,
    next_token: u64,
    /// Goes up with each change of a place, so that a late signature is known as such.
    editions: u64,
}

/// What was said for one key. It stays for a minute after it was taken back.
#[derive(Debug)]
pub(super) struct Slot {
    key: Key,
    /// When it was signed last.
    said: Timestamp,
    edition: u64,
    pub(super) live: Option<Live>,
}

/// What is offered now.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) advertisement: Advertisement,
    pub(super) value: BoundedBytes<RECORD_VALUE_MAX>,
    pub(super) lifetime: Duration,
    renew: Mono,
    pub(super) signed: Option<(Verified<Envelope>, Wall)>,
}

/// What a signature under way is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signing {
    /// An offer; of the caller's request, or renewed.
    Offer {
        slot: u8,
        edition: u64,
        expires: Wall,
        token: Option<u64>,
    },
    /// It takes an offer back: told to everybody, or in the DHT alone.
    Farewell { told: bool },
}

impl Own {
    pub(super) fn iter(&self) -> impl Iterator<Item = OwnAdvertisement<'_>> {
        self.slots.iter().filter_map(|(slot, one)| {
            let live = one.live.as_ref()?;
            Some(OwnAdvertisement {
                slot: *slot,
                advertisement: &live.advertisement,
                lifetime: live.lifetime,
                expires: live.signed.as_ref().map(|(_, expires)| *expires),
            })
        })
    }

    /// The newest signed record of each key.
    pub(super) fn records(&self) -> impl Iterator<Item = &Verified<Envelope>> {
        let live = self.slots.values().filter_map(|slot| slot.live.as_ref());
        live.filter_map(|live| live.signed.as_ref().map(|(envelope, _)| envelope))
    }

    pub(super) fn next_renewal(&self) -> Option<Mono> {
        let live = self.slots.values().filter_map(|slot| slot.live.as_ref());
        live.map(|live| live.renew).min()
    }

    /// The place for a key, if it may be advertised now.
    pub(super) fn place(&mut self, now: Timestamp, key: &Key) -> Result<u8, DirectoryError> {
        let known = self.slots.iter().find(|(_, slot)| slot.key == *key);
        if let Some((place, slot)) = known {
            let wait = slot.wait(now);
            return match wait.is_zero() {
                true => Ok(*place),
                false => Err(DirectoryError::TooSoon { wait }),
            };
        }
        self.slots
            .retain(|_, slot| slot.live.is_some() || !slot.wait(now).is_zero());
        let free = (0..SLOTS_MAX).find(|place| !self.slots.contains_key(place));
        free.ok_or(DirectoryError::KeysFull)
    }

    /// Offers something in a place, and gives back what was offered there.
    pub(super) fn put(&mut self, now: Timestamp, place: u8, live: Live) -> Option<Live> {
        let key = live.advertisement.key.clone();
        let former = self.slots.remove(&place);
        self.editions += 1;
        let slot = Slot {
            key,
            said: now,
            edition: self.editions,
            live: Some(live),
        };
        self.slots.insert(place, slot);
        former.and_then(|slot| slot.live)
    }

    /// Takes back what is offered for a key, or everything.
    pub(super) fn take_back(&mut self, key: Option<&Key>) -> Vec<(u8, Live)> {
        let mut taken = Vec::new();
        for (place, slot) in &mut self.slots {
            if key.is_none_or(|key| slot.key == *key)
                && let Some(live) = slot.live.take()
            {
                taken.push((*place, live));
            }
        }
        taken
    }

    /// Whose turn it is to be signed again.
    pub(super) fn due(&self, now: Mono) -> Vec<u8> {
        let live = |slot: &Slot| slot.live.as_ref().is_some_and(|live| live.renew <= now);
        let due = self.slots.iter().filter(|(_, slot)| live(slot));
        due.map(|(place, _)| *place).collect()
    }

    /// Begins to sign the offer in a place: what to sign, for how long, under which number.
    pub(super) fn begin(
        &mut self,
        now: Timestamp,
        place: u8,
        token: Option<u64>,
    ) -> Option<(u64, BoundedBytes<RECORD_VALUE_MAX>, Wall)> {
        let slot = self.slots.get_mut(&place)?;
        let live = slot.live.as_mut()?;
        slot.said = now;
        live.renew = now.mono + live.lifetime / 3;
        let (value, expires) = (live.value.clone(), now.wall + live.lifetime);
        let signing = Signing::Offer {
            slot: place,
            edition: slot.edition,
            expires,
            token,
        };
        Some((self.sign(signing), value, expires))
    }

    /// A number for a signature. The oldest is given up when there are too many.
    pub(super) fn sign(&mut self, signing: Signing) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.signing.insert(token, signing);
        if self.signing.len() > DirectoryLimits::SIGNING_MAX {
            self.signing.pop_first();
        }
        token
    }

    pub(super) fn signed(&mut self, token: u64) -> Option<Signing> {
        self.signing.remove(&token)
    }

    /// The offer in a place, if it is still the one that was signed.
    pub(super) fn live(&mut self, place: u8, edition: u64) -> Option<&mut Live> {
        let slot = self.slots.get_mut(&place)?;
        slot.live.as_mut().filter(|_| slot.edition == edition)
    }
}

impl Slot {
    /// How long until it may be said anew. By both clocks: the date is what others judge by.
    fn wait(&self, now: Timestamp) -> Duration {
        let pause = DirectoryLimits::PAUSE;
        let back = self.said.wall.since(now.wall);
        let by_date = match back > DirectoryLimits::CLOCK_BACK_MAX {
            true => Duration::ZERO,
            false => (self.said.wall + pause).since(now.wall),
        };
        by_date.max((self.said.mono + pause).since(now.mono))
    }
}

impl Live {
    /// Checks what others would refuse.
    pub(super) fn new(
        now: Mono,
        advertisement: Advertisement,
        lifetime: Duration,
    ) -> Result<Self, DirectoryError> {
        if advertisement.services.is_empty() {
            return Err(DirectoryError::NoService);
        }
        if advertisement.amount_min > advertisement.amount_max {
            return Err(DirectoryError::Amounts);
        }
        if !advertisement.is_sound() {
            return Err(DirectoryError::ServiceName);
        }
        if !(DirectoryLimits::LIFETIME_MIN..=DirectoryLimits::LIFETIME_MAX).contains(&lifetime) {
            return Err(DirectoryError::Lifetime);
        }
        let value = BoundedBytes::new(advertisement.encode())
            .map_err(|long| DirectoryError::TooLong { len: long.len })?;
        Ok(Self {
            advertisement,
            value,
            lifetime,
            renew: now,
            signed: None,
        })
    }
}
