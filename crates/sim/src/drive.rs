//! What happens when its moment has come.

use crate::{
    Accusation, DialError, Host, HostEvent, LinkEnd, Outbox, World, host::Act, world::Happening,
};

impl<H: Host> World<H> {
    pub(crate) fn happen(&mut self, happening: Happening<H::Packet>) {
        self.stats.happenings += 1;
        let Some(happening) = self.park(happening) else {
            return;
        };
        match happening {
            Happening::Tick { node, life } => self.tick(node, life),
            Happening::Syn { from, to, dial } => self.syn(from, to, dial),
            Happening::DialEnd {
                node,
                life,
                dial,
                error,
            } => {
                if self.life(node) == Some(life) {
                    self.dial_failed(node, dial, error);
                }
            }
            Happening::Stream {
                from,
                to,
                serial,
                cargo,
            } => self.stream(from, to, serial, cargo),
            Happening::Datagram { from, to, packet } => self.datagram_arrives(from, to, packet),
            Happening::Closed { node, life, peer } => {
                if self.life(node) == Some(life) {
                    self.link_down(node, peer, LinkEnd::Here);
                }
            }
            Happening::Expire {
                pair,
                serial,
                stall,
            } => self.expire(pair, serial, stall),
            Happening::Strike { chaos, kind } => self.strike(chaos, kind),
            Happening::Begin { chaos, planned } => self.begin(chaos, &planned),
            Happening::Mend { cut } => self.heal_cut(cut),
            Happening::Resume { node, life } => {
                if self.life(node) == Some(life) {
                    self.resume(node);
                }
            }
            Happening::Revive { node, life } => self.revive(node, life),
        }
    }

    /// Keeps what happens to a paused node until it resumes.
    fn park(&mut self, happening: Happening<H::Packet>) -> Option<Happening<H::Packet>> {
        let node = match &happening {
            Happening::Tick { node, .. }
            | Happening::DialEnd { node, .. }
            | Happening::Closed { node, .. } => *node,
            Happening::Syn { to, .. }
            | Happening::Stream { to, .. }
            | Happening::Datagram { to, .. } => *to,
            _ => return Some(happening),
        };
        match self
            .nodes
            .get_mut(node)
            .and_then(|node| node.paused.as_mut())
        {
            Some(parked) => {
                parked.push(happening);
                None
            }
            None => Some(happening),
        }
    }

    fn tick(&mut self, index: usize, life: u64) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        // An earlier plan for another moment, or for an earlier life.
        if node.life != life || node.tick_ms.is_none_or(|due| due > now_ms) {
            return;
        }
        node.tick_ms = None;
        node.last_tick_ms = Some(now_ms);
        self.stats.ticks += 1;
        self.deliver(index, usize::MAX, HostEvent::Tick);
    }

    /// Hands an event to a host and does what it asks for.
    pub(crate) fn deliver(&mut self, index: usize, other: usize, event: HostEvent<H::Packet>) {
        let Some(now) = self.clock(index) else { return };
        let (what, size) = match &event {
            HostEvent::Start => (b's', 0),
            HostEvent::Tick => (b't', 0),
            HostEvent::LinkUp { dialled, .. } => (b'u', usize::from(*dialled)),
            HostEvent::LinkDown { end, .. } => (b'd', *end as usize),
            HostEvent::DialFailed { error, .. } => (b'f', *error as usize),
            HostEvent::Packet { packet, .. } => (b'p', H::size(packet)),
            HostEvent::Datagram { packet, .. } => (b'g', H::size(packet)),
        };
        let Some(host) = self
            .nodes
            .get_mut(index)
            .and_then(|node| node.host.as_mut())
        else {
            return;
        };
        let mut out = Outbox::new();
        host.handle(now, event, &mut out);
        self.trace.record(self.now_ms, index, what, other, size);
        self.after(index, out);
    }

    /// Does what a host asked for and plans its next tick.
    pub(crate) fn after(&mut self, index: usize, out: Outbox<H::Packet>) {
        for act in out.acts {
            match act {
                Act::Send { to, packet } => self.send(index, to, packet),
                Act::Datagram { to, packet } => self.send_datagram(index, to, packet),
                Act::Dial { address, expected } => self.dial(index, address, expected),
                Act::Close { peer } => self.close(index, peer),
                Act::Accuse { peer, kind } => {
                    if let Some(by) = self.id(index) {
                        self.keep_accusation(Accusation {
                            at: self.now(),
                            by,
                            of: peer,
                            kind,
                        });
                    }
                }
            }
        }
        self.examine(index);
        self.plan_tick(index);
    }

    fn plan_tick(&mut self, index: usize) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        let Some(host) = node.host.as_ref() else {
            return;
        };
        let Some(deadline) = host.next_deadline() else {
            node.tick_ms = None;
            return;
        };
        // A host whose deadline stays in the past would stop the world's clock.
        let earliest = node
            .last_tick_ms
            .map_or(now_ms, |last| now_ms.max(last + 1));
        let due = node
            .boot_ms
            .saturating_add(deadline.as_millis())
            .max(earliest);
        if node.tick_ms == Some(due) {
            return;
        }
        node.tick_ms = Some(due);
        let life = node.life;
        self.queue.push(due, Happening::Tick { node: index, life });
    }

    pub(crate) fn dial_failed(&mut self, index: usize, dial: u64, error: DialError) {
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        // Answered before.
        let Some(address) = node.dials.remove(&dial) else {
            return;
        };
        self.stats.dials_failed += 1;
        self.deliver(index, usize::MAX, HostEvent::DialFailed { address, error });
    }
}
