//! The habits, one function each.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, Tree};

pub(super) type Rule = fn(&Tree) -> Vec<String>;

pub(super) const ALL: &[Rule] = &[
    |tree| long_files(tree, LINES_MAX),
    names,
    words,
    whitespace,
    crates_are_complete,
    essays,
    decisions,
    reliability,
    changelog,
    links,
];

/// Lines a file wants to stay under, without its tests.
pub(super) const LINES_WANTED: usize = 500;
/// Lines over which a file is refused.
const LINES_MAX: usize = 800;

/// Files that say nothing about what is in them.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "manager", "helper", "helpers", "misc", "stuff",
];

/// What must not stay in the tree, and why. Written in halves, so that this file passes.
const REFUSED_WORDS: &[(&str, &str)] = &[
    (concat!("todo", "!("), "finish it or leave it out"),
    (concat!("unimplemented", "!("), "finish it or leave it out"),
    (concat!("dbg", "!("), "remove it"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("TO", "DO"), "do it"),
    (concat!("X", "XX"), "say what it is"),
    (concat!("fn ", "get_"), "name it after what it gives"),
    (concat!("/wo", "rk/"), "no paths of one machine"),
    (concat!("/ro", "ot/"), "no paths of one machine"),
    (concat!("/Us", "ers/"), "no paths of one machine"),
    (concat!("<<<<", "<<< "), "resolve the conflict"),
    (concat!(">>>>", ">>> "), "resolve the conflict"),
];

/// Names that traits of others prescribe.
const FOREIGN_NAMES: &[&str] = &[concat!("fn ", "get_mut"), concat!("fn ", "get_item(&self")];

fn is_source(file: &&File) -> bool {
    [".rs", ".md", ".toml", ".sql", ".sh"]
        .iter()
        .any(|ext| file.path.ends_with(ext))
        || file.path == ".ci/run"
}

fn is_rust(file: &&File) -> bool {
    file.path.ends_with(".rs")
}

/// Whether a file holds nothing but tests.
fn is_test(path: &str) -> bool {
    path.split('/')
        .any(|part| part == "tests" || part == "tests.rs")
}

pub(super) fn long_files(tree: &Tree, limit: usize) -> Vec<String> {
    let long = |file: &File| {
        let lines = file
            .text
            .lines()
            .take_while(|line| *line != "#[cfg(test)]")
            .count();
        (lines > limit).then(|| {
            format!(
                "{} has {lines} lines without its tests; split it under {limit}",
                file.path
            )
        })
    };
    tree.files
        .iter()
        .filter(is_rust)
        .filter(|file| !is_test(&file.path))
        .filter_map(long)
        .collect()
}

fn names(tree: &Tree) -> Vec<String> {
    let empty = |path: &&String| {
        let stems = path
            .split('/')
            .map(|part| part.split('.').next().unwrap_or(part));
        stems.into_iter().any(|stem| EMPTY_NAMES.contains(&stem))
    };
    tree.paths
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .filter(empty)
        .map(|path| format!("{path}: name the file after what is in it"))
        .collect()
}

fn words(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(is_source) {
        for (number, line) in file.text.lines().enumerate() {
            // Foreign traits' own names for it.
            let line = FOREIGN_NAMES
                .iter()
                .fold(line.to_owned(), |line, name| line.replace(name, ""));
            for (word, remedy) in REFUSED_WORDS.iter().filter(|(word, _)| line.contains(word)) {
                findings.push(format!("{}:{}: {word:?}: {remedy}", file.path, number + 1));
            }
        }
    }
    findings
}

fn whitespace(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(is_source) {
        for (number, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(format!("{}:{}: trailing whitespace", file.path, number + 1));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            findings.push(format!("{}: end the file with one line feed", file.path));
        }
    }
    findings
}

fn crates_are_complete(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for name in tree.crates() {
        let readme = format!("crates/{name}/README.md");
        if tree
            .text(&readme)
            .is_none_or(|text| text.lines().count() < 5)
        {
            findings.push(format!(
                "{readme}: say what it is, for whom, with one example"
            ));
        }
        let page = format!("docs/crates/{name}.md");
        if !tree.has(&page) {
            findings.push(format!("{page}: describe concepts, invariants and limits"));
        }
        let examples = format!("crates/{name}/examples/");
        let is_library = tree.has(&format!("crates/{name}/src/lib.rs"));
        if is_library && !tree.paths.iter().any(|path| path.starts_with(&examples)) {
            findings.push(format!("{examples}: add one example that runs"));
        }
    }
    findings
}

