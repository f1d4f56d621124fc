//! What goes to stdout.

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Prints to stdout. A reader that closed the pipe, such as `head`, ends the command quietly.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let written = anstream::stdout().lock().write_all(text.as_bytes());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            std::process::exit(0);
        }
        other => Ok(other?),
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    print(&format!("{text}\n"))
}
