use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{BoundedVec, Mono};
use repute_identity::NodeId;
use repute_protocol::{Announced, Envelope, GossipFrame, MessageId, limits::IDS_MAX};

use crate::{Gossip, broadcast::Arrival};

/// Missing messages looked after in one tick.
const CHASE_BATCH: usize = 1_024;
/// Messages asked of one peer and not yet come, when they are fetched in bulk.
const IN_FLIGHT_MAX: usize = 256;
/// A bulk fetch without progress for so long has failed.
const FETCH_STALL: Duration = Duration::from_secs(10);
/// A fetch without progress for so long is tried with others as well.
const FETCH_PATIENCE: Duration = Duration::from_secs(2);
/// So many messages that wait for their signature check say that this node is behind,
const BEHIND: usize = 128;
/// and then the tree may take so long.
const BEHIND_FOR: Duration = Duration::from_millis(500);
/// Messages that came within this time before are announced to a new neighbour.
const RECENT: Duration = Duration::from_secs(5);
/// Requests of one peer that wait for credit.
const SERVE_MAX: usize = 4_096;

/// An announced message that has not come.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    holders: Vec<NodeId>,
    /// Those already asked, the latest last.
    asked: Vec<NodeId>,
    /// The tree should bring it.
    tree: bool,
    /// Asked for because the tree did not bring it in time.
    late: bool,
    first: Mono,
    asked_at: Mono,
    due: Mono,
    /// Everyone was asked; a late answer is still welcome.
    over: bool,
}

/// What was known of a message when it came.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) holders: Vec<NodeId>,
    /// When it was first announced, if it was asked for because the tree was late.
    pub(crate) late_since: Option<Mono>,
}

