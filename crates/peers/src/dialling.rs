//! Whom to dial and when: slots, order, back-off, feelers, anchors.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use repute_base::{Address, Fixed, Mono};
use repute_identity::NodeId;
use repute_protocol::{Disconnect, DisconnectReason};

use crate::{
    Config, DialFailure, Event, Output, Peers, Write,
    book::Entry,
    lineage::{Owed, root_of},
    reach::Group,
};

/// How often the book is searched while links are short.
const SEARCH_SHORT: Duration = Duration::from_millis(500);
/// How often it is searched otherwise.
const SEARCH_CALM: Duration = Duration::from_secs(5);
/// How often anchors are chosen and the forgotten are cleared.
const MAINTAIN: Duration = Duration::from_secs(60);
/// Rounds of maintenance between two writes of the active peers.
const PERSIST_ROUNDS: u64 = 10;
/// Entries forgotten in one round.
const FORGET_MAX: usize = 64;
/// The longest pause before an anchor, a named or a lost peer is tried again.
const PAUSE_MISSED_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Dial {
    since: Mono,
    feeler: bool,
}

/// Dials under way and the timers around them.
#[derive(Debug, Default)]
pub(crate) struct Dialling {
    under_way: BTreeMap<NodeId, Dial>,
    wanted: VecDeque<NodeId>,
    /// Peers that fell silent without a goodbye, the latest last.
    lost: VecDeque<NodeId>,
    search_at: Mono,
    /// Searches since the last that found somebody, or since something happened.
    vain: u32,
    feeler_at: Mono,
    maintain_at: Mono,
    rounds: u64,
}

impl Dialling {
    pub(crate) fn start(&mut self, now: Mono, config: &Config) {
        self.search_at = now;
        self.feeler_at = now + config.feeler_interval;
        self.maintain_at = now + MAINTAIN;
    }

    /// Who is being dialled.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &NodeId> {
        self.under_way.keys()
    }

    pub(crate) fn is_under_way(&self, peer: &NodeId) -> bool {
        self.under_way.contains_key(peer)
    }

    /// Ends a dial; true if it was a feeler.
    pub(crate) fn finish(&mut self, peer: &NodeId) -> bool {
        self.under_way.remove(peer).is_some_and(|dial| dial.feeler)
    }

    /// Remembers that a link to this peer is wanted; the oldest wish goes when there are too many.
    pub(crate) fn want(&mut self, peer: NodeId, max: usize) {
        if self.wanted.contains(&peer) {
            return;
        }
        if self.wanted.len() >= max {
            self.wanted.pop_front();
        }
        self.wanted.push_back(peer);
    }

    /// Remembers that a link broke without a goodbye; the oldest loss goes when there are too many.
    pub(crate) fn lose(&mut self, peer: NodeId, max: usize) {
        self.lost.retain(|lost| *lost != peer);
        self.lost.push_back(peer);
        if self.lost.len() > max {
            self.lost.pop_front();
        }
    }

    pub(crate) fn found(&mut self, peer: &NodeId) {
        self.lost.retain(|lost| lost != peer);
    }

    pub(crate) fn is_lost(&self, peer: &NodeId) -> bool {
        self.lost.contains(peer)
    }

    pub(crate) fn satisfied(&mut self, peer: &NodeId) {
        self.wanted.retain(|wanted| wanted != peer);
    }

    /// The book is searched by then.
    pub(crate) fn soon(&mut self, at: Mono) {
        self.vain = 0;
        self.search_at = self.search_at.min(at);
    }

    /// Until the next search, which finds nobody again if nothing happens meanwhile.
    fn search_pause(&mut self, short: bool) -> Duration {
        let pause = SEARCH_SHORT.saturating_mul(1_u32.checked_shl(self.vain).unwrap_or(u32::MAX));
        self.vain = self.vain.saturating_add(1);
        if short {
            pause.min(SEARCH_CALM)
        } else {
            SEARCH_CALM
        }
    }

    pub(crate) fn deadline(&self, patience: Duration) -> Mono {
        let oldest = self
            .under_way
            .values()
            .map(|dial| dial.since + patience)
            .min();
        let timers = self.search_at.min(self.feeler_at).min(self.maintain_at);
        oldest.map_or(timers, |oldest| oldest.min(timers))
    }
}

/// Who may be dialled.
struct Candidate {
    /// The least first: class, distrust, failures, lot.
    rank: (u8, u64, u16, u64),
    id: NodeId,
    group: Group,
    root: u32,
}

