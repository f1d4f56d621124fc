//! The one place that starts tasks, so that no panic goes unseen.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The task panicked. What it was doing is gone; what it shared is behind locks that no panic
/// leaves half changed.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Runs a future and turns its panic into a value.
pub(crate) struct Caught<T>(Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Caught<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl<T> Future for Caught<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

/// Starts a task; `on_panic` runs if it panics.
pub(crate) fn spawn(
    future: impl Future<Output = ()> + Send + 'static,
    on_panic: impl FnOnce() + Send + 'static,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if Caught::new(future).await.is_err() {
            on_panic();
        }
    })
}
