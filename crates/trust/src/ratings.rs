//! Rating networks: people who rated one another, read from outside and judged.

mod error;
mod judge;
mod limits;
mod parser;

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

pub use self::{
    error::{RatingProblem, RatingsError, UnknownAnchor},
    judge::{Judgement, RatedSubject, RatingsConfig},
    limits::RatingsLimits,
    parser::RatingsParser,
};

/// A rating network in memory, the latest rating of each pair.
///
/// The names in it are of any kind and never become ids of this network: the whole is a scratch
/// ledger, judged by [`judge`](Self::judge) and dropped.
///
/// ```
/// use repute_trust::{RatingsConfig, RatingsLimits, RatingsParser};
///
/// let mut parser = RatingsParser::new(RatingsLimits::default());
/// parser.feed(b"SOURCE,TARGET,RATING,TIME\nann,bob,8,1\nbob,eve,-10,2\n").unwrap();
/// let ratings = parser.finish().unwrap();
/// let judged = ratings.judge(&["ann"], &RatingsConfig::default()).unwrap();
/// let order: Vec<&str> = judged.subjects.iter().map(|one| &*one.id).collect();
/// assert_eq!(order, ["bob", "eve"]);
/// ```
#[derive(Debug, Default)]
pub struct Ratings {
    names: Vec<Arc<str>>,
    places: BTreeMap<Arc<str>, u32>,
    /// By rater, then subject.
    rows: Vec<Rating>,
    ignored: u64,
}

/// One rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rating {
    from: u32,
    to: u32,
    /// From −1 to 1, in millionths.
    value: i32,
    /// In microseconds; only the order matters.
    time: i64,
}

/// Units of a rating of one.
const VALUE_ONE: u64 = 1_000_000;

impl Ratings {
    /// How many ratings count.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nobody rated anybody.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many people there are, raters and rated.
    pub fn people(&self) -> usize {
        self.names.len()
    }

    /// How many rows do not count: ratings of oneself, and those that a later one replaced.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    fn place(&self, name: &str) -> Option<u32> {
        self.places.get(name).copied()
    }

    fn name(&self, place: usize) -> Arc<str> {
        self.names.get(place).cloned().unwrap_or_default()
    }

    /// The place of `name`, made if there is none and there is room.
    fn place_or_new(&mut self, name: &str, names_max: usize) -> Option<u32> {
        if let Some(place) = self.place(name) {
            return Some(place);
        }
        if self.names.len() >= names_max {
            return None;
        }
        let place = u32::try_from(self.names.len()).ok()?;
        let name: Arc<str> = String::from(name).into();
        self.names.push(Arc::clone(&name));
        self.places.insert(name, place);
        Some(place)
    }

    /// Puts the rows in order and keeps the latest of each pair, of two at one time the later row.
    fn settle(&mut self) {
        let before = self.rows.len();
        self.rows.sort_by_key(|row| (row.from, row.to, row.time));
        self.rows.dedup_by(|later, kept| {
            let same = (later.from, later.to) == (kept.from, kept.to);
            if same {
                *kept = *later;
            }
            same
        });
        self.ignored += (before - self.rows.len()) as u64;
    }
}
