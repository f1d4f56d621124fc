use repute_base::{Fixed, Wall};
use repute_protocol::Severity;

use crate::{Config, Evidence, Fault, Level, clock::millis, limits::BLAMELESS_PER_INTERVAL_MAX};

/// Evidence about one subject in one context, and what is counted in the current interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// Good evidence, in events.
    pub(crate) useful: Fixed,
    /// Evidence of hard faults, in events.
    pub(crate) hard: Fixed,
    /// Evidence of soft faults, in events.
    pub(crate) soft: Fixed,
    /// The interval up to which the three have decayed.
    pub(crate) interval: u64,
    /// Useful events credited in this interval.
    pub(crate) useful_count: u32,
    /// Soft faults charged in this interval.
    pub(crate) soft_count: u32,
    /// Events recorded in this interval that were not the peer's fault.
    pub(crate) blameless_count: u32,
    /// The level after the last event, for hysteresis.
    pub(crate) level: Level,
}

/// What evidence is to a score.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Useful,
    Hard,
    Soft,
    Neutral,
}

/// Classifies evidence.
pub(crate) fn class(evidence: &Evidence, fault: Fault) -> Class {
    if fault != Fault::Theirs {
        return Class::Neutral;
    }
    match evidence {
        Evidence::Useful => Class::Useful,
        Evidence::Timeout => Class::Soft,
        Evidence::Invalid(kind) if kind.severity() == Severity::Soft => Class::Soft,
        Evidence::Invalid(_) => Class::Hard,
        Evidence::Pardon | Evidence::Carried(_) => Class::Neutral,
    }
}

/// The number of the interval that `wall`, in ledger time, lies in.
pub(crate) fn interval_of(config: &Config, wall: Wall) -> u64 {
    wall.as_millis() / millis(config.interval).max(1)
}

/// Trust, belief and uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) trust: Fixed,
    pub(crate) belief: Fixed,
    pub(crate) uncertainty: Fixed,
}

impl Score {
    /// The same score, decayed up to `interval`; nothing for one that has passed.
    pub(crate) fn at(mut self, config: &Config, interval: u64) -> Self {
        let passed = interval.saturating_sub(self.interval);
        if passed == 0 {
            return self;
        }
        self.interval = interval;
        self.useful_count = 0;
        self.soft_count = 0;
        self.blameless_count = 0;
        self.useful = decay(self.useful, config.useful_decay, passed);
        self.hard = decay(self.hard, config.hard_decay, passed);
        self.soft = decay(self.soft, config.soft_decay, passed);
        self
    }

    /// Whether another event of this kind may be recorded in the current interval. What is
    /// beyond changes nothing, so it is not even written down.
    pub(crate) fn counts(&self, config: &Config, evidence: &Evidence, fault: Fault) -> bool {
        match (class(evidence, fault), evidence) {
            (Class::Useful, _) => self.useful_count < config.useful_per_interval_max,
            (Class::Soft, Evidence::Timeout) => self.soft_count < config.soft_per_interval_max,
            (Class::Neutral, _) => self.blameless_count < BLAMELESS_PER_INTERVAL_MAX,
            // Hard faults always; soft ones as the ladder spaces them.
            _ => true,
        }
    }

    /// Adds one event and says what it weighed: above zero for good, below for bad.
    pub(crate) fn add(&mut self, config: &Config, evidence: &Evidence, fault: Fault) -> Fixed {
        let weight = match class(evidence, fault) {
            Class::Useful if self.useful_count < config.useful_per_interval_max => {
                self.useful_count += 1;
                self.useful += Fixed::ONE;
                Fixed::ONE
            }
            Class::Hard => {
                self.hard += config.hard_weight;
                self.useful = self.useful.mul(config.forgetting);
                -config.hard_weight
            }
            Class::Soft if self.soft_count < config.soft_per_interval_max => {
                self.soft_count += 1;
                self.soft += config.soft_weight;
                -config.soft_weight
            }
            Class::Neutral => {
                self.blameless_count = self.blameless_count.saturating_add(1);
                Fixed::ZERO
            }
            Class::Useful | Class::Soft => Fixed::ZERO,
        };
        self.level = self.level_at(config, self.estimate(config, config.initial));
        weight
    }

    /// D = W + r + h + q; b = r/D; u = W/D; T = b + prior·u.
    pub(crate) fn estimate(&self, config: &Config, prior: Fixed) -> Estimate {
        let all = config.prior_weight + self.useful + self.hard + self.soft;
        let belief = self.useful.div(all);
        let uncertainty = config.prior_weight.div(all);
        let trust = (belief + prior.mul(uncertainty)).clamp(Fixed::ZERO, Fixed::ONE);
        Estimate {
            trust,
            belief,
            uncertainty,
        }
    }

    /// The level for `estimate`, keeping the last one near its edges.
    pub(crate) fn level_at(&self, config: &Config, estimate: Estimate) -> Level {
        if self.keeps(config, estimate) {
            self.level
        } else {
            self.plain(config, estimate)
        }
    }

    /// The table of levels, without hysteresis.
    fn plain(
        &self,
        config: &Config,
        Estimate {
            trust, uncertainty, ..
        }: Estimate,
    ) -> Level {
        let bands = &config.bands;
        if uncertainty > config.unknown_above {
            Level::Unknown
        } else if trust < bands.low {
            Level::Distrusted
        } else if trust < bands.medium || self.useful < config.useful_min {
            Level::Low
        } else if trust < bands.high {
            Level::Medium
        } else if trust < bands.trusted {
            Level::High
        } else {
            Level::Trusted
        }
    }

