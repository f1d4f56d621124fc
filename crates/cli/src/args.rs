//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use repute_node::settings::Profile;

mod directory;
mod files;

pub(crate) use directory::{Advertise, DhtCommand, Find};
pub(crate) use files::{Get, Share, Transfers, TransfersCommand, Verify, Which};

const AFTER: &str = "\
First steps:
  repute demo                     watch a network catch a liar, no set-up
  repute up                       run a node; it prints what to type elsewhere
  repute up --join TICKET         join the node that printed TICKET
  repute publish news hello       say it; `repute subscribe news` hears it
  repute share FILE               prints a ticket; `repute get TICKET` gets it

Exit codes: 0 done, 1 failed, 2 usage, 3 configuration or data directory,
4 no node running, 5 not found, 6 refused, 124 took too long, 130 Ctrl-C.";

/// A reputation-aware peer-to-peer node: find peers, spread messages, keep score.
#[derive(Debug, Parser)]
#[command(
    name = "repute",
    version = version(),
    after_help = AFTER,
    propagate_version = true,
    term_width = 80
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The program's version and the protocol's.
const fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (wire protocol 1)")
}

#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Which node: the directory of its key, store and control socket
    #[arg(long, global = true, value_name = "DIR", env = "REPUTE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file [default: repute.toml in the data directory, if there]
    #[arg(long, global = true, value_name = "FILE", env = "REPUTE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Set one key of the configuration, such as gossip.fanout=5; repeats
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write logs as JSON, a line each
    #[arg(long, global = true, env = "REPUTE_LOG_JSON")]
    pub(crate) log_json: bool,
    /// Say more on stderr; repeats
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node until Ctrl-C
    Up(Up),
    /// Run a whole network on this machine and watch it catch a liar
    Demo(Demo),
    /// Print this node's id; make its key if there is none
    Id {
        #[command(subcommand)]
        command: Option<IdCommand>,
    },
    /// Print the running node's ticket, to be given to others
    Ticket,
    /// Say how the running node is
    Status {
        /// Show the eight layers that everything inbound passes, and what each refused
        #[arg(long)]
        layers: bool,
    },
    /// List known peers, best first
    Peers(ListPeers),
    /// Show one peer
    Peer {
        /// Its id
        id: String,
    },
    /// Say why a peer has the score it has, event by event
    Explain {
        /// Its id
        id: String,
    },
    /// Keep a peer out, or list the bans
    Ban {
        /// Whom; without it, the bans in force are listed
        id: Option<String>,
        /// For how long, such as 90m, 24h or 30d [default: for good]
        #[arg(long = "for", value_name = "TIME")]
        duration: Option<String>,
        /// Why, for people
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Complain about a peer: it is noted here, and told to others where hearsay.share says so
    Report {
        /// About whom
        id: String,
        /// Why, for people; it stays on this node
        #[arg(long)]
        reason: String,
    },
    /// Let a banned peer back in
    Unban {
        /// Whose ban
        id: String,
    },
    /// Show and change who is kept out: identities, addresses and prefixes
    Blacklist {
        #[command(subcommand)]
        command: Option<BlacklistCommand>,
        /// Only entries in which this text occurs
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Ask the operator of a node that turns this one away to think again
    Appeal {
        /// Which node: its id
        peer: String,
        /// What to say, at most 128 bytes
        #[arg(long)]
        text: String,
    },
    /// Join the network through another node
    Join {
        /// What `repute ticket` printed there, or that node's id: then the DHT is asked where it is
        ticket: String,
    },
    /// Spread a message
    Publish {
        /// Where it belongs
        topic: String,
        /// What it says; `-` reads lines from stdin, a message each
        text: String,
        /// A number of your application's own
        #[arg(long, default_value_t = 0)]
        kind: u16,
    },
    /// Print the messages of a topic as they come
    Subscribe {
        /// Which topic
        topic: String,
        /// Stop after so many
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        /// Give up after so many seconds without enough messages (exit code 124)
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Offer services until they are retracted, list or take back what is offered
    Advertise(Advertise),
    /// Find who offers a service; exit code 5 if nobody does
    Find(Find),
    /// Values and nodes in the distributed hash table
    Dht {
        #[command(subcommand)]
        command: DhtCommand,
    },
    /// Share a file or folder; prints the ticket that others get it with
    Share(Share),
    /// Share something no longer
    Unshare {
        /// Its ticket, or how its hash begins
        #[arg(value_name = "TICKET|HASH")]
        what: String,
    },
    /// List what this node shares
    Shared,
    /// Fetch a file or folder from the best of those who have it
    Get(Get),
    /// Hold what is kept against its hashes; exit code 1 if anything is damaged
    Verify(Verify),
    /// List, pause, resume and cancel what is being fetched
    Transfers(Transfers),
    /// Print what happens as it happens
    Events,
    /// Stop the running node
    Down,
    /// Show or check the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Evidence and judgement
    Trust {
        #[command(subcommand)]
        command: TrustCommand,
    },
    /// Find out what is wrong, in plain words
    Doctor,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// UDP address to listen on, such as 0.0.0.0:7717; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// A ticket of a node to join through; repeats
    #[arg(long, value_name = "TICKET")]
    pub(crate) join: Vec<String>,
    /// Addresses to tell others instead of those listened on; repeats
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) announce: Vec<SocketAddr>,
    /// A tuning: high-throughput, low-resource or high-security
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Profile>,
    /// Find peers on the local network
    #[arg(long)]
    pub(crate) lan: bool,
    /// Put a corrupt database aside and begin an empty one: bans and trust are forgotten
    #[arg(long)]
    pub(crate) set_corrupt_aside: bool,
    /// Ask for the passphrase of the key (or read $REPUTE_PASSPHRASE)
    #[arg(long)]
    pub(crate) passphrase: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// How many nodes, the two misbehaving ones included
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(4..=64))]
    pub(crate) nodes: u16,
    /// Fixes identities and choices, so that a run can be repeated
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Run to the verdict and exit
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every key with its value
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Check the configuration without starting anything
    Check,
    /// Print a configuration file with every key explained
    Template,
}

