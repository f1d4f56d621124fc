//! The ledger's own order of candidates and the one of selection agree.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use repute_base::{Fixed, Machine, Timestamp};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    Candidate, Chronicle, ChronicleInput, ChronicleLimits, Config, Context, Dossier, Evidence,
    Fault, IdentityClass, Input, Ledger, Limits, Mode, Output, PeerModel, Write, best_peers,
};

const STRANGER: NodeId = NodeId::from_bytes([1; 32]);
const MET: NodeId = NodeId::from_bytes([2; 32]);
const NOW: Timestamp = Timestamp::from_millis(0, 1_700_000_000_000);

/// A ledger that bans nobody, so that the order is all there is, and a chronicle beside it.
struct Both {
    ledger: Ledger,
    chronicle: Chronicle,
}

impl Both {
    fn after(events: &[bool]) -> Self {
        let mut config = Config::default();
        config.ladder.hard_ban = u32::MAX;
        config.ladder.hard_below_min = false;
        config.blacklist.mode = Mode::Manual;
        let mut both = Self {
            ledger: Ledger::new(config, Limits::default()).unwrap(),
            chronicle: Chronicle::new(ChronicleLimits::default()),
        };
        for good in events {
            both.observe(match good {
                true => Evidence::Useful,
                false => Evidence::Invalid(Misbehaviour::ForgedEnvelope),
            });
        }
        both
    }

    fn observe(&mut self, evidence: Evidence) {
        let input = Input::Observe {
            subject: MET,
            context: Context::Network,
            evidence,
            fault: Fault::Theirs,
        };
        self.ledger.handle(NOW, input);
        while let Some(output) = self.ledger.poll_output() {
            if let Output::Persist(Write::Record(record)) = output {
                self.chronicle.handle(NOW, ChronicleInput::Record(record));
                while self.chronicle.poll_output().is_some() {}
            }
        }
    }

    fn rank(&self, id: NodeId) -> Fixed {
        self.ledger.rank(&self.ledger.standing(id, NOW.wall))
    }

    /// Whom selection puts first.
    fn first(&self) -> NodeId {
        let candidate = |id| Candidate {
            id,
            class: IdentityClass::Vouched,
            rank: Fixed::ZERO,
            encrypted: None,
            dossier: Dossier {
                metrics: self.chronicle.metrics(id, NOW.wall),
                standing: self.ledger.standing(id, NOW.wall),
                crowding: Fixed::ZERO,
            },
        };
        let both = [candidate(MET), candidate(STRANGER)];
        best_peers(&PeerModel, &both, 1)
            .unwrap()
            .first()
            .unwrap()
            .id
    }
}

#[test]
fn a_first_fault_brings_nobody_before_a_stranger_in_either_order() {
    let both = Both::after(&[false]);
    assert_eq!(both.first(), STRANGER);
    assert_eq!(both.rank(STRANGER), Fixed::ratio(2, 10));
    let failed = both.rank(MET).to_f64();
    assert!((failed - 0.2 * 2.0 / 3.0).abs() < 1e-4, "{failed}");
    assert!(both.ledger.standing(MET, NOW.wall).trust > Fixed::ratio(39, 100));
}

proptest! {
    #[test]
    fn who_failed_more_stands_behind_a_stranger_and_who_served_more_does_not(
        good in 0usize..20, bad in 0usize..5, seed in any::<u64>(),
    ) {
        let mut events = vec![true; good];
        events.resize(good + bad, false);
        repute_base::Rng::from_u64(seed).shuffle(&mut events);
        let both = Both::after(&events);
        let (met, stranger) = (both.rank(MET), both.rank(STRANGER));
        if bad > good {
            prop_assert!(met < stranger, "{met} {stranger}");
            prop_assert_eq!(both.first(), STRANGER);
        } else if good > 2 * bad + 1 {
            // A fault takes a fifth of all merit, which is more than selection counts it.
            prop_assert!(met >= stranger, "{met} {stranger}");
            prop_assert_eq!(both.first(), MET);
        }
    }
}
