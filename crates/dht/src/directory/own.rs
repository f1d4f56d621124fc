//! What this node offers itself.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Address, BoundedBytes, BoundedVec, Mono, Timestamp, Wall};
use repute_protocol::{
    Advertisement, Envelope, Verified,
    limits::{RECORD_VALUE_MAX, SERVICE_KEY_MAX, SLOTS_MAX},
};

use super::{DirectoryError, DirectoryLimits, OwnAdvertisement, kept::Kept};

type Key = BoundedBytes<SERVICE_KEY_MAX>;

/// One place for each key, and the signatures under way.
#[derive(Debug, Default)]
pub(super) struct Own {
    slots: BTreeMap<u8, Slot>,
    signing: BTreeMap<u64, Signing>,
    next_token: u64,
    /// Goes up with each change of a place, so that a late signature is known as such.
    editions: u64,
    /// Places of kept offers that could not be read.
    unreadable: Vec<u8>,
}

/// What was said for one key. It stays for a minute after it was taken back.
#[derive(Debug)]
pub(super) struct Slot {
    key: Key,
    /// When it was signed last.
    said: Said,
    edition: u64,
    pub(super) live: Option<Live>,
}

/// When something was signed: by this clock too, unless an earlier run did it.
#[derive(Clone, Copy, Debug)]
struct Said {
    mono: Option<Mono>,
    wall: Wall,
}

impl From<Timestamp> for Said {
    fn from(now: Timestamp) -> Self {
        Self {
            mono: Some(now.mono),
            wall: now.wall,
        }
    }
}

/// What is offered now.
#[derive(Debug)]
pub(super) struct Live {
    /// As it was signed last, addresses included.
    pub(super) advertisement: Advertisement,
    pub(super) value: BoundedBytes<RECORD_VALUE_MAX>,
    pub(super) lifetime: Duration,
    /// Whether its addresses are those where this node listens.
    pub(super) fills: bool,
    /// When to sign it again; not before the start.
    renew: Option<Mono>,
    /// Whether the DHT was given it as it is.
    published: bool,
    pub(super) signed: Option<(Verified<Envelope>, Wall)>,
}

