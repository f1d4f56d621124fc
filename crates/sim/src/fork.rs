use crate::{Host, World};

impl<H: Host + Clone> World<H> {
    /// The same world a second time: both go on from here alike as long as the same is done to
    /// them, so that many things can be tried on one network that took long to grow. What
    /// [`World::restart_with`] was told is not copied.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            seed: self.seed,
            now_ms: self.now_ms,
            faults: self.faults.clone(),
            queue: self.queue.clone(),
            nodes: self.nodes.clone(),
            by_id: self.by_id.clone(),
            by_address: self.by_address.clone(),
            links: self.links.clone(),
            cuts: self.cuts.clone(),
            serials: self.serials,
            chaos: self.chaos,
            rng: self.rng.clone(),
            trace: self.trace.clone(),
            stats: self.stats,
            accusations: self.accusations.clone(),
            violations: self.violations.clone(),
            reviver: None,
        }
    }
}
