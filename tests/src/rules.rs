//! What must hold of a simulated node after each step, and of its disk at the end.

use std::collections::BTreeMap;

use repute_base::{Fixed, Rng, Wall};
use repute_identity::NodeId;
use repute_node::{Core, trust::Record};

use crate::CoreHost;

/// Steps between two looks at what takes longer to look at.
const FULL_EVERY: u64 = 64;

impl CoreHost {
    /// The first rule that does not hold, in the core or between it and its shell.
    pub(crate) fn broken_rule(&self) -> Option<String> {
        let broken = self.core.broken_invariant().or_else(|| {
            let mut active = self.core.peers().active();
            let gone = active.any(|peer| !self.is_linked(&peer));
            gone.then_some("the core has a peer whose link is gone")
        });
        let broken = broken.map(str::to_owned);
        if broken.is_some() || !self.steps.is_multiple_of(FULL_EVERY) {
            return broken;
        }
        let bans = self.core.trust().bans(self.wall);
        let standing = |subject| bans.iter().any(|ban| ban.subject == subject);
        let mut acknowledged = self.app.acknowledged.iter();
        let lost = acknowledged.find(|subject| !standing(**subject))?;
        Some(format!("the acknowledged ban of {lost} is not in force"))
    }

    /// The time on this node's wall when it last did something.
    pub const fn clock_wall(&self) -> Wall {
        self.wall
    }

    /// What its disk has of the ledger about a peer, oldest first.
    pub fn stored_records(&self, subject: NodeId) -> Vec<Record> {
        let (snapshot, _) = self.disk.read();
        let all = snapshot.records.into_iter();
        all.filter(|record| record.subject == subject).collect()
    }

    /// What a node started from the disk alone would see in another way than this one does; looked
    /// at when nothing is being written.
    pub fn differs_from_disk(&self) -> Option<String> {
        if !self.disk.is_settled() {
            return None;
        }
        let (snapshot, _) = self.disk.read();
        let (me, config) = (self.core.me(), self.plan.config.clone());
        let next = match Core::new(me, config, snapshot, None, Rng::from_u64(0)) {
            Ok(core) => core,
            Err(error) => return Some(error.to_string()),
        };
        let (here, there) = (self.core.trust(), next.trust());
        // A start trusts the clock on the wall, a running node only ever less than it after a jump:
        // both are asked for the time of the one that runs.
        let time = here.time(self.wall);
        let who = here.subjects().into_iter().find(|subject| {
            let of = |model: &dyn repute_node::TrustModel| model.standing(*subject, time).trust;
            of(here) != of(there)
        });
        if let Some(who) = who {
            return Some(format!("the disk holds another standing of {who}"));
        }
        let subjects = |model: &dyn repute_node::TrustModel| -> Vec<_> {
            let bans = model.bans(time).into_iter();
            bans.map(|ban| ban.subject).collect()
        };
        (subjects(here) != subjects(there)).then(|| "the disk holds other bans".into())
    }

    /// How many messages of each author the disk remembers as seen.
    pub(crate) fn seen(&self) -> BTreeMap<NodeId, u32> {
        let (snapshot, _) = self.disk.read();
        let rows = snapshot.seen.iter();
        rows.map(|row| {
            let bits = row.bitmap_bytes();
            (row.author, bits.iter().map(|byte| byte.count_ones()).sum())
        })
        .collect()
    }

    /// Whom the ledger holds something against.
    pub(crate) fn blamed(&self) -> Vec<NodeId> {
        let trust = self.core.trust();
        let mut subjects = trust.subjects();
        subjects.retain(|subject| {
            let standing = trust.standing(*subject, self.wall);
            standing.trust < Fixed::HALF || standing.gate.is_closed()
        });
        subjects
    }
}
