//! An application's own model: scores the sellers of a market by its own orders and complaints.
//! No network, no clock but the one that is handed in.
//!
//! `cargo run -p repute-trust --example own_model`

use std::time::Duration;

use repute_base::{Fixed, Machine, Timestamp};
use repute_identity::NodeId;
use repute_trust::{
    Assessment, Candidate, Chronicle, ChronicleInput, ChronicleLimits, Component, Config, Dossier,
    Fault, IdentityClass, Ledger, Limits, Sample, ScoringModel, Stakes, TooFew, best_peers,
};

// The model, whole: which of the four tallies mean what, and how they are weighed.
const ORDERS: u8 = 0;
const COMPLAINTS: u8 = 1;

struct SellerModel;

impl ScoringModel for SellerModel {
    fn name(&self) -> &'static str {
        "seller"
    }

    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment {
        let [orders, complaints, ..] = dossier.metrics.custom;
        let share = |tally: repute_trust::Tally| match stakes {
            Stakes::Ordinary => tally.expected(),
            // Before an expensive order: only what is proven.
            Stakes::High => tally.lower(),
        };
        Assessment::weighted(vec![
            Component::percent("delivered", 70, share(orders)),
            Component::percent("settled", 30, share(complaints)),
        ])
    }
}

/// What the market saw: seller, tally, whether it was good, whose fault it was if not.
fn events() -> Vec<(NodeId, u8, bool, Fault)> {
    let mut events = Vec::new();
    for order in 0..40 {
        // One delivers, but for the week our own warehouse was closed.
        let closed = (20..25).contains(&order);
        events.push((seller(1), ORDERS, !closed, Fault::Ours));
        // One loses every fourth parcel, and settles half of the complaints.
        events.push((seller(2), ORDERS, order % 4 != 0, Fault::Theirs));
        if order % 4 == 0 {
            events.push((seller(2), COMPLAINTS, order % 8 == 0, Fault::Theirs));
        }
    }
    // One has delivered a single time.
    events.push((seller(3), ORDERS, true, Fault::Theirs));
    events
}

/// Hands the market's events in, and ranks the sellers.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The ledger keeps the gates; the chronicle keeps what was observed.
    let ledger = Ledger::new(Config::default(), Limits::default())?;
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    let mut now = Timestamp::from_millis(0, 1_700_000_000_000);
    for (subject, slot, ok, fault) in events() {
        now.wall = now.wall + Duration::from_secs(3_600);
        let sample = Sample::Custom { slot, ok };
        chronicle.handle(
            now,
            ChronicleInput::Sample {
                subject,
                sample,
                fault,
            },
        );
    }

    let candidates: Vec<Candidate> = (1..=3)
        .map(|n| Candidate {
            id: seller(n),
            class: IdentityClass::Free,
            rank: Fixed::ZERO,
            encrypted: None,
            dossier: Dossier {
                metrics: chronicle.metrics(seller(n), now.wall),
                standing: ledger.standing(seller(n), now.wall),
                crowding: Fixed::ZERO,
            },
        })
        .collect();
    let ranked = best_peers(&SellerModel, &candidates, 3)?;
    for one in &ranked {
        let id = one.id.short();
        println!("{}. {id} {:.3}", one.place, one.score);
        for part in &one.components {
            println!(
                "     {:<10} {:.3} x {:.2}",
                part.name, part.value, part.weight
            );
        }
    }
    let order: Vec<NodeId> = ranked.iter().map(|one| one.id).collect();
    assert_eq!(order, [seller(1), seller(2), seller(3)]);

    if let Err(TooFew { passed, .. }) = best_peers(&SellerModel, &candidates, 9) {
        println!("nine were asked for, and {passed} pass the gates");
    }
    Ok(())
}

fn seller(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}
