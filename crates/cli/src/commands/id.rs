use repute_identity::{Inception, keystore};
use repute_node::{DataDir, IdentitySource};
use serde::Serialize;

use super::data_dir;
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
};

#[derive(Serialize)]
struct Id {
    id: String,
    short: String,
    key: String,
    keystore: String,
}

/// The record of this data directory's identity, which is made if there is none.
pub(super) fn inception(dir: &DataDir) -> Result<Inception, Failure> {
    let path = dir.identity();
    if path.exists() {
        // Reading the public record needs no passphrase.
        return keystore::inception(&path)
            .map_err(|error| Failure::new(Exit::Config, error.to_string()));
    }
    Ok(*IdentitySource::DataDir.open(dir)?.inception())
}

/// Prints who the node of this data directory is, running or not.
pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let dir = data_dir(global)?;
    let inception = inception(&dir)?;
    let id = Id {
        id: inception.node_id().to_string(),
        short: inception.node_id().short(),
        key: inception.key.to_string(),
        keystore: dir.identity().display().to_string(),
    };
    if global.json {
        print_json(&id)
    } else {
        print(&format!("{}\n", id.id))
    }
}

#[derive(Serialize)]
struct DiscoveryKey {
    discovery_key: String,
    keystore: String,
    rotated: bool,
}

/// Prints under which key the node of this data directory publishes where it listens, or makes a
/// new one.
pub(super) fn discovery_key(global: &Global, rotate: bool) -> Result<(), Failure> {
    let dir = data_dir(global)?;
    let refused = |error: String| Failure::new(Exit::Config, error);
    dir.create().map_err(|error| refused(error.to_string()))?;
    let path = dir.discovery();
    let secret = if rotate {
        keystore::rotate_discovery(&path)
    } else {
        keystore::discovery(&path)
    };
    let key = secret.map_err(|error| refused(error.to_string()))?.public();
    if global.json {
        return print_json(&DiscoveryKey {
            discovery_key: key.to_string(),
            keystore: path.display().to_string(),
            rotated: rotate,
        });
    }
    if rotate && dir.control_socket().exists() {
        anstream::eprintln!("a node that runs here publishes under it from its next start on");
    }
    print(&format!("{key}\n"))
}
