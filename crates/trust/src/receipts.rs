//! Receipts: what peers say together that one did for the other, and what follows from it.
//!
//! [`Receipts`] proposes sessions and receipts to those who serve us, co-signs those of whom we
//! serve, keeps the latest of each pair and service, and finds who numbered two under one number.
//! It checks what it takes in by itself: proofs are pure functions. Signing and storing are the
//! shell's. It reads no clock and draws nothing.

mod config;
mod edge;
mod engine;
mod frames;
mod input;
mod jobs;
mod line;
mod link;
mod output;
mod pair;
mod row;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use repute_base::{Mono, RecentMap, Wall};
use repute_identity::{Inception, NodeId};
use repute_protocol::{
    Claim, Credentials, Equivocation, NetworkId, Party, Receipt, Service, SessionOpen,
};

pub use config::{ReceiptsConfig, ReceiptsLimits};
pub use edge::ReceiptEdge;
pub use input::ReceiptsInput;
pub use line::{ClaimLine, FaultLine, ReceiptLine};
pub use output::{ReceiptsOutput, ReceiptsWrite};
pub use row::ReceiptRow;

use crate::{Classes, ConfigError, clock::Clock};
use jobs::Job;
use link::Link;
use pair::Pair;
use row::Restored;

/// The receipts of one node: its own, and those of others that it was shown.
#[derive(Debug)]
pub struct Receipts {
    me: Party,
    id: NodeId,
    network: NetworkId,
    config: ReceiptsConfig,
    limits: ReceiptsLimits,
    clock: Clock,
    /// The first number of this life: above all that were used before, even those that a restored
    /// backup forgot.
    start: u64,
    next_session: u64,
    next_token: u64,
    links: BTreeMap<NodeId, Link>,
    /// Pairs in which we have a part.
    own: RecentMap<(NodeId, NodeId), Pair>,
    /// Pairs of others, both above class 0.
    others: RecentMap<(NodeId, NodeId), Pair>,
    /// Sessions that we agreed to, as either side.
    sessions: RecentMap<(NodeId, NodeId, Service), SessionOpen>,
    /// Claims, by claimant, accused and service.
    claims: RecentMap<(NodeId, NodeId, Service), Claim>,
    /// One proof for each offender.
    faults: RecentMap<NodeId, Equivocation>,
    classes: Classes,
    /// What we show of ourselves, whatever it is worth by our own policy.
    shown: Option<Credentials>,
    jobs: BTreeMap<u64, Job>,
    pruned: Option<Mono>,
    outputs: VecDeque<ReceiptsOutput>,
}

impl Receipts {
    /// No receipts yet. `start` is larger in each life of the node, and durable: its start in ms
    /// since the Unix epoch.
    ///
    /// # Errors
    /// [`ConfigError`] when the policy cannot be meant.
    pub fn new(
        me: &Inception,
        network: NetworkId,
        start: u64,
        config: ReceiptsConfig,
        limits: ReceiptsLimits,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let anchors = config.anchors.iter().copied();
        Ok(Self {
            me: Party::of(me),
            id: me.node_id(),
            network,
            clock: Clock::default(),
            start: start.max(1),
            next_session: start,
            next_token: 0,
            links: BTreeMap::new(),
            own: RecentMap::new(limits.own_pairs),
            others: RecentMap::new(limits.pairs),
            sessions: RecentMap::new(limits.identities),
            claims: RecentMap::new(limits.identities),
            faults: RecentMap::new(limits.faults),
            classes: Classes::new(anchors, config.stamp_bits, limits.identities),
            shown: None,
            jobs: BTreeMap::new(),
            pruned: None,
            outputs: VecDeque::new(),
            config,
            limits,
        })
    }

    /// Takes a stored row back, before the first input. False if it cannot be read.
    pub fn restore(&mut self, row: &ReceiptRow) -> bool {
        let Ok(restored) = row.read() else {
            return false;
        };
        self.clock.restore(row.wall);
        match restored {
            Restored::Pair(names, pair) => {
                self.table(&names).insert(names, pair);
            }
            Restored::Claim(claim) => {
                let key = (claim.claimant(), claim.accused(), claim.terms.service);
                self.claims.insert(key, claim);
            }
            Restored::Fault(proof) => {
                self.faults.insert(proof.offender(), proof);
            }
            Restored::Credentials(shown) => {
                self.classes.show(&shown, row.wall);
            }
        }
        true
    }

