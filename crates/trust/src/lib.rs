//! A ledger of evidence about peers: scores, levels, bans, and the reasons for them.
//!
//! A [`Ledger`] is handed evidence ([`Input::Observe`]): a first delivery was useful, a message
//! broke a rule, a request timed out; and whose fault that was. It folds what it keeps, in order
//! and in integer fixed point, into a [`Standing`] per peer, so that any machine recomputes a
//! score to the last bit from the stored [`Record`]s, and [`Ledger::explain`] can say which events
//! made it, when, and with which weight today.
//!
//! Two things that are never mixed come out of it. A **score** says how good the service was:
//! trust, belief and uncertainty between 0 and 1, with unknown being lack of evidence and not a
//! low score. A **gate** answers broken rules: warned, grey for an hour, banned for a day, banned
//! for thirty; for good only by the operator. Both are local: nothing in here is ever gossiped.
//!
//! Time is *ledger time*: it follows the wall clock, never goes back, and never runs more than
//! twice as fast as the monotonic clock, so that a clock that jumps by years lets no ban lapse
//! and no evidence fade.
//!
//! This crate never reads a clock, opens a socket or file, draws a random number, blames a peer
//! for a fault that was [`Fault::Ours`] or [`Fault::Network`], or bans for good on its own.
//!
//! ```
//! use repute_base::{Machine, Timestamp};
//! use repute_identity::NodeId;
//! use repute_trust::{Config, Context, Evidence, Fault, Input, Ledger, Level, Limits};
//!
//! let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
//! let peer = NodeId::from_bytes([7; 32]);
//! let now = Timestamp::from_millis(0, 1_700_000_000_000);
//!
//! ledger.handle(now, Input::Observe {
//!     subject: peer,
//!     context: Context::Network,
//!     evidence: Evidence::Useful,
//!     fault: Fault::Theirs,
//! });
//! while let Some(output) = ledger.poll_output() {
//!     // Store `Output::Persist`, show `Output::Event`.
//!     drop(output);
//! }
//! let standing = ledger.standing(peer, now.wall);
//! assert_eq!(format!("{:.3}", standing.trust), "0.501");
//! assert_eq!(standing.level, Level::Unknown);
//! ```
#![no_std]

extern crate alloc;

mod address_ban;
mod address_bans;
mod analytics;
mod appeals;
mod ban;
mod bans;
mod classes;
mod clock;
mod config;
mod criterion;
mod error;
mod evidence;
mod explanation;
mod hearsay;
mod history;
mod input;
mod ladder;
mod ledger;
mod limits;
mod model;
mod order;
mod output;
mod rank;
mod ratings;
mod receipts;
mod record;
mod replay;
mod score;
mod selection;
mod standing;
mod subject;
mod suspicions;
mod table;
mod target;

pub use address_ban::AddressBan;
pub use address_bans::{AddressBans, AddressInput, AddressOutput};
pub use analytics::{Entry, Filter, Sort, Summary};
pub use appeals::{Appeal, Appeals};
pub use ban::{Ban, BanReason, By, Rung};
pub use classes::{Classes, IdentityClass, Shown};
pub use config::{Bands, Config, LadderConfig};
pub use criterion::{BlacklistConfig, Criterion, Mode, Threshold};
pub use error::{ConfigError, RecordError};
pub use evidence::{Context, Evidence, Fault};
pub use explanation::{Explanation, Line, Mismatch};
pub use hearsay::{
    CarriedSource, Circle, Footing, HearsayConfig, HearsayRecord, Influence, News, NotHeard,
    Opinion, SourceView, rank_in_averages,
};
pub use history::{
    CHANGES_MAX, Chronicle, ChronicleInput, ChronicleLimits, ChronicleOutput, History,
    INTERACTIONS_MAX, Interaction, LevelChange, Point, Resolution, Trend, TrendDirection,
};
pub use input::Input;
pub use ledger::Ledger;
pub use limits::Limits;
pub use model::{
    Assessment, CUSTOM, Component, Direction, Dossier, Mean, Metrics, Models, NetworkModel,
    PAIRS_PER_DAY, Pairs, PeerModel, RelayMetrics, RelayModel, Sample, ScoringModel, Signing,
    SigningModel, SigningOutcome, Stakes, Steadiness, Tally, Transfer, TransferModel, Uptime,
    composite_score,
};
pub use output::{Event, Output, Write};
pub use rank::{Rank, RankConfig, RankLimits, Settled, Share};
pub use ratings::{
    Judgement, RatedSubject, RatingProblem, Ratings, RatingsConfig, RatingsError, RatingsLimits,
    RatingsParser, UnknownAnchor,
};
pub use receipts::{
    ClaimLine, FaultLine, ReceiptEdge, ReceiptLine, ReceiptRow, Receipts, ReceiptsConfig,
    ReceiptsInput, ReceiptsLimits, ReceiptsOutput, ReceiptsWrite,
};
pub use record::{Carried, Record};
pub use replay::{Changed, Evidenced, Replay};
pub use selection::{
    Candidate, Choice, Obstacle, Ranked, Reason, Refused, Selection, TooFew, best_peers, select,
};
pub use standing::{Gate, Level, Standing};
pub use target::{Target, TargetError};
