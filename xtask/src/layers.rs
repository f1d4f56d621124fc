//! Who may know whom: the crates as cargo sees them, against the table of `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::process::{cargo, output, root};

/// What no crate below layer 4 may reach.
const SHELL: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "quinn",
    "rustls",
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "redb",
];
/// What no crate below layer 6 may reach.
const FRONT: &[&str] = &[
    "anstream",
    "axum",
    "clap",
    "crossterm",
    "hyper",
    "indicatif",
    "ratatui",
    "reqwest",
    "rpassword",
    "termion",
];
/// What `node` without features may not reach, besides.
const CORE: &[&str] = &["getrandom", "serde", "swarm-discovery", "toml", "tracing"];

/// When a crate is `#![no_std]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoStd {
    Always,
    WithoutFeatures,
    Never,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    /// `None` for a crate that others use in their tests only.
    layer: Option<u8>,
    may_depend_on: BTreeSet<String>,
    no_std: NoStd,
}

type Table = BTreeMap<String, Room>;

/// One of our crates as it is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Crate {
    /// Crates of ours that it is built from.
    uses: BTreeSet<String>,
    /// Crates of ours that only its tests use.
    tests_use: BTreeSet<String>,
    /// Every foreign crate that it is built from, however far down.
    reaches: BTreeSet<String>,
    /// The text of its `lib.rs`, if it is a library.
    lib: Option<String>,
    has_page: bool,
}

type Crates = BTreeMap<String, Crate>;

pub(crate) fn run() -> Result<bool> {
    let page = root().join("docs/architecture.md");
    let text = std::fs::read_to_string(&page)
        .with_context(|| format!("could not read {}", page.display()))?;
    let table = parse(&text)?;
    let metadata = MetadataCommand::new().current_dir(root()).exec()?;
    let mut findings = compare(&table, &crates(&metadata)?);
    findings.extend(core_alone()?);
    for finding in &findings {
        eprintln!("layers: {finding}");
    }
    Ok(findings.is_empty())
}

/// Reads the table under the heading "Rooms".
fn parse(text: &str) -> Result<Table> {
    let mut table = Table::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let &[layer, name, _, deps, no_std, _] = cells.as_slice() else {
            continue;
        };
        let layer = match layer.parse() {
            Ok(layer) => Some(layer),
            Err(_) if layer == "dev" => None,
            Err(_) => continue,
        };
        let no_std = match no_std {
            "always" => NoStd::Always,
            "without features" => NoStd::WithoutFeatures,
            "–" => NoStd::Never,
            other => bail!(
                "docs/architecture.md: {name} has no_std {other:?}; say always, without features, or –"
            ),
        };
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let Some(name) = names(name).pop_first() else {
            continue;
        };
        let room = Room {
            layer,
            may_depend_on: names(deps),
            no_std,
        };
        if table.insert(name.clone(), room).is_some() {
            bail!("docs/architecture.md: {name} has two rows");
        }
    }
    if table.is_empty() {
        bail!("docs/architecture.md has no table of rooms");
    }
    Ok(table)
}

/// Reads our crates out of cargo's graph.
fn crates(metadata: &Metadata) -> Result<Crates> {
    let folder = metadata.workspace_root.join("crates");
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo resolved nothing")?;
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|n| (&n.id, n)).collect();
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|p| (&p.id, p.name.as_str()))
        .collect();
    let mut crates = Crates::new();
    for package in metadata.workspace_packages() {
        let Some(home) = package
            .manifest_path
            .parent()
            .filter(|home| home.starts_with(&folder))
        else {
            continue;
        };
        let mut one = Crate::default();
        for dependency in &package.dependencies {
            if let Some(name) = dependency.name.strip_prefix("repute-") {
                match dependency.kind {
                    DependencyKind::Development => one.tests_use.insert(name.to_owned()),
                    _ => one.uses.insert(name.to_owned()),
                };
            }
        }
        let mut open = vec![&package.id];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            for dep in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
                let built_from = dep
                    .dep_kinds
                    .iter()
                    .any(|k| k.kind == DependencyKind::Normal);
                if built_from && seen.insert(&dep.pkg) {
                    open.push(&dep.pkg);
                }
            }
        }
        one.reaches = seen
            .into_iter()
            .filter_map(|id| names.get(id))
            .filter(|name| !name.starts_with("repute-"))
            .map(|name| (*name).to_owned())
            .collect();
        one.lib = std::fs::read_to_string(home.join("src/lib.rs")).ok();
        let name = package
            .name
            .strip_prefix("repute-")
            .unwrap_or(&package.name)
            .to_owned();
        let page = metadata
            .workspace_root
            .join(format!("docs/crates/{name}.md"));
        one.has_page = page.exists();
        crates.insert(name, one);
    }
    Ok(crates)
}

