//! The layers of the configuration, and what they refuse.
#![cfg(feature = "runtime")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use repute_node::{
    Config, NodeConfig,
    settings::{KEYS, Kind, Layers, Origin, Profile, Settings, SettingsError},
};
use tempfile::TempDir;

type Resolved = Result<Settings, SettingsError>;

/// The layers of one case.
#[derive(Default)]
struct Case {
    file: String,
    environment: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

impl Case {
    fn file(text: &str) -> Self {
        Self {
            file: text.into(),
            ..Self::default()
        }
    }

    fn env(mut self, of: &[(&str, &str)]) -> Self {
        self.environment = pairs(of);
        self
    }

    fn flags(mut self, of: &[(&str, &str)]) -> Self {
        self.flags = pairs(of);
        self
    }

    fn resolve(&self) -> Resolved {
        let dir = tempfile::tempdir().unwrap();
        self.resolve_in(&dir)
    }

    fn resolve_in(&self, dir: &TempDir) -> Resolved {
        let path = dir.path().join("repute.toml");
        fs::write(&path, &self.file).unwrap();
        Settings::resolve(&Layers {
            file: Some(&path),
            environment: self.environment.clone(),
            flags: self.flags.clone(),
        })
    }

    /// What a node makes of it.
    fn node(&self) -> Result<NodeConfig, SettingsError> {
        NodeConfig::from_settings(&self.resolve()?, "data".as_ref())
    }
}

fn flags(of: &[(&str, &str)]) -> Case {
    Case::default().flags(of)
}

#[track_caller]
fn value(settings: &Settings, key: &str) -> (String, Origin) {
    let setting = settings.value(key).unwrap();
    (setting.value.to_string(), setting.origin.clone())
}

fn refusal<T: std::fmt::Debug>(result: Result<T, SettingsError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn flags_win_over_environment_over_file_over_profile_over_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repute.toml");
    let mut case = Case::default();
    let fanout = |case: &Case| value(&case.resolve_in(&dir).unwrap(), "gossip.fanout");
    assert_eq!(fanout(&case), ("4".into(), Origin::Default));
    case = Case::file("profile = \"high-throughput\"");
    let profile = Origin::Profile(Profile::HighThroughput);
    assert_eq!(fanout(&case), ("5".into(), profile));
    case = Case::file("profile = \"high-throughput\"\n[gossip]\nfanout = 6");
    assert_eq!(fanout(&case), ("6".into(), Origin::File(path)));
    case = case.env(&[("REPUTE_GOSSIP_FANOUT", "7"), ("PATH", "8")]);
    let variable = Origin::Environment("REPUTE_GOSSIP_FANOUT".into());
    assert_eq!(fanout(&case), ("7".into(), variable));
    case = case.flags(&[("gossip.fanout", "8")]);
    assert_eq!(fanout(&case), ("8".into(), Origin::Flag));
    // Of two flags the last one counts.
    case = case.flags(&[("gossip.fanout", "8"), ("gossip.fanout", "9")]);
    assert_eq!(fanout(&case), ("9".into(), Origin::Flag));
}

#[test]
fn a_profile_lies_below_the_file_wherever_it_is_named() {
    let case = Case::file("[gossip]\nfanout = 6").flags(&[("profile", "low-resource")]);
    let settings = case.resolve().unwrap();
    assert_eq!(value(&settings, "gossip.fanout").0, "6");
    assert_eq!(value(&settings, "peers.max").0, "20");
    // A later layer's profile takes the place of an earlier one's, and nothing of that stays.
    let case = Case::file("profile = \"low-resource\"").flags(&[("profile", "high-throughput")]);
    let settings = case.resolve().unwrap();
    assert_eq!(value(&settings, "peers.max").0, "100");
    assert_eq!(value(&settings, "gossip.cache_messages").1, Origin::Default);
    let case = Case::file("profile = \"low-resource\"").flags(&[("profile", "")]);
    assert_eq!(value(&case.resolve().unwrap(), "peers.max").0, "64");
}

#[test]
fn every_profile_is_sound_and_sets_keys_that_exist() {
    for profile in Profile::ALL {
        let case = flags(&[("profile", profile.name())]);
        let settings = case.resolve().unwrap();
        for (name, expected) in profile.values() {
            let found = value(&settings, name);
            assert_eq!(found, (expected.to_string(), Origin::Profile(profile)));
        }
        case.node().unwrap();
    }
}

#[test]
fn the_defaults_are_those_of_the_engines() {
    let configured = Case::default().node().unwrap().core;
    let plain = Config::on_network("repute");
    assert_eq!(configured.network, plain.network);
    assert_eq!(configured.peers, plain.peers);
    assert_eq!(configured.dht, plain.dht);
    let engines = |config: &Config| {
        format!(
            "{:#?} {:#?} {:#?}",
            config.gossip, config.trust, config.limits
        )
    };
    assert_eq!(engines(&configured), engines(&plain));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    for (case, key, meant, origin) in [
        (
            Case::file("[gossip]\nfanot = 4"),
            "gossip.fanot",
            "gossip.fanout",
            "repute.toml",
        ),
        (
            flags(&[("gosip.fanout", "4")]),
            "gosip.fanout",
            "gossip.fanout",
            "flag",
        ),
        (
            Case::default().env(&[("REPUTE_PEERS_MXA", "4")]),
            "peers.mxa",
            "peers.max",
            "$REPUTE_PEERS_MXA",
        ),
        (Case::file("listn = 1"), "listn", "listen", "repute.toml"),
    ] {
        match case.resolve().unwrap_err() {
            SettingsError::UnknownKey {
                key: found,
                suggestion,
                origin: from,
            } => {
                assert_eq!((found.as_str(), suggestion), (key, Some(meant)));
                assert!(from.to_string().ends_with(origin), "{from}");
            }
            other => panic!("{other}"),
        }
    }
    let far = refusal(Case::file("nothing_like_it = 1").resolve());
    assert!(!far.contains("did you mean"), "{far}");
    // A section is no key, and a key no section.
    for text in ["gossip = 1", "[listen]\nx = 1", "[gossip.fanout]\nx = 1"] {
        assert!(Case::file(text).resolve().is_err(), "{text}");
    }
    // A key's name cannot steer the terminal.
    let steering = refusal(Case::file("\"\\u001b[31m\" = 1").resolve());
    assert!(!steering.contains('\u{1b}'), "{steering:?}");
    // Variables of the program itself are not of the configuration.
    let ours = [("REPUTE_DATA_DIR", "x"), ("REPUTE_SEED", "1")];
    Case::default().env(&ours).resolve().unwrap();
}

#[test]
fn a_value_out_of_range_is_refused_with_key_range_and_origin() {
    for (key, given, range) in [
        ("gossip.fanout", "2", "3 to 32"),
        ("gossip.fanout", "33", "3 to 32"),
        ("gossip.fanout", "4.5", "whole number"),
        ("gossip.fanout", "", "whole number"),
        ("gossip.fanout", "4\npeers.max = 5", "whole number"),
        ("gossip.fanout", "9223372036854775808", "whole number"),
        ("peers.max", "-1", "2 to 1024"),
        ("trust.min", "0.51", "0 to 0.5"),
        ("trust.min", "nan", "0 to 0.5"),
        ("trust.min", "inf", "0 to 0.5"),
        ("lan", "yes", "true or false"),
        ("limits.loopback", "loose", "per-port, strict"),
        ("profile", "fast", "high-throughput"),
        ("bootstrap", "[1]", "list of at most 64"),
    ] {
        let text = refusal(flags(&[(key, given)]).resolve());
        assert!(
            text.starts_with("flag") && text.contains(key) && text.contains(range),
            "{text}"
        );
    }
    let wrong_type = refusal(Case::file("listen = 7717").resolve());
    assert!(wrong_type.contains("repute.toml") && wrong_type.contains("`listen` = 7717"));
    let long = refusal(flags(&[("network", &"x".repeat(5_000))]).resolve());
    assert!(long.contains("128 bytes") && long.len() < 400, "{long}");
}

#[test]
fn texts_that_are_no_addresses_or_tickets_are_refused_by_their_key() {
    for (key, given) in [
        ("listen", "everywhere"),
        ("listen", ""),
        ("announce", "203.0.113.5"),
        ("bootstrap", "\u{1b}[31mticket"),
    ] {
        let text = refusal(flags(&[(key, given)]).node());
        assert!(text.contains(key) && text.contains("expected"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
    let node = flags(&[
        ("listen", "127.0.0.1:7717"),
        ("announce", "203.0.113.5:7717, [2001:db8::1]:7717"),
    ]);
    let node = node.node().unwrap();
    assert_eq!(node.listen.port(), 7717);
    assert_eq!(node.announce.len(), 2);
}

#[test]
fn values_that_are_unsound_together_are_refused() {
    for pairs in [
        // A stranger would stand below the line.
        &[("trust.initial", "0.2")][..],
        // One soft fault would cut everybody off.
        &[("trust.min", "0.5")],
        &[("peers.min", "100")],
        &[("peers.outbound", "100")],
    ] {
        let case = flags(pairs);
        case.resolve().unwrap();
        assert!(
            matches!(case.node(), Err(SettingsError::Unsound(_))),
            "{pairs:?}"
        );
    }
}

#[test]
fn a_node_of_two_links_can_be_configured() {
    let small = [
        ("peers.min", "1"),
        ("peers.max", "2"),
        ("peers.outbound", "1"),
    ];
    let core = flags(&small).node().unwrap().core;
    assert_eq!(core.peers.max_peers, 2);
}

#[test]
fn every_key_works_alone_at_both_ends_of_its_range_or_is_named_as_unsound() {
    for key in KEYS {
        let ends: [String; 2] = match key.kind {
            Kind::Int(low, high) => [low.to_string(), high.to_string()],
            Kind::Float(low, high) => [format!("{low:?}"), format!("{high:?}")],
            Kind::Bool => ["true".into(), "false".into()],
            Kind::Choice(words) => [
                (*words.first().unwrap()).into(),
                (*words.last().unwrap()).into(),
            ],
            _ => continue,
        };
        for end in ends {
            let case = flags(&[(key.name, &end)]);
            case.resolve().unwrap();
            match case.node() {
                Ok(_) | Err(SettingsError::Unsound(_)) => {}
                Err(other) => panic!("{} = {end}: {other}", key.name),
            }
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let resolve = |path: PathBuf| {
        Settings::resolve(&Layers {
            file: Some(&path),
            ..Layers::default()
        })
    };
    let written = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        resolve(path)
    };
    let missing = refusal(resolve(dir.path().join("missing.toml")));
    assert!(missing.contains("missing.toml"), "{missing}");
    let read = |result: Resolved| matches!(result, Err(SettingsError::Read { .. }));
    assert!(read(resolve(dir.path().into())));
    assert!(read(written("latin.toml", b"network = \"\xe9\"")));
    let long = written("long.toml", &vec![b'#'; (1 << 20) + 1]);
    assert!(matches!(long, Err(SettingsError::FileTooLong { .. })));
    let broken = refusal(written("broken.toml", b"[gossip\nfanout"));
    assert!(
        broken.contains("broken.toml") && broken.contains("line 1"),
        "{broken}"
    );
    for deep in [
        "[".repeat(100_000),
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{a=".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
    ] {
        written("deep.toml", deep.as_bytes()).unwrap_err();
    }
}

#[test]
fn the_documented_defaults_are_a_file_that_changes_nothing() {
    let template = Settings::documented_defaults();
    let as_is = Case::file(&template).resolve().unwrap();
    assert!(
        as_is
            .iter()
            .all(|(_, setting)| setting.origin == Origin::Default)
    );
    let is_default = |line: &str| {
        KEYS.iter().any(|key| {
            let name = key.name.rsplit('.').next().unwrap();
            line == format!("{name} = {}", key.default)
        })
    };
    let uncommented: Vec<&str> = template
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_default(rest) => rest,
            _ => line,
        })
        .collect();
    let settings = Case::file(&uncommented.join("\n")).resolve().unwrap();
    for (name, setting) in settings.iter() {
        let default = as_is.value(name).unwrap();
        assert_eq!(setting.value, default.value, "{name}");
        assert!(matches!(setting.origin, Origin::File(_)), "{name}");
    }
}

/// TOML-like text: real keys and sections, values of all kinds, and noise.
fn toml() -> impl Strategy<Value = String> {
    let names = KEYS
        .iter()
        .flat_map(|key| key.name.split('.'))
        .collect::<Vec<_>>();
    let name = prop_oneof![
        4 => prop::sample::select(names.clone()).prop_map(str::to_owned),
        1 => "[a-z\"._ -]{0,12}",
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:?}")),
        Just("nan".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<String>().prop_map(|s| format!("{s:?}")),
        prop::collection::vec(any::<String>(), 0..70).prop_map(|list| format!("{list:?}")),
        Just("{ a = 1 }".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        any::<String>(),
    ];
    let line = prop_oneof![
        4 => (name, value).prop_map(|(name, value)| format!("{name} = {value}")),
        1 => prop::sample::select(names).prop_map(|name| format!("[{name}]")),
        1 => any::<String>(),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_file_makes_a_panic(text in toml()) {
        // What is accepted is either sound or refused as a whole; both without a panic.
        drop(Case::file(&text).node());
    }

    #[test]
    fn no_flag_or_variable_makes_a_panic(
        key in prop::sample::select(KEYS.iter().map(|key| key.name).collect::<Vec<_>>()),
        text in any::<String>(),
        number in any::<f64>(),
    ) {
        drop(flags(&[(key, &text)]).node());
        drop(flags(&[(key, &number.to_string())]).node());
        drop(flags(&[(&text, key)]).node());
        let name = format!("REPUTE_{}", text.to_ascii_uppercase());
        drop(Case::default().env(&[(&name, &text)]).node());
    }
}
