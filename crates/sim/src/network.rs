//! How packets travel: dials, links, datagrams.

use repute_base::{Address, Rng};
use repute_identity::NodeId;

use crate::{
    DialError, Host, HostEvent, LinkEnd, World,
    link::{Cargo, Link, Side, pair},
    world::Happening,
};

/// How long a dial waits before it asks again.
const SYN_RETRY_MS: u64 = 1_000;
/// Transmissions of one packet after which the next is not lost, so that a link never stops.
const RETRANSMISSIONS_MAX: u64 = 12;

impl<H: Host> World<H> {
    /// How long one packet takes, without faults. A pair of nodes keeps its base delay.
    fn delay_ms(&mut self, a: usize, b: usize) -> u64 {
        let (low, high) = pair(a, b);
        let mixed =
            self.seed ^ ((low as u64) << 32 | high as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let faults = &self.faults;
        let span = faults.delay_ms_min..faults.delay_ms_max.saturating_add(1);
        let base = Rng::from_u64(mixed).range(span);
        let jitter = faults.jitter_ms_max.saturating_add(1);
        base.saturating_add(self.rng.below(jitter))
    }

    fn odds(&mut self, permille: u64) -> bool {
        permille > 0 && self.rng.chance(permille, 1_000)
    }

    /// How long a packet takes on a link, where a loss costs time.
    fn link_delay_ms(&mut self, from: usize, to: usize) -> u64 {
        let delay = self.delay_ms(from, to);
        let mut total = delay;
        for attempt in 0..RETRANSMISSIONS_MAX {
            if !self.odds(self.faults.loss_permille) {
                break;
            }
            self.stats.lost += 1;
            // As QUIC's probe timeout: about three one-way delays, doubled up to a bound.
            total = total.saturating_add((3 * delay + 20) << attempt.min(4));
        }
        total
    }

    pub(crate) fn dial(&mut self, from: usize, address: Address, expected: Option<NodeId>) {
        self.serials += 1;
        let dial = self.serials;
        let target = self.by_address.get(&address).copied();
        let Some(life) = self.life(from) else { return };
        if let Some(node) = self.nodes.get_mut(from) {
            node.dials.insert(dial, address);
        }
        let end = |error| Happening::DialEnd {
            node: from,
            life,
            dial,
            error,
        };
        let Some(to) = target else {
            let delay = self.delay_ms(from, from);
            self.queue
                .push(self.now_ms + 2 * delay, end(DialError::Unreachable));
            return;
        };
        if to == from {
            self.queue.push(self.now_ms, end(DialError::Oneself));
            return;
        }
        let there = self.delay_ms(from, to);
        if expected.is_some_and(|id| self.id(to) != Some(id)) {
            self.queue
                .push(self.now_ms + 2 * there, end(DialError::WrongIdentity));
            return;
        }
        self.queue
            .push(self.now_ms + there, Happening::Syn { from, to, dial });
        self.queue.push(
            self.now_ms + self.faults.dial_timeout_ms,
            end(DialError::Timeout),
        );
    }

    /// A dial reaches its target, which accepts.
    pub(crate) fn syn(&mut self, from: usize, to: usize, dial: u64) {
        let pending = self
            .nodes
            .get(from)
            .is_some_and(|node| node.dials.contains_key(&dial));
        if !pending {
            return;
        }
        let cut = self.is_cut(from, to);
        let lost = self.odds(self.faults.loss_permille);
        self.stats.cut_off += u64::from(cut);
        self.stats.lost += u64::from(lost);
        let down = self.life(to).is_none();
        if down && !cut && !lost && self.faults.refused_when_down {
            return self.refuse_dial(from, to, dial, DialError::Unreachable);
        }
        if cut || lost || down {
            self.queue.push(
                self.now_ms + SYN_RETRY_MS,
                Happening::Syn { from, to, dial },
            );
            return;
        }
        let key = pair(from, to);
        if let Some(link) = self.links.get(&key) {
            if link.side(from, to) != Side::Down {
                return self.refuse_dial(from, to, dial, DialError::AlreadyLinked);
            }
            // The dialler has lost that link; only this side still believes in it.
            self.break_link(key);
        }
        self.serials += 1;
        let serial = self.serials;
        self.links.insert(key, Link::new(serial, dial, from, to));
        for (here, there) in [(from, to), (to, from)] {
            if let Some(node) = self.nodes.get_mut(here) {
                node.links.insert(there);
            }
        }
        self.put(to, from, Cargo::Accept);
        self.link_up(to, from, false);
    }

    /// The answer to a dial is no.
    fn refuse_dial(&mut self, from: usize, to: usize, dial: u64, error: DialError) {
        let back = self.delay_ms(from, to);
        if let Some(life) = self.life(from) {
            let end = Happening::DialEnd {
                node: from,
                life,
                dial,
                error,
            };
            self.queue.push(self.now_ms + back, end);
        }
    }

    fn link_up(&mut self, node: usize, other: usize, dialled: bool) {
        if let (Some(peer), Some(address)) = (self.id(other), self.address(other)) {
            self.deliver(
                node,
                other,
                HostEvent::LinkUp {
                    peer,
                    address,
                    dialled,
                },
            );
        }
    }

    pub(crate) fn send(&mut self, from: usize, to: NodeId, packet: H::Packet) {
        self.stats.packets_sent += 1;
        let to = self.index_of(&to).filter(|to| {
            self.links
                .get(&pair(from, *to))
                .is_some_and(|link| link.side(from, *to) == Side::Up)
        });
        match to {
            Some(to) => self.put(from, to, Cargo::Packet(packet)),
            None => self.stats.packets_dropped += 1,
        }
    }

    /// Puts something on the link that `from` and `to` have.
    fn put(&mut self, from: usize, to: usize, cargo: Cargo<H::Packet>) {
        let is_packet = matches!(cargo, Cargo::Packet(_));
        let mut at = self.now_ms + self.link_delay_ms(from, to);
        let late = is_packet && self.odds(self.faults.reorder_permille);
        let again = is_packet && self.odds(self.faults.duplicate_permille);
        let echo = if again {
            at + self.delay_ms(from, to)
        } else {
            0
        };
        let extra = if late {
            self.rng.range(1..self.faults.reorder_ms_max.max(1) + 1)
        } else {
            0
        };
        let far = is_packet && self.odds(self.faults.late_permille);
        self.stats.late += u64::from(far);
        let extra = extra + if far { self.faults.late_ms } else { 0 };
        let late = late || far;
        let Some(link) = self.links.get_mut(&pair(from, to)) else {
            return;
        };
        let serial = link.serial;
        let end = link.end(to, from);
        if late {
            self.stats.reordered += 1;
            at = at.max(end.in_order_ms) + extra;
        } else if is_packet {
            at = at.max(end.in_order_ms);
            end.in_order_ms = at;
        } else {
            // The first word opens and the last word closes: nothing overtakes them.
            at = at.max(end.last_ms);
            end.in_order_ms = at;
        }
        let copy_at = echo.max(at);
        end.last_ms = end.last_ms.max(at);
        if again {
            self.stats.duplicated += 1;
            end.last_ms = end.last_ms.max(copy_at);
            let cargo = cargo.clone();
            self.queue.push(
                copy_at,
                Happening::Stream {
                    from,
                    to,
                    serial,
                    cargo,
                },
            );
        }
        self.queue.push(
            at,
            Happening::Stream {
                from,
                to,
                serial,
                cargo,
            },
        );
    }

    /// Something arrives over a link.
    pub(crate) fn stream(&mut self, from: usize, to: usize, serial: u64, cargo: Cargo<H::Packet>) {
        let cut = self.is_cut(from, to);
        let key = pair(from, to);
        let Some(link) = self
            .links
            .get_mut(&key)
            .filter(|link| link.serial == serial)
        else {
            self.stats.packets_dropped += u64::from(matches!(cargo, Cargo::Packet(_)));
            return;
        };
        if cut {
            self.stats.cut_off += 1;
            link.end(to, from).held.push_back(cargo);
            self.stall(key);
            return;
        }
        match (link.side(to, from), cargo) {
            (Side::Opening, Cargo::Accept) => {
                let dial = link.dial;
                self.opened(to, from, dial);
            }
            (Side::Opening, cargo) => link.end(to, from).held.push_back(cargo),
            (Side::Up, Cargo::Packet(packet)) => self.receive(to, from, packet),
            (Side::Up, Cargo::Fin) => self.drop_link(key, to, from, LinkEnd::There),
            (Side::Up, Cargo::Reset) => {
                self.stats.links_lost += 1;
                self.drop_link(key, to, from, LinkEnd::Lost);
            }
            (Side::Down, Cargo::Packet(_)) => {
                self.stats.packets_dropped += 1;
                if self.life(to).is_some() || self.faults.refused_when_down {
                    self.put(to, from, Cargo::Reset);
                }
            }
            _ => {}
        }
    }

    /// The answer to a dial is here.
    fn opened(&mut self, node: usize, other: usize, dial: u64) {
        let known = self
            .nodes
            .get_mut(node)
            .is_some_and(|node| node.dials.remove(&dial).is_some());
        let key = pair(node, other);
        let Some(link) = self.links.get_mut(&key) else {
            return;
        };
        let serial = link.serial;
        let end = link.end(node, other);
        if !known {
            // Given up long ago.
            end.side = Side::Down;
            end.held.clear();
            self.put(node, other, Cargo::Fin);
            return;
        }
        end.side = Side::Up;
        let early = core::mem::take(&mut end.held);
        self.stats.links_opened += 1;
        self.link_up(node, other, true);
        for cargo in early {
            self.stream(other, node, serial, cargo);
        }
    }

    fn receive(&mut self, node: usize, other: usize, packet: H::Packet) {
        if let Some(from) = self.id(other) {
            self.stats.packets_delivered += 1;
            self.stats.bytes_delivered += H::size(&packet) as u64;
            self.deliver(node, other, HostEvent::Packet { from, packet });
        }
    }

    /// Forgets the link, of which `node` was the last end, and tells it.
    fn drop_link(&mut self, key: (usize, usize), node: usize, other: usize, end: LinkEnd) {
        self.forget_link(key);
        self.link_down(node, other, end);
    }

    pub(crate) fn forget_link(&mut self, key: (usize, usize)) {
        self.links.remove(&key);
        for (here, there) in [key, (key.1, key.0)] {
            if let Some(node) = self.nodes.get_mut(here) {
                node.links.remove(&there);
            }
        }
    }

    pub(crate) fn close(&mut self, node: usize, peer: NodeId) {
        let Some(other) = self.index_of(&peer) else {
            return;
        };
        let key = pair(node, other);
        let Some(link) = self.links.get_mut(&key) else {
            return;
        };
        if link.side(node, other) != Side::Up {
            return;
        }
        let end = link.end(node, other);
        end.side = Side::Down;
        end.held.clear();
        let dead = link.is_dead();
        self.plan_closed(node, other);
        if dead {
            self.forget_link(key);
        } else {
            self.put(node, other, Cargo::Fin);
        }
    }

    pub(crate) fn send_datagram(&mut self, from: usize, to: NodeId, packet: H::Packet) {
        self.stats.datagrams_sent += 1;
        let Some(to) = self.index_of(&to) else { return };
        if self.odds(self.faults.loss_permille) {
            self.stats.lost += 1;
            return;
        }
        if self.odds(self.faults.duplicate_permille) {
            self.stats.duplicated += 1;
            let at = self.now_ms + self.delay_ms(from, to) + self.delay_ms(from, to);
            self.queue.push(
                at,
                Happening::Datagram {
                    from,
                    to,
                    packet: packet.clone(),
                },
            );
        }
        let mut at = self.now_ms + self.delay_ms(from, to);
        if self.odds(self.faults.reorder_permille) {
            self.stats.reordered += 1;
            at += self.rng.range(1..self.faults.reorder_ms_max.max(1) + 1);
        }
        self.queue
            .push(at, Happening::Datagram { from, to, packet });
    }

    pub(crate) fn datagram_arrives(&mut self, from: usize, to: usize, packet: H::Packet) {
        if self.is_cut(from, to) {
            self.stats.cut_off += 1;
        } else if let (Some(id), Some(_)) = (self.id(from), self.life(to)) {
            self.stats.datagrams_delivered += 1;
            self.deliver(to, from, HostEvent::Datagram { from: id, packet });
        }
    }
}
