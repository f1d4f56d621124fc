//! The active view: who is a neighbour, who is asked to become one, and who makes room.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Address, BoundedVec, Fixed, Mono};
use repute_identity::NodeId;
use repute_protocol::{GossipFrame, PeerHint};

use crate::{Gossip, link::Link};

/// How long an unanswered request to become neighbours blocks the next.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer that refused is left alone, before jitter.
const REFUSED_PAUSE: Duration = Duration::from_secs(15);
/// The same for a node without any neighbour.
const REFUSED_PAUSE_ALONE: Duration = Duration::from_secs(1);
/// Between two corrections of a peer that wrongly takes us for a neighbour.
const CORRECTION_PAUSE: Duration = Duration::from_secs(2);
/// Links asked for in one round: replacements come one after the other, not in a herd.
const WANTS_PER_ROUND: usize = 2;
/// One neighbour in so many is of our own choosing, and is not displaced.
const DIALLED_SHARE: usize = 4;
/// Links that get a reconciliation soon after they begin; those beyond wait for their turn.
const EARLY_SYNC_MS: core::ops::Range<u64> = 100..1_500;

impl Gossip {
    pub(crate) fn is_active(&self, peer: &NodeId) -> bool {
        self.active.binary_search(peer).is_ok()
    }

    pub(crate) fn on_peer_up(&mut self, peer: NodeId, addresses: Vec<Address>) {
        if peer == self.me
            || self.links.contains_key(&peer)
            || self.links.len() >= self.limits.links_max
        {
            return;
        }
        let mut link = Link::new(addresses, &self.limits, self.now.mono);
        let soon = Duration::from_millis(self.rng.range(EARLY_SYNC_MS));
        link.sync_due = Some(self.now.mono + soon);
        self.passive.remove(&peer);
        self.links.insert(peer, link);
        if self.active.len() < self.config.active_size() {
            self.ask(peer);
        }
    }

