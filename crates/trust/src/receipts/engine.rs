use core::time::Duration;

use repute_base::{Machine, Mono, Timestamp, Wall};
use repute_identity::{Inception, NodeId};
use repute_protocol::{Credentials, Party, ReceiptFrame, Service};

use super::{
    Receipts, ReceiptsInput, ReceiptsOutput,
    config::{FAULTS_SHOWN, PRUNED_PER_INPUT_MAX, QUESTIONS_MAX, SETTLE_PAUSE, STEP_MAX},
    link::{Link, Stage},
};
use crate::Shown;

/// Between two looks for what is too old.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

impl Receipts {
    fn link_up(&mut self, now: Mono, inception: &Inception) {
        let peer = inception.node_id();
        if peer == self.id || self.links.len() >= self.limits.links {
            return;
        }
        let due = now + self.config.settle;
        self.links
            .insert(peer, Link::new(Party::of(inception), now, due));
        self.introduce(peer);
    }

    /// Tells a neighbour what makes us more than a free name, and who is proven at fault.
    pub(super) fn introduce(&mut self, peer: NodeId) {
        if let Some(own) = self.shown.clone() {
            self.send(peer, ReceiptFrame::Credentials(own));
        }
        let newest = self.faults.iter().rev().take(FAULTS_SHOWN);
        let newest: alloc::vec::Vec<_> = newest.map(|(_, proof)| *proof).collect();
        for proof in newest {
            self.send(peer, ReceiptFrame::Fault(proof));
        }
    }

    /// What we got over a link counts once a session is open on it.
    fn served(&mut self, peer: NodeId, service: Service, amount: u64) {
        if let Some(link) = self.links.get_mut(&peer) {
            let ours = link.ours(service);
            ours.wanted = true;
            if ours.open.is_some() {
                ours.received = ours.received.saturating_add(amount);
            }
        }
    }

    /// What was received over a link that is gone is signed for over the next one.
    fn link_down(&mut self, time: Wall, peer: NodeId) {
        let Some(mut link) = self.links.remove(&peer) else {
            return;
        };
        for service in Service::ALL {
            let received = link.ours(service).received;
            if received == 0 {
                continue;
            }
            if let Some(pair) = self.pair_mut((self.id, peer), time) {
                let account = pair.account_mut(service);
                account.pending = account.pending.saturating_add(received);
            }
        }
    }

