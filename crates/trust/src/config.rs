use alloc::{format, string::ToString, vec::Vec};
use core::{fmt, time::Duration};

use repute_base::Fixed;

use crate::{BlacklistConfig, ConfigError, HearsayConfig};

/// Policy: what evidence weighs, how it fades, and what follows from it.
///
/// The defaults are the design's; [`Config::check`] says what else can be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How much evidence the prior is worth, in events. With 499, the first useful event adds
    /// one thousandth.
    pub prior_weight: Fixed,
    /// The score of a stranger, between 0 and 1.
    pub initial: Fixed,
    /// The score below which a peer is neither dialled nor kept, above 0. Not above `initial`,
    /// nor above the score of a stranger after one soft fault: a lone timeout excludes nobody.
    pub trust_min: Fixed,
    /// Useful events credited in an interval; more are no evidence.
    pub useful_per_interval_max: u32,
    /// Soft faults (timeouts, exceeded budgets) charged in an interval.
    pub soft_per_interval_max: u32,
    /// What a hard fault adds to disbelief, in events.
    pub hard_weight: Fixed,
    /// What a soft fault adds to disbelief, in events.
    pub soft_weight: Fixed,
    /// What a hard fault leaves of the good evidence, between 0 and 1.
    pub forgetting: Fixed,
    /// How long the unit of decay is, in ledger time; 1 s to 30 days.
    pub interval: Duration,
    /// What an interval leaves of good evidence, between 0 and 0.9999.
    pub useful_decay: Fixed,
    /// What an interval leaves of the evidence of hard faults; at least `useful_decay`, so that
    /// faults never fade faster than merits.
    pub hard_decay: Fixed,
    /// What an interval leaves of the evidence of soft faults; at most `hard_decay`.
    pub soft_decay: Fixed,
    /// From which score on a level begins.
    pub bands: Bands,
    /// How far beyond the edge of a level a score must be to leave it; under half a band.
    pub hysteresis: Fixed,
    /// Uncertainty above which a peer is unknown, between 0 and 1.
    pub unknown_above: Fixed,
    /// Good evidence below which no peer rises above low, in events.
    pub useful_min: Fixed,
    /// When gates close, and for how long.
    pub ladder: LadderConfig,
    /// Who may put entries on the blacklist, and what does by itself.
    pub blacklist: BlacklistConfig,
    /// What recommendations can move, and whose count.
    pub hearsay: HearsayConfig,
    /// The most that ledger time moves forward at once: how long a node may be switched off and
    /// still age its evidence in one step.
    pub step_max: Duration,
}

/// The scores at which levels begin, growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    /// Below this, a peer that is known well enough is distrusted.
    pub low: Fixed,
    /// Where medium begins.
    pub medium: Fixed,
    /// Where high begins.
    pub high: Fixed,
    /// Where trusted begins.
    pub trusted: Fixed,
}

/// Strikes, windows and durations of the ban ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LadderConfig {
    /// Strikes of hard faults that ban.
    pub hard_ban: u32,
    /// Whether a hard fault that leaves the score below the minimum bans at once. It would cost
    /// the link anyway; a ban says why, and for how long.
    pub hard_below_min: bool,
    /// Strikes for a frame that is malformed or too long; other hard faults are one, but for bytes
    /// that do not match the hash of their blob, which ban at once.
    pub hard_heavy: u32,
    /// Quiet time after which hard strikes are forgotten.
    pub hard_window: Duration,
    /// Strikes of soft faults that warn.
    pub soft_warn: u32,
    /// Strikes of soft faults that close the gate.
    pub soft_grey: u32,
    /// Time within which soft strikes add up.
    pub soft_window: Duration,
    /// Least time between two soft strikes: a burst is one.
    pub soft_spacing: Duration,
    /// How long grey lasts.
    pub grey: Duration,
    /// How long the first ban lasts.
    pub ban_first: Duration,
    /// How long a repeated ban lasts.
    pub ban_repeated: Duration,
    /// How long after the end of a ban the next fault still counts as repeated.
    pub memory: Duration,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

impl Default for Config {
    fn default() -> Self {
        let prior_weight = Fixed::from_int(499);
        Self {
            prior_weight,
            initial: Fixed::HALF,
            trust_min: Fixed::ratio(3, 10),
            useful_per_interval_max: 20,
            soft_per_interval_max: 2,
            hard_weight: prior_weight.div(Fixed::from_int(4)),
            soft_weight: prior_weight.div(Fixed::from_int(9)),
            forgetting: Fixed::ratio(8, 10),
            interval: HOUR,
            useful_decay: Fixed::ratio(99, 100),
            hard_decay: Fixed::ratio(995, 1_000),
            soft_decay: Fixed::ratio(98, 100),
            bands: Bands::default(),
            hysteresis: Fixed::ratio(2, 100),
            unknown_above: Fixed::ratio(8, 10),
            useful_min: Fixed::from_int(125),
            ladder: LadderConfig::default(),
            blacklist: BlacklistConfig::default(),
            hearsay: HearsayConfig::default(),
            step_max: DAY * 30,
        }
    }
}

