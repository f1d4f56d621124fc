//! Exit codes, one meaning each. They are documented in `repute --help` and tested.

use std::process::ExitCode;

use repute_console::ClientError;
use repute_node::{NodeError, StartError, StartStep, settings::SettingsError};

/// Why the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did not work.
    Failure = 1,
    /// The command line makes no sense (clap uses the same number).
    Usage = 2,
    /// The configuration, data directory or key was refused.
    Config = 3,
    /// No node is running there.
    NotRunning = 4,
    /// There is no such peer or ban.
    NotFound = 5,
    /// The node refused by its own rules.
    Refused = 6,
    /// It took too long.
    Timeout = 124,
    /// Ctrl-C, where that leaves something to go on with (as shells number the signal).
    Interrupted = 130,
}

impl Exit {
    pub(crate) fn report(self, message: &str) -> ExitCode {
        anstream::eprintln!("repute: {message}");
        ExitCode::from(self as u8)
    }
}

/// What to say and how to exit.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl Failure {
    /// A file of the data directory that cannot be read or written.
    pub(crate) fn from_file(error: std::io::Error) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NotRunning { .. } => Exit::NotRunning,
            ClientError::TooLong { .. } => Exit::Usage,
            ClientError::Problem(problem) => match problem.status {
                400 | 413 => Exit::Usage,
                404 => Exit::NotFound,
                409 => Exit::Refused,
                _ => Exit::Failure,
            },
            _ => Exit::Failure,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match error.step {
            StartStep::Transport | StartStep::Bootstrap | StartStep::Background => Exit::Failure,
            _ => Exit::Config,
        };
        let remedy = if error.is_corrupt_store() {
            " with `repute up --set-corrupt-aside`"
        } else {
            ""
        };
        Self::new(exit, format!("{error}{remedy}"))
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}
