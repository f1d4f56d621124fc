//! Connections a second with mutual authentication, against quinn alone, in one program and run.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;

use super::{
    Plan, peers,
    race::{
        arena::{Network, quiet},
        results::parse,
    },
};
use crate::report::{Count, Report, Row, median};

/// Of raw quinn's rate, counted where a server has authenticated its client.
const SHARE: f64 = 0.9;
/// Connections that are under way at once.
const AT_ONCE: u16 = 16;

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let (rounds, total) = if plan.quick { (3, 300) } else { (7, 1_000) };
    let rounds = plan.rounds.unwrap_or(rounds);
    peers::build()?;
    quiet(Duration::from_secs(30));
    let args = [("--runs", rounds), ("--total", total), ("--par", AT_ONCE)];
    let args: Vec<String> = args
        .into_iter()
        .flat_map(|(key, value)| [key.to_owned(), value.to_string()])
        .collect();
    eprintln!("connecting {total} times in {rounds} rounds …");
    let output = Network::find().run(&peers::program("handshake"), &args)?;
    let mut rates: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, figures) in parse(&output) {
        if let (Some(name), Some(rate)) = (name.strip_prefix("handshake-"), figures.get("per_s")) {
            rates.entry(name.to_owned()).or_default().push(*rate);
        }
    }
    let mut rows: Vec<Row> = rates
        .iter()
        .map(|(name, rates)| {
            let middle = median(rates).unwrap_or(f64::NAN);
            Row::plain(name, middle, "1/s").over(rates)
        })
        .collect();
    for (lanes, judged) in [(AT_ONCE, true), (1, false)] {
        let of = |name: &str| rates.get(&format!("{name}-par{lanes}")).cloned();
        let what = |what: &str| format!("{what}, {lanes} at once");
        let accepted = ratios(of("accept-repute"), of("accept-quinn"));
        let value = median(&accepted).unwrap_or(f64::NAN);
        let title = what("connections accepted against raw quinn");
        let row = if judged {
            Row::at_least(&title, value, "x", SHARE)
        } else {
            Row::plain(&title, value, "x")
        };
        rows.push(row.against("raw quinn", &accepted));
        // A link is more than a connection: both ends have exchanged and checked who they are.
        let linked = ratios(of("link-repute"), of("rpk"));
        let value = median(&linked).unwrap_or(f64::NAN);
        let title = what("whole links against bare connections of quinn");
        rows.push(Row::plain(&title, value, "x").against("raw quinn", &linked));
    }
    Ok(Report::new("connects", Count::Runs(rounds.into()), rows))
}

/// Round by round.
fn ratios(ours: Option<Vec<f64>>, theirs: Option<Vec<f64>>) -> Vec<f64> {
    let pairs = ours.into_iter().flatten().zip(theirs.into_iter().flatten());
    pairs.map(|(ours, theirs)| ours / theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_round() {
        assert_eq!(
            ratios(Some(vec![9.0, 8.0]), Some(vec![10.0, 4.0])),
            [0.9, 2.0]
        );
        assert!(ratios(None, Some(vec![1.0])).is_empty());
    }
}
