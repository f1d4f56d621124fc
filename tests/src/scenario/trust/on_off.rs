use repute_base::Rng;
use repute_sim::Trace;

use super::{DAY_MS, HOUR_MS, Observer, outcome, peer};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// R20: peers that build trust up in order to betray it.
pub const TRUST_ON_OFF: Scenario = Scenario::new(
    "trust-on-off",
    "R20: build trust up, then betray it; by score and by the clock, 10 s to 10 h, 1 to 50 %",
    run,
)
.nodes(6)
.nodes_min(2)
.full(20, 100);

/// Intervals that an attacker who watches its score is watched: over two years.
const WATCHED: u64 = 20_000;
/// As many as a name is perhaps kept.
const MONTHS: u64 = 120 * 24;
/// Days over which those by the clock and their honest twin are compared.
const TWIN_DAYS: u64 = 20;
const PER_INTERVAL: u64 = 20;

/// `attackers` by the clock, each with a period and a share of its own, besides those that watch
/// their score.
fn run(seed: u64, attackers: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let trusted = watching(&mut rng, (0.8, 0.5), WATCHED);
    let months = watching(&mut rng, (0.8, 0.5), MONTHS);
    let middling = watching(&mut rng, (0.6, 0.5), MONTHS);
    let low = 0.3 + 0.3 * rng.below(1_001) as f64 / 1_000.0;
    let high = low + (0.89 - low) * rng.below(1_001) as f64 / 1_000.0;
    let any = watching(&mut rng, (high, low), MONTHS);
    let fall = fall(&mut rng);
    let mut simulated = (WATCHED + 3 * MONTHS) * HOUR_MS;
    let (mut worst_gain, mut worst_price) = (0.0_f64, f64::INFINITY);
    let (mut most_acts, mut betrayals, mut unfallen) = (0, 0, 0);
    for _ in 0..attackers {
        let by_clock = by_clock(&mut rng);
        worst_gain = worst_gain.max(by_clock.gain);
        worst_price = worst_price.min(by_clock.price);
        most_acts = most_acts.max(by_clock.acts_until_out);
        betrayals += by_clock.betrayals;
        unfallen += u64::from(!by_clock.fell);
        simulated += TWIN_DAYS * DAY_MS;
    }
    outcome(
        seed,
        simulated,
        Trace::new(seed),
        vec![
            Figure::mean("bad actions let through, built to 0.8", trusted.share, "%")
                .bar(Bar::AtMost(0.1)),
            Figure::mean("the same, of what was let through", trusted.part, "%"),
            Figure::max("the same, of the first 120 days", months.share, "%"),
            Figure::max("the same, built to 0.6", middling.share, "%"),
            Figure::max("the same, built and betrayed to anywhere", any.share, "%"),
            Figure::min(
                "betrayals of those that watch their score",
                trusted.bad as f64,
                "times",
            )
            .bar(Bar::AtLeast(1.0)),
            Figure::min("R20 regaining 0.8 takes", fall.regain, "times losing it")
                .bar(Bar::AtLeast(5.0)),
            Figure::max("R20 bad acts from the top to below 0.5", fall.acts, "acts")
                .bar(Bar::AtMost(10.0)),
            Figure::max(
                "R20 bad acts until out, by the clock",
                most_acts as f64,
                "acts",
            )
            .bar(Bar::AtMost(10.0))
            .known(15.0),
            Figure::sum(
                "R20 attackers by the clock never out",
                unfallen as f64,
                "peers",
            )
            .bar(Bar::Exactly(0.0)),
            Figure::max("R20 gain of betraying", worst_gain, "of staying honest")
                .bar(Bar::AtMost(1.0)),
            Figure::min(
                "R20 worth of a betrayal to break even",
                worst_price,
                "honest acts",
            ),
            Figure::sum("betrayals by the clock", betrayals as f64, "times").bar(Bar::AtLeast(1.0)),
        ],
    )
}

struct Watched {
    /// Bad acts that were let through, of all acts tried, in percent.
    share: f64,
    /// Of those that were let through.
    part: f64,
    bad: u64,
}

