//! Two halves of a network lose each other and meet again, under loss, duplicates and reordering.

use std::time::Duration;

use anyhow::Result;

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    relay::{Relay, Weather},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "partition",
    about: "two halves are cut apart and heal, through a relay that loses, doubles and reorders",
    run: |_| Stage::play(story),
};

const NODES: usize = 6;
const SEED: u64 = 1;
const WEATHER: Weather = Weather {
    loss_percent: 5,
    duplicate_percent: 5,
    delay_ms_min: 1,
    delay_ms_max: 30,
};
const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(30);
/// A peer that is cut off is suspected, then closed.
const NOTICED: Duration = Duration::from_secs(90);
/// What R07 gives the healing.
const HEALED: Duration = Duration::from_secs(60);

/// The half that a node is in while the network is cut.
fn half(place: usize) -> u8 {
    u8::from(place % 2 == 1)
}

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("partition");
    let relay = Relay::new(NODES, WEATHER, SEED)?;
    let members = stage.relayed_network(NODES, &relay)?;
    tale.takes("all linked to all", fully_linked(&members, LINKED)?, LINKED);
    let mut talk = Talk::among(&members)?;
    talk.round("whole", &members, 3)?;
    talk.settle(&mut tale, "whole", HEARD)?;

    relay.divide(half);
    let ((), noticed_s) = until("no link crosses the cut", NOTICED, || apart(&members))?;
    tale.takes("no link crosses the cut", noticed_s, NOTICED);
    talk.round("cut", &members, 3)?;

    relay.divide(|_| 0);
    talk.settle(&mut tale, "healed", HEALED)?;
    talk.round("after", &members, 3)?;
    talk.settle(&mut tale, "after", HEARD)?;
    at_peace(&mut tale, &members)?;
    let carried = relay.carried();
    tale.notes("packets carried", carried.carried as f64, "");
    tale.at_least("packets lost", carried.lost, 1);
    tale.at_least("packets cut", carried.cut, 1);
    Ok(tale.end())
}

fn apart(members: &[Member]) -> Result<Option<()>> {
    for (place, member) in members.iter().enumerate() {
        let linked = member.linked()?;
        let crosses = |(other, peer): (usize, &Member)| {
            half(other) != half(place) && linked.iter().any(|id| id == peer.id())
        };
        if members.iter().enumerate().any(crosses) {
            return Ok(None);
        }
    }
    Ok(Some(()))
}
