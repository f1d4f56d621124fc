//! The shell: sockets, store, clock and keys around a [`Core`](crate::Core).

mod archive;
mod ask;
mod blacklist;
mod clock;
mod config;
mod data_dir;
mod demands;
mod dht;
mod dht_rows;
mod directory;
mod discovery;
mod driver;
mod error;
mod files;
mod handlers;
mod insight;
mod joined;
mod laboratory;
#[cfg(feature = "lan")]
mod lan;
#[cfg(feature = "mainline")]
mod mainline;
mod node;
mod policy;
mod publishing;
mod receipt_rows;
mod receipts;
mod rows;
mod start;
mod status;
mod stop;
mod subscription;

pub use archive::{Archive, ArchiveError};
pub use blacklist::{Blacklist, BlacklistEntry};
pub use config::{IdentitySource, NodeConfig};
pub use data_dir::DataDir;
pub use demands::Demands;
pub use dht::{DhtFound, DhtStatus};
pub use directory::{Offer, Offers, OwnOffer};
pub use discovery::{Desk, Discovery, DiscoveryStats, Known, Note, Running, Sought};
pub use error::NodeError;
pub use files::{
    Amount, Checked, FetchOrder, FilesConfig, FilesError, FilesStatus, ShareOptions, Shared,
    SharedKind, Transfer, TransferEvent, TransferId, TransferOutcome, TransferProgress,
    TransferState, TransferView, VerifyReport, Wanted,
};
pub use insight::Scored;
pub use laboratory::Laboratory;
#[cfg(feature = "mainline")]
pub use mainline::Mainline;
pub use node::Node;
pub use publishing::Publishing;
pub use receipts::ReceiptBook;
pub use start::{StartError, StartStep};
pub use status::{PeerStatus, Status};
pub use subscription::{Delivered, Delivery, EventStream, Subscription};
