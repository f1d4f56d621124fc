//! Links: who is there, where, and whether it has a place in the table.

use alloc::vec::Vec;

use repute_base::{Address, Fixed};
use repute_identity::NodeId;
use repute_protocol::limits::CONTACT_ADDRESSES_MAX;

use crate::{Dht, Limits, Output, diversity::fits, link::Link, table::Place};

/// What the trust engine thinks of a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) trust: Fixed,
    pub(crate) closed: bool,
}

impl Dht {
    pub(crate) fn is_closed(&self, peer: &NodeId) -> bool {
        self.standings.get(peer).is_some_and(|one| one.closed)
    }

    fn trust(&self, peer: &NodeId) -> Fixed {
        self.standings
            .get(peer)
            .map_or(Fixed::HALF, |one| one.trust)
    }

    pub(crate) fn on_link_up(
        &mut self,
        peer: NodeId,
        remote: Address,
        listen: &[Address],
        server: bool,
        inbound: bool,
    ) {
        let now = self.now.mono;
        self.reach.linked(&remote, inbound, now);
        // A dialled address is proven; of those that a peer claims, the one that it is seen at is
        // likelier, since nobody can be seen where it is not.
        let mut addresses: Vec<Address> = Vec::with_capacity(CONTACT_ADDRESSES_MAX);
        let dialled = (!inbound).then_some(remote);
        let seen = listen.iter().filter(|one| one.ip() == remote.ip());
        let others = listen.iter().filter(|one| one.ip() != remote.ip());
        for address in dialled.iter().chain(seen).chain(others) {
            if addresses.len() < CONTACT_ADDRESSES_MAX
                && fits(address, &remote)
                && !addresses.contains(address)
            {
                addresses.push(*address);
            }
        }
        let waiting = self.dials.remove(&peer);
        if let Some(link) = self.links.get_mut(&peer) {
            // A second link replaces the first: what was asked over that one is lost.
            link.asked = 0;
            let ours = link.ours || waiting.is_some();
            self.links.remove(&peer);
            self.fail_requests_to(peer);
            self.insert_link(peer, remote, server, ours);
        } else {
            self.insert_link(peer, remote, server, waiting.is_some());
        }
        if let Some(numbers) = waiting {
            self.send_waiting(peer, numbers);
        }
        if !server || self.is_closed(&peer) {
            self.table.remove(&peer);
            return;
        }
        let trust = self.trust(&peer);
        let place = self.table.admit(peer, addresses, now, true, trust);
        if place == Place::New {
            self.contacts_changed = true;
            self.on_newcomer(peer);
        }
        self.on_company();
    }

    fn insert_link(&mut self, peer: NodeId, remote: Address, server: bool, ours: bool) {
        let now = self.now.mono;
        let mut link = Link::new(remote, server, &self.limits, now);
        link.ours = ours;
        self.links.insert(peer, link);
        if ours {
            self.idle_at.get_or_insert(now + self.config.link_idle);
        }
    }

    pub(crate) fn on_link_down(&mut self, peer: NodeId) {
        if self.links.remove(&peer).is_none() {
            return;
        }
        self.table.unlinked(&peer);
        self.fail_requests_to(peer);
    }

    pub(crate) fn on_unreachable(&mut self, peer: NodeId) {
        let Some(numbers) = self.dials.remove(&peer) else {
            return;
        };
        self.stats.unreachable += 1;
        self.table.failed(&peer);
        for number in numbers {
            self.fail_request(number);
        }
    }

    pub(crate) fn on_standing(&mut self, peer: NodeId, trust: Fixed, closed: bool) {
        self.standings.insert(peer, Standing { trust, closed });
        if closed {
            self.table.remove(&peer);
        } else {
            self.table.trusted(&peer, trust);
        }
    }

    /// Gives back links that were made for the DHT and are quiet.
    pub(crate) fn unlink_idle(&mut self) {
        let now = self.now.mono;
        if self.idle_at.is_none_or(|at| at > now) {
            return;
        }
        let idle = self.config.link_idle;
        let mut quiet = Vec::new();
        let mut next = None;
        for (peer, link) in self.links.iter_mut().filter(|(_, link)| link.ours) {
            let until = link.used + idle;
            if until <= now && link.asked == 0 {
                link.ours = false;
                quiet.push(*peer);
            } else {
                let at = until.max(now + idle / 4);
                next = Some(next.map_or(at, |next: repute_base::Mono| next.min(at)));
            }
        }
        self.idle_at = next;
        for peer in quiet {
            self.emit(Output::Unlink { peer });
        }
    }

    /// Something came over a peer's link.
    pub(crate) fn on_heard(&mut self, peer: &NodeId) {
        let now = self.now.mono;
        // Entries fresher than half of what counts as fresh need no touch.
        let fresh = |heard| now.since(heard) < Limits::FRESH / 2;
        if self
            .table
            .find(peer)
            .is_some_and(|one| one.failures > 0 || !fresh(one.heard))
        {
            self.table.heard(peer, now);
        }
    }
}
