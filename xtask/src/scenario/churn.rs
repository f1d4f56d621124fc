//! Processes come and go for a while; those that stay must not grow.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use repute_base::Rng;

use super::{
    Row, Scenario, Size,
    member::{Member, at_peace},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "soak-churn",
    about: "R25: nodes are killed and replaced for a while: those that stay neither grow nor miss",
    run: |size| Stage::play(|stage| story(stage, size)),
};

/// Nodes that stay, and nodes that come and go.
const STAY: usize = 2;
const GO: usize = 4;
/// How long it goes on, unless told otherwise.
const DEFAULT: Duration = Duration::from_secs(60);
const FULL_MINUTES: u64 = 30;
/// From one to the next: a dead node takes a place among the links until it is found out.
const PACE: Duration = Duration::from_millis(1_500);
const LINKED: Duration = Duration::from_secs(30);
const HEARD: Duration = Duration::from_secs(20);
/// What one newcomer may leave behind: what is known of a peer, its trust events and the record of
/// what was seen of it.
const KIB_PER_NEWCOMER: f64 = 16.0;
/// What the allocator may take at once for reasons of its own.
const KIB_OF_CHANCE: f64 = 4_096.0;
/// Files open at the end, beyond those open when half the time was over.
const DESCRIPTORS_MORE: f64 = 16.0;

/// A node that stays, looked at.
#[derive(Clone, Copy)]
struct Look {
    replaced: u32,
    resident_kib: u64,
    descriptors: u64,
}

fn story(stage: &Stage, size: Size) -> Result<Vec<Row>> {
    let mut tale = Tale::of("soak-churn");
    let full = size.full.then_some(FULL_MINUTES);
    let lasts = size.minutes.or(full);
    let lasts = lasts.map_or(DEFAULT, |minutes| Duration::from_secs(60 * minutes));
    let mut rng = Rng::from_u64(size.seed);
    let mut members = stage.network(STAY + GO)?;
    let ticket = members.first().context("a node")?.ticket().to_owned();
    let mut looks: Vec<Vec<Look>> = vec![Vec::new(); STAY];
    let mut talk = Talk::among(members.get(..STAY).unwrap_or_default())?;
    let (begun, mut replaced) = (Instant::now(), 0_u32);
    while begun.elapsed() < lasts {
        let next = begun + PACE * replaced;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let place = STAY + usize::try_from(rng.below(GO as u64))?;
        let gone = members.get_mut(place).context("a node")?;
        gone.kill()?;
        std::fs::remove_dir_all(gone.data_dir())?;
        replaced += 1;
        let mut newcomer = stage.member(&format!("c{replaced}"));
        newcomer.start(Some(&ticket))?;
        linked(&newcomer)?;
        *gone = newcomer;
        // The newcomer speaks, and one that stays.
        for speaker in [place, usize::try_from(rng.below(STAY as u64))?] {
            let member = members.get(speaker).context("a node")?;
            talk.say(speaker, member, &format!("{replaced}: {speaker}"), |_| true)?;
        }
        if replaced % 5 == 0 {
            for (member, looks) in members.iter().zip(&mut looks) {
                looks.push(Look {
                    replaced,
                    resident_kib: member.measured("VmRSS")?,
                    descriptors: member.descriptors()?,
                });
            }
        }
    }
    talk.settle(&mut tale, "all that was said", HEARD)?;
    tale.at_least(
        "nodes killed and replaced",
        replaced.into(),
        lasts.as_secs() / 4,
    );
    tale.notes("for", begun.elapsed().as_secs_f64(), "s");
    for (nth, looks) in looks.iter().enumerate() {
        judge(&mut tale, nth, looks)?;
    }
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

/// Whether a newcomer has any link.
fn linked(member: &Member) -> Result<()> {
    let linked = || Ok((!member.linked()?.is_empty()).then_some(()));
    until("a newcomer is linked", LINKED, linked).map(drop)
}

/// Growth over the second half, when pools and buffers are as large as they get.
fn judge(tale: &mut Tale, nth: usize, looks: &[Look]) -> Result<()> {
    let half = looks.get(looks.len() / 2..).unwrap_or_default();
    let (first, last) = (half.first(), half.last());
    let (first, last) = (first.context("no look")?, last.context("no look")?);
    tale.notes(
        &format!("resident at the end, node {nth}"),
        last.resident_kib as f64 / 1024.0,
        "MiB",
    );
    tale.notes(
        &format!("growth for each newcomer, node {nth}"),
        slope(half),
        "KiB",
    );
    let newcomers = f64::from(last.replaced - first.replaced);
    tale.at_most(
        &format!("growth over the second half, node {nth}"),
        slope(half) * newcomers,
        "KiB",
        KIB_OF_CHANCE + KIB_PER_NEWCOMER * newcomers,
    );
    let more = last.descriptors as f64 - first.descriptors as f64;
    tale.at_most(
        &format!("descriptors more, node {nth}"),
        more,
        "",
        DESCRIPTORS_MORE,
    );
    Ok(())
}

/// KiB for each node replaced: the line of least squares.
fn slope(looks: &[Look]) -> f64 {
    let count = looks.len() as f64;
    let mean = |of: fn(&Look) -> u64| looks.iter().map(|look| of(look) as f64).sum::<f64>() / count;
    let (x_mean, y_mean) = (
        mean(|look| look.replaced.into()),
        mean(|look| look.resident_kib),
    );
    let (mut over, mut under) = (0.0, 0.0);
    for look in looks {
        let x = f64::from(look.replaced) - x_mean;
        over += x * (look.resident_kib as f64 - y_mean);
        under += x * x;
    }
    if under == 0.0 { 0.0 } else { over / under }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_a_line_and_nothing_for_one_look() {
        let look = |replaced| Look {
            replaced,
            resident_kib: 1_000 + 7 * u64::from(replaced),
            descriptors: 0,
        };
        let looks: Vec<_> = [5, 10, 15, 30].map(look).into();
        assert!((slope(&looks) - 7.0).abs() < 1e-9);
        assert!(slope(&[look(5)]).abs() < 1e-9);
    }
}
