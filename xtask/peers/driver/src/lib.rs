//! What all programs of this folder share: counters of the process and the machine, arguments, and
//! the phases of gossip, the same for every implementation.

mod arguments;
mod counters;
mod phase;
mod record;
mod sample;

pub use arguments::Args;
pub use counters::{
    Delta, Snap, delta, is_durable, peak_rss_mib, reset_peak_rss, rss_mib, snap, thread_cpu,
};
pub use phase::{Load, Publisher, run_phase, standard_phases};
pub use record::{HEAD, Record};
pub use sample::{XorShift, pct, rate, report, sorted};
