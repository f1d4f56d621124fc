//! The command `repute`.
fn main() {}
