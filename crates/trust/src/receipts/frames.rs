//! What neighbours send. Whatever carries a signature is checked before it changes anything; what
//! is late, unasked or beyond the budget is dropped, without blame.

use alloc::{boxed::Box, vec::Vec};

use repute_base::{BoundedVec, Mono, Wall};
use repute_identity::NodeId;
use repute_protocol::{
    Claim, Credentials, Equivocation, FromPeer, Misbehaviour, Receipt, ReceiptFrame,
    ReceiptProposal, Service, SessionOpen, SessionProposal,
};

use super::{
    Receipts, ReceiptsOutput, ReceiptsWrite, config::SHARE_INTERVAL, link::Stage, pair::Merged,
    row::ReceiptRow,
};
use crate::Shown;

/// A peer sent what no honest one does.
struct Forged;

type Checked = Result<(), Forged>;
type Now = (Mono, Wall);

impl Receipts {
    pub(super) fn frame(&mut self, now: Now, frame: FromPeer<Box<ReceiptFrame>>) {
        let from = frame.peer();
        let Some(link) = self.links.get_mut(&from) else {
            return;
        };
        if !link.checks.take(now.0, cost(frame.value())) {
            return;
        }
        let checked = match *frame.into_value() {
            ReceiptFrame::Open(proposal) => self.asked_to_open(now, from, proposal),
            ReceiptFrame::Opened(open) => self.opened(from, open),
            ReceiptFrame::Propose(proposal) => self.asked_to_sign(now, from, proposal),
            ReceiptFrame::Cosigned(receipt) => self.cosigned(now, from, receipt),
            ReceiptFrame::AskLatest => self.tell_latest(from),
            ReceiptFrame::Latest { receipts } => self.told_latest(now, from, &receipts),
            ReceiptFrame::AskAbout { subject } => self.tell_about(from, subject),
            ReceiptFrame::About {
                subject,
                receipts,
                claims,
            } => self.told_about(now, (from, subject), &receipts, &claims),
            ReceiptFrame::Share { receipts } if self.config.share => {
                self.take_in(now, from, &receipts)
            }
            ReceiptFrame::Share { .. } => Ok(()),
            ReceiptFrame::Fault(proof) => self.told_fault(now.1, from, proof),
            ReceiptFrame::Credentials(shown) => self.shown(now.1, shown),
        };
        if checked.is_err() {
            self.outputs.push_back(ReceiptsOutput::Misbehaviour {
                peer: from,
                kind: Misbehaviour::ForgedReceipt,
            });
        }
    }

    /// A session in which we are to serve.
    fn asked_to_open(&mut self, now: Now, from: NodeId, proposal: SessionProposal) -> Checked {
        let terms = proposal.terms;
        let between = (terms.a.id(), terms.b.id()) == (from, self.id);
        if !between || !proposal.is_proven(self.network) {
            return Err(Forged);
        }
        if !self.is_ahead(terms.t0, now.1) {
            self.agree(from, proposal);
        }
        Ok(())
    }

    fn opened(&mut self, from: NodeId, open: SessionOpen) -> Checked {
        let terms = open.terms;
        if (terms.a.id(), terms.b.id()) != (self.id, from) {
            return Err(Forged);
        }
        let network = self.network;
        let Some(link) = self.links.get_mut(&from) else {
            return Ok(());
        };
        let ours = link.ours(terms.service);
        if ours.asked != Some(terms) {
            return Ok(());
        }
        let Ok(open) = open.verify(network) else {
            return Err(Forged);
        };
        (ours.asked, ours.open) = (None, Some((terms.session, terms.t0)));
        let key = (self.id, from, terms.service);
        self.sessions.insert(key, open.into_inner());
        self.outputs.push_back(ReceiptsOutput::Opened {
            peer: from,
            service: terms.service,
            session: terms.session,
        });
        Ok(())
    }

    /// A receipt for what we did.
    fn asked_to_sign(&mut self, now: Now, from: NodeId, proposal: ReceiptProposal) -> Checked {
        let terms = proposal.terms;
        let between = (terms.a.id(), terms.b.id()) == (from, self.id);
        if !between || !proposal.is_proven(self.network) {
            return Err(Forged);
        }
        let agreed = self
            .links
            .get_mut(&from)
            .and_then(|link| *link.theirs(terms.service));
        let account = self.pair(&(from, self.id));
        let account = account.and_then(|pair| pair.account(terms.service));
        let (spent, latest) = account.map_or((0, None), |one| (one.spent, one.latest));
        if let Some(latest) = latest.filter(|latest| latest.terms.seq_ab == terms.seq_ab) {
            if latest.terms == terms {
                self.send(from, ReceiptFrame::Cosigned(latest));
            } else {
                let proof = Equivocation {
                    first: latest.proposal(),
                    second: proposal,
                };
                self.found_fault(now.1, proof, None);
            }
            return Ok(());
        }
        let grows = latest.is_none_or(|latest| {
            latest.terms.amount <= terms.amount && latest.terms.t1 <= terms.t1
        });
        let new = terms.seq_ab > spent && agreed == Some(terms.session);
        if new && grows && !self.is_ahead(terms.t1, now.1) {
            self.cosign(now.1, from, proposal);
        }
        Ok(())
    }

