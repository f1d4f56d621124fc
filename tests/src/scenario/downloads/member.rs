use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
};

use repute_base::Rng;
use repute_blobs::{Blobs, Config, DownloadId, Limits, RequestId, StreamId};
use repute_identity::NodeId;
use repute_protocol::GROUP_BYTES;

use super::judge::Judge;

/// What a node does as a seeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Honest,
    /// After some groups, one is wrong.
    Corrupts,
    /// After some groups, nothing more comes.
    Stalls,
    /// Four KiB a second.
    Crawls,
}

impl Nature {
    /// Of ten, seven are honest; the others are of each kind in turn.
    pub(super) fn of(number: usize, honest: usize) -> Self {
        match number.checked_sub(honest) {
            None => Self::Honest,
            Some(nth) if nth % 3 == 0 => Self::Corrupts,
            Some(nth) if nth % 3 == 1 => Self::Stalls,
            Some(_) => Self::Crawls,
        }
    }
}

pub(super) fn id(number: usize) -> NodeId {
    let mut id = [0x11; 32];
    for (place, byte) in id.iter_mut().zip((number as u64).to_be_bytes()) {
        *place = byte;
    }
    NodeId::from_bytes(id)
}

pub(super) fn number_of(id: &NodeId) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = *id.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize
}

/// One node.
pub(super) struct Member {
    pub(super) nature: Nature,
    pub(super) engine: Blobs,
    pub(super) judge: Judge,
    /// Bytes a second that it can give.
    pub(super) rate: u64,
    /// Streams on which it gives, in turn.
    pub(super) giving: VecDeque<StreamId>,
    /// Bytes it may give, left over.
    pub(super) carry: u64,
    pub(super) pumping: bool,
    pub(super) wake: u64,
    pub(super) links: BTreeSet<usize>,
    pub(super) wants: BTreeSet<usize>,
    /// Files it has or has fetched.
    pub(super) has: BTreeSet<usize>,
    pub(super) fetching: BTreeMap<DownloadId, usize>,
    pub(super) left: usize,
}

impl Member {
    pub(super) fn new(number: usize, honest: usize, downloads: usize, rng: &mut Rng) -> Self {
        let nature = Nature::of(number, honest);
        let config = Config {
            upload_slots: 8,
            newcomer_slots: 4,
            ..Config::default()
        };
        let engine = Blobs::new(config, Limits::default(), rng.fork());
        // A quarter of a MiB to four MiB a second.
        let rate = (256 * 1_024) << rng.below(5);
        Self {
            nature,
            engine: engine.expect("a policy that can be meant"),
            judge: Judge::new(rng.fork()),
            rate: match nature {
                Nature::Crawls => 4 * 1_024,
                _ => rate,
            },
            giving: VecDeque::new(),
            carry: 0,
            pumping: false,
            wake: u64::MAX,
            links: BTreeSet::new(),
            wants: BTreeSet::new(),
            has: BTreeSet::new(),
            fetching: BTreeMap::new(),
            left: if nature == Nature::Honest {
                downloads
            } else {
                0
            },
        }
    }
}

/// A transfer under way, from one node to another.
pub(super) struct Stream {
    pub(super) client: usize,
    pub(super) server: usize,
    pub(super) request: RequestId,
    /// What is still to be sent.
    pub(super) rest: VecDeque<Range<u64>>,
    /// Groups that went out.
    pub(super) sent: u64,
    /// Of a hostile seeder: after so many groups it shows what it is.
    pub(super) turns_at: u64,
}

impl Stream {
    /// Takes the next groups of one range, at most so many.
    pub(super) fn take(&mut self, most: u64) -> Option<Range<u64>> {
        let range = self.rest.front_mut()?;
        let end = range.end.min(range.start + most);
        let taken = range.start..end;
        range.start = end;
        if range.is_empty() {
            self.rest.pop_front();
        }
        self.sent += taken.end - taken.start;
        Some(taken)
    }
}

pub(super) fn bytes(groups: &Range<u64>) -> u64 {
    (groups.end - groups.start) * GROUP_BYTES
}
