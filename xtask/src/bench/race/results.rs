//! What the programs printed, and what it comes to over the rounds.

use std::collections::BTreeMap;

/// The figures of one phase by their names.
pub(in crate::bench) type Figures = BTreeMap<String, f64>;

/// One run of one program.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) entrant: &'static str,
    pub(super) nodes: u16,
    pub(super) round: u16,
    /// By phase.
    pub(super) phases: BTreeMap<String, Figures>,
}

/// Every line `RESULT` of an output, by its `phase` or `name`; a later one of the same name follows
/// the earlier ones.
pub(in crate::bench) fn parse(output: &str) -> Vec<(String, Figures)> {
    let lines = output
        .lines()
        .filter_map(|line| line.strip_prefix("RESULT "));
    lines
        .filter_map(|line| {
            let pairs = || {
                line.split_whitespace()
                    .filter_map(|word| word.split_once('='))
            };
            let mut names = pairs().filter(|(key, _)| matches!(*key, "phase" | "name"));
            let (_, name) = names.next()?;
            let figures = pairs()
                .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
                .collect();
            Some((name.to_owned(), figures))
        })
        .collect()
}

/// All runs of a race.
#[derive(Debug, Default)]
pub(super) struct Results(Vec<Run>);

impl Results {
    pub(super) fn add(&mut self, run: Run) {
        self.0.push(run);
    }

    pub(super) fn rounds(&self, nodes: u16) -> u16 {
        let runs = self.0.iter().filter(|run| run.nodes == nodes);
        runs.map(|run| run.round + 1).max().unwrap_or(0)
    }

    /// Whether a phase was run with so many nodes.
    pub(super) fn has(&self, entrant: &str, nodes: u16, phase: &str) -> bool {
        let mut runs = self.0.iter();
        runs.any(|run| {
            run.entrant == entrant && run.nodes == nodes && run.phases.contains_key(phase)
        })
    }

    /// One figure of one run.
    pub(super) fn figure(
        &self,
        entrant: &str,
        nodes: u16,
        round: u16,
        phase: &str,
        figure: &str,
    ) -> Option<f64> {
        let mut runs = self.0.iter();
        let run =
            runs.find(|run| run.entrant == entrant && run.nodes == nodes && run.round == round)?;
        run.phases.get(phase)?.get(figure).copied()
    }

    /// One figure in each round that has it.
    pub(super) fn each(&self, entrant: &str, nodes: u16, phase: &str, figure: &str) -> Vec<f64> {
        (0..self.rounds(nodes))
            .filter_map(|round| self.figure(entrant, nodes, round, phase, figure))
            .collect()
    }

    /// The highest of a figure over all phases of all runs of an entrant.
    pub(super) fn highest(&self, entrant: &str, figure: &str) -> Option<f64> {
        let runs = self.0.iter().filter(|run| run.entrant == entrant);
        let values = runs.flat_map(|run| run.phases.values());
        values
            .filter_map(|figures| figures.get(figure).copied())
            .reduce(f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read_and_everything_else_is_passed_over() {
        let output =
            "# talk\nRESULT phase=idle n=2 cpu_cores=0.5 cfg=x\nnoise\nRESULT name=a v=1\n";
        let parsed = parse(output);
        let names: Vec<_> = parsed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["idle", "a"]);
        let idle = &parsed.first().unwrap().1;
        assert_eq!(idle.get("cpu_cores"), Some(&0.5));
        assert!(!idle.contains_key("cfg"));
    }
}
