//! The keys of the configuration that weigh, order and ban, in the ledger's words.

use std::time::Duration;

use repute_base::Fixed;
use repute_trust::{Config, Criterion, Mode, Threshold};

use crate::settings::Settings;

/// Applies what the settings say beyond the defaults. Whether it can be meant is the ledger's to
/// say.
pub(super) fn apply(settings: &Settings, trust: &mut Config) {
    let bands = &mut trust.bands;
    let fractions: [(&str, &mut Fixed); 11] = [
        ("trust.prior_weight", &mut trust.prior_weight),
        ("trust.hard_weight", &mut trust.hard_weight),
        ("trust.soft_weight", &mut trust.soft_weight),
        ("trust.forgetting", &mut trust.forgetting),
        ("trust.useful_decay", &mut trust.useful_decay),
        ("trust.hard_decay", &mut trust.hard_decay),
        ("trust.soft_decay", &mut trust.soft_decay),
        ("levels.low", &mut bands.low),
        ("levels.medium", &mut bands.medium),
        ("levels.high", &mut bands.high),
        ("levels.trusted", &mut bands.trusted),
    ];
    for (key, place) in fractions {
        if settings.differs(key) {
            *place = Fixed::ratio((settings.float(key) * 1e6).round() as i64, 1_000_000);
        }
    }
    let count = |key: &str| u32::try_from(settings.int(key)).unwrap_or(u32::MAX);
    let seconds = |key: &str| Duration::from_secs(settings.int(key));
    let hours = |key: &str| Duration::from_secs(settings.int(key).saturating_mul(3_600));
    trust.soft_per_interval_max = count("trust.soft_max");
    let ladder = &mut trust.ladder;
    ladder.hard_ban = count("ladder.hard_ban");
    ladder.soft_warn = count("ladder.soft_warn");
    ladder.soft_grey = count("ladder.soft_grey");
    ladder.grey = seconds("ladder.grey_s");
    ladder.ban_first = seconds("ladder.ban_first_s");
    ladder.ban_repeated = seconds("ladder.ban_repeated_s");
    let blacklist = &mut trust.blacklist;
    blacklist.mode = Mode::from_name(settings.text("blacklist.mode")).unwrap_or_default();
    blacklist.lasts = hours("blacklist.lasts_h");
    for criterion in Criterion::ALL {
        let name = criterion.name().replace('-', "_");
        let threshold = Threshold {
            count: count(&format!("blacklist.{name}")),
            window: hours(&format!("blacklist.{name}_h")),
        };
        match criterion {
            Criterion::FailedTransfers => blacklist.failed_transfers = threshold,
            Criterion::MalformedData => blacklist.malformed_data = threshold,
            Criterion::Violations => blacklist.violations = threshold,
            Criterion::Attempts => blacklist.attempts = threshold,
            Criterion::Betrayals => blacklist.betrayals = threshold,
            _ => {}
        }
    }
}
