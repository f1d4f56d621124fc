//! The SQLite VFS: hands every call on to the system's, tells a [`Disk`] of it, and refuses what
//! the disk says it refuses.
//!
//! It becomes the default VFS of the process, so that a store opens through it without knowing.
//! Files in a folder that no disk watches are left alone.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_void},
    path::{Path, PathBuf},
    ptr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::{Result, ensure};
use rusqlite::ffi;

use crate::disk::{Call, Disk};

/// The folders that are watched, each by its disk.
static WATCHED: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());

fn watched<T>(touch: impl FnOnce(&mut BTreeMap<PathBuf, Arc<Disk>>) -> T) -> T {
    touch(&mut WATCHED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A folder under watch, until this is dropped.
pub struct Watch(PathBuf);

impl Watch {
    /// From now on, files that SQLite opens in `folder` lie on `disk`.
    pub fn over(folder: &Path, disk: Arc<Disk>) -> Self {
        watched(|all| all.insert(folder.to_path_buf(), disk));
        Self(folder.to_path_buf())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        watched(|all| all.remove(&self.0));
    }
}

/// The system's VFS. SQLite never frees it.
struct System(*mut ffi::sqlite3_vfs);
// SAFETY: SQLite itself hands the same pointer to every thread.
unsafe impl Send for System {}
unsafe impl Sync for System {}

static SYSTEM: OnceLock<System> = OnceLock::new();

fn system() -> *mut ffi::sqlite3_vfs {
    SYSTEM.get().map_or(ptr::null_mut(), |system| system.0)
}

/// Makes this VFS the default one of the process. To be called before anything is opened.
pub fn install() -> Result<()> {
    // SAFETY: plain calls of the library; the new VFS and its name live as long as the process.
    unsafe {
        ensure!(ffi::sqlite3_initialize() == ffi::SQLITE_OK, "no SQLite");
        let system = ffi::sqlite3_vfs_find(ptr::null());
        ensure!(!system.is_null(), "SQLite has no VFS of the system");
        SYSTEM.get_or_init(|| System(system));
        let mut vfs = *system;
        vfs.iVersion = vfs.iVersion.min(2);
        vfs.pNext = ptr::null_mut();
        vfs.zName = c"repute-faults".as_ptr();
        vfs.szOsFile += size_of::<Open>() as c_int;
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        vfs.xAccess = Some(access);
        let vfs = Box::leak(Box::new(vfs));
        ensure!(
            ffi::sqlite3_vfs_register(vfs, 1) == ffi::SQLITE_OK,
            "SQLite refused the VFS"
        );
    }
    Ok(())
}

/// What SQLite holds of an open file; the system's own follows behind it.
#[repr(C)]
struct Open {
    base: ffi::sqlite3_file,
    /// From `Arc::into_raw` of a box; null for files of folders that nobody watches.
    place: *const Place,
}

/// A file on a disk.
struct Place {
    disk: Arc<Disk>,
    name: String,
}

/// SAFETY: for every function below, `file` comes from `open` here, so that an [`Open`] lies there
/// and the system's file behind it.
unsafe fn behind(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    unsafe { file.cast::<Open>().add(1).cast() }
}

unsafe fn place<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Place> {
    unsafe { (*file.cast::<Open>()).place.as_ref() }
}

/// Calls the system's method of an open file.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let real = behind($file);
        match (*(*real).pMethods).$method {
            Some(method) => method(real $(, $argument)*),
            None => ffi::SQLITE_ERROR,
        }
    }};
}

/// Asks the disk first.
macro_rules! refused {
    ($file:expr, $call:expr) => {
        match place($file).and_then(|place| place.disk.refuses(&place.name, $call)) {
            Some(code) => return code,
            None => {}
        }
    };
}

/// Tells the disk of what has succeeded.
unsafe fn tell(file: *mut ffi::sqlite3_file, code: c_int, told: impl FnOnce(&Disk, &str)) -> c_int {
    if code == ffi::SQLITE_OK
        && let Some(place) = unsafe { place(file) }
    {
        told(&place.disk, &place.name);
    }
    code
}

