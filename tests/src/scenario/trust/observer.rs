use std::time::Duration;

use repute_base::{Fixed, Machine, Timestamp};
use repute_identity::NodeId;
use repute_node::trust::{
    Candidate, Chronicle, ChronicleInput, ChronicleLimits, Config, Context, Dossier, Evidence,
    Fault, Footing, IdentityClass, Input, Ledger, Limits, Mode, Opinion, Output, Sample, Standing,
    Write,
};
use repute_protocol::Misbehaviour;

/// Any day will do.
const START: u64 = 1_700_000_000_000;
/// A broken rule that is proven to whom it hits.
const BAD: Evidence = Evidence::Invalid(Misbehaviour::ForgedEnvelope);

/// How long an opinion holds: as long as it may.
const HOLDS: Duration = Duration::from_secs(7 * 86_400);

/// One who judges: a ledger and a chronicle with their clock.
pub(super) struct Observer {
    ledger: Ledger,
    chronicle: Option<Chronicle>,
    at_ms: u64,
}

impl Observer {
    /// Knows nobody yet.
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    /// Measures, too, besides judging.
    pub(super) fn measuring() -> Self {
        Self {
            chronicle: Some(Chronicle::new(ChronicleLimits::default())),
            ..Self::new()
        }
    }

    /// Gates never close: the score alone.
    pub(super) fn ungated() -> Self {
        let mut config = Config::default();
        config.ladder.hard_ban = u32::MAX;
        config.ladder.hard_below_min = false;
        config.ladder.soft_grey = u32::MAX;
        config.blacklist.mode = Mode::Manual;
        Self::with(config)
    }

    fn with(config: Config) -> Self {
        let ledger = Ledger::new(config, Limits::default()).expect("a policy that can be meant");
        Self {
            ledger,
            chronicle: None,
            at_ms: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.at_ms, START + self.at_ms)
    }

    /// Lets time pass up to this moment.
    pub(super) fn wait_until(&mut self, at_ms: u64) {
        self.at_ms = self.at_ms.max(at_ms);
        self.hand(Input::Tick);
    }

    /// Lets so much time pass.
    pub(super) fn wait(&mut self, ms: u64) {
        self.wait_until(self.at_ms + ms);
    }

    pub(super) fn at_ms(&self) -> u64 {
        self.at_ms
    }

    pub(super) fn useful(&mut self, of: NodeId) {
        self.observe(of, Evidence::Useful);
    }

    pub(super) fn bad(&mut self, of: NodeId) {
        self.observe(of, BAD);
    }

    pub(super) fn timeout(&mut self, of: NodeId) {
        self.observe(of, Evidence::Timeout);
    }

    fn observe(&mut self, subject: NodeId, evidence: Evidence) {
        let (context, fault) = (Context::Network, Fault::Theirs);
        self.hand(Input::Observe {
            subject,
            context,
            evidence,
            fault,
        });
    }

    /// Somebody of class 1 and this rank recommends or warns.
    pub(super) fn hear(&mut self, source: NodeId, subject: NodeId, value: i8, rank: Fixed) {
        let issued = self.now().wall;
        self.hand(Input::Recommended {
            source,
            opinion: Opinion {
                subject,
                context: Context::Network,
                value,
                receipt: None,
                issued,
                expires: issued + HOLDS,
            },
            footing: Footing {
                class: 1,
                rank,
                cluster: 0,
            },
        });
    }

    fn hand(&mut self, input: Input) {
        let now = self.now();
        self.ledger.handle(now, input);
        while let Some(output) = self.ledger.poll_output() {
            match output {
                Output::Persist(Write::Record(record)) => {
                    self.tell(ChronicleInput::Record(record));
                }
                Output::Standing { subject, standing } => {
                    self.tell(ChronicleInput::Standing { subject, standing });
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, input: ChronicleInput) {
        let mut now = self.now();
        now.wall = self.ledger.time(now.wall);
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.handle(now, input);
            while chronicle.poll_output().is_some() {}
        }
    }

    /// Something was measured.
    pub(super) fn sample(&mut self, subject: NodeId, sample: Sample) {
        self.tell(ChronicleInput::Sample {
            subject,
            sample,
            fault: Fault::Theirs,
        });
    }

    /// All that a choice may look at. Whatever its identity cost, all paid the same.
    pub(super) fn candidate(&self, id: NodeId, rank: Fixed) -> Candidate {
        let time = self.ledger.time(self.now().wall);
        let metrics = self.chronicle.as_ref().map(|one| one.metrics(id, time));
        Candidate {
            id,
            class: IdentityClass::Vouched,
            rank,
            encrypted: None,
            dossier: Dossier {
                metrics: metrics.unwrap_or_default(),
                standing: self.standing(id),
                crowding: Fixed::ZERO,
            },
        }
    }

    pub(super) fn standing(&self, of: NodeId) -> Standing {
        self.ledger.standing(of, self.now().wall)
    }

    pub(super) fn trust(&self, of: NodeId) -> f64 {
        self.standing(of).trust.to_f64()
    }

    /// The score that candidates are ordered by.
    pub(super) fn score(&self, of: NodeId) -> Fixed {
        self.ledger.rank(&self.standing(of))
    }

    /// Whether a peer may have a link and is dialled: its gate is open and its score high enough.
    pub(super) fn admits(&self, of: NodeId) -> bool {
        let standing = self.standing(of);
        !standing.gate.is_closed() && standing.trust >= self.ledger.config().trust_min
    }
}
