//! Nodes in two network namespaces of their own, with one wire between them that is pulled.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};
use crate::process::output;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "namespaces",
    about: "two network namespaces and a wire between them, pulled and plugged in again",
    run: |_| Stage::play(story),
};

const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);
/// A peer that is cut off is suspected, then closed.
const NOTICED: Duration = Duration::from_secs(90);
/// What R07 gives the healing.
const HEALED: Duration = Duration::from_secs(60);
const WIRES: [&str; 2] = ["wire-a", "wire-b"];

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("namespaces");
    let places = match Place::pair() {
        Ok(places) => places,
        Err(error) => {
            eprintln!("namespaces: SKIPPED: {error:#}");
            tale.notes("SKIPPED, this system lets nobody make namespaces", 1.0, "");
            return Ok(tale.end());
        }
    };
    // Two nodes on each side; one side's address is not reachable on the other but by the wire.
    let mut members: Vec<Member> = Vec::new();
    for nth in 0..4 {
        let place = places.get(nth % 2).context("two places")?;
        let name = format!("n{nth}");
        let listen = format!("{}:{}", place.address(), 4_000 + nth);
        let flags = [
            "--listen",
            &listen,
            "--set",
            "peers.discovery_interval_s=2",
            "--set",
            "gossip.anti_entropy_s=2",
        ];
        let mut member = stage
            .member_within(&place.around(), &name, &stage.path(&name))
            .with_flags(&flags);
        let first = members.first().map(|first| first.ticket().to_owned());
        member.start(first.as_deref())?;
        members.push(member);
    }
    tale.takes("all linked to all", fully_linked(&members, LINKED)?, LINKED);
    let mut talk = Talk::among(&members)?;
    talk.round("whole", &members, 3)?;
    talk.settle(&mut tale, "whole", HEARD)?;

    let near = places.first().context("two places")?;
    near.set_wire("down")?;
    let ((), noticed_s) = until("no link crosses the wire", NOTICED, || apart(&members))?;
    tale.takes("no link crosses the pulled wire after", noticed_s, NOTICED);
    talk.round("pulled", &members, 3)?;
    near.set_wire("up")?;
    talk.settle(&mut tale, "plugged in again", HEALED)?;
    tale.takes("all linked again", fully_linked(&members, LINKED)?, LINKED);
    talk.round("after", &members, 3)?;
    talk.settle(&mut tale, "after", HEARD)?;
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

fn apart(members: &[Member]) -> Result<Option<()>> {
    for (nth, member) in members.iter().enumerate() {
        let linked = member.linked()?;
        let crosses = |(other, peer): (usize, &Member)| {
            other % 2 != nth % 2 && linked.iter().any(|id| id == peer.id())
        };
        if members.iter().enumerate().any(crosses) {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

/// A network namespace that lives while its keeper does.
struct Place {
    nth: usize,
    keeper: Child,
}

impl Place {
    /// Two namespaces of one user, and a wire between them.
    fn pair() -> Result<Vec<Self>> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net"]);
        let near = Self::keep(0, unshare)?;
        let mut unshare = Command::new("nsenter");
        let target = near.keeper.id().to_string();
        unshare.args(["--target", &target, "--user", "--preserve-credentials"]);
        unshare.args(["unshare", "--net"]);
        let far = Self::keep(1, unshare)?;
        let [wire, other] = WIRES;
        let far_id = far.keeper.id().to_string();
        near.ip(&[
            "link", "add", wire, "type", "veth", "peer", "name", other, "netns", &far_id,
        ])?;
        for place in [&near, &far] {
            let with_mask = format!("{}/24", place.address());
            place.ip(&["addr", "add", &with_mask, "dev", place.wire()])?;
            place.set_wire("up")?;
        }
        Ok(vec![near, far])
    }

    fn keep(nth: usize, mut unshare: Command) -> Result<Self> {
        let mut keeper = unshare
            .args(["sh", "-c", "ip link set lo up && echo ready && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare")?;
        let out = keeper.stdout.take().context("its stdout")?;
        let place = Self { nth, keeper };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        ensure!(line.trim() == "ready", "no network namespace of one's own");
        Ok(place)
    }

    fn address(&self) -> String {
        format!("10.77.0.{}", self.nth + 1)
    }

    fn wire(&self) -> &'static str {
        WIRES.get(self.nth).copied().unwrap_or_default()
    }

    fn set_wire(&self, state: &str) -> Result<()> {
        self.ip(&["link", "set", self.wire(), state])
    }

    /// What runs a program in this place.
    fn around(&self) -> Vec<OsString> {
        let keeper = self.keeper.id().to_string();
        let words = [
            "nsenter",
            "--target",
            &keeper,
            "--user",
            "--net",
            "--preserve-credentials",
        ];
        words.map(OsString::from).into()
    }

    fn ip(&self, words: &[&str]) -> Result<()> {
        let around = self.around();
        let (program, rest) = around.split_first().context("a program")?;
        output(Command::new(program).args(rest).arg("ip").args(words)).map(drop)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ended = self.keeper.kill();
        let _waited = self.keeper.wait();
    }
}