unsafe fn disk_of(name: *const c_char) -> Option<Place> {
    if name.is_null() {
        return None;
    }
    let path = Path::new(unsafe { CStr::from_ptr(name) }.to_str().ok()?);
    let disk = watched(|all| all.get(path.parent()?).cloned())?;
    let name = path.file_name()?.to_str()?.to_owned();
    Some(Place { disk, name })
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    unsafe {
        let opened = file.cast::<Open>();
        (*opened).base.pMethods = ptr::null();
        (*opened).place = ptr::null();
        let place = disk_of(name);
        if let Some(place) = &place
            && let Some(code) = place.disk.refuses(&place.name, Call::Open)
        {
            return code;
        }
        let found = place.as_ref().map(|place| place.disk.found(&place.name));
        let Some(method) = (*system()).xOpen else {
            return ffi::SQLITE_ERROR;
        };
        let code = method(system(), name, behind(file), flags, flags_out);
        if code != ffi::SQLITE_OK {
            return code;
        }
        if let Some(place) = place {
            place.disk.opened(&place.name, found.flatten());
            (*opened).place = Box::into_raw(Box::new(place));
        }
        (*opened).base.pMethods = &METHODS;
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    unsafe {
        let place = disk_of(name);
        if let Some(place) = &place
            && let Some(code) = place.disk.refuses(&place.name, Call::Delete)
        {
            return code;
        }
        let Some(method) = (*system()).xDelete else {
            return ffi::SQLITE_ERROR;
        };
        let code = method(system(), name, sync);
        if let Some(place) = place
            && code == ffi::SQLITE_OK
        {
            place.disk.deleted(&place.name, sync != 0);
        }
        code
    }
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    unsafe {
        if let Some(place) = disk_of(name)
            && let Some(code) = place.disk.refuses(&place.name, Call::Access)
        {
            return code;
        }
        match (*system()).xAccess {
            Some(method) => method(system(), name, flags, answer),
            None => ffi::SQLITE_ERROR,
        }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe {
        let code = pass!(file, xClose);
        let place = (*file.cast::<Open>()).place.cast_mut();
        if !place.is_null() {
            drop(Box::from_raw(place));
        }
        (*file.cast::<Open>()).place = ptr::null();
        code
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    unsafe {
        refused!(file, Call::Read);
        pass!(file, xRead, to, len, at)
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    unsafe {
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), len.unsigned_abs() as usize);
        let at_byte = at.unsigned_abs();
        refused!(file, Call::Write);
        // A disk that fills up takes what fits.
        let room = place(file).map_or(bytes.len(), |place| {
            place.disk.room(&place.name, at_byte, bytes.len())
        });
        let fits = bytes.get(..room).unwrap_or(bytes);
        let mut code = ffi::SQLITE_OK;
        if !fits.is_empty() {
            code = pass!(file, xWrite, from, fits.len() as c_int, at);
            tell(file, code, |disk, name| disk.wrote(name, at_byte, fits));
        }
        if code == ffi::SQLITE_OK && fits.len() < bytes.len() {
            code = ffi::SQLITE_FULL;
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    unsafe {
        refused!(file, Call::Truncate);
        let code = pass!(file, xTruncate, len);
        tell(file, code, |disk, name| {
            disk.truncated(name, len.unsigned_abs())
        })
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        refused!(file, Call::Sync);
        let code = pass!(file, xSync, flags);
        tell(file, code, Disk::synced)
    }
}

unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, len: *mut ffi::sqlite3_int64) -> c_int {
    unsafe {
        refused!(file, Call::Size);
        pass!(file, xFileSize, len)
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    unsafe {
        refused!(file, Call::Lock);
        pass!(file, xLock, level)
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    unsafe { pass!(file, xUnlock, level) }
}

unsafe extern "C" fn is_reserved(file: *mut ffi::sqlite3_file, answer: *mut c_int) -> c_int {
    unsafe { pass!(file, xCheckReservedLock, answer) }
}

unsafe extern "C" fn control(file: *mut ffi::sqlite3_file, op: c_int, with: *mut c_void) -> c_int {
    unsafe { pass!(file, xFileControl, op, with) }
}

unsafe extern "C" fn sector(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { pass!(file, xSectorSize) }
}

unsafe extern "C" fn character(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { pass!(file, xDeviceCharacteristics) }
}

unsafe extern "C" fn map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    len: c_int,
    extend: c_int,
    at: *mut *mut c_void,
) -> c_int {
    unsafe {
        let end = u64::from(region.unsigned_abs() + 1) * u64::from(len.unsigned_abs());
        let bytes = if extend == 0 { 0 } else { end };
        refused!(file, Call::Map { bytes });
        pass!(file, xShmMap, region, len, extend, at)
    }
}

unsafe extern "C" fn map_lock(
    file: *mut ffi::sqlite3_file,
    from: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    unsafe { pass!(file, xShmLock, from, count, flags) }
}

unsafe extern "C" fn barrier(file: *mut ffi::sqlite3_file) {
    unsafe {
        let real = behind(file);
        if let Some(method) = (*(*real).pMethods).xShmBarrier {
            method(real);
        }
    }
}

unsafe extern "C" fn unmap(file: *mut ffi::sqlite3_file, remove: c_int) -> c_int {
    unsafe { pass!(file, xShmUnmap, remove) }
}

/// Without memory mapped pages: every change of a file passes through here.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(character),
    xShmMap: Some(map),
    xShmLock: Some(map_lock),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unmap),
    xFetch: None,
    xUnfetch: None,
};
