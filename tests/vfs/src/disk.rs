//! A disk under watch: what was asked of it, and what it refuses.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rusqlite::ffi;

/// The database, and the name under which it is made.
pub const DATABASE: &str = "store.sqlite3";
const DATABASE_NEW: &str = "store.sqlite3.new";

/// One call that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    Lock,
    Delete,
    Access,
    /// Shared memory, a file that must be at least so long.
    Map {
        bytes: u64,
    },
}

impl Call {
    /// What SQLite says when it fails.
    const fn failure(self) -> i32 {
        match self {
            Self::Open => ffi::SQLITE_CANTOPEN,
            Self::Read => ffi::SQLITE_IOERR_READ,
            Self::Write => ffi::SQLITE_IOERR_WRITE,
            Self::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Self::Sync => ffi::SQLITE_IOERR_FSYNC,
            Self::Size => ffi::SQLITE_IOERR_FSTAT,
            Self::Lock => ffi::SQLITE_IOERR_LOCK,
            Self::Delete => ffi::SQLITE_IOERR_DELETE,
            Self::Access => ffi::SQLITE_IOERR_ACCESS,
            Self::Map { .. } => ffi::SQLITE_IOERR_SHMMAP,
        }
    }
}

/// What the disk refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    #[default]
    Fine,
    /// The call of this number, counted from zero.
    Once(u64),
    /// Every call from this number on.
    From(u64),
    /// The sync of this number, and what it should have made durable never will be, as systems do
    /// that forget a page they could not write.
    SyncForgets(u64),
    /// To hold more than so many bytes.
    Space(u64),
}

/// One thing that happened to a file, in order.
#[derive(Clone, Debug)]
pub enum Entry {
    Created(String),
    /// A file that was there before it was opened, as durable as it was found.
    Found(String, Vec<u8>),
    Wrote {
        name: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncated {
        name: String,
        len: u64,
    },
    Synced(String),
    /// A sync failed, and what it was to keep is forgotten.
    Forgotten(String),
    Deleted {
        name: String,
        durable: bool,
    },
    /// The new database took its name, durably.
    Renamed,
    /// The store acknowledged this batch.
    Acknowledged(u64),
}

/// A folder and what happens in it.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    calls: u64,
    syncs: u64,
    /// Calls refused, or writes cut short.
    refused: u64,
    /// Files whose content the log tells.
    known: BTreeSet<String>,
    log: Option<Vec<Entry>>,
}

impl Disk {
    pub fn new(folder: &Path, plan: Plan) -> Self {
        let plan = State {
            plan,
            ..State::default()
        };
        Self {
            folder: folder.to_path_buf(),
            state: Mutex::new(plan),
        }
    }

    fn state<T>(&self, touch: impl FnOnce(&mut State) -> T) -> T {
        touch(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down from now on; these files are known already.
    pub fn record(&self, known: impl IntoIterator<Item = String>) {
        self.state(|state| {
            state.known = known.into_iter().collect();
            state.log = Some(Vec::new());
        });
    }

    /// What was written down.
    pub fn take_log(&self) -> Vec<Entry> {
        self.state(|state| state.log.take().unwrap_or_default())
    }

    pub fn set_plan(&self, plan: Plan) {
        self.state(|state| state.plan = plan);
    }

    /// Calls so far, and how many of them were refused.
    pub fn calls(&self) -> (u64, u64) {
        self.state(|state| (state.calls, state.refused))
    }

    pub fn acknowledged(&self, batch: u64) {
        self.note(|| Entry::Acknowledged(batch));
    }

    fn note(&self, entry: impl FnOnce() -> Entry) {
        self.state(|state| {
            if let Some(log) = &mut state.log {
                log.push(entry());
            }
        });
    }

    fn len(&self, name: &str) -> u64 {
        fs::metadata(self.folder.join(name)).map_or(0, |file| file.len())
    }

    /// Bytes of all that SQLite keeps here.
    pub fn used(&self) -> u64 {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().starts_with(DATABASE))
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len())
            .sum()
    }

