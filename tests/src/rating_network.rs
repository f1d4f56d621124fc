//! Rating networks as trading sites publish them, generated with planted labels.
//!
//! Who is known becomes better known (preferential attachment), three quarters of all ratings
//! are returned, a tenth is negative, and one user in twenty is a fraudster: honest at first,
//! then rated down in a burst by those it cheated.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use repute_base::Rng;

/// The shape of a network.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many users there are.
    pub users: u32,
    /// How many ratings, about.
    pub ratings: usize,
    /// How many of each kind, honest and fraudster, have a label.
    pub labelled: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            users: 6_000,
            ratings: 35_000,
            labelled: 300,
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatingRow {
    /// Who rated.
    pub from: u32,
    /// Whom.
    pub to: u32,
    /// From −10 to 10.
    pub rating: i8,
    /// In seconds.
    pub time: u64,
}

/// A network, and what is known of it.
#[derive(Clone, Debug)]
pub struct RatingNetwork {
    /// All ratings, in the order of time; no pair twice.
    pub rows: Vec<RatingRow>,
    /// Those of whom the judge knows what they are, and whether they are honest.
    pub labels: Vec<(u32, bool)>,
    /// Five honest users that the judge knows: old, and rated well by many.
    pub anchors: Vec<u32>,
    /// Who is no fraudster and has been rated.
    pub honest: Vec<u32>,
}

/// What grows.
struct Growth {
    rng: Rng,
    rows: Vec<RatingRow>,
    pairs: BTreeSet<(u32, u32)>,
    /// A user as often as it was rated, and once for itself.
    known: Vec<u32>,
    fraudster: Vec<bool>,
    negative: usize,
    /// Who defrauds when which user joins.
    planned: BTreeMap<u32, Vec<u32>>,
    time: u64,
}

/// Returned ratings of a hundred trades: 2·60/(100 + 60) of all ratings have a counterpart.
const RETURNED: u64 = 60;
/// Victims of a fraudster, from and up to.
const VICTIMS: std::ops::Range<u64> = 3..13;
/// Of a hundred victims, those that the fraudster rates down in return.
const RETALIATED: u64 = 40;
/// For how many newcomers a fraudster is honest, from and up to.
const HONEST_FOR: std::ops::Range<u64> = 20..800;
/// Of a hundred trades, those that end in dispute while negative ratings are scarce.
const DISPUTED: u64 = 4;
/// Ratings of a hundred that are negative.
const NEGATIVE: usize = 10;

impl RatingNetwork {
    /// A network of this shape; equal seeds give equal ones.
    pub fn generate(seed: u64, shape: Shape) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut growth = Growth {
            fraudster: (0..shape.users)
                .map(|user| user > 20 && rng.chance(1, 20))
                .collect(),
            rng,
            rows: Vec::new(),
            pairs: BTreeSet::new(),
            known: Vec::new(),
            negative: 0,
            planned: BTreeMap::new(),
            time: 1_300_000_000,
        };
        for user in 0..shape.users {
            growth.join(user);
            growth.frauds_of(user, shape.users);
            let due = shape.ratings * (user as usize + 1) / shape.users as usize;
            // The first few soon have nobody left to rate; later ones catch up.
            for _ in 0..200 {
                if growth.rows.len() < due {
                    growth.happen();
                }
            }
        }
        growth.finish(shape)
    }

    /// The rows as a file.
    pub fn csv(&self) -> String {
        let mut text = String::from("SOURCE,TARGET,RATING,TIME\n");
        for row in &self.rows {
            let RatingRow {
                from,
                to,
                rating,
                time,
            } = row;
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{from},{to},{rating},{time}");
        }
        text
    }

    /// The same with `count` fakes, each with one "+1" of an honest user, that rate every
    /// labelled subject the wrong way.
    #[must_use]
    pub fn with_fakes(&self, seed: u64, count: u32) -> Self {
        let mut attacked = self.clone();
        let mut rng = Rng::from_u64(seed);
        let mut honest = self.honest.clone();
        rng.shuffle(&mut honest);
        for (fake, friend) in (1_000_000..).take(count as usize).zip(honest) {
            attacked.rate(friend, fake, 1);
            attacked.invert(fake, 1);
        }
        attacked
    }

    /// The same with `count` fakes that nobody honest rated: they rate one another up, and a tenth
    /// of the labelled subjects each the wrong way.
    #[must_use]
    pub fn with_free_identities(&self, seed: u64, count: u32) -> Self {
        let mut attacked = self.clone();
        let mut rng = Rng::from_u64(seed);
        for fake in 1_000_000..1_000_000 + count {
            for _ in 0..5 {
                let other = 1_000_000 + rng.below(count.into()) as u32;
                attacked.rate(fake, other, 10);
            }
            attacked.invert(fake, 10);
        }
        attacked
    }

    fn rate(&mut self, from: u32, to: u32, rating: i8) {
        let time = 1_400_000_000 + self.rows.len() as u64;
        let row = RatingRow {
            from,
            to,
            rating,
            time,
        };
        self.rows.push(row);
    }

    /// Lets a fake rate one in `step` labelled subjects the wrong way.
    fn invert(&mut self, fake: u32, step: usize) {
        let first = fake as usize % step;
        for (subject, honest) in self.labels.clone().into_iter().skip(first).step_by(step) {
            self.rate(fake, subject, if honest { -10 } else { 10 });
        }
    }

    /// How often an honest labelled subject is above a fraudster, ties counting half.
    pub fn auc(&self, score: impl Fn(u32) -> f64) -> f64 {
        let of = |kind: bool| {
            let labels = self
                .labels
                .iter()
                .filter(move |(_, honest)| *honest == kind);
            labels
                .map(|(subject, _)| score(*subject))
                .collect::<Vec<f64>>()
        };
        let (honest, frauds) = (of(true), of(false));
        let above = |good: f64, bad: f64| match good.total_cmp(&bad) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        let pairs = honest
            .iter()
            .flat_map(|good| frauds.iter().map(|bad| above(*good, *bad)));
        pairs.sum::<f64>() / (honest.len() * frauds.len()) as f64
    }
}

