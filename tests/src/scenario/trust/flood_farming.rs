use repute_base::Rng;
use repute_sim::Trace;

use super::{HOUR_MS, Observer, outcome, peer};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// Peers that do nothing but deliver useful messages, as fast as they like, to be trusted soon.
pub const TRUST_FLOOD_FARMING: Scenario = Scenario::new(
    "trust-flood-farming",
    "useful messages at any rate: how long until a stranger is trusted",
    run,
)
.nodes(8)
.nodes_min(3)
.full(16, 50);

/// The score that is farmed for.
const TRUSTED: f64 = 0.8;
/// Messages an interval, from what is credited to what a link carries.
const RATE_MAX: u64 = 20_000;

/// `farmers`, each with a rate and a place within the interval of its own.
fn run(seed: u64, farmers: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let (mut fewest, mut fewest_touched, mut fewest_hours) = (u64::MAX, u64::MAX, f64::INFINITY);
    let (mut sent, mut top, mut simulated) = (0, 0.0_f64, 0);
    for farmer in 0..farmers {
        // Evenly over the orders of magnitude; the first sends what is credited, the last the most.
        let rate = match farmer {
            0 => 20,
            last if last + 1 == farmers => RATE_MAX,
            _ => 20 << rng.below(10),
        };
        // A burst at one place of each interval, but for the first: that comes at its very end.
        let place_ms = rng.below(HOUR_MS - 1);
        let farmed = farm(rate, place_ms);
        fewest = fewest.min(farmed.held);
        fewest_touched = fewest_touched.min(farmed.touched);
        fewest_hours = fewest_hours.min(farmed.hours);
        sent += farmed.sent;
        top = top.max(farmed.top);
        simulated += farmed.simulated_ms;
    }
    outcome(
        seed,
        simulated,
        Trace::new(seed),
        vec![
            Figure::min(
                "intervals until 0.8 at the end of one",
                fewest as f64,
                "intervals",
            )
            .bar(Bar::AtLeast(48.0)),
            Figure::min(
                "intervals until 0.8 within one",
                fewest_touched as f64,
                "intervals",
            ),
            Figure::min("from the first message to 0.8", fewest_hours, "h"),
            Figure::max("score in the end", top, "of 1"),
            Figure::sum("messages sent", sent as f64, "messages").bar(Bar::AtLeast(48.0 * 20.0)),
        ],
    )
}

struct Farmed {
    /// Intervals at whose end the score had never been enough, and the one at whose end it was.
    held: u64,
    /// The same, but looked at after each burst.
    touched: u64,
    hours: f64,
    sent: u64,
    top: f64,
    simulated_ms: u64,
}

fn farm(rate: u64, place_ms: u64) -> Farmed {
    let farmer = peer(1);
    let mut observer = Observer::new();
    let (mut held, mut touched, mut hours, mut sent) = (None, None, 0.0, 0);
    let first_ms = HOUR_MS - 1;
    // The ledger's intervals begin at whole hours of its own time.
    let base = HOUR_MS - observer.now().wall.as_millis() % HOUR_MS;
    for interval in 0_u64.. {
        let burst_ms = if interval == 0 {
            first_ms
        } else {
            interval * HOUR_MS + place_ms
        };
        observer.wait_until(base + burst_ms);
        for _ in 0..rate {
            observer.useful(farmer);
        }
        sent += rate;
        if touched.is_none() && observer.trust(farmer) >= TRUSTED {
            touched = Some(interval + 1);
            hours = (burst_ms - first_ms) as f64 / HOUR_MS as f64;
        }
        // As the next interval begins, whose first message is yet to come.
        observer.wait_until(base + (interval + 1) * HOUR_MS);
        if held.is_none() && observer.trust(farmer) >= TRUSTED {
            held = Some(interval + 1);
        }
        if held.is_some() || interval > 500 {
            break;
        }
    }
    // What more of it brings. The rate no longer matters: more than 20 are none.
    for interval in 0..2_000 {
        observer.wait_until(base + (600 + interval) * HOUR_MS);
        (0..25).for_each(|_| observer.useful(farmer));
    }
    Farmed {
        held: held.unwrap_or(u64::MAX),
        touched: touched.unwrap_or(u64::MAX),
        hours,
        sent,
        top: observer.trust(farmer),
        simulated_ms: observer.at_ms(),
    }
}