/// Everything in which the crates differ from the table.
fn compare(table: &Table, crates: &Crates) -> Vec<String> {
    let mut findings = Vec::new();
    for name in table.keys().filter(|name| !crates.contains_key(*name)) {
        findings.push(format!(
            "docs/architecture.md has a row for `{name}`, and there is no such crate"
        ));
    }
    for (name, room) in table {
        for dep in &room.may_depend_on {
            let below = match table.get(dep) {
                Some(Room {
                    layer: Some(dep), ..
                }) => room.layer.is_none_or(|layer| *dep < layer),
                _ => false,
            };
            if !below {
                findings.push(format!("docs/architecture.md lets `{name}` depend on `{dep}`, which is not in a layer below"));
            }
        }
    }
    for (name, one) in crates {
        match table.get(name) {
            None => findings.push(format!("`{name}` has no row in docs/architecture.md")),
            Some(room) => judge(name, one, room, table, &mut findings),
        }
        if !one.has_page {
            findings.push(format!("docs/crates/{name}.md is missing"));
        }
    }
    findings
}

fn judge(name: &str, one: &Crate, room: &Room, table: &Table, findings: &mut Vec<String>) {
    for dep in one.uses.difference(&room.may_depend_on) {
        findings.push(format!("`{name}` must not depend on `{dep}`"));
    }
    for dep in one.tests_use.difference(&room.may_depend_on) {
        if table.get(dep).is_none_or(|room| room.layer.is_some()) {
            findings.push(format!("the tests of `{name}` must not depend on `{dep}`"));
        }
    }
    for dep in room.may_depend_on.difference(&one.uses) {
        // Lower crates come with the layer; a wire between two shells must be in use.
        if table
            .get(dep)
            .and_then(|room| room.layer)
            .is_some_and(|layer| layer > 2)
        {
            findings.push(format!(
                "docs/architecture.md lets `{name}` depend on `{dep}`, and it does not"
            ));
        }
    }
    let refused: &[&[&str]] = match room.layer {
        None | Some(0..=3) => &[SHELL, FRONT],
        Some(4 | 5) => &[FRONT],
        Some(_) => &[],
    };
    for foreign in refused.iter().flat_map(|list| list.iter()) {
        if one.reaches.contains(*foreign) {
            findings.push(format!("`{name}` must never see {foreign} (cargo tree -p repute-{name} -e normal -i {foreign})"));
        }
    }
    let holds = |line: &str| {
        one.lib
            .as_ref()
            .is_some_and(|lib| lib.lines().any(|l| l == line))
    };
    let kept = match room.no_std {
        NoStd::Never => true,
        NoStd::Always => holds("#![no_std]"),
        NoStd::WithoutFeatures => {
            holds("#![no_std]") || holds("#![cfg_attr(not(feature = \"runtime\"), no_std)]")
        }
    };
    if !kept {
        findings.push(format!("`{name}` has lost #![no_std]"));
    }
}

