//! One node whose clock is an hour ahead, and one whose clock is two hours behind.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clock",
    about: "nodes with a wrong clock are not heard and not blamed; set right, they are heard",
    run: |_| Stage::play(story),
};

/// The hook of the binary that sets its clock wrong.
const OFFSET: &str = "REPUTE_TEST_CLOCK_OFFSET_S";
/// Clocks, in seconds beside the true time. Both are further off than what is kept.
const CLOCKS: [Option<&str>; 5] = [None, None, None, Some("3700"), Some("-7200")];
/// The length of a date with its hour, such as `2026-11-21T08`.
const HOUR: usize = 13;
const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(30);
/// So many rounds of reconciliation, one each second, must not bring a wrong message either.
const ROUNDS_MS: u64 = 5_000;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("clock");
    let mut members: Vec<Member> = Vec::new();
    for (place, clock) in CLOCKS.iter().enumerate() {
        let flags = [
            "--listen",
            "127.0.0.1:0",
            "--set",
            "gossip.anti_entropy_s=1",
        ];
        let mut member = stage.member(&format!("n{place}")).with_flags(&flags);
        member.set_environment(OFFSET, *clock);
        // The clock of the first node is right, so its ticket is not out of date to anybody.
        let first = members.first().map(|first| first.ticket().to_owned());
        member.start(first.as_deref())?;
        members.push(member);
    }
    tale.takes("all linked to all", fully_linked(&members, LINKED)?, LINKED);

    let hours = members.iter().map(hour).collect::<Result<Vec<_>>>()?;
    let wrong: Vec<usize> = (0..CLOCKS.len())
        .filter(|place| CLOCKS.get(*place).is_some_and(Option::is_some))
        .collect();
    let differ = |place: &usize| hours.get(*place) != hours.first();
    tale.holds("the wrong clocks are wrong", wrong.iter().all(differ));

    let mut talk = Talk::among(&members)?;
    for member in wrong.iter().filter_map(|place| members.get(*place)) {
        Talk::whisper(member, &format!("from a wrong clock, {}", member.id()))?;
    }
    talk.round_among("wrong", &members, 3, |place| !wrong.contains(&place))?;
    talk.settle(&mut tale, "among right clocks", HEARD)?;
    let first = members.first();
    let begun = first.map_or(Ok(0), |first| first.status("uptime_ms"))?;
    let later = || {
        let now = first.map_or(Ok(u64::MAX), |first| first.status("uptime_ms"))?;
        Ok((now >= begun.saturating_add(ROUNDS_MS)).then_some(()))
    };
    until("some rounds of reconciliation are over", HEARD, later)?;
    talk.listen()?;
    for place in &wrong {
        let Some(member) = members.get(*place) else {
            continue;
        };
        let heard = talk.heard_by(&format!("from a wrong clock, {}", member.id()));
        let clock = CLOCKS.get(*place).copied().flatten().unwrap_or_default();
        tale.counts(
            &format!("heard of the clock {clock} s off"),
            heard as u64,
            0,
        );
    }
    at_peace(&mut tale, &members)?;

    for place in &wrong {
        let Some(member) = members.get_mut(*place) else {
            continue;
        };
        member.stop()?;
        member.set_environment(OFFSET, None);
        member.start(None)?;
        talk.listen_again(*place, member)?;
    }
    let linked_s = fully_linked(&members, LINKED)?;
    tale.takes("set right, all linked to all", linked_s, LINKED);
    talk.round("right", &members, 3)?;
    talk.settle(&mut tale, "set right", HEARD)?;
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

/// The hour of a node's clock, with its date.
fn hour(member: &Member) -> Result<String> {
    let status = member.ask(&["status"])?;
    let time = status.get("time").and_then(Value::as_str);
    let hour = time.and_then(|time| time.get(..HOUR)).context("no time")?;
    Ok(hour.to_owned())
}
