use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use repute_base::{BoundedBytes, Layer};
use repute_identity::NodeId;
use repute_protocol::{
    Announced, Broadcast, Envelope, EnvelopeKind, Frame, Freshness, GossipFrame, MessageId,
    Misbehaviour, Payload, Topic, Verified,
    limits::{LIVE_AGE_MAX, MESSAGE_DATA_MAX},
};

use crate::{Event, Gossip, Output, archive::Proven, reconcile::MISSED_AGE, topics::Delivery};

/// Between two prunes, or two such grafts, on one link: pushes that crossed the first must not each
/// cause another.
const PRUNE_PAUSE: Duration = Duration::from_millis(500);
/// How long pushes that crossed a prune may come: longer than queues are on the machines of a
/// network that is busy, shorter than a tree takes to change.
const CROSSING: Duration = Duration::from_millis(100);

/// So many messages in a row that had to be asked for, and an eager link is doubted.
const UNPUSHED_MAX: u8 = 4;

/// How a copy came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Links it crossed.
    pub(crate) hops: u8,
    /// Links it may still cross as a push.
    pub(crate) ttl: u8,
    /// Answers a request, so it says nothing about the tree.
    pub(crate) requested: bool,
}

impl Gossip {
    /// What can be told of a message without any state but what was asked for: its network, its kind
    /// and its time.
    pub(crate) fn content(&mut self, peer: NodeId, broadcast: &Broadcast) -> bool {
        let envelope = &broadcast.envelope;
        if envelope.network() != self.network {
            self.accuse(peer, Misbehaviour::WrongNetwork);
            return false;
        }
        if envelope.kind() != EnvelopeKind::Message {
            self.stats.ignored_kind += 1;
            self.layers.refuse(Layer::Content, "not for broadcast");
            return false;
        }
        let (sent, now) = (envelope.sent(), self.now.wall);
        let mut freshness = Freshness::of_push(sent, now);
        if freshness.is_fresh() {
            return true;
        }
        let id = envelope.id();
        // A copy of what is known says something about the tree, whenever it was sent.
        if self.archive.contains(&id) {
            return true;
        }
        if self.is_requested(peer, &id) {
            freshness = Freshness::of_requested(sent, now, self.config.retention);
        }
        // Nobody is blamed: a clock that is wrong, ours or theirs, is no ill will.
        match freshness {
            Freshness::Fresh => return true,
            Freshness::Stale => {
                self.stats.ignored_stale += 1;
                self.layers.refuse(Layer::Content, "too old");
            }
            _ => {
                self.stats.ignored_future += 1;
                self.layers.refuse(Layer::Content, "from the future");
            }
        }
        // It has come, whatever it is worth.
        self.take_request(peer, &id);
        if let Some(link) = self.links.get_mut(&peer) {
            link.score.brought();
        }
        false
    }

    pub(crate) fn refuse_author(&mut self) {
        self.layers
            .refuse(Layer::IdentityQuota, "over the author's budget");
    }

    pub(crate) fn on_broadcast(&mut self, peer: NodeId, broadcast: Broadcast) {
        let Broadcast {
            hops,
            ttl,
            requested,
            envelope,
        } = broadcast;
        let id = envelope.id();
        let asked = self.take_request(peer, &id);
        if let Some(link) = self.links.get_mut(&peer) {
            link.score.brought();
        }
        if self.archive.contains(&id) {
            self.stats.duplicates += 1;
            if !requested && !self.dispel_doubt(&id) {
                self.came_again(&envelope.author(), &id, peer);
            }
            return;
        }
        let (author, seq) = (envelope.author(), envelope.seq());
        if !asked && self.authors.is_replay(&author, seq) {
            self.stats.ignored_replayed += 1;
            return;
        }
        let bytes = envelope.wire().len() as u64;
        if !self.authors.has_budget(&author, self.now.mono, bytes) {
            // What it signed before has used it up; nothing is spent by this look.
            self.stats.dropped_by_origin += 1;
            return self.refuse_author();
        }
        self.check(
            peer,
            Arrival {
                hops,
                ttl,
                requested,
            },
            envelope,
        );
    }

