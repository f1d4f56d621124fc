use repute_base::{Fixed, Machine, Rng, Timestamp};
use repute_blobs::{Evidence as Measured, Ranked};
use repute_identity::NodeId;
use repute_node::{
    transfers,
    trust::{
        Candidate, Chronicle, ChronicleInput, ChronicleLimits, Config, Context, Dossier, Evidence,
        Fault, IdentityClass, Input, Ledger, Limits, Output, Sample, Transfer, Write,
    },
};
use repute_protocol::{Misbehaviour, Tier};

/// What one node thinks of others: the ledger, the chronicle and the selection that ship.
pub(super) struct Judge {
    ledger: Ledger,
    chronicle: Chronicle,
    rng: Rng,
}

impl Judge {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            ledger: Ledger::new(Config::default(), Limits::default())
                .expect("a policy that can be meant"),
            chronicle: Chronicle::new(ChronicleLimits::default()),
            rng,
        }
    }

    /// Who of these should be fetched from, best first.
    pub(super) fn rank(&mut self, now: Timestamp, peers: &[NodeId]) -> Vec<Ranked> {
        let time = self.ledger.time(now.wall);
        let candidate = |id: &NodeId| Candidate {
            id: *id,
            class: IdentityClass::Vouched,
            rank: Fixed::ZERO,
            encrypted: Some(true),
            dossier: Dossier {
                metrics: self.chronicle.metrics(*id, time),
                standing: self.ledger.standing(*id, now.wall),
                crowding: Fixed::ZERO,
            },
        };
        let candidates: Vec<Candidate> = peers.iter().map(candidate).collect();
        transfers::rank_seeders(&candidates, &mut self.rng)
    }

    /// How a peer is served, and whether a gate keeps it out.
    pub(super) fn standing(&self, now: Timestamp, peer: NodeId) -> (Tier, bool) {
        let standing = self.ledger.standing(peer, now.wall);
        (transfers::tier(standing.level), standing.gate.is_closed())
    }

    pub(super) fn misbehaved(&mut self, now: Timestamp, peer: NodeId, kind: Misbehaviour) {
        self.observe(now, peer, Evidence::Invalid(kind));
        self.sample(now, peer, transfers::FAILED);
    }

    pub(super) fn measured(&mut self, now: Timestamp, peer: NodeId, measured: &Measured) {
        if let Some(judged) = transfers::judged(measured) {
            if let Some(evidence) = judged.evidence {
                self.observe(now, peer, evidence);
            }
            self.sample(now, peer, judged.sample);
        }
    }

    fn sample(&mut self, now: Timestamp, subject: NodeId, transfer: Transfer) {
        let input = ChronicleInput::Sample {
            subject,
            sample: Sample::Transfer(transfer),
            fault: Fault::Theirs,
        };
        self.tell(now, input);
    }

    fn observe(&mut self, now: Timestamp, subject: NodeId, evidence: Evidence) {
        let (context, fault) = (Context::Transfer, Fault::Theirs);
        let input = Input::Observe {
            subject,
            context,
            evidence,
            fault,
        };
        self.ledger.handle(now, input);
        while let Some(output) = self.ledger.poll_output() {
            match output {
                Output::Persist(Write::Record(record)) => {
                    self.tell(now, ChronicleInput::Record(record));
                }
                Output::Standing { subject, standing } => {
                    self.tell(now, ChronicleInput::Standing { subject, standing });
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, mut now: Timestamp, input: ChronicleInput) {
        now.wall = self.ledger.time(now.wall);
        self.chronicle.handle(now, input);
        while self.chronicle.poll_output().is_some() {}
    }
}
