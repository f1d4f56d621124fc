use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::{binary::Binary, member::Member, relay::Relay};

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(40);

/// Where a scenario plays: a folder of its own, gone at the end.
pub(super) struct Stage {
    binary: &'static Binary,
    folder: TempDir,
}

impl Stage {
    /// Plays `story` in a fresh folder; the folder is kept if the story breaks off.
    pub(super) fn play<T>(story: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let mut stage = Self {
            binary: Binary::build()?,
            folder: TempDir::with_prefix("repute-")?,
        };
        let told = story(&stage);
        if told.is_err() {
            stage.folder.disable_cleanup(true);
            let folder = stage.folder.path().display();
            eprintln!("data and logs are kept in {folder}");
        }
        told
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A node that has not started.
    pub(super) fn member(&self, name: &str) -> Member {
        self.member_within(&[], name, &self.path(name))
    }

    /// A node run by another program, on a data directory as that program sees it.
    pub(super) fn member_within(&self, around: &[OsString], name: &str, data_dir: &Path) -> Member {
        let log = self.path(&format!("{name}.log"));
        Member::new(self.binary, around, name, data_dir, log)
    }

    /// So many running nodes, all but the first joined through the first.
    pub(super) fn network(&self, count: usize) -> Result<Vec<Member>> {
        let mut members: Vec<Member> = Vec::new();
        for number in 0..count {
            let mut member = self.member(&format!("n{number}"));
            let first = members.first().map(|first| first.ticket().to_owned());
            member.start(first.as_deref())?;
            members.push(member);
        }
        Ok(members)
    }
}

impl Stage {
    /// So many running nodes, all of whose packets pass through a relay.
    pub(super) fn relayed_network(&self, count: usize, relay: &Relay) -> Result<Vec<Member>> {
        let mut members: Vec<Member> = Vec::new();
        for place in 0..count {
            let (listen, announce) = relay.addresses(place)?;
            let (listen, announce) = (listen.to_string(), announce.to_string());
            let flags = [
                "--listen",
                &listen,
                "--announce",
                &announce,
                "--set",
                "peers.discovery_interval_s=2",
                "--set",
                "gossip.anti_entropy_s=2",
            ];
            let mut member = self.member(&format!("n{place}")).with_flags(&flags);
            let first = members.first().map(|first| first.ticket().to_owned());
            member.start(first.as_deref())?;
            members.push(member);
        }
        Ok(members)
    }
}

/// Looks until there is an answer, and says how many seconds that took.
pub(super) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<(T, f64)> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().with_context(|| format!("while waiting until {what}"))? {
            return Ok((found, begun.elapsed().as_secs_f64()));
        }
        if begun.elapsed() > limit {
            bail!("waited {} s in vain until {what}", limit.as_secs());
        }
        thread::sleep(LOOK);
    }
}
