//! The bars of the race: one line for each, judged as ratios within a round.

use super::{
    entrant::{ALL, IROH, IROH_SIGNED, OURS_SINGLY, Role, TUNED},
    results::Results,
};
use crate::report::{Row, median};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    More,
    Less,
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Against {
    /// The best of the peers that authenticate authors, in the same round.
    TheBetter,
    /// One entrant, in the same round.
    One(&'static str),
    /// A number.
    Fixed,
}

use Against::{Fixed, One, TheBetter};
use Better::{Less, More};

/// One bar.
#[derive(Clone, Copy, Debug)]
struct Bar {
    what: &'static str,
    phase: &'static str,
    figure: &'static str,
    better: Better,
    against: Against,
    bar: f64,
    /// How far it is missed at most where it is out of reach; docs/performance.md says why.
    known: Option<f64>,
}

impl Bar {
    const fn known(mut self, limit: f64) -> Self {
        self.known = Some(limit);
        self
    }
}

const fn bar(
    what: &'static str,
    phase: &'static str,
    figure: &'static str,
    better: Better,
    against: Against,
    bar: f64,
) -> Bar {
    Bar {
        what,
        phase,
        figure,
        better,
        against,
        bar,
        known: None,
    }
}

const RATE: &str = "del_per_s";
const CPU: &str = "cpu_us_per_del";

/// What holds for our node, however it signs.
const ALWAYS: &[Bar] = &[
    bar(
        "closedall deliveries",
        "closedall",
        RATE,
        More,
        TheBetter,
        4.0,
    )
    .known(1.4),
    bar("closed1 deliveries", "closed1", RATE, More, TheBetter, 1.2),
    bar("burst1 deliveries", "burst1", RATE, More, TheBetter, 1.2),
    bar(
        "burstall deliveries",
        "burstall",
        RATE,
        More,
        TheBetter,
        1.2,
    ),
    bar(
        "paced latency to the last p50",
        "paced",
        "last_p50",
        Less,
        TheBetter,
        1.0,
    )
    .known(1.4),
    bar(
        "paced latency to the last p99",
        "paced",
        "last_p99",
        Less,
        TheBetter,
        1.0,
    )
    .known(2.0),
    bar(
        "closedall latency to each p99",
        "closedall",
        "lat_p99",
        Less,
        TheBetter,
        0.4,
    )
    .known(0.8),
    bar(
        "closed1 copies per unique",
        "closed1",
        "recv_x",
        Less,
        Fixed,
        1.1,
    ),
    bar(
        "closedall copies per unique",
        "closedall",
        "recv_x",
        Less,
        Fixed,
        1.3,
    ),
    bar(
        "memory at the end",
        "closedall",
        "peak_rss_mib",
        Less,
        One(TUNED),
        0.5,
    )
    .known(0.75),
    bar("idle CPU", "idle", "cpu_cores", Less, TheBetter, 1.0).known(3.0),
    bar("idle bytes", "idle", "lo_bytes_per_s", Less, TheBetter, 1.0).known(1.5),
];

/// What holds for a node that signs each message.
const SINGLY: &[Bar] = &[
    bar(
        "closed1 CPU per delivery",
        "closed1",
        CPU,
        Less,
        One(IROH_SIGNED),
        0.76,
    ),
    bar(
        "closedall CPU per delivery",
        "closedall",
        CPU,
        Less,
        One(IROH_SIGNED),
        0.31,
    )
    .known(0.65),
    bar(
        "closed1 loopback bytes per payload byte",
        "closed1",
        "wire_x",
        Less,
        Fixed,
        1.25,
    ),
];

/// What holds for a node that signs bursts.
const BURSTS: &[Bar] = &[
    bar("closed1 deliveries", "closed1", RATE, More, One(IROH), 1.0).known(0.7),
    bar(
        "closedall deliveries",
        "closedall",
        RATE,
        More,
        One(IROH),
        1.0,
    )
    .known(0.35),
    bar(
        "closed1 CPU per delivery",
        "closed1",
        CPU,
        Less,
        One(IROH),
        1.1,
    )
    .known(1.8),
    bar(
        "closedall CPU per delivery",
        "closedall",
        CPU,
        Less,
        One(IROH),
        0.55,
    )
    .known(3.0),
    bar(
        "closed1 loopback bytes per payload byte",
        "closed1",
        "wire_x",
        Less,
        Fixed,
        1.45,
    ),
    // No cost for a lone message, but for what two runs of the same program differ by.
    bar(
        "paced latency to the last p50",
        "paced",
        "last_p50",
        Less,
        One(OURS_SINGLY),
        1.1,
    )
    .known(1.4),
];

/// With many nodes.
const LARGE: &[Bar] = &[
    bar(
        "closedall deliveries",
        "closedall",
        RATE,
        More,
        TheBetter,
        2.5,
    )
    .known(1.4),
    bar("memory", "closedall", "peak_rss_mib", Less, TheBetter, 1.0).known(2.6),
];

/// Every bar that the phases and entrants of this race allow to be judged.
pub(super) fn rows(results: &Results, nodes: u16, large: Option<u16>) -> Vec<Row> {
    let mut rows = Vec::new();
    for ours in ALL.iter().filter(|one| one.role == Role::Ours) {
        let own = if ours.bursts { BURSTS } else { SINGLY };
        for bar in ALWAYS.iter().chain(own) {
            rows.extend(judged(results, ours.name, nodes, bar).map(|row| row.of(ours.name)));
        }
        for bar in LARGE {
            let row = large.and_then(|large| judged(results, ours.name, large, bar));
            let name = format!("{}, {} nodes", ours.name, large.unwrap_or(0));
            rows.extend(row.map(|row| row.of(&name)));
        }
        rows.extend(sound(results, ours.name));
    }
    rows
}

/// Nothing lost, nothing twice, nobody accused, in no phase of any run.
fn sound(results: &Results, ours: &str) -> Vec<Row> {
    [
        ("lost deliveries", "loss_pct", "%"),
        ("application duplicates", "appdup", ""),
        ("honest accused", "accused", ""),
    ]
    .into_iter()
    .filter_map(|(what, figure, unit)| {
        let value = results.highest(ours, figure)?;
        Some(Row::exactly(what, value, unit, 0.0).of(ours))
    })
    .collect()
}

/// The row of a bar; none where this race did not run what it compares.
fn judged(results: &Results, ours: &str, nodes: u16, bar: &Bar) -> Option<Row> {
    if !results.has(ours, nodes, bar.phase) {
        return None;
    }
    let rounds = results.rounds(nodes);
    let own = |round| results.figure(ours, nodes, round, bar.phase, bar.figure);
    let Some((peer, rivals)) = rivals(results, nodes, bar) else {
        // A number: the figure itself is judged, over the rounds.
        let values = results.each(ours, nodes, bar.phase, bar.figure);
        let row = row_of(bar, median(&values).unwrap_or(f64::NAN), "");
        return Some(row.over(&values));
    };
    if rivals.is_empty() {
        return None;
    }
    let ratios: Vec<f64> = (0..rounds)
        .filter_map(|round| {
            let figures = rivals
                .iter()
                .filter_map(|rival| results.figure(rival, nodes, round, bar.phase, bar.figure));
            let best = match bar.better {
                More => figures.reduce(f64::max),
                Less => figures.reduce(f64::min),
            };
            Some(own(round)? / best?)
        })
        .collect();
    Some(row_of(bar, median(&ratios).unwrap_or(f64::NAN), "x").against(peer, &ratios))
}

/// Whom a bar compares with, by a name for all and one for each; `None` for a number.
fn rivals(results: &Results, nodes: u16, bar: &Bar) -> Option<(&'static str, Vec<&'static str>)> {
    let ran = |name: &&str| results.has(name, nodes, bar.phase);
    match bar.against {
        Fixed => None,
        One(name) => Some((name, [name].into_iter().filter(ran).collect())),
        TheBetter => {
            let signed = ALL.iter().filter(|one| one.role == Role::Signed);
            Some((
                "the better",
                signed.map(|one| one.name).filter(ran).collect(),
            ))
        }
    }
}

fn row_of(bar: &Bar, value: f64, unit: &str) -> Row {
    let what = match bar.against {
        One(name) => format!("{} against {name}", bar.what),
        TheBetter | Fixed => bar.what.to_owned(),
    };
    let row = match bar.better {
        More => Row::at_least(&what, value, unit, bar.bar),
        Less => Row::at_most(&what, value, unit, bar.bar),
    };
    match bar.known {
        Some(limit) => row.known(limit),
        None => row,
    }
}