impl Peers {
    fn outbound(&self) -> usize {
        let dialled = self.links.values().filter(|link| !link.inbound).count();
        (dialled + self.dialling.under_way.len()).saturating_sub(self.visits.len())
    }

    /// Links and dials, but for those of one conversation.
    fn taken(&self) -> usize {
        let all = self.links.len() + self.dialling.under_way.len();
        all.saturating_sub(self.visits.len())
    }

    /// Whether there are fewer links, or fewer of our own choosing, than there should be.
    pub(crate) fn is_short(&self) -> bool {
        let floor = self.config.min_peers.min(self.config.outbound_slots);
        self.taken() < self.config.min_peers || self.outbound() < floor
    }

    fn free_slots(&self) -> usize {
        let outbound = self.config.outbound_slots.saturating_sub(self.outbound());
        let dials = self
            .limits
            .dials_max
            .saturating_sub(self.dialling.under_way.len());
        outbound
            .min(dials)
            .min(self.config.max_peers.saturating_sub(self.taken()))
    }

    /// Dials while slots are free and somebody is worth it.
    pub(crate) fn fill(&mut self) {
        let mono = self.now.mono;
        if !self.is_running() || mono < self.dialling.search_at {
            return;
        }
        self.keep_visits();
        let short = self.is_short();
        self.dialling.search_at = mono + self.dialling.search_pause(short);
        if self.free_slots() == 0 {
            return;
        }
        let owed = self.owed();
        let mut candidates = self.candidates(short, &owed);
        if short && !candidates.is_empty() {
            self.dialling.soon(mono + SEARCH_SHORT);
        }
        candidates.sort_unstable_by_key(|one| (one.rank, one.id));
        self.dial_by_group(&candidates, owed);
    }

    /// Dials in rounds over address prefixes: nobody's second link before everybody's first. What
    /// named peers are owed is kept free for what they tell of, unless links are short.
    fn dial_by_group(&mut self, candidates: &[Candidate], mut owed: Owed) {
        let strict = self.config.loopback_strict;
        let mut outbound: BTreeMap<Group, usize> = BTreeMap::new();
        let dialled = self
            .dialling
            .under_way
            .keys()
            .filter_map(|id| self.book.get(id)?.group(strict));
        let linked = self.links.values().filter(|link| !link.inbound);
        let linked = linked.map(|link| Group::of(&link.remote, strict));
        for group in dialled.chain(linked).collect::<Vec<_>>() {
            *outbound.entry(group).or_default() += 1;
        }
        for level in 0..self.config.prefix_outbound_max {
            for one in candidates {
                let (class, ..) = one.rank;
                let count = outbound.entry(one.group).or_default();
                let named = class <= CLASS_JOINED;
                if (!named && *count != level) || self.dialling.is_under_way(&one.id) {
                    continue;
                }
                let free = self.free_slots();
                if free == 0 {
                    return;
                }
                let kept = self.kept_for(&owed);
                let lacks = owed.get_mut(&one.root);
                let due = named || lacks.is_some() || self.is_short();
                if !due && (class == CLASS_OTHER || free <= kept) {
                    continue;
                }
                if let Some(lacks) = lacks {
                    *lacks -= 1;
                    owed.retain(|_, lacks| *lacks > 0);
                }
                *count += 1;
                self.dial(one.id, false);
            }
        }
    }

