use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{BlobHash, Tier};

use crate::{Config, Limits};

/// The least turn of a newcomer that sits in a slot that is not kept for newcomers.
const LENT_MIN: Duration = Duration::from_secs(5);
/// A slot in which nothing happens for this long is free again.
const IDLE: Duration = Duration::from_secs(1);
/// Who waits and does not ask again for this long is gone.
const FORGOTTEN: Duration = Duration::from_secs(90);
/// When to ask again unless told before.
pub(crate) const RETRY: Duration = Duration::from_secs(30);

/// Who is served now, and who waits.
///
/// Slots belong to peers, for a turn. Some are kept for newcomers, the others are for better
/// standing first and lent to newcomers while nobody better waits. Of those who wait, whoever
/// waited longest is next, where a second of a better tier counts its weight: so better ones get
/// more turns, and nobody waits forever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    taken: BTreeMap<NodeId, Slot>,
    waiting: BTreeMap<NodeId, Waiting>,
}

#[derive(Clone, Debug)]
struct Slot {
    tier: Tier,
    since: Mono,
    streams: usize,
    /// Since when there is no stream.
    idle: Mono,
    /// Until when it is kept for who waited and has not asked yet.
    kept_until: Mono,
    /// The turn is over: no new streams.
    over: bool,
}

#[derive(Clone, Debug)]
struct Waiting {
    tier: Tier,
    since: Mono,
    asked: Mono,
    hash: BlobHash,
}

/// What comes of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Serve.
    Serve,
    /// Wait, behind so many.
    Wait(usize),
    /// There is no room to wait.
    Full,
}

impl Slots {
    /// A peer asks to be served.
    pub(crate) fn ask(
        &mut self,
        now: Mono,
        (peer, tier): (NodeId, Tier),
        hash: BlobHash,
        (config, limits): (&Config, &Limits),
    ) -> Admission {
        if let Some(slot) = self.taken.get_mut(&peer)
            && !slot.over
        {
            slot.streams += 1;
            (slot.tier, slot.kept_until) = (tier, now);
            return Admission::Serve;
        }
        let known = self.waiting.get(&peer);
        let since = known.map_or(now, |waiting| waiting.since);
        let entry = Waiting {
            tier,
            since,
            asked: now,
            hash,
        };
        if known.is_none() && self.waiting.len() >= limits.queue_max && !self.displace(tier) {
            return Admission::Full;
        }
        self.waiting.insert(peer, entry);
        if self.next(now, config) == Some(peer) {
            self.waiting.remove(&peer);
            self.seat(now, peer, tier, 1);
            return Admission::Serve;
        }
        Admission::Wait(self.place(now, &peer, config))
    }

    /// A stream of a peer in a slot has ended.
    pub(crate) fn ended(&mut self, now: Mono, peer: &NodeId) {
        if let Some(slot) = self.taken.get_mut(peer) {
            slot.streams = slot.streams.saturating_sub(1);
            slot.idle = now;
        }
    }

