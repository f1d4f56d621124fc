//! Nodes whose network loses every fifth packet, doubles every fifth and mixes up their order.

use std::time::Duration;

use anyhow::Result;

use super::{
    Row, Scenario,
    member::{at_peace, fully_linked},
    relay::{Relay, Weather},
    stage::Stage,
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "lossy",
    about: "20 % of the packets are lost, 20 % doubled, most overtaken: every message reaches all",
    run: |_| Stage::play(story),
};

const NODES: usize = 5;
const SEED: u64 = 2;
const WEATHER: Weather = Weather {
    loss_percent: 20,
    duplicate_percent: 20,
    delay_ms_min: 1,
    delay_ms_max: 60,
};
const ROUNDS: usize = 4;
const MESSAGES: usize = 5;
const LINKED: Duration = Duration::from_secs(90);
const HEARD: Duration = Duration::from_secs(60);

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("lossy");
    let relay = Relay::new(NODES, WEATHER, SEED)?;
    let members = stage.relayed_network(NODES, &relay)?;
    tale.takes("all linked to all", fully_linked(&members, LINKED)?, LINKED);
    let mut talk = Talk::among(&members)?;
    for round in 0..ROUNDS {
        talk.round(&format!("round {round}"), &members, MESSAGES)?;
    }
    talk.settle(&mut tale, "all rounds", HEARD)?;
    at_peace(&mut tale, &members)?;
    let carried = relay.carried();
    tale.notes("packets carried", carried.carried as f64, "");
    let sent = carried.carried + carried.lost - carried.doubled;
    // What was drawn is what happened, give or take a fifth.
    tale.at_least("packets lost", carried.lost, sent * 16 / 100);
    tale.at_least(
        "packets doubled",
        carried.doubled,
        (sent - carried.lost) * 16 / 100,
    );
    tale.at_least("packets overtaken", carried.overtaken, sent / 10);
    Ok(tale.end())
}
