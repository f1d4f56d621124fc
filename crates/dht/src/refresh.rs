//! Looking through the neighbourhood and through buckets where nothing was looked up for long.

use alloc::collections::VecDeque;
use core::time::Duration;

use repute_base::Mono;
use repute_protocol::RecordKey;

use crate::{
    Dht,
    distance::place_sharing,
    lookup::{Aim, Lookup, Manner},
};

/// The neighbourhood is looked through again this long after the first time: those who join at the
/// same time know each other by then.
const SECOND_LOOK: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub(crate) struct Refresh {
    started: bool,
    joined: bool,
    running: bool,
    pub(crate) next_at: Option<Mono>,
    /// At most one place for each bucket, and our own.
    queue: VecDeque<RecordKey>,
}

impl Dht {
    pub(crate) fn on_start(&mut self) {
        self.refresh.started = true;
        if !self.table.is_empty() {
            self.join();
        }
    }

    /// Somebody who serves is linked.
    pub(crate) fn on_company(&mut self) {
        if self.refresh.started && !self.refresh.joined {
            self.join();
        }
    }

    fn join(&mut self) {
        self.refresh.joined = true;
        self.refresh.next_at = Some(self.now.mono + SECOND_LOOK);
        self.look_through();
    }

    /// Our own neighbourhood first, then each bucket that is stale.
    fn look_through(&mut self) {
        if self.refresh.running {
            return;
        }
        let stale_before = self.now.mono - self.config.refresh_interval;
        self.refresh.queue = [RecordKey::of_node(&self.me)].into();
        for bits in self.table.stale(stale_before) {
            let mut random = [0; 32];
            self.rng.fill(&mut random);
            let place = place_sharing(self.me.as_bytes(), bits, &random);
            self.refresh.queue.push_back(RecordKey::from_bytes(place));
        }
        self.look_through_next();
    }

    fn look_through_next(&mut self) {
        let full = self.lookups.len() >= self.limits.lookups_max;
        let next = self.refresh.queue.pop_front();
        let Some(target) = next.filter(|_| !full && !self.stopping) else {
            self.refresh.running = false;
            return;
        };
        self.refresh.running = true;
        let manner = Manner {
            paths: 1,
            width: self.config.alpha,
            need: self.config.k,
            thorough: false,
        };
        let lookup = Lookup::new(target, Aim::Refresh, manner, self.now.mono);
        self.begin(lookup);
    }

    pub(crate) fn on_refreshed(&mut self) {
        self.look_through_next();
    }

    pub(crate) fn refresh_due(&mut self) {
        if self.refresh.next_at.is_none_or(|at| at > self.now.mono) {
            return;
        }
        let pause = self.rng.jitter(self.config.refresh_interval / 4, 20);
        self.refresh.next_at = Some(self.now.mono + pause);
        self.look_through();
    }
}
