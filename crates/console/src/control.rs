use std::{future::Future, time::Duration};

use tokio::sync::mpsc;

use crate::{
    BanView, ControlError, EventView, ExplainView, MessageView, PeerView, StatusView, TicketView,
};

/// A bounded stream of things that happen; it ends when the node stops.
pub type Stream<T> = mpsc::Receiver<T>;

type Answer<T> = Result<T, ControlError>;

/// What the control API asks of a node.
pub trait Control: Clone + Send + Sync + 'static {
    /// How the node is.
    fn status(&self) -> impl Future<Output = Answer<StatusView>> + Send;
    /// All known peers, best first.
    fn peers(&self) -> impl Future<Output = Answer<Vec<PeerView>>> + Send;
    /// One known peer.
    fn peer(&self, id: String) -> impl Future<Output = Answer<PeerView>> + Send;
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
    /// An invitation to this node.
    fn ticket(&self) -> Answer<TicketView>;
    /// Joins through the node of a ticket.
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
