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
/// Requests of one peer that wait for credit.
const SERVE_MAX: usize = 4_096;

/// An announced message that has not come.
#[derive(Debug)]
pub(crate) struct Missing {
    holders: Vec<NodeId>,
    /// Those already asked, the latest last.
    asked: Vec<NodeId>,
    first: Mono,
    asked_at: Mono,
    due: Mono,
    /// Everyone was asked; a late answer is still welcome.
    over: bool,
}

/// How long to wait for the tree, and for an answer: learnt from what arrivals took, like a
/// retransmission timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    lead: Estimate,
    reply: Estimate,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    mean_ms: u64,
    deviation_ms: u64,
}

impl Estimate {
    fn learn(&mut self, sample: Duration) {
        let sample = u64::try_from(sample.as_millis())
            .unwrap_or(u64::MAX)
            .min(10_000);
        self.deviation_ms = (3 * self.deviation_ms + self.mean_ms.abs_diff(sample)).div_ceil(4);
        self.mean_ms = (7 * self.mean_ms + sample).div_ceil(8);
    }

    fn bound(self, min_ms: u64, max_ms: u64) -> Duration {
        Duration::from_millis((self.mean_ms + 4 * self.deviation_ms).clamp(min_ms, max_ms))
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lead: Estimate {
                mean_ms: 50,
                deviation_ms: 25,
            },
            reply: Estimate {
                mean_ms: 200,
                deviation_ms: 75,
            },
        }
    }
}

impl Patience {
    /// How long after an announcement the message itself may still come over the tree.
    fn with_tree(self) -> Duration {
        self.lead.bound(20, 1_000)
    }

    /// How long a neighbour may take to send what it was asked for.
    fn with_reply(self) -> Duration {
        self.reply.bound(100, 3_000)
    }
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
            if let Some(record) = self.archive.get(&id) {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.compare(record.hops, hops);
                }
            } else if self.pending.contains_key(&id) {
                // Its signature check decides.
            } else if lazy {
                self.note_missing(id, peer, self.patience.with_tree());
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
            self.graft(peer, Vec::new());
        }
        self.pump_fetch(peer);
    }

    /// Remembers that `peer` has a message that we may need again.
    pub(crate) fn note_holder(&mut self, id: MessageId, peer: NodeId) {
        self.note_missing(id, peer, self.patience.with_reply());
    }

    /// Forgets that claim of `peer`: what it sent under this name was forged.
    pub(crate) fn disbelieve_holder(&mut self, id: &MessageId, peer: NodeId) {
        if let Some(entry) = self.missing.get_mut(id) {
            entry.holders.retain(|holder| *holder != peer);
        }
    }

    fn note_missing(&mut self, id: MessageId, holder: NodeId, wait: Duration) {
        if let Some(entry) = self.missing.get_mut(&id) {
            let known = entry.holders.contains(&holder);
            if !known && entry.holders.len() < self.limits.holders_max {
                entry.holders.push(holder);
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
        let new = !self.missing.contains_key(&id);
        self.note_missing(id, peer, FETCH_STALL);
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
    pub(crate) fn found(&mut self, id: &MessageId, from: NodeId) -> Vec<NodeId> {
        let Some(entry) = self.missing.remove(id) else {
            return Vec::new();
        };
        self.missing_due.remove(&(entry.due, *id));
        let now = self.now.mono;
        if entry.asked.last() == Some(&from) {
            self.patience.reply.learn(now.since(entry.asked_at));
        } else {
            self.patience.lead.learn(now.since(entry.first));
        }
        entry.holders
    }

    /// Asks for what the tree did not bring in time.
    pub(crate) fn chase_missing(&mut self) {
        let now = self.now.mono;
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
            let latest = entry.asked.last().and_then(|peer| self.links.get_mut(peer));
            let mut wait = self.patience.with_reply();
            let mut patient =
                self.pending.contains_key(&id) || self.pending.len() >= self.limits.pending_max;
            if let Some(link) = latest {
                let listed = link.in_flight.contains(&id) || !link.fetch.is_empty();
                if listed && now.since(link.fetch_progress) < FETCH_STALL {
                    patient = true;
                    wait = FETCH_STALL;
                } else if !patient {
                    link.score.broken_promise();
                }
            }
            if !patient {
                let next = entry
                    .holders
                    .iter()
                    .find(|peer| !entry.asked.contains(*peer) && self.links.contains_key(*peer));
                let Some(next) = next.copied() else {
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
                entry.asked.push(next);
                entry.asked_at = now;
                asks.entry(next).or_default().push(id);
            }
            entry.due = now + wait;
            self.missing_due.insert((entry.due, id));
        }
        for (peer, ids) in asks {
            self.graft(peer, ids);
        }
    }

    /// Asks a neighbour to send messages and to push from now on; others only to send.
    fn graft(&mut self, peer: NodeId, ids: Vec<MessageId>) {
        let active = self.is_active(&peer);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.ahead = 0;
        if active {
            link.eager = true;
            self.stats.grafts += 1;
        }
        let mut ids = ids.into_iter();
        loop {
            let messages = BoundedVec::truncated(ids.by_ref().take(IDS_MAX));
            self.send_control(
                peer,
                if active {
                    GossipFrame::Graft { messages }
                } else {
                    GossipFrame::Want { messages }
                },
            );
            if ids.len() == 0 {
                break;
            }
        }
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
            if !link.queue.is_empty() || link.is_congested(&self.limits) {
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
            let kept = record
                .wire
                .clone()
                .and_then(|wire| Envelope::decode(wire).ok());
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
