use alloc::{collections::BTreeMap, vec::Vec};

use repute_base::{Machine, Wall};
use repute_identity::NodeId;

use crate::{Ban, By, Config, ConfigError, HearsayRecord, Ledger, Limits, Record, Standing};

/// What a ledger was made of, as stored.
#[derive(Clone, Copy, Debug)]
pub struct Evidenced<'a> {
    /// The records, oldest first.
    pub records: &'a [Record],
    /// What was heard of others, oldest first.
    pub hearsay: &'a [HearsayRecord],
    /// The bans.
    pub bans: &'a [Ban],
}

/// What would be, had other parameters been in force: the same evidence, judged twice.
///
/// What was not written down cannot be judged again: while a gate was closed nothing was recorded,
/// what lay beyond a guard was not either, and what was compacted keeps the weight it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Subjects with evidence.
    pub subjects: usize,
    /// Records folded.
    pub records: usize,
    /// Whose standing differs, the largest difference of trust first.
    pub changed: Vec<Changed>,
    /// Who would be banned and is not.
    pub banned: Vec<Ban>,
    /// Who is banned and would not be.
    pub freed: Vec<Ban>,
}

/// One subject under both sets of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Who.
    pub subject: NodeId,
    /// Under the parameters in force.
    pub before: Standing,
    /// Under the others.
    pub after: Standing,
}

impl Replay {
    /// Judges stored evidence under `before` and `after`, at `wall`.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them cannot be meant.
    pub fn new(
        evidence: Evidenced<'_>,
        (before, after): (&Config, &Config),
        limits: Limits,
        wall: Wall,
    ) -> Result<Self, ConfigError> {
        let old = fold(evidence, before, limits)?;
        let new = fold(evidence, after, limits)?;
        // A rule's ban whose records are compacted by now cannot be found again: it stays.
        let found = bans(&old, wall);
        let kept: Vec<&Ban> = evidence
            .bans
            .iter()
            .filter(|ban| !found.contains_key(&ban.subject))
            .collect();
        let (mut old, mut new) = (old, new);
        for ban in kept {
            old.restore_ban(ban);
            new.restore_ban(ban);
        }
        let (was, would) = (bans(&old, wall), bans(&new, wall));
        let missing = |of: &BTreeMap<NodeId, Ban>, from: &BTreeMap<NodeId, Ban>| {
            let only = of.values().filter(|ban| !from.contains_key(&ban.subject));
            only.cloned().collect()
        };
        let mut subjects: Vec<NodeId> = old.subjects().collect();
        subjects.extend(was.keys().chain(would.keys()));
        subjects.sort_unstable();
        subjects.dedup();
        let mut changed: Vec<Changed> = subjects
            .iter()
            .map(|subject| Changed {
                subject: *subject,
                before: old.standing(*subject, wall),
                after: new.standing(*subject, wall),
            })
            .filter(|change| change.before != change.after)
            .collect();
        changed.sort_by_key(|change| {
            let moved = change.after.trust - change.before.trust;
            (core::cmp::Reverse(moved.max(-moved)), change.subject)
        });
        Ok(Self {
            subjects: subjects.len(),
            records: evidence.records.len(),
            changed,
            banned: missing(&would, &was),
            freed: missing(&was, &would),
        })
    }
}

/// The ledger that the records and the operator's own bans make.
fn fold(evidence: Evidenced<'_>, config: &Config, limits: Limits) -> Result<Ledger, ConfigError> {
    let mut ledger = Ledger::new(config.clone(), limits)?;
    for record in evidence.records {
        ledger.restore(record);
        // Writes that would bring a store within the limits: there is none here.
        while ledger.poll_output().is_some() {}
    }
    for record in evidence.hearsay {
        ledger.restore_hearsay(record);
        while ledger.poll_output().is_some() {}
    }
    for ban in evidence.bans.iter().filter(|ban| ban.by == By::Operator) {
        ledger.restore_ban(ban);
        while ledger.poll_output().is_some() {}
    }
    Ok(ledger)
}

fn bans(ledger: &Ledger, wall: Wall) -> BTreeMap<NodeId, Ban> {
    let bans = ledger.bans(wall).cloned();
    bans.map(|ban| (ban.subject, ban)).collect()
}
