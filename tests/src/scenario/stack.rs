//! Tier B: what is done to whole nodes over QUIC.

mod churn;
mod dialler;
mod flood;
mod forgers;
mod gapped;
mod loss;
mod partition;
mod slow;
mod slowloris;

use std::sync::Mutex;

pub use churn::STACK_CHURN;
pub use flood::STACK_FLOOD;
pub use forgers::STACK_FORGERS;
pub use gapped::STACK_GAPPED;
pub use loss::STACK_LOSS;
pub use partition::STACK_PARTITION;
pub use slow::STACK_SLOW;
pub use slowloris::STACK_SLOWLORIS;

/// Memory is that of the process: those that measure it run one at a time.
static ALONE: Mutex<()> = Mutex::new(());
