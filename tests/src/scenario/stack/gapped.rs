use std::{net::SocketAddr, sync::PoisonError, time::Duration};

use tokio::time::{sleep, timeout};

use super::{super::Scenario, ALONE};
use crate::{
    Bar, Figure, Outcome,
    stack::{Cluster, Plan, RawClient, play, resident_bytes},
};

/// R13: attackers stream at a node, each with a hole behind every fragment.
pub const STACK_GAPPED: Scenario = Scenario::new(
    "stack-gapped",
    "R13: attackers (one a node) send every second fragment of endless streams; memory is bounded",
    run,
)
.nodes(100)
.nodes_min(10)
.seeds(1)
.full(100, 20);

/// What each attacker tries to send.
const STREAM: usize = 4 * 1024 * 1024;
/// What a node lets one peer send before it is read.
const WINDOW: u64 = 512 * 1024;
/// The head of a broadcast of 32 KiB: broken framing would end the link at once.
const FRAME: [u8; 5] = [0, 0, 0x80, 0, 7];
/// How long the attack is watched.
const ATTACK: Duration = Duration::from_secs(20);

fn run(seed: u64, attackers: usize) -> Outcome {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    play(scene(seed, attackers))
}

async fn scene(seed: u64, attackers: usize) -> Outcome {
    let mut plan = Plan::default();
    // Room for all attackers: those that are refused prove nothing.
    plan.core.peers.max_peers = 2 * attackers;
    let mut cluster = Cluster::grown(seed, plan, 4, Duration::from_secs(5)).await;
    let victim = cluster.addresses().first().copied().expect("four nodes");
    // Attackers that are only there, so that what they take themselves is not counted.
    let clients: Vec<_> = (0..attackers)
        .map(|number| {
            RawClient::new(
                &cluster.net,
                seed << 16 | number as u64,
                address(number),
                true,
            )
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    let before = resident_bytes();
    let sent_before = cluster.net.counts().bytes;
    let streams: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(attack(client, victim)))
        .collect();
    let mut peak = before;
    for turn in 0..ATTACK.as_millis() / 250 {
        if turn % 4 == 0 {
            cluster.publish(1, 256);
        }
        sleep(Duration::from_millis(250)).await;
        peak = peak.max(resident_bytes());
    }
    let sent = cluster.net.counts().bytes - sent_before;
    let (mut taken, mut full) = (0, 0);
    for stream in streams {
        let of_one = stream.await.unwrap_or(0);
        taken = taken.max(of_one);
        full += u32::from(of_one >= WINDOW / 2);
    }
    sleep(Duration::from_secs(30)).await;
    let missed = cluster.missed(Duration::from_secs(30));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    cluster
        .outcome(vec![
            Figure::max("R13 growth with all attackers", mib(peak - before), "MiB")
                .bar(Bar::AtMost(64.0)),
            Figure::max(
                "R13 taken of one stream, to the window",
                mib(taken) / mib(WINDOW),
                "times",
            )
            .bar(Bar::AtMost(1.1)),
            Figure::min(
                "attackers that filled half a window",
                f64::from(full),
                "attackers",
            )
            .bar(Bar::AtLeast(attackers as f64 * 0.9)),
            Figure::min("sent in all", mib(sent), "MiB").bar(Bar::AtLeast(1.0)),
            Figure::sum("R13 honest messages missed", missed as f64, "times")
                .bar(Bar::Exactly(0.0)),
        ])
        .await
}

fn address(number: usize) -> SocketAddr {
    let [.., a, b] = number.to_be_bytes();
    SocketAddr::from(([10, 99, a, b], 4_000))
}

/// Shakes hands, then streams until nothing more is taken; how many bytes were.
async fn attack(client: RawClient, victim: SocketAddr) -> u64 {
    let Some(Ok(connection)) = (match client.connect(victim) {
        Some(connecting) => Some(connecting.await),
        None => None,
    }) else {
        return 0;
    };
    let Ok(mut stream) = connection.open_uni().await else {
        return 0;
    };
    let mut taken = 0;
    let push = async {
        let welcome = [client.handshake(), client.ack()].concat();
        if stream.write_all(&welcome).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(500)).await;
        // A frame begun and never to be completed; what follows is noise.
        if stream.write_all(&FRAME).await.is_err() {
            return;
        }
        let noise = vec![0x55; 16 * 1024];
        while taken < STREAM as u64 {
            match stream.write(&noise).await {
                Ok(bytes) => taken += bytes as u64,
                Err(_) => return,
            }
            // So slowly that little is under way: memory is to be the node's, not the attackers'.
            sleep(Duration::from_millis(40)).await;
        }
    };
    // Blocked by the window for ever, or cut off.
    let _ended = timeout(ATTACK, push).await;
    taken
}