impl Default for Bands {
    fn default() -> Self {
        Self {
            low: Fixed::ratio(2, 10),
            medium: Fixed::ratio(4, 10),
            high: Fixed::ratio(6, 10),
            trusted: Fixed::ratio(8, 10),
        }
    }
}

impl Default for LadderConfig {
    fn default() -> Self {
        Self {
            hard_ban: 10,
            hard_below_min: true,
            hard_heavy: 3,
            hard_window: DAY,
            soft_warn: 3,
            soft_grey: 10,
            soft_window: Duration::from_secs(600),
            soft_spacing: Duration::from_secs(1),
            grey: HOUR,
            ban_first: DAY,
            ban_repeated: DAY * 30,
            memory: DAY * 30,
        }
    }
}

impl Config {
    /// The source's profile for high security, made sound.
    ///
    /// As written (a stranger starts at 0.3, the minimum is 0.5, everything decays at 0.02) no
    /// stranger could ever be dialled, and faults would heal twice as fast. Here a stranger
    /// starts lower at 0.4 and the minimum is higher at 0.35, just under the stranger's score
    /// after one timeout; only merits decay at 0.02.
    pub fn high_security() -> Self {
        Self {
            initial: Fixed::ratio(4, 10),
            trust_min: Fixed::ratio(35, 100),
            useful_decay: Fixed::ratio(98, 100),
            ..Self::default()
        }
    }

    /// Everything that cannot be meant: the first problem of each group of parameters.
    pub fn problems(&self) -> Vec<ConfigError> {
        let groups = [
            self.check_scores(),
            self.check_decay(),
            self.check_bands(),
            self.hearsay.check(),
            self.ladder.check(),
            self.blacklist.check(self.ladder.grey),
        ];
        groups.into_iter().filter_map(Result::err).collect()
    }

    /// Whether the set as a whole can be meant.
    ///
    /// # Errors
    /// [`ConfigError`], naming the first parameter that cannot, its limit and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_scores()?;
        self.check_decay()?;
        self.check_bands()?;
        self.hearsay.check()?;
        self.ladder.check()?;
        self.blacklist.check(self.ladder.grey)
    }

    fn check_scores(&self) -> Result<(), ConfigError> {
        let (zero, one) = (Fixed::ZERO, Fixed::ONE);
        within(
            "prior_weight",
            self.prior_weight,
            one,
            Fixed::from_int(1_000_000),
        )?;
        within(
            "initial",
            self.initial,
            Fixed::ratio(1, 100),
            Fixed::ratio(99, 100),
        )?;
        within(
            "trust_min",
            self.trust_min,
            Fixed::ratio(1, 100),
            self.initial,
        )?;
        for (field, weight) in [
            ("hard_weight", self.hard_weight),
            ("soft_weight", self.soft_weight),
        ] {
            if weight <= zero {
                return Err(refuse(
                    field,
                    weight,
                    "it is what a fault costs: without cost, or with the sign turned, a fault \
                     would be a merit"
                        .to_string(),
                    "give its size, above 0",
                ));
            }
        }
        within(
            "hard_weight",
            self.hard_weight,
            Fixed::ratio(1, 100),
            Fixed::from_int(1_000_000),
        )?;
        within(
            "soft_weight",
            self.soft_weight,
            Fixed::ratio(1, 100),
            self.hard_weight,
        )?;
        within(
            "forgetting",
            self.forgetting,
            zero,
            one - Fixed::ratio(1, 100),
        )?;
        within(
            "useful_min",
            self.useful_min,
            zero,
            Fixed::from_int(1_000_000),
        )?;
        count("useful_per_interval_max", self.useful_per_interval_max)?;
        count("soft_per_interval_max", self.soft_per_interval_max)?;
        let after_timeout = self
            .initial
            .mul(self.prior_weight)
            .div(self.prior_weight + self.soft_weight);
        if self.trust_min > after_timeout {
            return Err(refuse(
                "trust_min",
                self.trust_min,
                format!("a stranger falls to {after_timeout} by one timeout"),
                "lower it, or lower soft_weight: a lone timeout must exclude nobody",
            ));
        }
        Ok(())
    }

    fn check_decay(&self) -> Result<(), ConfigError> {
        let top = Fixed::ratio(9_999, 10_000);
        within("useful_decay", self.useful_decay, Fixed::ZERO, top)?;
        within("hard_decay", self.hard_decay, self.useful_decay, top)?;
        within("soft_decay", self.soft_decay, Fixed::ZERO, self.hard_decay)?;
        duration("interval", self.interval, Duration::from_secs(1), DAY * 30)?;
        duration("step_max", self.step_max, self.interval, DAY * 3_650)
    }

    fn check_bands(&self) -> Result<(), ConfigError> {
        let bands = &self.bands;
        let order = [
            ("bands.medium", bands.medium, "bands.low", bands.low),
            ("bands.high", bands.high, "bands.medium", bands.medium),
            ("bands.trusted", bands.trusted, "bands.high", bands.high),
        ];
        for (field, value, below, limit) in order {
            if value <= limit {
                return Err(refuse(
                    field,
                    value,
                    format!(
                        "{below} is {limit}: thresholds out of order leave a level nobody can reach"
                    ),
                    "put them in order",
                ));
            }
        }
        within("bands.low", bands.low, Fixed::ratio(1, 100), Fixed::ONE)?;
        within("bands.medium", bands.medium, bands.low, Fixed::ONE)?;
        within("bands.high", bands.high, bands.medium, Fixed::ONE)?;
        within("bands.trusted", bands.trusted, bands.high, Fixed::ONE)?;
        within(
            "unknown_above",
            self.unknown_above,
            Fixed::ratio(1, 100),
            Fixed::ONE,
        )?;
        let narrowest = (bands.medium - bands.low)
            .min(bands.high - bands.medium)
            .min(bands.trusted - bands.high);
        within(
            "hysteresis",
            self.hysteresis,
            Fixed::ZERO,
            narrowest.mul(Fixed::HALF),
        )
    }
}