    /// A proven message that was not known: keep it, hand it out, pass it on.
    pub(crate) fn accept(
        &mut self,
        envelope: Verified<Envelope>,
        arrival: Arrival,
        senders: &[(NodeId, bool)],
    ) {
        let Some((first, _)) = senders.first().copied() else {
            return;
        };
        let id = envelope.id();
        let found = self.found(&id, first);
        let replay = self.authors.is_replay(&envelope.author(), envelope.seq());
        let message = match Payload::decode(envelope.kind(), &envelope.payload()) {
            Ok(Payload::Message(message)) => Some(message),
            _ => None,
        };
        if !replay && !self.charge(&envelope) {
            return self.refuse_author();
        }
        self.layers.pass(Layer::IdentityQuota);
        // The id is the hash of the record that signed it: the author is who it says.
        self.layers.pass(Layer::Identity);
        self.keep(&envelope, arrival, message.is_some());
        let Some(message) = message else {
            // Honest nodes do not forward what they cannot read, so its senders are to blame
            // even where they are not its author.
            for (peer, _) in senders {
                self.accuse(*peer, Misbehaviour::MalformedPayload);
            }
            return;
        };
        self.stats.duplicates += senders.len().saturating_sub(1) as u64;
        let mut pushers = senders
            .iter()
            .skip(1)
            .filter(|(_, pushed)| *pushed)
            .map(|(peer, _)| *peer);
        if let Some(announced) = found.late_since {
            // Asked for because the tree was late: the first to push it nevertheless is the tree.
            self.doubt_tree(id, first, announced);
            if pushers.next().is_some() {
                self.dispel_doubt(&id);
            }
        }
        let pushed_by = (!arrival.requested).then_some(first);
        let author = envelope.author();
        let under_way = self.under_way();
        self.lead.heard(&author, id, pushed_by, self.now, under_way);
        for peer in pushers {
            self.came_again(&author, &id, peer);
        }
        if replay {
            // Seen in an earlier run: kept for others who ask, but neither told nor spread again.
            self.stats.ignored_replayed += 1;
            return;
        }
        self.stats.received += 1;
        self.layers.pass(Layer::Application);
        self.saw_traffic();
        if let Some(link) = self.links.get_mut(&first) {
            link.score.first_delivery();
            // Who pushes first is the tree, whatever we thought of it; else the second path would
            // be our last eager link and never be pruned.
            link.eager |= !arrival.requested;
            if !arrival.requested {
                self.pushed += 1;
                link.fed = self.pushed;
            }
        }
        if !arrival.requested {
            self.pushed_at = self.now.mono;
        }
        self.note_unpushed(first, arrival.requested);
        if !arrival.requested && !self.is_active(&first) {
            self.correct(first);
        }
        self.emit(Output::Useful { peer: first });
        if arrival.requested && self.now.wall.since(envelope.sent()) >= MISSED_AGE {
            self.was_deprived(first);
        }
        if found.late_since.is_some() && !self.is_torn() {
            // Whoever feeds us will push it still; a push from us would meet that one, and both
            // sides would prune a link that is only slow.
            self.announce_to_all(&envelope, arrival, senders);
        } else {
            self.spread(&envelope, arrival, senders, &found.holders);
        }
        if envelope.author() != self.me {
            let ready = self.topics.receive(
                Delivery {
                    envelope,
                    message,
                    from: first,
                },
                self.now.mono + self.config.hold_back,
            );
            self.deliver_all(ready);
        }
    }

    pub(crate) fn deliver_all(&mut self, deliveries: Vec<Delivery>) {
        self.stats.delivered_out_of_order += self.topics.take_forced();
        for Delivery {
            envelope,
            message,
            from,
        } in deliveries
        {
            self.stats.delivered += 1;
            self.emit(Output::Deliver {
                envelope,
                message,
                from,
            });
        }
    }

