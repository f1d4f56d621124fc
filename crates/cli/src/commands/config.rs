use std::collections::BTreeMap;

use repute_node::{NodeConfig, settings::Settings};
use serde::Serialize;

use super::{data_dir, settings};
use crate::{
    args::{ConfigCommand, Global},
    exit::{Exit, Failure},
    print::{print, print_json},
};

#[derive(Serialize)]
struct Shown {
    value: serde_json::Value,
    origin: String,
}

pub(super) fn run(global: &Global, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Template => print(&Settings::documented_defaults()),
        ConfigCommand::Check => check(global),
        ConfigCommand::Show { origin } => show(global, *origin),
    }
}

/// Says all that is unsound, and fails if anything is.
fn check(global: &Global) -> Result<(), Failure> {
    let settings = settings(global, Vec::new())?;
    let problems = NodeConfig::problems(&settings)?;
    if problems.is_empty() {
        NodeConfig::from_settings(&settings, data_dir(global)?.path())?;
    }
    if global.json {
        print_json(&serde_json::json!({ "ok": problems.is_empty(), "problems": problems }))?;
    } else if problems.is_empty() {
        print("the configuration is sound\n")?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    let all = problems.join("\n  ");
    let message = format!("unsound configuration:\n  {all}");
    Err(Failure::new(Exit::Config, message))
}

fn show(global: &Global, with_origin: bool) -> Result<(), Failure> {
    let settings = settings(global, Vec::new())?;
    if global.json {
        let shown: BTreeMap<&str, Shown> = settings
            .iter()
            .map(|(name, setting)| {
                let value = serde_json::to_value(&setting.value).unwrap_or_default();
                (
                    name,
                    Shown {
                        value,
                        origin: setting.origin.to_string(),
                    },
                )
            })
            .collect();
        return print_json(&shown);
    }
    let mut out = String::new();
    for (name, setting) in settings.iter() {
        out.push_str(&format!("{name} = {}", setting.value));
        if with_origin {
            out.push_str(&format!("  # {}", setting.origin));
        }
        out.push('\n');
    }
    print(&out)
}
