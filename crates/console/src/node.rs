//! A [`Node`] behind the [`Control`] trait.

use std::{fmt::Write, time::Duration};

use repute_identity::{NodeId, Ticket};
use repute_node::{Delivered, Delivery, Event, Node};
use tokio::sync::mpsc;

use crate::{
    BanView, Control, ControlError, EventView, ExplainView, MessageView, PeerView, StatusView,
    Stream, TicketView, time::rfc3339,
};

/// Lines that wait for a slow reader at most.
const STREAM_QUEUE: usize = 256;

fn parse_id(text: &str) -> Result<NodeId, ControlError> {
    text.parse()
        .map_err(|error| ControlError::BadRequest(format!("not a peer's id: {error}")))
}

impl Control for Node {
    async fn status(&self) -> Result<StatusView, ControlError> {
        Ok(Node::status(self).await?.into())
    }

    async fn peers(&self) -> Result<Vec<PeerView>, ControlError> {
        let mut peers = Node::peers(self).await?;
        // Active first, then by trust; the id makes the order stable.
        peers.sort_by_key(|peer| {
            (
                !peer.is_active(),
                std::cmp::Reverse(peer.standing.trust),
                peer.view.id,
            )
        });
        Ok(peers.into_iter().map(Into::into).collect())
    }

    async fn peer(&self, id: String) -> Result<PeerView, ControlError> {
        let peer = Node::peer(self, parse_id(&id)?).await?;
        let unknown = || ControlError::NotFound("no such peer is known to this node".into());
        peer.map(Into::into).ok_or_else(unknown)
    }

    async fn explain(&self, id: String) -> Result<ExplainView, ControlError> {
        Ok(Node::explain(self, parse_id(&id)?).await?.into())
    }

    async fn bans(&self) -> Result<Vec<BanView>, ControlError> {
        Ok(Node::bans(self)
            .await?
            .into_iter()
            .map(Into::into)
            .collect())
    }

    async fn ban(
        &self,
        id: String,
        duration: Option<Duration>,
        reason: String,
    ) -> Result<(), ControlError> {
        let id = parse_id(&id)?;
        if id == self.id() {
            return Err(ControlError::Refused("this is the node's own id".into()));
        }
        Ok(Node::ban(self, id, duration, &reason).await?)
    }

    async fn unban(&self, id: String) -> Result<(), ControlError> {
        let id = parse_id(&id)?;
        if !Node::bans(self).await?.iter().any(|ban| ban.subject == id) {
            return Err(ControlError::NotFound(
                "no ban of this peer is in force".into(),
            ));
        }
        Ok(Node::unban(self, id).await?)
    }

    fn ticket(&self) -> Result<TicketView, ControlError> {
        let ticket = Node::ticket(self);
        Ok(TicketView {
            expires: rfc3339(ticket.expires),
            ticket: ticket.to_string(),
        })
    }

    async fn join(&self, ticket: String) -> Result<(), ControlError> {
        let bad = |error: repute_identity::TicketError| ControlError::BadRequest(error.to_string());
        let ticket: Ticket = ticket.parse().map_err(bad)?;
        let now = Node::status(self).await?.wall;
        ticket.check_fresh(now).map_err(bad)?;
        if ticket.node_id() == self.id() {
            return Err(ControlError::Refused(
                "this is the node's own ticket".into(),
            ));
        }
        Ok(Node::join(self, ticket).await?)
    }

    async fn publish(
        &self,
        topic: String,
        kind: u16,
        text: String,
    ) -> Result<String, ControlError> {
        let id = Node::publish_as(self, &topic, kind, false, text.into()).await?;
        Ok(id.to_string())
    }

    async fn subscribe(&self, topic: String) -> Result<Stream<MessageView>, ControlError> {
        let mut subscription = Node::subscribe(self, &topic).await?;
        let (lines, stream) = mpsc::channel(STREAM_QUEUE);
        tokio::spawn(async move {
            let mut lost = 0;
            loop {
                let delivery = tokio::select! {
                    biased;
                    () = lines.closed() => return,
                    delivery = subscription.next_delivery() => delivery,
                };
                let Some(delivery) = delivery else { return };
                let message = match delivery {
                    Delivery::Message(message) => message_view(&message, std::mem::take(&mut lost)),
                    Delivery::Lagged(count) => {
                        lost += count;
                        continue;
                    }
                };
                if lines.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(stream)
    }

    fn events(&self) -> Stream<EventView> {
        let mut events = Node::events(self);
        let (lines, stream) = mpsc::channel(STREAM_QUEUE);
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    biased;
                    () = lines.closed() => return,
                    event = events.next() => event,
                };
                let Some(event) = event else { return };
                if let Some(view) = event_view(&event)
                    && lines.send(view).await.is_err()
                {
                    return;
                }
            }
        });
        stream
    }

    async fn stop(&self) {
        Node::shutdown(self).await;
    }
}

fn message_view(message: &Delivered, lost: u64) -> MessageView {
    let text = std::str::from_utf8(message.data()).ok().map(Into::into);
    let hex = text.is_none().then(|| {
        message.data().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _written = write!(hex, "{byte:02x}");
            hex
        })
    });
    MessageView {
        id: message.id().to_string(),
        topic: message.topic().as_str().into(),
        author: message.author().to_string(),
        sent: rfc3339(message.sent()),
        kind: message.kind(),
        text,
        hex,
        lost,
    }
}

fn event_view(event: &Event) -> Option<EventView> {
    let (name, peer, detail) = match event {
        Event::Connected { peer } => ("connected", peer, String::new()),
        Event::Disconnected { peer, reason } => {
            let reason = reason
                .map(|reason| format!("{reason:?}"))
                .unwrap_or_default();
            ("disconnected", peer, reason)
        }
        Event::Discovered { peer } => ("discovered", peer, String::new()),
        Event::Silent { peer } => ("silent", peer, String::new()),
        Event::Misbehaved { peer, kind } => ("misbehaved", peer, kind.to_string()),
        Event::LevelChanged { peer, from, to } => {
            ("level-changed", peer, format!("{from} to {to}"))
        }
        Event::Warned { peer, kind } => ("warned", peer, kind.to_string()),
        Event::Banned(ban) => ("banned", &ban.subject, ban.reason.to_string()),
        Event::Unbanned { peer, .. } => ("unbanned", peer, String::new()),
        _ => return None,
    };
    Some(EventView {
        event: name.into(),
        peer: peer.to_string(),
        detail,
    })
}
