//! What waits for the writer, within bounds.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::statements::Table;
use crate::{
    Done, StoreError, Write,
    limits::{GROUP_ROWS_MAX, QUEUE_BYTES_MAX, QUEUE_ROWS_MAX},
    write::Size,
};

/// One thing for the writer to do.
pub(super) enum Job {
    /// A batch of the user.
    Batch {
        batch: Vec<Write>,
        size: Size,
        answer: Answer,
    },
    /// Answered when everything before it is.
    Flush(Answer),
    /// Rows that failed their check when they were read.
    SetAside { table: Table, rows: Vec<i64> },
}

/// A callback that is called exactly once, whatever becomes of its job.
pub(super) struct Answer(Option<Done>);

impl Answer {
    pub(super) fn new(done: Done) -> Self {
        Self(Some(done))
    }

    pub(super) fn give(mut self, result: Result<(), StoreError>) {
        if let Some(done) = self.0.take() {
            call(done, result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            call(done, Err(StoreError::Closed));
        }
    }
}

/// A callback that panics must not take the writer, and everyone's acknowledgements, with it.
fn call(done: Done, result: Result<(), StoreError>) {
    let done = std::panic::AssertUnwindSafe(move || done(result));
    if std::panic::catch_unwind(done).is_err() {
        tracing::error!("the callback of a write panicked");
    }
}

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    rows: usize,
    bytes: usize,
    closed: bool,
}

/// Damage reports that wait at most; what is dropped is found again by the next read.
const SET_ASIDES_MAX: usize = 64;

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or gives the reason and the job back.
    pub(super) fn push(&self, job: Job) -> Result<(), (StoreError, Job)> {
        let mut inner = self.lock();
        if inner.closed {
            return Err((StoreError::Closed, job));
        }
        match &job {
            Job::Batch { size, .. } => {
                let (rows, bytes) = (inner.rows + size.rows, inner.bytes + size.bytes);
                // Alone, any admitted batch may pass.
                if inner.rows > 0 && (rows > QUEUE_ROWS_MAX || bytes > QUEUE_BYTES_MAX) {
                    let busy = StoreError::Busy {
                        queued: inner.rows,
                        limit: QUEUE_ROWS_MAX,
                    };
                    return Err((busy, job));
                }
                (inner.rows, inner.bytes) = (rows, bytes);
            }
            Job::SetAside { .. } if inner.jobs.len() > SET_ASIDES_MAX => return Ok(()),
            _ => {}
        }
        inner.jobs.push_back(job);
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes as many as share one commit; `None` once closed and empty.
    pub(super) fn take_group(&self) -> Option<Vec<Job>> {
        let mut inner = self.lock();
        while inner.jobs.is_empty() {
            if inner.closed {
                return None;
            }
            inner = self
                .wake
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let (mut group, mut rows) = (Vec::new(), 0);
        while let Some(job) = inner.jobs.pop_front() {
            if let Job::Batch { size, .. } = &job {
                if !group.is_empty() && rows + size.rows > GROUP_ROWS_MAX {
                    inner.jobs.push_front(job);
                    break;
                }
                rows += size.rows;
                inner.rows = inner.rows.saturating_sub(size.rows);
                inner.bytes = inner.bytes.saturating_sub(size.bytes);
            }
            group.push(job);
        }
        Some(group)
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn rows(&self) -> usize {
        self.lock().rows
    }

    /// What is left when the writer has gone; dropping the jobs answers them.
    pub(super) fn drain(&self) -> VecDeque<Job> {
        let mut inner = self.lock();
        inner.closed = true;
        (inner.rows, inner.bytes) = (0, 0);
        std::mem::take(&mut inner.jobs)
    }
}