    pub(crate) fn on_publish(
        &mut self,
        topic: Topic,
        kind: u16,
        data: BoundedBytes<MESSAGE_DATA_MAX>,
        causal: bool,
        token: u64,
    ) {
        let message = if self.is_ready() && !self.signing.contains(&token) {
            self.topics.compose(topic, kind, data, causal)
        } else {
            None
        };
        let Some(message) = message else {
            return self.emit(Output::Event(Event::Refused { token }));
        };
        self.signing.insert(token);
        self.emit(Output::Sign {
            token,
            payload: Payload::Message(message),
        });
    }

    pub(crate) fn on_signed(&mut self, envelope: Verified<Envelope>, token: u64) {
        let id = envelope.id();
        if !self.signing.remove(&token) || self.archive.contains(&id) {
            return;
        }
        self.charge(&envelope);
        let arrival = Arrival {
            hops: 0,
            ttl: self.config.ttl,
            requested: false,
        };
        self.keep(&envelope, arrival, true);
        self.stats.published += 1;
        let under_way = self.under_way();
        self.lead.heard(&self.me, id, None, self.now, under_way);
        self.spread(&envelope, arrival, &[], &[]);
        if self.config.eager_min > 1 {
            self.flood(&envelope, arrival);
        }
        self.emit(Output::Event(Event::Published { token, id }));
    }

    /// Sends an own message to the other links as well: whoever surrounds us with hostile
    /// neighbours does not keep us silent. As an answer, since it says nothing about the tree.
    fn flood(&mut self, envelope: &Envelope, arrival: Arrival) {
        let frame = pushed(envelope, arrival, true);
        let others: Vec<NodeId> = self
            .links
            .iter()
            .filter(|(id, link)| !link.distrusted && self.active.binary_search(id).is_err())
            .map(|(id, _)| *id)
            .collect();
        for peer in others {
            self.send_bytes(peer, &frame);
        }
    }

    pub(crate) fn on_prune(&mut self, peer: NodeId) {
        self.note_mending();
        if self.lead.is_feeder(&peer) && self.may_prune(peer) {
            // It got from us what it feeds us; now that we know it for our feeder, no more.
            return self.graft(peer, Vec::new());
        }
        self.lead.lose(&peer);
        if let Some(link) = self.links.get_mut(&peer) {
            link.eager = false;
        }
    }

    /// Enters a proven message into the record by author. False if its author exceeds its budget.
    fn charge(&mut self, envelope: &Envelope) -> bool {
        let bytes = envelope.wire().len() as u64;
        let (author, seq) = (envelope.author(), envelope.seq());
        let within = self
            .authors
            .record(author, seq, bytes, self.now.mono, self.now.wall);
        if within {
            self.schedule_persist();
        } else {
            self.stats.dropped_by_origin += 1;
        }
        within
    }

    fn keep(&mut self, envelope: &Envelope, arrival: Arrival, retain: bool) {
        let proven = Proven {
            id: envelope.id(),
            author: envelope.author(),
            seq: envelope.seq(),
            arrived: self.now.mono,
            hops: arrival.hops,
            ttl: arrival.ttl,
        };
        let keep = retain.then(|| (envelope.sent(), envelope.wire().clone()));
        for (author, seq) in self.archive.insert(proven, keep) {
            self.authors.forget_id(&author, seq);
        }
    }