/// `node` without features must be the core alone.
fn core_alone() -> Result<Vec<String>> {
    let tree = output(cargo().args([
        "tree",
        "-p",
        "repute-node",
        "--no-default-features",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{lib}",
    ]))?;
    let reached: BTreeSet<_> = tree
        .lines()
        .map(|line| line.trim().replace('_', "-"))
        .collect();
    Ok([SHELL, FRONT, CORE]
        .iter()
        .flat_map(|list| list.iter())
        .filter(|foreign| reached.contains(**foreign))
        .map(|foreign| format!("`node` without features must never see {foreign}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
| layer | crate | what lives there | may depend on | `no_std` | must never see |
| --- | --- | --- | --- | --- | --- |
| 0 | `base` | time | – | always | sockets |
| 3 | `gossip` | trees | `base` | always | tokio |
| 4 | `transport` | QUIC | `base` | – | engines |
| 5 | `node` | all | `base`, `gossip`, `transport` | without features | clap |
| dev | `sim` | worlds | `base` | – | – |
";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn sound() -> Crates {
        let one = |uses: &[&str], tests_use: &[&str], reaches: &[&str], lib: &str| Crate {
            uses: set(uses),
            tests_use: set(tests_use),
            reaches: set(reaches),
            lib: Some(lib.to_owned()),
            has_page: true,
        };
        let pure = "//! Essay.\n#![no_std]\n";
        [
            ("base", one(&[], &[], &["bytes"], pure)),
            ("gossip", one(&["base"], &["sim"], &["bytes"], pure)),
            ("transport", one(&["base"], &[], &["tokio", "quinn"], "")),
            (
                "node",
                one(&["base", "gossip", "transport"], &[], &["tokio"], pure),
            ),
            ("sim", one(&["base"], &[], &[], "")),
        ]
        .map(|(name, one)| (name.to_owned(), one))
        .into()
    }

    /// The findings after a forgery of the sound graph.
    fn forged(forge: impl FnOnce(&mut Crates)) -> Vec<String> {
        let mut crates = sound();
        forge(&mut crates);
        compare(&parse(TABLE).unwrap(), &crates)
    }

    #[track_caller]
    fn finds(forge: impl FnOnce(&mut Crates), expected: &str) {
        let findings = forged(forge);
        assert!(
            matches!(findings.as_slice(), [one] if one.contains(expected)),
            "{findings:?}"
        );
    }

    fn at<'a>(crates: &'a mut Crates, name: &str) -> &'a mut Crate {
        crates.get_mut(name).unwrap()
    }

    #[test]
    fn a_sound_graph_has_no_findings() {
        assert_eq!(forged(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_edge_is_found() {
        finds(
            |crates| at(crates, "gossip").uses.extend(set(&["transport"])),
            "`gossip` must not depend on `transport`",
        );
        finds(
            |crates| at(crates, "gossip").tests_use.extend(set(&["node"])),
            "the tests of `gossip` must not depend on `node`",
        );
        finds(
            |crates| at(crates, "gossip").uses.extend(set(&["sim"])),
            "must not depend on `sim`",
        );
    }

    #[test]
    fn an_unused_row_and_an_unused_wire_are_found() {
        finds(
            |crates| drop(crates.remove("sim")),
            "a row for `sim`, and there is no such crate",
        );
        finds(
            |crates| at(crates, "node").uses = set(&["base", "transport"]),
            "lets `node` depend on `gossip`, and it does not",
        );
    }

    #[test]
    fn a_crate_without_row_or_page_is_found() {
        finds(
            |crates| {
                drop(crates.insert(
                    "x".into(),
                    Crate {
                        has_page: true,
                        ..Crate::default()
                    },
                ))
            },
            "`x` has no row",
        );
        finds(
            |crates| at(crates, "base").has_page = false,
            "docs/crates/base.md is missing",
        );
    }

    #[test]
    fn a_runtime_below_its_layer_is_found() {
        finds(
            |crates| at(crates, "gossip").reaches.extend(set(&["tokio"])),
            "`gossip` must never see tokio",
        );
        finds(
            |crates| at(crates, "base").reaches.extend(set(&["libsqlite3-sys"])),
            "`base` must never see libsqlite3-sys",
        );
        finds(
            |crates| at(crates, "node").reaches.extend(set(&["axum"])),
            "`node` must never see axum",
        );
    }

    #[test]
    fn a_pure_crate_that_lost_no_std_is_found() {
        finds(
            |crates| at(crates, "base").lib = Some("// #![no_std]\n".into()),
            "`base` has lost",
        );
        finds(
            |crates| at(crates, "node").lib = Some(String::new()),
            "`node` has lost",
        );
        let with_feature = "#![cfg_attr(not(feature = \"runtime\"), no_std)]";
        assert!(forged(|crates| at(crates, "node").lib = Some(with_feature.into())).is_empty());
    }

    #[test]
    fn a_table_that_points_sideways_is_found() {
        let table = TABLE.replace("QUIC | `base`", "QUIC | `base`, `node`");
        let findings = compare(&parse(&table).unwrap(), &sound());
        assert!(
            findings.iter().any(|f| f.contains("not in a layer below")),
            "{findings:?}"
        );
    }

    #[test]
    fn a_table_with_two_rows_for_one_crate_or_none_at_all_is_refused() {
        let twice = format!("{TABLE}| 1 | `base` | x | – | always | x |\n");
        assert!(parse(&twice).unwrap_err().to_string().contains("two rows"));
        assert!(parse("no table").is_err());
    }
}
