//! Scores the mirrors of a download service from the application's own events: no network, no
//! clock but the one the application hands in.
//!
//! `cargo run -p repute-trust --example own_events`

use repute_base::{Machine, Timestamp};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    Config, ConfigError, Context, Event, Evidence, Fault, Input, Ledger, Limits, Output, Write,
};

const HOUR: u64 = 3_600_000;

fn main() -> Result<(), ConfigError> {
    let mut ledger = Ledger::new(Config::default(), Limits::default())?;
    let mut store = Vec::new();
    let mut outputs = Vec::new();
    let (good, lazy, liar) = (mirror(1), mirror(2), mirror(3));

    for hour in 0..72 {
        // The application's clocks: milliseconds since it started, and since 1970.
        let now = Timestamp::from_millis(hour * HOUR, 1_700_000_000_000 + hour * HOUR);
        for piece in 0..30 {
            tell(
                &mut ledger,
                now,
                good,
                Evidence::Useful,
                Fault::Theirs,
                &mut outputs,
            );
            let late = if piece % 3 == 0 {
                Evidence::Timeout
            } else {
                Evidence::Useful
            };
            // In hour 40 our own line was down: nobody is blamed for it.
            let fault = if hour == 40 {
                Fault::Ours
            } else {
                Fault::Theirs
            };
            tell(&mut ledger, now, lazy, late, fault, &mut outputs);
        }
        if hour == 70 {
            for _ in 0..10 {
                let forged = Evidence::Invalid(Misbehaviour::ForgedEnvelope);
                tell(&mut ledger, now, liar, forged, Fault::Theirs, &mut outputs);
            }
        }
        for output in outputs.drain(..) {
            match output {
                Output::Persist(Write::Record(record)) => store.push(record),
                Output::Event(Event::Banned(ban)) => {
                    println!(
                        "hour {hour}: banned {}: {}",
                        ban.subject.short(),
                        ban.reason
                    );
                }
                Output::Event(Event::LevelChanged { subject, from, to }) => {
                    println!("hour {hour}: {} went from {from} to {to}", subject.short());
                }
                _ => {}
            }
        }
    }

    let wall = ledger.time(repute_base::Wall::ZERO);
    println!();
    for (name, subject) in [("good", good), ("lazy", lazy), ("liar", liar)] {
        let standing = ledger.standing(subject, wall);
        let why = ledger.explain(subject, &store, wall);
        println!(
            "{name}: trust {}, {}, gate {}; {} records, {} good, {} hard, {} soft, proven: {}",
            standing.trust,
            standing.level,
            standing.gate,
            why.lines.len(),
            why.useful,
            why.hard,
            why.soft,
            why.matches,
        );
    }
    Ok(())
}

fn mirror(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

/// Hands one event in, and drains what the ledger has to say before the next.
fn tell(
    ledger: &mut Ledger,
    now: Timestamp,
    subject: NodeId,
    evidence: Evidence,
    fault: Fault,
    outputs: &mut Vec<Output>,
) {
    let context = Context::Network;
    ledger.handle(
        now,
        Input::Observe {
            subject,
            context,
            evidence,
            fault,
        },
    );
    outputs.extend(std::iter::from_fn(|| ledger.poll_output()));
}
