//! Who races: programs of `xtask/peers` and their arguments.

/// One program with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entrant {
    pub(super) name: &'static str,
    pub(super) program: &'static str,
    args: &'static [&'static str],
    pub(super) role: Role,
    /// Whether it also runs with many nodes.
    pub(super) large: bool,
    /// Whether one signature of an author stands for many messages.
    pub(super) bursts: bool,
}

/// What an entrant's figures are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Our node: judged.
    Ours,
    /// A peer that authenticates authors; the better of them is what we are judged against.
    Signed,
    /// A peer that does not.
    Unsigned,
    /// No network at all: what the machine gives.
    Ceiling,
}

const fn entrant(
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    role: Role,
    large: bool,
    bursts: bool,
) -> Entrant {
    Entrant {
        name,
        program,
        args,
        role,
        large,
        bursts,
    }
}

pub(super) const OURS: &str = "repute";
pub(super) const OURS_SINGLY: &str = "repute singly";
pub(super) const TUNED: &str = "gossipsub tuned";
pub(super) const IROH: &str = "iroh-gossip";
pub(super) const IROH_SIGNED: &str = "iroh-gossip signed";
pub(super) const CEILING: &str = "fanout batch";

/// All that race, in the order of the first round.
pub(super) const ALL: &[Entrant] = &[
    entrant(
        "gossipsub default",
        "gossipsub",
        &["--cfg", "default", "--metrics"],
        Role::Signed,
        true,
        false,
    ),
    entrant(
        OURS,
        "repute-gossip",
        &["--burst", "on"],
        Role::Ours,
        true,
        true,
    ),
    entrant(
        IROH_SIGNED,
        "iroh-gossip",
        &["--signed"],
        Role::Signed,
        true,
        false,
    ),
    entrant(
        CEILING,
        "fanout",
        &["--verify", "batch"],
        Role::Ceiling,
        true,
        false,
    ),
    entrant(
        TUNED,
        "gossipsub",
        &["--cfg", "tuned", "--metrics"],
        Role::Signed,
        true,
        false,
    ),
    entrant(
        OURS_SINGLY,
        "repute-gossip",
        &["--burst", "off"],
        Role::Ours,
        true,
        false,
    ),
    entrant(IROH, "iroh-gossip", &[], Role::Unsigned, true, false),
    entrant(
        "fanout none",
        "fanout",
        // Without signatures more messages pass than fit into the usual book.
        &["--verify", "none", "--cap", "200000"],
        Role::Ceiling,
        false,
        false,
    ),
];

/// Nodes up to which gossipsub's are all connected to each other.
const FULL_MESH_MAX: u16 = 20;

impl Entrant {
    /// The arguments of a run.
    pub(super) fn arguments(&self, nodes: u16, seed: u64) -> Vec<String> {
        let mut words: Vec<String> = self.args.iter().map(|&word| word.to_owned()).collect();
        words.extend(["--n".into(), nodes.to_string()]);
        words.extend(["--seed".into(), seed.to_string()]);
        if self.program == "gossipsub" {
            // A ring and four random dials each, where all to all would be too many.
            let topology = if nodes <= FULL_MESH_MAX {
                "full"
            } else {
                "rand:5"
            };
            words.extend(["--topo".into(), topology.into()]);
        }
        words
    }
}

/// Those whose names begin with one of `wanted`; all if none is named.
pub(super) fn chosen(wanted: &[String]) -> Vec<Entrant> {
    let is_wanted = |one: &&Entrant| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|name| one.name.starts_with(name.as_str()))
    };
    ALL.iter().filter(is_wanted).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entrants_are_chosen_by_the_beginning_of_their_names() {
        assert_eq!(chosen(&[]).len(), ALL.len());
        let names = |wanted: &str| {
            let wanted = [wanted.to_owned()];
            chosen(&wanted)
                .iter()
                .map(|one| one.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("iroh"), [IROH_SIGNED, IROH]);
        assert!(names("nobody").is_empty());
    }

    #[test]
    fn many_gossipsub_nodes_are_not_all_connected() {
        let arguments = |nodes| {
            let all = chosen(&[TUNED.to_owned()]);
            all.first().map(|one| one.arguments(nodes, 1).join(" "))
        };
        assert!(arguments(16).is_some_and(|line| line.ends_with("--n 16 --seed 1 --topo full")));
        assert!(arguments(64).is_some_and(|line| line.ends_with("--topo rand:5")));
    }
}