/// Builds up to `high`, betrays down to `low`, again and again, with a good act in every twentieth
/// of an interval. It knows its score at every moment.
fn watching(rng: &mut Rng, (high, low): (f64, f64), intervals: u64) -> Watched {
    let attacker = peer(1);
    let mut observer = Observer::new();
    let (mut bad, mut good, mut all, mut attacking) = (0_u64, 0_u64, 0_u64, false);
    observer.wait(rng.below(HOUR_MS));
    for _ in 0..intervals * PER_INTERVAL {
        observer.wait(HOUR_MS / PER_INTERVAL);
        let trust = observer.trust(attacker);
        if attacking && trust <= low {
            attacking = false;
        } else if !attacking && trust >= high {
            attacking = true;
        }
        // What it tries while it is refused, is not let through.
        all += 1;
        if !observer.admits(attacker) {
            continue;
        }
        if attacking {
            bad += 1;
            observer.bad(attacker);
        } else {
            good += 1;
            observer.useful(attacker);
        }
    }
    Watched {
        share: 100.0 * bad as f64 / all.max(1) as f64,
        part: 100.0 * bad as f64 / (bad + good).max(1) as f64,
        bad,
    }
}

struct Fall {
    /// Bad acts from the top to below 0.5.
    acts: f64,
    /// Acts from there back to 0.8, for each of those.
    regain: f64,
}

/// From as high as it gets to below 0.5, and from there back to 0.8; at the pace of its good acts
/// throughout.
fn fall(rng: &mut Rng) -> Fall {
    let attacker = peer(1);
    // The gate would keep it from regaining anything.
    let mut observer = Observer::ungated();
    let pace_ms = HOUR_MS / PER_INTERVAL;
    let act = |observer: &mut Observer, good: bool| {
        observer.wait(pace_ms);
        if good {
            observer.useful(attacker);
        } else {
            observer.bad(attacker);
        }
    };
    let age_days = 3 + rng.below(20);
    for _ in 0..age_days * 24 * PER_INTERVAL {
        act(&mut observer, true);
    }
    while observer.trust(attacker) < 0.8 {
        act(&mut observer, true);
    }
    let mut down = 0_u64;
    while observer.trust(attacker) >= 0.5 {
        act(&mut observer, false);
        down += 1;
    }
    let mut up = 0_u64;
    while observer.trust(attacker) < 0.8 && up < 1_000_000 {
        act(&mut observer, true);
        up += 1;
    }
    Fall {
        acts: down as f64,
        // Acts come at one pace, so it is the same in time.
        regain: up as f64 / down as f64,
    }
}

struct ByClock {
    /// What it got out of it, a betrayal counting as one act, as part of what its twin got.
    gain: f64,
    /// How many honest acts a betrayal would have to be worth to make up for it.
    price: f64,
    /// Bad acts until it was first refused.
    acts_until_out: u64,
    betrayals: u64,
    fell: bool,
}

/// Good for one part of each period, bad for the rest, after an honest beginning.
fn by_clock(rng: &mut Rng) -> ByClock {
    let (attacker, twin) = (peer(1), peer(2));
    let mut observer = Observer::new();
    // From 10 s to 10 h, evenly over the orders of magnitude.
    let period_ms = (10_000.0 * 3_600_f64.powf(rng.below(1_001) as f64 / 1_000.0)) as u64;
    let percent = 1 + rng.below(50);
    let bad_ms = (period_ms * percent / 100).max(1);
    let honest_until = rng.below(TWIN_DAYS / 2) * DAY_MS;
    let pace_ms = HOUR_MS / PER_INTERVAL;
    let (mut got, mut twin_got, mut betrayals, mut first_out) = (0_u64, 0_u64, 0_u64, None);
    for _ in 0..TWIN_DAYS * 24 * PER_INTERVAL {
        // Not in step with the period.
        observer.wait(rng.range(pace_ms / 2..pace_ms * 3 / 2));
        if observer.admits(twin) {
            twin_got += 1;
            observer.useful(twin);
        }
        if !observer.admits(attacker) {
            first_out.get_or_insert(betrayals);
            continue;
        }
        let at = observer.at_ms();
        let betrays = at >= honest_until && at % period_ms >= period_ms - bad_ms;
        got += 1;
        if betrays {
            betrayals += 1;
            observer.bad(attacker);
        } else {
            observer.useful(attacker);
        }
    }
    let good = got - betrayals;
    ByClock {
        gain: got as f64 / twin_got.max(1) as f64,
        price: twin_got.saturating_sub(good) as f64 / betrayals.max(1) as f64,
        acts_until_out: first_out.unwrap_or(betrayals),
        betrayals,
        fell: first_out.is_some(),
    }
}
