use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where a node keeps what it must not lose: its key, its store and its control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// This directory, made when the node starts.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// `repute` in the user's data directory (XDG, or what the system has instead).
    ///
    /// # Errors
    /// When the system does not say where the user's home is.
    pub fn default_path() -> io::Result<PathBuf> {
        use etcetera::{BaseStrategy, choose_base_strategy};
        choose_base_strategy()
            .map(|strategy| strategy.data_dir().join("repute"))
            .map_err(|error| io::Error::new(io::ErrorKind::NotFound, error.to_string()))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret key and inception record.
    pub fn identity(&self) -> PathBuf {
        self.path.join("identity.key")
    }

    /// The recovery secret, to be moved to a safe place offline.
    pub fn recovery(&self) -> PathBuf {
        self.path.join("recovery.key")
    }

    /// The secret key under which the node publishes where it listens, if it does.
    pub fn discovery(&self) -> PathBuf {
        self.path.join("discovery.key")
    }

    /// The proof of work for the identity, if one was made.
    pub fn stamp(&self) -> PathBuf {
        self.path.join("stamp")
    }

    /// The vouches that were given for the identity.
    pub fn vouches(&self) -> PathBuf {
        self.path.join("vouches")
    }

    /// The durable store.
    pub fn store(&self) -> PathBuf {
        self.path.join("store.sqlite3")
    }

    /// The store of files.
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// The control socket of a running node.
    pub fn control_socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    /// The configuration file, if the person made one.
    pub fn config_file(&self) -> PathBuf {
        self.path.join("repute.toml")
    }

    /// Makes the directory, readable by its owner only.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(&self) -> io::Result<()> {
        if self.path.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(&self.path)
    }
}
