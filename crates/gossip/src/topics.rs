use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use repute_base::{BoundedBytes, BoundedVec, Mono};
use repute_identity::NodeId;
use repute_protocol::{
    Dot, Envelope, Message, Topic, Verified,
    limits::{DEPENDENCIES_MAX, MESSAGE_DATA_MAX},
};

use crate::Limits;

/// Places above the first gap that are remembered for one author on one topic.
const AHEAD_MAX: usize = 256;
/// Dependencies given up that are remembered for one topic.
const GIVEN_UP_MAX: usize = 256;

/// A message on its way to the application.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) envelope: Verified<Envelope>,
    pub(crate) message: Message,
    pub(crate) from: NodeId,
}

impl Delivery {
    fn dot(&self) -> Dot {
        let (author, start) = (self.envelope.author(), self.envelope.seq().start);
        Dot {
            author,
            start,
            nth: self.message.nth,
        }
    }

    /// What must come before: the author's previous message, and what the author had seen.
    fn needs(&self) -> impl Iterator<Item = Dot> + '_ {
        let own = self.dot();
        let previous = own.nth.checked_sub(1).map(|nth| Dot { nth, ..own });
        previous
            .into_iter()
            .chain(self.message.after.iter().copied())
    }
}

/// What has been delivered of one author since one start: all below `next`, and some above.
#[derive(Clone, Debug, Default)]
struct Progress {
    next: u64,
    ahead: BTreeSet<u64>,
    used: u64,
}

impl Progress {
    fn contains(&self, nth: u64) -> bool {
        nth < self.next || self.ahead.contains(&nth)
    }

    fn add(&mut self, nth: u64) {
        if nth >= self.next {
            self.ahead.insert(nth);
        }
        if self.ahead.len() > AHEAD_MAX
            && let Some(first) = self.ahead.first()
        {
            // The gap below is given up.
            self.next = *first;
        }
        while self.ahead.remove(&self.next) {
            self.next = self.next.saturating_add(1);
        }
    }

    /// Nothing below `nth` is waited for any more.
    fn skip_to(&mut self, nth: u64) {
        self.next = self.next.max(nth);
        self.ahead = self.ahead.split_off(&self.next);
        while self.ahead.remove(&self.next) {
            self.next = self.next.saturating_add(1);
        }
    }
}

/// One topic: its version vector, and who waits for what.
#[derive(Clone, Debug, Default)]
struct Stream {
    /// `None` when only published to; otherwise whether causal order is wanted.
    subscribed: Option<bool>,
    /// Places of our own messages used so far.
    own: u64,
    seen: BTreeMap<(NodeId, u64), Progress>,
    /// The newest of what was delivered since our last causal message.
    news: VecDeque<Dot>,
    waiting: BTreeMap<Dot, Vec<u64>>,
    given_up: VecDeque<Dot>,
    clock: u64,
}

impl Stream {
    fn contains(&self, dot: &Dot, me: NodeId) -> bool {
        // Our own messages are not delivered to us.
        dot.author == me
            || self
                .seen
                .get(&(dot.author, dot.start))
                .is_some_and(|seen| seen.contains(dot.nth))
            || self.given_up.contains(dot)
    }

    fn progress(&mut self, dot: &Dot, max: usize) -> &mut Progress {
        let key = (dot.author, dot.start);
        if !self.seen.contains_key(&key) && self.seen.len() >= max.max(1) {
            let oldest = self
                .seen
                .iter()
                .min_by_key(|(_, seen)| seen.used)
                .map(|(key, _)| *key);
            oldest.map(|key| self.seen.remove(&key));
        }
        self.clock += 1;
        let seen = self.seen.entry(key).or_default();
        seen.used = self.clock;
        seen
    }

    fn deliver(&mut self, dot: Dot, max: usize) {
        self.progress(&dot, max).add(dot.nth);
        self.news
            .retain(|known| (known.author, known.start) != (dot.author, dot.start));
        self.news.push_back(dot);
        if self.news.len() > DEPENDENCIES_MAX {
            self.news.pop_front();
        }
    }
}

#[derive(Clone, Debug)]
struct Held {
    delivery: Delivery,
    deadline: Mono,
}

/// Which topics the application wants, and messages held back for causal order.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    me: NodeId,
    streams: BTreeMap<Topic, Stream>,
    /// In order of arrival, which is the order of deadlines.
    held: BTreeMap<u64, Held>,
    arrivals: u64,
    forced: u64,
    topics_max: usize,
    authors_max: usize,
    held_max: usize,
}

impl Topics {
    pub(crate) fn new(limits: &Limits, me: NodeId) -> Self {
        Self {
            me,
            streams: BTreeMap::new(),
            held: BTreeMap::new(),
            arrivals: 0,
            forced: 0,
            topics_max: limits.topics_max,
            authors_max: limits.topic_authors_max,
            held_max: limits.held_max,
        }
    }

    pub(crate) fn held_len(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.held.first_key_value().map(|(_, held)| held.deadline)
    }

    /// Messages delivered before their predecessors since last asked.
    pub(crate) const fn take_forced(&mut self) -> u64 {
        core::mem::replace(&mut self.forced, 0)
    }

    /// Gives back what is held no longer when causal order is given up.
    pub(crate) fn subscribe(&mut self, topic: Topic, causal: bool) -> Vec<Delivery> {
        let released = if causal {
            Vec::new()
        } else {
            self.release_all(&topic)
        };
        if let Some(stream) = self.stream(&topic) {
            stream.subscribed = Some(causal);
        }
        for delivery in &released {
            if let Some(stream) = self.streams.get_mut(&topic) {
                stream.deliver(delivery.dot(), self.authors_max);
            }
        }
        released
    }