    /// Whether the last level still holds, its edges widened by the hysteresis. A stranger leaves
    /// the unknown without delay.
    fn keeps(
        &self,
        config: &Config,
        Estimate {
            trust, uncertainty, ..
        }: Estimate,
    ) -> bool {
        let (bands, slack) = (&config.bands, config.hysteresis);
        let proven = self.useful >= config.useful_min.mul(Fixed::ONE - slack);
        let within = |low: Fixed, high: Fixed| trust >= low - slack && trust < high + slack;
        if self.level == Level::Unknown {
            return uncertainty > config.unknown_above;
        }
        uncertainty <= config.unknown_above + slack
            && match self.level {
                Level::Unknown => false,
                Level::Distrusted => trust < bands.low + slack,
                Level::Low if self.useful < config.useful_min => trust >= bands.low - slack,
                Level::Low => within(bands.low, bands.medium),
                Level::Medium => proven && within(bands.medium, bands.high),
                Level::High => proven && within(bands.high, bands.trusted),
                Level::Trusted => proven && trust >= bands.trusted - slack,
            }
    }

    /// How much a table loses that forgets this: good evidence, which is slow to earn, and a
    /// twenty-fifth of bad evidence, which any stranger makes at will.
    pub(crate) fn information(&self) -> Fixed {
        self.useful + (self.hard + self.soft).div(Fixed::from_int(25))
    }
}

/// Once per interval passed, rounding down. Ends early at zero, which every rate up to 0.9999
/// reaches within half a million steps from the largest number there is, 10,000 from usual ones.
fn decay(mut value: Fixed, rate: Fixed, passed: u64) -> Fixed {
    for _ in 0..passed {
        if value == Fixed::ZERO {
            break;
        }
        value = value.mul(rate);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_protocol::Misbehaviour;

    fn after(evidence: Evidence) -> f64 {
        let config = Config::default();
        let mut score = Score::default();
        score.add(&config, &evidence, Fault::Theirs);
        score.estimate(&config, config.initial).trust.to_f64()
    }

    #[test]
    fn the_first_event_moves_a_stranger_as_the_source_says() {
        assert!((after(Evidence::Useful) - 0.501).abs() < 1e-5);
        assert!((after(Evidence::Invalid(Misbehaviour::ForgedEnvelope)) - 0.4).abs() < 1e-5);
        assert!((after(Evidence::Timeout) - 0.45).abs() < 1e-5);
    }

    #[test]
    fn levels_follow_the_table() {
        let config = Config::default();
        let level = |useful: i64, hard: i64| {
            let score = Score {
                useful: Fixed::from_int(useful),
                hard: Fixed::from_int(hard),
                ..Score::default()
            };
            score.level_at(&config, score.estimate(&config, config.initial))
        };
        assert_eq!(level(0, 0), Level::Unknown);
        assert_eq!(level(124, 0), Level::Unknown);
        assert_eq!(level(125, 0), Level::High, "T = 0.6 exactly, u = 0.8");
        assert_eq!(level(0, 125), Level::Low, "a first fault never promotes");
        assert_eq!(level(100, 100), Level::Low);
        assert_eq!(level(130, 200), Level::Medium);
        assert_eq!(level(748, 0), Level::High);
        assert_eq!(level(749, 0), Level::Trusted);
        assert_eq!(level(0, 748), Level::Low);
        assert_eq!(level(0, 750), Level::Distrusted);
    }

    #[test]
    fn a_level_is_left_only_beyond_the_hysteresis() {
        let config = Config::default();
        let level = |from: Level, trust: i64, uncertainty: i64| {
            let score = Score {
                level: from,
                useful: Fixed::from_int(500),
                ..Score::default()
            };
            score.level_at(
                &config,
                Estimate {
                    trust: Fixed::ratio(trust, 1_000),
                    belief: Fixed::ZERO,
                    uncertainty: Fixed::ratio(uncertainty, 1_000),
                },
            )
        };
        assert_eq!(level(Level::Trusted, 781, 500), Level::Trusted);
        assert_eq!(level(Level::Trusted, 779, 500), Level::High);
        assert_eq!(level(Level::High, 819, 500), Level::High);
        assert_eq!(level(Level::High, 821, 500), Level::Trusted);
        assert_eq!(level(Level::Distrusted, 219, 500), Level::Distrusted);
        assert_eq!(level(Level::Distrusted, 221, 500), Level::Low);
        assert_eq!(level(Level::Medium, 500, 819), Level::Medium);
        assert_eq!(level(Level::Medium, 500, 821), Level::Unknown);
        assert_eq!(level(Level::Unknown, 500, 800), Level::Medium);
    }

    #[test]
    fn decaying_at_once_or_bit_by_bit_is_the_same() {
        let config = Config::default();
        let mut score = Score::default();
        for _ in 0..7 {
            score.add(&config, &Evidence::Useful, Fault::Theirs);
            score.add(&config, &Evidence::Timeout, Fault::Theirs);
        }
        score.add(
            &config,
            &Evidence::Invalid(Misbehaviour::MalformedFrame),
            Fault::Theirs,
        );
        let once = score.at(&config, 1_000);
        let bit_by_bit = (0..=1_000).fold(score, |score, interval| score.at(&config, interval));
        assert_eq!(once, bit_by_bit);
        assert_eq!(once.at(&config, 3), once, "never back");
        assert_eq!(score.at(&config, u64::MAX).information(), Fixed::ZERO);
    }
}