    pub(crate) fn on_dialled(&mut self, peer: NodeId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.dialled = true;
        }
    }

    /// Neighbours of our own choosing that nobody displaces.
    fn kept_dialled(&self) -> usize {
        (self.config.active_size() / DIALLED_SHARE).max(1)
    }

    fn is_dialled(&self, peer: &NodeId) -> bool {
        self.links.get(peer).is_some_and(|link| link.dialled)
    }

    fn lacks_dialled(&self) -> bool {
        let dialled = self.active.iter().filter(|id| self.is_dialled(id));
        dialled.count() < self.kept_dialled()
    }

    /// Asks one more peer of our own choosing, while there are too few among the neighbours.
    pub(crate) fn seek_dialled(&mut self) {
        if self.active.len() < self.config.active_size() || !self.lacks_dialled() {
            return;
        }
        let now = self.now.mono;
        let open = |(id, link): &(&NodeId, &Link)| {
            let idle = link.asked.is_none_or(|at| now.since(at) >= ASK_TIMEOUT);
            let silent = link.score.is_silent() || link.distrusted;
            link.dialled && idle && !silent && link.refused_until <= now && !self.is_active(id)
        };
        let others: Vec<NodeId> = self.links.iter().filter(open).map(|(id, _)| *id).collect();
        if let Some(peer) = self.rng.choose(&others).copied() {
            if let Some(link) = self.links.get_mut(&peer) {
                link.asked = Some(now);
            }
            self.send_control(peer, GossipFrame::Neighbor { urgent: true });
        }
    }

    pub(crate) fn on_peer_down(&mut self, peer: NodeId) {
        self.deactivate(peer);
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        self.forget_crowd(peer);
        self.ask_others_than(peer);
        if !link.distrusted && !link.addresses.is_empty() {
            self.passive.add(peer, link.addresses, &mut self.rng);
            // It has just gone: others first.
            self.passive.note_wanted(&peer, self.now.mono);
        }
        self.fill_active();
    }

    pub(crate) fn on_trust(&mut self, peer: NodeId, trust: Fixed, distrusted: bool) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.score.set_trust(trust);
        link.distrusted = distrusted;
        if distrusted && self.is_active(&peer) {
            self.leave(peer);
            self.fill_active();
        }
    }

    pub(crate) fn on_join(&mut self, peer: NodeId) {
        let known = self.is_active(&peer);
        let accepted = self.admit(peer, true);
        self.send_control(peer, GossipFrame::NeighborReply { accepted });
        if known || !accepted {
            // The walks of a neighbour that asks again are under way.
            return;
        }
        let Some(subject) = self.hint_of(&peer) else {
            return;
        };
        let others: Vec<NodeId> = self
            .active
            .iter()
            .copied()
            .filter(|id| *id != peer)
            .collect();
        for other in others {
            let ttl = self.config.active_walk;
            self.send_control(
                other,
                GossipFrame::ForwardJoin {
                    peer: subject.clone(),
                    ttl,
                },
            );
        }
    }

    pub(crate) fn on_forward_join(&mut self, from: NodeId, subject: PeerHint, ttl: u8) {
        if subject.id == self.me || !self.is_active(&from) {
            return;
        }
        let ttl = ttl.min(self.config.active_walk);
        let next = self.random_active(&[from, subject.id]);
        if let (1.., Some(next)) = (ttl, next) {
            if ttl == self.config.passive_walk {
                self.remember(&subject);
            }
            let onward = GossipFrame::ForwardJoin {
                peer: subject,
                ttl: ttl - 1,
            };
            return self.send_control(next, onward);
        }
        if self.links.contains_key(&subject.id) {
            if !self.is_active(&subject.id) {
                self.ask(subject.id);
            }
        } else {
            self.remember(&subject);
            self.want(subject.id);
        }
    }

    pub(crate) fn on_neighbor(&mut self, peer: NodeId, urgent: bool) {
        let accepted = self.admit(peer, urgent);
        self.send_control(peer, GossipFrame::NeighborReply { accepted });
    }

    pub(crate) fn on_neighbor_reply(&mut self, peer: NodeId, accepted: bool) {
        let pause = self.rng.jitter(REFUSED_PAUSE, 50);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.asked.take().is_none() {
            // A copy of an answer: acting on it would answer copies with copies.
            return;
        }
        if accepted {
            let force = self.is_dialled(&peer) && self.lacks_dialled();
            if !self.admit(peer, force) {
                self.send_control(peer, GossipFrame::Leave);
            }
        } else {
            link.refuse(self.now.mono, pause);
            self.deactivate(peer);
            self.fill_active();
        }
    }

    pub(crate) fn on_leave(&mut self, peer: NodeId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.refuse(self.now.mono, self.rng.jitter(REFUSED_PAUSE, 50));
        }
        if self.deactivate(peer) {
            self.fill_active();
        }
    }

    /// Asks for neighbours until the active view is full or nobody is left to ask.
    pub(crate) fn fill_active(&mut self) {
        let now = self.now.mono;
        let asked = self.links.iter().filter(|(id, link)| {
            !self.is_active(id) && link.asked.is_some_and(|at| now.since(at) < ASK_TIMEOUT)
        });
        let mut room = self
            .config
            .active_size()
            .saturating_sub(self.active.len() + asked.count());
        let desperate = self.active.is_empty();
        let mut linked: Vec<(i64, bool, u64, NodeId)> = Vec::new();
        if room > 0 {
            for (id, link) in &self.links {
                let refused = if desperate {
                    link.refused_at
                        .is_some_and(|at| now.since(at) < REFUSED_PAUSE_ALONE)
                } else {
                    link.refused_until > now
                };
                let idle = link.asked.is_none_or(|at| now.since(at) >= ASK_TIMEOUT);
                if !refused && idle && !link.distrusted && self.active.binary_search(id).is_err() {
                    let inbound = !link.dialled;
                    linked.push((-link.score.total(), inbound, self.rng.next_u64(), *id));
                }
            }
        }
        linked.sort_unstable();
        for (.., id) in linked.into_iter().take(room) {
            self.ask(id);
            room -= 1;
        }
        if room > 0 {
            let ready = self.passive.rested(now);
            for id in self.rng.sample(&ready, room.min(WANTS_PER_ROUND)) {
                self.want(id);
            }
        }
    }

    /// Links whose score is beyond repair leave the active view, if others can take their place.
    pub(crate) fn drop_hopeless(&mut self) {
        let hopeless: Vec<NodeId> = self
            .active
            .iter()
            .copied()
            .filter(|id| {
                self.links
                    .get(id)
                    .is_some_and(|link| link.score.is_hopeless())
            })
            .collect();
        for peer in hopeless {
            if let Some(link) = self.links.get_mut(&peer) {
                link.refuse(self.now.mono, REFUSED_PAUSE);
            }
            self.leave(peer);
        }
    }

    /// While messages are missed, neighbours that bring nothing make room for other links.
    pub(crate) fn replace_silent(&mut self) {
        let now = self.now.mono;
        if now >= self.deprived_until || self.links.len() <= self.active.len() {
            return;
        }
        let silent = |id: &&NodeId| {
            let link = self.links.get(*id);
            link.is_some_and(|link| link.score.is_silent())
        };
        let silent: Vec<NodeId> = self.active.iter().filter(silent).copied().collect();
        for peer in silent {
            if let Some(link) = self.links.get_mut(&peer) {
                link.refuse(now, REFUSED_PAUSE);
            }
            self.leave(peer);
        }
    }

    /// A linked peer gave what the neighbours should have brought long ago: it becomes one, in
    /// the place of the worst if need be.
    pub(crate) fn prefer(&mut self, peer: NodeId) {
        let full = self.active.len() >= self.config.active_size();
        let proven = |id: &NodeId| {
            let link = self.links.get(id);
            link.is_some_and(|link| link.score.total() > 0)
        };
        // Those who bring something are not driven out by one late message.
        if self.is_active(&peer) || (full && self.active.iter().all(proven)) {
            return;
        }
        if let Some(link) = self.links.get_mut(&peer) {
            link.dismissed_until = Mono::ZERO;
        }
        if self.admit(peer, true) {
            if let Some(link) = self.links.get_mut(&peer) {
                link.asked = Some(self.now.mono);
            }
            self.send_control(peer, GossipFrame::Neighbor { urgent: true });
        }
    }

    /// A peer that is no neighbour acts as one: become neighbours if there is room, else tell it.
    pub(crate) fn correct(&mut self, peer: NodeId) {
        let now = self.now.mono;
        let room = self.active.len() < self.config.active_size();
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link
            .corrected
            .is_some_and(|at| now.since(at) < CORRECTION_PAUSE)
        {
            return;
        }
        link.corrected = Some(now);
        if room && !link.distrusted {
            self.ask(peer);
        } else {
            self.send_control(peer, GossipFrame::Leave);
        }
    }

    /// Takes a peer into the active view. When it is full and `force` holds, the worst goes.
    pub(crate) fn admit(&mut self, peer: NodeId, force: bool) -> bool {
        let Some(link) = self.links.get_mut(&peer) else {
            return false;
        };
        if link.distrusted || link.score.is_hopeless() {
            return false;
        }
        let Err(mut place) = self.active.binary_search(&peer) else {
            return true;
        };
        if self.active.len() >= self.config.active_size() {
            let dismissed = self.now.mono < link.dismissed_until;
            let score = link.score.total();
            if !force {
                return false;
            }
            let Some((least, worst)) = self.worst_active() else {
                return false;
            };
            // Whoever had to go would come back at once otherwise, and others for it, for ever.
            if dismissed && score <= least {
                return false;
            }
            self.leave(worst);
            place = self
                .active
                .binary_search(&peer)
                .unwrap_or_else(|place| place);
        }
        // A tree that works stays as it is: a new link in it would close a circle, and which of its
        // links is pruned for that is chance. Whoever presses in is to be fed at once.
        let eager = force || self.config.eager_min > 1 || !self.is_fed();
        if let Some(link) = self.links.get_mut(&peer) {
            link.eager = eager;
        }
        self.active.insert(place, peer);
        if !eager {
            self.send_control(peer, GossipFrame::Prune);
        }
        self.active_changed = true;
        self.announce_recent(peer);
        true
    }

    /// The neighbour that goes first, and its score.
    fn worst_active(&mut self) -> Option<(i64, NodeId)> {
        let dialled = self.active.iter().filter(|id| self.is_dialled(id)).count();
        let kept = dialled <= self.kept_dialled();
        let mut ranked: Vec<(i64, u64, NodeId)> = Vec::with_capacity(self.active.len());
        for id in &self.active {
            if kept && self.is_dialled(id) {
                continue;
            }
            let score = self
                .links
                .get(id)
                .map_or(i64::MIN, |link| link.score.total());
            ranked.push((score, self.rng.next_u64(), *id));
        }
        let worst = ranked.into_iter().min();
        worst.map(|(score, _, id)| (score, id))
    }

    fn leave(&mut self, peer: NodeId) {
        if self.deactivate(peer) {
            if let Some(link) = self.links.get_mut(&peer) {
                link.dismissed_until = self.now.mono + REFUSED_PAUSE;
            }
            self.send_control(peer, GossipFrame::Leave);
        }
    }

    fn deactivate(&mut self, peer: NodeId) -> bool {
        let Ok(place) = self.active.binary_search(&peer) else {
            return false;
        };
        self.active.remove(place);
        self.active_changed = true;
        if let Some(link) = self.links.get_mut(&peer) {
            link.announce.clear();
            let (eager, fed) = (link.eager, link.fed);
            if eager {
                self.tear(fed);
            }
            self.lead.lose(&peer);
        }
        true
    }

    fn ask(&mut self, peer: NodeId) {
        let alone = self.active.is_empty();
        // A node that nobody has room for would end on an island with others like it.
        let urgent = 2 * self.active.len() < self.config.active_size();
        let now = self.now.mono;
        if let Some(link) = self.links.get_mut(&peer)
            && link.asked.is_none_or(|at| now.since(at) >= ASK_TIMEOUT)
        {
            link.asked = Some(now);
            let frame = if alone {
                GossipFrame::Join
            } else {
                GossipFrame::Neighbor { urgent }
            };
            self.send_control(peer, frame);
        }
    }

    pub(crate) fn hint_of(&self, peer: &NodeId) -> Option<PeerHint> {
        let addresses = &self.links.get(peer)?.addresses;
        Some(PeerHint {
            id: *peer,
            addresses: BoundedVec::truncated(addresses.iter().copied()),
        })
    }

    /// A random linked peer; every other time one outside the active view, if there is one. An
    /// island of neighbours that know only each other is left over such a link.
    pub(crate) fn random_link(&mut self) -> Option<NodeId> {
        let outside: Vec<NodeId> = self
            .links
            .keys()
            .copied()
            .filter(|peer| !self.is_active(peer))
            .collect();
        if self.rng.chance(1, 2)
            && let Some(one) = self.rng.choose(&outside).copied()
        {
            // Of two the better one: silent links may be many.
            let other = self.rng.choose(&outside).copied().unwrap_or(one);
            let score = |peer: &NodeId| self.links.get(peer).map(|link| link.score.total());
            return Some(if score(&other) > score(&one) {
                other
            } else {
                one
            });
        }
        let linked: Vec<NodeId> = self.links.keys().copied().collect();
        self.rng.choose(&linked).copied()
    }

    pub(crate) fn random_active(&mut self, except: &[NodeId]) -> Option<NodeId> {
        let others: Vec<NodeId> = self
            .active
            .iter()
            .copied()
            .filter(|id| !except.contains(id))
            .collect();
        self.rng.choose(&others).copied()
    }
}
