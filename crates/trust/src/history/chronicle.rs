use alloc::{
    borrow::Cow,
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{ops::Bound, time::Duration};

use repute_base::{Machine, Mono, Timestamp, Wall};
use repute_identity::NodeId;

use super::{History, Interaction, profile::Profile};
use crate::{Fault, Metrics, Record, RecordError, Sample, Standing};

/// What was observed of each peer, and what became of it: metrics and history, kept beside the
/// ledger and never in the way of it.
///
/// A fold of the ledger's records and of samples. Time in every input is *ledger time*
/// ([`Ledger::time`](crate::Ledger::time)). To start from a store:
/// [`restore`](Self::restore) every profile, then [`restore_record`](Self::restore_record) every
/// record, oldest first; records that a profile knows already change nothing, and those it
/// missed, because the node stopped before it was saved, are folded in.
#[derive(Debug)]
pub struct Chronicle {
    limits: ChronicleLimits,
    profiles: BTreeMap<NodeId, Slot>,
    /// Those that the store does not know as they are: the open ones.
    unsaved: BTreeSet<NodeId>,
    save_at: Option<Mono>,
    /// Never goes back.
    time: Wall,
    /// Where the search for the least goes on.
    hand: Option<NodeId>,
    outputs: VecDeque<ChronicleOutput>,
}

/// A profile: open while it changes, else packed as it is stored. Most peers are idle, and a packed
/// one takes a twentieth.
#[derive(Debug)]
enum Slot {
    Open(Box<Profile>),
    Packed(Box<[u8]>),
}

impl Slot {
    /// The profile to read. What was packed here or checked when it was restored unpacks.
    fn read(&self) -> Cow<'_, Profile> {
        match self {
            Self::Open(profile) => Cow::Borrowed(profile),
            Self::Packed(bytes) => Cow::Owned(Profile::from_bytes(bytes).unwrap_or_default()),
        }
    }

    /// The profile to change.
    fn open(self) -> Box<Profile> {
        match self {
            Self::Open(profile) => profile,
            Self::Packed(bytes) => Box::new(Profile::from_bytes(&bytes).unwrap_or_default()),
        }
    }

    /// How little would be lost with it.
    fn worth(&self) -> (u64, u64) {
        match self {
            Self::Open(profile) => profile.worth(),
            Self::Packed(bytes) => Profile::worth_of(bytes),
        }
    }
}

/// Bounds of what the chronicle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChronicleLimits {
    /// Peers with a profile, at least 1. A full past takes under 3 KiB, a peer met briefly under
    /// 200 bytes, both packed; beyond the limit the one with the fewest interactions of a sample
    /// goes.
    pub profiles: usize,
    /// How long a change may wait to be saved. What is measured, not recorded, since the last
    /// save is lost in a crash.
    pub save_after: Duration,
}

impl Default for ChronicleLimits {
    fn default() -> Self {
        Self {
            profiles: 16_384,
            save_after: Duration::from_secs(300),
        }
    }
}

/// What the shell hands in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChronicleInput {
    /// The ledger recorded this.
    Record(Record),
    /// The ledger says where a peer stands now.
    Standing {
        /// Whose.
        subject: NodeId,
        /// What it is now.
        standing: Standing,
    },
    /// This node measured this.
    Sample {
        /// Of whom.
        subject: NodeId,
        /// What.
        sample: Sample,
        /// Whose fault it was, if it is a failure; only [`Fault::Theirs`] counts.
        fault: Fault,
    },
    /// Time passed.
    Tick,
    /// The node ends: save everything.
    Save,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChronicleOutput {
    /// Store this profile, in the place of the subject's last one.
    Put {
        /// Whose.
        subject: NodeId,
        /// When it was last seen; zero for never.
        last_seen: Wall,
        /// The stored form.
        bytes: Vec<u8>,
    },
    /// Remove the profile of this subject.
    Forget(NodeId),
}

/// Profiles saved in one input.
const SAVES_MAX: usize = 256;
/// How soon the rest is saved.
const SAVE_REST: Duration = Duration::from_secs(1);
/// Profiles looked at to find the one to evict.
const EVICTION_SAMPLE: usize = 64;

