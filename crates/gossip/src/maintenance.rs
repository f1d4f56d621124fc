//! What is looked after once a second while anything happens, and seldom otherwise.

use core::time::Duration;

use repute_base::Mono;

use crate::{Gossip, link::Link};

/// Between two rounds of clean-up, scoring and filling of the active view.
const MAINTENANCE_MS: u64 = 1_000;
/// After so many seconds in a row with traffic, one without is strange.
const BUSY_SECONDS: u32 = 5;
/// Shuffles that bring nobody new come this many times less often at most.
const SHUFFLE_PAUSE_MAX: u32 = 4;

/// When the next round is due, and what the last ones saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maintenance {
    at: Option<Mono>,
    traffic: bool,
    /// Seconds in a row that had traffic.
    busy: u32,
    shuffle_at: Mono,
    /// By how much shuffles have slowed down because they bring nothing new.
    shuffle_pause: u32,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            at: None,
            traffic: false,
            busy: 0,
            shuffle_at: Mono::ZERO,
            shuffle_pause: 1,
        }
    }
}

impl Maintenance {
    pub(crate) const fn next_due(&self) -> Option<Mono> {
        self.at
    }

    pub(crate) fn is_due(&self, now: Mono) -> bool {
        self.at.is_some_and(|at| at <= now)
    }
}

impl Gossip {
    /// Something new came in: the second that runs had traffic.
    pub(crate) const fn saw_traffic(&mut self) {
        self.maintenance.traffic = true;
    }

    pub(crate) fn maintain(&mut self) {
        let now = self.now.mono;
        self.maintenance.at = None;
        for (author, seq) in self.archive.expire(now, self.config.retention) {
            self.authors.forget_id(&author, seq);
        }
        let traffic = core::mem::take(&mut self.maintenance.traffic);
        if traffic {
            self.maintenance.busy = self.maintenance.busy.saturating_add(1);
        } else if core::mem::take(&mut self.maintenance.busy) >= BUSY_SECONDS {
            // The talk has stopped, or we are cut off from it.
            self.look_around();
        }
        for link in self.links.values_mut() {
            link.score.second(traffic);
        }
        self.drop_hopeless();
        self.replace_silent();
        self.seek_dialled();
        self.fill_active();
        if now >= self.maintenance.shuffle_at {
            let news = core::mem::take(&mut self.passive.news);
            self.maintenance.shuffle_pause = match news {
                true => 1,
                false => (2 * self.maintenance.shuffle_pause).min(SHUFFLE_PAUSE_MAX),
            };
            let pause = self.config.shuffle_interval * self.maintenance.shuffle_pause;
            self.maintenance.shuffle_at = now + self.rng.jitter(pause, 20);
            self.shuffle();
            if self.links.len() < 2 * self.config.active_size() {
                self.look_outside();
            }
        }
        self.maintain_fetches();
        self.maintain_reconciliation();
        self.plan_maintenance(traffic);
    }

    /// The next round of maintenance: in a second while anything changes, else when it is due.
    fn plan_maintenance(&mut self, traffic: bool) {
        let unsettled = |link: &Link| {
            !link.score.is_settled()
                || link.sync_due.is_some()
                || link.session.is_some()
                || !link.fetch.is_empty()
                || !link.in_flight.is_empty()
        };
        let wanting = self.active.len() < self.config.active_size()
            && (self.passive.len() > 0 || self.links.len() > self.active.len());
        if traffic || wanting || self.links.values().any(unsettled) {
            return self.maintain_soon();
        }
        let linked = !self.links.is_empty();
        let shuffle = linked.then_some(self.maintenance.shuffle_at);
        let compare = self.reconciler.next_due().filter(|_| linked);
        let expiry = self.archive.next_expiry(self.config.retention);
        // A moment later: what is as old as its window has not outlived it.
        let second = Duration::from_millis(MAINTENANCE_MS);
        let expiry = expiry.map(|at| at + second);
        self.maintenance.at = [shuffle, compare, expiry].into_iter().flatten().min();
    }

    /// Something changes that maintenance looks after.
    pub(crate) fn maintain_soon(&mut self) {
        let pause = Duration::from_millis(MAINTENANCE_MS);
        let soon = self.now.mono + pause;
        if self.maintenance.at.is_none_or(|at| at > soon + pause / 10) {
            self.maintenance.at = Some(self.now.mono + self.rng.jitter(pause, 10));
        }
    }
}
