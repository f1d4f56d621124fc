use repute_base::Rng;

/// What the network does to the nodes. All times are virtual milliseconds, all odds per thousand.
///
/// The default is a quiet network: 5 to 40 ms between two nodes, nothing lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// The shortest one-way delay a pair of nodes may have.
    pub delay_ms_min: u64,
    /// The longest one-way delay a pair may have; each pair draws its own once.
    pub delay_ms_max: u64,
    /// Drawn anew for each packet and added to the delay of its pair.
    pub jitter_ms_max: u64,
    /// Odds that a transmission is lost. A datagram is gone; a link sends again, which takes time.
    pub loss_permille: u64,
    /// Odds that a packet arrives twice.
    pub duplicate_permille: u64,
    /// Odds that a packet is overtaken by those behind it. While zero, links keep their order.
    pub reorder_permille: u64,
    /// How late an overtaken packet may be.
    pub reorder_ms_max: u64,
    /// Odds that a packet of a link is late by [`Faults::late_ms`] and overtaken meanwhile.
    pub late_permille: u64,
    /// How late such a packet is.
    pub late_ms: u64,
    /// Each node's wall clock is off by up to this much, either way.
    pub clock_skew_ms_max: u64,
    /// How long a link that can no longer carry anything is believed in.
    pub link_timeout_ms: u64,
    /// How long a dial without an answer is tried.
    pub dial_timeout_ms: u64,
    /// Whether the machine of a crashed node goes on answering for it, as TCP does for a process
    /// that has died: what is sent to it comes back as a reset, and dials fail after one round
    /// trip. Otherwise it is silent.
    pub refused_when_down: bool,
    /// A random part of the nodes is cut off about this often; zero for never.
    pub partition_every_ms: u64,
    /// The same in one direction only.
    pub one_way_every_ms: u64,
    /// The longest such a cut lasts.
    pub partition_ms_max: u64,
    /// A cut begins to come and go about this often; zero for never.
    pub flap_every_ms: u64,
    /// The longest that such a cut stays open or closed.
    pub flap_ms_max: u64,
    /// Nodes are cut off one by one, to come back in another order, about this often; zero for
    /// never.
    pub swizzle_every_ms: u64,
    /// How long it takes until all of them are cut off, and then until none is.
    pub swizzle_ms_max: u64,
    /// A random node freezes about this often; zero for never.
    pub pause_every_ms: u64,
    /// The longest that a node is frozen.
    pub pause_ms_max: u64,
    /// The wall clock of a random node jumps about this often; zero for never. It stays wrong until
    /// [`World::calm`](crate::World::calm).
    pub jump_every_ms: u64,
    /// How far a wall clock jumps, either way.
    pub jump_ms_max: u64,
    /// A random node crashes about this often; zero for never. Needs
    /// [`World::restart_with`](crate::World::restart_with).
    pub crash_every_ms: u64,
    /// The longest a crashed node stays down.
    pub down_ms_max: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_ms_min: 5,
            delay_ms_max: 40,
            jitter_ms_max: 3,
            loss_permille: 0,
            duplicate_permille: 0,
            reorder_permille: 0,
            reorder_ms_max: 80,
            late_permille: 0,
            late_ms: 2_000,
            clock_skew_ms_max: 0,
            link_timeout_ms: 10_000,
            dial_timeout_ms: 5_000,
            refused_when_down: false,
            partition_every_ms: 0,
            one_way_every_ms: 0,
            partition_ms_max: 20_000,
            flap_every_ms: 0,
            flap_ms_max: 3_000,
            swizzle_every_ms: 0,
            swizzle_ms_max: 8_000,
            pause_every_ms: 0,
            pause_ms_max: 20_000,
            jump_every_ms: 0,
            jump_ms_max: 3_600_000,
            crash_every_ms: 0,
            down_ms_max: 20_000,
        }
    }
}

impl Faults {
    /// A quiet network.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every packet fault at once, without cuts or crashes: 10 % loss, 5 % duplicates, 5 %
    /// overtaken by up to 2 s, clocks off by up to 2 s.
    pub fn rough() -> Self {
        Self {
            jitter_ms_max: 40,
            loss_permille: 100,
            duplicate_permille: 50,
            reorder_permille: 50,
            reorder_ms_max: 2_000,
            clock_skew_ms_max: 2_000,
            ..Self::default()
        }
    }

    /// Another mixture for each seed. Each kind is present in half of the seeds, at a random
    /// strength: some runs meet one kind alone, and find what hides behind the others.
    pub fn random(seed: u64) -> Self {
        // Not the stream that the world draws from with the same seed.
        let mut rng = Rng::from_u64(seed ^ 0x5eed_fa17_0000_0001);
        let mut draw = |max: u64| {
            if rng.chance(1, 2) {
                rng.range(1..max + 1)
            } else {
                0
            }
        };
        Self {
            jitter_ms_max: draw(75),
            loss_permille: draw(300),
            duplicate_permille: draw(500),
            reorder_permille: draw(100),
            reorder_ms_max: 2_000,
            clock_skew_ms_max: draw(60_000),
            partition_every_ms: draw(60_000),
            one_way_every_ms: draw(60_000),
            crash_every_ms: draw(60_000),
            ..Self::default()
        }
    }

    /// The same network without its faults: delays and time limits stay, also the clocks.
    #[must_use]
    pub fn calmed(&self) -> Self {
        Self {
            loss_permille: 0,
            duplicate_permille: 0,
            reorder_permille: 0,
            late_permille: 0,
            partition_every_ms: 0,
            one_way_every_ms: 0,
            flap_every_ms: 0,
            swizzle_every_ms: 0,
            pause_every_ms: 0,
            jump_every_ms: 0,
            crash_every_ms: 0,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_faults_differ_between_seeds_and_each_kind_is_sometimes_absent() {
        let drawn: Vec<_> = (0..100).map(Faults::random).collect();
        assert_eq!(drawn, (0..100).map(Faults::random).collect::<Vec<_>>());
        for kind in [
            |f: &Faults| f.loss_permille,
            |f: &Faults| f.duplicate_permille,
            |f: &Faults| f.reorder_permille,
            |f: &Faults| f.partition_every_ms,
            |f: &Faults| f.crash_every_ms,
        ] {
            let present = drawn.iter().filter(|faults| kind(faults) > 0).count();
            assert!((20..80).contains(&present), "present in {present} of 100");
        }
    }
}