impl LadderConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        if self.hard_ban < 2 {
            return Err(refuse(
                "ladder.hard_ban",
                self.hard_ban,
                "at least 2 strikes ban".to_string(),
                "raise it: the first fault only warns",
            ));
        }
        count("ladder.hard_heavy", self.hard_heavy)?;
        count("ladder.soft_warn", self.soft_warn)?;
        if self.soft_grey <= self.soft_warn {
            return Err(refuse(
                "ladder.soft_grey",
                self.soft_grey,
                format!("warning comes at {} strikes", self.soft_warn),
                "raise it above ladder.soft_warn",
            ));
        }
        let order = [
            ("ladder.ban_first", self.ban_first, "ladder.grey", self.grey),
            (
                "ladder.ban_repeated",
                self.ban_repeated,
                "ladder.ban_first",
                self.ban_first,
            ),
        ];
        for (field, value, milder, limit) in order {
            if value < limit {
                return Err(refuse(
                    field,
                    format!("{} s", value.as_secs_f64()),
                    format!(
                        "{milder} is {} s: rungs out of order would make the worse gate the shorter",
                        limit.as_secs_f64()
                    ),
                    "put them in order",
                ));
            }
        }
        duration("ladder.hard_window", self.hard_window, second, DAY * 365)?;
        duration("ladder.soft_window", self.soft_window, second, DAY * 365)?;
        duration(
            "ladder.soft_spacing",
            self.soft_spacing,
            Duration::ZERO,
            self.soft_window,
        )?;
        duration("ladder.grey", self.grey, second, DAY * 365)?;
        duration("ladder.ban_first", self.ban_first, self.grey, DAY * 365)?;
        duration(
            "ladder.ban_repeated",
            self.ban_repeated,
            self.ban_first,
            DAY * 3_650,
        )?;
        duration("ladder.memory", self.memory, Duration::ZERO, DAY * 3_650)
    }
}

fn refuse(
    field: &'static str,
    value: impl fmt::Display,
    limit: alloc::string::String,
    remedy: &'static str,
) -> ConfigError {
    ConfigError {
        field,
        value: value.to_string(),
        limit,
        remedy,
    }
}

pub(crate) fn within(
    field: &'static str,
    value: Fixed,
    low: Fixed,
    high: Fixed,
) -> Result<(), ConfigError> {
    if value < low {
        return Err(refuse(
            field,
            value,
            format!("the least is {low}"),
            "raise it",
        ));
    }
    if value > high {
        return Err(refuse(
            field,
            value,
            format!("the most is {high}"),
            "lower it",
        ));
    }
    Ok(())
}

pub(crate) fn count(field: &'static str, value: u32) -> Result<(), ConfigError> {
    if value == 0 {
        return Err(refuse(
            field,
            value,
            "the least is 1".to_string(),
            "raise it",
        ));
    }
    Ok(())
}

pub(crate) fn duration(
    field: &'static str,
    value: Duration,
    low: Duration,
    high: Duration,
) -> Result<(), ConfigError> {
    let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
    if value < low {
        let limit = format!("the least is {}", seconds(low));
        return Err(refuse(field, seconds(value), limit, "raise it"));
    }
    if value > high {
        let limit = format!("the most is {}", seconds(high));
        return Err(refuse(field, seconds(value), limit, "lower it"));
    }
    Ok(())
}