    pub(crate) fn unsubscribe(&mut self, topic: &Topic) {
        self.release_all(topic);
        if let Some(stream) = self.streams.get_mut(topic) {
            // The count of our own messages must not start again.
            *stream = Stream {
                own: stream.own,
                ..Stream::default()
            };
            if stream.own == 0 {
                self.streams.remove(topic);
            }
        }
    }

    /// The message of a publish; `None` when we publish on too many topics.
    pub(crate) fn compose(
        &mut self,
        topic: Topic,
        kind: u16,
        data: BoundedBytes<MESSAGE_DATA_MAX>,
        causal: bool,
    ) -> Option<Message> {
        let stream = self.stream(&topic)?;
        let nth = stream.own;
        stream.own += 1;
        let after = if causal {
            BoundedVec::truncated(stream.news.drain(..))
        } else {
            BoundedVec::new()
        };
        Some(Message {
            topic,
            kind,
            nth,
            after,
            data,
        })
    }

    /// Takes a new message in; gives back what may be delivered now, in order.
    pub(crate) fn receive(&mut self, delivery: Delivery, deadline: Mono) -> Vec<Delivery> {
        let Some(stream) = self.streams.get(&delivery.message.topic) else {
            return Vec::new();
        };
        let Some(causal) = stream.subscribed else {
            return Vec::new();
        };
        let unmet = delivery
            .needs()
            .find(|dot| causal && !stream.contains(dot, self.me));
        let Some(unmet) = unmet else {
            return self.release(delivery);
        };
        let number = self.arrivals;
        self.arrivals += 1;
        if let Some(stream) = self.streams.get_mut(&delivery.message.topic) {
            stream.waiting.entry(unmet).or_default().push(number);
        }
        self.held.insert(number, Held { delivery, deadline });
        if self.held.len() > self.held_max {
            self.force_first()
        } else {
            Vec::new()
        }
    }

    /// What has waited too long, and what it had blocked.
    pub(crate) fn overdue(&mut self, now: Mono) -> Vec<Delivery> {
        let mut ready = Vec::new();
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            ready.extend(self.force_first());
        }
        ready
    }

    fn force_first(&mut self) -> Vec<Delivery> {
        let Some((_, Held { delivery, .. })) = self.held.pop_first() else {
            return Vec::new();
        };
        self.forced += 1;
        let Some(stream) = self.streams.get_mut(&delivery.message.topic) else {
            return Vec::new();
        };
        let own = delivery.dot();
        let unmet: Vec<Dot> = delivery
            .needs()
            .filter(|dot| !stream.contains(dot, self.me))
            .collect();
        // The author's own past is skipped on its word; what it says about others is only not
        // waited for again, so that nobody can push aside another author's messages.
        stream.progress(&own, self.authors_max).skip_to(own.nth);
        for dot in &unmet {
            if (dot.author, dot.start) != (own.author, own.start) {
                stream.given_up.push_back(*dot);
            }
            if stream.given_up.len() > GIVEN_UP_MAX {
                stream.given_up.pop_front();
            }
        }
        let mut unblocked: Vec<u64> = Vec::new();
        for dot in &unmet {
            unblocked.extend(stream.waiting.remove(dot).unwrap_or_default());
        }
        let mut ready = self.release(delivery);
        ready.extend(self.recheck(unblocked));
        ready
    }

    /// Delivers one message and all that waited only for it.
    fn release(&mut self, delivery: Delivery) -> Vec<Delivery> {
        let Some(stream) = self.streams.get_mut(&delivery.message.topic) else {
            return Vec::new();
        };
        let dot = delivery.dot();
        stream.deliver(dot, self.authors_max);
        let unblocked = stream.waiting.remove(&dot).unwrap_or_default();
        let mut ready = Vec::from([delivery]);
        ready.extend(self.recheck(unblocked));
        ready
    }

    fn recheck(&mut self, mut unblocked: Vec<u64>) -> Vec<Delivery> {
        let mut ready = Vec::new();
        // A list instead of recursion: a chain may be as long as all that is held.
        unblocked.reverse();
        while let Some(number) = unblocked.pop() {
            let Some(held) = self.held.get(&number) else {
                continue;
            };
            let topic = &held.delivery.message.topic;
            let Some(stream) = self.streams.get_mut(topic) else {
                continue;
            };
            let unmet = held
                .delivery
                .needs()
                .find(|dot| !stream.contains(dot, self.me));
            if let Some(unmet) = unmet {
                stream.waiting.entry(unmet).or_default().push(number);
                continue;
            }
            let dot = held.delivery.dot();
            stream.deliver(dot, self.authors_max);
            unblocked.extend(
                stream
                    .waiting
                    .remove(&dot)
                    .unwrap_or_default()
                    .into_iter()
                    .rev(),
            );
            ready.extend(self.held.remove(&number).map(|held| held.delivery));
        }
        ready
    }

    fn release_all(&mut self, topic: &Topic) -> Vec<Delivery> {
        if let Some(stream) = self.streams.get_mut(topic) {
            stream.waiting.clear();
        }
        let numbers: Vec<u64> = self
            .held
            .iter()
            .filter(|(_, held)| held.delivery.message.topic == *topic)
            .map(|(number, _)| *number)
            .collect();
        numbers
            .into_iter()
            .filter_map(|number| self.held.remove(&number))
            .map(|held| held.delivery)
            .collect()
    }

    fn stream(&mut self, topic: &Topic) -> Option<&mut Stream> {
        if !self.streams.contains_key(topic) && self.streams.len() >= self.topics_max {
            return None;
        }
        Some(self.streams.entry(topic.clone()).or_default())
    }
}
