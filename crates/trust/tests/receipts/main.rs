//! Receipts between honest nodes, across restarts and restored backups, and against liars.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod bounds;
mod honest;
mod hostile;
mod storm;
mod town;
