//! The command `repute`: a reputation-aware peer-to-peer node.
//!
//! This crate never speaks a protocol of its own: it starts a node, or asks a running one through
//! its control socket.

mod args;
mod commands;
mod demo;
mod exit;
mod print;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::{
    args::{Args, Global},
    exit::Exit,
};

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(command) = args.command else {
        return explain_itself();
    };
    start_logs(&args.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Exit::Failure.report(&format!("cannot start: {error}")),
    };
    match runtime.block_on(commands::run(&args.global, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit.report(&failure.message),
    }
}

/// `repute` alone: what it is, and what to type.
fn explain_itself() -> ExitCode {
    // A closed pipe is no failure of ours.
    let _shown = Args::command().print_help();
    ExitCode::SUCCESS
}

/// Logs go to stderr; `RUST_LOG` refines them. Text from peers is escaped by the formatter.
fn start_logs(global: &Global) {
    let level = match global.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new(format!(
            "{level},quinn=warn,quinn_proto=warn,rustls=warn"
        ))
    });
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if global.log_json {
        logs.json().init();
    } else {
        logs.with_ansi(show::colour_on_stderr()).init();
    }
}
