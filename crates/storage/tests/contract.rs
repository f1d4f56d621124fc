//! Both stores keep the contract.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use repute_storage::{MemoryStore, contract};

#[test]
fn the_memory_store_keeps_the_contract() {
    contract::run(MemoryStore::new).unwrap();
    contract::run_bounded(|| MemoryStore::with_bounds(contract::SMALL)).unwrap();
}

#[test]
fn a_forgetful_store_breaks_the_durable_part() {
    assert!(contract::run_durable(|| MemoryStore::new).is_err());
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::cell::RefCell;

    use repute_storage::{Bounds, Options, SqliteStore, contract};
    use tempfile::TempDir;

    fn fresh(dirs: &RefCell<Vec<TempDir>>, bounds: Bounds) -> SqliteStore {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.bounds = bounds;
        let (store, report) = SqliteStore::open(dir.path(), options).unwrap();
        assert!(report.created);
        dirs.borrow_mut().push(dir);
        store
    }

    #[test]
    fn the_sqlite_store_keeps_the_contract() {
        let dirs = RefCell::default();
        contract::run(|| fresh(&dirs, Bounds::default())).unwrap();
        contract::run_bounded(|| fresh(&dirs, contract::SMALL)).unwrap();
        contract::run_durable(|| {
            let dir = tempfile::tempdir().unwrap();
            move || SqliteStore::open(dir.path(), Options::default()).unwrap().0
        })
        .unwrap();
    }
}
