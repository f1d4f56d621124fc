use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use repute_base::{Mono, RecentMap};
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, BlobHave, GroupList, Holdings, groups_of, limits::HOLDINGS_MAX,
};

use crate::{Event, GroupRanges, Limits, Output, desk::Desk};

/// Groups of a blob on its way here before others are told where to find it: a MiB.
const ANNOUNCE_GROUPS: u64 = 64;

/// What this node has and offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldBlobs {
    blobs: BTreeMap<BlobHash, Held>,
    /// When watchers are told of what a blob gained.
    updates: BTreeSet<(Mono, BlobHash)>,
}

#[derive(Clone, Debug)]
struct Held {
    size: u64,
    groups: GroupRanges,
    /// Shared by the owner, not only on its way here.
    shared: bool,
    announced: bool,
    /// Gained, and not yet told.
    gained: GroupRanges,
    told: Mono,
    watchers: RecentMap<NodeId, ()>,
}

impl Held {
    fn is_whole(&self) -> bool {
        self.groups.len() == groups_of(self.size)
    }
}

impl HeldBlobs {
    pub(crate) fn len(&self) -> usize {
        self.blobs.len()
    }

    /// These groups are there; `shared` if the owner offers them, whole or not.
    pub(crate) fn hold(
        &mut self,
        desk: &mut Desk,
        hash: BlobHash,
        size: u64,
        groups: &GroupRanges,
        shared: bool,
    ) {
        if !self.blobs.contains_key(&hash) {
            if self.blobs.len() >= desk.limits.held_max {
                if shared {
                    desk.tell(Event::NotShared { hash });
                }
                return;
            }
            let held = Held {
                size,
                groups: GroupRanges::new(),
                shared: false,
                announced: false,
                gained: GroupRanges::new(),
                told: Mono::ZERO,
                watchers: RecentMap::new(desk.limits.watchers_max),
            };
            self.blobs.insert(hash, held);
        }
        let Some(held) = self.blobs.get_mut(&hash) else {
            return;
        };
        held.shared |= shared;
        held.size = size;
        if !held.watchers.is_empty() {
            let new = groups.difference(&held.groups);
            if held.gained.is_empty() && !new.is_empty() {
                let due = (held.told + Limits::UPDATE_PAUSE).max(desk.now);
                self.updates.insert((due, hash));
            }
            held.gained = held.gained.union(&new);
        }
        held.groups = held.groups.union(groups);
        let enough = held.is_whole() || held.groups.len() >= ANNOUNCE_GROUPS;
        if !held.announced && enough && desk.config.announce {
            held.announced = true;
            desk.emit(Output::Announce { hash, size });
        }
    }

    /// Offers it no longer: at the owner's word, or a part of which no more will come.
    pub(crate) fn release(&mut self, desk: &mut Desk, hash: BlobHash, by_owner: bool) {
        if !by_owner && self.blobs.get(&hash).is_none_or(|held| held.shared) {
            return;
        }
        let Some(held) = self.blobs.remove(&hash) else {
            return;
        };
        self.updates.retain(|(_, other)| *other != hash);
        for (peer, ()) in held.watchers.iter() {
            if desk.is_linked(peer) {
                desk.send(*peer, BlobFrame::Gone { hash });
            }
        }
        if held.announced {
            desk.emit(Output::Withdraw { hash });
        }
    }

    /// Of how many bytes the blob is, if all of these groups are there.
    pub(crate) fn size_of(&self, hash: &BlobHash, groups: &GroupRanges) -> Option<u64> {
        let held = self.blobs.get(hash)?;
        groups.is_subset(&held.groups).then_some(held.size)
    }

    /// Somebody asks what is there, and will hear of more.
    pub(crate) fn queried(
        &mut self,
        desk: &mut Desk,
        peer: NodeId,
        (hash, from): (BlobHash, u64),
        slots_free: usize,
    ) {
        let Some(held) = self.blobs.get_mut(&hash) else {
            return desk.send(peer, BlobFrame::Gone { hash });
        };
        let whole = held.is_whole();
        if !whole {
            held.watchers.insert(peer, ());
        }
        let holdings = match whole {
            true => Holdings::All,
            false => {
                let all = groups_of(held.size);
                let (_, rest) = held.groups.split_at(from);
                let more = rest.range_count() > HOLDINGS_MAX;
                let groups: GroupList<HOLDINGS_MAX> = GroupList::truncated(rest.ranges());
                let until = if more { groups.end() } else { all };
                Holdings::Part { groups, until }
            }
        };
        let tier = desk.tier(&peer);
        let have = BlobHave {
            hash,
            size: held.size,
            holdings,
            tier,
            rate: desk.config.tier(tier).rate.unwrap_or_default(),
            slots_free: u8::try_from(slots_free).unwrap_or(u8::MAX),
        };
        desk.send(peer, BlobFrame::Have(have));
    }

    /// Tells watchers what came, where it is time.
    pub(crate) fn update(&mut self, desk: &mut Desk) {
        while let Some((due, hash)) = self.updates.first().copied() {
            if due > desk.now {
                return;
            }
            self.updates.pop_first();
            let Some(held) = self.blobs.get_mut(&hash) else {
                continue;
            };
            held.told = desk.now;
            let told = held.gained.lowest_ranges(HOLDINGS_MAX);
            held.gained = held.gained.difference(&told);
            held.watchers.retain(|peer, ()| desk.is_linked(peer));
            let watchers: Vec<NodeId> = held.watchers.keys().copied().collect();
            for peer in watchers {
                let gained = GroupList::truncated(told.ranges());
                desk.send(peer, BlobFrame::Update { hash, gained });
            }
            if !held.gained.is_empty() {
                let due = desk.now + Limits::UPDATE_PAUSE;
                self.updates.insert((due, hash));
            }
        }
    }

    pub(crate) fn deadline(&self) -> Mono {
        self.updates.first().map_or(Mono::MAX, |(due, _)| *due)
    }
}
