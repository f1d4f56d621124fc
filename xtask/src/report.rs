//! The one report of every task that measures or judges: a table, or with `--json` one object.

use anyhow::Result;
use serde::Serialize;

/// What was measured, row by row, and whether all of it is within its bars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    name: String,
    #[serde(flatten)]
    count: Count,
    rows: Vec<Row>,
    ok: bool,
    /// Shown above the table; not in the object, whose rows say the same.
    #[serde(skip)]
    preface: String,
}

/// How often the thing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Count {
    Seeds(u64),
    Runs(u64),
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    what: String,
    value: f64,
    unit: String,
    bar: Option<String>,
    pass: bool,
    /// How far beside its bar the figure may lie, for a reason that the documentation gives; only
    /// where it misses the bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<String>,
    #[serde(flatten)]
    spread: Option<Spread>,
    /// Left out of the table: the preface shows it.
    #[serde(skip)]
    in_preface: bool,
}

/// Over several runs. With a peer: of the ratios, this one's figure divided by the peer's.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Spread {
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    median: f64,
    min: f64,
    max: f64,
}

impl Row {
    /// A figure that nothing is asked of.
    pub(crate) fn plain(what: &str, value: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            value,
            unit: unit.into(),
            bar: None,
            pass: value.is_finite(),
            known: None,
            spread: None,
            in_preface: false,
        }
    }

    /// The median of a figure over several runs, with its spread; in the object only.
    pub(crate) fn figure(what: &str, values: &[f64], unit: &str) -> Self {
        let spread = Spread::of(None, values);
        let median = spread.as_ref().map_or(f64::NAN, |spread| spread.median);
        Self {
            in_preface: true,
            spread,
            ..Self::plain(what, median, unit)
        }
    }

    /// A figure that may not be above `bar`.
    pub(crate) fn at_most(what: &str, value: f64, unit: &str, bar: f64) -> Self {
        Self::judged(what, value, unit, format!("<= {bar}"), value <= bar)
    }

    /// A figure that must be below `bar`.
    pub(crate) fn below(what: &str, value: f64, unit: &str, bar: f64) -> Self {
        Self::judged(what, value, unit, format!("< {bar}"), value < bar)
    }

    /// A figure that must be above `bar`.
    pub(crate) fn above(what: &str, value: f64, unit: &str, bar: f64) -> Self {
        Self::judged(what, value, unit, format!("> {bar}"), value > bar)
    }

    /// A figure that must lie between two.
    pub(crate) fn within(what: &str, value: f64, unit: &str, low: f64, high: f64) -> Self {
        let pass = (low..=high).contains(&value);
        Self::judged(what, value, unit, format!("{low} to {high}"), pass)
    }

    /// The same row in a report over several things: says which one it is of.
    #[must_use]
    pub(crate) fn of(mut self, name: &str) -> Self {
        self.what = format!("{name}: {}", self.what);
        self
    }

    /// A figure that may not be below `bar`.
    pub(crate) fn at_least(what: &str, value: f64, unit: &str, bar: f64) -> Self {
        Self::judged(what, value, unit, format!(">= {bar}"), value >= bar)
    }

    /// A figure that must be `bar`.
    pub(crate) fn exactly(what: &str, value: f64, unit: &str, bar: f64) -> Self {
        Self::judged(
            what,
            value,
            unit,
            format!("== {bar}"),
            (value - bar).abs() < f64::EPSILON,
        )
    }

    fn judged(what: &str, value: f64, unit: &str, bar: String, pass: bool) -> Self {
        Self {
            bar: Some(bar),
            pass,
            ..Self::plain(what, value, unit)
        }
    }

    /// With a limit of its own for a bar that is known to be out of reach: a figure between the two
    /// does not pass, but is no news either.
    #[must_use]
    pub(crate) fn known(mut self, limit: f64) -> Self {
        let bar = self.bar.as_deref().unwrap_or_default();
        let (sign, within) = match bar.starts_with('>') {
            true => (">=", self.value >= limit),
            false => ("<=", self.value <= limit),
        };
        if !self.pass && within {
            self.known = Some(format!("{sign} {limit}"));
        }
        self
    }

    /// Whether nothing is wrong that was not known.
    fn is_well(&self) -> bool {
        self.pass || self.known.is_some()
    }

    /// With the ratios to a peer's figure, one for each interleaved run.
    #[must_use]
    pub(crate) fn against(mut self, peer: &str, ratios: &[f64]) -> Self {
        self.spread = Spread::of(Some(peer), ratios);
        self
    }

    /// With the figure of each run.
    #[must_use]
    pub(crate) fn over(mut self, values: &[f64]) -> Self {
        self.spread = Spread::of(None, values);
        self
    }
}

/// The middle of the values; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

impl Spread {
    fn of(peer: Option<&str>, values: &[f64]) -> Option<Self> {
        Some(Self {
            peer: peer.map(Into::into),
            median: median(values)?,
            min: values.iter().copied().reduce(f64::min)?,
            max: values.iter().copied().reduce(f64::max)?,
        })
    }
}