fn essays(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for name in tree.crates() {
        let path = format!("crates/{name}/src/lib.rs");
        let Some(text) = tree.text(&path) else {
            continue;
        };
        let essay: Vec<_> = text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .collect();
        if !essay
            .iter()
            .any(|line| line.trim_start().starts_with("This crate never"))
        {
            findings.push(format!(
                "{path}: begin a line of the essay with \"This crate never\""
            ));
        }
        if !essay.iter().any(|line| line.contains("```")) {
            findings.push(format!("{path}: show an example in the essay"));
        }
    }
    findings
}

fn decisions(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let names = tree
        .paths
        .iter()
        .filter_map(|path| path.strip_prefix("docs/decisions/"));
    for (expected, name) in names.enumerate() {
        if name.split('-').next() != Some(&format!("{expected:04}")) || !name.ends_with(".md") {
            findings.push(format!(
                "docs/decisions/{name}: expected {expected:04}-title.md"
            ));
        }
    }
    findings
}

/// Rows that tests cite, against the rows of `docs/reliability.md`.
fn reliability(tree: &Tree) -> Vec<String> {
    const PAGE: &str = "docs/reliability.md";
    let mut cited: BTreeMap<String, &str> = BTreeMap::new();
    let cites = |file: &&File| {
        let path = file.path.as_str();
        // The rules' own tests cite rows that need not exist.
        is_rust(file) && !path.starts_with("xtask/src/tidy")
    };
    for file in tree.files.iter().filter(cites) {
        for row in rows(&file.text) {
            cited.entry(row).or_insert(&file.path);
        }
    }
    let Some(page) = tree.text(PAGE) else {
        return cited
            .iter()
            .map(|(row, path)| format!("{path} cites {row}, and there is no {PAGE}"))
            .collect();
    };
    let lines: BTreeMap<String, &str> = page
        .lines()
        .filter_map(|line| Some((rows(line.strip_prefix("| ")?.get(..3)?).pop_first()?, line)))
        .collect();
    let mut findings = Vec::new();
    for (row, path) in &cited {
        match lines.get(row) {
            None => findings.push(format!("{path} cites {row}, which {PAGE} does not list")),
            Some(line) if line.contains("planned") => {
                findings.push(format!(
                    "{PAGE}: {row} is no longer planned: {path} tests it"
                ));
            }
            Some(_) => {}
        }
    }
    for (row, line) in &lines {
        if !cited.contains_key(row) && !line.contains("planned") {
            findings.push(format!(
                "{PAGE}: no test cites {row}; test it or call it planned"
            ));
        }
    }
    findings
}

/// Every `R` with two digits that stands alone.
fn rows(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| {
            word.len() == 3
                && word
                    .strip_prefix('R')
                    .is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        })
        .map(str::to_owned)
        .collect()
}

fn changelog(tree: &Tree) -> Vec<String> {
    match tree.text("CHANGELOG.md") {
        Some(text) if text.contains("## [Unreleased]") => Vec::new(),
        _ => vec!["CHANGELOG.md: keep it, with a section \"## [Unreleased]\"".to_owned()],
    }
}

