//! Faults that fall by themselves, now and then: cuts of several shapes, crashes, pauses, clocks.

use crate::{Host, World, world::Happening};

/// What falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Split,
    SplitOneWay,
    Flap,
    Swizzle,
    Pause,
    Crash,
    Jump,
}

/// A cut to come.
#[derive(Clone)]
pub(crate) struct Planned {
    from: Vec<usize>,
    to: Vec<usize>,
    both_ways: bool,
    lasts_ms: u64,
}

/// How often a flapping cut comes back.
const FLAPS: core::ops::Range<u64> = 3..9;

impl<H: Host> World<H> {
    /// Plans the first strike of each kind that the faults know.
    pub(crate) fn plan_chaos(&mut self) {
        self.chaos += 1;
        for kind in [
            Strike::Split,
            Strike::SplitOneWay,
            Strike::Flap,
            Strike::Swizzle,
            Strike::Pause,
            Strike::Crash,
            Strike::Jump,
        ] {
            self.plan_strike(kind);
        }
    }

    const fn every_ms(&self, kind: Strike) -> u64 {
        let faults = &self.faults;
        match kind {
            Strike::Split => faults.partition_every_ms,
            Strike::SplitOneWay => faults.one_way_every_ms,
            Strike::Flap => faults.flap_every_ms,
            Strike::Swizzle => faults.swizzle_every_ms,
            Strike::Pause => faults.pause_every_ms,
            Strike::Crash => faults.crash_every_ms,
            Strike::Jump => faults.jump_every_ms,
        }
    }

    fn plan_strike(&mut self, kind: Strike) {
        let every = self.every_ms(kind);
        if every > 0 {
            let at = self.now_ms + self.rng.range(1..every.saturating_mul(2));
            let chaos = self.chaos;
            self.queue.push(at, Happening::Strike { chaos, kind });
        }
    }

    /// One strike, and the plan for the next of its kind.
    pub(crate) fn strike(&mut self, chaos: u64, kind: Strike) {
        if chaos != self.chaos || self.nodes.is_empty() {
            return;
        }
        self.plan_strike(kind);
        match kind {
            Strike::Split => self.split(true),
            Strike::SplitOneWay => self.split(false),
            Strike::Flap => self.flap(),
            Strike::Swizzle => self.swizzle(),
            Strike::Pause => self.pause_one(),
            Strike::Crash => self.crash_one(),
            Strike::Jump => self.jump_one(),
        }
    }

    /// A cut that was planned begins.
    pub(crate) fn begin(&mut self, chaos: u64, planned: &Planned) {
        if chaos == self.chaos {
            let cut = self.cut(&planned.from, &planned.to, planned.both_ways);
            let end = self.now_ms + planned.lasts_ms;
            self.queue.push(end, Happening::Mend { cut });
        }
    }

    /// Random nodes, at least one and at most half, and the others.
    fn some_and_rest(&mut self) -> (Vec<usize>, Vec<usize>) {
        let mut members: Vec<_> = (0..self.nodes.len()).collect();
        self.rng.shuffle(&mut members);
        let share = self.up_to(members.len() as u64 / 2) as usize;
        let rest = members.split_off(share.min(members.len()));
        (members, rest)
    }

    fn up_to(&mut self, max: u64) -> u64 {
        self.rng.range(1..max.max(1) + 1)
    }

    /// Cuts a random part of the nodes off for a random time.
    fn split(&mut self, both_ways: bool) {
        let (some, rest) = self.some_and_rest();
        let outwards = both_ways || self.rng.chance(1, 2);
        let cut = if outwards {
            self.cut(&some, &rest, both_ways)
        } else {
            self.cut(&rest, &some, both_ways)
        };
        let end = self.now_ms + self.up_to(self.faults.partition_ms_max);
        self.queue.push(end, Happening::Mend { cut });
    }

