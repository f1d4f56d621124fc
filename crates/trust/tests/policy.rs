//! Parameter sets that cannot be meant are refused, with the reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::Duration;

use repute_base::Fixed;
use repute_trust::{Config, ConfigError, Ledger, Limits};

fn refused(change: impl FnOnce(&mut Config)) -> ConfigError {
    let mut config = Config::default();
    change(&mut config);
    Ledger::new(config, Limits::default()).expect_err("refused")
}

#[test]
fn the_defaults_and_the_profile_can_be_meant() {
    assert!(Config::default().check().is_ok());
    assert!(Config::high_security().check().is_ok());
}

#[test]
fn the_sources_profile_as_written_is_refused() {
    let error = refused(|config| {
        config.initial = Fixed::ratio(3, 10);
        config.trust_min = Fixed::HALF;
    });
    assert_eq!(error.field, "trust_min");
    assert_eq!(
        error.to_string(),
        "trust_min is 0.500, but the most is 0.300; lower it"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 18] = [
        ("hard_weight", |c| c.hard_weight = -c.hard_weight),
        ("soft_weight", |c| c.soft_weight = -c.soft_weight),
        ("soft_weight", |c| {
            c.soft_weight = c.hard_weight + Fixed::ONE
        }),
        ("initial", |c| c.initial = Fixed::ONE),
        ("prior_weight", |c| c.prior_weight = Fixed::ZERO),
        ("trust_min", |c| c.trust_min = Fixed::ratio(46, 100)),
        ("forgetting", |c| c.forgetting = Fixed::ONE),
        ("useful_per_interval_max", |c| c.useful_per_interval_max = 0),
        ("soft_per_interval_max", |c| c.soft_per_interval_max = 0),
        ("useful_decay", |c| c.useful_decay = Fixed::ONE),
        ("hard_decay", |c| c.hard_decay = Fixed::ratio(9, 10)),
        ("interval", |c| c.interval = Duration::ZERO),
        ("bands.medium", |c| c.bands.medium = Fixed::ratio(1, 10)),
        ("bands.trusted", |c| c.bands.trusted = Fixed::HALF),
        ("hysteresis", |c| c.hysteresis = Fixed::ratio(2, 10)),
        ("ladder.hard_ban", |c| c.ladder.hard_ban = 1),
        ("ladder.soft_grey", |c| c.ladder.soft_grey = 3),
        ("ladder.ban_repeated", |c| {
            c.ladder.ban_repeated = Duration::from_secs(60)
        }),
    ];
    for (field, change) in changes {
        let error = refused(change);
        assert_eq!(error.field, field, "{error}");
        assert!(!error.limit.is_empty() && !error.remedy.is_empty());
    }
}

#[test]
fn limits_of_nothing_are_refused() {
    for limits in [
        Limits {
            subjects: 0,
            ..Limits::default()
        },
        Limits {
            bans: 0,
            ..Limits::default()
        },
        Limits {
            recent: 65,
            ..Limits::default()
        },
        Limits {
            records: 7,
            ..Limits::default()
        },
    ] {
        assert!(
            Ledger::new(Config::default(), limits).is_err(),
            "{limits:?}"
        );
    }
}
