use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// What will happen, earliest first; of what falls on the same millisecond, first planned first.
///
/// The heap orders small keys and the happenings lie still in slots, so a large packet is moved
/// twice however deep the heap.
#[derive(Clone)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    slots: Vec<Option<E>>,
    free: VecDeque<usize>,
    planned: u64,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: VecDeque::new(),
            planned: 0,
        }
    }

    pub(crate) fn push(&mut self, at_ms: u64, happening: E) {
        let slot = match self.free.pop_front() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(happening);
        }
        self.heap.push(Reverse((at_ms, self.planned, slot)));
        self.planned += 1;
    }

    /// The next happening that is due by `until_ms`, with its time.
    pub(crate) fn pop(&mut self, until_ms: u64) -> Option<(u64, E)> {
        let Reverse((at_ms, _, _)) = self.heap.peek()?;
        if *at_ms > until_ms {
            return None;
        }
        let Reverse((at_ms, _, slot)) = self.heap.pop()?;
        self.free.push_back(slot);
        let happening = self.slots.get_mut(slot)?.take()?;
        Some((at_ms, happening))
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_together_comes_in_the_order_it_was_planned() {
        let mut queue = Queue::new();
        for (at, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            queue.push(at, name);
        }
        let order: Vec<_> = core::iter::from_fn(|| queue.pop(u64::MAX)).collect();
        assert_eq!(order, [(1, "a"), (2, "b"), (5, "c"), (5, "d")]);
    }

    #[test]
    fn slots_are_used_again() {
        let mut queue = Queue::new();
        for round in 0..1_000 {
            queue.push(round, round);
            assert_eq!(queue.pop(round), Some((round, round)));
        }
        assert_eq!((queue.slots.len(), queue.len()), (1, 0));
    }
}
