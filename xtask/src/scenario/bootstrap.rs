//! Five nodes that know one ticket between them, and one of them a dead one too.

use std::time::Duration;

use anyhow::Result;

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::Stage,
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "bootstrap",
    about: "five nodes bootstrap through one, all link up, every message reaches all",
    run: |_| Stage::play(story),
};

const NODES: usize = 5;
const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("bootstrap");
    let mut dead = stage.member("dead");
    dead.start(None)?;
    let dead_ticket = dead.ticket().to_owned();
    dead.kill()?;

    let mut members = stage.network(NODES - 1)?;
    let mut last = stage.member("last");
    let alive = members.first().map(Member::ticket).unwrap_or_default();
    last.start_joining(&[&dead_ticket, alive])?;
    members.push(last);
    let linked_s = fully_linked(&members, LINKED)?;
    tale.takes("all linked to all", linked_s, LINKED);

    let mut talk = Talk::among(&members)?;
    talk.round("first", &members, 4)?;
    talk.settle(&mut tale, "first", HEARD)?;
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}
