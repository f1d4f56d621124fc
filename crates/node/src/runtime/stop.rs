//! Places of a start where a test may stop the process, to kill it exactly there.

/// What names the place to stop at. Not part of the configuration.
const TEST_STOP_AT: &str = "REPUTE_TEST_STOP_AT";

/// Whether a test will stop this process somewhere.
pub(super) fn is_asked() -> bool {
    std::env::var_os(TEST_STOP_AT).is_some()
}

/// Goes on, unless a test named this place: then it says so, and waits to be killed.
pub(super) fn pass(place: &str) {
    if std::env::var(TEST_STOP_AT).is_ok_and(|named| named == place) {
        tracing::warn!(place, "stopped for a test");
        loop {
            std::thread::park();
        }
    }
}
