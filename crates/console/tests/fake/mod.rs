//! A `Control` without a node: it knows what it is given, and remembers what it was asked.

pub mod files;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use repute_console::{
    BanView, Control, ControlError, EventView, ExplainView, MessageView, PeerView, StandingView,
    StatusView, Stream, TicketView,
};
use tokio::sync::mpsc;

#[derive(Clone, Default)]
pub struct Fake {
    pub peers: Arc<Vec<PeerView>>,
    pub asked: Arc<Mutex<Vec<String>>>,
    pub messages: Arc<Mutex<Vec<MessageView>>>,
    /// Keeps the subscription open after its messages.
    pub hold: Arc<Mutex<Vec<mpsc::Sender<MessageView>>>>,
    /// What happens to every transfer.
    pub news: Arc<Mutex<Vec<repute_console::TransferEvent>>>,
    pub stopping: bool,
    pub disk_full: bool,
}

type Answer<T> = Result<T, ControlError>;

pub fn id(number: usize) -> String {
    format!("peer{number:0>48}")
}

pub fn standing() -> StandingView {
    StandingView {
        trust: 0.5,
        belief: 0.0,
        uncertainty: 1.0,
        level: "unknown".into(),
        gate: "open".into(),
        until: None,
    }
}

pub fn peer(number: usize) -> PeerView {
    PeerView {
        id: id(number),
        state: "known".into(),
        standing: standing(),
        addresses: vec!["192.0.2.1:7717".into()],
        last_seen: "2026-11-21T08:00:00.000Z".into(),
        failures: 0,
        encrypted_transfer: "unknown".into(),
        interactions: 0,
        uptime: 0.5,
        link: None,
    }
}

pub fn message(number: usize) -> MessageView {
    MessageView {
        id: format!("message{number}"),
        topic: "news".into(),
        author: id(1),
        sent: "2026-11-21T08:00:00.000Z".into(),
        kind: 0,
        text: Some("one line\nand another".into()),
        hex: None,
        lost: 0,
    }
}

impl Fake {
    pub fn with_peers(count: usize) -> Self {
        Self {
            peers: Arc::new((0..count).map(peer).collect()),
            ..Self::default()
        }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn known(&self, id: &str) -> Answer<PeerView> {
        let found = self.peers.iter().find(|peer| peer.id == id).cloned();
        found.ok_or_else(|| ControlError::NotFound("no such peer is known".into()))
    }
}

impl Control for Fake {
    async fn status(&self) -> Answer<StatusView> {
        if self.stopping {
            return Err(ControlError::Unavailable("the node is stopping".into()));
        }
        Ok(StatusView {
            id: id(0),
            listen: vec!["127.0.0.1:7717".into()],
            version: "1.2.3".into(),
            uptime_ms: 1,
            time: "2026-11-21T08:00:00.000Z".into(),
            peers_known: self.peers.len(),
            peers_active: 0,
            subjects: 0,
            bans: 0,
            published: 0,
            received: 0,
            duplicates: 0,
            forged: 0,
            delivered: 0,
            lost_deliveries: 0,
            unsent: 0,
            unchecked: 0,
            gossip_active: 0,
            layers: Vec::new(),
            discovery: repute_console::DiscoveryView::default(),
            files: None,
            bytes_in: 0,
            bytes_out: 0,
            stored_events: 0,
            damaged_rows: 0,
            storage_full: false,
            failed_writes: 0,
            panics: 0,
        })
    }

    async fn peers(&self) -> Answer<Vec<PeerView>> {
        Ok(self.peers.to_vec())
    }

    async fn peer(&self, id: String) -> Answer<PeerView> {
        self.note(format!("peer {id}"));
        self.known(&id)
    }

    async fn explain(&self, id: String) -> Answer<ExplainView> {
        let peer = self.known(&id)?;
        Ok(ExplainView {
            id: peer.id,
            time: peer.last_seen,
            standing: peer.standing,
            matches: true,
            mismatch: None,
            ban: None,
            useful: 0.0,
            hard: 0.0,
            soft: 0.0,
            prior: 0.5,
            recommendations: Vec::new(),
            events: Vec::new(),
        })
    }

    async fn bans(&self) -> Answer<Vec<BanView>> {
        Ok(vec![BanView {
            id: id(9),
            rung: "permanent".into(),
            since: "2026-11-21T08:00:00.000Z".into(),
            until: None,
            reason: "by the operator: \u{1b}[31mred".into(),
            by: "operator".into(),
        }])
    }

    async fn ban(&self, id: String, duration: Option<Duration>, reason: String) -> Answer<()> {
        self.note(format!("ban {id} {duration:?} {reason}"));
        if self.disk_full {
            return Err(ControlError::NotDurable("free some space".into()));
        }
        Ok(())
    }

    async fn unban(&self, id: String) -> Answer<()> {
        self.note(format!("unban {id}"));
        self.known(&id).map(drop)
    }

    async fn recommend(&self, id: String, value: i8, reason: String) -> Answer<()> {
        self.note(format!("recommend {id} {value} {reason}"));
        Ok(())
    }

    async fn trust_sources(&self) -> Answer<Vec<repute_console::TrustSource>> {
        Ok(Vec::new())
    }

    async fn withdraw(&self, id: String) -> Answer<()> {
        self.note(format!("withdraw {id}"));
        Ok(())
    }

    async fn readmit(&self, id: String) -> Answer<()> {
        self.note(format!("readmit {id}"));
        Ok(())
    }

    fn ticket(&self) -> Answer<TicketView> {
        Ok(TicketView {
            ticket: "reputeticket".into(),
            expires: "2026-12-21T08:00:00.000Z".into(),
        })
    }

    async fn join(&self, ticket: String) -> Answer<()> {
        self.note(format!("join {ticket}"));
        if ticket == "own" {
            return Err(ControlError::Refused(
                "this is the node's own ticket".into(),
            ));
        }
        Ok(())
    }

    async fn publish(&self, topic: String, kind: u16, text: String) -> Answer<String> {
        self.note(format!("publish {topic} {kind} {}", text.len()));
        Ok("name".into())
    }

    async fn subscribe(&self, topic: String) -> Answer<Stream<MessageView>> {
        self.note(format!("subscribe {topic}"));
        let messages = self.messages.lock().unwrap().clone();
        let (lines, stream) = mpsc::channel(messages.len().max(1));
        for message in messages {
            lines.try_send(message).unwrap();
        }
        self.hold.lock().unwrap().push(lines);
        Ok(stream)
    }

    fn events(&self) -> Stream<EventView> {
        let (lines, stream) = mpsc::channel(2);
        for event in ["connected", "banned"] {
            let view = EventView {
                event: event.into(),
                peer: id(1),
                detail: String::new(),
            };
            lines.try_send(view).unwrap();
        }
        stream
    }

    async fn stop(&self) {
        self.note("stop".into());
    }
}