impl Report {
    /// A report over its rows; `ok` when there is at least one and each passes, or misses its bar by
    /// no more than is known.
    pub(crate) fn new(name: &str, count: Count, rows: Vec<Row>) -> Self {
        let ok = !rows.is_empty() && rows.iter().all(Row::is_well);
        Self {
            name: name.into(),
            count,
            rows,
            ok,
            preface: String::new(),
        }
    }

    /// With what is shown above the table.
    #[must_use]
    pub(crate) fn with_preface(mut self, preface: String) -> Self {
        self.preface = preface;
        self
    }

    /// Prints the report on stdout and says whether all is well.
    pub(crate) fn finish(&self, json: bool) -> Result<bool> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            print!("{}", self.table());
        }
        Ok(self.ok)
    }

    /// As a step of a check: the table is talk.
    pub(crate) fn finish_in_check(&self) -> Result<bool> {
        eprint!("{}", self.table());
        Ok(self.ok)
    }

    fn table(&self) -> String {
        let (count, what) = match self.count {
            Count::Seeds(count) => (count, "seeds"),
            Count::Runs(count) => (count, "runs"),
        };
        let shown = || self.rows.iter().filter(|row| !row.in_preface);
        let width = shown().map(|row| row.what.chars().count()).max();
        let width = width.unwrap_or(0);
        let mut text = format!("{}{} ({count} {what})\n", self.preface, self.name);
        for row in shown() {
            let value = format!("{:.3}", row.value);
            let value = value.trim_end_matches('0').trim_end_matches('.');
            let mut line = format!(
                "  {} {:width$}  {value:>12} {:<8} {}",
                match &row.known {
                    _ if row.pass => "ok  ",
                    Some(_) => "miss",
                    None => "FAIL",
                },
                row.what,
                row.unit,
                row.bar.as_deref().unwrap_or(""),
            );
            if let Some(known) = &row.known {
                line += &format!(" (known, {known})");
            }
            if let Some(spread) = &row.spread {
                let Spread { min, max, .. } = spread;
                line += &match &spread.peer {
                    Some(peer) => {
                        format!("  {:.2} x {peer} ({min:.2} to {max:.2})", spread.median)
                    }
                    None => format!("  ({min:.3} to {max:.3})"),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text + if self.ok { "ok\n" } else { "NOT ok\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_miss_fails_nothing_and_a_new_one_everything() {
        let row = |value| Row::at_most("idle", value, "x", 1.0).known(2.0);
        let report = |value| Report::new("race", Count::Runs(3), vec![row(value)]);
        assert!(report(0.9).ok && row(0.9).known.is_none());
        let missed = serde_json::to_value(report(1.8)).unwrap();
        assert_eq!(missed["ok"], true);
        assert_eq!(missed["rows"][0]["pass"], false);
        assert_eq!(missed["rows"][0]["known"], "<= 2");
        assert!(report(1.8).table().contains("miss idle"));
        assert!(!report(2.1).ok && row(2.1).known.is_none());
        let rate = Row::at_least("rate", 3.0, "x", 4.0).known(2.2);
        assert_eq!(rate.known.as_deref(), Some(">= 2.2"));
    }

    #[test]
    fn the_object_has_the_fields_that_readers_rely_on() {
        let rows = vec![
            Row::at_most("redundancy", 0.05, "copies", 0.1),
            Row::plain("reach", 1.0, "share"),
            Row::plain("speed", 10.0, "1/s").against("other", &[1.5, 0.5, 1.0]),
            Row::figure("cost", &[4.0, 2.0], "µs"),
        ];
        let json = serde_json::to_value(Report::new("broadcast", Count::Seeds(20), rows)).unwrap();
        let expected = serde_json::json!({
            "name": "broadcast", "seeds": 20, "ok": true, "rows": [
                { "what": "redundancy", "value": 0.05, "unit": "copies", "bar": "<= 0.1", "pass": true },
                { "what": "reach", "value": 1.0, "unit": "share", "bar": null, "pass": true },
                { "what": "speed", "value": 10.0, "unit": "1/s", "bar": null, "pass": true,
                  "peer": "other", "median": 1.0, "min": 0.5, "max": 1.5 },
                { "what": "cost", "value": 3.0, "unit": "µs", "bar": null, "pass": true,
                  "median": 3.0, "min": 2.0, "max": 4.0 },
            ],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn one_missed_bar_or_no_row_at_all_is_not_ok() {
        let rows = vec![
            Row::at_least("a", 1.0, "x", 2.0),
            Row::exactly("b", 0.0, "x", 0.0),
        ];
        assert!(!Report::new("x", Count::Runs(1), rows).ok);
        assert!(!Report::new("x", Count::Runs(1), Vec::new()).ok);
        assert!(!Report::new("x", Count::Runs(1), vec![Row::plain("a", f64::NAN, "")]).ok);
    }
}
