//! Placeholder: the keystore.
