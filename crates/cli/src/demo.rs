//! `repute demo`: a real network on loopback, liars, bad seeders of a file, and the verdict.

mod download;
mod liar;
mod network;
mod seeder;
mod verdict;
mod view;

use std::{io::IsTerminal, time::Duration};

use network::{Network, Plan};
use tokio::time::Instant;

use crate::{
    args::Demo,
    exit::{Exit, Failure},
    print::{print, print_json},
};

/// How long the honest nodes may take to link up.
const FORM_MAX: Duration = Duration::from_secs(30);
/// How long the network may take from the first attack to the verdict.
const VERDICT_MAX: Duration = Duration::from_secs(60);
/// How long getting the file may take.
const DOWNLOAD_MAX: Duration = Duration::from_secs(120);
/// Between two pictures of the live view.
const FRAME: Duration = Duration::from_millis(200);

pub(crate) async fn run(json: bool, demo: &Demo) -> Result<(), Failure> {
    let plan = Plan {
        nodes: demo.nodes.into(),
        seed: demo.seed,
    };
    let live = !json && std::io::stdout().is_terminal();
    let mut screen = view::Screen::new(live);
    let mut network = Network::start(plan).await?;
    screen.say("the honest nodes look for each other");
    let formed = Instant::now() + FORM_MAX;
    while !network.is_formed().await? && Instant::now() < formed {
        screen.draw(&network.picture().await?)?;
        tokio::time::sleep(FRAME).await;
    }
    screen.say("one forges, garbles, floods and comes back; one is silent; one slanders");
    network.let_loose().await?;
    let end = Instant::now() + VERDICT_MAX;
    let mut verdict = network.verdict().await?;
    while !verdict.defended && Instant::now() < end {
        network.publish_next().await?;
        network.whitewash().await?;
        screen.draw(&network.picture().await?)?;
        tokio::time::sleep(FRAME).await;
        verdict = network.verdict().await?;
    }
    screen.say("a file of 64 MiB: some share it, one corrupts it, one stalls");
    network.fetch_a_file().await?;
    let end = Instant::now() + DOWNLOAD_MAX;
    while !verdict.is_over() && Instant::now() < end {
        screen.draw(&network.picture().await?)?;
        tokio::time::sleep(FRAME).await;
        network.judge_download(&mut verdict).await?;
    }
    screen.draw(&network.picture().await?)?;
    if json {
        print_json(&verdict)?;
    } else {
        print(&verdict.in_words())?;
    }
    if !demo.once && live {
        screen.say("the network goes on; Ctrl-C ends");
        loop {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => break,
                () = tokio::time::sleep(FRAME) => {}
            }
            network.publish_more().await?;
            screen.draw(&network.picture().await?)?;
        }
    }
    network.stop().await;
    if verdict.ok {
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Failure,
            "the network did not pass; see the verdict",
        ))
    }
}
