//! The live view: redrawn in place on a terminal, nothing but headlines elsewhere.

use std::{fmt::Write as _, io::Write as _};

use repute_identity::NodeId;

use crate::{
    exit::Failure,
    show::{bar, colour_on_stdout},
};

/// The network at one moment.
pub(super) struct Picture {
    pub(super) rows: Vec<Row>,
    pub(super) published: usize,
    /// How far the download is, and its seeders.
    pub(super) download: Vec<String>,
}

/// One node at that moment.
pub(super) struct Row {
    pub(super) id: NodeId,
    pub(super) role: &'static str,
    pub(super) links: usize,
    pub(super) messages: usize,
    /// The mean trust of those who know it.
    pub(super) trust: Option<f64>,
    pub(super) note: String,
}

/// Where pictures go.
pub(super) struct Screen {
    live: bool,
    /// Lines of the picture on the screen.
    drawn: usize,
    headline: String,
}

/// Columns of the picture; a terminal of 80 shows all of it.
const COLUMNS: usize = 79;

impl Screen {
    pub(super) fn new(live: bool) -> Self {
        Self {
            live,
            drawn: 0,
            headline: String::new(),
        }
    }

    /// Says what happens now.
    pub(super) fn say(&mut self, headline: &str) {
        self.headline = headline.to_owned();
        if !self.live {
            anstream::eprintln!("{headline}");
        }
    }

    /// Shows a picture over the last one.
    pub(super) fn draw(&mut self, picture: &Picture) -> Result<(), Failure> {
        if !self.live {
            return Ok(());
        }
        let mut out = String::new();
        if self.drawn > 0 {
            let _written = write!(out, "\x1b[{}A", self.drawn);
        }
        let lines = lines(&self.headline, picture);
        for line in &lines {
            let _written = writeln!(out, "\x1b[2K{line}");
        }
        self.drawn = lines.len();
        // Not through a filter of colours: that would eat the moves of the cursor too.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(out.as_bytes())?;
        Ok(stdout.flush()?)
    }
}

fn lines(headline: &str, picture: &Picture) -> Vec<String> {
    let red = |text: &str| paint("31", text);
    let mut lines = vec![
        format!("{}  {headline}", paint("1", "repute demo")),
        format!("{} messages published", picture.published),
        String::new(),
        format!(
            "{:<10} {:<6} {:>5} {:>5}  {:<14} WHAT",
            "NODE", "ROLE", "LINKS", "HEARD", "TRUST"
        ),
    ];
    for row in &picture.rows {
        let trust = row.trust.map_or_else(
            || format!("{:<14}", "-"),
            |trust| format!("{} {trust:.3}", bar(trust, 8)),
        );
        let plain = format!(
            "{:<10} {:<6} {:>5} {:>5}  {trust} {}",
            row.id.short(),
            row.role,
            row.links,
            row.messages,
            row.note
        );
        let cut: String = plain.chars().take(COLUMNS).collect();
        lines.push(if row.role == "honest" { cut } else { red(&cut) });
    }
    let download = picture.download.iter();
    lines.extend(download.map(|line| line.chars().take(COLUMNS).collect()));
    lines
}

/// `text` in this style, unless colours are unwanted.
fn paint(style: &str, text: &str) -> String {
    if colour_on_stdout() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
