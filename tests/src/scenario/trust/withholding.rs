use repute_base::Rng;
use repute_sim::Trace;

use super::{HOUR_MS, Observer, outcome, peer, village::Village};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// Peers that keep back answers, and peers that keep back receipts.
pub const TRUST_WITHHOLDING: Scenario = Scenario::new(
    "trust-withholding",
    "peers that keep back answers to most, or the receipts for what they were served",
    run,
)
.nodes(100)
.nodes_min(20)
.full(300, 100);

/// Answers kept back, in percent.
const ANSWERS: [(u64, &str); 3] = [
    (100, "hours until out, no answers"),
    (50, "hours until out, half of the answers"),
    (25, "hours until out, three quarters of the answers"),
];
/// Four days: no more than two timeouts count in an hour.
const OUT_HOURS: f64 = 96.0;
const DAYS: u64 = 30;

fn run(seed: u64, honest: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let mut figures = Vec::new();
    for (withheld, what) in ANSWERS {
        let hours = Figure::max(what, hours_until_out(&mut rng, withheld), "h");
        figures.push(hours.bar(Bar::AtMost(OUT_HOURS)));
    }
    // The receipts of half of those whom one peer served are never signed.
    let village = Village::new(&mut rng, honest, 2);
    let victim = village.first();
    let served: Vec<(usize, usize, i64)> = (0..10)
        .map(|_| (village.someone(&mut rng), victim, 5))
        .collect();
    let (signed, _) = served.split_at(5);
    let all = village.rank(&served).of(peer(victim)).to_f64();
    let part = village.rank(signed).of(peer(victim)).to_f64();
    figures.push(
        Figure::min(
            "rank of who is refused half of its receipts",
            part / all,
            "of its due",
        )
        .bar(Bar::AtLeast(0.01)),
    );
    let before = village.rank(&[]).of(peer(victim)).to_f64();
    figures.push(
        Figure::max("rank of who is refused all of them", before, "of 1").bar(Bar::Exactly(0.0)),
    );
    outcome(seed, 3 * DAYS * 24 * HOUR_MS, Trace::new(seed), figures)
}

/// After a good month, twenty requests an hour.
fn hours_until_out(rng: &mut Rng, withheld: u64) -> f64 {
    let miser = peer(1);
    let mut observer = Observer::new();
    let good = DAYS * 24;
    for hour in 0..2 * good {
        observer.wait_until(hour * HOUR_MS);
        for _ in 0..20 {
            if hour >= good && rng.chance(withheld, 100) {
                observer.timeout(miser);
            } else {
                observer.useful(miser);
            }
        }
        if !observer.admits(miser) {
            return (hour - good + 1) as f64;
        }
    }
    f64::INFINITY
}
