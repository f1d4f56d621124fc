use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use repute_base::{Address, Mono, RecentMap, Rng, TokenBucket};
use repute_identity::NodeId;
use repute_protocol::{BlobFrame, Tier};

use crate::{Config, Event, Limits, Output, RequestId, Stats, pacer::Pacer, witness::Witness};

/// What all downloads and uploads share: policy, time, links, and where outputs go.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) rng: Rng,
    pub(crate) now: Mono,
    pub(crate) links: BTreeMap<NodeId, Link>,
    standings: RecentMap<NodeId, (Tier, bool)>,
    wanted: BTreeMap<NodeId, Wanted>,
    dialling: usize,
    /// Requests under way to each peer, of all downloads.
    asked: BTreeMap<NodeId, usize>,
    pub(crate) witness: Witness,
    pub(crate) inflow: Pacer,
    pub(crate) stats: Stats,
    requests: u64,
    /// A request is over, and another download may ask its peer.
    pub(crate) freed: bool,
    pub(crate) outputs: VecDeque<Output>,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    budget: TokenBucket,
    /// The session of receipts that requests name.
    pub(crate) session: u64,
}

/// A link that downloads need.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    users: usize,
    dialling: bool,
}

impl Desk {
    pub(crate) fn new(config: Config, limits: Limits, rng: Rng) -> Self {
        Self {
            standings: RecentMap::new(limits.standings_max),
            inflow: Pacer::new(config.download_rate),
            config,
            limits,
            rng,
            now: Mono::ZERO,
            links: BTreeMap::new(),
            wanted: BTreeMap::new(),
            dialling: 0,
            asked: BTreeMap::new(),
            witness: Witness::default(),
            stats: Stats::default(),
            requests: 0,
            freed: false,
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.emit(Output::Event(event));
    }

    pub(crate) fn send(&mut self, peer: NodeId, frame: BlobFrame) {
        self.emit(Output::Send { peer, frame });
    }

    pub(crate) fn link_up(&mut self, peer: NodeId) {
        let rate = self.limits.frames_per_second;
        let budget = TokenBucket::new(rate, self.limits.frames_burst, self.now);
        self.links.insert(peer, Link { budget, session: 0 });
        self.dialled(peer);
    }

    pub(crate) fn link_down(&mut self, peer: NodeId) {
        self.links.remove(&peer);
        self.dialled(peer);
    }

    /// Dialling has ended, one way or the other.
    pub(crate) fn dialled(&mut self, peer: NodeId) {
        if let Some(wanted) = self.wanted.get_mut(&peer)
            && wanted.dialling
        {
            wanted.dialling = false;
            self.dialling = self.dialling.saturating_sub(1);
        }
    }

    pub(crate) fn is_linked(&self, peer: &NodeId) -> bool {
        self.links.contains_key(peer)
    }

    /// Whether one more frame of a link is looked at.
    pub(crate) fn admits_frame(&mut self, peer: &NodeId) -> bool {
        let now = self.now;
        let link = self.links.get_mut(peer);
        let admitted = link.is_some_and(|link| link.budget.take(now, 1));
        self.stats.frames_dropped += u64::from(!admitted);
        admitted
    }

    pub(crate) fn set_standing(&mut self, peer: NodeId, tier: Tier, closed: bool) {
        // A newcomer needs no memory, and most peers that a node knows are no more.
        if tier == Tier::Newcomer && !closed {
            self.standings.remove(&peer);
        } else {
            self.standings.insert(peer, (tier, closed));
        }
    }

    pub(crate) fn tier(&self, peer: &NodeId) -> Tier {
        self.standings.get(peer).map_or(Tier::Newcomer, |one| one.0)
    }

    pub(crate) fn is_closed(&self, peer: &NodeId) -> bool {
        self.standings.get(peer).is_some_and(|one| one.1)
    }

    pub(crate) fn needs_link(&self, peer: &NodeId) -> bool {
        self.wanted.contains_key(peer)
    }

    /// A download needs a link, which it gives back with [`Self::unwant`]. False if there is none
    /// and too many are dialled.
    pub(crate) fn want(&mut self, peer: NodeId, addresses: &[Address]) -> bool {
        let linked = self.is_linked(&peer);
        let known = self.wanted.get(&peer).copied().unwrap_or_default();
        let dial = !linked && !known.dialling;
        if dial && self.dialling >= self.limits.dials_max {
            return false;
        }
        let wanted = self.wanted.entry(peer).or_default();
        wanted.users += 1;
        if dial {
            wanted.dialling = true;
            self.dialling += 1;
            let addresses = Vec::from(addresses);
            self.emit(Output::Link { peer, addresses });
        }
        true
    }

    pub(crate) fn unwant(&mut self, peer: NodeId) {
        let Some(wanted) = self.wanted.get_mut(&peer) else {
            return;
        };
        wanted.users = wanted.users.saturating_sub(1);
        if wanted.users == 0 {
            self.dialled(peer);
            self.wanted.remove(&peer);
            self.emit(Output::Unlink { peer });
        }
    }

    /// Whether one more request may go to a peer.
    pub(crate) fn may_ask(&self, peer: &NodeId) -> bool {
        let asked = self.asked.get(peer).copied().unwrap_or_default();
        asked < self.limits.requests_per_peer_max
    }

    pub(crate) fn new_request(&mut self, peer: NodeId) -> RequestId {
        self.requests += 1;
        *self.asked.entry(peer).or_default() += 1;
        self.stats.requests += 1;
        self.stats.requests_sent += 1;
        RequestId(self.requests)
    }

    pub(crate) fn request_over(&mut self, request: RequestId, peer: &NodeId) {
        self.inflow.close(request.0);
        self.freed = true;
        self.stats.requests = self.stats.requests.saturating_sub(1);
        if let Some(count) = self.asked.get_mut(peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.asked.remove(peer);
            }
        }
    }

    /// How long who failed so often is left alone: twice as long each time, and never in step with
    /// others.
    pub(crate) fn pause_after(&mut self, strikes: u32) -> Mono {
        let (shortest, longest) = self.limits.pause;
        let pause = shortest
            .saturating_mul(1 << strikes.saturating_sub(1).min(16))
            .min(longest);
        self.now + self.rng.jitter(pause, 20)
    }
}
