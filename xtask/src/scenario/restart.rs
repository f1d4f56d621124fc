//! kill -9 of either of two nodes, and of both at once.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    Row, Scenario,
    member::{Member, fully_linked},
    relay::free_port,
    stage::Stage,
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "restart",
    about: "kill -9 and restart keeps identity, peers, trust and bans, and joins again by itself",
    run: |_| Stage::play(story),
};

const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);
/// What a score may differ over a restart: less than one event moves a stranger by.
const TRUST_DRIFT: f64 = 0.02;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("restart");
    let mut members = Vec::new();
    for name in ["a", "b"] {
        let address = free_port()?.to_string();
        let mut member = stage.member(name).with_flags(&["--listen", &address]);
        let first = members
            .first()
            .map(|first: &Member| first.ticket().to_owned());
        member.start(first.as_deref())?;
        members.push(member);
    }
    fully_linked(&members, LINKED)?;
    let mut talk = Talk::among(&members)?;
    talk.round("before", &members, 10)?;
    talk.settle(&mut tale, "before", HEARD)?;

    // A stranger is banned for good, another for a day.
    let strangers = [stage.member("stranger"), stage.member("other")];
    for (stranger, terms) in strangers.iter().zip([&[][..], &["--for", "1d"]]) {
        let id = stranger.ask(&["id"])?;
        let id = id.get("id").and_then(Value::as_str).context("an id")?;
        let words = ["ban", id, "--reason", "spam"];
        for member in &members {
            member.ask(&[&words, terms].concat())?;
        }
    }

    for killed in [&[0][..], &[1], &[0, 1]] {
        let round = match killed {
            [0] => "first killed",
            [1] => "second killed",
            _ => "both killed",
        };
        let before = memories(&members)?;
        for place in killed {
            members.get_mut(*place).context("no such node")?.kill()?;
        }
        for place in killed {
            let member = members.get_mut(*place).context("no such node")?;
            member.start(None)?;
            talk.listen_again(*place, member)?;
            // Said before the link is there again, heard when it is.
            let text = format!("{round}: first words of node {place}");
            talk.say(*place, member, &text, |hears| !killed.contains(&hears))?;
        }
        let linked_s = fully_linked(&members, LINKED)?;
        tale.takes(&format!("{round}, linked again"), linked_s, LINKED);
        compare(&mut tale, round, &before, &memories(&members)?);
        talk.round(round, &members, 5)?;
        talk.settle(&mut tale, round, HEARD)?;
    }
    Ok(tale.end())
}

/// What one node holds of the other.
struct Memory {
    id: String,
    bans: Value,
    trust: f64,
    events: Vec<Value>,
    matches: bool,
}

fn memories(members: &[Member]) -> Result<Vec<Memory>> {
    let others = members.iter().rev();
    let memory = |(member, other): (&Member, &Member)| {
        let why = member.ask(&["explain", other.id()])?;
        let trust = why.pointer("/standing/trust").and_then(Value::as_f64);
        let events = why.get("events").and_then(Value::as_array);
        Ok(Memory {
            id: member.id().to_owned(),
            bans: member.ask(&["ban"])?,
            trust: trust.context("no trust")?,
            events: events.context("no events")?.clone(),
            matches: why.get("matches") == Some(&Value::Bool(true)),
        })
    };
    members.iter().zip(others).map(memory).collect()
}

fn compare(tale: &mut Tale, round: &str, before: &[Memory], after: &[Memory]) {
    let pairs = || before.iter().zip(after);
    let numbers = |memory: &Memory| -> Vec<u64> {
        let number = |event: &Value| event.get("number").and_then(Value::as_u64);
        memory.events.iter().filter_map(number).collect()
    };
    let kept = |(before, after): (&Memory, &Memory)| {
        let after = numbers(after);
        numbers(before).iter().all(|number| after.contains(number))
    };
    tale.holds(
        &format!("{round}, identities kept"),
        pairs().all(|(before, after)| before.id == after.id),
    );
    tale.holds(
        &format!("{round}, bans kept"),
        pairs().all(|(before, after)| before.bans == after.bans),
    );
    tale.holds(&format!("{round}, events kept"), pairs().all(kept));
    tale.holds(
        &format!("{round}, trust kept"),
        pairs().all(|(before, after)| (before.trust - after.trust).abs() <= TRUST_DRIFT),
    );
    tale.holds(
        &format!("{round}, scores recomputed to the bit"),
        after.iter().all(|memory| memory.matches),
    );
}