    /// A peer is gone.
    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.taken.remove(peer);
        self.waiting.remove(peer);
    }

    /// Ends turns and gives free slots to those who wait: whom to call, and for what.
    pub(crate) fn advance(&mut self, now: Mono, config: &Config) -> Vec<(NodeId, BlobHash)> {
        self.waiting
            .retain(|_, waiting| now.since(waiting.asked) < FORGOTTEN);
        self.end_turns(now, config);
        self.taken.retain(|_, slot| {
            let kept = now < slot.kept_until;
            slot.streams > 0 || kept || (now.since(slot.idle) < IDLE && !slot.over)
        });
        let mut called = Vec::new();
        while let Some(peer) = self.next(now, config) {
            let Some(waiting) = self.waiting.remove(&peer) else {
                break;
            };
            self.seat(now, peer, waiting.tier, 0);
            called.push((peer, waiting.hash));
        }
        called
    }

    /// When something changes by itself.
    pub(crate) fn deadline(&self, config: &Config) -> Mono {
        let slots = self.taken.values().map(|slot| match slot.streams {
            0 => (slot.idle + IDLE).max(slot.kept_until),
            _ if self.waiting.is_empty() || slot.over => Mono::MAX,
            _ if slot.tier == Tier::Newcomer => slot.since + LENT_MIN.min(config.upload_turn),
            _ => slot.since + config.upload_turn,
        });
        let waiting = self.waiting.values().map(|one| one.asked + FORGOTTEN);
        slots.chain(waiting).min().unwrap_or(Mono::MAX)
    }

    /// How many more could be served now.
    pub(crate) fn free(&self, config: &Config) -> usize {
        config.upload_slots.saturating_sub(self.taken.len())
    }

    /// How many are served, and how many wait.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.taken.len(), self.waiting.len())
    }

    fn seat(&mut self, now: Mono, peer: NodeId, tier: Tier, streams: usize) {
        let kept_until = match streams {
            0 => now + Limits::TURN_WAIT,
            _ => now,
        };
        let slot = Slot {
            tier,
            since: now,
            streams,
            idle: now,
            kept_until,
            over: false,
        };
        self.taken.insert(peer, slot);
    }

    fn newcomers(&self) -> usize {
        let all = self.taken.values();
        all.filter(|slot| slot.tier == Tier::Newcomer).count()
    }

    /// Who is next, if there is a slot for anybody that waits.
    fn next(&self, now: Mono, config: &Config) -> Option<NodeId> {
        let free = self.free(config);
        if free == 0 {
            return None;
        }
        let better = self.first(now, config, |tier| tier > Tier::Newcomer);
        let newcomer = self.first(now, config, |tier| tier == Tier::Newcomer);
        // A slot that is kept for a newcomer is no other's, whether one waits or not.
        let kept = config.newcomer_slots.saturating_sub(self.newcomers());
        match (better, newcomer) {
            (_, Some(newcomer)) if kept > 0 => Some(newcomer),
            (Some(better), _) if free > kept => Some(better),
            (None, newcomer) => newcomer,
            _ => None,
        }
    }

    fn first(&self, now: Mono, config: &Config, of: impl Fn(Tier) -> bool) -> Option<NodeId> {
        let fit = self.waiting.iter().filter(|(_, one)| of(one.tier));
        fit.max_by_key(|(peer, one)| (claim(now, one, config), one.tier, *peer))
            .map(|(peer, _)| *peer)
    }

    /// How many are before a peer that waits.
    fn place(&self, now: Mono, peer: &NodeId, config: &Config) -> usize {
        let Some(own) = self.waiting.get(peer) else {
            return 0;
        };
        let key = |one: &Waiting| (one.tier > Tier::Newcomer, claim(now, one, config), one.tier);
        let own = (key(own), *peer);
        let all = self.waiting.iter();
        all.filter(|(peer, one)| (key(one), **peer) > own).count()
    }

    /// Makes room in a full queue: the last of the least tier leaves, if it is less than this one.
    fn displace(&mut self, tier: Tier) -> bool {
        let last = self
            .waiting
            .iter()
            .min_by_key(|(peer, one)| (one.tier, core::cmp::Reverse(one.since), **peer));
        match last.map(|(peer, one)| (*peer, one.tier)) {
            Some((peer, least)) if least < tier => {
                self.waiting.remove(&peer);
                true
            }
            _ => false,
        }
    }

    fn end_turns(&mut self, now: Mono, config: &Config) {
        if self.waiting.is_empty() || self.free(config) > 0 && self.next(now, config).is_some() {
            return;
        }
        let any = |better: bool| {
            let mut all = self.waiting.values();
            all.any(|one| (one.tier > Tier::Newcomer) == better)
        };
        let (better, newcomer) = (any(true), any(false));
        let lent = self.newcomers() > config.newcomer_slots;
        for slot in self.taken.values_mut() {
            let held = now.since(slot.since);
            // A better one is not sent away for a newcomer: that has slots of its own.
            let turn_over =
                held >= config.upload_turn && (better || (newcomer && slot.tier == Tier::Newcomer));
            let lent_over = lent && better && slot.tier == Tier::Newcomer && held >= LENT_MIN;
            slot.over |= turn_over || lent_over;
        }
    }
}

