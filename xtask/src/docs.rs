//! The API documentation, without warnings.

use anyhow::Result;

use crate::process::{cargo, succeed};

pub(crate) fn run() -> Result<bool> {
    let mut command = cargo();
    command.args(["doc", "--workspace", "--no-deps", "--locked"]);
    succeed(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(true)
}
