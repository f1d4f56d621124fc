use std::fmt::Write;

use repute_console::PlanView;

use crate::show::{bytes, escaped, short};

/// Bytes of a group.
const GROUP: u64 = 16 * 1024;

/// Who has it and who is chosen, in 80 columns.
pub(super) fn text(plan: &PlanView, size: Option<u64>) -> String {
    let mut out = format!(
        "{:>3} {:<10} {:<10} {:>5} {:>6} {:>9} VERDICT\n",
        "#", "PEER", "LEVEL", "SCORE", "UNSURE", "HAS"
    );
    for one in &plan.seeders {
        let place = one
            .place
            .map_or_else(|| "-".into(), |place| place.to_string());
        let has = one.groups.saturating_mul(GROUP);
        let level = one.level.as_deref().unwrap_or("-");
        let (score, unsure) = match one.place {
            Some(_) => (
                format!("{:.3}", one.score),
                format!("{:.3}", one.uncertainty),
            ),
            None => ("-".into(), "-".into()),
        };
        // Writing to a string cannot fail.
        let _written = writeln!(
            out,
            "{place:>3} {:<10} {level:<10} {score:>5} {unsure:>6} {:>9} {}: {}",
            short(&one.id),
            bytes(size.map_or(has, |size| has.min(size))),
            escaped(&one.verdict),
            escaped(&one.why)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use repute_console::SeederView;

    use super::*;

    #[test]
    fn the_table_fits_into_80_columns() {
        let seeder = |place, verdict: &str, why: &str| SeederView {
            id: "x".repeat(52),
            place,
            level: Some("distrusted".into()),
            score: 0.123_456,
            uncertainty: 1.0,
            groups: 65_000_000,
            tier: "newcomer".into(),
            slots_free: 255,
            chosen: false,
            verdict: verdict.into(),
            why: why.into(),
        };
        let plan = PlanView {
            seeders: vec![
                seeder(Some(64), "standby", "others are better"),
                seeder(None, "nothing-needed", "lacks the rest"),
                seeder(Some(1), "explored", "new, tried a little"),
            ],
        };
        let text = text(&plan, None);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.contains("991.8 GiB"), "{text}");
    }
}
