//! What lies in a data directory, and what is refused there.

use std::{
    fs::{self, Permissions},
    net::UdpSocket,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use tempfile::TempDir;

use crate::{fails, repute, run, running::Running, stdout, succeeds};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_id_makes_a_key_that_only_its_owner_reads_and_stays_the_same() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("new").join("data");
    let id = succeeds(&run(&data, &["id"]));
    assert_eq!(id.trim().len(), 52, "{id}");
    assert_eq!(mode(&data.join("identity.key")), 0o600);
    assert_eq!(mode(&data.join("recovery.key")), 0o600);
    assert_eq!(mode(&data), 0o700);
    assert_eq!(succeeds(&run(&data, &["id"])), id);
}

#[test]
fn a_discovery_key_is_another_than_the_identitys_and_can_be_rotated() {
    let dir = TempDir::new().unwrap();
    let said = |words: &[&str]| {
        let output = succeeds(&run(dir.path(), &[words, &["--json"]].concat()));
        let said: serde_json::Value = serde_json::from_str(&output).unwrap();
        said
    };
    let first = said(&["id", "discovery-key"]);
    assert_eq!(mode(&dir.path().join("discovery.key")), 0o600);
    assert_eq!(said(&["id", "discovery-key"]), first);
    assert_ne!(said(&["id"])["key"], first["discovery_key"]);
    let second = said(&["id", "discovery-key", "--rotate"]);
    assert_eq!(second["rotated"], true);
    assert_ne!(second["discovery_key"], first["discovery_key"]);
    let bare = succeeds(&run(dir.path(), &["id", "discovery-key"]));
    assert_eq!(bare.trim(), second["discovery_key"]);
    fs::set_permissions(
        dir.path().join("discovery.key"),
        Permissions::from_mode(0o644),
    )
    .unwrap();
    fails(&run(dir.path(), &["id", "discovery-key"]), 3, "600");
}

#[test]
fn the_data_directory_is_where_the_system_keeps_data() {
    let dir = TempDir::new().unwrap();
    let output = repute()
        .env("XDG_DATA_HOME", dir.path())
        .env("HOME", dir.path())
        .arg("id")
        .output()
        .unwrap();
    succeeds(&output);
    assert!(dir.path().join("repute").join("identity.key").is_file());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = TempDir::new().unwrap();
    succeeds(&run(dir.path(), &["id"]));
    let key = dir.path().join("identity.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let up = ["up", "--listen", "127.0.0.1:0"];
    for command in [&["id"][..], &up] {
        let output = run(dir.path(), command);
        fails(&output, 3, "identity.key");
        fails(&output, 3, "600");
    }
}

#[test]
fn a_damaged_key_and_a_foreign_database_are_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let up = ["up", "--listen", "127.0.0.1:0"];
    let store = dir.path().join("store.sqlite3");
    let foreign = b"this is somebody's letter, not a database of ours".repeat(20);
    fs::write(&store, &foreign).unwrap();
    let output = run(dir.path(), &up);
    fails(&output, 3, "store.sqlite3");
    assert_eq!(stdout(&output), "");
    assert_eq!(fs::read(&store).unwrap(), foreign);
    let key = dir.path().join("identity.key");
    fs::write(&key, b"no key").unwrap();
    fails(&run(dir.path(), &up), 3, "identity.key");
    assert_eq!(fs::read(&key).unwrap(), b"no key");
}

#[test]
fn the_control_socket_is_its_owners_only() {
    let node = Running::alone();
    assert_eq!(mode(&node.path().join("control.sock")), 0o600);
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let output = run(&file, &["up", "--listen", "127.0.0.1:0"]);
    fails(&output, 3, "file");
}

#[test]
fn a_data_directory_with_too_long_a_name_for_a_socket_says_so() {
    let dir = TempDir::new().unwrap();
    let deep = dir.path().join("d".repeat(120));
    let output = run(&deep, &["up", "--listen", "127.0.0.1:0"]);
    fails(&output, 3, "--data-dir");
}

#[test]
fn a_node_that_could_not_start_leaves_no_socket_behind() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &["up", "--listen", &address]);
    fails(&output, 1, &address);
    assert!(dir.path().join("identity.key").exists());
    assert!(!dir.path().join("control.sock").exists());
}

#[test]
fn a_corrupt_database_is_refused_until_it_may_be_set_aside() {
    let mut node = Running::alone();
    node.text(&["down"]);
    let store = node.path().join("store.sqlite3");
    let whole = fs::read(&store).unwrap();
    fs::write(&store, &whole[..5_000]).unwrap();
    let up = ["up", "--listen", "127.0.0.1:0"];
    fails(&run(node.path(), &up), 3, "--set-corrupt-aside");
    assert_eq!(fs::read(&store).unwrap(), &whole[..5_000]);
    let id = node.id().to_owned();
    node.start_again(&["--set-corrupt-aside"]);
    assert_eq!(node.json(&["status"])["id"], id);
    let aside = fs::read_dir(node.path()).unwrap().any(|file| {
        let name = file.unwrap().file_name();
        name.to_string_lossy().starts_with("store.sqlite3.corrupt")
    });
    assert!(aside);
}
