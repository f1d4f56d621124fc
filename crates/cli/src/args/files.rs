//! Files on the command line.

use std::path::PathBuf;

use clap::Subcommand;

const SHARE_AFTER: &str = "\
Examples:
  repute share holiday.mp4               copied; the ticket is for whoever asks
  repute share --reference /data/big.iso served from where it is
  repute share photos --name summer      a folder, under another name
  repute share --json notes.txt | jq -r .ticket";

const GET_AFTER: &str = "\
Examples:
  repute get TICKET                  into the working directory, by its name
  repute get TICKET -o films/        inside a folder
  repute get HASH -o big.iso         whoever has it is found
  repute get TICKET --dry-run        only say who has it and who is chosen
  repute get TICKET --prefer ID --min-level low
  repute get TICKET --json           one event a line

Ctrl-C pauses (exit code 130); the same command again goes on.";

const TRANSFERS_AFTER: &str = "\
Examples:
  repute transfers                   what is being fetched, and what ended last
  repute transfers pause 3           until it is resumed, over restarts too
  repute transfers resume 3
  repute transfers cancel 3          forgets what came of it";

/// What to share.
#[derive(Debug, clap::Args)]
#[command(after_help = SHARE_AFTER)]
pub(crate) struct Share {
    /// A file or folder
    pub(crate) path: PathBuf,
    /// Serve it from where it is, without a copy; it must not change there
    #[arg(long)]
    pub(crate) reference: bool,
    /// What others are told that it is called [default: its own name]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// What to fetch, from whom, to where.
#[derive(Debug, clap::Args)]
#[command(after_help = GET_AFTER)]
pub(crate) struct Get {
    /// What `repute share` printed there, or the hash
    #[arg(value_name = "TICKET|HASH")]
    pub(crate) what: String,
    /// Where to put it; a folder that is there means inside [default: here, by its name]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Only from this peer; repeats
    #[arg(long, value_name = "ID")]
    pub(crate) from: Vec<String>,
    /// From this peer before others; repeats
    #[arg(long, value_name = "ID")]
    pub(crate) prefer: Vec<String>,
    /// Only from peers of this level or above
    #[arg(long, value_name = "LEVEL", value_parser = ["unknown", "low", "medium", "high", "trusted"])]
    pub(crate) min_level: Option<String>,
    /// Only say who has it, and who would be fetched from and why
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not share it afterwards
    #[arg(long)]
    pub(crate) no_share: bool,
    /// Print nothing but errors, and at last where it is
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// Pause when for so many seconds nobody is there to fetch from (exit code 5)
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) timeout: u64,
}

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Which share: its ticket, or how its hash begins
    #[arg(value_name = "TICKET|HASH", conflicts_with = "all")]
    pub(crate) what: Option<String>,
    /// All that the node keeps; the same as naming nothing
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = TRANSFERS_AFTER)]
pub(crate) struct Transfers {
    #[command(subcommand)]
    pub(crate) command: Option<TransfersCommand>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TransfersCommand {
    /// List what is being fetched, and what ended last
    List,
    /// Stop one until it is resumed, over restarts of the node too
    Pause(Which),
    /// Go on with one
    Resume(Which),
    /// Give one up, and forget what came of it
    Cancel(Which),
}

/// Which transfer.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Which {
    /// Its number, ticket, or how its hash begins [default: the only one there is]
    pub(crate) id: Option<String>,
}
