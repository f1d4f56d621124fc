//! What holds between two inputs, whatever came in.

use crate::Peers;

impl Peers {
    /// The first rule that does not hold, in words; asked between two inputs by simulations and
    /// tests, never by a node that runs. The price grows with the number of links alone.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        let half_open = self.links.values().filter(|link| !link.admitted).count();
        let rules = [
            (
                self.half_open == half_open,
                "the half-open links are miscounted",
            ),
            (
                half_open <= self.limits.half_open_max,
                "too many half-open links",
            ),
            (
                self.links.len() - half_open <= self.config.max_peers,
                "too many active peers",
            ),
            (
                self.book.len() <= self.limits.book_max,
                "the address book is too large",
            ),
            (
                self.book.get(&self.me).is_none() && !self.links.contains_key(&self.me),
                "the node knows itself as a peer",
            ),
            (
                self.attempts.len() <= self.limits.attempts_tracked_max,
                "too many attempts are counted",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken.map(|(_, rule)| *rule).or_else(|| {
            self.links.keys().find_map(|peer| {
                let rules = [
                    (
                        self.book.get(peer).is_some(),
                        "a linked peer is not in the book",
                    ),
                    (
                        !self.dialling.is_under_way(peer),
                        "a linked peer is being dialled",
                    ),
                    (!self.dialling.is_lost(peer), "a linked peer is looked for"),
                    (!self.book.is_gated(peer), "a refused peer has a link"),
                ];
                let broken = rules.iter().find(|(holds, _)| !holds);
                broken.map(|(_, rule)| *rule)
            })
        })
    }
}
