//! `repute trust replay`: what would change under other parameters.

use std::fmt::Write;

use repute_console::{BanView, StandingView};
use repute_node::{Archive, ArchiveError, NodeConfig, trust::Replay};
use serde::Serialize;

use super::{data_dir, settings};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{escaped, short},
};

#[derive(Serialize)]
struct ReplayView {
    subjects: usize,
    records: usize,
    changed: Vec<ChangedView>,
    banned: Vec<BanView>,
    freed: Vec<BanView>,
}

#[derive(Serialize)]
struct ChangedView {
    id: String,
    before: StandingView,
    after: StandingView,
}

impl From<Replay> for ReplayView {
    fn from(replay: Replay) -> Self {
        let changed = replay.changed.into_iter().map(|change| ChangedView {
            id: change.subject.to_string(),
            before: change.before.into(),
            after: change.after.into(),
        });
        Self {
            subjects: replay.subjects,
            records: replay.records,
            changed: changed.collect(),
            banned: replay.banned.into_iter().map(Into::into).collect(),
            freed: replay.freed.into_iter().map(Into::into).collect(),
        }
    }
}

/// The parameters in force are those of the data directory's own file; the others are what
/// `--config` and `--set` make of them.
pub(super) fn run(global: &Global, top: usize) -> Result<(), Failure> {
    if global.config.is_none() && global.set.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "name other parameters with --config FILE or --set KEY=VALUE",
        ));
    }
    let in_force = Global {
        data_dir: global.data_dir.clone(),
        config: None,
        set: Vec::new(),
        json: global.json,
        log_json: global.log_json,
        verbose: global.verbose,
    };
    let before = NodeConfig::trust_policy(&settings(&in_force, Vec::new())?)?;
    let after = NodeConfig::trust_policy(&settings(global, Vec::new())?)?;
    let archive = Archive::open(&data_dir(global)?)?;
    let view: ReplayView = archive.replay(&before, &after)?.into();
    if global.json {
        return print_json(&view);
    }
    print(&text(&view, top))
}

fn text(view: &ReplayView, top: usize) -> String {
    let mut out = format!(
        "{} peers and {} stored events judged again, under these parameters:\n",
        view.subjects, view.records
    );
    for (title, bans) in [
        ("would be banned", &view.banned),
        ("would not be banned", &view.freed),
    ] {
        let _written = writeln!(out, "\n{title}: {}", bans.len());
        for ban in bans {
            let until = ban.until.as_deref().unwrap_or("for good");
            let _written = writeln!(
                out,
                "  {:<11} {:<11} {until:<25} {}",
                short(&ban.id),
                ban.rung,
                escaped(&ban.reason)
            );
        }
    }
    let _written = writeln!(out, "\nwould stand elsewhere: {}", view.changed.len());
    for change in view.changed.iter().take(top) {
        let (before, after) = (&change.before, &change.after);
        let _written = writeln!(
            out,
            "  {:<11} {:.3} -> {:.3}  {} -> {}  gate {} -> {}",
            short(&change.id),
            before.trust,
            after.trust,
            before.level,
            after.level,
            before.gate,
            after.gate
        );
    }
    if view.changed.len() > top {
        let _written = writeln!(out, "  {} more: --top N", view.changed.len() - top);
    }
    out.push_str(
        "\nWhat was not recorded while a gate was closed, or was compacted, cannot be judged again.\n",
    );
    out
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}
