//! One function a command.

mod ask;
mod blacklist;
mod config;
mod dht;
mod directory;
mod doctor;
mod files;
mod get;
mod hearsay;
mod id;
mod import_ratings;
mod insight;
mod listen;
mod receipts;
mod replay;
mod stamp;
mod transfers;
mod trust;
mod up;
mod vouch;

use std::path::PathBuf;

use clap::CommandFactory;
use repute_console::Client;
use repute_node::{
    DataDir,
    settings::{Layers, Settings},
};

pub(crate) use insight::parse_percent;

use crate::{
    args::{Args, Command, Global, IdCommand},
    exit::{Exit, Failure},
    print::print,
};

pub(crate) async fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(up) => up::run(global, up).await,
        Command::Demo(demo) => crate::demo::run(global.json, &demo).await,
        Command::Id { command: None } => id::run(global),
        Command::Id {
            command: Some(IdCommand::Stamp { bits }),
        } => stamp::run(global, bits).await,
        Command::Id {
            command: Some(IdCommand::Vouch { id, number }),
        } => vouch::give(global, &id, number),
        Command::Id {
            command: Some(IdCommand::Keep { vouch }),
        } => vouch::keep(global, &vouch).await,
        Command::Id {
            command: Some(IdCommand::DiscoveryKey { rotate }),
        } => id::discovery_key(global, rotate),
        Command::Ticket => ask::ticket(global).await,
        Command::Status { layers } => ask::status(global, layers).await,
        Command::Peers(list) => insight::peers(global, &list).await,
        Command::Peer { id } => ask::peer(global, &id).await,
        Command::Explain { id } => ask::explain(global, &id).await,
        Command::Ban {
            id: Some(id),
            duration,
            reason,
        } => ask::ban(global, id, duration.as_deref(), reason).await,
        Command::Ban { id: None, .. } => ask::bans(global).await,
        Command::Report { id, reason } => hearsay::recommend(global, &id, -1.0, reason).await,
        Command::Blacklist { command, search } => {
            blacklist::run(global, command, search.as_deref()).await
        }
        Command::Appeal { peer, text } => blacklist::appeal(global, &peer, text).await,
        Command::Unban { id } => ask::unban(global, &id).await,
        Command::Join { ticket } => ask::join(global, ticket).await,
        Command::Publish { topic, text, kind } => ask::publish(global, topic, text, kind).await,
        Command::Subscribe {
            topic,
            count,
            timeout,
        } => listen::subscribe(global, &topic, count, timeout).await,
        Command::Advertise(args) => directory::advertise(global, args).await,
        Command::Find(args) => directory::find(global, args).await,
        Command::Dht { command } => dht::run(global, command).await,
        Command::Share(args) => files::share(global, args).await,
        Command::Unshare { what } => files::unshare(global, &what).await,
        Command::Shared => files::shared(global).await,
        Command::Get(args) => get::run(global, args).await,
        Command::Verify(args) => files::verify(global, args).await,
        Command::Transfers(args) => transfers::run(global, args.command).await,
        Command::Events => listen::events(global).await,
        Command::Down => ask::down(global).await,
        Command::Config { command } => config::run(global, &command),
        Command::Trust { command } => trust::run(global, command).await,
        Command::Doctor => doctor::run(global).await,
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "repute", &mut out);
            print(&String::from_utf8_lossy(&out))
        }
        Command::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut out)?;
            print(&String::from_utf8_lossy(&out))
        }
    }
}

/// The data directory that a command talks to.
pub(crate) fn data_dir(global: &Global) -> Result<DataDir, Failure> {
    if let Some(path) = &global.data_dir {
        return Ok(DataDir::new(path));
    }
    DataDir::default_path().map(DataDir::new).map_err(|error| {
        let hint = "name a directory with --data-dir";
        Failure::new(Exit::Config, format!("no data directory: {error}; {hint}"))
    })
}

/// When neighbours see a credential that was just kept: now, if the node runs.
async fn shown_when(global: &Global) -> &'static str {
    let shown = match client(global) {
        Ok(client) => client.show_credentials().await.is_ok(),
        Err(_) => false,
    };
    match shown {
        true => "the running node shows it to its neighbours",
        false => "the node shows it from its next start on",
    }
}

pub(crate) fn client(global: &Global) -> Result<Client, Failure> {
    Ok(Client::connect(data_dir(global)?.control_socket()))
}

/// The settings of all layers; `flags` are those that the command itself has.
pub(crate) fn settings(global: &Global, flags: Vec<(String, String)>) -> Result<Settings, Failure> {
    let file = config_file(global)?;
    let mut all = Vec::new();
    for pair in &global.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::new(Exit::Usage, format!("--set {pair}: expected KEY=VALUE"))
        })?;
        all.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    all.extend(flags);
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("REPUTE_"))
        .collect();
    Ok(Settings::resolve(&Layers {
        file: file.as_deref(),
        environment,
        flags: all,
    })?)
}

/// The file named on the command line, or the one in the data directory if it is there.
fn config_file(global: &Global) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = &global.config {
        return Ok(Some(path.clone()));
    }
    Ok(Some(data_dir(global)?.config_file()).filter(|path| path.exists()))
}
