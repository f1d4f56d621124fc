use std::{ops::AddAssign, time::Duration};

use repute_sim::{Trace, TraceHash};

/// What one run of a scenario came to.
pub struct Outcome {
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What the oracle found: see [`Network::breaches`](crate::Network::breaches).
    pub breaches: Vec<String>,
    /// Equal for equal seeds and sizes.
    pub trace: TraceHash,
    /// How much was simulated.
    pub tally: Tally,
}

/// How much was simulated; added up over runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Virtual time of the whole network.
    pub simulated: Duration,
    /// Nodes stopped dead.
    pub crashes: u64,
    /// Messages that were delivered to applications.
    pub deliveries: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.simulated += other.simulated;
        self.crashes += other.crashes;
        self.deliveries += other.deliveries;
    }
}

/// One figure of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub what: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What is asked of it.
    pub bar: Bar,
    /// How far it may lie beside its bar where that is known to be out of reach, for a reason that
    /// the documentation gives.
    pub known: Option<f64>,
    /// How the figures of several seeds become one.
    pub over: Over,
    /// Over how many seeds the bar is asked, at least; over fewer it says nothing.
    pub seeds_min: u64,
    /// How much it weighs in a mean over seeds, such as the number of samples behind it.
    pub weight: f64,
}

/// What is asked of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// Nothing.
    None,
    /// Not more than this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// Not less than this.
    AtLeast(f64),
    /// This.
    Exactly(f64),
    /// Between the two.
    Within(f64, f64),
}

/// How the figures of several seeds become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Added.
    Sum,
    /// Added; the bar holds for all seeds together, not for each.
    Total,
    /// The mean; the bar holds for it, not for each seed.
    Mean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl Over {
    /// Whether the bar is asked of each run.
    const fn is_of_one_run(self) -> bool {
        !matches!(self, Self::Mean | Self::Total)
    }
}

impl Figure {
    /// A figure that is added up over seeds and that nothing is asked of.
    pub const fn sum(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self::new(what, value, unit, Over::Sum)
    }

    /// A figure that is added up over seeds and judged then, such as how often a rare fault fell.
    pub const fn total(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self::new(what, value, unit, Over::Total)
    }

    /// A figure of which the mean counts.
    pub const fn mean(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self::new(what, value, unit, Over::Mean)
    }

    /// A figure of which the largest counts.
    pub const fn max(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self::new(what, value, unit, Over::Max)
    }

    /// A figure of which the smallest counts.
    pub const fn min(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self::new(what, value, unit, Over::Min)
    }

    const fn new(what: &'static str, value: f64, unit: &'static str, over: Over) -> Self {
        Self {
            what,
            value,
            unit,
            bar: Bar::None,
            known: None,
            over,
            seeds_min: 1,
            weight: 1.0,
        }
    }

    /// Weighing so much in the mean over seeds: a share of few says less than one of many.
    #[must_use]
    pub const fn weighing(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// With a bar that is asked over at least so many seeds.
    #[must_use]
    pub const fn over_seeds(mut self, seeds_min: u64) -> Self {
        self.seeds_min = seeds_min;
        self
    }

    /// With a bar.
    #[must_use]
    pub const fn bar(mut self, bar: Bar) -> Self {
        self.bar = bar;
        self
    }

    /// With a bar that is known to be missed, by so much at most.
    #[must_use]
    pub const fn known(mut self, limit: f64) -> Self {
        self.known = Some(limit);
        self
    }

    /// Whether the bar is met, or missed by no more than is known.
    pub fn is_well(&self) -> bool {
        let within = |limit: f64| match self.bar {
            Bar::AtLeast(_) => self.value >= limit,
            _ => self.value <= limit,
        };
        self.passes() || self.known.is_some_and(within)
    }

    /// Whether the bar is met.
    pub fn passes(&self) -> bool {
        let value = self.value;
        match self.bar {
            Bar::None => value.is_finite(),
            Bar::AtMost(bar) => value <= bar,
            Bar::Below(bar) => value < bar,
            Bar::AtLeast(bar) => value >= bar,
            Bar::Exactly(bar) => (value - bar).abs() < f64::EPSILON,
            Bar::Within(low, high) => (low..=high).contains(&value),
        }
    }

    /// The figures of several seeds as one.
    pub fn merge(figures: &[Self]) -> Option<Self> {
        let first = *figures.first()?;
        let values = figures.iter().map(|figure| figure.value);
        let weight: f64 = figures.iter().map(|figure| figure.weight).sum();
        let value = match first.over {
            Over::Sum | Over::Total => values.sum(),
            Over::Mean if weight > 0.0 => {
                let weighed = figures.iter().map(|figure| figure.value * figure.weight);
                weighed.sum::<f64>() / weight
            }
            Over::Mean => 0.0,
            Over::Max => values.fold(f64::NEG_INFINITY, f64::max),
            Over::Min => values.fold(f64::INFINITY, f64::min),
        };
        let bar = if figures.len() as u64 >= first.seeds_min {
            first.bar
        } else {
            Bar::None
        };
        Some(Self {
            value,
            bar,
            weight,
            ..first
        })
    }
}

impl Outcome {
    /// What is wrong with this run, in words: missed bars and what the oracle found.
    pub fn failures(&self) -> Vec<String> {
        let missed = self
            .figures
            .iter()
            .filter(|figure| figure.over.is_of_one_run() && !figure.is_well())
            .map(|figure| {
                let Figure {
                    what, value, unit, ..
                } = figure;
                format!("{what}: {value} {unit}, and the bar is {:?}", figure.bar)
            });
        missed.chain(self.breaches.iter().cloned()).collect()
    }

    /// Two runs as one: what was measured and found in both, and a trace over both.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.figures.append(&mut other.figures);
        self.breaches.append(&mut other.breaches);
        let mut trace = Trace::new(0);
        trace.join(&self.trace);
        trace.join(&other.trace);
        self.trace = trace.hash();
        self.tally += other.tally;
        self
    }

    /// The figure of this name.
    pub fn figure(&self, what: &str) -> Option<f64> {
        let found = self.figures.iter().find(|figure| figure.what == what);
        found.map(|figure| figure.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_over_seeds_weighs_shares_by_what_they_are_shares_of() {
        let share = |part: f64, whole: f64| {
            let figure = Figure::mean("lost", 100.0 * part / whole, "%");
            figure.weighing(whole).bar(Bar::AtMost(2.0)).over_seeds(3)
        };
        let seeds = [share(8.0, 65.0), share(0.0, 800.0), share(1.0, 135.0)];
        let all = Figure::merge(&seeds).expect("there are some");
        assert!((all.value - 0.9).abs() < 1e-9, "{}", all.value);
        assert!(all.passes() && all.bar == Bar::AtMost(2.0));
        let few = Figure::merge(&seeds[..2]).expect("there are some");
        assert_eq!(few.bar, Bar::None, "two seeds are too few");
        let heavy = Figure::merge(&[share(30.0, 1_000.0); 3]).expect("there are some");
        assert!(!heavy.passes());
    }
}
