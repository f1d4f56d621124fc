//! What the fuzz targets check.
//!
//! The checks of the decoders live with them, in `crates/protocol/tests/checks`; those of the
//! engines here, in `operations`. Ordinary tests run both over the committed corpora and over
//! random input. Here the fuzzer looks for inputs that nobody thought of.
#![forbid(unsafe_code)]

#[path = "../../../crates/protocol/tests/checks/mod.rs"]
pub mod checks;
pub mod operations;
