use repute_base::Wall;

/// What became of one message, over all nodes.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// When it was published.
    pub(crate) at: Wall,
    /// The nodes that have it, a bit each.
    reached: Vec<u64>,
    /// Deliveries.
    pub(crate) count: u64,
    /// Links that all deliveries together crossed.
    pub(crate) hops: u64,
    /// Links that the farthest delivery crossed.
    pub(crate) hops_max: u8,
    /// Deliveries of what had been asked for, because nobody pushed it in time.
    pub(crate) asked: u64,
    /// When the last node had it.
    pub(crate) last: Wall,
}

impl Told {
    /// Whether a node has the message.
    pub(crate) fn has(&self, node: usize) -> bool {
        let word = self.reached.get(node / 64).copied().unwrap_or(0);
        word >> (node % 64) & 1 == 1
    }
}

/// Every message of a network, in the order of publishing, and who has it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    told: Vec<Told>,
    /// What no application may see: a message twice, or one that nobody published.
    pub(crate) breaches: u64,
}

impl Ledger {
    /// Enters a message that `node` publishes now. Returns its number.
    pub(crate) fn publish(&mut self, node: usize, at: Wall) -> usize {
        let mut told = Told {
            at,
            reached: Vec::new(),
            count: 0,
            hops: 0,
            hops_max: 0,
            asked: 0,
            last: at,
        };
        set(&mut told.reached, node);
        self.told.push(told);
        self.told.len() - 1
    }

    /// A node's application got a message.
    pub(crate) fn deliver(&mut self, number: usize, node: usize, at: Wall, hops: u8, asked: bool) {
        let Some(told) = self.told.get_mut(number) else {
            self.breaches += 1;
            return;
        };
        if !set(&mut told.reached, node) {
            self.breaches += 1;
            return;
        }
        told.count += 1;
        told.hops += u64::from(hops);
        told.hops_max = told.hops_max.max(hops);
        told.asked += u64::from(asked);
        told.last = at;
    }

    /// What became of the messages from this number on.
    pub(crate) fn since(&self, number: usize) -> &[Told] {
        self.told.get(number..).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.told.len()
    }
}

/// Sets a bit; false if it was set.
fn set(words: &mut Vec<u64>, bit: usize) -> bool {
    if words.len() <= bit / 64 {
        words.resize(bit / 64 + 1, 0);
    }
    let Some(word) = words.get_mut(bit / 64) else {
        return false;
    };
    let new = *word >> (bit % 64) & 1 == 0;
    *word |= 1 << (bit % 64);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_delivery_and_an_unknown_message_are_breaches() {
        let mut ledger = Ledger::default();
        let number = ledger.publish(70, Wall::ZERO);
        ledger.deliver(number, 3, Wall::ZERO, 4, false);
        assert_eq!(ledger.breaches, 0);
        ledger.deliver(number, 3, Wall::ZERO, 4, false);
        ledger.deliver(number, 70, Wall::ZERO, 4, false);
        ledger.deliver(number + 1, 3, Wall::ZERO, 4, false);
        assert_eq!(ledger.breaches, 3);
        let told = &ledger.since(0)[0];
        assert!(told.has(3) && told.has(70) && !told.has(4) && !told.has(9_999));
        assert_eq!((told.count, told.hops_max), (1, 4));
    }
}
