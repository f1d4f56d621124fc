//! Who is fetched from and how they are served: from trust to the engine of blobs; and what came of
//! it: from there to the ledger, the metrics and the receipts.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Mono, Timestamp, Wall};
use repute_blobs::{DownloadId, Evidence as Measured, Input};
use repute_identity::NodeId;
use repute_protocol::{Capability, Misbehaviour, Service, Support};
use repute_trust::{
    Candidate, ChronicleInput, Context, Dossier, Evidence, Fault, IdentityClass, ReceiptsInput,
    Sample, Standing, Transfer,
};

use super::{Core, Event, transfers};

/// How long what a peer served waits before it goes to the receipts: a short transfer is over
/// before its session is agreed on.
const TAB_WAIT: Duration = Duration::from_secs(1);

/// What a peer served, and is still to be told to the receipts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tab {
    bytes: u64,
    /// Whether nothing more moves for now.
    closed: bool,
    pub(super) due: Mono,
}

impl Core {
    pub(super) fn tell_blobs_standing(&mut self, peer: NodeId, standing: &Standing) {
        self.tell_blobs(Input::Standing {
            peer,
            tier: transfers::tier(standing.level),
            closed: standing.gate.is_closed(),
        });
    }

    /// All that the selection of peers looks at.
    pub(crate) fn candidate(&self, id: NodeId, wall: Wall) -> Candidate {
        Candidate {
            id,
            class: self.identity_class(id, wall),
            rank: self.averages(id),
            encrypted: self.encrypts(id),
            dossier: self.dossier(id, wall),
        }
    }

    /// All that a model looks at.
    pub(crate) fn dossier(&self, id: NodeId, wall: Wall) -> Dossier {
        Dossier {
            metrics: self.chronicle.metrics(id, self.trust.time(wall)),
            standing: self.trust.standing(id, wall),
            crowding: self.peers.crowding(id),
        }
    }

    /// What an identity cost, as far as it was shown.
    pub(crate) fn identity_class(&self, id: NodeId, wall: Wall) -> IdentityClass {
        let receipts = self.receipts.as_ref();
        receipts.map_or(IdentityClass::Free, |known| {
            known.classes().class(&id, wall)
        })
    }

    /// Whether a peer takes encrypted transfers, if that is known.
    pub(crate) fn encrypts(&self, id: NodeId) -> Option<bool> {
        let peer = self.peers.view(id)?;
        match peer.support(Capability::ENCRYPTED_TRANSFER) {
            Support::Supported => Some(true),
            Support::NotSupported => Some(false),
            Support::Unknown => None,
        }
    }

    pub(super) fn rank_seeders(&mut self, now: Timestamp, id: DownloadId, peers: &[NodeId]) {
        let candidates: Vec<Candidate> = peers
            .iter()
            .map(|peer| self.candidate(*peer, now.wall))
            .collect();
        if let Some(files) = &mut self.files {
            let ranked = transfers::rank_seeders(&candidates, &mut files.rng);
            self.tell_blobs(Input::Ranked { id, ranked });
        }
    }

    pub(super) fn transferred(&mut self, now: Timestamp, peer: NodeId, measured: &Measured) {
        let Some(judged) = transfers::judged(measured) else {
            return;
        };
        if let Some(evidence) = judged.evidence {
            self.observe_as(Context::Transfer, peer, evidence, Fault::Theirs);
            self.put_on_tab(now, peer, judged.sample.bytes);
        }
        self.sample_transfer(peer, judged.sample);
    }

    /// A rule was broken: proven to this node, which tells nobody.
    pub(super) fn transfer_broke(&mut self, peer: NodeId, kind: Misbehaviour) {
        self.count_misbehaviour(kind);
        self.event(Event::Misbehaved { peer, kind });
        let evidence = Evidence::Invalid(kind);
        self.observe_as(Context::Transfer, peer, evidence, Fault::Theirs);
        self.sample_transfer(peer, transfers::FAILED);
    }

    fn sample_transfer(&mut self, subject: NodeId, transfer: Transfer) {
        self.tell_history(ChronicleInput::Sample {
            subject,
            sample: Sample::Transfer(transfer),
            fault: Fault::Theirs,
        });
    }

    /// Value is about to move.
    pub(super) fn open_session(&mut self, peer: NodeId) {
        let service = Service::Transfer;
        self.tell_receipts(ReceiptsInput::Open { peer, service });
    }

    /// No more value moves for now: a receipt is asked for soon, or the link may be gone before.
    pub(super) fn close_session(&mut self, now: Timestamp, peer: NodeId) {
        self.put_on_tab(now, peer, 0);
        if let Some(files) = &mut self.files
            && let Some(tab) = files.tabs.get_mut(&peer)
        {
            tab.closed = true;
        }
    }

    fn put_on_tab(&mut self, now: Timestamp, peer: NodeId, bytes: u64) {
        if let Some(files) = &mut self.files {
            let tab = files.tabs.entry(peer).or_insert(Tab {
                bytes: 0,
                closed: false,
                due: now.mono + TAB_WAIT,
            });
            tab.bytes = tab.bytes.saturating_add(bytes);
        }
    }

    /// Tells the receipts what a peer served.
    pub(super) fn settle_tab(&mut self, peer: NodeId) {
        let files = self.files.as_mut();
        let Some(tab) = files.and_then(|files| files.tabs.remove(&peer)) else {
            return;
        };
        if tab.bytes > 0 {
            let (service, amount) = (Service::Transfer, tab.bytes);
            self.tell_receipts(ReceiptsInput::Served {
                peer,
                service,
                amount,
            });
        }
        if tab.closed {
            self.tell_receipts(ReceiptsInput::Settle { peer });
        }
    }

    /// A peer has agreed to a session in which it serves.
    pub(super) fn session_opened(&mut self, peer: NodeId, service: Service, session: u64) {
        if service == Service::Transfer {
            self.tell_blobs(Input::Session { peer, session });
        }
    }
}
