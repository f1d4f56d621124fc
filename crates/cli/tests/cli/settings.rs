//! Where a value of the configuration comes from.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::{repute, run, succeeds};

/// Value and origin of the fanout under these layers.
fn fanout(dir: &TempDir, env: Option<&str>, flags: &[&str]) -> (u64, String) {
    let mut command = repute();
    command.arg("--data-dir").arg(dir.path()).args(flags);
    command.args(["--json", "config", "show", "--origin"]);
    if let Some(value) = env {
        command.env("REPUTE_GOSSIP_FANOUT", value);
    }
    let shown: Value = serde_json::from_str(&succeeds(&command.output().unwrap())).unwrap();
    let setting = &shown["gossip.fanout"];
    let origin = setting["origin"].as_str().unwrap();
    (setting["value"].as_u64().unwrap(), origin.to_owned())
}

#[test]
fn a_flag_goes_over_the_environment_over_the_file_over_the_profile_over_the_default() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("repute.toml");
    assert_eq!(fanout(&dir, None, &[]), (4, "default".into()));
    fs::write(&file, "profile = \"high-throughput\"\n").unwrap();
    let profile = (5, "profile high-throughput".into());
    assert_eq!(fanout(&dir, None, &[]), profile);
    let text = "profile = \"high-throughput\"\n[gossip]\nfanout = 6\n";
    fs::write(&file, text).unwrap();
    let in_file = (6, file.display().to_string());
    assert_eq!(fanout(&dir, None, &[]), in_file);
    let in_environment = (7, "$REPUTE_GOSSIP_FANOUT".into());
    assert_eq!(fanout(&dir, Some("7"), &[]), in_environment);
    let flag = ["--set", "gossip.fanout=8"];
    assert_eq!(fanout(&dir, Some("7"), &flag), (8, "flag".into()));
}

#[test]
fn the_shown_configuration_is_a_configuration() {
    let dir = TempDir::new().unwrap();
    let shown = succeeds(&run(dir.path(), &["config", "show", "--origin"]));
    fs::write(dir.path().join("repute.toml"), &shown).unwrap();
    let again = succeeds(&run(dir.path(), &["config", "check"]));
    assert!(again.contains("sound"), "{again}");
}

#[test]
fn the_template_is_a_configuration_once_uncommented() {
    let dir = TempDir::new().unwrap();
    let template = succeeds(&run(dir.path(), &["config", "template"]));
    let uncommented: String = template
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(dir.path().join("repute.toml"), uncommented).unwrap();
    succeeds(&run(dir.path(), &["config", "check"]));
}

#[test]
fn a_wrong_value_names_the_key_the_value_the_origin_and_the_range() {
    let dir = TempDir::new().unwrap();
    let mut command = repute();
    command.arg("--data-dir").arg(dir.path());
    command
        .env("REPUTE_PEERS_MAX", "many")
        .args(["config", "show"]);
    let output = command.output().unwrap();
    for word in [
        "`peers.max` = \"many\"",
        "$REPUTE_PEERS_MAX",
        "whole number",
    ] {
        crate::fails(&output, 3, word);
    }
}

#[test]
fn a_list_is_read_as_people_type_it_and_as_toml() {
    let dir = TempDir::new().unwrap();
    let announced = |text: &str| {
        let set = format!("announce={text}");
        let words = ["--json", "--set", &set, "config", "show"];
        let shown: Value = serde_json::from_str(&succeeds(&run(dir.path(), &words))).unwrap();
        shown["announce"]["value"].clone()
    };
    let v6 = "[2001:db8::1]:7717";
    assert_eq!(announced(v6), serde_json::json!([v6]));
    let both = serde_json::json!([v6, "192.0.2.1:7717"]);
    assert_eq!(announced(&format!("{v6}, 192.0.2.1:7717")), both);
    assert_eq!(announced(&both.to_string()), both);
    assert_eq!(announced(""), serde_json::json!([]));
}