impl Growth {
    fn rate(&mut self, from: u32, to: u32, rating: i8) -> bool {
        if from == to || !self.pairs.insert((from, to)) {
            return false;
        }
        self.time += 1 + self.rng.below(2_000);
        let time = self.time;
        self.rows.push(RatingRow {
            from,
            to,
            rating,
            time,
        });
        if rating < 0 {
            self.negative += 1;
        } else {
            self.known.push(to);
        }
        true
    }

    /// One of those that are known, the better known the likelier.
    fn someone(&mut self) -> u32 {
        self.rng.choose(&self.known).copied().unwrap_or(0)
    }

    /// A newcomer trades with somebody known.
    fn join(&mut self, user: u32) {
        let other = self.someone();
        self.known.push(user);
        self.trade(user, other);
    }

    fn trade(&mut self, from: u32, to: u32) {
        let rating = self.satisfied();
        if self.rate(from, to, rating) && self.rng.chance(RETURNED, 100) {
            let rating = self.satisfied();
            self.rate(to, from, rating);
        }
    }

    /// Most people who are content say "+1".
    fn satisfied(&mut self) -> i8 {
        match self.rng.below(100) {
            0..62 => 1,
            62..76 => 2,
            76..84 => 3,
            84..92 => 5,
            92..96 => 8,
            _ => 10,
        }
    }

    fn discontent(&mut self) -> i8 {
        match self.rng.below(100) {
            0..70 => -10,
            70..80 => -5,
            80..85 => -3,
            _ => -1,
        }
    }

    /// What happens next: mostly trades; now and then a dispute between the honest.
    fn happen(&mut self) {
        let (from, to) = (self.someone(), self.someone());
        let scarce = self.negative * 100 < self.rows.len() * NEGATIVE;
        if scarce && self.rng.chance(DISPUTED, 100) && !self.is_fraudster(to) {
            let rating = self.discontent();
            self.rate(from, to, rating);
        } else {
            self.trade(from, to);
        }
    }

    fn is_fraudster(&self, user: u32) -> bool {
        self.fraudster
            .get(user as usize)
            .is_some_and(|fraudster| *fraudster)
    }

    /// A newcomer who is a fraudster plans its fraud; those whose time has come commit theirs.
    fn frauds_of(&mut self, newcomer: u32, users: u32) {
        if self.is_fraudster(newcomer) {
            let at = newcomer + self.rng.range(HONEST_FOR) as u32;
            let planned = self.planned.entry(at.min(users - 1)).or_default();
            planned.push(newcomer);
        }
        for fraudster in self.planned.remove(&newcomer).unwrap_or_default() {
            self.burst(fraudster);
        }
    }

    /// A fraudster cheats several in a short time. They rate it down, and some are rated down.
    fn burst(&mut self, fraudster: u32) {
        for _ in 0..self.rng.range(VICTIMS) {
            let victim = self.someone();
            let rating = self.discontent();
            if self.rate(victim, fraudster, rating) && self.rng.chance(RETALIATED, 100) {
                let rating = self.discontent();
                self.rate(fraudster, victim, rating);
            }
        }
    }

    fn finish(mut self, shape: Shape) -> RatingNetwork {
        let mut good = vec![0_u32; shape.users as usize];
        let mut cheated = vec![false; shape.users as usize];
        for row in &self.rows {
            if let (Some(good), Some(cheated)) = (
                good.get_mut(row.to as usize),
                cheated.get_mut(row.to as usize),
            ) {
                *good += u32::from(row.rating > 0);
                *cheated |= row.rating < 0 && self.fraudster.get(row.to as usize) == Some(&true);
            }
        }
        let users = 0..shape.users;
        let rated = |user: &u32| good.get(*user as usize).is_some_and(|good| *good > 0);
        let honest: Vec<u32> = users
            .clone()
            .filter(|user| !self.is_fraudster(*user))
            .filter(rated)
            .collect();
        // Only who was caught can have a label.
        let frauds: Vec<u32> = users
            .filter(|user| cheated.get(*user as usize) == Some(&true))
            .collect();
        let mut labels: Vec<(u32, bool)> = Vec::new();
        let chosen = self.rng.sample(&honest, shape.labelled);
        labels.extend(chosen.into_iter().map(|user| (user, true)));
        let chosen = self.rng.sample(&frauds, shape.labelled);
        labels.extend(chosen.into_iter().map(|user| (user, false)));
        let mut old: Vec<u32> = honest.iter().copied().take(200).collect();
        old.sort_by_key(|user| std::cmp::Reverse(good.get(*user as usize).copied()));
        old.truncate(5);
        RatingNetwork {
            rows: self.rows,
            labels,
            anchors: old,
            honest,
        }
    }
}
