use repute_base::Mono;
use repute_identity::NodeId;

/// Who delivered last, so that silence can be told apart: one peer's, or the network's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Witness {
    last: Option<(NodeId, Mono)>,
    /// The last that was somebody else.
    other: Option<(NodeId, Mono)>,
}

impl Witness {
    pub(crate) fn delivered(&mut self, peer: NodeId, now: Mono) {
        if self.last.is_some_and(|(last, _)| last != peer) {
            self.other = self.last;
        }
        self.last = Some((peer, now));
    }

    /// Whether somebody else delivered after `since`: then the network was there, and the silence
    /// of `peer` is its own.
    pub(crate) fn speaks_against(&self, peer: &NodeId, since: Mono) -> bool {
        let seen = [self.last, self.other];
        seen.iter()
            .flatten()
            .any(|(who, when)| who != peer && *when > since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_one_that_goes_on_is_a_witness() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let at = Mono::from_millis;
        let mut witness = Witness::default();
        assert!(!witness.speaks_against(&a, at(0)));
        witness.delivered(a, at(10));
        witness.delivered(a, at(20));
        assert!(!witness.speaks_against(&a, at(0)));
        assert!(witness.speaks_against(&b, at(0)));
        witness.delivered(b, at(30));
        assert!(witness.speaks_against(&a, at(20)));
        assert!(!witness.speaks_against(&a, at(30)));
        assert!(witness.speaks_against(&b, at(15)));
        assert!(!witness.speaks_against(&b, at(20)));
    }
}