    /// Who is more than a free name.
    pub const fn classes(&self) -> &Classes {
        &self.classes
    }

    /// To note burns.
    pub const fn classes_mut(&mut self) -> &mut Classes {
        &mut self.classes
    }

    /// The proof that `id` is at fault, if there is one.
    pub fn fault(&self, id: &NodeId) -> Option<&Equivocation> {
        self.faults.get(id)
    }

    /// The latest receipt of a pair and service.
    pub fn latest(&self, a: NodeId, b: NodeId, service: Service) -> Option<&Receipt> {
        self.pair(&(a, b))?.latest(service)
    }

    /// Claims, oldest first.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().map(|(_, claim)| claim)
    }

    /// Pairs known, our own first.
    pub fn pairs(&self) -> usize {
        self.own.len() + self.others.len()
    }

    /// Whether a session is open in which `peer` serves us.
    pub fn is_open(&self, peer: &NodeId, service: Service) -> bool {
        let link = self.links.get(peer);
        let ours = link.and_then(|link| link.ours.get(usize::from(service.number())));
        ours.is_some_and(|ours| ours.open.is_some())
    }

    /// What can be shown for `id`, if there is anything.
    fn credentials(&self, id: &NodeId) -> Option<Credentials> {
        if *id == self.id {
            self.shown.clone()
        } else {
            self.classes.credentials(id)
        }
    }

    fn table(&mut self, (a, b): &(NodeId, NodeId)) -> &mut RecentMap<(NodeId, NodeId), Pair> {
        if *a == self.id || *b == self.id {
            &mut self.own
        } else {
            &mut self.others
        }
    }

    fn pair(&self, names: &(NodeId, NodeId)) -> Option<&Pair> {
        self.own.get(names).or_else(|| self.others.get(names))
    }

    fn every_pair(&self) -> impl Iterator<Item = (&(NodeId, NodeId), &Pair)> {
        self.own.iter().chain(self.others.iter())
    }

    /// The pair of these names, made if there is none; what had to leave for it is forgotten.
    fn pair_mut(&mut self, names: (NodeId, NodeId), time: Wall) -> Option<&mut Pair> {
        if self.pair(&names).is_none() {
            let gone = self.table(&names).insert(names, Pair::new(time));
            if let Some(((a, b), _)) = gone {
                self.forget(a, b);
            }
        }
        let table = self.table(&names);
        table.touch(&names);
        table.get_mut(&names)
    }

    fn forget(&mut self, a: NodeId, b: NodeId) {
        self.persist(None, ReceiptsWrite::ForgetPair { a, b });
    }

    fn persist(&mut self, token: Option<u64>, write: ReceiptsWrite) {
        self.outputs
            .push_back(ReceiptsOutput::Persist { token, write });
    }

    fn persist_pair(&mut self, names: (NodeId, NodeId), token: Option<u64>) {
        if let Some(pair) = self.pair(&names) {
            let row = ReceiptRow::of_pair(names, pair);
            self.persist(token, ReceiptsWrite::Put(row));
        }
    }

    /// Everything, for a person or a program: the latest receipts, oldest pair first.
    pub fn export(&self) -> Vec<ReceiptLine> {
        let pairs = self.every_pair();
        let latest = pairs.flat_map(|(_, pair)| pair.accounts().filter_map(|one| one.latest));
        latest.map(|receipt| ReceiptLine::of(&receipt)).collect()
    }

    /// Claims, in the same form.
    pub fn export_claims(&self) -> Vec<ClaimLine> {
        self.claims().map(ClaimLine::of).collect()
    }

    /// Proven faults, in the same form.
    pub fn export_faults(&self) -> Vec<FaultLine> {
        self.faults
            .iter()
            .map(|(_, one)| FaultLine::of(one))
            .collect()
    }
}
