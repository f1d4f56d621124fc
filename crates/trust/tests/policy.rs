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

/// A network ran with a penalty whose weight was +2.0, a sign the wrong way round
/// (taikoxyz/taiko-mono#21775), and nothing refused it. Here a weight is what a fault costs, and
/// the same slip is a weight below zero.
#[test]
fn a_penalty_with_its_sign_turned_is_refused_as_a_reward() {
    for field in ["hard_weight", "soft_weight"] {
        let error = refused(|config| match field {
            "hard_weight" => config.hard_weight = Fixed::from_int(-2),
            _ => config.soft_weight = Fixed::from_int(-2),
        });
        assert_eq!(error.field, field);
        assert!(
            error.to_string().contains("a fault would be a merit"),
            "{error}"
        );
    }
}

/// Another had its thresholds −1000 and −4000 out of order. Here thresholds are bands of trust and
/// rungs of the ladder.
#[test]
fn thresholds_out_of_order_are_refused_as_such() {
    let error = refused(|config| {
        (config.bands.low, config.bands.medium) = (config.bands.medium, config.bands.low);
    });
    assert_eq!(error.field, "bands.medium");
    assert!(error.to_string().contains("out of order"), "{error}");
    let error = refused(|config| {
        let ladder = &mut config.ladder;
        (ladder.grey, ladder.ban_first) = (ladder.ban_first, ladder.grey);
    });
    assert_eq!(error.field, "ladder.ban_first");
    assert!(error.to_string().contains("out of order"), "{error}");
}

#[test]
fn all_problems_are_told_and_not_only_the_first() {
    let mut config = Config::default();
    config.hard_weight = -config.hard_weight;
    config.bands.medium = Fixed::ratio(1, 10);
    config.blacklist.attempts = repute_trust::Threshold::new(1, 24);
    let fields: Vec<&str> = config.problems().iter().map(|error| error.field).collect();
    assert_eq!(
        fields,
        ["hard_weight", "bands.medium", "blacklist.attempts.count"]
    );
    assert_eq!(
        config.check().map_err(|error| error.field),
        Err("hard_weight")
    );
}

#[test]
fn criteria_that_cannot_be_meant_are_refused_by_name() {
    use repute_trust::Threshold;
    let many = Threshold::new(Threshold::COUNT_MAX + 1, 24);
    let error = refused(|config| config.blacklist.violations = many);
    assert_eq!(error.field, "blacklist.violations.count");
    let error = refused(|config| config.blacklist.betrayals.window = Duration::ZERO);
    assert_eq!(error.field, "blacklist.betrayals.window");
    let error = refused(|config| config.blacklist.lasts = Duration::from_secs(60));
    assert_eq!(error.field, "blacklist.lasts");
}
