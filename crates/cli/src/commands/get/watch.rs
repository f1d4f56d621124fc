//! What is seen of a transfer: bars on a terminal, lines elsewhere, JSON for programs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use repute_console::{FinishedView, PlanView, ProgressView, SeedingView, TransferEvent};
use tokio::time::Instant;

use super::table;
use crate::{
    exit::Failure,
    print::print_json,
    show::{bytes, count, escaped, short, span},
};

/// Between two lines about how far it is, where there is no terminal.
const LINE_PAUSE: Duration = Duration::from_secs(5);
/// Seeders that have a line of their own on a terminal.
const SEEDERS_SHOWN: usize = 12;

/// Where news go.
pub(super) enum Watch {
    Json,
    Quiet,
    Lines(Lines),
    Bars(Box<Bars>),
}

impl Watch {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            _ if std::io::stderr().is_terminal() => Self::Bars(Box::new(Bars::new())),
            _ => Self::Lines(Lines::default()),
        }
    }

    pub(super) const fn is_json(&self) -> bool {
        matches!(self, Self::Json)
    }

    /// Takes the bars away.
    pub(super) fn end(&mut self) {
        if let Self::Bars(bars) = self {
            bars.end();
        }
    }

    pub(super) fn show(&mut self, event: &TransferEvent, size: Option<u64>) -> Result<(), Failure> {
        match self {
            Self::Json => return print_json(event),
            Self::Quiet => {}
            Self::Lines(lines) => {
                if let Some(text) = lines.say(event, size) {
                    anstream::eprintln!("{text}");
                }
            }
            Self::Bars(bars) => {
                if let TransferEvent::Progress(progress) = event {
                    bars.progress(progress);
                } else if let Some(text) = in_words(event, size) {
                    bars.say(event, &text);
                }
            }
        }
        Ok(())
    }
}

/// Lines now and then.
#[derive(Default)]
pub(super) struct Lines {
    /// When it was last said how far it is.
    said: Option<Instant>,
    plans: Plans,
    /// Who was said to be fetched from: of a folder each file has its own seeders.
    joined: BTreeSet<String>,
    finishing: bool,
}

/// Tables that were shown: of a folder each file has one, and most are the same.
#[derive(Default)]
struct Plans {
    last: Vec<(String, String)>,
}

impl Plans {
    /// Whether a table says something new.
    fn is_news(&mut self, plan: &PlanView) -> bool {
        let seeders = plan.seeders.iter();
        let now: Vec<_> = seeders
            .map(|one| (one.id.clone(), one.verdict.clone()))
            .collect();
        let news = now != self.last;
        self.last = now;
        news
    }

    fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

impl Lines {
    fn say(&mut self, event: &TransferEvent, size: Option<u64>) -> Option<String> {
        match event {
            TransferEvent::Progress(progress) => {
                let due = self.said.is_none_or(|said| said.elapsed() >= LINE_PAUSE);
                if !due || progress.bytes == 0 || self.finishing {
                    return None;
                }
                self.said = Some(Instant::now());
                return Some(how_far(progress));
            }
            // The table, which comes right behind them, has the first ones.
            TransferEvent::Joined { peer }
                if !self.joined.insert(peer.clone()) || self.plans.is_empty() =>
            {
                return None;
            }
            TransferEvent::Left { peer, .. } => {
                self.joined.remove(peer);
            }
            TransferEvent::Plan(plan) if !self.plans.is_news(plan) => return None,
            TransferEvent::Finishing => self.finishing = true,
            _ => {}
        }
        in_words(event, size)
    }
}

/// What is said of an event, if anything is.
fn in_words(event: &TransferEvent, size: Option<u64>) -> Option<String> {
    Some(match event {
        TransferEvent::Begun(view) if view.progress.bytes > 0 => {
            let here = bytes(view.progress.bytes);
            format!("goes on: {here} are here and verified")
        }
        TransferEvent::Plan(plan) => table::text(plan, size).trim_end().to_owned(),
        TransferEvent::Listed { files, bytes: size } => {
            format!("a folder: {}, {}", count(*files, "file"), bytes(*size))
        }
        TransferEvent::Joined { peer } => format!("{} is fetched from", short(peer)),
        TransferEvent::Left { peer, words, .. } => {
            format!("{} left: {}", short(peer), escaped(words))
        }
        TransferEvent::Stuck { words, .. } => format!("waiting: {}", escaped(words)),
        TransferEvent::Paused { problem: None } => {
            "paused; `repute transfers resume` goes on".into()
        }
        TransferEvent::Resumed => "goes on".into(),
        TransferEvent::Finishing => "all is here and verified; putting it in its place".into(),
        TransferEvent::Finished(view) => outcome(view),
        _ => return None,
    })
}

fn outcome(view: &FinishedView) -> String {
    let rate = match view.seconds > 0.0 {
        true => bytes((view.bytes as f64 / view.seconds) as u64),
        false => bytes(view.bytes),
    };
    let sources = view.sources.iter();
    let sources: Vec<String> = sources
        .map(|one| format!("{} {}", short(&one.id), bytes(one.bytes)))
        .collect();
    let from = match sources.is_empty() {
        true => "was here already".into(),
        false => format!("from {}", sources.join(", ")),
    };
    let files = match view.kind.as_str() {
        "folder" => format!("{}, ", count(view.files, "file")),
        _ => String::new(),
    };
    format!(
        "{files}{} in {:.1} s, {rate}/s, verified; {from}",
        bytes(view.bytes),
        view.seconds
    )
}

/// How far it is, in a line.
fn how_far(progress: &ProgressView) -> String {
    let of = match progress.total {
        Some(total) => format!(" of {}", bytes(total)),
        None => String::new(),
    };
    let left = match progress.left_ms {
        Some(0..1_000) => ", less than 1s left".into(),
        Some(left) => format!(", {} left", span(left)),
        None => String::new(),
    };
    let files = match progress.files {
        Some(files) if files > 1 => format!(", {} of {files} files", progress.files_done),
        _ => String::new(),
    };
    let rate = bytes(progress.rate);
    format!("{}{of}{files}, {rate}/s{left}", bytes(progress.bytes))
}

/// How far a seeder is, in a line.
fn seeding(one: &SeedingView) -> String {
    let doing = match (one.place, one.active) {
        (Some(place), _) => format!("we wait there, place {place}"),
        (None, false) => "no longer".into(),
        (None, true) if one.slow => "slow".into(),
        (None, true) => String::new(),
    };
    format!(
        "  {} {:>10} {:>12} {doing}",
        short(&one.id),
        bytes(one.bytes),
        format!("{}/s", bytes(one.rate))
    )
}

/// A bar for all, and a line for each seeder, on stderr.
pub(super) struct Bars {
    all: MultiProgress,
    total: Option<ProgressBar>,
    seeders: BTreeMap<String, ProgressBar>,
    /// Why somebody left.
    left: BTreeMap<String, String>,
    plans: Plans,
}

impl Bars {
    fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            total: None,
            seeders: BTreeMap::new(),
            left: BTreeMap::new(),
            plans: Plans::default(),
        }
    }

    fn line(&self, template: &str) -> ProgressBar {
        let line = self.all.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template(template) {
            line.set_style(style);
        }
        line
    }

    fn progress(&mut self, progress: &ProgressView) {
        if self.total.is_none() {
            self.total = Some(self.line("{bar:24} {wide_msg}"));
        }
        if let Some(total) = &self.total {
            total.set_length(progress.total.unwrap_or(progress.bytes));
            total.set_position(progress.bytes);
            total.set_message(how_far(progress));
        }
        for one in &progress.seeders {
            if one.active {
                self.left.remove(&one.id);
            }
            if !self.seeders.contains_key(&one.id) && self.seeders.len() < SEEDERS_SHOWN {
                let line = self.line("{wide_msg}");
                self.seeders.insert(one.id.clone(), line);
            }
            if let Some(line) = self.seeders.get(&one.id) {
                let mut text = seeding(one);
                if let Some(why) = self.left.get(&one.id).filter(|_| one.place.is_none()) {
                    text = format!("  {} {:>10} left: {why}", short(&one.id), bytes(one.bytes));
                }
                line.set_message(text);
            }
        }
    }

    /// Says something above the bars. Who joins and leaves is seen in its own line.
    fn say(&mut self, event: &TransferEvent, text: &str) {
        match event {
            TransferEvent::Joined { peer } => {
                self.left.remove(peer);
            }
            TransferEvent::Left { peer, words, .. } => {
                let words = escaped(words);
                if let Some(line) = self.seeders.get(peer) {
                    line.set_message(format!("  {} left: {words}", short(peer)));
                }
                self.left.insert(peer.clone(), words);
            }
            TransferEvent::Plan(plan) if !self.plans.is_news(plan) => {}
            TransferEvent::Finished(_) => {
                self.end();
                anstream::eprintln!("{text}");
            }
            _ => {
                // What cannot be drawn is not worth failing for.
                let _drawn = self.all.println(text);
            }
        }
    }

    fn end(&mut self) {
        for line in self.total.iter().chain(self.seeders.values()) {
            line.finish_and_clear();
        }
        self.total = None;
        self.seeders.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeder() -> SeedingView {
        SeedingView {
            id: "x".repeat(52),
            bytes: u64::MAX,
            rate: u64::MAX,
            active: true,
            slow: true,
            ..SeedingView::default()
        }
    }

    #[test]
    fn a_seeder_that_is_slow_or_lets_wait_says_so_in_80_columns() {
        let slow = seeding(&seeder());
        assert!(slow.ends_with("slow"), "{slow}");
        let waits = seeding(&SeedingView {
            place: Some(u16::MAX),
            ..seeder()
        });
        assert!(waits.contains("place 65535"), "{waits}");
        for line in [slow, waits] {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn the_outcome_names_who_delivered_what() {
        let view = FinishedView {
            bytes: 64 << 20,
            seconds: 2.0,
            sources: vec![repute_console::SourceView {
                id: "y".repeat(52),
                bytes: 64 << 20,
            }],
            ..FinishedView::default()
        };
        let text = outcome(&view);
        assert!(
            text.contains("32.0 MiB/s") && text.contains("yyyyyyyyyy 64.0 MiB"),
            "{text}"
        );
    }
}
