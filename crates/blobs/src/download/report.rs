//! How far it is, for people and for the trust engine.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use repute_identity::NodeId;

use super::Download;
use crate::{Event, Limits, Progress, SeederProgress, Stuck, candidate::Step, desk::Desk};

/// How often the trust engine hears of a seeder that goes on serving.
const EVIDENCE_PAUSE: Duration = Duration::from_secs(60);
/// A seeder this many times slower than the median is called slow.
const SLOW_FACTOR: u64 = 4;

impl Download {
    pub(super) fn report(&mut self, desk: &mut Desk) {
        if self.seated().next().is_none() {
            return self.report_idle(desk);
        }
        self.idle = None;
        if desk.now < self.progress_at {
            return;
        }
        self.progress_at = desk.now + Limits::PROGRESS_PAUSE;
        let progress = Box::new(self.progress(desk));
        desk.tell(Event::Progress(progress));
        let due: Vec<NodeId> = self
            .seated()
            .filter(|(_, one)| {
                let told = one.session.map(|session| session.told);
                told.is_some_and(|told| desk.now.since(told) >= EVIDENCE_PAUSE)
            })
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            self.give_evidence(desk, &peer);
        }
    }

    fn report_idle(&mut self, desk: &mut Desk) {
        let (since, told) = *self.idle.get_or_insert((desk.now, false));
        let pending = self
            .candidates
            .values()
            .any(|one| matches!(one.step, Step::Asked { .. } | Step::Dialling));
        if told || desk.now.since(since) < desk.limits.answer_max {
            return;
        }
        self.idle = Some((since, true));
        let known = self.candidates.values().any(|one| one.step == Step::Known);
        let why = match known {
            true => Stuck::NobodyHasTheRest,
            false if pending => return,
            false => Stuck::NobodyFound,
        };
        let id = self.id;
        desk.tell(Event::Stuck { id, why });
    }

    /// How far it is now.
    pub(crate) fn progress(&self, desk: &Desk) -> Progress {
        let mut rates: Vec<u64> = self
            .seated()
            .filter_map(|(_, one)| one.speed.rate())
            .collect();
        rates.sort_unstable();
        let median = rates.get(rates.len() / 2).copied().unwrap_or_default();
        let seeders = self
            .candidates
            .iter()
            .filter(|(_, one)| one.seated.is_some() || one.bytes > 0 || one.place.is_some())
            .map(|(peer, one)| {
                let asked = self.requests.values().filter(|asked| asked.peer == *peer);
                let rate = one.speed.current(desk.now);
                let active = one.seated.is_some();
                SeederProgress {
                    peer: *peer,
                    bytes: one.bytes,
                    rate,
                    asked: asked.map(|asked| self.bytes_in(&asked.remaining)).sum(),
                    active,
                    place: one.place,
                    slow: active && one.proven && rate.saturating_mul(SLOW_FACTOR) < median,
                }
            })
            .collect();
        let missing = self.bytes_in(&self.missing);
        let rate = self.speed.current(desk.now);
        Progress {
            id: self.id,
            hash: self.hash,
            size: self.size,
            bytes: self.size.unwrap_or_default().saturating_sub(missing),
            rate,
            left: (rate > 0).then(|| Duration::from_secs(missing / rate)),
            wasted: self.wasted,
            seeders,
        }
    }
}
