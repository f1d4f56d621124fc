//! One node under a flood of datagrams that belong to nothing.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use repute_base::Rng;

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::Stage,
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "flood",
    about: "garbage and half handshakes at one node's port: it answers, gossips and blames nobody",
    run: |_| Stage::play(story),
};

const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);
/// What one question may take while the flood lasts.
const ANSWERED: Duration = Duration::from_secs(5);
/// Datagrams sent at once, before the flood draws breath for the others on this machine.
const BURST: u32 = 50;
const BREATH: Duration = Duration::from_millis(5);
/// What a QUIC client's first datagram is padded to.
const INITIAL_LEN: usize = 1_200;
/// Sources of the flood.
const SOURCES: u64 = 16;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("flood");
    let members = stage.network(3)?;
    tale.takes("all linked to all", fully_linked(&members, LINKED)?, LINKED);
    let mut talk = Talk::among(&members)?;
    let victim = members.first().context("a node")?;
    let target = victim.address()?;

    let (ends, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| -> Result<()> {
        scope.spawn(|| flood(target, &ends, &sent));
        let under = under_flood(&mut tale, &mut talk, &members, stage);
        ends.store(true, Ordering::Relaxed);
        under
    })?;
    let sent = sent.load(Ordering::Relaxed);
    tale.notes("datagrams of the flood", sent as f64, "");
    talk.round("after", &members, 5)?;
    talk.settle(&mut tale, "after", HEARD)?;
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

/// What must go on meanwhile: questions, messages, and a newcomer who joins through the victim.
fn under_flood(tale: &mut Tale, talk: &mut Talk, members: &[Member], stage: &Stage) -> Result<()> {
    for nth in 0..5 {
        talk.round(&format!("flooded {nth}"), members, 4)?;
    }
    talk.settle(tale, "flooded", HEARD)?;
    let victim = members.first().context("a node")?;
    let begun = Instant::now();
    victim.status("uptime_ms")?;
    tale.takes(
        "status answered in",
        begun.elapsed().as_secs_f64(),
        ANSWERED,
    );
    let mut newcomer = stage.member("newcomer");
    newcomer.start(Some(victim.ticket()))?;
    let linked = || {
        let linked = newcomer.linked()?;
        Ok(linked.iter().any(|id| id == victim.id()).then_some(()))
    };
    let ((), linked_s) = super::stage::until("a newcomer is linked", LINKED, linked)?;
    tale.takes("a newcomer is linked after", linked_s, LINKED);
    newcomer.stop()
}

/// Sends until it is told to end: random bytes, and heads of QUIC handshakes with nothing behind.
fn flood(target: SocketAddr, ends: &AtomicBool, sent: &AtomicU64) {
    let mut rng = Rng::from_u64(7);
    let bind = |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok();
    let sources: Vec<UdpSocket> = (0..SOURCES).filter_map(bind).collect();
    let mut bytes = [0; INITIAL_LEN];
    while !ends.load(Ordering::Relaxed) {
        for nth in 0..BURST {
            rng.fill(&mut bytes);
            if nth % 2 == 0 {
                // A long header of version 1 with connection ids of eight bytes each.
                let head = [0xc3, 0, 0, 0, 1, 8];
                for (byte, given) in bytes.iter_mut().zip(head) {
                    *byte = given;
                }
                if let Some(len) = bytes.get_mut(14) {
                    *len = 8;
                }
            }
            let sender = rng.choose(&sources);
            if sender.is_some_and(|sender| sender.send_to(&bytes, target).is_ok()) {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        thread::sleep(BREATH);
    }
}