/// Links between pages lead somewhere.
fn links(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let mut code = false;
        for line in file.text.lines() {
            code ^= line.trim_start().starts_with("```");
            if code {
                continue;
            }
            for target in line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
            {
                let target = target.split('#').next().unwrap_or(target);
                if target.is_empty() || target.contains("://") || target.contains(' ') {
                    continue;
                }
                let path = resolve(&file.path, target);
                let folder = format!("{path}/");
                if !tree.has(&path) && !tree.paths.iter().any(|other| other.starts_with(&folder)) {
                    findings.push(format!("{}: the link to {target} leads nowhere", file.path));
                }
            }
        }
    }
    findings
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: Rule, files: &[(&str, &str)], expected: &[&str]) {
        let findings = rule(&Tree::of(files));
        let matches = findings.len() == expected.len()
            && findings
                .iter()
                .zip(expected)
                .all(|(found, part)| found.contains(part));
        assert!(matches, "found {findings:#?}, expected {expected:#?}");
    }

    #[test]
    fn a_file_is_measured_without_its_tests() {
        let (code, tests) = (
            "x\n".repeat(800),
            "#[cfg(test)]\n".to_owned() + &"x\n".repeat(500),
        );
        let limit: Rule = |tree| long_files(tree, LINES_MAX);
        check(limit, &[("a.rs", &(code.clone() + &tests))], &[]);
        check(
            limit,
            &[("a.rs", &(code.clone() + "x\n" + &tests))],
            &["801 lines"],
        );
        check(limit, &[("crates/a/tests/b.rs", &code.repeat(2))], &[]);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        check(
            names,
            &[("a/utils.rs", ""), ("tests/common/mod.rs", "")],
            &["utils", "common"],
        );
        check(names, &[("a/common_ground.rs", "")], &[]);
    }

    #[test]
    fn left_over_words_are_refused() {
        for (word, remedy) in REFUSED_WORDS {
            check(words, &[("a.rs", &format!("ok\n{word}"))], &[remedy]);
        }
        check(words, &[("a.rs", "let target = 1; // a remark\n")], &[]);
    }

    #[test]
    fn whitespace_at_an_end_is_refused() {
        check(
            whitespace,
            &[("a.md", "a \nb\n"), ("b.rs", "x")],
            &["a.md:1", "one line feed"],
        );
        check(whitespace, &[("a.md", "a\nb\n")], &[]);
    }

    #[test]
    fn a_crate_needs_readme_example_page_and_essay() {
        let lib = "//! Essay.\n//!\n//! This crate never sleeps.\n//! ```\n//! ```\n";
        let readme = "# a\n\nWhat.\n\nFor whom.\n";
        let manifest = ("crates/a/Cargo.toml", "");
        let bare = [manifest, ("crates/a/src/lib.rs", "//! Essay.\nfn f() {}\n")];
        check(
            crates_are_complete,
            &bare,
            &["README.md", "docs/crates/a.md", "examples/"],
        );
        check(essays, &bare, &["This crate never", "example"]);
        let full = [
            manifest,
            ("crates/a/src/lib.rs", lib),
            ("crates/a/README.md", readme),
            ("crates/a/examples/b.rs", ""),
            ("docs/crates/a.md", ""),
        ];
        check(crates_are_complete, &full, &[]);
        check(essays, &full, &[]);
    }

    #[test]
    fn decisions_are_numbered_without_gaps() {
        let [zero, one, two] =
            ["0000-template", "0001-a", "0002-b"].map(|name| format!("docs/decisions/{name}.md"));
        check(decisions, &[(&zero, ""), (&one, ""), (&two, "")], &[]);
        check(decisions, &[(&zero, ""), (&two, "")], &["expected 0001"]);
    }

    #[test]
    fn reliability_rows_and_tests_are_paired() {
        let page = "| R01 | kill |\n| R02 | torn (planned) |\n| R03 | full |\n";
        let test = "/// R01\nfn a() {}\n";
        let pages = |test| [("docs/reliability.md", page), ("crates/a/tests/b.rs", test)];
        check(reliability, &pages(test), &["no test cites R03"]);
        check(reliability, &pages("// R01, R03\n"), &[]);
        check(
            reliability,
            &pages("// R01 R02 R03\n"),
            &["R02 is no longer planned"],
        );
        check(
            reliability,
            &pages("// R01 R03 R99 HR15 R123\n"),
            &["cites R99"],
        );
        check(
            reliability,
            &[("a.rs", test)],
            &["there is no docs/reliability.md"],
        );
    }

    #[test]
    fn a_changelog_is_kept() {
        check(changelog, &[], &["CHANGELOG.md"]);
        check(
            changelog,
            &[("CHANGELOG.md", "# x\n\n## [Unreleased]\n")],
            &[],
        );
    }

    #[test]
    fn links_lead_somewhere() {
        let page = "[a](../b.md#c) [d](https://e) [f](g) [h](#i) [dir](..)\n```\n[x](y)\n```\n";
        let files = [("docs/a.md", page), ("b.md", "")];
        check(
            links,
            &files,
            &[
                "the link to g leads nowhere",
                "the link to .. leads nowhere",
            ],
        );
    }
}
