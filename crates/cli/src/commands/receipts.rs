use std::fmt::Write;

use repute_console::{ReceiptView, ReceiptsView};

use super::client;
use crate::{
    args::Global,
    exit::Failure,
    print::{print, print_json},
};

/// Prints what peers signed about each other; with `--json`, with the bytes that prove it.
pub(super) async fn run(global: &Global, id: Option<&str>) -> Result<(), Failure> {
    let view = client(global)?.receipts(id).await?;
    if global.json {
        return print_json(&view);
    }
    print(&table(&view, id))
}

fn table(view: &ReceiptsView, id: Option<&str>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _written = writeln!(
        out,
        "identity class of {}: {}",
        id.map_or("this node", short),
        view.class
    );
    if view.receipts.is_empty() {
        out.push_str("no receipts yet: neighbours sign for each hour in which they were of use\n");
    } else {
        let _written = writeln!(
            out,
            "{:<11} {:<11} {:<9} {:>10} {:>14}  UNTIL",
            "SERVED", "BY", "SERVICE", "AMOUNT", "NUMBER"
        );
    }
    for one in &view.receipts {
        receipt(&mut out, one);
    }
    for claim in &view.claims {
        let _written = writeln!(
            out,
            "claim: {} says that {} {} ({}, {})",
            short(&claim.claimant),
            short(&claim.accused),
            claim.kind,
            claim.service,
            claim.at
        );
    }
    for fault in &view.faults {
        let _written = writeln!(
            out,
            "PROVEN: {} signed two receipts under number {} ({})",
            short(&fault.offender),
            fault.number,
            fault.service
        );
    }
    for edge in &view.edges {
        let _written = writeln!(
            out,
            "graph: {} was served by {}, {:.3}",
            short(&edge.from),
            short(&edge.to),
            edge.weight
        );
    }
    out
}

fn receipt(out: &mut String, one: &ReceiptView) {
    let _written = writeln!(
        out,
        "{:<11} {:<11} {:<9} {:>10} {:>14}  {}",
        short(&one.served),
        short(&one.by),
        one.service,
        one.amount,
        one.number,
        one.until
    );
}

fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}
