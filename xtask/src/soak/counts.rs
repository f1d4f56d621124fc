//! What all soaks together have counted: a table in `docs/reliability.md`.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use crate::{process::root, report::Row};

/// What is counted, and in what unit; the table has them in this order.
pub(super) const COUNTED: [(&str, &str); 8] = [
    ("simulated time", "h"),
    ("simulations", "runs"),
    ("messages delivered in simulations", "messages"),
    ("crashes and kills", "times"),
    ("fuzz executions", "runs"),
    ("cases of tests at full size", "cases"),
    ("rounds of scenarios with real processes", "rounds"),
    ("time on the clock", "h"),
];

/// Places in [`COUNTED`].
pub(super) const SIMULATED: usize = 0;
pub(super) const RUNS: usize = 1;
pub(super) const DELIVERIES: usize = 2;
pub(super) const KILLS: usize = 3;
pub(super) const FUZZ: usize = 4;
pub(super) const CASES: usize = 5;
pub(super) const PROCESSES: usize = 6;
pub(super) const WALL: usize = 7;

const BEGIN: &str = "<!-- counted by cargo xtask soak: begin -->";
const END: &str = "<!-- counted by cargo xtask soak: end -->";

/// One number for each of [`COUNTED`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts([f64; COUNTED.len()]);

impl Counts {
    pub(super) fn of(&self, what: usize) -> f64 {
        self.0.get(what).copied().unwrap_or(0.0)
    }

    pub(super) fn add(&mut self, what: usize, more: f64) {
        self.set(what, self.of(what) + more);
    }

    pub(super) fn set(&mut self, what: usize, value: f64) {
        if let Some(count) = self.0.get_mut(what) {
            *count = value;
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (what, more) in other.0.iter().enumerate() {
            sum.add(what, *more);
        }
        sum
    }

    pub(super) fn rows(&self, suffix: &str) -> Vec<Row> {
        let named = COUNTED.iter().zip(self.0);
        named
            .map(|((what, unit), count)| Row::plain(&format!("{what}{suffix}"), count, unit))
            .collect()
    }

    fn page() -> PathBuf {
        root().join("docs/reliability.md")
    }

    /// What the table says.
    pub(super) fn read() -> Result<Self> {
        let page = Self::page();
        let text = fs::read_to_string(&page)
            .with_context(|| format!("could not read {}", page.display()))?;
        Self::parse(&text)
    }

    fn parse(page: &str) -> Result<Self> {
        let (_, table, _) = split(page)?;
        let mut counts = Self::default();
        for line in table.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [what, count, ..] = cells.as_slice() else {
                continue;
            };
            let place = COUNTED.iter().position(|(known, _)| known == what);
            if let Some(place) = place {
                let digits = count.replace(',', "");
                let number = digits.parse();
                let number = number.with_context(|| format!("{what}: {count:?} is no number"))?;
                counts.set(place, number);
            }
        }
        Ok(counts)
    }

    /// Puts the counts into the table; the rest of the page stays as somebody else has left it.
    pub(super) fn write(&self) -> Result<()> {
        let page = Self::page();
        let text = fs::read_to_string(&page)
            .with_context(|| format!("could not read {}", page.display()))?;
        fs::write(&page, self.written(&text)?)
            .with_context(|| format!("could not write {}", page.display()))
    }

    fn written(&self, page: &str) -> Result<String> {
        let (before, _, after) = split(page)?;
        let mut text =
            format!("{before}{BEGIN}\n\n| counted | so far | unit |\n| --- | --- | --- |\n");
        for ((what, unit), count) in COUNTED.iter().zip(self.0) {
            let digits = if *unit == "h" { 2 } else { 0 };
            let _ = writeln!(
                text,
                "| {what} | {} | {unit} |",
                apart(&format!("{count:.digits$}"))
            );
        }
        Ok(format!("{text}\n{END}{after}"))
    }
}

/// The page before, between and after the marks.
fn split(page: &str) -> Result<(&str, &str, &str)> {
    let halves = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    });
    let Some(parts) = halves else {
        bail!("docs/reliability.md has no table between {BEGIN} and {END}; put the marks back");
    };
    Ok(parts)
}

/// Thousands apart.
fn apart(number: &str) -> String {
    let mut text = number.to_owned();
    let mut at = text.find('.').unwrap_or(text.len());
    while at > 3 {
        at -= 3;
        text.insert(at, ',');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_between_the_marks_and_read_back() {
        let page = format!("# Page\n\n{BEGIN}\n{END}\n\nThe rest.\n");
        assert_eq!(Counts::parse(&page).unwrap(), Counts::default());
        let mut counts = Counts::default();
        counts.add(FUZZ, 1_234_567.0);
        counts.add(SIMULATED, 12.5);
        let written = counts.written(&page).unwrap();
        assert!(written.starts_with("# Page\n\n<!--") && written.ends_with("-->\n\nThe rest.\n"));
        assert!(written.contains("| fuzz executions | 1,234,567 | runs |"));
        assert_eq!(Counts::parse(&written).unwrap(), counts);
        let twice = counts.plus(&counts).written(&written).unwrap();
        assert!(twice.contains("| simulated time | 25.00 | h |"));
        assert_eq!(twice.matches("| simulated time |").count(), 1);
    }

    #[test]
    fn a_page_without_the_marks_is_refused() {
        assert!(Counts::default().written("# Page\n").is_err());
    }

    #[test]
    fn the_page_has_the_table() {
        Counts::read().unwrap();
    }
}
