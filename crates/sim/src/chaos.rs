//! What breaks: cuts, crashes, pauses, and links that time out.

use crate::{
    Faults, Host, LinkEnd, Seat, World,
    link::{Cargo, Link, Side, pair},
    world::{Cut, Happening},
};

impl<H: Host> World<H> {
    /// Cuts the nodes of `a` off from those of `b`, both ways. Returns a number for
    /// [`World::heal_cut`]. Links across are lost once they time out.
    pub fn partition(&mut self, a: &[usize], b: &[usize]) -> u64 {
        self.cut(a, b, true)
    }

    /// Nothing from `from` reaches `to` any more; the other way stays open.
    pub fn partition_one_way(&mut self, from: &[usize], to: &[usize]) -> u64 {
        self.cut(from, to, false)
    }

    pub(crate) fn cut(&mut self, from: &[usize], to: &[usize], both_ways: bool) -> u64 {
        let flags = |members: &[usize]| {
            let mut flags = vec![false; self.nodes.len()];
            for &index in members {
                if let Some(flag) = flags.get_mut(index) {
                    *flag = true;
                }
            }
            flags
        };
        let (from, to) = (flags(from), flags(to));
        self.serials += 1;
        let id = self.serials;
        self.cuts.push(Cut {
            id,
            from,
            to,
            both_ways,
        });
        self.stats.partitions += 1;
        self.stats.one_way += u64::from(!both_ways);
        self.trace.record(
            self.now_ms,
            usize::MAX,
            b'c',
            usize::MAX,
            usize::from(both_ways),
        );
        for key in self.links_where(|world, a, b| world.is_cut(a, b) || world.is_cut(b, a)) {
            self.stall(key);
        }
        id
    }