    /// All peers that may be dialled now: trusted enough, not connected, seen within the timeout,
    /// not resting.
    fn candidates(&mut self, short: bool, owed: &Owed) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (id, entry) in self.book.iter() {
            let root = root_of(id, entry);
            let class = match entry {
                Entry { anchor: true, .. } => CLASS_ANCHOR,
                Entry { joined: true, .. } => CLASS_JOINED,
                // What was lost is looked for although links are plenty: the other half of a torn
                // network is missed by nobody who has peers enough in this one.
                _ if self.dialling.wanted.contains(id) || self.dialling.is_lost(id) => CLASS_WANTED,
                _ if short || owed.contains_key(&root) => CLASS_OTHER,
                _ => continue,
            };
            if let Some(group) = self.eligible(id, entry) {
                // Trust in steps of a tenth, so that equals are drawn by lot.
                let distrust = (Fixed::ONE - entry.trust).max(Fixed::ZERO).raw() * 10;
                let distrust = u64::try_from(distrust >> Fixed::FRACTION_BITS).unwrap_or(0);
                found.push(Candidate {
                    rank: (class, distrust, entry.failures, 0),
                    id: *id,
                    group,
                    root,
                });
            }
        }
        for one in &mut found {
            one.rank.3 = self.rng.next_u64();
        }
        found
    }

    fn eligible(&self, id: &NodeId, entry: &Entry) -> Option<Group> {
        let named = entry.anchor || entry.joined;
        let timeout = i64::try_from(self.config.peer_timeout.as_millis()).unwrap_or(i64::MAX);
        let fresh = named || entry.age_ms(self.now.mono) <= timeout;
        let free = !self.links.contains_key(id) && !self.dialling.is_under_way(id);
        if !fresh || !free || entry.not_before > self.now.mono || self.standing(id).is_err() {
            return None;
        }
        if !self.barred.is_empty() && self.open_addresses(entry).is_empty() {
            return None;
        }
        entry.group(self.config.loopback_strict)
    }

    pub(crate) fn dial(&mut self, peer: NodeId, feeler: bool) {
        let Some(entry) = self.book.get(&peer) else {
            return;
        };
        let addresses = self.open_addresses(entry);
        self.dialling.satisfied(&peer);
        self.dial_at(peer, addresses, feeler);
    }

    pub(crate) fn dial_at(&mut self, peer: NodeId, addresses: Vec<Address>, feeler: bool) {
        self.dialling.under_way.insert(
            peer,
            Dial {
                since: self.now.mono,
                feeler,
            },
        );
        self.emit(Output::Dial { peer, addresses });
    }

    /// Tries one address that nobody of ours has reached yet, by a short connection.
    pub(crate) fn feel(&mut self) {
        let mono = self.now.mono;
        if mono < self.dialling.feeler_at {
            return;
        }
        self.dialling.feeler_at = mono + self.rng.jitter(self.config.feeler_interval, 20);
        if self.is_short() || self.free_slots() == 0 {
            return;
        }
        let untried: Vec<NodeId> = self
            .book
            .iter()
            .filter(|(id, entry)| {
                entry.last_connected.is_none() && self.eligible(id, entry).is_some()
            })
            .map(|(id, _)| *id)
            .collect();
        if let Some(peer) = self.rng.choose(&untried).copied() {
            self.dial(peer, true);
        }
    }

    pub(crate) fn dial_failed(&mut self, peer: NodeId, cause: DialFailure) {
        if !self.dialling.is_under_way(&peer) {
            return;
        }
        self.dialling.finish(&peer);
        self.unspoken(peer);
        let retry = match &cause {
            DialFailure::Refused(disconnect) => {
                self.refused_by(peer, disconnect);
                disconnect.retry()
            }
            _ => Duration::ZERO,
        };
        // A link that the peer dialled meanwhile outlives the failure of ours.
        let duplicate = matches!(
            cause,
            DialFailure::Refused(Disconnect {
                reason: DisconnectReason::Duplicate,
                ..
            })
        );
        if !self.links.contains_key(&peer) {
            self.rest(peer, duplicate, retry);
        }
        if !self.links.contains_key(&peer) {
            self.visit_over(peer, true);
        }
        self.event(Event::DialFailed { peer, cause });
        self.dialling
            .soon(self.now.mono + Duration::from_millis(100));
    }

    pub(crate) fn expire_dials(&mut self) {
        let (mono, patience) = (self.now.mono, self.limits.dial_timeout);
        let dials = &self.dialling.under_way;
        let late: Vec<NodeId> = dials
            .iter()
            .filter(|(_, dial)| mono.since(dial.since) >= patience)
            .map(|(id, _)| *id)
            .collect();
        for peer in late {
            self.dial_failed(peer, DialFailure::Unreachable);
        }
    }

    /// No dial to this peer for a while: the back-off doubles with each failure, with jitter, and
    /// honours the pause the peer asked for, up to a bound.
    pub(crate) fn rest(&mut self, peer: NodeId, success: bool, retry: Duration) {
        let Some(entry) = self.book.get_mut(&peer) else {
            return;
        };
        entry.failures = if success {
            0
        } else {
            entry.failures.saturating_add(1)
        };
        let doublings = u32::from(entry.failures.saturating_sub(1)).min(20);
        let missed = entry.anchor || entry.joined || self.dialling.is_lost(&peer);
        let longest = if missed {
            PAUSE_MISSED_MAX
        } else {
            self.config.backoff_max
        };
        let longest = longest.min(self.config.backoff_max);
        let pause = self
            .config
            .backoff_min
            .saturating_mul(1 << doublings)
            .min(longest);
        // Never shorter than the minimum: a hundred reconnects a minute are nobody's honest rate.
        let pause = self.config.backoff_min + self.rng.jitter(pause / 2, 100);
        let asked = retry.min(self.limits.retry_max);
        let asked = asked + self.rng.jitter(asked / 8, 100);
        entry.not_before = self.now.mono + pause.max(asked);
    }

    /// Once a minute: anchors, forgetting, writing.
    pub(crate) fn maintain(&mut self) {
        let mono = self.now.mono;
        if mono < self.dialling.maintain_at {
            return;
        }
        self.dialling.maintain_at = mono + MAINTAIN;
        self.dialling.rounds += 1;
        self.choose_anchors();
        self.forget_stale();
        let active: Vec<NodeId> = self.active().collect();
        let write = self.dialling.rounds.is_multiple_of(PERSIST_ROUNDS);
        for peer in active {
            if let Some(entry) = self.book.get_mut(&peer) {
                entry.last_seen = self.now.wall;
                entry.last_connected = Some(self.now.wall);
                entry.seen_ms = crate::book::now_ms(mono);
            }
            if write {
                self.persist(peer);
            }
        }
    }

    /// A silent peer is forgotten: after the timeout once dials have failed, after twice the
    /// timeout in any case.
    fn forget_stale(&mut self) {
        let timeout = i64::try_from(self.config.peer_timeout.as_millis()).unwrap_or(i64::MAX);
        let mono = self.now.mono;
        let stale: Vec<NodeId> = self
            .book
            .iter()
            .filter(|(id, entry)| {
                let age = entry.age_ms(mono);
                let gone = age > timeout.saturating_mul(2) || (age > timeout && entry.failures > 2);
                gone && !entry.joined
                    && !entry.anchor
                    && !self.links.contains_key(*id)
                    && !self.dialling.is_under_way(id)
            })
            .map(|(id, _)| *id)
            .take(FORGET_MAX)
            .collect();
        for peer in stale {
            if let Some(entry) = self.book.remove(&peer) {
                self.forgotten(peer, entry.persisted);
            }
        }
    }

    /// The oldest links of our own choosing, one for each prefix first, and named peers in turn by
    /// what they told of. Without any, the earlier
    /// choice stands: an attacker who cuts all links must not choose the next ones.
    pub(crate) fn choose_anchors(&mut self) {
        let strict = self.config.loopback_strict;
        let mut best: Vec<(bool, Mono, NodeId, Group)> = self
            .links
            .iter()
            .filter(|(id, link)| !link.inbound && link.admitted && self.standing(id).is_ok())
            .map(|(id, link)| {
                let doubted = self
                    .book
                    .get(id)
                    .is_none_or(|entry| entry.trust < Fixed::HALF);
                (doubted, link.since, *id, Group::of(&link.remote, strict))
            })
            .collect();
        if best.is_empty() {
            return;
        }
        best.sort_unstable();
        let mut groups = Vec::new();
        let mut of_root: BTreeMap<u32, usize> = BTreeMap::new();
        let mut ranked: Vec<(bool, usize, usize, NodeId)> = Vec::new();
        for (place, (_, _, id, group)) in best.into_iter().enumerate() {
            let again = groups.contains(&group);
            groups.push(group);
            let nth = of_root.entry(self.root_through(id)).or_default();
            ranked.push((again, *nth, place, id));
            *nth += 1;
        }
        ranked.sort_unstable();
        let mut chosen: Vec<NodeId> = ranked
            .into_iter()
            .map(|(.., id)| id)
            .take(self.limits.anchors_max)
            .collect();
        chosen.sort_unstable();
        let before: Vec<NodeId> = self
            .book
            .iter()
            .filter(|(_, entry)| entry.anchor)
            .map(|(id, _)| *id)
            .collect();
        if chosen == before {
            return;
        }
        for (id, entry) in self.book.iter_mut() {
            entry.anchor = chosen.binary_search(id).is_ok();
        }
        self.emit(Output::Persist(Write::Anchors(chosen)));
    }
}

const CLASS_ANCHOR: u8 = 0;
const CLASS_JOINED: u8 = 1;
const CLASS_WANTED: u8 = 2;
const CLASS_OTHER: u8 = 3;
