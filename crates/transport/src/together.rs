//! Timers that lie far ahead expire together, on whole seconds of the process: a node with many
//! links, or a process with many nodes, wakes up once for all of them instead of once for each.

use std::{
    future::Future,
    io,
    net::UdpSocket,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::time::{Sleep, sleep_until};

/// What far timers are put off to multiples of.
const STEP: Duration = Duration::from_secs(1);
/// A timer of QUIC that is further ahead is a keep-alive or an idle time; nearer ones, such as a
/// late acknowledgement, are exact.
const FAR: Duration = Duration::from_secs(5);

/// Where the seconds of this process begin.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The first whole second of this process that is no earlier than `at`.
pub fn whole_second(at: Instant) -> Instant {
    let since = at.saturating_duration_since(*BEGIN);
    let over = Duration::from_nanos(u64::from(since.subsec_nanos()));
    match over.is_zero() {
        true => at,
        false => at + (STEP - over),
    }
}

/// tokio, with far timers put off to whole seconds.
#[derive(Debug)]
pub(crate) struct Together;

impl Runtime for Together {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let at = match is_far(at) {
            true => whole_second(at),
            false => at,
        };
        Box::pin(Timer(Box::pin(sleep_until(at.into()))))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

fn is_far(at: Instant) -> bool {
    at.saturating_duration_since(TokioRuntime.now()) >= FAR
}

#[derive(Debug)]
struct Timer(Pin<Box<Sleep>>);

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        if is_far(at) {
            // Made anew: tokio would wake up for the former time to learn that it has changed.
            self.0.set(sleep_until(whole_second(at).into()));
        } else {
            self.0.as_mut().reset(at.into());
        }
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Future::poll(self.0.as_mut(), context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_put_off_by_less_than_a_second_to_where_others_are_put_off_to() {
        let begin = whole_second(*BEGIN);
        assert_eq!(begin, *BEGIN);
        for ms in [1, 2, 500, 999, 1_000] {
            let put_off = whole_second(begin + Duration::from_millis(ms));
            assert_eq!(put_off, begin + STEP, "{ms} ms");
        }
        let later = begin + Duration::from_millis(1_001);
        assert_eq!(whole_second(later), begin + 2 * STEP);
    }

    #[tokio::test(start_paused = true)]
    async fn far_timers_expire_on_a_second_and_near_ones_when_they_were_set_to() {
        let start = Together.now();
        for (ahead, exact) in [(Duration::from_millis(25), true), (FAR * 3, false)] {
            let at = Together.now() + ahead;
            let mut timer = Together.new_timer(start + 100 * FAR);
            timer.as_mut().reset(at);
            core::future::poll_fn(|context| timer.as_mut().poll(context)).await;
            let taken = Together.now().saturating_duration_since(at);
            // tokio's timers know whole milliseconds.
            let late = if exact { Duration::ZERO } else { STEP };
            assert!(taken <= late + Duration::from_millis(2), "{taken:?} late");
        }
    }
}
