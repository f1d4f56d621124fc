//! The DHT and the directory on the command line.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum DhtCommand {
    /// Keep a value in the DHT, under a name of this node's own, as long as the node runs
    #[command(group(clap::ArgGroup::new("content").required(true).args(["value", "file"])))]
    Put {
        /// Under which name, at most 64 bytes
        name: String,
        /// The value, at most 1,024 bytes
        value: Option<String>,
        /// Take the value from a file; `-` reads stdin
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// How long copies outlive this node, such as 30m or 24h
        #[arg(long, value_name = "TIME", default_value = "24h")]
        lifetime: String,
    },
    /// Print what is kept at a key, or by an author under a name
    Get {
        /// The key, as `repute dht put` prints it
        #[arg(required_unless_present = "name", conflicts_with_all = ["name", "author"])]
        key: Option<String>,
        /// Whose value: an id [default: this node's]
        #[arg(long, value_name = "ID", requires = "name")]
        author: Option<String>,
        /// Under which name
        #[arg(long)]
        name: Option<String>,
        /// Take the first valid answer; it may not be the newest
        #[arg(long)]
        first: bool,
        /// List the records of all authors at this key
        #[arg(long, conflicts_with = "first")]
        all: bool,
    },
    /// Show the table, what is kept, and what was asked and refused
    Stats,
    /// Find the nodes closest to a place
    Lookup {
        /// A node's id, or a key
        target: String,
        /// Print each step
        #[arg(long)]
        trace: bool,
    },
}

/// What to offer.
#[derive(Debug, clap::Args)]
pub(crate) struct Advertise {
    /// Services, such as relay or signer:spend
    #[arg(required_unless_present_any = ["list", "retract"])]
    pub(crate) services: Vec<String>,
    /// The least amount, in the service's unit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) min: u64,
    /// The greatest amount [default: any]
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<u64>,
    /// The key that the service is done with, in hex; each of ten keys has one advertisement
    /// [default: this node's own]
    #[arg(long, value_name = "HEX")]
    pub(crate) key: Option<String>,
    /// What is asked of others; repeats
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) criterion: Vec<String>,
    /// Whatever else there is to say: a file of at most 4,096 bytes; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata: Option<PathBuf>,
    /// How long others find it after this node is gone, 10m to 6h
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) lifetime: String,
    /// List what this node offers: what was advertised and not retracted, before a restart too
    #[arg(long, conflicts_with_all = ["services", "retract"])]
    pub(crate) list: bool,
    /// Take back what is offered for --key, or all
    #[arg(long, conflicts_with = "services")]
    pub(crate) retract: bool,
}

/// What to look for.
#[derive(Debug, clap::Args)]
pub(crate) struct Find {
    /// A service such as signer:spend, a family such as signer, or all
    pub(crate) kind: String,
    /// Only who takes this amount or more
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) min_amount: u64,
    /// Only who takes this amount or less
    #[arg(long, value_name = "N")]
    pub(crate) max_amount: Option<u64>,
    /// Only those trusted so much, 0 to 1; a stranger has 0.5
    #[arg(long, value_name = "TRUST")]
    pub(crate) min_trust: Option<f64>,
    /// Only those with such a score by a model (peer, transfer, network, relay: 0 to 1; signing: 0
    /// to 100), as `repute trust score` shows it; repeats
    #[arg(long, value_name = "MODEL=VALUE")]
    pub(crate) min_score: Vec<String>,
    /// Only identities of this class or above: free, vouched (by a stamp, or the word of an anchor)
    /// or anchored (in `trust.anchors` of this node)
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// Only who asks exactly this of others; repeats
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) criterion: Vec<String>,
    /// Only what this node offers: its id
    #[arg(long, value_name = "ID")]
    pub(crate) author: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) limit: usize,
    /// How long to search at most, in seconds; with --watch, how long to watch
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
    /// Only what is known already
    #[arg(long)]
    pub(crate) local: bool,
    /// Go on, and print what becomes known
    #[arg(long)]
    pub(crate) watch: bool,
}
