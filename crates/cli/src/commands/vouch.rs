use std::time::{SystemTime, UNIX_EPOCH};

use repute_base::Wall;
use repute_identity::{NodeId, Vouch};
use repute_node::IdentitySource;
use serde::Serialize;

use super::{data_dir, shown_when};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
};

#[derive(Serialize)]
struct Word {
    by: String,
    subject: String,
    number: u8,
    expires_ms: u64,
    vouch: String,
}

/// Signs a word for another identity with this node's key, and prints it for its owner.
pub(super) fn give(global: &Global, id: &str, number: u8) -> Result<(), Failure> {
    let usage = |said: String| Failure::new(Exit::Usage, said);
    let subject: NodeId = id
        .parse()
        .map_err(|error| usage(format!("not a peer's id: {error}")))?;
    let identity = IdentitySource::DataDir.open(&data_dir(global)?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
    let issued = Wall::from_millis(now);
    let vouch = Vouch::sign(&identity, subject, number, issued, issued + Vouch::YEAR);
    if !vouch.verify() {
        return Err(usage("nobody vouches for oneself".into()));
    }
    show(global, &vouch, &format!("{vouch}\n"))
}

/// Keeps a word that somebody gave for this node.
pub(super) async fn keep(global: &Global, text: &str) -> Result<(), Failure> {
    let dir = data_dir(global)?;
    let vouch: Vouch = text
        .parse()
        .map_err(|error| Failure::new(Exit::Usage, format!("{error}")))?;
    let id = super::id::inception(&dir)?.node_id();
    if vouch.subject != id {
        let said = format!("this is a word for {}, not for {id}", vouch.subject);
        return Err(Failure::new(Exit::Usage, said));
    }
    dir.keep_vouch(vouch).map_err(Failure::from_file)?;
    let when = shown_when(global).await;
    let said = format!("kept the word of {}; {when}\n", vouch.by());
    show(global, &vouch, &said)
}

fn show(global: &Global, vouch: &Vouch, said: &str) -> Result<(), Failure> {
    if !global.json {
        return print(said);
    }
    print_json(&Word {
        by: vouch.by().to_string(),
        subject: vouch.subject.to_string(),
        number: vouch.number,
        expires_ms: vouch.expires,
        vouch: vouch.to_string(),
    })
}
