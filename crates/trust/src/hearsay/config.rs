use core::time::Duration;

use repute_base::Fixed;

use crate::{
    ConfigError,
    config::{count, duration, within},
};

/// With whom recommendations are shared, or to whom one listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Circle {
    /// Nobody.
    #[default]
    Off,
    /// Identities that cost something: class 1 and above.
    Known,
    /// Strangers too.
    All,
}

impl Circle {
    /// Every circle, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Known, Self::All];

    /// A stable name for configuration and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Known => "known",
            Self::All => "all",
        }
    }

    /// The circle of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|circle| circle.name() == name)
    }

    /// Whether an identity of this class is in it.
    pub const fn holds(self, class: u8) -> bool {
        match self {
            Self::Off => false,
            Self::Known => class >= 1,
            Self::All => true,
        }
    }
}

/// Policy of recommendations: what they can move, whose count, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HearsayConfig {
    /// Whose recommendations are taken. [`Circle::All`] changes nothing while a stranger weighs
    /// nothing ([`class_weights`](Self::class_weights)).
    pub listen: Circle,
    /// Who is told this node's own recommendations.
    pub share: Circle,
    /// What a recommendation of full value by a wholly trusted recommender of full weight moves,
    /// to first order.
    pub step: Fixed,
    /// The most that all recommendations together move a prior, to either side; at most 0.2.
    pub reach: Fixed,
    /// Weight of a recommender by its identity class: free, vouched or stamped, burned or an
    /// anchor. Growing; a stranger at most half of the next.
    pub class_weights: [Fixed; 3],
    /// Subjects that one recommender recommends at full weight; more share the same budget.
    pub subjects_full: u32,
    /// How far, on the scale from −1 to 1, a recommendation may be off and still be right.
    pub tolerance: Fixed,
    /// Uncertainty about the subject below which experience judges a recommendation.
    pub judged_below: Fixed,
    /// What a wrong recommendation adds to the disbelief in its recommender, in events.
    pub wrong_weight: Fixed,
    /// How long a recommendation holds at most.
    pub lifetime_max: Duration,
    /// Least time between two recommendations by one about one.
    pub spacing: Duration,
}

impl Default for HearsayConfig {
    fn default() -> Self {
        Self {
            listen: Circle::Known,
            share: Circle::Off,
            step: Fixed::ratio(1, 10),
            reach: Fixed::ratio(2, 10),
            class_weights: [Fixed::ZERO, Fixed::ratio(1, 4), Fixed::ONE],
            subjects_full: 5,
            tolerance: Fixed::ratio(4, 10),
            judged_below: Fixed::HALF,
            wrong_weight: Fixed::from_int(499).div(Fixed::from_int(9)),
            lifetime_max: Duration::from_secs(7 * 86_400),
            spacing: Duration::from_secs(86_400),
        }
    }
}

impl HearsayConfig {
    /// Whether the set as a whole can be meant.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (zero, one) = (Fixed::ZERO, Fixed::ONE);
        within("hearsay.reach", self.reach, zero, Fixed::ratio(2, 10))?;
        within("hearsay.step", self.step, zero, one)?;
        let [free, paid, burned] = self.class_weights;
        within("hearsay.class_weights of class 2", burned, zero, one)?;
        within("hearsay.class_weights of class 1", paid, zero, burned)?;
        // A thousand free identities must never be worth as much as few that cost something.
        let free_max = paid.mul(Fixed::HALF);
        within("hearsay.class_weights of class 0", free, zero, free_max)?;
        count("hearsay.subjects_full", self.subjects_full)?;
        within("hearsay.tolerance", self.tolerance, zero, one)?;
        within("hearsay.judged_below", self.judged_below, zero, one)?;
        let most = Fixed::from_int(1_000_000);
        within("hearsay.wrong_weight", self.wrong_weight, zero, most)?;
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        duration("hearsay.lifetime_max", self.lifetime_max, second, day * 7)?;
        duration("hearsay.spacing", self.spacing, second, day * 7)
    }

    /// The weight of a class; a class that this version does not know is as good as the best.
    pub(crate) fn class_weight(&self, class: u8) -> Fixed {
        let [free, paid, burned] = self.class_weights;
        match class {
            0 => free,
            1 => paid,
            _ => burned,
        }
    }
}
