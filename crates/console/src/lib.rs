//! The control API of a running node: HTTP and JSON under `/v1`, on a Unix socket that only its
//! owner may open, and the typed client that the command line uses.
//!
//! The server knows a node only through the trait [`Control`], so that it is tested without one;
//! [`Node`](repute_node::Node) implements it.
//!
//! This crate never judges a peer, never opens a network socket beyond the local one, and shows
//! every text that a peer chose with its control characters escaped.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use repute_console::Client;
//!
//! let client = Client::connect("my-data/control.sock");
//! let status = client.status().await?;
//! println!("{} with {} links", status.id, status.peers_active);
//! # Ok(())
//! # }
//! ```

mod blacklist;
mod blacklist_client;
mod blacklist_node;
mod blacklist_routes;
mod client;
mod control;
mod dht;
mod dht_node;
mod directory;
mod directory_node;
mod error;
mod files;
mod files_client;
mod files_node;
mod files_routes;
mod hearsay;
mod insight;
mod insight_client;
mod insight_node;
mod insight_routes;
mod node;
mod octets;
mod receipts;
mod routes;
mod server;
mod shared_list;
mod time;
mod view;

pub use blacklist::{
    AddRequest, AppealRequest, AppealSent, AppealView, AppealsView, BlacklistView, Changed,
    EditRequest, EntryRequest, EntryView, RefusalView, RefusalsView,
};
pub use client::{Client, ClientError, Lines};
pub use control::{Control, Stream};
pub use dht::{
    DhtBucketView, DhtContactView, DhtGetQuery, DhtLookupQuery, DhtLookupView, DhtOutcomeView,
    DhtPutRequest, DhtPutView, DhtRecordView, DhtRecordsView, DhtStatsView, DhtStepView,
};
pub use directory::{
    AdvertiseRequest, AdvertisedView, AdvertisementView, CriterionView, DirectoryStatsView,
    FindRequest, FoundView, OfferView, OwnOfferView, OwnOffersView, RetractedView,
};
pub use error::{ControlError, Problem};
pub use files::{
    DamageView, FetchRequest, Files, FilesView, FinishedView, PlanView, ProgressView, ReadView,
    SeederView, SeedingView, ShareEvent, ShareRequest, ShareView, SharesView, SourceView,
    TransferEvent, TransferView, TransfersView, VerifyEvent, VerifyRequest, VerifyView,
};
pub use hearsay::{RecommendRequest, RecommendationView, TrustSource, TrustSources};
pub use insight::{
    BestRequest, ComponentView, HistoryView, InteractionView, LevelChangeView, MetricsList,
    MetricsView, PeersQuery, PointView, RankedView, RefusedView, ScoreView, SelectionView,
    StatsView, TallyView, TopView,
};
pub use receipts::{ClaimView, EdgeView, FaultView, ReceiptView, ReceiptsView};
pub use routes::router;
pub use server::{Server, ServerError};
pub use shared_list::{Hit, ListError, Preview, SharedEntry, SharedList, Skipped};
pub use time::{parse_rfc3339, rfc3339};
pub use view::{
    BanRequest, BanView, Bans, DiscoveryView, Done, EventView, ExplainLine, ExplainView,
    JoinRequest, LayerView, LinkView, MessageView, PeerView, Peers, PublishRequest, Published,
    ReasonView, StandingView, StatusView, TicketView,
};
