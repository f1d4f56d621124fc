//! R22, R06: the fuzz targets of the engines, over the committed corpora and random lists.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

#[path = "../fuzz/src/operations/mod.rs"]
mod operations;

use proptest::prelude::*;

#[test]
fn r22_the_committed_corpora_break_nothing() {
    let corpora = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, _) in operations::TARGETS {
        let folder = corpora.join(name);
        let files = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let file = file.expect("an entry").path();
            operations::run(name, &std::fs::read(&file).expect("a file"));
            count += 1;
        }
        assert!(count > 0, "{name} has a corpus");
    }
}

/// As many cases as `PROPTEST_CASES` asks for, and few if it does not: a case runs every target.
fn cases() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return ProptestConfig::default();
    }
    ProptestConfig::with_cases(64)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn r22_random_lists_of_operations_break_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..1_500),
    ) {
        for (name, _) in operations::TARGETS {
            operations::run(name, &bytes);
        }
    }
}
