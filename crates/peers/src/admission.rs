//! Who gets a link: the policy at the door, and who leaves when the house is full.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Address, BoundedVec, Fixed, TokenBucket};
use repute_identity::NodeId;
use repute_protocol::{
    DisconnectReason, Frame, Handshake, HandshakeAck, Misbehaviour, PeerHint, limits::HINTS_MAX,
};

use crate::{
    Event, LinkId, Output, Peers,
    book::{Entered, now_ms, source_of},
    engine::compact,
    link::{Link, farewell, newer_stays},
    reach::{Group, Reach, fits, reach},
};

/// Two links that come up within this time of each other are a simultaneous dial.
const TOGETHER: Duration = Duration::from_secs(5);
/// A link is not evicted before this age, so that two newcomers do not push each other out in turn.
const TENURE: Duration = Duration::from_secs(30);
/// A peer without a link is named to others for this long after it was last reached.
const HINT_AGE_MS: i64 = 3_600_000;

impl Peers {
    pub(crate) fn link_up(
        &mut self,
        peer: NodeId,
        id: LinkId,
        handshake: &Handshake,
        remote: Address,
        inbound: bool,
    ) {
        let feeler = !inbound && self.dialling.finish(&peer);
        if inbound && !self.count_attempt(peer) {
            self.accuse(peer, Misbehaviour::ConnectionFlood);
            return self.refuse(peer, id, DisconnectReason::Overload, inbound);
        }
        if self.speak(peer, id, inbound) {
            return;
        }
        let replaces = match self.admissible(peer, &remote, inbound) {
            Ok(replaces) => replaces,
            Err(reason) => {
                if self.hears(peer, id, handshake, (reason, inbound)) {
                    return;
                }
                self.show_elsewhere(peer, remote, inbound, reason);
                return self.refuse(peer, id, reason, inbound);
            }
        };
        match self.learn(peer, &[], 0) {
            Entered::Already => {}
            Entered::New { .. } => self.trace(peer, None),
            Entered::NoRoom => {
                let reason = DisconnectReason::Full;
                self.show_elsewhere(peer, remote, inbound, reason);
                return self.refuse(peer, id, reason, inbound);
            }
        }
        self.met(peer, handshake, remote, inbound);
        if feeler && !replaces && !self.is_short() {
            return self.felt(peer, id);
        }
        if replaces {
            self.replace(peer);
        }
        let control = TokenBucket::new(
            self.limits.control_per_second,
            self.limits.control_burst,
            self.now.mono,
        );
        let since = (self.now.mono, self.now.wall);
        self.links.insert(
            peer,
            Link::new(id, inbound, remote, handshake, control, since),
        );
        self.half_open += 1;
        if inbound {
            self.visited_by(&peer);
        }
        // A dial of ours that met this link half-way is answered by it.
        self.dialling.finish(&peer);
        self.dialling.found(&peer);
        let ack = HandshakeAck {
            observed: remote,
            peers: self.hints(peer, &remote),
        };
        self.send(peer, Frame::HandshakeAck(ack));
    }

    /// Whether a link may stand, and whether it takes the place of another to the same peer.
    fn admissible(
        &mut self,
        peer: NodeId,
        remote: &Address,
        inbound: bool,
    ) -> Result<bool, DisconnectReason> {
        if self.is_stopped() {
            return Err(DisconnectReason::Shutdown);
        }
        if peer == self.me {
            return Err(DisconnectReason::Duplicate);
        }
        self.standing(&peer)?;
        if self.is_barred(remote) {
            return Err(DisconnectReason::Banned);
        }
        if let Some(first) = self.links.get(&peer) {
            let together = self.now.mono.since(first.since) < TOGETHER;
            return if newer_stays((self.me, peer), (first.inbound, inbound), together) {
                Ok(true)
            } else {
                Err(DisconnectReason::Duplicate)
            };
        }
        if self.half_open >= self.limits.half_open_max {
            return Err(DisconnectReason::Overload);
        }
        let joined = self.book.get(&peer).is_some_and(|entry| entry.joined);
        if !joined && self.group_is_full(remote) {
            return Err(DisconnectReason::Diversity);
        }
        if self.has_room(inbound) || self.evict_for(peer) {
            return Ok(false);
        }
        Err(DisconnectReason::Full)
    }

    fn group_is_full(&self, remote: &Address) -> bool {
        let strict = self.config.loopback_strict;
        let group = Group::of(remote, strict);
        let same = self
            .links
            .values()
            .filter(|link| Group::of(&link.remote, strict) == group);
        same.count() >= self.config.prefix_links_max
    }

    /// Inbound links leave the outbound slots free, whatever happens.
    fn has_room(&self, inbound: bool) -> bool {
        let inbound_max = self
            .config
            .max_peers
            .saturating_sub(self.config.outbound_slots)
            .max(1);
        let inbound_now = self.links.values().filter(|link| link.inbound).count();
        let links = self.links.len().saturating_sub(self.visits.len());
        links < self.config.max_peers && (!inbound || inbound_now < inbound_max)
    }

