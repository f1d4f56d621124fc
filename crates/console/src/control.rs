use std::{future::Future, time::Duration};

use tokio::sync::mpsc;

use crate::{
    AddRequest, AdvertiseRequest, AdvertisedView, AppealView, BanView, BestRequest, BlacklistView,
    ControlError, DhtGetQuery, DhtLookupQuery, DhtLookupView, DhtPutRequest, DhtPutView,
    DhtRecordsView, DhtStatsView, EditRequest, EventView, ExplainView, Files, FindRequest,
    FoundView, HistoryView, MessageView, MetricsView, OfferView, OwnOfferView, PeerView, Peers,
    PeersQuery, ReceiptsView, RefusalView, ScoreView, SelectionView, StatsView, StatusView,
    TicketView, TrustSource, insight_node,
};

/// A bounded stream of things that happen; it ends when the node stops.
pub type Stream<T> = mpsc::Receiver<T>;

type Answer<T> = Result<T, ControlError>;

/// What the control API asks of a node.
pub trait Control: Files {
    /// How the node is.
    fn status(&self) -> impl Future<Output = Answer<StatusView>> + Send;
    /// All known peers, best first.
    fn peers(&self) -> impl Future<Output = Answer<Vec<PeerView>>> + Send;
    /// One known peer.
    fn peer(&self, id: String) -> impl Future<Output = Answer<PeerView>> + Send;
    /// Known peers that pass a filter, in the order asked for. What keeps no metrics knows no
    /// filter, and answers with a page of all.
    fn peers_by(&self, query: PeersQuery) -> impl Future<Output = Answer<Peers>> + Send {
        async move {
            let peers = self.peers().await?;
            let total = peers.len();
            let peers = insight_node::page(peers, &query);
            Ok(Peers { peers, total })
        }
    }
    /// The metrics of all peers.
    fn metrics(&self) -> impl Future<Output = Answer<Vec<MetricsView>>> + Send {
        async { Err(no_metrics()) }
    }
    /// The metrics of one peer.
    fn metrics_of(&self, _id: String) -> impl Future<Output = Answer<MetricsView>> + Send {
        async { Err(no_metrics()) }
    }
    /// The score of a peer by a model.
    fn score(&self, _id: String, _model: String) -> impl Future<Output = Answer<ScoreView>> + Send {
        async { Err(no_metrics()) }
    }
    /// The best of some candidates.
    fn best(&self, _request: BestRequest) -> impl Future<Output = Answer<SelectionView>> + Send {
        async { Err(no_metrics()) }
    }
    /// The past of a peer.
    fn history(&self, _id: String) -> impl Future<Output = Answer<HistoryView>> + Send {
        async { Err(no_metrics()) }
    }
    /// Totals, levels, mean, and the best peers.
    fn stats(&self, _top: usize) -> impl Future<Output = Answer<StatsView>> + Send {
        async { Err(no_metrics()) }
    }
    /// Why a peer stands where it stands.
    fn explain(&self, id: String) -> impl Future<Output = Answer<ExplainView>> + Send;
    /// The bans in force.
    fn bans(&self) -> impl Future<Output = Answer<Vec<BanView>>> + Send;
    /// Keeps a peer out; done once durable.
    fn ban(
        &self,
        id: String,
        duration: Option<Duration>,
        reason: String,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// Lets a peer back in; done once durable.
    fn unban(&self, id: String) -> impl Future<Output = Answer<()>> + Send;
    /// Recommends a peer, from −100 (warn) to 100; done once durable.
    fn recommend(
        &self,
        _id: String,
        _value: i8,
        _reason: String,
    ) -> impl Future<Output = Answer<()>> + Send {
        async { Err(no_hearsay()) }
    }
    /// Who moves what is thought of whom.
    fn trust_sources(&self) -> impl Future<Output = Answer<Vec<TrustSource>>> + Send {
        async { Err(no_hearsay()) }
    }
    /// Takes a source of recommendations out; done once durable.
    fn withdraw(&self, _id: String) -> impl Future<Output = Answer<()>> + Send {
        async { Err(no_hearsay()) }
    }
    /// Listens to a withdrawn source again; done once durable.
    fn readmit(&self, _id: String) -> impl Future<Output = Answer<()>> + Send {
        async { Err(no_hearsay()) }
    }
    /// Receipts, claims and proven faults: all, or those in which a peer has a part.
    fn receipts(&self, _id: Option<String>) -> impl Future<Output = Answer<ReceiptsView>> + Send {
        async { Err(ControlError::NotFound("this node keeps no receipts".into())) }
    }
    /// Shows the stamp and the vouches that were kept since the start to all neighbours.
    fn show_credentials(&self) -> impl Future<Output = Answer<()>> + Send {
        async { Err(ControlError::NotFound("this node keeps no receipts".into())) }
    }
    /// Sizes and counters of the DHT and the directory.
    fn dht_stats(&self) -> impl Future<Output = Answer<DhtStatsView>> + Send {
        async { Err(no_dht()) }
    }
    /// Keeps a value in the DHT, under a name of the node's own; done once others keep it.
    fn dht_put(&self, request: DhtPutRequest) -> impl Future<Output = Answer<DhtPutView>> + Send {
        let _unheeded = request;
        async { Err(no_dht()) }
    }
    /// The records at a key, or of an author and name.
    fn dht_get(&self, wanted: DhtGetQuery) -> impl Future<Output = Answer<DhtRecordsView>> + Send {
        let _unheeded = wanted;
        async { Err(no_dht()) }
    }
    /// The nodes closest to a place.
    fn dht_lookup(
        &self,
        wanted: DhtLookupQuery,
    ) -> impl Future<Output = Answer<DhtLookupView>> + Send {
        let _unheeded = wanted;
        async { Err(no_dht()) }
    }
    /// Offers a service until it is retracted, over restarts too; done once durable.
    fn advertise(
        &self,
        request: AdvertiseRequest,
    ) -> impl Future<Output = Answer<AdvertisedView>> + Send {
        let _unheeded = request;
        async { Err(no_dht()) }
    }
    /// What the node offers.
    fn offers(&self) -> impl Future<Output = Answer<Vec<OwnOfferView>>> + Send {
        async { Err(no_dht()) }
    }
    /// Offers a service no longer: that of this key, in hex, or all; how many were. Done once
    /// durable.
    fn retract(&self, key: Option<String>) -> impl Future<Output = Answer<usize>> + Send {
        let _unheeded = key;
        async { Err(no_dht()) }
    }
    /// Looks for services.
    fn find_services(
        &self,
        request: FindRequest,
    ) -> impl Future<Output = Answer<FoundView>> + Send {
        let _unheeded = request;
        async { Err(no_dht()) }
    }
    /// The services that fit, as they become known from now on.
    fn watch_services(
        &self,
        request: FindRequest,
    ) -> impl Future<Output = Answer<Stream<OfferView>>> + Send {
        let _unheeded = request;
        async { Err(no_dht()) }
    }
    /// The blacklist.
    fn blacklist(&self) -> impl Future<Output = Answer<BlacklistView>> + Send {
        async { Err(no_blacklist()) }
    }
    /// Adds entries, each in place of the one of its target; done once durable.
    fn blacklist_add(&self, request: AddRequest) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = request;
        async { Err(no_blacklist()) }
    }
    /// Changes why or until when an entry is there; done once durable.
    fn blacklist_edit(&self, request: EditRequest) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = request;
        async { Err(no_blacklist()) }
    }
    /// Removes the entry of one target, or all there are; how many. Done once durable.
    fn blacklist_remove(
        &self,
        target: Option<String>,
    ) -> impl Future<Output = Answer<usize>> + Send {
        let _unheeded = target;
        async { Err(no_blacklist()) }
    }
    /// What the operators of banned peers had to say.
    fn appeals(&self) -> impl Future<Output = Answer<Vec<AppealView>>> + Send {
        async { Err(no_blacklist()) }
    }
    /// Forgets what a banned peer had to say; done once durable.
    fn dismiss_appeal(&self, id: String) -> impl Future<Output = Answer<()>> + Send {
        let _unheeded = id;
        async { Err(no_blacklist()) }
    }
    /// Asks a peer that turns this node away to think again; whether that was handed over.
    fn appeal(&self, id: String, text: String) -> impl Future<Output = Answer<bool>> + Send {
        let _unheeded = (id, text);
        async { Err(no_blacklist()) }
    }
    /// Who turns this node away, why, and until when.
    fn refusals(&self) -> impl Future<Output = Answer<Vec<RefusalView>>> + Send {
        async { Err(no_blacklist()) }
    }
    /// An invitation to this node.
    fn ticket(&self) -> Answer<TicketView>;
    /// Joins through the node of a ticket, or of an id that the DHT finds.
    fn join(&self, ticket: String) -> impl Future<Output = Answer<()>> + Send;
    /// Spreads a message; gives its name.
    fn publish(
        &self,
        topic: String,
        kind: u16,
        text: String,
    ) -> impl Future<Output = Answer<String>> + Send;
    /// The messages of a topic from now on.
    fn subscribe(&self, topic: String) -> impl Future<Output = Answer<Stream<MessageView>>> + Send;
    /// What happens from now on.
    fn events(&self) -> Stream<EventView>;
    /// Asks the node to stop.
    fn stop(&self) -> impl Future<Output = ()> + Send;
}

/// The answer of a node that keeps none.
fn no_blacklist() -> ControlError {
    ControlError::NotFound("this node keeps no blacklist".into())
}

fn no_metrics() -> ControlError {
    ControlError::NotFound("this node keeps no metrics".into())
}

fn no_dht() -> ControlError {
    ControlError::Refused("this node takes no part in the DHT".into())
}

fn no_hearsay() -> ControlError {
    ControlError::NotFound("this node keeps no recommendations".into())
}
