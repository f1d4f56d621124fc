//! A [`Node`] behind the [`Control`] trait.

use std::{fmt::Write, time::Duration};

use repute_identity::{NodeId, Ticket};
use repute_node::{Delivered, Delivery, Event, Node};
use tokio::sync::mpsc;

use crate::{
    AddRequest, AdvertiseRequest, AdvertisedView, AppealView, BanView, BestRequest, BlacklistView,
    Control, ControlError, DhtGetQuery, DhtLookupQuery, DhtLookupView, DhtPutRequest, DhtPutView,
    DhtRecordsView, DhtStatsView, EditRequest, EventView, ExplainView, FindRequest, FoundView,
    HistoryView, MessageView, MetricsView, OfferView, OwnOfferView, PeerView, Peers, PeersQuery,
    ReceiptsView, RefusalView, ScoreView, SelectionView, StatsView, StatusView, Stream, TicketView,
    TrustSource, blacklist_node, dht_node, directory_node, files_node, insight_node, time::rfc3339,
};

/// Lines that wait for a slow reader at most.
const STREAM_QUEUE: usize = 256;

pub(crate) fn parse_id(text: &str) -> Result<NodeId, ControlError> {
    text.parse()
        .map_err(|error| ControlError::BadRequest(format!("not a peer's id: {error}")))
}

