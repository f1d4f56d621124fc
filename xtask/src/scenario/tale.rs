use std::time::Duration;

use crate::report::Row;

/// The rows of one scenario, each under its name.
pub(super) struct Tale {
    name: &'static str,
    rows: Vec<Row>,
}

impl Tale {
    pub(super) const fn of(name: &'static str) -> Self {
        Self {
            name,
            rows: Vec::new(),
        }
    }

    /// Something must be true.
    pub(super) fn holds(&mut self, what: &str, truth: bool) {
        let row = Row::exactly(&self.named(what), f64::from(truth), "", 1.0);
        self.rows.push(row);
    }

    /// A count must be this.
    pub(super) fn counts(&mut self, what: &str, count: u64, bar: u64) {
        let row = Row::exactly(&self.named(what), count as f64, "", bar as f64);
        self.rows.push(row);
    }

    /// A count may not be below this: most of all, of faults that must have happened.
    pub(super) fn at_least(&mut self, what: &str, count: u64, bar: u64) {
        let row = Row::at_least(&self.named(what), count as f64, "", bar as f64);
        self.rows.push(row);
    }

    /// A figure may not be above this.
    pub(super) fn at_most(&mut self, what: &str, value: f64, unit: &str, bar: f64) {
        let row = Row::at_most(&self.named(what), value, unit, bar);
        self.rows.push(row);
    }

    /// Something took this many seconds, and may take no more than the limit.
    pub(super) fn takes(&mut self, what: &str, seconds: f64, limit: Duration) {
        let row = Row::at_most(&self.named(what), seconds, "s", limit.as_secs_f64());
        self.rows.push(row);
    }

    /// Something is worth knowing, and nothing is asked of it.
    pub(super) fn notes(&mut self, what: &str, value: f64, unit: &str) {
        let row = Row::plain(&self.named(what), value, unit);
        self.rows.push(row);
    }

    pub(super) fn end(self) -> Vec<Row> {
        self.rows
    }

    fn named(&self, what: &str) -> String {
        format!("{}: {what}", self.name)
    }
}
