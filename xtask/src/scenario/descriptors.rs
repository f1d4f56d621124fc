//! A node that may have 256 files open, and somebody who takes them all.

use std::{
    ffi::OsString,
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "descriptors",
    about: "R24: with all 256 descriptors taken, gossip goes on; freed, the node answers in 10 s",
    run: |_| Stage::play(story),
};

const LIMIT: u64 = 256;
const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);
const TAKEN: Duration = Duration::from_secs(20);
/// What R24 gives the recovery.
const RECOVERED: Duration = Duration::from_secs(10);
/// Between two tries to take one more.
const BREATH: Duration = Duration::from_millis(20);

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("descriptors");
    let script = format!("ulimit -n {LIMIT} && exec \"$@\"");
    let around = ["sh", "-c", &script, "sh"].map(OsString::from);
    let mut members = vec![stage.member_within(&around, "n0", &stage.path("n0"))];
    members.extend((1..3).map(|nth| stage.member(&format!("n{nth}"))));
    let mut ticket: Option<String> = None;
    for member in &mut members {
        member.start(ticket.as_deref())?;
        ticket.get_or_insert_with(|| member.ticket().to_owned());
    }
    fully_linked(&members, LINKED)?;
    let mut talk = Talk::among(&members)?;
    talk.round("before", &members, 3)?;
    talk.settle(&mut tale, "before", HEARD)?;
    let victim = members.first().context("a node")?;
    tale.notes("open before", victim.descriptors()? as f64, "");

    for round in 0..2 {
        let crowd = Crowd::default();
        let socket = victim.data_dir().join("control.sock");
        thread::scope(|scope| -> Result<()> {
            scope.spawn(|| crowd.gather(&socket));
            let told = taken(&mut tale, &mut talk, &members, stage, round);
            crowd.leave();
            told
        })?;
        let answers = || Ok(victim.status("uptime_ms").ok());
        let (_, recovered_s) = until("it answers again", RECOVERED * 4, answers)?;
        tale.takes(
            &format!("round {round}, answers after"),
            recovered_s,
            RECOVERED,
        );
    }
    tale.holds("a ban is durable afterwards", {
        let stranger = stage.member("stranger").ask(&["id"])?;
        let id = stranger.get("id").and_then(serde_json::Value::as_str);
        victim.ask(&["ban", id.context("an id")?, "--reason", "x"])?;
        victim.ask(&["unban", id.context("an id")?]).is_ok()
    });
    talk.round("after", &members, 3)?;
    talk.settle(&mut tale, "after", HEARD)?;
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

/// What must go on while nothing is left: it lives, hears, and takes in a newcomer.
fn taken(
    tale: &mut Tale,
    talk: &mut Talk,
    members: &[Member],
    stage: &Stage,
    round: u64,
) -> Result<()> {
    let [victim, others @ ..] = members else {
        return Ok(());
    };
    let all = || Ok((victim.descriptors()? >= LIMIT - 1).then_some(()));
    until("all descriptors are taken", TAKEN, all)?;
    tale.at_least(
        &format!("round {round}, descriptors taken"),
        victim.descriptors()?,
        LIMIT - 1,
    );
    for (nth, member) in others.iter().enumerate() {
        for count in 0..5 {
            let text = format!("round {round}: {count} of {nth} while all are taken");
            talk.say(nth + 1, member, &text, |_| true)?;
        }
    }
    talk.settle(tale, &format!("round {round}, while all are taken"), HEARD)?;
    let mut newcomer = stage.member(&format!("newcomer-{round}"));
    newcomer.start(Some(victim.ticket()))?;
    let linked = || {
        let linked = newcomer.linked()?;
        Ok(linked.iter().any(|id| id == victim.id()).then_some(()))
    };
    let ((), linked_s) = until("a newcomer is linked", LINKED, linked)?;
    tale.takes(
        &format!("round {round}, a newcomer is linked after"),
        linked_s,
        LINKED,
    );
    newcomer.stop()
}

/// Those who connect to the control socket and say nothing.
#[derive(Default)]
struct Crowd {
    leaves: AtomicBool,
    here: Mutex<Vec<UnixStream>>,
}

impl Crowd {
    fn here(&self) -> std::sync::MutexGuard<'_, Vec<UnixStream>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects until told to leave. A connection waits while the node accepts none.
    fn gather(&self, socket: &Path) {
        while !self.leaves.load(Ordering::Relaxed) {
            match UnixStream::connect(socket) {
                Ok(stream) => self.here().push(stream),
                Err(_) => thread::sleep(BREATH),
            }
        }
        self.here().clear();
    }

    fn leave(&self) {
        self.leaves.store(true, Ordering::Relaxed);
        self.here().clear();
    }
}
