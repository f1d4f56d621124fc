//! Figures for whoever drives this program: one JSON object on stdout.

use serde_json::{Value, json};

/// Rows in the making.
#[derive(Default)]
pub struct Report(Vec<Value>);

impl Report {
    fn row(&mut self, what: &str, value: u64, unit: &str, rule: Value) {
        self.0
            .push(json!({ "what": what, "value": value, "unit": unit, "rule": rule }));
    }

    /// A figure that nothing is asked of.
    pub fn notes(&mut self, what: &str, value: u64, unit: &str) {
        self.row(what, value, unit, Value::Null);
    }

    /// A figure that must be zero.
    pub fn none(&mut self, what: &str, value: u64) {
        self.row(what, value, "", json!({ "exactly": 0 }));
    }

    /// A figure that may not be below this: most of all, that a fault happened.
    pub fn at_least(&mut self, what: &str, value: u64, unit: &str, bar: u64) {
        self.row(what, value, unit, json!({ "at_least": bar }));
    }

    pub fn print(self) {
        println!("{}", Value::Array(self.0));
    }
}