    /// Opens a session as soon as numbers may be used.
    fn want(&mut self, now: Mono, time: Wall, peer: NodeId, service: Service) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.ours(service).wanted = true;
        match link.stage {
            Stage::Young => self.ask_latest(now, peer),
            Stage::Asking => {}
            Stage::Ready => self.open(time, peer, service),
        }
    }

    fn ask_latest(&mut self, now: Mono, peer: NodeId) {
        let interval = self.config.interval;
        if let Some(link) = self.links.get_mut(&peer) {
            link.stage = Stage::Asking;
            link.due = now + interval;
            self.send(peer, ReceiptFrame::AskLatest);
        }
    }

    /// Brings the next look at a link forward, though not twice in a few seconds.
    fn settle(&mut self, now: Mono, peer: NodeId) {
        if let Some(link) = self.links.get_mut(&peer)
            && link.stage == Stage::Ready
        {
            let soon = link.looked.map_or(now, |looked| looked + SETTLE_PAUSE);
            link.due = link.due.min(soon.max(now));
        }
    }

    /// A link's time has come: the first look asks for the latest receipts, the later ones sign
    /// for what was received.
    fn look_at(&mut self, now: Mono, time: Wall, peer: NodeId) {
        let interval = self.config.interval;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.due = now + interval;
        link.looked = Some(now);
        if link.stage != Stage::Ready {
            // The message service is what all neighbours do for each other.
            let nothing = link.ours.iter().all(|ours| !ours.wanted);
            if nothing {
                return;
            }
            return self.ask_latest(now, peer);
        }
        for service in Service::ALL {
            let Some(link) = self.links.get_mut(&peer) else {
                return;
            };
            let ours = link.ours(service);
            if !ours.wanted {
                continue;
            }
            if ours.open.is_some() {
                self.propose(time, peer, service);
            } else {
                // An answer that did not come within an interval is asked for again.
                ours.asked = None;
                self.open(time, peer, service);
            }
        }
    }

    fn tick(&mut self, now: Mono, time: Wall) {
        let due = self.links.iter().filter(|(_, link)| link.due <= now);
        let due: alloc::vec::Vec<NodeId> = due.map(|(peer, _)| *peer).collect();
        for peer in due {
            self.look_at(now, time, peer);
        }
        if self.pruned.is_none_or(|at| now.since(at) >= PRUNE_INTERVAL) {
            self.pruned = Some(now);
            self.prune(time);
        }
    }

    /// Forgets pairs that had nothing to sign for long, a bounded number at a time, the oldest
    /// first.
    fn prune(&mut self, time: Wall) {
        let age_max = self.config.age_max;
        for _ in 0..PRUNED_PER_INPUT_MAX {
            let old = |(names, pair): (&(NodeId, NodeId), &super::Pair)| {
                (time.since(pair.touched) > age_max).then_some(*names)
            };
            let oldest = self.others.oldest().and_then(old);
            let Some(names) = oldest.or_else(|| self.own.oldest().and_then(old)) else {
                return;
            };
            self.table(&names).remove(&names);
            self.forget(names.0, names.1);
        }
    }

    fn ask_about(&mut self, peer: NodeId, subject: NodeId) {
        if let Some(link) = self.links.get_mut(&peer)
            && link.questions.len() < QUESTIONS_MAX
        {
            link.questions.insert(subject);
            self.send(peer, ReceiptFrame::AskAbout { subject });
        }
    }

    /// Our own credentials, shown to all neighbours.
    fn own(&mut self, time: Wall, shown: &Credentials) {
        if shown.subject != self.id {
            return;
        }
        // Others may take the word of somebody whose word we do not take.
        self.shown = Some(shown.clone());
        if self.classes.show(shown, time) == Shown::Taken {
            self.keep_credentials(&shown.subject, time);
        }
        let peers: alloc::vec::Vec<NodeId> = self.links.keys().copied().collect();
        for peer in peers {
            self.send(peer, ReceiptFrame::Credentials(shown.clone()));
        }
    }
}

impl Machine for Receipts {
    type Input = ReceiptsInput;
    type Output = ReceiptsOutput;

    fn handle(&mut self, now: Timestamp, input: ReceiptsInput) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs before the next input"
        );
        let time = self.clock.advance(now, STEP_MAX);
        let mono = now.mono;
        match input {
            ReceiptsInput::LinkUp { inception } => self.link_up(mono, &inception),
            ReceiptsInput::LinkDown { peer } => self.link_down(time, peer),
            ReceiptsInput::Frame(frame) => self.frame((mono, time), frame),
            ReceiptsInput::Served {
                peer,
                service,
                amount,
            } => self.served(peer, service, amount),
            ReceiptsInput::Open { peer, service } => self.want(mono, time, peer, service),
            ReceiptsInput::Settle { peer } => self.settle(mono, peer),
            ReceiptsInput::Failed {
                peer,
                service,
                kind,
            } => self.claim(time, peer, service, kind),
            ReceiptsInput::Ask { peer, subject } => self.ask_about(peer, subject),
            ReceiptsInput::Own(shown) => self.own(time, &shown),
            ReceiptsInput::Signed { token, signature } => {
                self.signed(mono, time, token, signature);
            }
            ReceiptsInput::Persisted { token } => self.persisted(token),
            ReceiptsInput::NotPersisted { token } => self.not_persisted(token),
            ReceiptsInput::Tick => self.tick(mono, time),
        }
    }

    fn poll_output(&mut self) -> Option<ReceiptsOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.links.values().map(|link| link.due).min()
    }
}