    /// Pushes to eager neighbours at once, and gathers announcements for the others. Those in
    /// `senders` sent it themselves; those in `holders` have announced it.
    fn spread(
        &mut self,
        envelope: &Envelope,
        arrival: Arrival,
        senders: &[(NodeId, bool)],
        holders: &[NodeId],
    ) {
        // An older message would be refused as a push further on; asked for, it is welcome.
        let fresh = self.now.wall.since(envelope.sent()) <= LIVE_AGE_MAX / 2;
        let push = fresh && arrival.ttl > 0;
        let announced = Announced {
            id: envelope.id(),
            hops: arrival.hops,
        };
        let mut frame: Option<Bytes> = None;
        let author = envelope.author();
        for place in 0..self.active.len() {
            let Some(peer) = self.active.get(place).copied() else {
                break;
            };
            if senders.iter().any(|(sender, _)| *sender == peer) {
                continue;
            }
            let Some(link) = self.links.get(&peer) else {
                continue;
            };
            // Where a link was pruned twice in a row, pushes crossed the first prune, and now cross
            // the second: they tell that we are fed, and not whom to feed.
            let crossed = |at| self.now.mono.since(at) < CROSSING;
            let flips = link.pruned_again && link.pruned.is_some_and(crossed);
            if push && link.eager && !flips && !self.lead.is_fed_by(&author, &peer) {
                if holders.contains(&peer) {
                    continue;
                }
                let frame = frame
                    .get_or_insert_with(|| pushed(envelope, arrival, false))
                    .clone();
                if self.send_bytes(peer, &frame) {
                    continue;
                }
                self.stats.dropped_by_queue += 1;
            }
            // Also to those who announced it to us: a lazy link that announces nothing is silent.
            self.announce(peer, announced);
        }
    }

    fn announce_to_all(
        &mut self,
        envelope: &Envelope,
        arrival: Arrival,
        senders: &[(NodeId, bool)],
    ) {
        let (id, hops) = (envelope.id(), arrival.hops);
        for peer in self.active.clone() {
            if !senders.iter().any(|(sender, _)| *sender == peer) {
                self.announce(peer, Announced { id, hops });
            }
        }
        self.flush_soon();
    }

    /// A copy was pushed of what had come before.
    fn came_again(&mut self, author: &NodeId, id: &MessageId, peer: NodeId) {
        if !self.is_active(&peer) {
            return self.correct(peer);
        }
        if let Some(peer) = self.lead.superfluous(author, id, peer) {
            self.prune(peer);
        }
    }

    /// From now on announcements will do on this link.
    fn prune(&mut self, peer: NodeId) {
        let others = self.active.iter().filter(|id| **id != peer);
        let eager = others
            .filter_map(|id| self.links.get(id))
            .filter(|link| link.eager)
            .count();
        let fed = eager >= usize::from(self.config.eager_min);
        let eager = self.links.get(&peer).is_some_and(|link| link.eager);
        // The last eager links stay, or the node would hang on announcements alone.
        if !fed || (!eager && !self.may_prune(peer)) {
            return;
        }
        let now = self.now.mono;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.eager = false;
        link.pruned_again = link.pruned.is_some_and(|at| now.since(at) < PRUNE_PAUSE);
        link.pruned = Some(now);
        self.stats.prunes += 1;
        self.send_control(peer, GossipFrame::Prune);
    }

    /// Counts what a neighbour that we take for eager brought only on request. A few in a row say
    /// that it takes us for lazy: a prune of ours crossed its push. Where it does not, the graft
    /// changes nothing.
    fn note_unpushed(&mut self, peer: NodeId, requested: bool) {
        let active = self.is_active(&peer);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if !requested || !link.eager || !active {
            link.unpushed = 0;
            return;
        }
        let now = self.now.mono;
        link.unpushed = link.unpushed.saturating_add(1);
        let lately = |at| now.since(at) < PRUNE_PAUSE;
        if link.unpushed >= UNPUSHED_MAX && !link.grafted.is_some_and(lately) {
            link.unpushed = 0;
            link.grafted = Some(now);
            self.graft(peer, Vec::new());
        }
    }

    /// Whether enough time has passed since the last prune on this link.
    fn may_prune(&self, peer: NodeId) -> bool {
        let now = self.now.mono;
        let pruned = self.links.get(&peer).and_then(|link| link.pruned);
        pruned.is_none_or(|at| now.since(at) >= PRUNE_PAUSE)
    }
}

/// The frame that carries a message one link further.
pub(crate) fn pushed(envelope: &Envelope, arrival: Arrival, requested: bool) -> Bytes {
    Frame::Broadcast(Broadcast {
        hops: arrival.hops.saturating_add(1),
        ttl: arrival.ttl.saturating_sub(1),
        requested,
        envelope: envelope.clone(),
    })
    .encode()
}