/// How strongly somebody who waits is next: seconds by weight.
fn claim(now: Mono, one: &Waiting, config: &Config) -> u128 {
    // One more, so that of two who came just now the better is first.
    (now.since(one.since).as_millis() + 1) * u128::from(config.tier(one.tier).weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: BlobHash = BlobHash::from_bytes([7; 32]);

    struct Desk {
        slots: Slots,
        config: Config,
        limits: Limits,
        now: u64,
        turns: BTreeMap<NodeId, u64>,
        /// Who has a stream that ends with the next second.
        streams: Vec<NodeId>,
    }

    fn peer(number: usize) -> NodeId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        NodeId::from_bytes(id)
    }

    impl Desk {
        fn new(upload_slots: usize, newcomer_slots: usize) -> Self {
            let config = Config {
                upload_slots,
                newcomer_slots,
                upload_turn: Duration::from_secs(10),
                ..Config::default()
            };
            config.check().unwrap();
            Self {
                slots: Slots::default(),
                config,
                limits: Limits::default(),
                now: 0,
                turns: BTreeMap::new(),
                streams: Vec::new(),
            }
        }

        fn ask(&mut self, number: usize, tier: Tier) -> Admission {
            let now = Mono::from_millis(self.now);
            let rules = (&self.config, &self.limits);
            self.slots.ask(now, (peer(number), tier), BLOB, rules)
        }

        /// Everybody asks whenever it may, for streams of a second, for so many seconds.
        fn crowd(&mut self, crowd: &[(usize, Tier)], seconds: u64) {
            for _ in 0..seconds {
                self.now += 1_000;
                let now = Mono::from_millis(self.now);
                for one in self.streams.drain(..) {
                    self.slots.ended(now, &one);
                }
                self.slots.advance(now, &self.config);
                for (number, tier) in crowd {
                    if self.ask(*number, *tier) == Admission::Serve {
                        self.streams.push(peer(*number));
                        *self.turns.entry(peer(*number)).or_default() += 1;
                    }
                }
                let (taken, waiting) = self.slots.counts();
                assert!(taken <= self.config.upload_slots && waiting <= self.limits.queue_max);
            }
        }

        fn served(&self, number: usize) -> u64 {
            self.turns.get(&peer(number)).copied().unwrap_or_default()
        }
    }

    #[test]
    fn while_there_is_room_everybody_is_served() {
        let mut desk = Desk::new(8, 2);
        assert_eq!(desk.ask(1, Tier::Newcomer), Admission::Serve);
        assert_eq!(desk.ask(1, Tier::Newcomer), Admission::Serve);
        for number in 2..8 {
            assert_eq!(
                desk.ask(number, Tier::Newcomer),
                Admission::Serve,
                "{number}"
            );
        }
        assert_eq!(desk.slots.free(&desk.config), 1);
    }

    #[test]
    fn a_place_is_told_and_better_standing_is_before_newcomers() {
        let mut desk = Desk::new(2, 1);
        assert_eq!(desk.ask(1, Tier::High), Admission::Serve);
        assert_eq!(desk.ask(2, Tier::Newcomer), Admission::Serve);
        assert_eq!(desk.ask(3, Tier::Newcomer), Admission::Wait(0));
        assert_eq!(desk.ask(4, Tier::Medium), Admission::Wait(0));
        assert_eq!(desk.ask(5, Tier::Trusted), Admission::Wait(0));
        assert_eq!(desk.ask(3, Tier::Newcomer), Admission::Wait(2));
    }

    #[test]
    fn one_slot_always_stays_for_newcomers() {
        let mut desk = Desk::new(3, 1);
        assert_eq!(desk.ask(1, Tier::Trusted), Admission::Serve);
        assert_eq!(desk.ask(2, Tier::Trusted), Admission::Serve);
        assert_eq!(desk.ask(3, Tier::Trusted), Admission::Wait(0));
        assert_eq!(desk.ask(4, Tier::Newcomer), Admission::Serve);
    }

    #[test]
    fn turns_follow_the_weights_and_nobody_starves() {
        let mut desk = Desk::new(4, 1);
        let tiers = [Tier::Medium, Tier::High, Tier::Trusted, Tier::Newcomer];
        let crowd: Vec<_> = (0..40).map(|number| (number, tiers[number / 10])).collect();
        desk.crowd(&crowd, 6_000);
        let sum = |range: core::ops::Range<usize>| range.map(|one| desk.served(one)).sum::<u64>();
        let (medium, high, trusted) = (sum(0..10), sum(10..20), sum(20..30));
        let ratio = |a: u64, b: u64| a as f64 / b as f64;
        assert!((1.5..2.6).contains(&ratio(high, medium)), "{high} {medium}");
        assert!(
            (1.5..2.6).contains(&ratio(trusted, high)),
            "{trusted} {high}"
        );
        assert!((0..40).all(|one| desk.served(one) > 0), "{:?}", desk.turns);
    }

    #[test]
    fn a_crowd_of_strangers_does_not_delay_one_of_standing() {
        let mut desk = Desk::new(4, 1);
        let strangers: Vec<_> = (0..200).map(|number| (number, Tier::Newcomer)).collect();
        desk.crowd(&strangers, 60);
        let mut all = strangers;
        all.push((999, Tier::Medium));
        desk.crowd(&all, 8);
        assert!(
            desk.served(999) > 0,
            "a lent slot comes back within seconds"
        );
        desk.crowd(&all, 100);
        assert!(desk.served(999) >= 90, "nobody else of standing waits");
    }

    #[test]
    fn a_full_queue_gives_way_to_better_standing_only() {
        let mut desk = Desk::new(2, 1);
        desk.limits.queue_max = 3;
        assert_eq!(desk.ask(1, Tier::High), Admission::Serve);
        assert_eq!(desk.ask(2, Tier::Newcomer), Admission::Serve);
        for number in 3..6 {
            assert!(matches!(
                desk.ask(number, Tier::Newcomer),
                Admission::Wait(_)
            ));
        }
        assert_eq!(desk.ask(6, Tier::Newcomer), Admission::Full);
        assert_eq!(desk.ask(7, Tier::High), Admission::Wait(0));
        assert_eq!(desk.slots.counts(), (2, 3));
    }

    #[test]
    fn who_waited_is_called_and_who_does_not_come_loses_the_turn() {
        let mut desk = Desk::new(2, 1);
        assert_eq!(desk.ask(1, Tier::High), Admission::Serve);
        assert_eq!(desk.ask(2, Tier::High), Admission::Wait(0));
        desk.slots.ended(Mono::from_millis(100), &peer(1));
        let called = desk.slots.advance(Mono::from_millis(2_000), &desk.config);
        assert_eq!(called, [(peer(2), BLOB)]);
        assert_eq!(desk.slots.free(&desk.config), 1);
        let deadline = desk.slots.deadline(&desk.config);
        assert_eq!(deadline, Mono::from_millis(12_000));
        desk.slots.advance(Mono::from_millis(12_000), &desk.config);
        assert_eq!(desk.slots.free(&desk.config), 2);
    }
}