impl Gossip {
    /// Gathers an announcement for a neighbour.
    pub(crate) fn announce(&mut self, peer: NodeId, message: Announced) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if !link.announce(message, self.limits.announcements_max) {
            self.stats.announcements_dropped += 1;
        }
        self.schedule_flush();
    }

    pub(crate) fn flush_announcements(&mut self) {
        let waiting: Vec<NodeId> = self
            .links
            .iter()
            .filter(|(_, link)| !link.announce.is_empty())
            .map(|(id, _)| *id)
            .collect();
        for peer in waiting {
            while let Some(link) = self.links.get_mut(&peer) {
                // A congested link gets them once it has drained.
                if link.announce.is_empty() || link.is_congested(&self.limits) {
                    break;
                }
                let count = link.announce.len().min(IDS_MAX);
                let messages = BoundedVec::truncated(link.announce.drain(..count));
                self.stats.announced += count as u64;
                self.send_control(peer, GossipFrame::Announce { messages });
            }
        }
    }

    pub(crate) fn on_announce(&mut self, peer: NodeId, messages: BoundedVec<Announced, IDS_MAX>) {
        let active = self.is_active(&peer);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.score.brought();
        // A neighbour that pushes announces only what it will not push.
        let lazy = active && !link.eager;
        for Announced { id, hops } in messages {
            if let Some(tree) = self.archive.get(&id).map(|record| record.hops) {
                if lazy {
                    self.patience.tree_took(self.now.mono, Duration::ZERO);
                } else {
                    // Who pushes to us got it on request itself: the tree is slow, not torn.
                    self.dispel_doubt(&id);
                }
                if let Some(link) = self.links.get_mut(&peer) {
                    link.compare(tree, hops);
                }
            } else if self.pending.contains_key(&id) {
                // Its signature check decides.
            } else if lazy {
                let wait = self.wait_for_tree();
                self.note_missing(id, peer, wait, true);
            } else {
                self.fetch(peer, id);
            }
        }
        let threshold = self.config.optimize_hops;
        if lazy
            && self
                .links
                .get(&peer)
                .is_some_and(|link| link.is_ahead(threshold))
        {
            // The path over this neighbour is much shorter: let it push. The old path brings
            // duplicates from now on, and is pruned for it.
            self.lead.prefer(peer);
            self.graft(peer, Vec::new());
        }
        self.pump_fetch(peer);
    }

    /// Remembers that `peer` has a message that we may need again.
    pub(crate) fn note_holder(&mut self, id: MessageId, peer: NodeId) {
        self.note_missing(id, peer, self.patience.with_reply(), false);
    }

    /// Forgets that claim of `peer`: what it sent under this name was forged.
    pub(crate) fn disbelieve_holder(&mut self, id: &MessageId, peer: NodeId) {
        if let Some(entry) = self.missing.get_mut(id) {
            entry.holders.retain(|holder| *holder != peer);
        }
    }

    fn note_missing(&mut self, id: MessageId, holder: NodeId, wait: Duration, tree: bool) {
        if let Some(entry) = self.missing.get_mut(&id) {
            let known = entry.holders.contains(&holder);
            if !known && entry.holders.len() < self.limits.holders_max {
                entry.holders.push(holder);
                if entry.over {
                    // Nobody else is left to wait for.
                    entry.over = false;
                    self.missing_due.remove(&(entry.due, id));
                    entry.due = self.now.mono;
                    self.missing_due.insert((entry.due, id));
                }
            }
            return;
        }
        if self.missing.len() >= self.limits.missing_max {
            return;
        }
        let now = self.now.mono;
        let due = now + wait;
        let entry = Missing {
            holders: [holder].into(),
            asked: Vec::new(),
            tree,
            late: false,
            first: now,
            asked_at: now,
            due,
            over: false,
        };
        self.missing.insert(id, entry);
        self.missing_due.insert((due, id));
    }

    /// Puts a message on the list of those to ask `peer` for, unless it is looked for already.
    pub(crate) fn fetch(&mut self, peer: NodeId, id: MessageId) {
        if let Some(entry) = self.missing.get_mut(&id) {
            // Who pushes to us says that it will not push this one: no sign of a torn tree, and
            // no use to wait for it.
            entry.late = false;
            entry.tree = false;
            if entry.asked.is_empty() {
                entry.holders.retain(|holder| *holder != peer);
                entry.holders.insert(0, peer);
                entry.holders.truncate(self.limits.holders_max.max(1));
                self.missing_due.remove(&(entry.due, id));
                entry.due = self.now.mono;
                self.missing_due.insert((entry.due, id));
                return;
            }
        }
        let new = !self.missing.contains_key(&id);
        self.note_missing(id, peer, FETCH_PATIENCE, false);
        if !new {
            return;
        }
        let Some(entry) = self.missing.get_mut(&id) else {
            return;
        };
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.fetch.len() < self.limits.wanted_max {
            entry.asked.push(peer);
            if link.fetch.is_empty() && link.in_flight.is_empty() {
                link.fetch_progress = self.now.mono;
            }
            link.fetch.push_back(id);
            self.stats.wanted += 1;
        }
    }

    /// Asks for the next part of the list, when most of the last part has come.
    pub(crate) fn pump_fetch(&mut self, peer: NodeId) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.in_flight.len() > IN_FLIGHT_MAX / 2 {
            return;
        }
        let mut ids = Vec::new();
        while link.in_flight.len() < IN_FLIGHT_MAX && ids.len() < IDS_MAX {
            let Some(id) = link.fetch.pop_front() else {
                break;
            };
            // Others may have brought it meanwhile.
            if self.missing.contains_key(&id) {
                link.in_flight.insert(id);
                ids.push(id);
            }
        }
        if !ids.is_empty() {
            let messages = BoundedVec::truncated(ids);
            self.send_control(peer, GossipFrame::Want { messages });
        }
    }

    /// Whether we asked this peer for this message.
    pub(crate) fn is_requested(&self, peer: NodeId, id: &MessageId) -> bool {
        let missing = self.missing.get(id);
        missing.is_some_and(|entry| entry.asked.contains(&peer))
            || self
                .links
                .get(&peer)
                .is_some_and(|link| link.in_flight.contains(id))
    }

    /// Whether we asked this peer for this message; the request is then fulfilled.
    pub(crate) fn take_request(&mut self, peer: NodeId, id: &MessageId) -> bool {
        let mut asked = self
            .missing
            .get(id)
            .is_some_and(|entry| entry.asked.contains(&peer));
        if let Some(link) = self.links.get_mut(&peer)
            && link.in_flight.remove(id)
        {
            link.fetch_progress = self.now.mono;
            asked = true;
            self.pump_fetch(peer);
        }
        asked
    }

    /// A message has come: whoever announced it, and what the wait teaches.
    pub(crate) fn found(&mut self, id: &MessageId, from: NodeId) -> Found {
        let Some(entry) = self.missing.remove(id) else {
            return Found::default();
        };
        self.missing_due.remove(&(entry.due, *id));
        let now = self.now.mono;
        let mut late_since = None;
        if entry.asked.last() == Some(&from) {
            self.patience.answer_took(now.since(entry.asked_at));
            late_since = entry.late.then_some(entry.first);
        } else {
            self.patience.tree_took(now, now.since(entry.first));
        }
        Found {
            holders: entry.holders,
            late_since,
        }
    }

    /// How long after the first announcement the tree may still bring a message.
    pub(crate) fn wait_for_tree(&self) -> Duration {
        if self.is_torn() {
            return self.patience.with_torn_tree();
        }
        let wait = self.patience.with_tree(self.missing.len());
        // While we are behind ourselves, what is missed waits before our own door.
        let wait = if self.pending.len() >= BEHIND {
            wait.max(BEHIND_FOR)
        } else {
            wait
        };
        wait.min(self.in_time())
    }

    /// The longest wait that leaves time to ask others: they keep a message about as long as we do.
    fn in_time(&self) -> Duration {
        self.archive.full_since().map_or(Duration::MAX, |oldest| {
            let kept_for = self.now.mono.since(oldest);
            (kept_for / 4).max(self.patience.with_torn_tree())
        })
    }

    /// How long the last message may be under way, so that copies of it still come.
    pub(crate) fn under_way(&self) -> Duration {
        4 * self.patience.with_tree(self.missing.len())
    }

    /// Tells a new neighbour at once what came recently: it may have missed it while it had
    /// no neighbour to hear it from, or it was under way on a link that broke.
    pub(crate) fn announce_recent(&mut self, peer: NodeId) {
        let recent = self.archive.recent(self.now.mono, RECENT, IDS_MAX);
        for message in recent {
            self.announce(peer, message);
        }
        self.flush_soon();
    }

    /// What was asked of a peer that is gone is asked of others now.
    pub(crate) fn ask_others_than(&mut self, peer: NodeId) {
        let now = self.now.mono;
        for (id, entry) in &mut self.missing {
            if entry.asked.last() == Some(&peer) && !entry.over && entry.due > now {
                self.missing_due.remove(&(entry.due, *id));
                entry.due = now;
                self.missing_due.insert((now, *id));
            }
        }
    }

    /// Asks for what the tree did not bring in time.
    pub(crate) fn chase_missing(&mut self) {
        let now = self.now.mono;
        let torn = self.is_torn();
        let lead = self.wait_for_tree();
        let in_time = self.in_time();
        let mut asks: BTreeMap<NodeId, Vec<MessageId>> = BTreeMap::new();
        for _ in 0..CHASE_BATCH {
            let Some((due, id)) = self
                .missing_due
                .first()
                .copied()
                .filter(|(due, _)| *due <= now)
            else {
                break;
            };
            self.missing_due.remove(&(due, id));
            let Some(entry) = self.missing.get_mut(&id) else {
                continue;
            };
            if entry.asked.is_empty() && entry.tree {
                // What has come meanwhile may have taught more patience.
                let due = entry.first + lead;
                if due > now {
                    entry.due = due;
                    self.missing_due.insert((due, id));
                    continue;
                }
            }
            let latest = entry.asked.last().and_then(|peer| self.links.get_mut(peer));
            let mut wait = self.patience.with_reply().min(in_time);
            let mut patient =
                self.pending.contains_key(&id) || self.pending.len() >= self.limits.pending_max;
            if let Some(link) = latest {
                let listed = link.in_flight.contains(&id) || !link.fetch.is_empty();
                let patience = FETCH_PATIENCE.min(in_time);
                if listed && now.since(link.fetch_progress) < patience {
                    patient = true;
                    wait = patience;
                } else if !patient {
                    link.score.broken_promise();
                }
            }
            if !patient {
                let next = entry
                    .holders
                    .iter()
                    .filter(|peer| !entry.asked.contains(*peer))
                    .filter_map(|peer| Some((self.links.get(peer)?, *peer)))
                    .min_by_key(|(link, _)| link.score.breaks_promises())
                    .map(|(link, peer)| (link.eager, peer));
                let Some((eager, next)) = next else {
                    if entry.over {
                        // Anti-entropy finds it if it exists.
                        self.missing.remove(&id);
                    } else {
                        entry.over = true;
                        entry.due = now + FETCH_STALL;
                        self.missing_due.insert((entry.due, id));
                    }
                    continue;
                };
                entry.late |= entry.asked.is_empty() && !eager;
                entry.asked.push(next);
                entry.asked_at = now;
                asks.entry(next).or_default().push(id);
            }
            entry.due = now + wait;
            self.missing_due.insert((entry.due, id));
        }
        for (peer, ids) in asks {
            if torn {
                self.graft(peer, ids);
            } else {
                // The tree may only be slow: it is changed once it is known to be torn.
                self.request(peer, ids);
            }
        }
    }

    fn request(&mut self, peer: NodeId, ids: Vec<MessageId>) {
        let mut ids = ids.into_iter();
        while ids.len() > 0 {
            let messages = BoundedVec::truncated(ids.by_ref().take(IDS_MAX));
            self.send_control(peer, GossipFrame::Want { messages });
        }
    }

    /// Asks a neighbour to send messages and to push from now on; others only to send.
    pub(crate) fn graft(&mut self, peer: NodeId, ids: Vec<MessageId>) {
        if !self.is_active(&peer) {
            return self.request(peer, ids);
        }
        if let Some(link) = self.links.get_mut(&peer) {
            link.eager = true;
            link.ahead = 0;
        }
        self.stats.grafts += 1;
        let mut ids = ids.into_iter();
        let messages = BoundedVec::truncated(ids.by_ref().take(IDS_MAX));
        self.send_control(peer, GossipFrame::Graft { messages });
        self.request(peer, ids.collect());
    }

    pub(crate) fn on_graft(&mut self, peer: NodeId, messages: BoundedVec<MessageId, IDS_MAX>) {
        if self.is_active(&peer) {
            if let Some(link) = self.links.get_mut(&peer) {
                link.eager = true;
            }
        } else {
            self.correct(peer);
        }
        self.on_want(peer, messages);
    }

    pub(crate) fn on_want(&mut self, peer: NodeId, messages: BoundedVec<MessageId, IDS_MAX>) {
        self.note_mending();
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        let room = SERVE_MAX.saturating_sub(link.serve.len());
        link.serve.extend(messages.into_iter().take(room));
        self.serve(peer);
    }

    /// Sends what a peer asked for, as its credit allows.
    pub(crate) fn serve(&mut self, peer: NodeId) {
        while let Some(link) = self.links.get_mut(&peer) {
            if link.is_congested(&self.limits) {
                break;
            }
            let Some(id) = link.serve.pop_front() else {
                break;
            };
            let Some(record) = self.archive.get(&id) else {
                continue;
            };
            let arrival = Arrival {
                hops: record.hops,
                ttl: record.ttl,
                requested: true,
            };
            let wire = self.archive.wire(&id).cloned();
            let kept = wire.and_then(|wire| Envelope::decode(wire).ok());
            let Some(envelope) = kept else { continue };
            let frame = crate::broadcast::pushed(&envelope, arrival, true);
            self.send_bytes(peer, &frame);
        }
    }

    /// Gives up bulk fetches that have stalled.
    pub(crate) fn maintain_fetches(&mut self) {
        let now = self.now.mono;
        let mut ready = Vec::new();
        for (peer, link) in &mut self.links {
            if link.in_flight.is_empty() && link.fetch.is_empty() {
                continue;
            }
            if now.since(link.fetch_progress) >= FETCH_STALL {
                link.fetch.clear();
                link.in_flight.clear();
            }
            // What others brought meanwhile is in flight no longer.
            let missing = &self.missing;
            link.in_flight.retain(|id| missing.contains_key(id));
            ready.push(*peer);
        }
        for peer in ready {
            self.pump_fetch(peer);
        }
    }
}
