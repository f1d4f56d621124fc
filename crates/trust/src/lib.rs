//! The engine of this crate.
