//! `repute trust import-ratings`: people who rated one another, judged without any node.

use std::{
    fmt::Write,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};
use repute_node::trust::{
    Judgement, RatedSubject, Ratings, RatingsConfig, RatingsLimits, RatingsParser,
};
use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    print::{print, print_json},
    show::escaped,
};

/// Bytes read at a time.
const PIECE: usize = 1 << 16;
/// Files from this size on show how far they are.
const WORTH_A_BAR: u64 = 4 << 20;

#[derive(Serialize)]
struct View<'a> {
    subjects: Vec<SubjectView<'a>>,
}

#[derive(Serialize)]
struct SubjectView<'a> {
    id: &'a str,
    trust: f64,
    uncertainty: f64,
    level: &'static str,
    rank: u64,
    ratings: u64,
}

impl<'a> From<&'a RatedSubject> for SubjectView<'a> {
    fn from(subject: &'a RatedSubject) -> Self {
        Self {
            id: &subject.id,
            trust: subject.trust.to_f64(),
            uncertainty: subject.uncertainty.to_f64(),
            level: subject.level.name(),
            rank: subject.rank,
            ratings: subject.ratings,
        }
    }
}

pub(super) fn run(file: &Path, anchors: &[String], json: bool) -> Result<(), Failure> {
    let ratings = read(file)?;
    let anchors: Vec<&str> = anchors
        .iter()
        .map(|anchor| anchor.trim())
        .filter(|anchor| !anchor.is_empty())
        .collect();
    let judged = ratings
        .judge(&anchors, &RatingsConfig::default())
        .map_err(|error| Failure::new(Exit::NotFound, error.to_string()))?;
    tell(&ratings, &judged);
    if json {
        let subjects = judged.subjects.iter().map(Into::into).collect();
        return print_json(&View { subjects });
    }
    print(&table(&judged.subjects))
}

/// What was read and whose view it is, for the person who asked.
fn tell(ratings: &Ratings, judged: &Judgement) {
    anstream::eprintln!(
        "{} ratings of {} subjects, {} rows ignored; {} raters are credible",
        ratings.len(),
        judged.subjects.len(),
        ratings.ignored(),
        judged.credible
    );
    if judged.anchors_by_activity {
        let anchors: Vec<String> = judged.anchors.iter().map(|one| escaped(one)).collect();
        anstream::eprintln!(
            "no anchors were named: the most active raters stand in ({}). That is for exploration \
             only, for activity can be faked; to judge, name those you trust with --anchors",
            anchors.join(", ")
        );
    }
}

fn table(subjects: &[RatedSubject]) -> String {
    let mut out = String::from("   RANK  TRUST  UNCERTAIN  LEVEL       RATINGS  ID\n");
    for one in subjects {
        // Writing to a string cannot fail.
        let _written = writeln!(
            out,
            "{:>7}  {:.3}      {:.3}  {:<10}  {:>7}  {}",
            one.rank,
            one.trust.to_f64(),
            one.uncertainty.to_f64(),
            one.level.name(),
            one.ratings,
            escaped(&one.id)
        );
    }
    out
}

/// Reads a file, or stdin for `-`.
fn read(path: &Path) -> Result<Ratings, Failure> {
    let name = escaped(&path.to_string_lossy());
    let told = |error: std::io::Error| {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failure,
        };
        Failure::new(exit, format!("cannot read {name}: {error}"))
    };
    if path == Path::new("-") {
        return parse("stdin", &mut std::io::stdin().lock(), 0, told);
    }
    let mut file = File::open(path).map_err(told)?;
    let size = file.metadata().map_or(0, |of| of.len());
    parse(&name, &mut file, size, told)
}

fn parse(
    name: &str,
    source: &mut impl Read,
    size: u64,
    told: impl Fn(std::io::Error) -> Failure,
) -> Result<Ratings, Failure> {
    let refused = |error| Failure::new(Exit::Failure, format!("{name}, {error}"));
    let bar = bar(size);
    let mut parser = RatingsParser::new(RatingsLimits::default());
    let mut piece = vec![0; PIECE];
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(told(error)),
        };
        parser
            .feed(piece.get(..count).unwrap_or_default())
            .map_err(refused)?;
        bar.inc(count as u64);
    }
    bar.finish_and_clear();
    parser.finish().map_err(refused)
}

/// Shown on a terminal only, and for large files.
fn bar(size: u64) -> ProgressBar {
    if size < WORTH_A_BAR {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    // The template is fixed; a wrong one would only show another bar.
    if let Ok(style) =
        ProgressStyle::with_template("reading {wide_bar} {bytes} of {total_bytes}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}