    /// Ends every cut.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.mended();
    }

    /// Ends one cut.
    pub fn heal_cut(&mut self, cut: u64) {
        self.cuts.retain(|other| other.id != cut);
        self.mended();
    }

    /// Lets the links go on whose way is free again, with what was held.
    fn mended(&mut self) {
        self.trace
            .record(self.now_ms, usize::MAX, b'h', usize::MAX, self.cuts.len());
        for key in self.links_where(|_, _, _| true) {
            let (low, high) = key;
            let reachable = !self.is_unreachable(low) && !self.is_unreachable(high);
            let ways =
                [(low, high), (high, low)].map(|(from, to)| (from, to, self.is_cut(from, to)));
            let Some(link) = self.links.get_mut(&key).filter(|link| link.stalled) else {
                continue;
            };
            // A link that one end has forgotten is lost whatever heals.
            let whole = link.side(low, high) != Side::Down && link.side(high, low) != Side::Down;
            if whole && reachable && ways.iter().all(|(_, _, cut)| !cut) {
                link.stalled = false;
                link.stalls += 1;
            }
            let serial = link.serial;
            for (from, to, cut) in ways {
                if !cut {
                    self.release(from, to, serial);
                }
            }
        }
    }

    /// Hands over what was held on a link, before anything that is still under way.
    fn release(&mut self, from: usize, to: usize, serial: u64) {
        let Some(link) = self.links.get_mut(&pair(from, to)) else {
            return;
        };
        let end = link.end(to, from);
        // What came before the answer to the dial goes on waiting for it.
        if end.side == Side::Opening && !matches!(end.held.front(), Some(Cargo::Accept)) {
            return;
        }
        for cargo in core::mem::take(&mut end.held) {
            self.happen(Happening::Stream {
                from,
                to,
                serial,
                cargo,
            });
        }
    }

    fn is_unreachable(&self, index: usize) -> bool {
        self.nodes
            .get(index)
            .is_none_or(|node| node.host.is_none() || node.paused.is_some())
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        let has = |flags: &[bool], index: usize| flags.get(index).copied().unwrap_or(false);
        self.cuts.iter().any(|cut| {
            has(&cut.from, from) && has(&cut.to, to)
                || cut.both_ways && has(&cut.from, to) && has(&cut.to, from)
        })
    }

    fn links_where(&self, wanted: impl Fn(&Self, usize, usize) -> bool) -> Vec<(usize, usize)> {
        let mut keys: Vec<_> = self
            .links
            .keys()
            .copied()
            .filter(|&(a, b)| wanted(self, a, b))
            .collect();
        keys.sort_unstable();
        keys
    }

    /// Starts the clock after which a link without answer is lost.
    pub(crate) fn stall(&mut self, key: (usize, usize)) {
        let Some(link) = self.links.get_mut(&key).filter(|link| !link.stalled) else {
            return;
        };
        link.stalled = true;
        link.stalls += 1;
        let expire = Happening::Expire {
            pair: key,
            serial: link.serial,
            stall: link.stalls,
        };
        self.queue
            .push(self.now_ms + self.faults.link_timeout_ms, expire);
    }

    pub(crate) fn expire(&mut self, key: (usize, usize), serial: u64, stall: u64) {
        let stale = |link: &Link<_>| link.serial == serial && link.stalled && link.stalls == stall;
        if self.links.get(&key).is_some_and(stale) {
            self.break_link(key);
        }
    }

    /// Takes a link away and tells both ends that were up.
    pub(crate) fn break_link(&mut self, key: (usize, usize)) {
        let (low, high) = key;
        let Some(link) = self.links.get(&key) else {
            return;
        };
        let sides = [
            (low, high, link.side(low, high)),
            (high, low, link.side(high, low)),
        ];
        self.forget_link(key);
        self.stats.links_lost += 1;
        for (node, other, side) in sides {
            if side == Side::Up {
                self.link_down(node, other, LinkEnd::Lost);
            }
        }
    }

    /// Stops a node dead, as `kill -9` does: it sends nothing more, and its peers find out when
    /// their links time out. Returns the host, so that a test may carry its disk over.
    pub fn crash(&mut self, index: usize) -> Option<H> {
        self.kill(index);
        self.nodes.get_mut(index)?.dead.take()
    }

    pub(crate) fn kill(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        let Some(host) = node.host.take() else { return };
        node.dead = Some(host);
        node.life += 1;
        node.tick_ms = None;
        node.paused = None;
        node.dials.clear();
        let peers: Vec<_> = node.links.iter().copied().collect();
        self.stats.crashes += 1;
        self.trace
            .record(self.now_ms, index, b'k', usize::MAX, peers.len());
        for peer in peers {
            let key = pair(index, peer);
            let Some(link) = self.links.get_mut(&key) else {
                continue;
            };
            let end = link.end(index, peer);
            end.side = Side::Down;
            end.held.clear();
            if link.is_dead() {
                self.forget_link(key);
            } else {
                self.stall(key);
            }
        }
    }

    /// Starts a crashed node again, with its id and address. `false` if it is up.
    pub fn restart(&mut self, index: usize, make: impl FnOnce(Seat) -> H) -> bool {
        if self.nodes.get(index).is_none_or(|node| node.host.is_some()) {
            return false;
        }
        self.stats.restarts += 1;
        self.start(index, make);
        true
    }

    /// How the crashes of [`Faults::crash_every_ms`] end: `make` is given the dead host and builds
    /// the next life of it. Without this there are no such crashes.
    pub fn restart_with(&mut self, make: impl FnMut(Seat, H) -> H + 'static) {
        self.reviver = Some(Box::new(make));
    }

    /// Freezes a node, as SIGSTOP does: what comes for it waits, its peers hear nothing.
    pub fn pause(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        if node.host.is_none() || node.paused.is_some() {
            return;
        }
        node.paused = Some(Vec::new());
        self.stats.pauses += 1;
        let peers: Vec<_> = node.links.iter().copied().collect();
        self.trace
            .record(self.now_ms, index, b'z', usize::MAX, peers.len());
        for peer in peers {
            self.stall(pair(index, peer));
        }
    }

    /// Lets a paused node go on.
    pub fn resume(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        let Some(parked) = node.paused.take() else {
            return;
        };
        // Before anything else that is due now, so that links keep their order.
        for happening in parked {
            self.happen(happening);
        }
        self.mended();
    }

    /// Ends all faults but the delays: cuts heal, clocks that jumped are set right, paused nodes go
    /// on, crashed nodes come back if [`World::restart_with`] said how. From here on the network
    /// must converge.
    pub fn calm(&mut self) {
        self.set_faults(self.faults.calmed());
        self.heal();
        for index in 0..self.nodes.len() {
            self.unjump(index);
            self.resume(index);
            if let Some(life) = self.nodes.get(index).map(|node| node.life) {
                self.revive(index, life);
            }
        }
    }

    /// Changes the faults from here on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.plan_chaos();
    }
}
