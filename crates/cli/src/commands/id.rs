use repute_identity::keystore;
use repute_node::IdentitySource;
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

/// Prints who the node of this data directory is, running or not.
pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let dir = data_dir(global)?;
    let path = dir.identity();
    // Reading the public record needs no passphrase.
    let inception = if path.exists() {
        keystore::inception(&path).map_err(|error| Failure::new(Exit::Config, error.to_string()))?
    } else {
        *IdentitySource::DataDir.open(&dir)?.inception()
    };
    let id = Id {
        id: inception.node_id().to_string(),
        short: inception.node_id().short(),
        key: inception.key.to_string(),
        keystore: path.display().to_string(),
    };
    if global.json {
        print_json(&id)
    } else {
        print(&format!("{}\n", id.id))
    }
}
