use alloc::collections::BTreeSet;

use repute_base::{Mono, TokenBucket};
use repute_identity::NodeId;
use repute_protocol::{Party, Service, SessionTerms};

use super::config::{CHECKS_BURST, CHECKS_PER_SECOND};

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Too young for anything.
    Young,
    /// Asked for the latest receipts; no number is used before the answer.
    Asking,
    /// The answer came.
    Ready,
}

/// A linked peer.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) party: Party,
    pub(crate) stage: Stage,
    /// When it is looked at next.
    pub(crate) due: Mono,
    /// When it was looked at last.
    pub(crate) looked: Option<Mono>,
    pub(crate) checks: TokenBucket,
    /// Whom it was asked about.
    pub(crate) questions: BTreeSet<NodeId>,
    /// What we proposed on this link, by service.
    pub(crate) ours: [Ours; 4],
    /// The session that it proposed and we agreed to, by service.
    pub(crate) theirs: [Option<u64>; 4],
}

/// One service in which we are served over a link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ours {
    /// Wanted as soon as numbers may be used.
    pub(crate) wanted: bool,
    pub(crate) asked: Option<SessionTerms>,
    /// The session that is open, and since when.
    pub(crate) open: Option<(u64, u64)>,
    /// What was received since the last look, within the session.
    pub(crate) received: u64,
}

impl Link {
    pub(crate) fn new(party: Party, now: Mono, due: Mono) -> Self {
        Self {
            party,
            stage: Stage::Young,
            due,
            looked: None,
            checks: TokenBucket::new(CHECKS_PER_SECOND, CHECKS_BURST, now),
            questions: BTreeSet::new(),
            ours: [Ours::default(); 4],
            theirs: [None; 4],
        }
    }

    pub(crate) fn ours(&mut self, service: Service) -> &mut Ours {
        let [messages, transfer, relay, signing] = &mut self.ours;
        match service {
            Service::Messages => messages,
            Service::Transfer => transfer,
            Service::Relay => relay,
            Service::Signing => signing,
        }
    }

    pub(crate) fn theirs(&mut self, service: Service) -> &mut Option<u64> {
        let [messages, transfer, relay, signing] = &mut self.theirs;
        match service {
            Service::Messages => messages,
            Service::Transfer => transfer,
            Service::Relay => relay,
            Service::Signing => signing,
        }
    }
}