/// Which peers to list.
#[derive(Debug, clap::Args)]
pub(crate) struct ListPeers {
    /// How many at most
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
    /// Only these levels: trusted, high, medium, low, unknown, distrusted; with commas between
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub(crate) level: Vec<String>,
    /// Only those that answered so many of a hundred probes, such as 90%
    #[arg(long, value_name = "PERCENT", value_parser = crate::commands::parse_percent)]
    pub(crate) min_uptime: Option<f64>,
    /// Only those that take encrypted transfers
    #[arg(long)]
    pub(crate) encrypted: bool,
    /// Only those that are not known to take encrypted transfers
    #[arg(long, conflicts_with = "encrypted")]
    pub(crate) no_encryption: bool,
    /// Best score, most interactions or latest seen first [default: linked ones, then by trust]
    #[arg(long, value_name = "ORDER", value_parser = ["score", "interactions", "last-seen"])]
    pub(crate) sort: Option<String>,
    /// Only ids that begin so
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
}

/// Whom to choose, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Best {
    /// Candidates, by id [default: all known peers]
    pub(crate) ids: Vec<String>,
    /// How many must pass the gates; fewer are an error
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) min: usize,
    /// How many at most
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<usize>,
    /// By which model: peer, transfer, network, signing, relay
    #[arg(long, value_name = "NAME", default_value = "transfer")]
    pub(crate) model: String,
    /// Pessimistic estimates, and nobody tried out
    #[arg(long)]
    pub(crate) high_stakes: bool,
    /// Only those that take encrypted transfers
    #[arg(long)]
    pub(crate) encrypted: bool,
    /// Of a hundred places, how many go to unknown peers of class 1 and above
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) explore: u8,
    /// Equal seeds choose alike
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdCommand {
    /// Spend computing time on this node's id, so that its word counts: class 1
    Stamp {
        /// Zero bits to search for; each doubles the time
        #[arg(long, default_value_t = 28, value_parser = clap::value_parser!(u8).range(1..=64))]
        bits: u8,
    },
    /// Give another node your word that it is no throw-away; counts where your id is an anchor
    Vouch {
        /// Its id
        id: String,
        /// Which of your five words of the year this is
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=4))]
        number: u8,
    },
    /// Print the key under which this node publishes where it listens; make it if there is none
    DiscoveryKey {
        /// Make a new one: tickets with the old one lead to addresses alone from the next start on
        #[arg(long)]
        rotate: bool,
    },
    /// Keep a word that somebody gave for this node
    Keep {
        /// What `repute id vouch` printed there
        vouch: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlacklistCommand {
    /// List the entries
    List {
        /// Only those in which this text occurs
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Add an entry, or replace the one of this target
    Add {
        /// A peer's id, an IP address, or a prefix such as 192.0.2.0/24
        target: String,
        /// Why, for people, at most 128 bytes
        #[arg(long, default_value = "")]
        reason: String,
        /// For how long, such as 90m, 24h or 30d [default: for good]
        #[arg(long = "for", value_name = "TIME")]
        duration: Option<String>,
    },
    /// Change why or until when an entry is there
    Edit {
        /// Whom it names
        target: String,
        /// The new reason
        #[arg(long)]
        reason: Option<String>,
        /// How long it lasts from now
        #[arg(long = "for", value_name = "TIME")]
        duration: Option<String>,
        /// It lasts for good from now on
        #[arg(long, conflicts_with = "duration")]
        for_good: bool,
    },
    /// Remove an entry
    Remove {
        /// Whom it names
        target: String,
    },
    /// Remove every entry
    Clear {
        /// Really
        #[arg(long)]
        yes: bool,
    },
    /// Take in a list that somebody exported
    Import {
        /// Which file
        file: PathBuf,
        /// Only say what it would do; works without a running node
        #[arg(long)]
        preview: bool,
        /// Take it in without asking
        #[arg(long)]
        yes: bool,
    },
    /// Write the entries as a list for others
    Export {
        /// To which file [default: print it]
        file: Option<PathBuf>,
    },
    /// List what the operators of banned peers had to say
    Appeals {
        /// Forget what this peer had to say
        #[arg(long, value_name = "ID")]
        dismiss: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Judge the stored evidence by other parameters: --config FILE or --set KEY=VALUE
    Replay {
        /// How many changed scores to show
        #[arg(long, value_name = "N", default_value_t = 20)]
        top: usize,
    },
    /// List what peers signed about each other: receipts, claims, proven faults
    Receipts {
        /// Only those in which this peer has a part
        id: Option<String>,
    },
    /// Show what was observed of all peers, or of one
    Metrics {
        /// Its id
        id: Option<String>,
    },
    /// Score a peer by a model, part by part
    Score {
        /// Its id
        id: String,
        /// By which model: peer, transfer, network, signing, relay
        #[arg(long, value_name = "NAME", default_value = "network")]
        model: String,
    },
    /// Rank candidates: gates first, then the known by score, then the unknown
    Best(Best),
    /// Show a peer's past: its score over time, interactions, changes of level
    History {
        /// Its id
        id: String,
    },
    /// Count levels, and name the best
    Stats {
        /// How many of the best
        #[arg(long, value_name = "N", default_value_t = 10)]
        top: usize,
    },
    /// Recommend a peer, or warn of it: noted here, and told to others where hearsay.share says so
    Recommend {
        /// Whom
        id: String,
        /// From -1 (warn) to 1 (recommend)
        #[arg(allow_negative_numbers = true)]
        value: f64,
        /// Why, for people; it stays on this node
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List whose recommendations count, and whom they move by how much
    Sources,
    /// Take a source of recommendations out, as if it had never been heard, and keep it out
    Withdraw {
        /// Its id, as `repute trust sources` prints it
        source: String,
        /// Listen to it again from now on
        #[arg(long)]
        undo: bool,
    },
    /// Judge people who rated one another, from a file; no node is needed
    ImportRatings {
        /// Rows SOURCE,TARGET,RATING,TIME with ratings from -10 to 10; `-` reads stdin
        file: PathBuf,
        /// Whose view it is: names in the file that you trust, with commas between [default: the
        /// five most active raters, for exploration only]
        #[arg(long, value_name = "ID", value_delimiter = ',')]
        anchors: Vec<String>,
    },
}
