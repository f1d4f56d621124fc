use alloc::{
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
    profiles: BTreeMap<NodeId, Box<Profile>>,
    /// Those that the store does not know as they are.
    unsaved: BTreeSet<NodeId>,
    save_at: Option<Mono>,
    /// Never goes back.
    time: Wall,
    /// Where the search for the least goes on.
    hand: Option<NodeId>,
    outputs: VecDeque<ChronicleOutput>,
}

/// Bounds of what the chronicle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChronicleLimits {
    /// Peers with a profile, at least 1. A busy one takes under 6 KiB, one met briefly under
    /// 1 KiB; beyond the limit the one with the fewest interactions of a sample goes.
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
        let profile = Profile::from_bytes(bytes)?;
        if self.profiles.len() < self.limits.profiles {
            self.profiles.insert(subject, Box::new(profile));
        }
        Ok(())
    }

    /// Folds in a stored record of the ledger, oldest first, unless the profile knows it.
    pub fn restore_record(&mut self, record: &Record) {
        let known = |profile: &Profile| profile.number >= record.number;
        if !self.profile(&record.subject).is_some_and(known) {
            self.record(record);
        }
    }

    /// What was observed of a peer, faded up to `at` in ledger time. Reading changes nothing.
    pub fn metrics(&self, subject: NodeId, at: Wall) -> Metrics {
        self.profile(&subject)
            .map(|profile| profile.metrics.at(at))
            .unwrap_or_default()
    }

    /// The metrics of all peers, by id.
    pub fn metrics_of_all(&self, at: Wall) -> impl Iterator<Item = (NodeId, Metrics)> + '_ {
        self.profiles
            .iter()
            .map(move |(id, profile)| (*id, profile.metrics.at(at)))
    }

    /// The past of a peer.
    pub fn history(&self, subject: NodeId) -> Option<&History> {
        self.profile(&subject).map(|profile| &profile.history)
    }

    /// How many peers have a profile.
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    fn profile(&self, subject: &NodeId) -> Option<&Profile> {
        self.profiles.get(subject).map(AsRef::as_ref)
    }

    fn record(&mut self, record: &Record) {
        let profile = self.change(record.subject);
        profile.number = profile.number.max(record.number);
        profile.metrics.record(record);
        if let Some(interaction) = Interaction::of_record(record) {
            profile.history.interaction(interaction);
        }
    }

    fn sample(&mut self, subject: NodeId, sample: &Sample, fault: Fault) {
        let at = self.time;
        let profile = self.change(subject);
        profile.metrics.sample(at, sample, fault);
        if let Some(interaction) = Interaction::of_sample(at, sample, fault) {
            profile.history.interaction(interaction);
        }
    }

    fn standing(&mut self, subject: NodeId, standing: &Standing) {
        let at = self.time;
        let profile = self.change(subject);
        profile.metrics.standing(at, standing.trust);
        profile.history.standing(at, standing.trust, standing.level);
    }

    /// The profile of a subject, about to change; made, with room for it, if need be.
    fn change(&mut self, subject: NodeId) -> &mut Profile {
        if !self.profiles.contains_key(&subject) {
            self.make_room();
        }
        self.unsaved.insert(subject);
        self.profiles.entry(subject).or_default()
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
            for (id, profile) in around {
                self.hand = Some(*id);
                let metrics = &profile.metrics;
                let place = (metrics.interactions, metrics.last_seen, *id);
                least = Some(least.map_or(place, |least| place.min(least)));
            }
            let Some((_, _, gone)) = least else { return };
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
            if let Some(profile) = self.profile(&subject) {
                let (last_seen, bytes) = (profile.metrics.last_seen, profile.to_bytes());
                self.outputs.push_back(ChronicleOutput::Put {
                    subject,
                    last_seen,
                    bytes,
                });
            }
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