    fn cosigned(&mut self, now: Now, from: NodeId, receipt: Receipt) -> Checked {
        let terms = receipt.terms;
        if (terms.a.id(), terms.b.id()) != (self.id, from) {
            return Err(Forged);
        }
        let receipt = receipt.verify(self.network).map_err(|_| Forged)?;
        self.merge(now, receipt.into_inner(), Some(from));
        Ok(())
    }

    fn tell_latest(&mut self, from: NodeId) -> Checked {
        let mut latest: Vec<Receipt> = Vec::new();
        for names in [(self.id, from), (from, self.id)] {
            let accounts = self
                .pair(&names)
                .into_iter()
                .flat_map(|pair| pair.accounts());
            latest.extend(accounts.filter_map(|account| account.latest));
        }
        // What was said when the link was new may have come before the other end had admitted it.
        self.introduce(from);
        let receipts = BoundedVec::truncated(latest);
        self.send(from, ReceiptFrame::Latest { receipts });
        Ok(())
    }

    /// What the other end has of us: after a restore from a backup, more than we do.
    fn told_latest(&mut self, now: Now, from: NodeId, receipts: &[Receipt]) -> Checked {
        for receipt in receipts {
            let (a, b) = (receipt.terms.a.id(), receipt.terms.b.id());
            let between = (a == self.id && b == from) || (a == from && b == self.id);
            if !between {
                return Err(Forged);
            }
            let receipt = receipt.verify(self.network).map_err(|_| Forged)?;
            self.merge(now, receipt.into_inner(), Some(from));
        }
        let Some(link) = self.links.get_mut(&from) else {
            return Ok(());
        };
        if link.stage == Stage::Asking {
            link.stage = Stage::Ready;
            let wanted = Service::ALL.into_iter();
            let wanted: Vec<Service> = wanted.filter(|one| link.ours(*one).wanted).collect();
            for service in wanted {
                self.open(now.1, from, service);
            }
        }
        Ok(())
    }

    fn tell_about(&mut self, from: NodeId, subject: NodeId) -> Checked {
        let of_subject = |(a, b): &(NodeId, NodeId)| *a == subject || *b == subject;
        let pairs = self.every_pair().filter(|(names, _)| of_subject(names));
        let latest = pairs.flat_map(|(_, pair)| pair.accounts().filter_map(|one| one.latest));
        let receipts: BoundedVec<Receipt, _> = BoundedVec::truncated(latest);
        let claims = self.claims.iter();
        let claims = claims.filter(|((by, about, _), _)| *by == subject || *about == subject);
        let claims = BoundedVec::truncated(claims.map(|(_, claim)| *claim));
        self.show_to(from, &receipts);
        self.send(
            from,
            ReceiptFrame::About {
                subject,
                receipts,
                claims,
            },
        );
        Ok(())
    }

    fn told_about(
        &mut self,
        now: Now,
        (from, subject): (NodeId, NodeId),
        receipts: &[Receipt],
        claims: &[Claim],
    ) -> Checked {
        let asked = self
            .links
            .get_mut(&from)
            .is_some_and(|link| link.questions.remove(&subject));
        if !asked {
            return Ok(());
        }
        for claim in claims {
            let claim = claim.verify(self.network).map_err(|_| Forged)?;
            if claim.claimant() != self.id {
                self.keep_claim(*claim, now.1);
            }
        }
        self.take_in(now, from, receipts)
    }

    /// Receipts of anybody.
    fn take_in(&mut self, now: Now, from: NodeId, receipts: &[Receipt]) -> Checked {
        for receipt in receipts {
            let names = (receipt.terms.a.id(), receipt.terms.b.id());
            let latest = self.latest(names.0, names.1, receipt.terms.service);
            if latest.is_some_and(|latest| latest.terms == receipt.terms) {
                continue;
            }
            let receipt = receipt.verify(self.network).map_err(|_| Forged)?;
            self.merge(now, receipt.into_inner(), Some(from));
        }
        Ok(())
    }

    /// Takes a proven receipt in.
    pub(super) fn merge(&mut self, now: Now, receipt: Receipt, from: Option<NodeId>) {
        let (terms, time) = (receipt.terms, now.1);
        let names = (terms.a.id(), terms.b.id());
        let own = names.0 == self.id || names.1 == self.id;
        let worth = own || (self.counts(&names.0, time) && self.counts(&names.1, time));
        let old = time.since(Wall::from_millis(terms.t1)) > self.config.age_max;
        if !worth || old {
            return;
        }
        let mine = names.0 == self.id;
        let Some(pair) = self.pair_mut(names, time) else {
            return;
        };
        let before = pair.latest(terms.service).map_or(0, |one| one.terms.amount);
        match pair.merge(receipt, time) {
            Merged::Known => return,
            Merged::Fault(proof) => return self.found_fault(time, proof, from),
            Merged::Newer => {}
        }
        if mine {
            // What the receipt covers is not asked for again.
            let account = pair.account_mut(terms.service);
            let covered = terms.amount.saturating_sub(before);
            account.pending = account.pending.saturating_sub(covered);
        }
        self.persist_pair(names, None);
        self.outputs.push_back(ReceiptsOutput::Receipt(receipt));
        self.share(now, names, receipt, from);
    }

