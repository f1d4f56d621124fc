use std::time::Duration;

use repute_base::{Fixed, Machine, Rng, Timestamp};
use repute_blobs::{Evidence as Measured, Grade, Ranked};
use repute_identity::NodeId;
use repute_node::trust::{
    Candidate, Choice, Chronicle, ChronicleInput, ChronicleLimits, Config, Context, Direction,
    Dossier, Evidence, Fault, IdentityClass, Input, Ledger, Level, Limits, Output, Reason, Sample,
    Transfer, TransferModel, Write, select,
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
        let choice = Choice::default();
        let Ok(selection) = select(&TransferModel, &candidates, &choice, &mut self.rng) else {
            return Vec::new();
        };
        let chosen = selection.chosen.into_iter();
        chosen
            .map(|one| Ranked {
                peer: one.id,
                grade: grade(one.level),
                score: one.score,
                uncertainty: self.ledger.standing(one.id, now.wall).uncertainty,
                explored: one.reason == Reason::Explored,
                closed: false,
            })
            .collect()
    }

    /// How a peer is served, and whether a gate keeps it out.
    pub(super) fn standing(&self, now: Timestamp, peer: NodeId) -> (Tier, bool) {
        let standing = self.ledger.standing(peer, now.wall);
        let tier = match standing.level {
            Level::Trusted => Tier::Trusted,
            Level::High => Tier::High,
            Level::Medium => Tier::Medium,
            _ => Tier::Newcomer,
        };
        (tier, standing.gate.is_closed())
    }

    pub(super) fn misbehaved(&mut self, now: Timestamp, peer: NodeId, kind: Misbehaviour) {
        self.observe(now, peer, Evidence::Invalid(kind));
        self.sample(now, peer, Direction::Down, false, (0, Duration::ZERO), None);
    }

    pub(super) fn measured(&mut self, now: Timestamp, peer: NodeId, measured: Measured) {
        match measured {
            Measured::Served {
                bytes,
                took,
                latency,
            } => {
                self.observe(now, peer, Evidence::Useful);
                self.sample(now, peer, Direction::Down, true, (bytes, took), latency);
            }
            Measured::Stalled { bytes, took } => {
                self.observe(now, peer, Evidence::Timeout);
                self.sample(now, peer, Direction::Down, false, (bytes, took), None);
            }
            Measured::Took { bytes, took } => {
                self.sample(now, peer, Direction::Up, true, (bytes, took), None);
            }
            _ => {}
        }
    }

    fn sample(
        &mut self,
        now: Timestamp,
        subject: NodeId,
        direction: Direction,
        ok: bool,
        (bytes, took): (u64, Duration),
        latency: Option<Duration>,
    ) {
        let sample = Sample::Transfer(Transfer {
            ok,
            direction,
            bytes,
            took,
            latency,
        });
        let fault = Fault::Theirs;
        let input = ChronicleInput::Sample {
            subject,
            sample,
            fault,
        };
        self.tell(now, input);
    }

    fn observe(&mut self, now: Timestamp, subject: NodeId, evidence: Evidence) {
        let (context, fault) = (Context::Network, Fault::Theirs);
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

fn grade(level: Level) -> Grade {
    match level {
        Level::Distrusted => Grade::Distrusted,
        Level::Unknown => Grade::Unknown,
        Level::Low => Grade::Low,
        Level::Medium => Grade::Medium,
        Level::High => Grade::High,
        Level::Trusted => Grade::Trusted,
    }
}
