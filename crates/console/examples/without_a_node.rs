//! The control API of a program that has no node: an implementation of `Control`, a socket, and
//! the client that the command line uses.
//!
//! `cargo run -p repute-console --example without_a_node`

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use repute_console::{
    BanRequest, BanView, Client, Control, ControlError, EventView, ExplainView, Files, MessageView,
    PeerView, Server, StatusView, Stream, TicketView,
};
use tokio::sync::mpsc;

/// Knows nobody, and remembers whom it was told to keep out.
#[derive(Clone, Default)]
struct Hermit {
    bans: Arc<Mutex<Vec<BanView>>>,
}

impl Files for Hermit {}

impl Control for Hermit {
    async fn status(&self) -> Result<StatusView, ControlError> {
        let bans = self.bans().await?.len();
        let blank = serde_json::json!({
            "id": "hermit", "listen": [], "version": "0", "uptime_ms": 0,
            "time": "1970-01-01T00:00:00.000Z", "peers_known": 0, "peers_active": 0,
            "subjects": 0, "bans": bans, "published": 0, "received": 0, "duplicates": 0,
            "forged": 0, "delivered": 0, "lost_deliveries": 0, "unsent": 0, "unchecked": 0,
            "gossip_active": 0, "bytes_in": 0, "bytes_out": 0, "stored_events": 0,
            "damaged_rows": 0, "storage_full": false, "failed_writes": 0, "panics": 0,
        });
        serde_json::from_value(blank).map_err(|error| ControlError::Refused(error.to_string()))
    }
    async fn peers(&self) -> Result<Vec<PeerView>, ControlError> {
        Ok(Vec::new())
    }
    async fn peer(&self, id: String) -> Result<PeerView, ControlError> {
        Err(ControlError::NotFound(format!("nobody knows {id} here")))
    }
    async fn explain(&self, id: String) -> Result<ExplainView, ControlError> {
        Err(ControlError::NotFound(format!("nobody knows {id} here")))
    }
    async fn bans(&self) -> Result<Vec<BanView>, ControlError> {
        let bans = self.bans.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(bans.clone())
    }
    async fn ban(
        &self,
        id: String,
        _duration: Option<Duration>,
        reason: String,
    ) -> Result<(), ControlError> {
        let ban = BanView {
            id,
            rung: "permanent".into(),
            since: "1970-01-01T00:00:00.000Z".into(),
            until: None,
            reason,
            by: "operator".into(),
        };
        let mut bans = self.bans.lock().unwrap_or_else(PoisonError::into_inner);
        bans.push(ban);
        Ok(())
    }
    async fn unban(&self, id: String) -> Result<(), ControlError> {
        let mut bans = self.bans.lock().unwrap_or_else(PoisonError::into_inner);
        bans.retain(|ban| ban.id != id);
        Ok(())
    }
    fn ticket(&self) -> Result<TicketView, ControlError> {
        Err(ControlError::Refused("a hermit invites nobody".into()))
    }
    async fn join(&self, _ticket: String) -> Result<(), ControlError> {
        Err(ControlError::Refused("a hermit joins nobody".into()))
    }
    async fn publish(
        &self,
        _topic: String,
        _kind: u16,
        _text: String,
    ) -> Result<String, ControlError> {
        Err(ControlError::Refused("a hermit says nothing".into()))
    }
    async fn subscribe(&self, _topic: String) -> Result<Stream<MessageView>, ControlError> {
        // Dropping the sender ends the stream.
        Ok(mpsc::channel(1).1)
    }
    fn events(&self) -> Stream<EventView> {
        mpsc::channel(1).1
    }
    async fn stop(&self) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let server = Server::bind(&dir.path().join("control.sock")).await?;
    let client = Client::connect(server.path());
    tokio::spawn(server.serve(Hermit::default()));

    let nuisance = BanRequest {
        id: "nuisance".into(),
        seconds: None,
        reason: "sang at night".into(),
    };
    client.ban(&nuisance).await?;
    println!("{} ban(s)", client.status().await?.bans);
    for ban in client.bans().await?.bans {
        println!("{}: {}", ban.id, ban.reason);
    }
    if let Err(refused) = client.ticket().await {
        println!("no ticket: {refused}");
    }
    Ok(())
}