/// What it is time to sign, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// For gossip and neighbours: the DHT renews its own.
    Renew,
    /// For the DHT too: it was not given this yet.
    Publish,
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
        live.filter_map(|live| live.renew).min()
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

    /// Whether this very thing is offered already, and was signed too lately to sign it again.
    pub(super) fn said_already(
        &self,
        now: Timestamp,
        live: &Live,
    ) -> Option<(u8, Wall, Wall, Vec<u8>)> {
        let (place, slot) = self
            .slots
            .iter()
            .find(|(_, slot)| slot.key == live.advertisement.key)?;
        let said = slot.live.as_ref().filter(|said| {
            said.value == live.value && said.lifetime == live.lifetime && said.fills == live.fills
        })?;
        let (_, expires) = said.signed.as_ref().filter(|_| !slot.wait(now).is_zero())?;
        Some((
            *place,
            *expires,
            slot.said.wall,
            Kept::of(said, slot.said.wall).to_bytes(),
        ))
    }

    /// Offers something in a place, and gives back what was offered there.
    pub(super) fn put(&mut self, now: Timestamp, place: u8, live: Live) -> Option<Live> {
        let key = live.advertisement.key.clone();
        let former = self.slots.remove(&place);
        self.editions += 1;
        let slot = Slot {
            key,
            said: now.into(),
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

    /// Takes back what an earlier run offered; false if it cannot be read, or has no place.
    pub(super) fn restore(&mut self, place: u8, bytes: &[u8]) -> bool {
        let read = Kept::from_bytes(bytes).and_then(Kept::into_live);
        let free = |key: &Key| {
            let taken = |(at, slot): (&u8, &Slot)| *at == place || slot.key == *key;
            place < SLOTS_MAX && !self.slots.iter().any(taken)
        };
        let Some((live, wall)) = read.filter(|(live, _)| free(&live.advertisement.key)) else {
            if !self.slots.contains_key(&place) {
                self.unreadable.push(place);
            }
            return false;
        };
        self.editions += 1;
        let slot = Slot {
            key: live.advertisement.key.clone(),
            said: Said { mono: None, wall },
            edition: self.editions,
            live: Some(live),
        };
        self.slots.insert(place, slot);
        true
    }

    /// What was restored is signed from now on; gives the places of what could not be.
    pub(super) fn start(&mut self, now: Mono) -> Vec<u8> {
        for live in self
            .slots
            .values_mut()
            .filter_map(|slot| slot.live.as_mut())
        {
            live.renew.get_or_insert(now);
        }
        core::mem::take(&mut self.unreadable)
    }

    /// This node listens elsewhere: offers that say where are signed again as soon as may be.
    pub(super) fn listening(&mut self, now: Timestamp, addresses: &[Address]) {
        for slot in self.slots.values_mut() {
            let soon = now.mono + slot.wait(now);
            let Some(live) = slot.live.as_mut() else {
                continue;
            };
            if live.filled(addresses).is_some() {
                live.renew = live.renew.map(|renew| renew.min(soon));
            }
        }
    }

    /// Whose turn it is to be signed again.
    pub(super) fn due(&self, now: Mono) -> Vec<u8> {
        let is_due = |live: &Live| live.renew.is_some_and(|renew| renew <= now);
        let live = |slot: &Slot| slot.live.as_ref().is_some_and(is_due);
        let due = self.slots.iter().filter(|(_, slot)| live(slot));
        due.map(|(place, _)| *place).collect()
    }

    /// Has an offer say where this node listens now, if it is to; that is a change, for which it
    /// may have to wait.
    pub(super) fn refresh(
        &mut self,
        now: Timestamp,
        place: u8,
        addresses: &[Address],
    ) -> Option<Due> {
        let slot = self.slots.get_mut(&place)?;
        let wait = slot.wait(now);
        let live = slot.live.as_mut()?;
        if let Some((advertisement, value)) = live.filled(addresses) {
            if !wait.is_zero() {
                live.renew = Some(now.mono + wait);
                return None;
            }
            (live.advertisement, live.value) = (advertisement, value);
            (live.published, live.signed) = (false, None);
            self.editions += 1;
            slot.edition = self.editions;
        }
        match core::mem::replace(&mut live.published, true) {
            true => Some(Due::Renew),
            false => Some(Due::Publish),
        }
    }

    /// What the DHT is given of an offer.
    pub(super) fn offer(&self, place: u8) -> Option<&Live> {
        self.slots.get(&place)?.live.as_ref()
    }

    /// Begins to sign the offer in a place: what to sign, for how long, under which number; and
    /// what to keep of it.
    pub(super) fn begin(&mut self, now: Timestamp, place: u8, token: Option<u64>) -> Option<Begun> {
        let slot = self.slots.get_mut(&place)?;
        let live = slot.live.as_mut()?;
        slot.said = now.into();
        live.renew = Some(now.mono + live.lifetime / 3);
        let (value, expires) = (live.value.clone(), now.wall + live.lifetime);
        let kept = Kept::of(live, now.wall).to_bytes();
        let signing = Signing::Offer {
            slot: place,
            edition: slot.edition,
            expires,
            token,
        };
        Some(Begun {
            token: self.sign(signing),
            value,
            expires,
            kept,
        })
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

/// A signature that is asked for.
pub(super) struct Begun {
    pub(super) token: u64,
    pub(super) value: BoundedBytes<RECORD_VALUE_MAX>,
    pub(super) expires: Wall,
    /// For the store.
    pub(super) kept: Vec<u8>,
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
        let here = self.said.mono.map(|said| (said + pause).since(now.mono));
        by_date.max(here.unwrap_or_default())
    }
}

impl Live {
    /// Checks what others would refuse. An offer that does not say where this node is gets the
    /// addresses where it listens; what is restored has what it said before.
    pub(super) fn new(
        advertisement: Advertisement,
        lifetime: Duration,
        listening: Option<&[Address]>,
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
        let value = value_of(&advertisement)?;
        let mut live = Self {
            fills: advertisement.addresses.is_empty(),
            advertisement,
            value,
            lifetime,
            renew: None,
            published: listening.is_some(),
            signed: None,
        };
        if let Some((advertisement, value)) = listening.and_then(|listening| live.filled(listening))
        {
            (live.advertisement, live.value) = (advertisement, value);
        }
        Ok(live)
    }

    /// The same offer with the addresses where this node listens now, as many as fit; nothing if
    /// it says so already, or says what it was told to.
    fn filled(
        &self,
        addresses: &[Address],
    ) -> Option<(Advertisement, BoundedBytes<RECORD_VALUE_MAX>)> {
        if !self.fills {
            return None;
        }
        let fitting = (0..=addresses.len()).rev().find_map(|count| {
            let mut filled = self.advertisement.clone();
            filled.addresses = BoundedVec::truncated(addresses.iter().take(count).copied());
            let value = value_of(&filled).ok()?;
            Some((filled, value))
        });
        fitting.filter(|(_, value)| *value != self.value)
    }
}

fn value_of(
    advertisement: &Advertisement,
) -> Result<BoundedBytes<RECORD_VALUE_MAX>, DirectoryError> {
    BoundedBytes::new(advertisement.encode())
        .map_err(|long| DirectoryError::TooLong { len: long.len })
}