impl Chronicle {
    /// An empty chronicle.
    pub fn new(limits: ChronicleLimits) -> Self {
        Self {
            limits,
            profiles: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            save_at: None,
            time: Wall::ZERO,
            hand: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes over one stored profile. Beyond the limit the rest is left in the store.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are none; nothing changed.
    pub fn restore(&mut self, subject: NodeId, bytes: &[u8]) -> Result<(), RecordError> {
        Profile::from_bytes(bytes)?;
        if self.profiles.len() < self.limits.profiles {
            self.profiles.insert(subject, Slot::Packed(bytes.into()));
        }
        Ok(())
    }

    /// Folds in a stored record of the ledger, oldest first, that the profile does not know yet.
    /// Whoever has no profile begins one with its next event.
    pub fn restore_record(&mut self, record: &Record) {
        let number = match self.profiles.get(&record.subject) {
            Some(Slot::Open(profile)) => profile.number,
            Some(Slot::Packed(bytes)) => Profile::number_of(bytes),
            None => return,
        };
        if number < record.number {
            self.record(record);
        }
    }

    /// What was observed of a peer, faded up to `at` in ledger time. Reading changes nothing.
    pub fn metrics(&self, subject: NodeId, at: Wall) -> Metrics {
        self.profiles
            .get(&subject)
            .map(|slot| slot.read().metrics.at(at))
            .unwrap_or_default()
    }

    /// The metrics of all peers, by id.
    pub fn metrics_of_all(&self, at: Wall) -> impl Iterator<Item = (NodeId, Metrics)> + '_ {
        self.profiles
            .iter()
            .map(move |(id, slot)| (*id, slot.read().metrics.at(at)))
    }

    /// The past of a peer.
    pub fn history(&self, subject: NodeId) -> Option<History> {
        let slot = self.profiles.get(&subject)?;
        Some(slot.read().into_owned().history)
    }

    /// How many peers have a profile.
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    fn record(&mut self, record: &Record) {
        self.change(record.subject, |profile| {
            profile.number = profile.number.max(record.number);
            profile.metrics.record(record);
            if let Some(interaction) = Interaction::of_record(record) {
                profile.history.interaction(interaction);
            }
        });
    }

    fn sample(&mut self, subject: NodeId, sample: &Sample, fault: Fault) {
        let at = self.time;
        self.change(subject, |profile| {
            profile.metrics.sample(at, sample, fault);
            if let Some(interaction) = Interaction::of_sample(at, sample, fault) {
                profile.history.interaction(interaction);
            }
        });
    }

    fn standing(&mut self, subject: NodeId, standing: &Standing) {
        let at = self.time;
        self.change(subject, |profile| {
            profile.metrics.standing(at, standing.trust);
            profile.history.standing(at, standing.trust, standing.level);
        });
    }

    /// Changes the profile of a subject, which is made, with room for it, if need be.
    fn change(&mut self, subject: NodeId, change: impl FnOnce(&mut Profile)) {
        let mut profile = match self.profiles.remove(&subject) {
            Some(slot) => slot.open(),
            None => {
                self.make_room();
                Box::default()
            }
        };
        change(&mut profile);
        self.profiles.insert(subject, Slot::Open(profile));
        self.unsaved.insert(subject);
    }

    fn make_room(&mut self) {
        while self.profiles.len() >= self.limits.profiles.max(1) {
            let start = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
            let around = self
                .profiles
                .range((start, Bound::Unbounded))
                .chain(self.profiles.iter())
                .take(EVICTION_SAMPLE);
            let mut least = None;
            for (id, slot) in around {
                self.hand = Some(*id);
                let place = (slot.worth(), *id);
                least = Some(least.map_or(place, |least| place.min(least)));
            }
            let Some((_, gone)) = least else { return };
            self.profiles.remove(&gone);
            self.unsaved.remove(&gone);
            self.outputs.push_back(ChronicleOutput::Forget(gone));
        }
    }

    /// Saves at most `most` of what is unsaved.
    fn save(&mut self, now: Mono, most: usize) {
        for _ in 0..most {
            let Some(subject) = self.unsaved.pop_first() else {
                break;
            };
            let Some(Slot::Open(profile)) = self.profiles.get(&subject) else {
                continue;
            };
            let (last_seen, bytes) = (profile.metrics.last_seen, profile.to_bytes());
            self.profiles
                .insert(subject, Slot::Packed(bytes.as_slice().into()));
            self.outputs.push_back(ChronicleOutput::Put {
                subject,
                last_seen,
                bytes,
            });
        }
        self.save_at = (!self.unsaved.is_empty()).then_some(now + SAVE_REST);
    }
}

impl Machine for Chronicle {
    type Input = ChronicleInput;
    type Output = ChronicleOutput;

    /// `now.wall` is ledger time.
    fn handle(&mut self, now: Timestamp, input: ChronicleInput) {
        self.time = self.time.max(now.wall);
        match input {
            ChronicleInput::Record(record) => self.record(&record),
            ChronicleInput::Standing { subject, standing } => self.standing(subject, &standing),
            ChronicleInput::Sample {
                subject,
                sample,
                fault,
            } => self.sample(subject, &sample, fault),
            ChronicleInput::Save => self.save(now.mono, usize::MAX),
            ChronicleInput::Tick => {
                if self.save_at.is_some_and(|due| due <= now.mono) {
                    self.save(now.mono, SAVES_MAX);
                }
            }
        }
        if self.save_at.is_none() && !self.unsaved.is_empty() {
            self.save_at = Some(now.mono + self.limits.save_after);
        }
    }

    fn poll_output(&mut self) -> Option<ChronicleOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.save_at
    }
}