impl Control for Node {
    async fn status(&self) -> Result<StatusView, ControlError> {
        let mut status = StatusView::from(Node::status(self).await?);
        // A node without files is no less well.
        status.files = self.files_status().await.ok().map(files_node::files);
        Ok(status)
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

    async fn peers_by(&self, query: PeersQuery) -> Result<Peers, ControlError> {
        insight_node::peers(self, query).await
    }

    async fn metrics(&self) -> Result<Vec<MetricsView>, ControlError> {
        insight_node::metrics(self).await
    }

    async fn metrics_of(&self, id: String) -> Result<MetricsView, ControlError> {
        let metrics = Node::metrics_of(self, parse_id(&id)?).await?;
        Ok(MetricsView::new(id, &metrics))
    }

    async fn score(&self, id: String, model: String) -> Result<ScoreView, ControlError> {
        let scored = Node::score(self, parse_id(&id)?, &model).await?;
        Ok(ScoreView::new(id, &scored))
    }

    async fn best(&self, request: BestRequest) -> Result<SelectionView, ControlError> {
        insight_node::best(self, request).await
    }

    async fn history(&self, id: String) -> Result<HistoryView, ControlError> {
        insight_node::history(self, id).await
    }

    async fn stats(&self, top: usize) -> Result<StatsView, ControlError> {
        Ok(Node::summary(self, top).await?.into())
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

    async fn recommend(&self, id: String, value: i8, reason: String) -> Result<(), ControlError> {
        Ok(Node::recommend(self, parse_id(&id)?, value, &reason).await?)
    }

    async fn trust_sources(&self) -> Result<Vec<TrustSource>, ControlError> {
        let sources = Node::sources(self).await?;
        Ok(sources.into_iter().map(Into::into).collect())
    }

    async fn withdraw(&self, id: String) -> Result<(), ControlError> {
        Ok(Node::withdraw(self, parse_id(&id)?).await?)
    }

    async fn readmit(&self, id: String) -> Result<(), ControlError> {
        Ok(Node::readmit(self, parse_id(&id)?).await?)
    }

    async fn receipts(&self, id: Option<String>) -> Result<ReceiptsView, ControlError> {
        let about = id.as_deref().map(parse_id).transpose()?;
        Ok(Node::receipts(self, about).await?.into())
    }

    async fn show_credentials(&self) -> Result<(), ControlError> {
        Ok(Node::show_credentials(self).await?)
    }

    async fn dht_stats(&self) -> Result<DhtStatsView, ControlError> {
        dht_node::stats(self).await
    }

    async fn dht_put(&self, request: DhtPutRequest) -> Result<DhtPutView, ControlError> {
        dht_node::put(self, request).await
    }

    async fn dht_get(&self, wanted: DhtGetQuery) -> Result<DhtRecordsView, ControlError> {
        dht_node::get(self, wanted).await
    }

    async fn dht_lookup(&self, wanted: DhtLookupQuery) -> Result<DhtLookupView, ControlError> {
        dht_node::lookup(self, wanted).await
    }

    async fn advertise(&self, request: AdvertiseRequest) -> Result<AdvertisedView, ControlError> {
        directory_node::advertise(self, request).await
    }

    async fn offers(&self) -> Result<Vec<OwnOfferView>, ControlError> {
        directory_node::offers(self).await
    }

    async fn retract(&self, key: Option<String>) -> Result<usize, ControlError> {
        directory_node::retract(self, key).await
    }

    async fn find_services(&self, request: FindRequest) -> Result<FoundView, ControlError> {
        directory_node::find(self, request).await
    }

    async fn watch_services(
        &self,
        request: FindRequest,
    ) -> Result<Stream<OfferView>, ControlError> {
        directory_node::watch(self, request).await
    }

    async fn blacklist(&self) -> Result<BlacklistView, ControlError> {
        Ok(Node::blacklist(self).await?.into())
    }

    async fn blacklist_add(&self, request: AddRequest) -> Result<(), ControlError> {
        blacklist_node::add(self, request).await
    }

    async fn blacklist_edit(&self, request: EditRequest) -> Result<(), ControlError> {
        blacklist_node::edit(self, request).await
    }

    async fn blacklist_remove(&self, target: Option<String>) -> Result<usize, ControlError> {
        blacklist_node::remove(self, target).await
    }

    async fn appeals(&self) -> Result<Vec<AppealView>, ControlError> {
        let appeals = Node::appeals(self).await?;
        Ok(appeals.into_iter().map(Into::into).collect())
    }

    async fn dismiss_appeal(&self, id: String) -> Result<(), ControlError> {
        blacklist_node::dismiss(self, parse_id(&id)?).await
    }

    async fn appeal(&self, id: String, text: String) -> Result<bool, ControlError> {
        blacklist_node::appeal(self, parse_id(&id)?, &text).await
    }

    async fn refusals(&self) -> Result<Vec<RefusalView>, ControlError> {
        let refusals = Node::refusals(self).await?;
        Ok(refusals.into_iter().map(Into::into).collect())
    }

    fn ticket(&self) -> Result<TicketView, ControlError> {
        let ticket = Node::ticket(self);
        Ok(TicketView {
            expires: rfc3339(ticket.expires),
            ticket: ticket.to_string(),
        })
    }

    async fn join(&self, ticket: String) -> Result<(), ControlError> {
        if let Ok(peer) = ticket.parse::<NodeId>() {
            return join_by_id(self, peer).await;
        }
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
        Event::Recommended { by, peer, value } => {
            let detail = format!("{:+.2} by {by}", f64::from(*value) / 100.0);
            ("recommended", peer, detail)
        }
        Event::SourceWithdrawn { source } => ("source-withdrawn", source, String::new()),
        Event::Banned(ban) => ("banned", &ban.subject, ban.reason.to_string()),
        Event::Unbanned { peer, .. } => ("unbanned", peer, String::new()),
        Event::Refused(refusal) => (
            "refused",
            &refusal.peer,
            format!(
                "{}: {}; try again at {}",
                refusal.reason,
                refusal.detail.escaped(),
                rfc3339(refusal.retry_at)
            ),
        ),
        Event::Appeal { peer, sent: true } => ("appeal-sent", peer, String::new()),
        Event::Appeal { peer, sent: false } => ("appeal-failed", peer, String::new()),
        Event::Appealed { peer, text } => ("appealed", peer, text.escaped().to_string()),
        _ => return None,
    };
    Some(EventView {
        event: name.into(),
        peer: peer.to_string(),
        detail,
    })
}

/// Dials a node that is known by its id alone, where the DHT says that it is.
async fn join_by_id(node: &Node, peer: NodeId) -> Result<(), ControlError> {
    if peer == node.id() {
        return Err(ControlError::Refused("this is the node's own id".into()));
    }
    if node.dht_resolve(peer).await?.records.is_empty() {
        let problem = "the DHT does not know where this node is: join it with its ticket";
        return Err(ControlError::NotFound(problem.into()));
    }
    Ok(())
}
