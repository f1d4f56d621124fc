//! Honest strangers that want to get in while a node is attacked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use repute_base::Address;
use repute_identity::NodeId;
use repute_transport::Event;
use tokio::time::{Instant, sleep, timeout};

use crate::stack::{Foe, VirtualNet};

/// How long one tries at most.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before one that was refused dials again: the pause of an honest node.
const BACKOFF: Duration = Duration::from_secs(1);

/// What honest diallers met with.
#[derive(Clone, Debug, Default)]
pub(super) struct Diallers(Arc<Mutex<Vec<Duration>>>);

impl Diallers {
    /// One dials now, from an address of its own.
    pub(super) async fn send(&self, net: &VirtualNet, number: u64, victim: NodeId, at: SocketAddr) {
        let [.., a, b] = number.to_be_bytes();
        let address = SocketAddr::from(([10, 50, a, b], 4_000));
        let dialler = Foe::new(net, 1_000_000 + number, address, |_| {}).await;
        let times = Arc::clone(&self.0);
        tokio::spawn(async move {
            let took = link(dialler, victim, at).await;
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            times.push(took);
        });
    }

    /// How many came to an end, and how long it took at the 99th percentile and at most.
    pub(super) fn times(&self) -> (usize, f64, f64) {
        let mut times = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        times.sort_unstable();
        let at = |place: usize| {
            times
                .get(place)
                .map_or(f64::INFINITY, Duration::as_secs_f64)
        };
        let last = times.len().saturating_sub(1);
        (times.len(), at(last * 99 / 100), at(last))
    }
}

async fn link(mut dialler: Foe, victim: NodeId, at: SocketAddr) -> Duration {
    let begin = Instant::now();
    let up = async {
        loop {
            dialler.endpoint.dial(victim, vec![Address::new(at)]);
            loop {
                match dialler.events.next().await {
                    Some(Event::LinkUp { .. }) => return,
                    Some(Event::DialFailed { .. }) => break,
                    Some(_) => {}
                    None => return sleep(PATIENCE).await,
                }
            }
            sleep(BACKOFF).await;
        }
    };
    let _in_time = timeout(PATIENCE, up).await;
    begin.elapsed()
}
