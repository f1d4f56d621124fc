//! Databases as older versions of this program wrote them, for tests of the upgrade.

use std::path::Path;

use super::{
    Options,
    failure::from_sqlite,
    files, opening,
    writing::{Applier, Counts},
};
use crate::{Bounds, StoreError, Write, check::Checks, write::admit};

/// Makes a data directory as version 1 of the schema left it, holding `batch`.
///
/// # Errors
/// As [`SqliteStore::open`](crate::SqliteStore::open); and
/// [`Misuse`](StoreError::Misuse) if the directory holds a database already.
pub fn version_1(dir: &Path, mut batch: Vec<Write>) -> Result<(), StoreError> {
    files::make_dir(dir)?;
    let _lock = files::lock(dir)?;
    let path = opening::file(dir);
    if path.exists() {
        return Err(StoreError::Misuse(
            "a fixture is made in an empty directory",
        ));
    }
    admit(&mut batch)?;
    opening::create(dir, &path, 1, &Options::default())?;
    let failed = |error| from_sqlite(&path, &error);
    let mut connection = rusqlite::Connection::open(&path).map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    let (checks, bounds, mut counts) = (Checks::new(), Bounds::default(), Counts::default());
    let mut applier = Applier {
        connection: &transaction,
        path: &path,
        checks: &checks,
        bounds: &bounds,
        counts: &mut counts,
    };
    batch.iter().try_for_each(|write| applier.apply(write))?;
    transaction.commit().map_err(failed)
}
