//! The directory alone: what it tells others, what it takes from them, and what it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod bounds;
mod finding;
mod hearing;
mod hostile;
mod restarting;
mod stage;
mod telling;
