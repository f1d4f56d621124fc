use repute_base::Rng;
use repute_sim::Trace;

use super::{DAY_MS, HOUR_MS, Observer, outcome, peer};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// R21: peers that come back under new names.
pub const TRUST_WHITEWASH: Scenario = Scenario::new(
    "trust-whitewash",
    "R21: cheats that come back under new names, among honest peers, some with 5 % timeouts",
    run,
)
.nodes(20)
.nodes_min(4)
.full(100, 100);

const DAYS: u64 = 20;
/// How old an honest peer must be to count as old.
const OLD_MS: u64 = DAY_MS;

/// `honest` peers of which every second misses up to 5 % of its answers.
fn run(seed: u64, honest: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let mut observer = Observer::new();
    let (mut beaten, mut tied, mut compared, mut timeouts, mut out) =
        (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let habits: Vec<(u64, u64)> = (0..honest)
        .map(|nth| {
            let missed_permille = if nth % 2 == 0 { 0 } else { 1 + rng.below(50) };
            // Acts an hour, from few to more than is credited.
            (missed_permille, 1 + rng.below(25))
        })
        .collect();
    let (mut cheat, mut names, mut bad, mut shed_better) = (honest, 1_u64, 0_u64, 0_u64);
    for hour in 0..DAYS * 24 {
        observer.wait_until((hour + 1) * HOUR_MS);
        for (nth, (missed_permille, acts)) in habits.iter().enumerate() {
            for _ in 0..*acts {
                if rng.chance(*missed_permille, 1_000) {
                    timeouts += 1;
                    observer.timeout(peer(nth));
                } else {
                    observer.useful(peer(nth));
                }
            }
        }
        let fresh = observer.score(peer(usize::MAX - 1));
        if observer.at_ms() >= OLD_MS {
            for nth in 0..honest {
                let old = observer.score(peer(nth));
                compared += 1;
                beaten += u64::from(fresh > old);
                tied += u64::from(fresh == old);
                out += u64::from(!observer.admits(peer(nth)));
            }
        }
        // The cheat cheats while it may, then comes back under a new name.
        for _ in 0..20 {
            if !observer.admits(peer(cheat)) {
                cheat += 1;
                names += 1;
                shed_better += u64::from(observer.score(peer(cheat)) > fresh);
            }
            observer.bad(peer(cheat));
            bad += 1;
        }
    }
    outcome(
        seed,
        observer.at_ms(),
        Trace::new(seed),
        vec![
            Figure::sum(
                "R21 a fresh identity before an old honest one",
                beaten as f64,
                "times",
            )
            .bar(Bar::Exactly(0.0)),
            Figure::sum("R21 the two level", tied as f64, "times"),
            Figure::sum("comparisons", compared as f64, "times").bar(Bar::AtLeast(1.0)),
            Figure::sum("timeouts of honest peers", timeouts as f64, "times")
                .bar(Bar::AtLeast(1.0)),
            Figure::sum(
                "old honest peers below the minimum for a link",
                out as f64,
                "times",
            ),
            Figure::sum(
                "R21 a shed past that left more than a stranger's score",
                shed_better as f64,
                "times",
            )
            .bar(Bar::Exactly(0.0)),
            Figure::sum("names used up", names as f64, "names").bar(Bar::AtLeast(2.0)),
            Figure::max("bad acts a name", bad as f64 / names as f64, "acts").bar(Bar::AtMost(3.0)),
        ],
    )
}
