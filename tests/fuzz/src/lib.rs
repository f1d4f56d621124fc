//! What the fuzz targets check.
//!
//! The checks live with the decoders they check, in `crates/protocol/tests/checks`, where ordinary
//! tests run them over the committed corpora, random bytes and damaged frames. Here the fuzzer
//! looks for inputs that nobody thought of.
#![forbid(unsafe_code)]

#[path = "../../../crates/protocol/tests/checks/mod.rs"]
pub mod checks;
