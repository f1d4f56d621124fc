//! What this node signs: what has a number is durable before it is signed, and a number is spent
//! even if nobody answers.

use alloc::boxed::Box;

use repute_base::Wall;
use repute_identity::{NodeId, Signature};
use repute_protocol::{
    Claim, Outcome, ReceiptFrame, ReceiptProposal, ReceiptTerms, Service, SessionOpen,
    SessionProposal, SessionTerms, Side,
};

use super::{Receipts, ReceiptsOutput, ReceiptsWrite, config::JOBS_MAX, row::ReceiptRow};

/// Something that waits for the store or the key.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// A session that we propose.
    Open { peer: NodeId, terms: SessionTerms },
    /// A session that a peer proposed.
    Agree {
        peer: NodeId,
        proposal: SessionProposal,
    },
    /// A receipt that we propose; its number is durable once `durable`.
    Propose { peer: NodeId, terms: ReceiptTerms },
    /// A receipt that a peer proposed.
    Cosign {
        peer: NodeId,
        proposal: ReceiptProposal,
    },
    /// A claim of ours.
    Claim {
        open: Box<SessionOpen>,
        terms: ReceiptTerms,
        by: Side,
    },
}

impl Job {
    fn statement(&self, receipts: &Receipts) -> alloc::vec::Vec<u8> {
        let network = receipts.network;
        match self {
            Self::Open { terms, .. } => terms.statement(network),
            Self::Agree { proposal, .. } => proposal.terms.statement(network),
            Self::Propose { terms, .. } | Self::Claim { terms, .. } => terms.statement(network),
            Self::Cosign { proposal, .. } => proposal.terms.statement(network),
        }
    }
}

impl Receipts {
    /// Takes a job on, if not too many are under way.
    fn job(&mut self, job: Job) -> Option<u64> {
        if self.jobs.len() >= JOBS_MAX {
            return None;
        }
        self.next_token += 1;
        self.jobs.insert(self.next_token, job);
        Some(self.next_token)
    }

    /// Has a job signed at once: nothing of it must be durable before.
    fn sign(&mut self, job: Job) {
        let statement = job.statement(self);
        if let Some(token) = self.job(job) {
            self.outputs
                .push_back(ReceiptsOutput::Sign { token, statement });
        }
    }

    /// What a job waited for is durable: now it may be signed.
    pub(super) fn persisted(&mut self, token: u64) {
        if let Some(job) = self.jobs.get(&token) {
            let statement = job.statement(self);
            self.outputs
                .push_back(ReceiptsOutput::Sign { token, statement });
        }
    }

    pub(super) fn not_persisted(&mut self, token: u64) {
        self.jobs.remove(&token);
    }

    /// Opens a session in which `peer` serves us, unless one is open or asked for.
    pub(super) fn open(&mut self, time: Wall, peer: NodeId, service: Service) {
        let (me, session) = (self.me, self.next_session.saturating_add(1));
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        let party = link.party;
        let ours = link.ours(service);
        if ours.open.is_some() || ours.asked.is_some() {
            return;
        }
        let terms = SessionTerms {
            version: SessionTerms::VERSION,
            service,
            a: me,
            b: party,
            session,
            t0: time.as_millis(),
        };
        ours.asked = Some(terms);
        self.next_session = session;
        self.sign(Job::Open { peer, terms });
    }

    /// Agrees to a session that a peer proposed; it was checked.
    pub(super) fn agree(&mut self, peer: NodeId, proposal: SessionProposal) {
        self.sign(Job::Agree { peer, proposal });
    }

    /// Proposes a receipt for what was received since the last one. Its number is spent from here
    /// on, whatever comes of it.
    pub(super) fn propose(&mut self, time: Wall, peer: NodeId, service: Service) {
        let (me, start) = (self.me, self.start);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        let party = link.party;
        let ours = link.ours(service);
        let Some((session, since)) = ours.open else {
            return;
        };
        let received = core::mem::take(&mut ours.received);
        let names = (self.id, peer);
        let Some(pair) = self.pair_mut(names, time) else {
            return;
        };
        let account = pair.account_mut(service);
        account.pending = account.pending.saturating_add(received);
        if account.pending == 0 || account.spent == u64::MAX {
            return;
        }
        let before = account.latest.map(|latest| latest.terms);
        let t0 = before.map_or(since, |terms| terms.t0);
        let t1 = before.map_or(t0, |terms| terms.t1).max(time.as_millis());
        let terms = ReceiptTerms {
            version: ReceiptTerms::VERSION,
            service,
            a: me,
            b: party,
            session,
            seq_ab: account.spent.saturating_add(1).max(start),
            kind: Outcome::Served,
            amount: before
                .map_or(0, |terms| terms.amount)
                .saturating_add(account.pending),
            t0: t0.min(t1),
            t1,
        };
        account.spent = terms.seq_ab;
        if let Some(token) = self.job(Job::Propose { peer, terms }) {
            self.persist_pair(names, Some(token));
        }
    }

