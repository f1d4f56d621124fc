use std::io::IsTerminal;

use repute_console::Server;
use repute_identity::keystore::{self, Passphrase};
use repute_node::{DataDir, Event, IdentitySource, Node, NodeConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::{data_dir, settings};
use crate::{
    args::{Global, Up},
    exit::{Exit, Failure},
    print::print_json,
    show::colour_on_stderr,
};

/// Runs a node until it is told to stop.
pub(super) async fn run(global: &Global, up: Up) -> Result<(), Failure> {
    let dir = data_dir(global)?;
    let settings = settings(global, flags(&up))?;
    let mut config = NodeConfig::from_settings(&settings, dir.path())?;
    config.set_corrupt_aside = up.set_corrupt_aside;
    config.identity = IdentitySource::Keystore {
        passphrase: passphrase(&dir, up.passphrase)?,
    };
    let first_start = !dir.identity().exists();
    dir.create().map_err(|error| {
        Failure::new(
            Exit::Config,
            format!("cannot make {}: {error}", dir.path().display()),
        )
    })?;
    // The control socket comes first: it tells at once whether another node is running here.
    let server = Server::bind(&dir.control_socket())
        .await
        .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let ended = serve(global, &dir, config, server, first_start).await;
    // Also of a node that did not start: the socket is this process's.
    let _removed = std::fs::remove_file(dir.control_socket());
    ended
}

/// Starts the node and answers on its control socket until it is told to stop.
async fn serve(
    global: &Global,
    dir: &DataDir,
    config: NodeConfig,
    server: Server,
    first_start: bool,
) -> Result<(), Failure> {
    let node = Node::start(config).await?;
    greet(global, dir, &node, first_start)?;

    let mut stopped = node.events();
    let control = node.clone();
    let serving = tokio::spawn(server.serve(control));
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        () = ended(&mut stopped) => {}
    }
    anstream::eprintln!("stopping");
    node.shutdown().await;
    serving.abort();
    Ok(())
}

/// Returns once the node has stopped by itself.
async fn ended(events: &mut repute_node::EventStream) {
    while let Some(event) = events.next().await {
        if let Event::Banned(ban) = event {
            tracing::info!(peer = %ban.subject, reason = %ban.reason, "banned");
        }
    }
}

/// Flags in the words of the configuration.
fn flags(up: &Up) -> Vec<(String, String)> {
    let mut flags = Vec::new();
    let mut set = |key: &str, value: String| flags.push((key.to_owned(), value));
    if let Some(listen) = up.listen {
        set("listen", listen.to_string());
    }
    if !up.join.is_empty() {
        set("bootstrap", up.join.join(","));
    }
    if !up.announce.is_empty() {
        let all: Vec<String> = up.announce.iter().map(ToString::to_string).collect();
        set("announce", all.join(","));
    }
    if let Some(profile) = up.profile {
        set("profile", profile.name().to_owned());
    }
    if up.lan {
        set("lan", "true".to_owned());
    }
    flags
}

/// The passphrase of the key: asked for only if the key is encrypted, or is to be.
fn passphrase(dir: &DataDir, wanted: bool) -> Result<Option<Passphrase>, Failure> {
    let path = dir.identity();
    let refused = |error: String| Failure::new(Exit::Config, error);
    let chosen = |text: String| {
        Passphrase::new(text)
            .map(Some)
            .map_err(|error| refused(error.to_string()))
    };
    let exists = path.exists();
    let encrypted =
        exists && keystore::is_encrypted(&path).map_err(|error| refused(error.to_string()))?;
    if !encrypted && (exists || !wanted) {
        return Ok(None);
    }
    if let Ok(text) = std::env::var("REPUTE_PASSPHRASE") {
        return chosen(text);
    }
    if !std::io::stdin().is_terminal() {
        return Err(refused(format!(
            "{} is encrypted and there is no terminal to ask on: set REPUTE_PASSPHRASE",
            path.display()
        )));
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| refused(error.to_string()))
    };
    let first = ask("passphrase: ")?;
    if !exists && ask("again: ")? != first {
        return Err(refused("the two passphrases differ".into()));
    }
    chosen(first)
}

/// What a person sees: on stdout the ticket for scripts, on stderr what to type next.
fn greet(global: &Global, dir: &DataDir, node: &Node, first_start: bool) -> Result<(), Failure> {
    let ticket = node.ticket().to_string();
    let listen: Vec<String> = node.addresses().iter().map(ToString::to_string).collect();
    if global.json {
        return print_json(&serde_json::json!({
            "id": node.id().to_string(),
            "ticket": ticket,
            "listen": listen,
        }));
    }
    let (bold, plain) = if colour_on_stderr() {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    let at = match &global.data_dir {
        Some(path) => format!(" --data-dir {}", path.display()),
        None => String::new(),
    };
    anstream::eprintln!(
        "{bold}repute{plain} node {} listening on {}",
        node.id().short(),
        listen.join(", ")
    );
    if first_start {
        anstream::eprintln!(
            "a new identity was made; move {} to a safe place offline",
            dir.recovery().display()
        );
    }
    anstream::eprintln!("\nOn another machine (or with another --data-dir) type:\n");
    anstream::println!("repute up --join {ticket}");
    anstream::eprintln!("\nHere, in another terminal:\n");
    anstream::eprintln!("  repute{at} peers             who is linked, and how far trusted");
    anstream::eprintln!("  repute{at} subscribe news    hear messages");
    anstream::eprintln!("  repute{at} publish news hi   say something");
    anstream::eprintln!("  repute{at} status            how this node is\n\nCtrl-C stops.");
    Ok(())
}
