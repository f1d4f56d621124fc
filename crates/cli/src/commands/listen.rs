//! Commands that print what comes until they are stopped.

use std::time::Duration;

use repute_console::{EventView, MessageView};

use super::client;
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{escaped, short},
};

pub(super) async fn subscribe(
    global: &Global,
    topic: &str,
    count: Option<u64>,
    timeout: Option<u64>,
) -> Result<(), Failure> {
    let print_all = async {
        let mut lines = client(global)?.subscribe(topic).await?;
        anstream::eprintln!("listening on {}; Ctrl-C ends", escaped(topic));
        let mut seen = 0;
        while count.is_none_or(|count| seen < count) {
            let Some(message) = lines.next().await? else {
                return Err(Failure::new(Exit::Failure, "the node has stopped"));
            };
            seen += 1;
            if global.json {
                print_json(&message)?
            } else {
                print(&message_text(&message))?
            }
        }
        Ok(())
    };
    let Some(seconds) = timeout else {
        return print_all.await;
    };
    match tokio::time::timeout(Duration::from_secs(seconds), print_all).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(
            Exit::Timeout,
            format!("nothing more came within {seconds} s"),
        )),
    }
}

fn message_text(message: &MessageView) -> String {
    let text = match (&message.text, &message.hex) {
        (Some(text), _) => escaped(text),
        (None, Some(hex)) => format!("0x{hex}"),
        (None, None) => String::new(),
    };
    let lost = match message.lost {
        0 => String::new(),
        lost => format!("({lost} messages were lost: this reader is too slow)\n"),
    };
    format!("{lost}{}  {text}\n", short(&message.author))
}

pub(super) async fn events(global: &Global) -> Result<(), Failure> {
    let mut lines = client(global)?.events().await?;
    anstream::eprintln!("listening for events; Ctrl-C ends");
    while let Some(event) = lines.next().await? {
        if global.json {
            print_json(&event)?
        } else {
            print(&event_text(&event))?
        }
    }
    Err(Failure::new(Exit::Failure, "the node has stopped"))
}

fn event_text(event: &EventView) -> String {
    format!(
        "{:<13} {:<11} {}\n",
        event.event,
        short(&event.peer),
        escaped(&event.detail)
    )
}