    /// Signs a receipt that a peer proposed; it was checked, and its number is new.
    pub(super) fn cosign(&mut self, time: Wall, peer: NodeId, proposal: ReceiptProposal) {
        let names = (peer, self.id);
        let Some(token) = self.job(Job::Cosign { peer, proposal }) else {
            return;
        };
        let terms = proposal.terms;
        if let Some(pair) = self.pair_mut(names, time) {
            let account = pair.account_mut(terms.service);
            account.spent = account.spent.max(terms.seq_ab);
        }
        self.persist_pair(names, Some(token));
    }

    /// Complains of a peer, if it had agreed to a session in either direction.
    pub(super) fn claim(&mut self, time: Wall, peer: NodeId, service: Service, kind: Outcome) {
        let served = self.sessions.get(&(self.id, peer, service));
        let serving = self.sessions.get(&(peer, self.id, service));
        let found = served
            .map(|open| (*open, Side::A))
            .or_else(|| serving.map(|open| (*open, Side::B)));
        let Some((open, by)) = found.filter(|_| kind != Outcome::Served) else {
            return;
        };
        let t1 = time.as_millis().max(open.terms.t0);
        let terms = ReceiptTerms {
            version: ReceiptTerms::VERSION,
            service,
            a: open.terms.a,
            b: open.terms.b,
            session: open.terms.session,
            seq_ab: 0,
            kind,
            amount: 0,
            t0: open.terms.t0,
            t1,
        };
        let open = Box::new(open);
        self.sign(Job::Claim { open, terms, by });
    }

    /// The key has signed.
    pub(super) fn signed(
        &mut self,
        now: repute_base::Mono,
        time: Wall,
        token: u64,
        signature: Signature,
    ) {
        match self.jobs.remove(&token) {
            Some(Job::Open { peer, terms }) => {
                let frame = ReceiptFrame::Open(SessionProposal {
                    terms,
                    sig_a: signature,
                });
                self.send(peer, frame);
            }
            Some(Job::Agree { peer, proposal }) => {
                let open = proposal.with(signature);
                let terms = open.terms;
                self.sessions.insert((peer, self.id, terms.service), open);
                if let Some(link) = self.links.get_mut(&peer) {
                    *link.theirs(terms.service) = Some(terms.session);
                }
                self.send(peer, ReceiptFrame::Opened(open));
            }
            Some(Job::Propose { peer, terms }) => {
                let frame = ReceiptFrame::Propose(ReceiptProposal {
                    terms,
                    sig_a: signature,
                });
                self.send(peer, frame);
            }
            Some(Job::Cosign { peer, proposal }) => {
                let receipt = proposal.with(signature);
                // Proven: we checked the peer's, and have just made ours.
                self.merge((now, time), receipt, Some(peer));
                self.send(peer, ReceiptFrame::Cosigned(receipt));
            }
            Some(Job::Claim { open, terms, by }) => {
                let claim = Claim {
                    open: *open,
                    terms,
                    by,
                    signature,
                };
                self.keep_claim(claim, time);
            }
            None => {}
        }
    }

    pub(super) fn keep_claim(&mut self, claim: Claim, time: Wall) {
        let key = (claim.claimant(), claim.accused(), claim.terms.service);
        if self.claims.get(&key) == Some(&claim) {
            return;
        }
        let row = ReceiptRow::of_claim(&claim, time);
        self.claims.insert(key, claim);
        self.persist(None, ReceiptsWrite::Put(row));
    }

    /// Sends to a peer, if the link is still there.
    pub(super) fn send(&mut self, peer: NodeId, frame: ReceiptFrame) {
        if self.links.contains_key(&peer) {
            let frame = Box::new(frame);
            self.outputs.push_back(ReceiptsOutput::Send { peer, frame });
        }
    }
}
