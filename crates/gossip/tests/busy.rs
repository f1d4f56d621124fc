//! Many authors at once on a machine whose cores are all busy.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod load;

use load::{Busy, Offer, line};
use repute_sim::for_each_seed;

#[test]
fn many_authors_on_a_busy_machine_cost_few_copies_and_the_tree_settles() {
    for_each_seed("many_authors_on_a_busy_machine", 2, |seed| {
        let mut machine = Busy::new(seed, 16, 2);
        let paced = Offer::Paced {
            count: 30,
            pause_ms: 100,
        };
        machine.phase(paced, 16);
        let burst = Offer::Burst { count: 600 };
        let closed = Offer::Closed {
            window: 64,
            millis: 300,
        };
        for (name, offer, publishers, copies) in [
            ("paced", paced, 16, 1.1),
            ("burst1", burst, 1, 1.1),
            ("burstall", burst, 16, 1.3),
            ("closed1", closed, 1, 1.1),
            ("closedall", closed, 16, 1.3),
        ] {
            let figures = machine.phase(offer, publishers);
            let told = line(name, &figures);
            assert_eq!(figures.lost, 0, "{told}");
            assert!(figures.copies <= copies, "{told}");
            // One circle broken up, not the tree torn apart and grown together over and over.
            assert!(figures.prunes <= 150 && figures.grafts <= 20, "{told}");
        }
        assert!(machine.stalls > 10 && machine.resends > 2, "no trouble");
    });
}

#[test]
#[ignore = "prints figures; release build"]
fn figures_of_a_busy_machine() {
    let seeds: u64 = std::env::var("SEEDS").map_or(3, |n| n.parse().unwrap());
    let nodes: usize = std::env::var("NODES").map_or(16, |n| n.parse().unwrap());
    for seed in 0..seeds {
        let mut machine = Busy::new(seed, nodes, 2);
        for (name, offer, publishers) in [
            (
                "paced",
                Offer::Paced {
                    count: 200,
                    pause_ms: 100,
                },
                nodes,
            ),
            ("burst1", Offer::Burst { count: 2_000 }, 1),
            ("burstall", Offer::Burst { count: 2_000 }, nodes),
            (
                "closed1",
                Offer::Closed {
                    window: 64,
                    millis: 2_000,
                },
                1,
            ),
            (
                "closedall",
                Offer::Closed {
                    window: 64,
                    millis: 2_000,
                },
                nodes,
            ),
            (
                "closedall2",
                Offer::Closed {
                    window: 64,
                    millis: 2_000,
                },
                nodes,
            ),
        ] {
            let figures = machine.phase(offer, publishers);
            eprintln!("{seed} {}", line(name, &figures));
        }
    }
}