    /// Whether a call is refused, and with what.
    pub fn refuses(&self, name: &str, call: Call) -> Option<i32> {
        let plan = self.state(|state| {
            let nth = state.calls;
            state.calls += 1;
            let nth_sync = state.syncs;
            state.syncs += u64::from(call == Call::Sync);
            let refused = match state.plan {
                Plan::Once(fails) => nth == fails,
                Plan::From(fails) => nth >= fails,
                Plan::SyncForgets(fails) => call == Call::Sync && nth_sync == fails,
                Plan::Fine | Plan::Space(_) => false,
            };
            state.refused += u64::from(refused);
            if refused && matches!(state.plan, Plan::SyncForgets(_)) {
                let log = state.log.get_or_insert_default();
                log.push(Entry::Forgotten(name.to_owned()));
            }
            if refused { Err(()) } else { Ok(state.plan) }
        });
        match (plan, call) {
            (Err(()), _) => Some(call.failure()),
            (Ok(Plan::Space(space)), Call::Map { bytes }) => {
                let name = format!("{name}-shm");
                let more = bytes.saturating_sub(self.len(&name));
                (more > 0 && self.used() + more > space).then(|| {
                    self.state(|state| state.refused += 1);
                    ffi::SQLITE_IOERR_SHMSIZE
                })
            }
            (Ok(_), _) => None,
        }
    }

    /// How many bytes of a write there is space for.
    pub fn room(&self, name: &str, at: u64, len: usize) -> usize {
        let Plan::Space(space) = self.state(|state| state.plan) else {
            return len;
        };
        let held = self.len(name);
        let end = at + len as u64;
        let (more, free) = (end.saturating_sub(held), space.saturating_sub(self.used()));
        let short = usize::try_from(more.saturating_sub(free))
            .unwrap_or(len)
            .min(len);
        self.state(|state| state.refused += u64::from(short > 0));
        len - short
    }

    /// A file before it is opened: its bytes if it is there and nothing is known of it yet.
    pub fn found(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(name);
        // The store removes what is left of a new database itself, and begins again.
        let begun_again = name == DATABASE_NEW && self.len(name) == 0;
        let known = self.state(|state| {
            if begun_again {
                state.known.remove(name);
            }
            state.log.is_none() || state.known.contains(name)
        });
        if known || !path.exists() {
            return None;
        }
        fs::read(path).ok()
    }

    pub fn opened(&self, name: &str, found: Option<Vec<u8>>) {
        let gone = !self.folder.join(DATABASE_NEW).exists();
        self.state(|state| {
            let Some(log) = &mut state.log else { return };
            if !state.known.insert(name.to_owned()) {
                return;
            }
            // A rename does not pass through SQLite.
            let renamed = name == DATABASE && gone && state.known.remove(DATABASE_NEW);
            log.push(match found {
                Some(_) if renamed => Entry::Renamed,
                Some(bytes) => Entry::Found(name.to_owned(), bytes),
                None => Entry::Created(name.to_owned()),
            });
        });
    }

    pub fn wrote(&self, name: &str, at: u64, bytes: &[u8]) {
        self.note(|| Entry::Wrote {
            name: name.to_owned(),
            at,
            bytes: bytes.to_vec(),
        });
    }

    pub fn truncated(&self, name: &str, len: u64) {
        let name = name.to_owned();
        self.note(|| Entry::Truncated { name, len });
    }

    pub fn synced(&self, name: &str) {
        self.note(|| Entry::Synced(name.to_owned()));
    }

    pub fn deleted(&self, name: &str, durable: bool) {
        self.state(|state| {
            state.known.remove(name);
            if let Some(log) = &mut state.log {
                let name = name.to_owned();
                log.push(Entry::Deleted { name, durable });
            }
        });
    }
}
