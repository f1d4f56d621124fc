//! Two processes on one data directory.

use std::fs;

use anyhow::{Context, Result};

use super::{Row, Scenario, member::Member, stage::Stage, tale::Tale};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "two-on-one-dir",
    about: "a second node on the same data directory refuses to start, and harms nothing",
    run: |_| Stage::play(story),
};

/// The exit code for a refused data directory.
const REFUSED: u64 = 3;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("two-on-one-dir");
    let mut member = stage.member("n0");
    member.start(None)?;
    refused(&mut tale, &member, "at the control socket")?;
    member.publish("news", "still here")?;
    // Without its socket, the lock on the store still tells.
    fs::remove_file(member.data_dir().join("control.sock"))?;
    refused(&mut tale, &member, "at the lock of the store")?;
    tale.holds("the first node lives on", member.is_running()?);
    Ok(tale.end())
}

fn refused(tale: &mut Tale, member: &Member, place: &str) -> Result<()> {
    let output = member.run(&["up", "--listen", "127.0.0.1:0"])?;
    let code = output.status.code().context("it was killed")?;
    tale.counts(
        &format!("exit code, {place}"),
        u64::try_from(code)?,
        REFUSED,
    );
    let said = String::from_utf8_lossy(&output.stderr);
    let dir = member.data_dir().to_string_lossy();
    let clear = said.contains(&*dir) && said.contains("another");
    tale.holds(&format!("message names the directory, {place}"), clear);
    if !clear {
        eprintln!("it said: {said}");
    }
    Ok(())
}