    /// Makes room for a peer by evicting an inbound one that is worth less.
    fn evict_for(&mut self, newcomer: NodeId) -> bool {
        let (trust, useful) = self
            .book
            .get(&newcomer)
            .map_or((Fixed::HALF, false), |entry| (entry.trust, entry.useful));
        let Some((victim, victim_useful, victim_trust)) = self.weakest() else {
            return false;
        };
        // Newcomers displace only newcomers; those who have proved useful go by trust.
        let weaker = if victim_useful {
            useful && victim_trust < trust
        } else {
            useful || victim_trust <= trust
        };
        if weaker {
            self.close(victim, DisconnectReason::Evicted);
        }
        weaker
    }

    /// The inbound link that goes first: never useful before useful, then the lowest trust, then
    /// the most crowded prefix, then the youngest. A quarter is safe for its age, a quarter for
    /// its trust, the links of the broadcast tree always.
    fn weakest(&self) -> Option<(NodeId, bool, Fixed)> {
        let strict = self.config.loopback_strict;
        let mut crowd: BTreeMap<Group, usize> = BTreeMap::new();
        for link in self.links.values() {
            *crowd.entry(Group::of(&link.remote, strict)).or_default() += 1;
        }
        let standing = |id: &NodeId| {
            self.book
                .get(id)
                .map_or((Fixed::HALF, false), |entry| (entry.trust, entry.useful))
        };
        let mut candidates: Vec<(NodeId, &Link)> = self
            .links
            .iter()
            .filter(|(_, link)| link.inbound && link.admitted)
            .filter(|(id, _)| !self.protected.contains(*id))
            .map(|(id, link)| (*id, link))
            .collect();
        let safe = candidates.len() / 4;
        candidates.sort_by_key(|(id, link)| (link.since, *id));
        candidates.drain(..safe);
        candidates.sort_by_key(|(id, _)| (core::cmp::Reverse(standing(id).0), *id));
        let safe = candidates
            .iter()
            .take(safe)
            .take_while(|(id, _)| standing(id).0 > Fixed::HALF)
            .count();
        candidates.drain(..safe);
        candidates
            .into_iter()
            .filter(|(_, link)| self.now.mono.since(link.since) >= TENURE)
            .min_by_key(|(id, link)| {
                let (trust, useful) = standing(id);
                let crowd = crowd
                    .get(&Group::of(&link.remote, strict))
                    .copied()
                    .unwrap_or(0);
                (useful, trust, core::cmp::Reverse((crowd, link.since)), *id)
            })
            .map(|(id, _)| {
                let (trust, useful) = standing(&id);
                (id, useful, trust)
            })
    }

    /// Takes a token for a connection attempt of this peer.
    fn count_attempt(&mut self, peer: NodeId) -> bool {
        let (rate, burst) = (self.limits.attempts_per_second, self.limits.attempts_burst);
        let full = self.attempts.len() >= self.limits.attempts_tracked_max;
        if full && !self.attempts.contains_key(&peer) {
            let place = self.rng.below(self.attempts.len() as u64);
            let victim = usize::try_from(place)
                .ok()
                .and_then(|at| self.attempts.keys().nth(at));
            if let Some(victim) = victim.copied() {
                self.attempts.remove(&victim);
            }
        }
        let mono = self.now.mono;
        self.attempts
            .entry(peer)
            .or_insert_with(|| TokenBucket::new(rate, burst, mono))
            .take(mono, 1)
    }

    fn refuse(&mut self, peer: NodeId, link: LinkId, reason: DisconnectReason, inbound: bool) {
        let disconnect = farewell(reason);
        if !inbound && !self.links.contains_key(&peer) {
            self.rest(peer, false, disconnect.retry());
            self.visit_over(peer, true);
        }
        self.emit(Output::Close {
            peer,
            link,
            disconnect,
        });
        self.event(Event::Refused { peer, reason });
    }

    /// Whoever comes while there is no room learns of others before it is turned away: else a
    /// network could not grow beyond the slots of the peer that newcomers know.
    fn show_elsewhere(
        &mut self,
        peer: NodeId,
        remote: Address,
        inbound: bool,
        reason: DisconnectReason,
    ) {
        let lacks_room = matches!(reason, DisconnectReason::Full | DisconnectReason::Diversity);
        if inbound && lacks_room {
            let peers = self.hints(peer, &remote);
            let ack = HandshakeAck {
                observed: remote,
                peers,
            };
            self.send(peer, Frame::HandshakeAck(ack));
        }
    }

    /// A feeler found the peer where it was said to be: that was all it was for.
    fn felt(&mut self, peer: NodeId, link: LinkId) {
        let disconnect = farewell(DisconnectReason::Full);
        self.rest(peer, true, disconnect.retry());
        self.persist(peer);
        self.emit(Output::Close {
            peer,
            link,
            disconnect,
        });
    }

