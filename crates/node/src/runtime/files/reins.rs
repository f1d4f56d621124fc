//! How the engine holds a stream back, and ends it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// What a stream may do. One task waits for its end, one for what it may move; the driver never
/// waits.
#[derive(Debug)]
pub(super) struct Reins {
    /// Bytes that may move in all; everything if it is not paced.
    allowed: AtomicU64,
    over: AtomicBool,
    changed: Notify,
    ended: Notify,
}

impl Reins {
    pub(super) fn new(paced: bool) -> Self {
        Self {
            allowed: AtomicU64::new(if paced { 0 } else { u64::MAX }),
            over: AtomicBool::new(false),
            changed: Notify::new(),
            ended: Notify::new(),
        }
    }

    /// So many more bytes may move.
    pub(super) fn allow(&self, bytes: u64) {
        let more = |allowed: u64| Some(allowed.saturating_add(bytes));
        let order = Ordering::Relaxed;
        // It never refuses.
        let _ = self.allowed.fetch_update(order, order, more);
        self.changed.notify_one();
    }

    /// Ends the stream.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.changed.notify_one();
        self.ended.notify_one();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Bytes that may move in all.
    pub(super) fn allowed(&self) -> u64 {
        self.allowed.load(Ordering::Relaxed)
    }

    /// Whether it is held back at all.
    pub(super) fn is_paced(&self) -> bool {
        self.allowed() != u64::MAX
    }

    /// Waits until something has changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until it is to end.
    pub(super) async fn ended(&self) {
        while !self.is_over() {
            self.ended.notified().await;
        }
    }

    /// Waits until more than `used` bytes may move, and says how many more; nothing at the end.
    pub(super) async fn more_than(&self, used: u64) -> Option<u64> {
        loop {
            if self.is_over() {
                return None;
            }
            let left = self.allowed().saturating_sub(used);
            if left > 0 {
                return Some(left);
            }
            self.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reins;

    #[tokio::test]
    async fn a_stream_moves_what_it_may_and_ends_when_told() {
        let free = Reins::new(false);
        assert_eq!(free.more_than(1 << 40).await, Some(u64::MAX - (1 << 40)));
        let held = Reins::new(true);
        held.allow(10);
        held.allow(5);
        assert_eq!(held.more_than(3).await, Some(12));
        let ends = async {
            tokio::task::yield_now().await;
            held.end();
        };
        let (more, ()) = tokio::join!(held.more_than(15), ends);
        assert_eq!(more, None);
        held.ended().await;
    }
}
