//! What holds between two inputs, whatever came in.

use crate::{Gossip, link::Link};

impl Gossip {
    /// The first rule that does not hold, in words; asked between two inputs by simulations and
    /// tests, never by a node that runs. The price grows with the number of links alone.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        let limits = &self.limits;
        let sizes = [
            (
                self.active.len() <= self.config.active_size(),
                "the active view is too large",
            ),
            (
                self.passive.len() <= usize::from(self.config.passive_size),
                "the passive view is too large",
            ),
            (self.links.len() <= limits.links_max, "too many links"),
            (
                self.pending.len() <= limits.pending_max
                    && self.pending_bytes <= limits.pending_bytes_max,
                "too much waits for its signature check",
            ),
            (
                self.missing.len() <= limits.missing_max,
                "too many messages are missed",
            ),
            (
                self.archive.len() <= limits.ids_max,
                "too many ids are remembered",
            ),
            (
                self.archive.retained_len() <= limits.retained_count_max
                    && self.archive.retained_bytes() <= limits.retained_bytes_max,
                "too much is kept for others",
            ),
            (
                self.signing.len() <= limits.signing_max,
                "too much waits to be signed",
            ),
            (
                self.topics.held_len() <= limits.held_max,
                "too much is held back",
            ),
        ];
        let broken = sizes.iter().find(|(holds, _)| !holds);
        broken
            .map(|(_, rule)| *rule)
            .or_else(|| self.broken_view())
            .or_else(|| self.links.values().find_map(|link| self.broken_link(link)))
    }

    fn broken_view(&self) -> Option<&'static str> {
        if !self.active.is_sorted_by(|a, b| a < b) {
            return Some("the active view is not a sorted set");
        }
        let has = |id| self.passive.contains(id) || self.active.binary_search(id).is_ok();
        if has(&self.me) {
            return Some("a view holds the node itself");
        }
        if !self.hold.is_among(&self.links, &self.active) {
            return Some("somebody is waited for, or held, who is gone");
        }
        self.active.iter().find_map(|peer| {
            if !self.links.contains_key(peer) {
                return Some("an active peer has no link");
            }
            let both = self.passive.contains(peer);
            both.then_some("a peer is in the active and in the passive view")
        })
    }

    fn broken_link(&self, link: &Link) -> Option<&'static str> {
        let limits = &self.limits;
        let sizes = [
            (
                link.queued_bytes <= limits.link_queue_bytes_max,
                "the queue of a link is too long",
            ),
            (
                link.announce.len() <= limits.announcements_max,
                "too many announcements wait for a link",
            ),
            (
                link.pending <= limits.pending_per_link_max,
                "too much of one link waits for its signature check",
            ),
            (
                link.fetch.len() <= limits.wanted_max,
                "too much is to be asked of a link",
            ),
        ];
        let broken = sizes.iter().find(|(holds, _)| !holds);
        broken.map(|(_, rule)| *rule)
    }
}