    /// The newer link takes over; gossip sees an end and a beginning.
    fn replace(&mut self, peer: NodeId) {
        let Some(old) = self.detach(peer) else { return };
        let disconnect = farewell(DisconnectReason::Duplicate);
        self.emit(Output::Close {
            peer,
            link: old.id,
            disconnect,
        });
        if old.admitted {
            let reason = Some(DisconnectReason::Duplicate);
            self.event(Event::Disconnected { peer, reason });
        }
    }

    /// Notes what a handshake says. Where a routable peer listens is believed only for the host
    /// it was seen at: a handshake cannot point the network at somebody else.
    fn met(&mut self, peer: NodeId, handshake: &Handshake, remote: Address, inbound: bool) {
        let same_host =
            |address: &Address| reach(&remote) != Reach::Routable || address.ip() == remote.ip();
        let mut addresses: Vec<Address> = handshake
            .listen
            .iter()
            .copied()
            .filter(|address| fits(address, &remote) && same_host(address))
            .collect();
        if inbound {
            addresses.truncate(crate::Limits::ADDRESSES_KEPT - 1);
            addresses.push(remote);
        } else {
            addresses.insert(0, remote);
        }
        let (mono, wall) = (self.now.mono, self.now.wall);
        let Some(entry) = self.book.get_mut(&peer) else {
            return;
        };
        entry.prefer(&addresses);
        entry.inception = Some(handshake.inception);
        entry.capabilities = Some(compact(&handshake.capabilities));
        entry.last_seen = wall;
        entry.last_connected = Some(wall);
        entry.seen_ms = now_ms(mono);
    }

    /// The peer admitted the link too.
    pub(crate) fn admitted(&mut self, peer: NodeId, ack: HandshakeAck) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.admitted {
            // The acknowledgement of a link that this one replaced: no fault.
            return;
        }
        link.admitted = true;
        let (inbound, remote) = (link.inbound, link.remote);
        self.refusals.forget(&peer);
        self.half_open = self.half_open.saturating_sub(1);
        self.detector.add(peer);
        self.dialling.satisfied(&peer);
        let Some(entry) = self.book.get(&peer) else {
            return;
        };
        let Some(inception) = entry.inception else {
            return;
        };
        let addresses = entry.addresses.clone();
        let capabilities = entry.capabilities.as_deref().unwrap_or_default().to_vec();
        self.emit(Output::PeerUp {
            peer,
            addresses,
            inbound,
            inception,
            capabilities,
        });
        self.event(Event::Connected { peer, inbound });
        self.event(Event::Observed {
            by: peer,
            address: ack.observed,
        });
        self.persist(peer);
        self.hinted(peer, &remote, ack.peers.into_vec());
        if self.is_short() {
            self.ask_newcomer(peer);
            self.dialling.soon(self.now.mono);
        } else if !self.owed().is_empty() {
            self.dialling.soon(self.now.mono);
        }
    }

    /// Believes a first list of peers as addresses to try, no more.
    fn hinted(&mut self, from: NodeId, remote: &Address, hints: Vec<PeerHint>) {
        for hint in hints {
            let addresses: Vec<Address> = hint
                .addresses
                .into_iter()
                .filter(|address| fits(address, remote))
                .collect();
            if addresses.is_empty() {
                continue;
            }
            if let Entered::New { .. } = self.learn(hint.id, &addresses, source_of(from)) {
                self.trace(hint.id, Some(from));
                self.event(Event::Discovered {
                    peer: hint.id,
                    by: Some(from),
                });
            } else if let Some(entry) = self.book.get_mut(&hint.id)
                && entry.last_connected.is_none()
                && entry.record_seq.is_none()
                && entry.failures > 0
                && !entry.joined
            {
                // What is known led nowhere: the newer hearsay gets its chance.
                entry.prefer(&addresses);
                self.trace(hint.id, Some(from));
            }
        }
    }

    /// Peers worth trying: only those that this node itself has reached, so that made-up
    /// addresses do not spread.
    fn hints(&mut self, to: NodeId, remote: &Address) -> BoundedVec<PeerHint, HINTS_MAX> {
        let mono = self.now.mono;
        let mut fresh: Vec<NodeId> = self
            .book
            .iter()
            .filter(|(id, entry)| {
                **id != to
                    && (self.links.get(*id).is_some_and(|link| link.admitted)
                        || (entry.last_connected.is_some()
                            && entry.failures == 0
                            && entry.age_ms(mono) < HINT_AGE_MS))
            })
            .map(|(id, _)| *id)
            .collect();
        self.rng.shuffle(&mut fresh);
        let hints = fresh.iter().filter_map(|id| {
            let entry = self.book.get(id)?;
            self.standing(id).ok()?;
            let addresses: BoundedVec<_, _> = BoundedVec::truncated(
                entry
                    .addresses
                    .iter()
                    .copied()
                    .filter(|address| fits(address, remote)),
            );
            (!addresses.is_empty()).then_some(PeerHint { id: *id, addresses })
        });
        BoundedVec::truncated(hints)
    }
}