    /// The same cut comes and goes several times.
    fn flap(&mut self) {
        self.stats.flaps += 1;
        let (some, rest) = self.some_and_rest();
        let mut at = self.now_ms;
        for _ in 0..self.rng.range(FLAPS) {
            let lasts_ms = self.up_to(self.faults.flap_ms_max);
            let planned = Planned {
                from: some.clone(),
                to: rest.clone(),
                both_ways: true,
                lasts_ms,
            };
            self.plan_cut(at, planned);
            at += lasts_ms + self.up_to(self.faults.flap_ms_max);
        }
    }

    /// Nodes are cut off one by one, and come back one by one in another order.
    fn swizzle(&mut self) {
        self.stats.swizzles += 1;
        let span = self.faults.swizzle_ms_max.max(1);
        let (some, _) = self.some_and_rest();
        for one in some {
            let begins = self.rng.below(span);
            let ends = span + self.rng.below(span);
            let planned = Planned {
                from: vec![one],
                to: (0..self.nodes.len())
                    .filter(|other| *other != one)
                    .collect(),
                both_ways: true,
                lasts_ms: ends - begins,
            };
            self.plan_cut(self.now_ms + begins, planned);
        }
    }

    fn plan_cut(&mut self, at: u64, planned: Planned) {
        let (chaos, planned) = (self.chaos, Box::new(planned));
        self.queue.push(at, Happening::Begin { chaos, planned });
    }

    fn any_node(&mut self) -> usize {
        self.rng.below(self.nodes.len() as u64) as usize
    }

    /// Freezes a random node for a random time.
    fn pause_one(&mut self) {
        let node = self.any_node();
        let free = |node: &crate::world::Node<H>| node.host.is_some() && node.paused.is_none();
        if !self.nodes.get(node).is_some_and(free) {
            return;
        }
        self.pause(node);
        let end = self.now_ms + self.up_to(self.faults.pause_ms_max);
        if let Some(life) = self.life(node) {
            self.queue.push(end, Happening::Resume { node, life });
        }
    }

    /// Crashes a random node and plans its return.
    fn crash_one(&mut self) {
        let node = self.any_node();
        if self.reviver.is_none() || self.life(node).is_none() {
            return;
        }
        self.kill(node);
        let down = self.up_to(self.faults.down_ms_max);
        if let Some(life) = self.nodes.get(node).map(|node| node.life) {
            self.queue
                .push(self.now_ms + down, Happening::Revive { node, life });
        }
    }

    pub(crate) fn revive(&mut self, index: usize, life: u64) {
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        if node.host.is_some() || node.life != life || self.reviver.is_none() {
            return;
        }
        let Some(dead) = node.dead.take() else { return };
        // Out of the world while it builds the host, which the world lends out meanwhile.
        let Some(mut reviver) = self.reviver.take() else {
            return;
        };
        self.restart(index, |seat| reviver(seat, dead));
        self.reviver = Some(reviver);
    }

    /// The wall clock of a random node jumps, forward or back.
    fn jump_one(&mut self) {
        let index = self.any_node();
        let by = i64::try_from(self.up_to(self.faults.jump_ms_max)).unwrap_or(i64::MAX);
        let by = if self.rng.chance(1, 2) { by } else { -by };
        let Some(node) = self.nodes.get_mut(index) else {
            return;
        };
        node.right_offset_ms.get_or_insert(node.wall_offset_ms);
        self.stats.clock_jumps += 1;
        self.set_wall_offset_ms(index, by);
    }

    /// Sets a clock that jumped right again.
    pub(crate) fn unjump(&mut self, index: usize) {
        let jumped = self.nodes.get_mut(index);
        if let Some(offset) = jumped.and_then(|node| node.right_offset_ms.take()) {
            self.set_wall_offset_ms(index, offset);
        }
    }

    /// Whether the faults made the wall clock of this node jump, and nothing has set it right.
    pub fn has_jumped(&self, index: usize) -> bool {
        let node = self.nodes.get(index);
        node.is_some_and(|node| node.right_offset_ms.is_some())
    }
}
