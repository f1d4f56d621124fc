use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{net::IpAddr, time::Duration};

use repute_base::{BoundedString, Machine, Mono, Prefix, Timestamp, Wall};

use crate::{AddressBan, clock::Clock};

/// The longest step of ledger time in one input, as the default of the ledger.
const STEP_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The longest pause between two looks at what has lapsed.
const LOOK_MAX: Duration = Duration::from_secs(3_600);

/// What the operator does to the list of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressInput {
    /// Adds an entry, or replaces the one of this prefix.
    Put {
        /// Which addresses.
        prefix: Prefix,
        /// For how long; `None`: for good.
        duration: Option<Duration>,
        /// Why.
        reason: BoundedString<128>,
    },
    /// Changes an entry; nothing if there is none.
    Edit {
        /// Which.
        prefix: Prefix,
        /// The new reason; `None` leaves it.
        reason: Option<BoundedString<128>>,
        /// How long it lasts from now, or for good; `None` leaves it.
        duration: Option<Option<Duration>>,
    },
    /// Removes an entry; nothing if there is none.
    Remove(Prefix),
    /// Time passed.
    Tick,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressOutput {
    /// Store this list in place of the one before.
    Persist(Vec<AddressBan>),
    /// From now on these addresses get no link, whichever end dials.
    Barred(Vec<Prefix>),
    /// No room: [`AddressBan::COUNT_MAX`] entries are there, none of which lapses.
    Full(Prefix),
}

/// The entries of the blacklist that name addresses.
///
/// When there are too many, the one that lapses first goes; those for good only by hand.
#[derive(Debug, Default)]
pub struct AddressBans {
    clock: Clock,
    bans: BTreeMap<Prefix, AddressBan>,
    outputs: VecDeque<AddressOutput>,
}

impl AddressBans {
    /// Takes over what was stored, before the first input.
    pub fn restore(&mut self, stored: Vec<AddressBan>) {
        for ban in stored.into_iter().take(AddressBan::COUNT_MAX) {
            self.clock.restore(ban.since);
            self.bans.insert(ban.prefix, ban);
        }
        self.bar();
    }

    /// The entries in force, by prefix.
    pub fn iter(&self, wall: Wall) -> impl Iterator<Item = &AddressBan> {
        let time = self.time(wall);
        self.bans.values().filter(move |ban| !ban.lapsed(time))
    }

    /// The entry in force that covers `ip`.
    pub fn covering(&self, ip: IpAddr, wall: Wall) -> Option<&AddressBan> {
        self.iter(wall).find(|ban| ban.prefix.contains(ip))
    }

    /// Ledger time for a reader whose clock shows `wall`.
    pub fn time(&self, wall: Wall) -> Wall {
        self.clock.read(wall, LOOK_MAX, STEP_MAX)
    }

    fn apply(&mut self, time: Wall, input: AddressInput) -> bool {
        match input {
            AddressInput::Put {
                prefix,
                duration,
                reason,
            } => self.put(AddressBan {
                prefix,
                since: time,
                until: duration.map(|duration| time + duration),
                reason,
            }),
            AddressInput::Edit {
                prefix,
                reason,
                duration,
            } => {
                let Some(ban) = self.bans.get_mut(&prefix) else {
                    return false;
                };
                if let Some(reason) = reason {
                    ban.reason = reason;
                }
                if let Some(duration) = duration {
                    ban.until = duration.map(|duration| time + duration);
                }
                true
            }
            AddressInput::Remove(prefix) => self.bans.remove(&prefix).is_some(),
            AddressInput::Tick => false,
        }
    }

    fn put(&mut self, ban: AddressBan) -> bool {
        if !self.bans.contains_key(&ban.prefix) && self.bans.len() >= AddressBan::COUNT_MAX {
            let ends = self
                .bans
                .values()
                .filter_map(|ban| Some((ban.until?, ban.prefix)));
            let Some((_, first)) = ends.min() else {
                self.outputs.push_back(AddressOutput::Full(ban.prefix));
                return false;
            };
            self.bans.remove(&first);
        }
        self.bans.insert(ban.prefix, ban);
        true
    }

    fn bar(&mut self) {
        let prefixes = self.bans.keys().copied().collect();
        self.outputs.push_back(AddressOutput::Barred(prefixes));
    }
}

impl Machine for AddressBans {
    type Input = AddressInput;
    type Output = AddressOutput;

    fn handle(&mut self, now: Timestamp, input: AddressInput) {
        let time = self.clock.advance(now, STEP_MAX);
        let before = self.bans.len();
        self.bans.retain(|_, ban| !ban.lapsed(time));
        let lapsed = self.bans.len() < before;
        if self.apply(time, input) || lapsed {
            let list = self.bans.values().cloned().collect();
            self.outputs.push_back(AddressOutput::Persist(list));
            self.bar();
        }
    }

    fn poll_output(&mut self) -> Option<AddressOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        let end = self.bans.values().filter_map(|ban| ban.until).min()?;
        if !self.clock.runs() {
            return Some(Mono::ZERO);
        }
        // Never at once: ledger time may go at half speed.
        let wait = end.since(self.time(Wall::ZERO));
        Some(self.clock.seen() + wait.clamp(Duration::from_secs(1), LOOK_MAX))
    }
}