    /// Passes a receipt on to whoever may want it, seldom.
    fn share(
        &mut self,
        (mono, time): Now,
        names: (NodeId, NodeId),
        receipt: Receipt,
        from: Option<NodeId>,
    ) {
        let due =
            |shared: Option<Mono>| shared.is_none_or(|shared| mono.since(shared) >= SHARE_INTERVAL);
        if !self.config.share || !self.counts(&names.0, time) || !self.counts(&names.1, time) {
            return;
        }
        match self.table(&names).get_mut(&names) {
            Some(pair) if due(pair.shared) => pair.shared = Some(mono),
            _ => return,
        }
        let others: Vec<NodeId> = self.links.keys().copied().collect();
        for peer in others.into_iter().filter(|peer| Some(*peer) != from) {
            let receipts = BoundedVec::truncated([receipt]);
            self.show_to::<16>(peer, &receipts);
            self.send(peer, ReceiptFrame::Share { receipts });
        }
    }

    /// Without the credentials of both ends a receipt counts for nothing.
    fn show_to<const MAX: usize>(&mut self, peer: NodeId, receipts: &BoundedVec<Receipt, MAX>) {
        let ends = receipts.iter();
        let mut ends: Vec<NodeId> = ends
            .flat_map(|receipt| [receipt.terms.a.id(), receipt.terms.b.id()])
            .collect();
        ends.sort_unstable();
        ends.dedup();
        for id in ends {
            if let Some(shown) = self.credentials(&id) {
                self.send(peer, ReceiptFrame::Credentials(shown));
            }
        }
    }

    fn told_fault(&mut self, time: Wall, from: NodeId, proof: Equivocation) -> Checked {
        if self.faults.contains(&proof.offender()) {
            return Ok(());
        }
        let proof = proof.verify(self.network).map_err(|_| Forged)?;
        self.found_fault(time, proof.into_inner(), Some(from));
        Ok(())
    }

    /// Somebody is at fault, and anybody can check it: keep it, and tell everybody once.
    fn found_fault(&mut self, time: Wall, proof: Equivocation, from: Option<NodeId>) {
        let offender = proof.offender();
        if offender == self.id || self.faults.contains(&offender) {
            return;
        }
        let Ok(proven) = proof.verify(self.network) else {
            return;
        };
        let row = ReceiptRow::of_fault(&proof, time);
        self.faults.insert(offender, proof);
        self.persist(None, ReceiptsWrite::Put(row));
        self.outputs.push_back(ReceiptsOutput::Fault {
            subject: offender,
            proof: proven,
        });
        let others: Vec<NodeId> = self.links.keys().copied().collect();
        for peer in others.into_iter().filter(|peer| Some(*peer) != from) {
            self.send(peer, ReceiptFrame::Fault(proof));
        }
    }

    fn shown(&mut self, time: Wall, shown: Credentials) -> Checked {
        match self.classes.show(&shown, time) {
            Shown::Forged => Err(Forged),
            Shown::Idle => Ok(()),
            Shown::Taken => {
                self.keep_credentials(&shown.subject, time);
                Ok(())
            }
        }
    }

    pub(super) fn keep_credentials(&mut self, id: &NodeId, time: Wall) {
        if let Some(known) = self.classes.credentials(id) {
            let row = ReceiptRow::of_credentials(&known, time);
            self.persist(None, ReceiptsWrite::Put(row));
        }
    }

    /// Whether a moment that somebody wrote down is further ahead than two honest clocks differ.
    fn is_ahead(&self, ms: u64, time: Wall) -> bool {
        Wall::from_millis(ms) > time + self.config.future_max
    }
}

/// Signatures that a frame asks us to check or make.
fn cost(frame: &ReceiptFrame) -> u64 {
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    match frame {
        ReceiptFrame::Open(_) | ReceiptFrame::Opened(_) | ReceiptFrame::Propose(_) => 2,
        ReceiptFrame::Cosigned(_) | ReceiptFrame::Fault(_) => 2,
        // Answers are as large as what is checked for two signatures.
        ReceiptFrame::AskLatest | ReceiptFrame::AskAbout { .. } => 4,
        ReceiptFrame::Latest { receipts } => 2 * count(receipts.len()),
        ReceiptFrame::Share { receipts } => 2 * count(receipts.len()),
        ReceiptFrame::About {
            receipts, claims, ..
        } => 2 * count(receipts.len()) + 3 * count(claims.len()),
        ReceiptFrame::Credentials(shown) => 1 + count(shown.vouches.len()),
    }
}
